"""Write docs/cli.md from the help of every command; with --check say whether it is in step."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from antiphon import cli
from antiphon.cli import argparse_runner, typer_runner

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cli.md"
WIDTH = 100
HEAD = """\
# The command line

Written by `scripts/fix` from the commands' own help; change the help, not this page.

Every command that prints takes `--json`. Exit codes: 0 fine, 1 failure, 2 wrong usage or a faulty configuration.
Errors go to standard error as plain text.

"""


def typer_helps(command: Any, path: str, parent: Any = None) -> Iterator[tuple[str, str]]:
    """Yield name and help text of a Typer command and of everything below it."""
    import typer

    context = typer.Context(command, info_name=path if parent is None else command.name, parent=parent)
    context.terminal_width = WIDTH
    yield path, command.get_help(context)
    for name, below in sorted(getattr(command, "commands", {}).items()):
        yield from typer_helps(below, f"{path} {name}", context)


def helps() -> Iterator[tuple[str, str]]:
    for name, entry in cli.COMMANDS.items():
        target, path = cli.load(entry.where), f"antiphon {name}"
        if entry.runner == cli.PLAIN:
            yield path, argparse_runner.build(target, path).format_help()
        else:
            yield from typer_helps(typer_runner.build(target), path)


def page() -> str:
    sections = [("antiphon", cli.overview()), *helps()]
    return HEAD + "\n".join(f"## {name}\n\n```text\n{tidy(text)}\n```\n" for name, text in sections)


def tidy(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def main() -> int:
    # argparse wraps to the terminal of whoever runs this.
    os.environ["COLUMNS"] = str(WIDTH)
    text = page()
    if "--check" not in sys.argv:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text:
        return 0
    print("docs/cli.md is not what the commands' help says; run scripts/fix")
    return 1


if __name__ == "__main__":
    sys.exit(main())
