"""The command line: one file for each command, chosen from a table and imported only when it is used.

What belongs here: parsing arguments and printing results. What does not: anything that a program could not do through
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


class Command(NamedTuple):
    """A command: its function (``module:attribute``), the runner that parses its arguments, and a summary."""

    function: str
    runner: str
    summary: str


# A process that runs for weeks must not load a command-line framework: Typer, with the pydantic adapters it builds,
# takes a quarter of a second and 27 MB (docs/decisions/0001-the-house.md). Every other command may use it.
ARGPARSE = "antiphon.cli.argparse_runner:run"
TYPER = "antiphon.cli.typer_runner:run"

COMMANDS: dict[str, Command] = {
    "serve": Command("antiphon.cli.serve:serve_gateway", ARGPARSE, "Run the gateway."),
    "ask": Command("antiphon.cli.ask:ask_model", TYPER, "Ask a model and stream its answer to the terminal."),
    "models": Command("antiphon.cli.models:list_models", TYPER, "List the available models, with context and prices."),
    "providers": Command(
        "antiphon.cli.providers:list_providers", TYPER, "List the providers that are configured or detected."
    ),
    "keys": Command("antiphon.cli.keys:app", TYPER, "Create, list and revoke the keys of callers."),
    "usage": Command("antiphon.cli.usage:app", TYPER, "Show usage and costs; verify the ledger."),
    "sim": Command("antiphon.cli.sim:run_simulator", ARGPARSE, "Run the simulator as a provider."),
    "longtail": Command("antiphon.cli.longtail:app", TYPER, "Install LiteLLM, show its processes, or stop them."),
    "config": Command("antiphon.cli.config:app", TYPER, "Show, check, describe or import a configuration."),
}


def main() -> None:
    """Run the command named by the process's arguments and exit with its code."""
    sys.exit(run(sys.argv[1:]))


def run(argv: Sequence[str]) -> int:
    """Run one command line and return its exit code: 0 success, 1 failure, 2 usage or configuration error."""
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
        # The reader of the output is gone. Redirect it, so that the interpreter's flush at exit does not fail too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _dispatch(argv: Sequence[str]) -> int:
    first = argv[0] if argv else "--help"
    if first in ("--help", "-h", "help"):
        print(write_overview())
        return 0
    if first in ("--version", "-V"):
        print(f"antiphon {__version__}")
        return 0
    command = COMMANDS.get(first)
    if command is None:
        return _refuse_unknown(first)
    runner = cast("Callable[[Any, str, Sequence[str]], int]", load(command.runner))
    return runner(load(command.function), f"antiphon {first}", argv[1:])


def load(path: str) -> Any:
    """Return the object that an import string ``module:attribute`` names."""
    module, _, attribute = path.partition(":")
    return getattr(import_module(module), attribute)


def write_overview() -> str:
    """Return the text of ``antiphon --help``, made from the table alone."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {command.summary}" for name, command in COMMANDS.items()]
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
            "  --help     Show this text or, after a command, the help of that command.",
            "  --version  Show the version.",
        ]
    )


def _refuse_unknown(name: str) -> int:
    from difflib import get_close_matches

    close = get_close_matches(name, [*COMMANDS, "--help", "--version"], n=1)
    kind = "option" if name.startswith("-") else "command"
    complain(f"no such {kind}: {name}" + (f"; did you mean {close[0]}?" if close else ""))
    complain("try: antiphon --help", label="")
    return USAGE_ERROR
