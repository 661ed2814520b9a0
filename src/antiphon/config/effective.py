"""The effective configuration, value by value, each with its source and without secrets."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from antiphon.catalog import Catalog
from antiphon.catalog.kinds import SETTINGS
from antiphon.catalog.prices import format_per_million, format_per_unit
from antiphon.catalog.provider import Provider
from antiphon.catalog.routes import Route
from antiphon.catalog.settings import PATHS
from antiphon.types import BUCKETS, UNITS, Identity, Timeouts

HIDDEN = "(hidden)"


class Setting(msgspec.Struct, frozen=True):
    """One value; ``path`` is its keys, ``source`` is ``default``, ``file:line``, or whatever else set it."""

    path: tuple[str, ...]
    value: Any
    source: str


def list_settings(catalog: Catalog) -> list[Setting]:
    """Return every effective value with its source; a secret is replaced by :data:`HIDDEN`."""
    settings, get_source = catalog.settings, catalog.get_source
    listed = [Setting(tuple(path.split(".")), getattr(settings, key), get_source(path)) for key, path in PATHS.items()]
    timeouts = msgspec.structs.asdict(settings.timeouts)
    listed += [Setting(("timeouts", key), value, get_source(f"timeouts.{key}")) for key, value in timeouts.items()]
    for provider in catalog.providers.values():
        listed += _list_provider(provider, get_source)
    for route in catalog.routes.values():
        listed += _list_route(route, get_source)
    return listed


def _list_provider(provider: Provider, get_source: Callable[[str], str]) -> Iterator[Setting]:
    path = ("providers", provider.name)
    prefix = f"providers.{provider.name}"

    def make_setting(key: str, value: Any) -> Setting:
        return Setting((*path, key), value, _choose_source(get_source(f"{prefix}.{key}"), provider.source))

    yield make_setting("kind", provider.kind.name)
    yield make_setting("base_url", provider.base_url)
    if provider.credential is not None:
        yield Setting((*path, "api_key"), HIDDEN, provider.key_source)
    for name in provider.signing.secrets if provider.signing else ():
        yield Setting((*path, name), HIDDEN, provider.key_source)
    if provider.signing is not None and (identity := provider.signing.identity) is not None:
        yield from _list_identity(provider, identity, get_source)
    for name, value in provider.params.items():
        default = provider.param_sources.get(name, provider.source)
        yield Setting((*path, name), value, _choose_source(get_source(f"{prefix}.{name}"), default))
    for name, _ in provider.headers:
        yield Setting((*path, "headers", name), HIDDEN, get_source(f"{prefix}.headers"))
    if (longtail := provider.longtail) is not None:
        yield make_setting("via", longtail.via)
        for name in sorted(longtail.params):
            if (source := get_source(f"{prefix}.params.{name}")) != "default":
                yield Setting((*path, "params", name), HIDDEN, source)
    if provider.models:
        yield make_setting("models", provider.model_sources or list(provider.models))
    for key in Timeouts.__struct_fields__:
        if (source := get_source(f"{prefix}.timeouts.{key}")) != "default":
            yield Setting((*path, "timeouts", key), getattr(provider.timeouts, key), source)


def _list_identity(provider: Provider, identity: Identity, get_source: Callable[[str], str]) -> Iterator[Setting]:
    """Yield the settings of credentials that expire, without values that only the row states."""
    path = ("providers", provider.name)
    prefix = f"providers.{provider.name}"
    source = _choose_source(get_source(f"{prefix}.credentials"), provider.key_source)
    yield Setting((*path, "credentials"), "default", source)
    for name in (*identity.params, *identity.secrets):
        if name in SETTINGS and (source := get_source(f"{prefix}.{name}")) != "default":
            yield Setting((*path, name), HIDDEN if name in identity.secrets else identity.params[name], source)


def _list_route(route: Route, get_source: Callable[[str], str]) -> Iterator[Setting]:
    path = ("models", route.name)
    prefix = f"models.{route.name}"

    def make_setting(key: str, value: Any) -> Setting:
        source = get_source(f"{prefix}.{key}")
        return Setting((*path, key), value, source if key in _OPTIONAL else _choose_source(source, get_source(prefix)))

    targets = [{"model": f"{provider}/{model}", "weight": weight} for provider, model, weight in route.targets]
    yield make_setting("targets", targets)
    yield make_setting("strategy", route.strategy.value)
    yield make_setting("aliases", list(route.aliases))
    yield make_setting("fallbacks", list(route.fallbacks))
    if route.price is not None:
        prices = {name: format_per_million(getattr(route.price, name)) for name in BUCKETS}
        prices |= {name: format_per_unit(getattr(route.price, name)) for name in UNITS}
        yield make_setting("price", prices)


_OPTIONAL = frozenset(("strategy", "aliases", "fallbacks"))


def _choose_source(source: str, default: str) -> str:
    return default if source == "default" else source
