"""The configuration in force, value by value, each with its source. What it shows holds no secret."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from antiphon.catalog import Catalog
from antiphon.catalog.kinds import SETTINGS
from antiphon.catalog.prices import per_million, per_unit
from antiphon.catalog.provider import Provider
from antiphon.catalog.routes import Route
from antiphon.catalog.settings import SHOWN_AT
from antiphon.types import BUCKETS, UNITS, Identity, Timeouts

HIDDEN = "(hidden)"


class Setting(msgspec.Struct, frozen=True):
    """One value; ``path`` is its keys, ``source`` is ``default``, ``file:line`` or what else set it."""

    path: tuple[str, ...]
    value: Any
    source: str


def list_settings(catalog: Catalog) -> list[Setting]:
    """Return every value in force with its source; a secret is shown as the variable it came from."""
    settings, source = catalog.settings, catalog.source
    found = [Setting(tuple(at.split(".")), getattr(settings, key), source(at)) for key, at in SHOWN_AT.items()]
    deadlines = msgspec.structs.asdict(settings.timeouts)
    found += [Setting(("timeouts", key), value, source(f"timeouts.{key}")) for key, value in deadlines.items()]
    for provider in catalog.providers.values():
        found += _provider(provider, source)
    for route in catalog.routes.values():
        found += _route(route, source)
    return found


def _provider(provider: Provider, source: Callable[[str], str]) -> Iterator[Setting]:
    above = ("providers", provider.name)
    at = f"providers.{provider.name}"

    def setting(key: str, value: Any) -> Setting:
        origin = source(f"{at}.{key}")
        return Setting((*above, key), value, provider.source if origin == "default" else origin)

    yield setting("kind", provider.kind.name)
    yield setting("base_url", provider.base_url)
    if provider.credential is not None:
        yield Setting((*above, "api_key"), HIDDEN, provider.key_source)
    for name in provider.signing.secrets if provider.signing else ():
        yield Setting((*above, name), HIDDEN, provider.key_source)
    if provider.signing is not None and (identity := provider.signing.identity) is not None:
        yield from _identity(provider, identity, source)
    for name, value in provider.params.items():
        origin = source(f"{at}.{name}")
        yield Setting((*above, name), value, _or(origin, provider.param_sources.get(name, provider.source)))
    for name, _ in provider.headers:
        yield Setting((*above, "headers", name), HIDDEN, source(f"{at}.headers"))
    if (tail := provider.tail) is not None:
        yield setting("via", tail.via)
        for name in sorted(tail.params):
            if (origin := source(f"{at}.params.{name}")) != "default":
                yield Setting((*above, "params", name), HIDDEN, origin)
    if provider.models:
        yield setting("models", provider.places or list(provider.models))
    for key in Timeouts.__struct_fields__:
        if (origin := source(f"{at}.timeouts.{key}")) != "default":
            yield Setting((*above, "timeouts", key), getattr(provider.timeouts, key), origin)


def _identity(provider: Provider, identity: Identity, source: Callable[[str], str]) -> Iterator[Setting]:
    """Yield what says where credentials that expire come from; what only the row says is not an account's setting."""
    above = ("providers", provider.name)
    at = f"providers.{provider.name}"
    yield Setting((*above, "credentials"), "default", _or(source(f"{at}.credentials"), provider.key_source))
    for name in (*identity.params, *identity.secrets):
        if name in SETTINGS and (origin := source(f"{at}.{name}")) != "default":
            yield Setting((*above, name), HIDDEN if name in identity.secrets else identity.params[name], origin)


def _route(route: Route, source: Callable[[str], str]) -> Iterator[Setting]:
    above = ("models", route.name)
    at = f"models.{route.name}"
    whole = source(at)

    def setting(key: str, value: Any) -> Setting:
        origin = source(f"{at}.{key}")
        return Setting(
            (*above, key), value, "default" if origin == "default" and key in _OPTIONAL else _or(origin, whole)
        )

    targets = [{"model": f"{provider}/{model}", "weight": weight} for provider, model, weight in route.targets]
    yield setting("targets", targets)
    yield setting("strategy", route.strategy.value)
    yield setting("aliases", list(route.aliases))
    yield setting("fallbacks", list(route.fallbacks))
    if route.price is not None:
        shown = {name: per_million(getattr(route.price, name)) for name in BUCKETS}
        shown |= {name: per_unit(getattr(route.price, name)) for name in UNITS}
        yield setting("price", shown)


_OPTIONAL = frozenset(("strategy", "aliases", "fallbacks"))


def _or(origin: str, other: str) -> str:
    return other if origin == "default" else origin
