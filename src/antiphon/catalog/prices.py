"""Prices: from what people and lists write to exact integers, complete for every bucket."""

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
"""The bucket whose price applies where a list has none.

Everything else has no such rule and stays unknown: audio and images that are made cost more than text, and so does
writing to a cache for long.
"""

LIMIT = 10**6
"""The highest price that is believed, in dollars per million tokens and in dollars for a unit."""


def dollars(text: str) -> int:
    """Return dollars per million tokens as picodollars per token; raises ``ValueError`` with what is wrong."""
    return _exactly(text, PER_MILLION, "dollars per million tokens", "per token (six decimal places)")


def dollars_each(text: str) -> int:
    """Return dollars for one unit as picodollars; raises ``ValueError`` with what is wrong."""
    return _exactly(text, PICO, "dollars", "(twelve decimal places)")


def _exactly(text: str, scale: int, what: str, finest: str) -> int:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"is not a number of {what}") from None
    if not amount.is_finite():
        raise ValueError(f"is not a finite number of {what}")
    if amount < 0:
        raise ValueError("is negative")
    if amount > LIMIT:
        raise ValueError(f"is more than {LIMIT} {what}")
    exact = amount * scale
    if exact != exact.to_integral_value():
        raise ValueError(f"is finer than a picodollar {finest}")
    return int(exact)


def filled(
    prices: Mapping[str, int],
    version: str,
    long_from: int | None = None,
    long: Price | None = None,
    tiers: dict[str, Price] | None = None,
) -> Price:
    """Return a complete price: buckets without one take their fallback's, and stay ``None`` where that is unknown."""
    whole: dict[str, int | None] = {name: prices.get(name) for name in COUNTS}
    for bucket, other in FALLBACKS.items():
        if whole[bucket] is None:
            whole[bucket] = whole[other]
    return Price(version=version, **whole, long_from=long_from, long=long, tiers=tiers)


def nothing(version: str) -> Price:
    """Return the price of what costs nothing, whatever is counted."""
    return filled(dict.fromkeys(COUNTS, 0), version)


def config_version(prices: Mapping[str, int]) -> str:
    """Return the version of a price that a configuration states, which changes when any number does."""
    block = msgspec.json.encode(sorted(prices.items()))
    return f"config:{hashlib.sha256(block).hexdigest()[:8]}"


def per_million(amount: int | None) -> str:
    """Return picodollars per token as dollars per million tokens, exactly; ``unknown`` is its own word."""
    return _shown(amount, PER_MILLION)


def per_unit(amount: int | None) -> str:
    """Return picodollars for a unit as dollars, exactly; ``unknown`` is its own word."""
    return _shown(amount, PICO)


def _shown(amount: int | None, scale: int) -> str:
    if amount is None:
        return "unknown"
    value = (Decimal(amount) / scale).normalize()
    text = f"{value:f}"
    whole, _, fraction = text.partition(".")
    return f"${whole}.{fraction:0<2}"
