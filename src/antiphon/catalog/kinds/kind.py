"""One provider kind: a row, and what follows from it alone."""

import re
from collections.abc import Mapping
from string import Formatter
from typing import Literal
from urllib.parse import quote, urlsplit

import msgspec

from antiphon.catalog.address import Address, parse_address
from antiphon.catalog.prices import dollars, filled, nothing
from antiphon.types import Price

_HOST_PART = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,61}[A-Za-z0-9])?")


class Param(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something an account of a kind needs beside its key; required where there is no ``default``."""

    env: tuple[str, ...] = ()
    default: str = ""


class SigningRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How requests are signed where no key is given: the scheme, its parameters, its secrets with their variables."""

    scheme: str
    params: dict[str, str]
    secrets: dict[str, tuple[str, ...]]
    optional: frozenset[str] = frozenset()

    @property
    def required(self) -> tuple[str, ...]:
        """The secrets without which nothing can be signed."""
        return tuple(name for name in self.secrets if name not in self.optional)


class IdentityRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where credentials that expire come from: a name of ``kinds/sources.py``, and what it needs to know."""

    source: str
    params: dict[str, str] = {}


class Kind(msgspec.Struct, frozen=True, eq=False, forbid_unknown_fields=True):
    """One row; ``index.toml`` explains each field."""

    title: str
    docs: str
    operations: dict[str, str]
    key: Literal["required", "optional", "none"]
    checked: str = ""
    certainty: str = "documented"
    name: str = ""
    family: str = ""
    also: tuple[str, ...] = ()
    wire: str = "openai"
    base_url: str = ""
    base_urls: dict[str, dict[str, str]] = {}
    prefix: str = ""
    rooted: dict[str, str] = {}
    only: dict[str, str] = {}
    env: tuple[str, ...] = ()
    base_url_env: tuple[str, ...] = ()
    params: dict[str, Param] = {}
    auth: tuple[str, str] = ("authorization", "Bearer ")
    signing: SigningRow | None = None
    identity: IdentityRow | None = None
    quirks: frozenset[str] = frozenset()
    features: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    probe: int = 0
    always: bool = False
    switch: str = ""
    files: bool = False
    detect: bool = True
    listed: bool = True
    facts: str = ""
    sample: str = ""
    models: dict[str, str] = {}
    price: dict[str, str] | None = None

    def address(self, params: Mapping[str, str] | None = None) -> Address | None:
        """Return the kind's own address, or ``None`` where every account has one of its own, or ``params`` lack a
        part of it."""
        params = params or {}
        template = self._template(params)
        if not template or not fields(template) <= params.keys():
            return None
        return parse_address(fill(template, params), schemes=None)

    def at(self, address: Address, params: Mapping[str, str] | None = None) -> Address:
        """Return ``address`` with this kind's path prefix where it has none of its own."""
        return Address(address.origin, address.prefix or self.own_prefix(params or {}))

    def own_prefix(self, params: Mapping[str, str]) -> str:
        """Return the path under which this kind is found where nobody says otherwise."""
        return self.prefix.rstrip("/") or fill(urlsplit(self._template(params)).path.rstrip("/"), params)

    def paths(self, model: str, params: Mapping[str, str], prefix: str) -> dict[str, str]:
        """Return operation to path and query for ``model`` at an address with the path ``prefix``."""
        values = {**params, "model": model}
        found = {operation: prefix + fill(path, values) for operation, path in self.operations.items()}
        # Where an account's address has another path, nobody knows where the rest of the service is found there.
        if self.rooted and prefix == self.own_prefix(params):
            found |= {operation: fill(path, values) for operation, path in self.rooted.items()}
        for operation, pattern in self.only.items():
            if not re.search(pattern, model):
                found.pop(operation, None)
        return found

    def offered(self) -> dict[str, str]:
        """Return operation to path from the root of the host, as the documentation shows them."""
        prefix = (self.prefix or urlsplit(self.base_url).path).rstrip("/")
        return {operation: prefix + path for operation, path in self.operations.items()} | self.rooted

    def needs(self, address: Address | None) -> set[str]:
        """Return the parameters that must have a value, for an account at ``address`` (``None``: the kind's own)."""
        texts = [*self.operations.values(), *self.rooted.values()]
        texts += self.signing.params.values() if self.signing else ()
        texts += self.identity.params.values() if self.identity else ()
        if address is None:
            texts.append(self.base_url)
        elif not address.prefix:
            texts.append(urlsplit(self.base_url).path)
        return set().union(*map(fields, texts)) - {"model"}

    def problem(self, name: str, value: str) -> str:
        """Return what is wrong with a parameter's value, or nothing; one that is part of a host must look like it."""
        if not value.isascii() or not value.isprintable():
            return "has characters that no address can carry"
        if name not in fields(self.base_url) and (known := self.base_urls.get(name)) is not None:
            allowed = [default for default in (self.params[name].default,) if default] + list(known)
            return "" if value in allowed else f"must be one of: {', '.join(allowed)}"
        if name in fields(urlsplit(self.base_url).netloc) and not _HOST_PART.fullmatch(value):
            return "is part of a host name: letters, digits, dots and hyphens only"
        if value in (".", ".."):
            return "would change the path it becomes a part of"
        return ""

    @property
    def known_as(self) -> str:
        """The kind under whose name the facts of its models are."""
        return self.facts or self.name

    @property
    def flat_price(self) -> Price | None:
        """The price of every model that no list knows, or ``None``: unknown."""
        if self.price is None:
            return None
        stated, version = {bucket: dollars(text) for bucket, text in self.price.items()}, f"kind:{self.name}"
        return filled(stated, version) if any(stated.values()) else nothing(version)

    def _template(self, params: Mapping[str, str]) -> str:
        for name, addresses in self.base_urls.items():
            if (other := addresses.get(params.get(name, ""))) is not None:
                return other
        return self.base_url


def fields(text: str) -> set[str]:
    """Return the names in braces in ``text``."""
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def fill(text: str, values: Mapping[str, str]) -> str:
    """Return ``text`` with each name in braces replaced by its value, percent-encoded as one part of a path."""
    if "{" not in text:
        return text
    return text.format_map({name: quote(value, safe="") for name, value in values.items()})
