"""``antiphon keys``: creates, lists and revokes keys. A running gateway notices a change within a second."""

from typing import TYPE_CHECKING, Annotated

import typer

from antiphon.cli.ledger import Config, Data, Json, open_database
from antiphon.cli.output import fail, print_json, print_table

if TYPE_CHECKING:
    from antiphon.callers.keys import Key

app = typer.Typer(help="Create, list and revoke the keys of callers.", add_completion=False)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="The purpose of the key, shown in lists.")] = "",
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="A model that the key may use; can be repeated. Default: every model."),
    ] = None,
    expires: Annotated[str, typer.Option(help="The expiry: a span such as 30d, or an ISO date or time.")] = "",
    admin: Annotated[bool, typer.Option("--admin", help="Create an admin key.")] = False,
    json: Json = False,
    data: Data = None,
    config: Config = None,
) -> None:
    """Create a key and show it once: only its digest is stored."""
    from antiphon.callers.keys import Keys

    expires_at = _parse_time(expires) if expires else None
    database = open_database(data, config, create=True)
    try:
        key_id, key = Keys(database).create(name, model or (), expires_at, admin)
    finally:
        database.close()
    if json:
        print_json(
            {"id": key_id, "key": key, "name": name, "models": sorted(model or ()), "expires": _format_time(expires_at)}
        )
        return
    print(key)
    typer.echo(f"{key_id}: the key is shown only once. Revoke it with: antiphon keys revoke {key_id}", err=True)


@app.command("list")
def list_keys(json: Json = False, data: Data = None, config: Config = None) -> None:
    """List all keys, including revoked and expired ones."""
    from antiphon.callers.keys import Keys
    from antiphon.clock import read_time_us

    database = open_database(data, config)
    try:
        keys = Keys(database).list()
    finally:
        database.close()
    now = read_time_us()
    if json:
        print_json([_describe_key(key, now) for key in keys])
        return
    print_table(
        "Keys",
        ("id", "name", "state", "models", "created", "expires", "admin"),
        [
            (
                key.id,
                key.name or None,
                key.state(now),
                ", ".join(key.models) or "every",
                _format_time(key.created_at),
                _format_time(key.expires_at) or "never",
                "yes" if key.admin else "no",
            )
            for key in keys
        ],
    )


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's ID, as shown by `antiphon keys list`.")],
    json: Json = False,
    data: Data = None,
    config: Config = None,
) -> None:
    """Revoke a key permanently; a running gateway rejects it within a second."""
    from antiphon.callers.keys import Keys

    database = open_database(data, config)
    try:
        before = Keys(database).revoke(key_id)
    finally:
        database.close()
    if json:
        print_json({"id": key_id, "revoked": True})
    else:
        print(f"{key_id} was already revoked" if before.revoked_at is not None else f"{key_id} is revoked")


def _parse_time(text: str) -> int:
    from datetime import UTC

    from antiphon.clock import read_time_us
    from antiphon.ledger.period import parse_time

    try:
        return parse_time(text, UTC, read_time_us(), 1)
    except ValueError as error:
        fail(f"--expires: {error}", 2)


def _format_time(time: int | None) -> str | None:
    from datetime import UTC

    from antiphon.ledger.period import from_us

    return None if time is None else from_us(time, UTC).isoformat(timespec="seconds")


def _describe_key(key: "Key", now: int) -> dict[str, object]:
    return {
        "id": key.id,
        "name": key.name,
        "state": key.state(now),
        "models": list(key.models),
        "created": _format_time(key.created_at),
        "expires": _format_time(key.expires_at),
        "revoked": _format_time(key.revoked_at),
        "admin": key.admin,
    }
