"""``antiphon providers``: lists the accounts in use, and where each was found."""

from typing import Annotated

import typer

from antiphon.cli.output import print_json, print_table


def list_providers(
    config: Annotated[str | None, typer.Option(help="Path of an antiphon.yaml.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the providers that are configured or detected, without their keys."""
    from antiphon.config import load_config

    providers = load_config(config).providers.values()
    if as_json:
        print_json(
            [
                {"name": p.name, "kind": p.kind.name, "base_url": p.base_url, "key": p.key_state, "source": p.source}
                for p in providers
            ]
        )
        return
    rows = [(p.name, p.kind.name, p.base_url, p.key_state, p.source) for p in providers]
    print_table("Providers", ("name", "kind", "base URL", "key", "source"), rows)
