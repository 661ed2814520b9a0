"""Prices: parses the numbers in files and lists to exact integers, and completes them for every bucket."""

import hashlib
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

import msgspec

from antiphon.types import COUNTS, PICO, Price

PER_MILLION = PICO // 10**6
"""Picodollars per token in one dollar per million tokens."""

FALLBACKS = {
    "cache_read": "input",
    "cache_write": "input",
    "audio_cache_read": "cache_read",
    "image_input": "input",
    "reasoning": "output",
}
"""The bucket whose price applies if a list has none.

Every other bucket stays unknown: generated audio and images cost more than text, and so do long-lived cache writes.
"""

LIMIT = 10**6
"""The highest plausible price, in dollars per million tokens and in dollars per unit."""


def parse_dollars(text: str) -> int:
    """Return dollars per million tokens as picodollars per token; raises ``ValueError`` with the problem."""
    return _parse_exact(text, PER_MILLION, "dollars per million tokens", "per token (six decimal places)")


def parse_unit_dollars(text: str) -> int:
    """Return dollars for one unit as picodollars; raises ``ValueError`` with the problem."""
    return _parse_exact(text, PICO, "dollars", "(twelve decimal places)")


def _parse_exact(text: str, scale: int, unit: str, precision: str) -> int:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"is not a number of {unit}") from None
    if not amount.is_finite():
        raise ValueError(f"is not a finite number of {unit}")
    if amount < 0:
        raise ValueError("is negative")
    if amount > LIMIT:
        raise ValueError(f"is more than {LIMIT} {unit}")
    exact = amount * scale
    if exact != exact.to_integral_value():
        raise ValueError(f"is finer than a picodollar {precision}")
    return int(exact)


def make_price(
    prices: Mapping[str, int],
    version: str,
    long_from: int | None = None,
    long: Price | None = None,
    tiers: dict[str, Price] | None = None,
) -> Price:
    """Return a complete price: a bucket without one gets its fallback's price, or ``None`` if that is unknown."""
    amounts: dict[str, int | None] = {name: prices.get(name) for name in COUNTS}
    for bucket, other in FALLBACKS.items():
        if amounts[bucket] is None:
            amounts[bucket] = amounts[other]
    return Price(version=version, **amounts, long_from=long_from, long=long, tiers=tiers)


def make_zero_price(version: str) -> Price:
    """Return a price of zero for every bucket and unit."""
    return make_price(dict.fromkeys(COUNTS, 0), version)


def compute_version(prices: Mapping[str, int]) -> str:
    """Return the version of a configured price, which changes with any of its numbers."""
    block = msgspec.json.encode(sorted(prices.items()))
    return f"config:{hashlib.sha256(block).hexdigest()[:8]}"


def format_per_million(amount: int | None) -> str:
    """Return picodollars per token as exact dollars per million tokens; ``None`` as ``unknown``."""
    return _format_dollars(amount, PER_MILLION)


def format_per_unit(amount: int | None) -> str:
    """Return picodollars per unit as exact dollars; ``None`` as ``unknown``."""
    return _format_dollars(amount, PICO)


def _format_dollars(amount: int | None, scale: int) -> str:
    if amount is None:
        return "unknown"
    value = (Decimal(amount) / scale).normalize()
    text = f"{value:f}"
    whole, _, fraction = text.partition(".")
    return f"${whole}.{fraction:0<2}"
