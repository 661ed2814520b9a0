"""Known facts about models: limits, prices, capabilities. ``scripts/facts`` writes them; they are read on first use."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from antiphon.catalog.prices import PER_MILLION, make_price
from antiphon.types import UNITS, Price

LOW, HIGH = 1 * PER_MILLION, 5 * PER_MILLION
"""Bounds of the tiers, in picodollars per token (one and five dollars per million)."""


class ModelFacts(msgspec.Struct, frozen=True, eq=False):
    """The known facts about one model. ``None`` means *unknown* everywhere.

    ``context`` and ``max_output`` are tokens, ``until`` is the day its provider withdraws it (ISO 8601), and
    ``dimensions`` is the length of its vectors.
    """

    operation: str = "chat"
    context: int | None = None
    max_output: int | None = None
    price: Price | None = None
    capabilities: frozenset[str] | None = None
    until: str | None = None
    dimensions: int | None = None

    @property
    def tier(self) -> str | None:
        """``free``, ``low``, ``mid`` or ``high``: the price of three input tokens and one output token, blended.

        ``free`` costs nothing, ``low`` less than one dollar per million tokens, ``mid`` less than five.
        """
        if self.price is None or self.price.input is None:
            return None
        output = self.price.output
        blend = self.price.input if output is None else (3 * self.price.input + output) // 4
        if not self.price.input and not output:
            return "free"
        return "low" if blend < LOW else "mid" if blend < HIGH else "high"


class _Row(msgspec.Struct, frozen=True, eq=False, forbid_unknown_fields=True):
    op: str = "chat"
    source: int = 0
    context: int | None = None
    output: int | None = None
    price: dict[str, int] | None = None
    long: tuple[int, dict[str, int]] | None = None
    tiers: dict[str, str | list[dict[str, int]]] = {}
    """Tier to a factor for every token price (``"1/2"``), or to its prices and, if any, those of long contexts."""
    can: str | None = None
    until: str | None = None


class _Source(msgspec.Struct, frozen=True, eq=False):
    name: str
    version: str
    sha256: str
    file: str


class _File(msgspec.Struct, frozen=True, eq=False):
    digest: str
    as_of: str
    sources: tuple[_Source, ...]
    models: dict[str, dict[str, _Row]]


class Facts:
    """The known models of every provider kind, by exact name."""

    def __init__(self, raw: bytes) -> None:
        self._file = msgspec.json.decode(raw, type=_File)
        self._versions = tuple(f"{source.name}-{source.version}" for source in self._file.sources)

    @property
    def as_of(self) -> str:
        """The day the price lists were read (ISO 8601)."""
        return self._file.as_of

    @property
    def versions(self) -> tuple[str, ...]:
        """The names of the price lists, which records carry as their price version."""
        return self._versions

    def find(self, kind: str, model: str) -> ModelFacts | None:
        """Return the facts about ``model`` at providers of ``kind``."""
        row = self._file.models.get(kind, _NONE).get(model)
        return None if row is None else self._make_facts(row)

    def has(self, kind: str, model: str) -> bool:
        """Say whether ``model`` is known at providers of ``kind``."""
        return model in self._file.models.get(kind, _NONE)

    def list_names(self, kind: str) -> Iterator[str]:
        """Yield the models of ``kind`` that were not yet withdrawn when the lists were read."""
        for name, row in self._file.models.get(kind, _NONE).items():
            if row.until is None or row.until > self._file.as_of:
                yield name

    def list_kinds(self, model: str) -> list[str]:
        """Return the kinds that know ``model``."""
        return [kind for kind, rows in self._file.models.items() if model in rows]

    def _make_facts(self, row: _Row) -> ModelFacts:
        return ModelFacts(
            operation=row.op,
            context=row.context,
            max_output=row.output,
            price=self._make_price(row),
            capabilities=None if row.can is None else frozenset(row.can.split()),
            until=row.until,
        )

    def _make_price(self, row: _Row) -> Price | None:
        if row.price is None:
            return None
        version = self._versions[row.source]
        units = {name: amount for name, amount in row.price.items() if name in UNITS}
        long_from = None if row.long is None else row.long[0]
        steps = [row.price] if row.long is None else [row.price, {**row.long[1], **units}]
        tiers = {
            name: _join_steps(_make_tier(tier, steps, units), version, long_from) for name, tier in row.tiers.items()
        }
        return _join_steps(steps, version, long_from, tiers)


def _join_steps(
    steps: list[dict[str, int]], version: str, long_from: int | None, tiers: dict[str, Price] | None = None
) -> Price:
    """Return one price from its steps: the usual prices and, if ``long_from`` is given, those of long contexts."""
    long = None if long_from is None else make_price(steps[1], version)
    return make_price(steps[0], version, long_from, long, tiers)


def _make_tier(
    tier: str | list[dict[str, int]], steps: list[dict[str, int]], units: dict[str, int]
) -> list[dict[str, int]]:
    """Return the steps of a tier; units cost the same in every tier."""
    if isinstance(tier, list):
        return [{**step, **units} for step in tier]
    numerator, _, denominator = tier.partition("/")
    factor, divisor = int(numerator), int(denominator or 1)
    return [{name: amount * factor // divisor for name, amount in step.items()} | units for step in steps]


_NONE: dict[str, Any] = {}


@cache
def load_facts() -> Facts:
    """Return the packaged facts; they are read once, on first use, which takes a few milliseconds."""
    return Facts(Path(__file__).with_name("facts.json").read_bytes())
