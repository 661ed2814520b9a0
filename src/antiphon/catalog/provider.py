"""A provider: an account of a kind, ready to make targets."""

import msgspec

from antiphon.catalog import local
from antiphon.catalog.address import Address
from antiphon.catalog.kinds import Kind
from antiphon.catalog.longtail import Tail
from antiphon.catalog.models import ModelFacts, load_facts
from antiphon.catalog.profiles import get_profile
from antiphon.types import Price, Secret, Signing, Target, Timeouts


class Provider(msgspec.Struct, frozen=True, eq=False):
    """An account under a name; ``source`` says where it was found, ``key_source`` where its key was."""

    name: str
    kind: Kind
    address: Address
    source: str
    credential: Secret | None = None
    signing: Signing | None = None
    key_source: str = ""
    params: dict[str, str] = {}
    param_sources: dict[str, str] = {}
    headers: tuple[tuple[str, str], ...] = ()
    timeouts: Timeouts = Timeouts()
    models: tuple[str, ...] = ()
    places: dict[str, str] = {}
    """Where each model is, for kinds whose models are of this machine."""
    tail: Tail | None = None
    """What LiteLLM is told, where the provider is reached through it."""

    def __repr__(self) -> str:
        # Header values may be credentials too.
        return f"Provider({self.name}, {self.kind.name}, {self.address})"

    @property
    def base_url(self) -> str:
        """The address with its path prefix, as a URL; through LiteLLM: the one it is told, if any."""
        return str(self.address) if self.tail is None else self.tail.base_url

    @property
    def key_state(self) -> str:
        """``set``, ``renewed`` (it expires, and is had again), ``missing`` or ``not needed``."""
        if self.signing is not None and self.signing.identity is not None:
            return "renewed"
        if self.credential is not None or self.signing is not None:
            return "set"
        return "missing" if self.kind.key == "required" else "not needed"

    def facts(self, model: str) -> ModelFacts | None:
        """Return what is known of ``model`` here; servers of a kind with a flat price know that of every model."""
        if self.kind.files:
            return local.facts_of(model, self.kind.flat_price)
        found = load_facts().get(self.kind.known_as, model)
        if found is None and (price := self.kind.flat_price) is not None:
            return ModelFacts(operation=self.kind.models.get(model, "chat"), price=price)
        return found

    def bare(self, model: str) -> bool:
        """Say whether ``model`` alone means this provider's, by its exact name."""
        return model in self.models or (self.kind.listed and load_facts().knows(self.kind.known_as, model))

    def shown(self) -> tuple[str, ...]:
        """Return the models worth showing: those the configuration names, those of the row, those known to exist."""
        known = load_facts().names(self.kind.known_as) if self.kind.listed and not self.models else ()
        return tuple(dict.fromkeys((*self.models, *self.kind.models, *known)))

    def target(self, model: str, price: Price | None = None) -> Target:
        """Return ``model`` here, with everything an attempt needs; ``price`` replaces the known one."""
        if price is None and (facts := self.facts(model)) is not None:
            price = facts.price
        return Target(
            name=f"{self.name}/{model}",
            provider=self.name,
            model=model,
            kind=self.kind.name,
            wire=self.kind.wire,
            origin=self.address.origin,
            urls=self.kind.paths(model, self.params, self.address.prefix),
            headers=self._headers(model),
            auth=self.kind.auth if self.credential is not None else None,
            credential=self.credential,
            signing=self.signing,
            price=price,
            quirks=self.kind.quirks,
            timeouts=self.timeouts,
            profile=get_profile(model),
        )

    def _headers(self, model: str) -> tuple[tuple[str, str], ...]:
        if self.tail is not None:
            return self.tail.headers(model)
        return self.headers + local.headers_of(self.places)
