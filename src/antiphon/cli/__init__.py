"""The command line: one file per command, chosen by a table, imported only when asked for.

What belongs here: reading arguments, showing results. What does not: any decision a program could not make through
:mod:`antiphon.client` or the rooms below it.
"""

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NamedTuple, cast

from antiphon import __version__
from antiphon.cli.output import complain
from antiphon.errors import AntiphonError, ConfigError

USAGE_ERROR = 2
INTERRUPTED = 130


class Entry(NamedTuple):
    """Where a command lives (``module:attribute``), which runner reads its arguments, and what it is for."""

    where: str
    runner: str
    summary: str


# A process that serves for weeks must not carry a command-line framework: Typer with the pydantic adapters it builds
# costs a quarter of a second and 27 MB (docs/decisions/0001-the-house.md). Everything else may.
PLAIN = "antiphon.cli.argparse_runner:run"
TYPER = "antiphon.cli.typer_runner:run"

COMMANDS: dict[str, Entry] = {
    "serve": Entry("antiphon.cli.serve:command", PLAIN, "Run the gateway."),
    "ask": Entry("antiphon.cli.ask:command", TYPER, "Ask a model and stream its answer to the terminal."),
    "models": Entry(
        "antiphon.cli.models:command", TYPER, "List the models that can be called, with context and prices."
    ),
    "providers": Entry("antiphon.cli.providers:command", TYPER, "List the providers that are configured or found."),
    "keys": Entry("antiphon.cli.keys:app", TYPER, "Create, list and revoke the keys that callers use."),
    "usage": Entry("antiphon.cli.usage:app", TYPER, "Show what was used and what it cost; verify the ledger."),
    "sim": Entry("antiphon.cli.sim:command", PLAIN, "Run the simulator as a provider of its own."),
    "longtail": Entry("antiphon.cli.longtail:app", TYPER, "Install LiteLLM next door, see what runs, stop it."),
    "config": Entry("antiphon.cli.config:app", TYPER, "Show, check, describe and import the configuration."),
}


def main() -> None:
    """Run the command named by the process's arguments and exit with its code."""
    sys.exit(run(sys.argv[1:]))


def run(argv: Sequence[str]) -> int:
    """Run one command line and return its exit code: 0 fine, 1 failure, 2 usage or configuration error."""
    try:
        code = _dispatch(argv)
        sys.stdout.flush()
        return code
    except ConfigError as error:
        for fault in error.faults:
            complain(str(fault))
        return USAGE_ERROR
    except AntiphonError as error:
        complain(str(error))
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has left; the interpreter's own flush at exit must not complain about it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _dispatch(argv: Sequence[str]) -> int:
    first = argv[0] if argv else "--help"
    if first in ("--help", "-h", "help"):
        print(overview())
        return 0
    if first in ("--version", "-V"):
        print(f"antiphon {__version__}")
        return 0
    entry = COMMANDS.get(first)
    if entry is None:
        return _unknown(first)
    runner = cast("Callable[[Any, str, Sequence[str]], int]", load(entry.runner))
    return runner(load(entry.where), f"antiphon {first}", argv[1:])


def load(where: str) -> Any:
    """Return what an import string ``module:attribute`` names."""
    module, _, attribute = where.partition(":")
    return getattr(import_module(module), attribute)


def overview() -> str:
    """Return the text of ``antiphon --help``, made from the table alone."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {entry.summary}" for name, entry in COMMANDS.items()]
    return "\n".join(
        [
            "usage: antiphon COMMAND [OPTIONS]",
            "",
            "One layer between programs and language models.",
            "",
            "commands:",
            *lines,
            "",
            "options:",
            "  --help     Show this text, or with a command that command's.",
            "  --version  Show the version.",
        ]
    )


def _unknown(name: str) -> int:
    from difflib import get_close_matches

    near = get_close_matches(name, [*COMMANDS, "--help", "--version"], n=1)
    what = "option" if name.startswith("-") else "command"
    complain(f"no such {what}: {name}" + (f"; did you mean {near[0]}?" if near else ""))
    complain("try: antiphon --help", label="")
    return USAGE_ERROR
