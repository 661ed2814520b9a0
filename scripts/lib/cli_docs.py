"""Write docs/cli.md from the help of every command; with --check report whether it is up to date."""

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

`scripts/fix` generates this page from the commands' help; change the help, not this page.

Every command that prints results has `--json`. Exit codes: 0 success, 1 failure, 2 wrong usage or an invalid
configuration. Errors are printed to standard error as plain text.

"""


def list_typer_help(command: Any, path: str, parent: Any = None) -> Iterator[tuple[str, str]]:
    """Yield the name and help text of a Typer command and of all its subcommands."""
    import typer

    context = typer.Context(command, info_name=path if parent is None else command.name, parent=parent)
    context.terminal_width = WIDTH
    yield path, command.get_help(context)
    for name, below in sorted(getattr(command, "commands", {}).items()):
        yield from list_typer_help(below, f"{path} {name}", context)


def list_help() -> Iterator[tuple[str, str]]:
    for name, entry in cli.COMMANDS.items():
        target, path = cli.load(entry.function), f"antiphon {name}"
        if entry.runner == cli.ARGPARSE:
            yield path, argparse_runner.build_parser(target, path).format_help()
        else:
            yield from list_typer_help(typer_runner.build_command(target), path)


def write_page() -> str:
    sections = [("antiphon", cli.write_overview()), *list_help()]
    return HEAD + "\n".join(f"## {name}\n\n```text\n{strip_lines(text)}\n```\n" for name, text in sections)


def strip_lines(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def main() -> int:
    # argparse wraps its text to the width of the terminal.
    os.environ["COLUMNS"] = str(WIDTH)
    text = write_page()
    if "--check" not in sys.argv:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text:
        return 0
    print("docs/cli.md differs from the commands' help; run scripts/fix")
    return 1


if __name__ == "__main__":
    sys.exit(main())
