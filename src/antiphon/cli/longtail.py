"""``antiphon longtail``: install LiteLLM in an environment of its own, see what runs, stop it."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from antiphon.cli.output import print_json, table

app = typer.Typer(help="Install LiteLLM next door, see what runs, stop it.", add_completion=False)

Data = Annotated[
    Path | None,
    typer.Option("--data", help="A data directory to keep it in [default: one place for every gateway of this user]."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


Again = Annotated[bool, typer.Option("--again", help="Make it anew although it is there, because it is broken.")]


@app.command()
def install(data: Data = None, again: Again = False, json: Json = False) -> None:
    """Make LiteLLM's environment: every package pinned, each checked against its hash. Does nothing if it is there."""
    from antiphon.longtail.environment import get_environment, list_roots
    from antiphon.longtail.environment import install as install_environment
    from antiphon.longtail.supervisor_files import stop_workers

    environment = get_environment(list_roots(_text(data))[0])
    if again:
        stop_workers(environment.root)  # they would import from what is being removed
    installed = install_environment(environment, _progress, again)
    if json:
        print_json({"version": environment.version, "folder": str(environment.folder), "installed": installed})
    else:
        state = "installed" if installed else "there already"
        print(f"LiteLLM {environment.version} is {state}: {environment.folder}")


@app.command()
def status(data: Data = None, json: Json = False) -> None:
    """Show where LiteLLM is installed, and which processes of it run."""
    from antiphon.longtail.environment import get_environment, list_roots

    found = [_described(get_environment(root)) for root in list_roots(_text(data))]
    if json:
        print_json({"environments": found})
        return
    rows = [
        (
            each["version"],
            "yes" if each["installed"] else "no",
            " ".join(str(pid) for run in each["running"] for pid in run["workers"]) or None,
            " ".join(str(run["pid"]) for run in each["running"]) or None,
            each["folder"],
        )
        for each in found
    ]
    table("LiteLLM", ("version", "installed", "processes", "run by", "folder"), rows)


@app.command()
def stop(data: Data = None, json: Json = False) -> None:
    """End LiteLLM's processes; a gateway that runs starts new ones when a call needs them."""
    from antiphon.longtail.environment import list_roots
    from antiphon.longtail.supervisor_files import stop_workers

    ended = sum(stop_workers(root) for root in list_roots(_text(data)))
    if json:
        print_json({"stopped": ended})
    else:
        print(f"{ended} {'process' if ended == 1 else 'processes'} of LiteLLM stopped")


def _described(environment: Any) -> dict[str, Any]:
    from antiphon.longtail.supervisor_files import iterate_running, summarize

    return {
        "version": environment.version,
        "folder": str(environment.folder),
        "installed": environment.installed,
        "running": [summarize(path, entry) for path, entry in iterate_running(environment.root)],
    }


def _text(data: Path | None) -> str | None:
    return None if data is None else str(data)


def _progress(line: str) -> None:
    print(f"{line} …", file=sys.stderr, flush=True)
