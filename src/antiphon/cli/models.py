"""``antiphon models``: what can be called by name, with limits and prices."""

from typing import Annotated, Any

import typer

from antiphon.cli.output import fail, print_json, table


def command(
    provider: Annotated[str | None, typer.Option(help="Only models of this provider.")] = None,
    config: Annotated[str | None, typer.Option(help="Path of an antiphon.yaml.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the models that can be called, with context and prices in dollars per million tokens."""
    from antiphon.catalog import load

    catalog = load(config)
    if provider is not None and provider not in catalog.providers:
        fail(f"no provider `{provider}` here; there are: {', '.join(catalog.providers)}", 2)
    models = [entry for entry in catalog.models() if provider in (None, entry["owned_by"])]
    if as_json:
        print_json(models)
        return
    columns = ("model", "provider", "context", "$/M in", "$/M out", "tier")
    table("Models", columns, [_row(entry) for entry in models])


def _row(entry: dict[str, Any]) -> tuple[Any, ...]:
    from antiphon.catalog.prices import per_million

    price = entry.get("price") or {}
    shown = (per_million(price.get("input")), per_million(price.get("output")))
    return (entry["id"], entry["owned_by"], entry.get("context"), *shown, entry.get("tier") or "unknown")
