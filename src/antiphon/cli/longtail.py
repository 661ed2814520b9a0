"""``antiphon longtail``: installs LiteLLM in its own environment, shows its processes, and stops them."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from antiphon.cli.output import print_json, print_table

app = typer.Typer(help="Install LiteLLM, show its processes, or stop them.", add_completion=False)

Data = Annotated[
    Path | None,
    typer.Option(
        "--data", help="The data directory to install it in [default: one place for all of this user's gateways]."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Again = Annotated[bool, typer.Option("--again", help="Reinstall it even if it is already installed.")]


@app.command()
def install(data: Data = None, again: Again = False, json: Json = False) -> None:
    """Install LiteLLM in its own environment, with pinned and verified packages."""
    from antiphon.longtail.environment import get_environment, list_roots
    from antiphon.longtail.environment import install as install_environment
    from antiphon.longtail.supervisor_files import stop_workers

    environment = get_environment(list_roots(_to_text(data))[0])
    if again:
        stop_workers(environment.root)  # they would import from the folder that is being removed
    installed = install_environment(environment, _print_progress, again)
    if json:
        print_json({"version": environment.version, "folder": str(environment.folder), "installed": installed})
    else:
        state = "now" if installed else "already"
        print(f"LiteLLM {environment.version} is {state} installed: {environment.folder}")


@app.command("status")
def show_status(data: Data = None, json: Json = False) -> None:
    """Show where LiteLLM is installed, and its running processes."""
    from antiphon.longtail.environment import get_environment, list_roots

    environments = [_describe(get_environment(root)) for root in list_roots(_to_text(data))]
    if json:
        print_json({"environments": environments})
        return
    rows = [
        (
            environment["version"],
            "yes" if environment["installed"] else "no",
            " ".join(str(pid) for gateway in environment["running"] for pid in gateway["workers"]) or None,
            " ".join(str(gateway["pid"]) for gateway in environment["running"]) or None,
            environment["folder"],
        )
        for environment in environments
    ]
    print_table("LiteLLM", ("version", "installed", "processes", "started by", "folder"), rows)


@app.command()
def stop(data: Data = None, json: Json = False) -> None:
    """Stop LiteLLM's processes; a running gateway starts new ones when a call needs them."""
    from antiphon.longtail.environment import list_roots
    from antiphon.longtail.supervisor_files import stop_workers

    ended = sum(stop_workers(root) for root in list_roots(_to_text(data)))
    if json:
        print_json({"stopped": ended})
    else:
        print(f"{ended} {'process' if ended == 1 else 'processes'} of LiteLLM stopped")


def _describe(environment: Any) -> dict[str, Any]:
    from antiphon.longtail.supervisor_files import iterate_running, summarize

    return {
        "version": environment.version,
        "folder": str(environment.folder),
        "installed": environment.installed,
        "running": [summarize(path, entry) for path, entry in iterate_running(environment.root)],
    }


def _to_text(data: Path | None) -> str | None:
    return None if data is None else str(data)


def _print_progress(line: str) -> None:
    print(f"{line} …", file=sys.stderr, flush=True)
