"""``antiphon models``: what can be called by name, with limits and prices."""

from typing import Annotated, Any

import typer

from antiphon.cli.output import fail, print_json, table

UNITS = {"images": "image", "seconds": "second", "characters": "character", "searches": "search"}
"""One of each unit."""


def command(
    provider: Annotated[str | None, typer.Option(help="Only models of this provider.")] = None,
    config: Annotated[str | None, typer.Option(help="Path of an antiphon.yaml.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the models that can be called, with context and prices in dollars."""
    from antiphon.config import load_config

    catalog = load_config(config)
    if provider is not None and provider not in catalog.providers:
        fail(f"no provider `{provider}` here; there are: {', '.join(catalog.providers)}", 2)
    models = [entry for entry in catalog.list_models() if provider in (None, entry["owned_by"])]
    if as_json:
        print_json(models)
        return
    columns = ("model", "provider", "context", "$/M in", "$/M out", "per unit", "tier")
    table("Models", columns, [_row(entry) for entry in models])


def _row(entry: dict[str, Any]) -> tuple[Any, ...]:
    from antiphon.catalog.prices import format_per_million, format_per_unit

    price = entry.get("price") or {}
    units = [f"{format_per_unit(price[unit])}/{word}" for unit, word in UNITS.items() if unit in price]
    # What is billed by a unit has no price of tokens that could be unknown.
    tokens = (
        (None, None) if units else (format_per_million(price.get("input")), format_per_million(price.get("output")))
    )
    unit, tier = ", ".join(units) or None, entry.get("tier") or "unknown"
    return (entry["id"], entry["owned_by"], entry.get("context"), *tokens, unit, tier)
