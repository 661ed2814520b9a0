"""Commands that end in every possible way, for the tests of the command line's root."""

from typing import Annotated

import typer

from antiphon.errors import ConfigError, Fault, LedgerError

group = typer.Typer(add_completion=False)


@group.command()
def fine(count: Annotated[int, typer.Option(help="How many.")] = 1) -> None:
    """Print a number."""
    print(count)


@group.command()
def seven() -> int:
    """Return an exit code."""
    return 7


def plain(
    where: Annotated[str, "Where to go."],
    port: Annotated[int | None, "Which port; 100 % optional."] = None,
    host_name: Annotated[str, "Which host."] = "localhost",
    loud: Annotated[bool, "Say more."] = False,
) -> None:
    """Say what was asked for."""
    print(where, port, host_name, loud)


def misconfigured() -> None:
    """Find two faults."""
    raise ConfigError(
        [Fault("a.yaml", 3, "models.x", "unknown target", "did you mean y?"), Fault("a.yaml", 9, "z", "no")]
    )


def broken() -> None:
    """Fail."""
    raise LedgerError("the journal is broken")


def interrupted() -> None:
    """Be interrupted."""
    raise KeyboardInterrupt
