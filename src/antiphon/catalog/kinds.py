"""Provider kinds: rows of data, checked when they load."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

from antiphon.catalog.address import Address, parse_address
from antiphon.catalog.prices import dollars, filled
from antiphon.types import Price

QUIRKS = {
    "no_stream_usage": "refuses `stream_options`; it sends the usage of a stream in its last chunk unasked",
}
"""Every quirk a row may name, and what it means to whoever speaks to such a provider."""


class Kind(msgspec.Struct, frozen=True, eq=False, forbid_unknown_fields=True):
    """One row; ``kinds.toml`` explains each field at its top."""

    title: str
    docs: str
    operations: dict[str, str]
    key: Literal["required", "optional", "none"]
    name: str = ""
    wire: str = "openai"
    base_url: str = ""
    prefix: str = ""
    env: tuple[str, ...] = ()
    base_url_env: tuple[str, ...] = ()
    api_version: str = ""
    api_version_env: tuple[str, ...] = ()
    auth: tuple[str, str] = ("authorization", "Bearer ")
    quirks: frozenset[str] = frozenset()
    probe: int = 0
    always: bool = False
    listed: bool = True
    models: dict[str, str] = {}
    price: dict[str, str] | None = None

    @property
    def address(self) -> Address | None:
        """The row's own address, or ``None`` where every account has one of its own."""
        return parse_address(self.base_url, schemes=None) if self.base_url else None

    def at(self, address: Address) -> Address:
        """Return ``address`` with this kind's path prefix where it has none of its own."""
        own = self.address
        prefix = address.prefix or self.prefix or (own.prefix if own else "")
        return Address(address.origin, prefix)

    @property
    def flat_price(self) -> Price | None:
        """The price of every model that no list knows, or ``None``: unknown."""
        if self.price is None:
            return None
        return filled({bucket: dollars(text) for bucket, text in self.price.items()}, f"kind:{self.name}")


class Kinds(msgspec.Struct, frozen=True, eq=False, forbid_unknown_fields=True):
    """The whole file: rows by name, and the names that later versions bring."""

    kinds: dict[str, Kind]
    later: frozenset[str] = frozenset()


@cache
def load_kinds() -> Mapping[str, Kind]:
    """Return the rows by name, in the file's order; raises ``ValueError`` where a row is not whole."""
    return _load().kinds


@cache
def later_kinds() -> frozenset[str]:
    """Return the names of kinds that this version does not have yet."""
    return _load().later


@cache
def _load() -> Kinds:
    return parse_kinds(Path(__file__).with_name("kinds.toml").read_text("utf-8"))


def parse_kinds(text: str) -> Kinds:
    """Return the checked rows of ``text``; raises ``ValueError`` (``msgspec.ValidationError``) at the first bad one."""
    raw = tomllib.loads(text)
    for name, row in raw.get("kinds", {}).items():
        row["name"] = name
    kinds = msgspec.convert(raw, Kinds)
    for kind in kinds.kinds.values():
        _check(kind)
    return kinds


def _check(kind: Kind) -> None:
    where = f"kind {kind.name}"
    if unknown := kind.quirks - QUIRKS.keys():
        raise ValueError(f"{where}: unknown quirks {sorted(unknown)}")
    if kind.key == "required" and not kind.env:
        raise ValueError(f"{where}: needs a key, but names no environment variable for it")
    if not kind.operations:
        raise ValueError(f"{where}: offers no operation")
    for path in kind.operations.values():
        if not path.startswith("/"):
            raise ValueError(f"{where}: the path {path!r} does not start with a slash")
        if ("{api_version}" in path) != bool(kind.api_version):
            raise ValueError(f"{where}: api_version and the path {path!r} do not agree")
    if bool(kind.base_url) == bool(kind.prefix):
        raise ValueError(f"{where}: exactly one of base_url and prefix is needed")
    _ = kind.address, kind.flat_price
