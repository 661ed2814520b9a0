"""``antiphon keys``: create, list and revoke, beside a running gateway too; a change counts there within a second."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from antiphon.cli.output import fail, print_json, table

if TYPE_CHECKING:
    from antiphon.callers.keys import Key
    from antiphon.database.database import Database

app = typer.Typer(help="Create, list and revoke the keys that callers use.", add_completion=False)

Data = Annotated[Path | None, typer.Option("--data", help="The data directory [default: as configured, else ./data].")]
Config = Annotated[Path | None, typer.Option("--config", help="The configuration that names the data directory.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What the key is for, shown in lists.")] = "",
    model: Annotated[
        list[str] | None, typer.Option("--model", help="A model the key may use; repeat it. None: every model.")
    ] = None,
    expires: Annotated[str, typer.Option(help="When it ends: a span such as 30d, or an ISO date or time.")] = "",
    admin: Annotated[bool, typer.Option("--admin", help="Make it an admin key.")] = False,
    json: Json = False,
    data: Data = None,
    config: Config = None,
) -> None:
    """Create a key and show it, once: only its digest is kept."""
    from antiphon.callers.keys import Keys

    expires_at = _moment(expires) if expires else None
    database = open_database(data, config, create=True)
    try:
        key_id, key = Keys(database).create(name, model or (), expires_at, admin)
    finally:
        database.close()
    if json:
        print_json({"id": key_id, "key": key, "name": name, "models": sorted(model or ()), "expires": _iso(expires_at)})
        return
    print(key)
    typer.echo(
        f"{key_id}: shown once, only its digest is kept. Revoke it with: antiphon keys revoke {key_id}", err=True
    )


@app.command("list")
def list_keys(json: Json = False, data: Data = None, config: Config = None) -> None:
    """List every key, the revoked and expired ones too."""
    from antiphon.callers.keys import Keys
    from antiphon.clock import now_us

    database = open_database(data, config)
    try:
        keys = Keys(database).list()
    finally:
        database.close()
    now = now_us()
    if json:
        print_json([_public(key, now) for key in keys])
        return
    table(
        "Keys",
        ("id", "name", "state", "models", "created", "expires", "admin"),
        [
            (
                key.id,
                key.name or None,
                key.state(now),
                ", ".join(key.models) or "every",
                _iso(key.created_at),
                _iso(key.expires_at) or "never",
                "yes" if key.admin else "no",
            )
            for key in keys
        ],
    )


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as `antiphon keys list` shows it.")],
    json: Json = False,
    data: Data = None,
    config: Config = None,
) -> None:
    """Revoke a key for good; a running gateway refuses it within a second."""
    from antiphon.callers.keys import Keys

    database = open_database(data, config)
    try:
        before = Keys(database).revoke(key_id)
    finally:
        database.close()
    if json:
        print_json({"id": key_id, "revoked": True})
    else:
        print(f"{key_id} was revoked before" if before.revoked_at is not None else f"{key_id} is revoked")


def data_directory(data: Path | None, config: Path | None) -> Path:
    """Return the data directory: the one given, the configuration's, or ``./data``."""
    if data is not None:
        return data
    if config is None and not Path("antiphon.yaml").exists():
        return Path("data")
    from antiphon.config import load_config

    return Path(load_config(str(config) if config is not None else None).settings.data)


def open_database(data: Path | None, config: Path | None, *, create: bool = False) -> "Database":
    """Return the prepared ledger database of a data directory; makes a new one only where told to."""
    from antiphon.database.database import Database

    directory = data_directory(data, config)
    if not directory.is_dir() and not create:
        fail(f"there is no data directory {directory}; name it with --data, or start the gateway once", 2)
    database = Database(f"sqlite:///{directory / 'antiphon.db'}")
    database.prepare()
    return database


def _moment(text: str) -> int:
    from datetime import UTC

    from antiphon.clock import now_us
    from antiphon.ledger.period import parse_time

    try:
        return parse_time(text, UTC, now_us(), 1)
    except ValueError as error:
        fail(f"--expires: {error}", 2)


def _iso(time: int | None) -> str | None:
    from datetime import UTC

    from antiphon.ledger.period import from_us

    return None if time is None else from_us(time, UTC).isoformat(timespec="seconds")


def _public(key: "Key", now: int) -> dict[str, object]:
    return {
        "id": key.id,
        "name": key.name,
        "state": key.state(now),
        "models": list(key.models),
        "created": _iso(key.created_at),
        "expires": _iso(key.expires_at),
        "revoked": _iso(key.revoked_at),
        "admin": key.admin,
    }
