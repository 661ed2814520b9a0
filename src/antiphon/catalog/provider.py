"""A provider: an account of a kind, ready to make targets."""

import msgspec

from antiphon.catalog.address import Address
from antiphon.catalog.kinds import Kind
from antiphon.catalog.local import encode_models, make_facts
from antiphon.catalog.longtail import LongtailAccount
from antiphon.catalog.models import ModelFacts, load_facts
from antiphon.catalog.profiles import get_profile
from antiphon.types import Price, Secret, Signing, Target, Timeouts


class Provider(msgspec.Struct, frozen=True, eq=False):
    """An account under a name; ``source`` says where it was found, ``key_source`` where its key was found."""

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
    model_sources: dict[str, str] = {}
    """The folder or hub name of each model, for kinds whose models run on this machine."""
    longtail: LongtailAccount | None = None
    """The account behind LiteLLM, if the provider is reached through it."""

    def __repr__(self) -> str:
        # Header values may be credentials too.
        return f"Provider({self.name}, {self.kind.name}, {self.address})"

    @property
    def base_url(self) -> str:
        """The address with its path prefix, as a URL; through LiteLLM: the address it is given, if any."""
        return str(self.address) if self.longtail is None else self.longtail.base_url

    @property
    def key_state(self) -> str:
        """``set``, ``renewed`` (it expires and is fetched again), ``missing`` or ``not needed``."""
        if self.signing is not None and self.signing.identity is not None:
            return "renewed"
        if self.credential is not None or self.signing is not None:
            return "set"
        return "missing" if self.kind.key == "required" else "not needed"

    def find_facts(self, model: str) -> ModelFacts | None:
        """Return the facts about ``model`` here; for a kind with a flat price, every model has at least that price."""
        if self.kind.local_models:
            return make_facts(model, self.kind.flat_price)
        facts = load_facts().find(self.kind.facts_kind, model)
        if facts is None and (price := self.kind.flat_price) is not None:
            return ModelFacts(operation=self.kind.models.get(model, "chat"), price=price)
        return facts

    def has_model(self, model: str) -> bool:
        """Say whether ``model`` without ``provider/`` may mean this provider's, by its exact name."""
        return model in self.models or (self.kind.listed and load_facts().has(self.kind.facts_kind, model))

    def list_models(self) -> tuple[str, ...]:
        """Return the models to list: those of the configuration, those of the row, and the known ones."""
        known = load_facts().list_names(self.kind.facts_kind) if self.kind.listed and not self.models else ()
        return tuple(dict.fromkeys((*self.models, *self.kind.models, *known)))

    def make_target(self, model: str, price: Price | None = None) -> Target:
        """Return ``model`` here, with everything an attempt needs; ``price`` replaces the known one."""
        if price is None and (facts := self.find_facts(model)) is not None:
            price = facts.price
        return Target(
            name=f"{self.name}/{model}",
            provider=self.name,
            model=model,
            kind=self.kind.name,
            wire=self.kind.wire,
            origin=self.address.origin,
            urls=self.kind.build_paths(model, self.params, self.address.prefix),
            headers=self._make_headers(model),
            auth=self.kind.auth if self.credential is not None else None,
            credential=self.credential,
            signing=self.signing,
            price=price,
            quirks=self.kind.quirks,
            timeouts=self.timeouts,
            profile=get_profile(model),
        )

    def _make_headers(self, model: str) -> tuple[tuple[str, str], ...]:
        if self.longtail is not None:
            return self.longtail.make_headers(model)
        return self.headers + encode_models(self.model_sources)
