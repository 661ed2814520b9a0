"""The catalog: every name a caller may use, resolved to targets that are ready to be called."""

import difflib
from calendar import timegm
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cache
from typing import Any

import msgspec

from antiphon.catalog.address import is_loopback
from antiphon.catalog.kinds import load_kinds
from antiphon.catalog.models import ModelFacts, load_facts
from antiphon.catalog.provider import Provider
from antiphon.catalog.routes import Route, split_target
from antiphon.catalog.settings import Settings
from antiphon.errors import ConfigError, Fault, ModelNotFound
from antiphon.types import UNITS, Model, Price, Strategy, Target

_CACHE_LIMIT = 4096
_LONGEST_NAME = 256


class Catalog:
    """An immutable snapshot of a configuration; ``file`` is ``None`` where providers were detected."""

    def __init__(
        self,
        settings: Settings,
        providers: Mapping[str, Provider],
        routes: Mapping[str, Route] | None = None,
        *,
        sources: Mapping[str, str] | None = None,
        file: str | None = None,
    ) -> None:
        self.settings = settings
        self.providers = dict(providers)
        self.routes = dict(routes or {})
        self.sources = dict(sources or {})
        self.file = file
        self._named = {name: route for route in self.routes.values() for name in (route.name, *route.aliases)}
        self._resolved: dict[str, Model] = {}

    def resolve(self, name: str) -> Model:
        """Return what serves ``name``: a configured model or alias, ``provider/model``, or a known bare name.

        Never guesses: a name fits exactly or raises :class:`~antiphon.errors.ModelNotFound`, which tells the nearest.
        """
        model = self._resolved.get(name)
        if model is None:
            model = self._resolve(name)
            # Callers choose names, so what is kept of them is bounded.
            if len(self._resolved) >= _CACHE_LIMIT:
                self._resolved.clear()
            self._resolved[name] = model
        return model

    def facts(self, name: str) -> ModelFacts | None:
        """Return what is known of the first target of ``name``, with the price that applies; raises as ``resolve``."""
        target = self.resolve(name).targets[0]
        facts = self.providers[target.provider].facts(target.model)
        if target.price is None:
            return facts
        return msgspec.structs.replace(facts or ModelFacts(), price=target.price)

    def models(self) -> list[dict[str, Any]]:
        """Return the models worth showing, in the shape of ``GET /v1/models`` plus what is known of each."""
        return [_entry(name, owner, self._facts_of(name)) for name, owner in self._shown()]

    def entry(self, name: str) -> dict[str, Any]:
        """Return one of :meth:`models`, or a model that works without being listed; raises as ``resolve``."""
        return _entry(name, self.resolve(name).targets[0].provider, self.facts(name))

    def override(self, *, host: str | None = None, port: int | None = None, auth: str | None = None) -> "Catalog":
        """Return a catalog that listens elsewhere; raises :class:`~antiphon.errors.ConfigError` where it may not."""
        given = {"host": host, "port": port, "auth": auth}
        changes = {key: value for key, value in given.items() if value is not None}
        settings = msgspec.structs.replace(self.settings, **changes)
        if settings.auth == "open" and not is_loopback(settings.host):
            problem = (
                f"`open` lets anybody in, which is allowed on a loopback address only, and host is {settings.host}"
            )
            raise ConfigError([Fault("command line", None, "server.auth", problem, "use `auth: keys`")])
        if not 0 <= settings.port <= 65_535:
            raise ConfigError([Fault("command line", None, "server.port", "must be from 0 to 65535")])
        sources = self.sources | {f"server.{key}": "command line" for key in changes}
        return Catalog(settings, self.providers, self.routes, sources=sources, file=self.file)

    def source(self, path: str) -> str:
        """Return where the value at ``path`` (such as ``server.port``) comes from: ``file:line`` or ``default``."""
        return self.sources.get(path, "default")

    # -- names ------------------------------------------------------------------------------------------------------

    def _resolve(self, name: str) -> Model:
        if len(name) > _LONGEST_NAME or not name.isprintable():
            raise ModelNotFound("The model name is longer than any or has characters that no name has.", param="model")
        if (route := self._named.get(name)) is not None:
            return self._routed(route, name)
        split = split_target(name)
        # The model becomes a part of a path at some providers, where a dot segment would change the path.
        if split is not None and split[1] not in (".", "..") and split[0] in self.providers:
            return Model(name, (self.providers[split[0]].target(split[1]),), (1,))
        for provider in self.providers.values():
            if provider.bare(name):
                return Model(name, (provider.target(name),), (1,))
        raise ModelNotFound(self._unknown(name), param="model")

    def _routed(self, route: Route, name: str) -> Model:
        """Flatten a route: its own targets with their weights, then its fallbacks' targets with weight 0."""
        own = [self.providers[provider].target(model, route.price) for provider, model, _ in route.targets]
        found: dict[str, Target] = {target.name: target for target in own}
        for fallback in route.fallbacks:
            for target in self.resolve(fallback).targets:
                found.setdefault(target.name, target)
        weights = [1 if route.strategy is Strategy.ORDER else weight for _, _, weight in route.targets]
        weights += [0] * (len(found) - len(own))
        return Model(name, tuple(found.values()), tuple(weights), route.strategy)

    def _unknown(self, name: str) -> str:
        text = f"The model `{name}` does not exist here."
        split = split_target(name)
        if split is not None:
            near = difflib.get_close_matches(split[0], self.providers, n=1)
            if near:
                return f"{text} Did you mean `{near[0]}/{split[1]}`?"
        wanted = [load_kinds()[kind] for kind in load_facts().kinds_with(name)]
        for kind in (kind for kind in wanted if kind.listed):
            return f"{text} {kind.title} has it: set {kind.env[0]}, or configure the provider `{kind.name}`."
        spelled = {candidate.lower(): candidate for candidate in self._candidates(len(name))}
        near = difflib.get_close_matches(name.lower(), spelled, n=3)
        if near:
            return f"{text} Did you mean {' or '.join(f'`{spelled[each]}`' for each in near)}?"
        return f"{text} Use `provider/model` with one of these providers: {', '.join(self.providers)}."

    def _candidates(self, length: int) -> Iterator[str]:
        """Yield names of about ``length`` characters: comparing is slow, and far shorter ones cannot be close."""
        names = [*self._named]
        for provider in self.providers.values():
            names += provider.models
            if provider.kind.listed:
                names += load_facts().names(provider.kind.name)
            names += [f"{provider.name}/{model}" for model in provider.kind.models]
        for name in dict.fromkeys(names):
            if abs(len(name) - length) <= max(3, length // 3):
                yield name

    # -- the list of models -----------------------------------------------------------------------------------------

    def _shown(self) -> Iterator[tuple[str, str]]:
        for name, route in self._named.items():
            yield name, route.targets[0][0]
        for provider in self.providers.values():
            for model in provider.shown():
                full = f"{provider.name}/{model}"
                if full not in self._named:
                    yield full, provider.name

    def _facts_of(self, name: str) -> ModelFacts | None:
        if (route := self._named.get(name)) is not None:
            provider, model, _ = route.targets[0]
        else:
            provider, _, model = name.partition("/")
        facts = self.providers[provider].facts(model)
        if route is not None and route.price is not None:
            return msgspec.structs.replace(facts or ModelFacts(), price=route.price)
        return facts


@cache
def _created() -> int:
    return timegm(date.fromisoformat(load_facts().as_of).timetuple())


def _entry(name: str, owner: str, facts: ModelFacts | None) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": name, "object": "model", "created": _created(), "owned_by": owner}
    if facts is None:
        return entry
    entry["operation"] = facts.operation
    entry["context"] = facts.context
    entry["max_output"] = facts.max_output
    if facts.dimensions is not None:
        entry["dimensions"] = facts.dimensions
    entry["tier"] = facts.tier
    entry["capabilities"] = None if facts.capabilities is None else sorted(facts.capabilities)
    entry["price"] = None if facts.price is None else _listed(facts.price)
    return entry


def _listed(price: Price) -> dict[str, Any]:
    """Return a price as lists show it: of tokens, or of the unit that is billed instead."""
    units = {unit: getattr(price, unit) for unit in UNITS} if price.input is None else {}
    told = {unit: each for unit, each in units.items() if each is not None}
    return {"version": price.version, "input": price.input, "output": price.output, **told}
