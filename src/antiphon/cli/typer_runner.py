"""Runs a command written with Typer, with plain-text help and errors."""

from collections.abc import Callable, Sequence
from typing import Any

import typer
from typer.main import get_command

from antiphon.cli.output import complain


def run(target: typer.Typer | Callable[..., Any], prog: str, args: Sequence[str]) -> int:
    """Parse ``args`` for a Typer app or function, call it, and return the exit code."""
    # Not in standalone mode: errors are raised here, so that every command reports them in the same way.
    try:
        result = build_command(target).main(args=list(args), prog_name=prog, standalone_mode=False)
    except typer.Abort:
        complain("aborted")
        return 1
    except typer.TyperException as error:
        return _report_usage_error(error)
    return result if isinstance(result, int) else 0


def build_command(target: typer.Typer | Callable[..., Any]) -> Any:
    """Return the command object of a Typer app or function."""
    app = target
    if not isinstance(app, typer.Typer):
        app = typer.Typer(add_completion=False)
        app.command()(target)
    app.rich_markup_mode = None
    return get_command(app)


def _report_usage_error(error: typer.TyperException) -> int:
    complain(error.format_message())
    context = getattr(error, "ctx", None)
    if context is not None:
        complain(f"try: {context.command_path} --help", label="")
    return error.exit_code
