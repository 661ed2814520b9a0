"""The catalog: resolves every name that a caller may use to targets that are ready to be called."""

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
from antiphon.types import UNITS, Model, Price, Strategy, Target, Tier

_CACHE_LIMIT = 4096
_MAX_NAME_LENGTH = 256


class Catalog:
    """An immutable snapshot of a configuration; ``file`` is ``None`` if the providers were detected."""

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
        """Return the model for ``name``: a configured model or alias, ``provider/model``, or a known bare name.

        A name must match exactly; otherwise raises :class:`~antiphon.errors.ModelNotFound` with a suggestion.
        """
        model = self._resolved.get(name)
        if model is None:
            model = self._resolve(name)
            # Callers choose names, so the number of cached ones is bounded.
            if len(self._resolved) >= _CACHE_LIMIT:
                self._resolved.clear()
            self._resolved[name] = model
        return model

    def find_facts(self, name: str) -> ModelFacts | None:
        """Return the facts about the first target of ``name``, with the price that applies; raises as ``resolve``."""
        target = self.resolve(name).targets[0]
        facts = self.providers[target.provider].find_facts(target.model)
        if target.price is None:
            return facts
        return msgspec.structs.replace(facts or ModelFacts(), price=target.price)

    def list_models(self) -> list[dict[str, Any]]:
        """Return the models in the shape of ``GET /v1/models``, each with the known facts."""
        return [_make_entry(name, owner, self._find_listed_facts(name)) for name, owner in self._list_names()]

    def describe_model(self, name: str) -> dict[str, Any]:
        """Return the entry of one model, which need not be in :meth:`list_models`; raises as ``resolve``."""
        return _make_entry(name, self.resolve(name).targets[0].provider, self.find_facts(name))

    def override(self, *, host: str | None = None, port: int | None = None, auth: str | None = None) -> "Catalog":
        """Return a catalog with other server settings; raises :class:`~antiphon.errors.ConfigError` if invalid."""
        arguments = {"host": host, "port": port, "auth": auth}
        changes = {key: value for key, value in arguments.items() if value is not None}
        settings = msgspec.structs.replace(self.settings, **changes)
        if settings.auth == "open" and not is_loopback(settings.host):
            problem = f"`open` admits every caller, so the host must be a loopback address, but it is {settings.host}"
            raise ConfigError([Fault("command line", None, "server.auth", problem, "use `auth: keys`")])
        if not 0 <= settings.port <= 65_535:
            raise ConfigError([Fault("command line", None, "server.port", "must be from 0 to 65535")])
        sources = self.sources | {f"server.{key}": "command line" for key in changes}
        return Catalog(settings, self.providers, self.routes, sources=sources, file=self.file)

    def get_source(self, path: str) -> str:
        """Return the source of the value at ``path`` (such as ``server.port``): ``file:line`` or ``default``."""
        return self.sources.get(path, "default")

    # -- names ------------------------------------------------------------------------------------------------------

    def _resolve(self, name: str) -> Model:
        if len(name) > _MAX_NAME_LENGTH or not name.isprintable():
            raise ModelNotFound("The model name is too long or has characters that no name has.", param="model")
        if (route := self._named.get(name)) is not None:
            return self._resolve_route(route, name)
        split = split_target(name)
        # Some providers have the model in the path, which a dot segment would change.
        if split is not None and split[1] not in (".", "..") and split[0] in self.providers:
            return Model(name, (Tier((self.providers[split[0]].make_target(split[1]),)),))
        for provider in self.providers.values():
            if provider.has_model(name):
                return Model(name, (Tier((provider.make_target(name),)),))
        raise ModelNotFound(self._explain_unknown(name), param="model")

    def _resolve_route(self, route: Route, name: str) -> Model:
        """Return a route's own targets as the first tier, then the tiers of its fallbacks, without repeated targets."""
        targets: dict[str, Target] = {}
        weights: list[int] = []
        for provider, model, weight in route.targets:
            target = self.providers[provider].make_target(model, route.price)
            if target.name not in targets:
                targets[target.name] = target
                weights.append(weight)
        is_weighted = route.strategy is Strategy.WEIGHTED
        tiers = [Tier(tuple(targets.values()), tuple(weights) if is_weighted else (), route.strategy)]
        for fallback in route.fallbacks:
            for fallback_tier in self.resolve(fallback).tiers:
                if (tier := _remove_targets(fallback_tier, targets)) is not None:
                    tiers.append(tier)
                    targets |= {target.name: target for target in tier.targets}
        return Model(name, tuple(tiers))

    def _explain_unknown(self, name: str) -> str:
        text = f"The model `{name}` does not exist here."
        split = split_target(name)
        if split is not None:
            close = difflib.get_close_matches(split[0], self.providers, n=1)
            if close:
                return f"{text} Did you mean `{close[0]}/{split[1]}`?"
        kinds = [load_kinds()[kind] for kind in load_facts().list_kinds(name)]
        for kind in (kind for kind in kinds if kind.listed):
            return f"{text} {kind.title} has it: set {kind.env[0]}, or configure the provider `{kind.name}`."
        spellings = {candidate.lower(): candidate for candidate in self._list_candidates(len(name))}
        close = difflib.get_close_matches(name.lower(), spellings, n=3)
        if close:
            return f"{text} Did you mean {' or '.join(f'`{spellings[match]}`' for match in close)}?"
        return f"{text} Use `provider/model` with one of these providers: {', '.join(self.providers)}."

    def _list_candidates(self, length: int) -> Iterator[str]:
        """Yield names of about ``length`` characters: comparing is slow, and much shorter names cannot be close."""
        names = [*self._named]
        for provider in self.providers.values():
            names += provider.models
            if provider.kind.listed:
                names += load_facts().list_names(provider.kind.name)
            names += [f"{provider.name}/{model}" for model in provider.kind.models]
        for name in dict.fromkeys(names):
            if abs(len(name) - length) <= max(3, length // 3):
                yield name

    # -- the list of models -----------------------------------------------------------------------------------------

    def _list_names(self) -> Iterator[tuple[str, str]]:
        for name, route in self._named.items():
            yield name, route.targets[0][0]
        for provider in self.providers.values():
            for model in provider.list_models():
                full = f"{provider.name}/{model}"
                if full not in self._named:
                    yield full, provider.name

    def _find_listed_facts(self, name: str) -> ModelFacts | None:
        if (route := self._named.get(name)) is not None:
            provider, model, _ = route.targets[0]
        else:
            provider, _, model = name.partition("/")
        facts = self.providers[provider].find_facts(model)
        if route is not None and route.price is not None:
            return msgspec.structs.replace(facts or ModelFacts(), price=route.price)
        return facts


def _remove_targets(tier: Tier, targets: Mapping[str, Target]) -> Tier | None:
    """Return ``tier`` without the targets that are in ``targets``, or ``None`` if none remains."""
    indexes = [index for index, target in enumerate(tier.targets) if target.name not in targets]
    if not indexes:
        return None
    weights = tuple(tier.weights[index] for index in indexes) if tier.weights else ()
    return Tier(tuple(tier.targets[index] for index in indexes), weights, tier.strategy)


@cache
def _get_created() -> int:
    return timegm(date.fromisoformat(load_facts().as_of).timetuple())


def _make_entry(name: str, owner: str, facts: ModelFacts | None) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": name, "object": "model", "created": _get_created(), "owned_by": owner}
    if facts is None:
        return entry
    entry["operation"] = facts.operation
    entry["context"] = facts.context
    entry["max_output"] = facts.max_output
    if facts.dimensions is not None:
        entry["dimensions"] = facts.dimensions
    entry["tier"] = facts.tier
    entry["capabilities"] = None if facts.capabilities is None else sorted(facts.capabilities)
    entry["price"] = None if facts.price is None else _write_price(facts.price)
    return entry


def _write_price(price: Price) -> dict[str, Any]:
    """Return a price for a list of models: per token, or per unit if a unit is billed instead."""
    units = {unit: getattr(price, unit) for unit in UNITS} if price.input is None else {}
    known = {unit: amount for unit, amount in units.items() if amount is not None}
    return {"version": price.version, "input": price.input, "output": price.output, **known}
