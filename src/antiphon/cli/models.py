"""``antiphon models``: lists the available models, with limits and prices."""

from typing import Annotated, Any

import typer

from antiphon.cli.output import fail, print_json, print_table

UNITS = {"images": "image", "seconds": "second", "characters": "character", "searches": "search"}
"""Each unit in the singular."""


def list_models(
    provider: Annotated[str | None, typer.Option(help="Only models of this provider.")] = None,
    config: Annotated[str | None, typer.Option(help="Path of an antiphon.yaml.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the available models, with context and prices in dollars."""
    from antiphon.config import load_config

    catalog = load_config(config)
    if provider is not None and provider not in catalog.providers:
        fail(f"no provider `{provider}` here; there are: {', '.join(catalog.providers)}", 2)
    models = [entry for entry in catalog.list_models() if provider in (None, entry["owned_by"])]
    if as_json:
        print_json(models)
        return
    columns = ("model", "provider", "context", "$/M in", "$/M out", "per unit", "tier")
    print_table("Models", columns, [_make_row(entry) for entry in models])


def _make_row(entry: dict[str, Any]) -> tuple[Any, ...]:
    from antiphon.catalog.prices import format_per_million, format_per_unit

    price = entry.get("price") or {}
    units = [f"{format_per_unit(price[unit])}/{singular}" for unit, singular in UNITS.items() if unit in price]
    # A model that is billed by a unit has no token price, so it must not be shown as unknown.
    tokens: tuple[str | None, str | None] = (None, None)
    if not units:
        tokens = (format_per_million(price.get("input")), format_per_million(price.get("output")))
    unit, tier = ", ".join(units) or None, entry.get("tier") or "unknown"
    return (entry["id"], entry["owned_by"], entry.get("context"), *tokens, unit, tier)
