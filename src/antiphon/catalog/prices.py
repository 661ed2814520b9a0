"""Prices: from what people and lists write to exact integers, complete for every bucket."""

import hashlib
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

import msgspec

from antiphon.types import BUCKETS, PICO, Price

PER_MILLION = PICO // 10**6
"""Picodollars per token in one dollar per million tokens."""

FALLBACKS = {"cache_read": "input", "cache_write": "input", "image_input": "input", "reasoning": "output"}
"""The bucket whose price applies where a list has none; audio has no such rule and stays unknown."""

LIMIT = 10**6
"""The highest price that is believed, in dollars per million tokens."""


def dollars(text: str) -> int:
    """Return dollars per million tokens as picodollars per token; raises ``ValueError`` with what is wrong."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise ValueError("is not a number of dollars per million tokens") from None
    if not amount.is_finite():
        raise ValueError("is not a finite number of dollars per million tokens")
    if amount < 0:
        raise ValueError("is negative")
    if amount > LIMIT:
        raise ValueError(f"is more than {LIMIT} dollars per million tokens")
    exact = amount * PER_MILLION
    if exact != exact.to_integral_value():
        raise ValueError("is finer than a picodollar per token (six decimal places)")
    return int(exact)


def filled(prices: Mapping[str, int], version: str, long_from: int | None = None, long: Price | None = None) -> Price:
    """Return a complete price: buckets without one take their fallback's, and stay ``None`` where that is unknown."""
    whole: dict[str, int | None] = {bucket: prices.get(bucket) for bucket in BUCKETS}
    for bucket, other in FALLBACKS.items():
        if whole[bucket] is None:
            whole[bucket] = whole[other]
    return Price(version=version, **whole, long_from=long_from, long=long)


def config_version(prices: Mapping[str, int]) -> str:
    """Return the version of a price that a configuration states, which changes when any number does."""
    block = msgspec.json.encode(sorted(prices.items()))
    return f"config:{hashlib.sha256(block).hexdigest()[:8]}"


def per_million(amount: int | None) -> str:
    """Return picodollars per token as dollars per million tokens, exactly; ``unknown`` is its own word."""
    if amount is None:
        return "unknown"
    value = (Decimal(amount) / PER_MILLION).normalize()
    text = f"{value:f}"
    whole, _, fraction = text.partition(".")
    return f"${whole}.{fraction:0<2}"
