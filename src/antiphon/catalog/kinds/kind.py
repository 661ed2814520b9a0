"""One provider kind: a row, and everything that follows from the row alone."""

import re
from collections.abc import Mapping
from string import Formatter
from typing import Literal
from urllib.parse import quote, urlsplit

import msgspec

from antiphon.catalog.address import Address, parse_address
from antiphon.catalog.prices import make_price, make_zero_price, parse_dollars
from antiphon.types import Price

_HOST_PART = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,61}[A-Za-z0-9])?")


class Param(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an account of a kind needs besides its key; required unless it has a ``default``."""

    env: tuple[str, ...] = ()
    default: str = ""


class SigningRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How requests are signed if no key is given: the scheme, its parameters, its secrets with their variables."""

    scheme: str
    params: dict[str, str]
    secrets: dict[str, tuple[str, ...]]
    optional: frozenset[str] = frozenset()

    @property
    def required(self) -> tuple[str, ...]:
        """The secrets that signing cannot do without."""
        return tuple(name for name in self.secrets if name not in self.optional)


class IdentityRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The source of credentials that expire: a name of ``kinds/credential_sources.py``, and its parameters."""

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
    aliases: tuple[str, ...] = ()
    wire: str = "openai"
    base_url: str = ""
    base_urls: dict[str, dict[str, str]] = {}
    prefix: str = ""
    root_operations: dict[str, str] = {}
    model_patterns: dict[str, str] = {}
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
    local_models: bool = False
    detect: bool = True
    listed: bool = True
    facts: str = ""
    sample: str = ""
    models: dict[str, str] = {}
    price: dict[str, str] | None = None

    def find_address(self, params: Mapping[str, str] | None = None) -> Address | None:
        """Return the kind's own address; ``None`` if every account has its own, or if ``params`` are incomplete."""
        params = params or {}
        template = self._get_template(params)
        if not template or not list_placeholders(template) <= params.keys():
            return None
        return parse_address(fill_template(template, params), schemes=None)

    def add_prefix(self, address: Address, params: Mapping[str, str] | None = None) -> Address:
        """Return ``address`` with this kind's path prefix, unless it has its own."""
        return Address(address.origin, address.prefix or self.get_prefix(params or {}))

    def get_prefix(self, params: Mapping[str, str]) -> str:
        """Return the default path prefix of this kind."""
        return self.prefix.rstrip("/") or fill_template(urlsplit(self._get_template(params)).path.rstrip("/"), params)

    def build_paths(self, model: str, params: Mapping[str, str], prefix: str) -> dict[str, str]:
        """Return operation to path and query for ``model``, at an address with the path ``prefix``."""
        values = {**params, "model": model}
        paths = {operation: prefix + fill_template(path, values) for operation, path in self.operations.items()}
        # If an account's address has another prefix, the rest of the service may be anywhere.
        if self.root_operations and prefix == self.get_prefix(params):
            paths |= {operation: fill_template(path, values) for operation, path in self.root_operations.items()}
        for operation, pattern in self.model_patterns.items():
            if not re.search(pattern, model):
                paths.pop(operation, None)
        return paths

    def list_operations(self) -> dict[str, str]:
        """Return operation to path from the root of the host, as in the service's documentation."""
        prefix = (self.prefix or urlsplit(self.base_url).path).rstrip("/")
        return {operation: prefix + path for operation, path in self.operations.items()} | self.root_operations

    def list_required_params(self, address: Address | None) -> set[str]:
        """Return the parameters that need a value, for an account at ``address`` (``None``: the kind's own)."""
        texts = [*self.operations.values(), *self.root_operations.values()]
        texts += self.signing.params.values() if self.signing else ()
        texts += self.identity.params.values() if self.identity else ()
        if address is None:
            texts.append(self.base_url)
        elif not address.prefix:
            texts.append(urlsplit(self.base_url).path)
        return set().union(*map(list_placeholders, texts)) - {"model"}

    def find_problem(self, name: str, value: str) -> str:
        """Return what is wrong with a parameter's value, or ``""``; a part of a host name must look like one."""
        if not value.isascii() or not value.isprintable():
            return "has characters that are not allowed in an address"
        if name not in list_placeholders(self.base_url) and (known := self.base_urls.get(name)) is not None:
            allowed = [default for default in (self.params[name].default,) if default] + list(known)
            return "" if value in allowed else f"must be one of: {', '.join(allowed)}"
        if name in list_placeholders(urlsplit(self.base_url).netloc) and not _HOST_PART.fullmatch(value):
            return "is part of a host name: only letters, digits, dots and hyphens are allowed"
        if value in (".", ".."):
            return "is part of a path, which it would change"
        return ""

    @property
    def facts_kind(self) -> str:
        """The kind that lists the facts of its models."""
        return self.facts or self.name

    @property
    def flat_price(self) -> Price | None:
        """The price of every model without known facts, or ``None`` if it is unknown."""
        if self.price is None:
            return None
        stated, version = {bucket: parse_dollars(text) for bucket, text in self.price.items()}, f"kind:{self.name}"
        return make_price(stated, version) if any(stated.values()) else make_zero_price(version)

    def _get_template(self, params: Mapping[str, str]) -> str:
        for name, addresses in self.base_urls.items():
            if (template := addresses.get(params.get(name, ""))) is not None:
                return template
        return self.base_url


def list_placeholders(text: str) -> set[str]:
    """Return the names in braces in ``text``."""
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def fill_template(text: str, values: Mapping[str, str]) -> str:
    """Return ``text`` with each name in braces replaced by its value, percent-encoded as one segment of a path."""
    if "{" not in text:
        return text
    return text.format_map({name: quote(value, safe="") for name, value in values.items()})
