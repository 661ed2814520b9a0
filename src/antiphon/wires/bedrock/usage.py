"""Converse ``usage`` to disjoint buckets and back (API reference, "TokenUsage"; user guide, "Prompt caching").

``inputTokens`` counts only tokens that were neither read from nor written to the cache, so the whole input is the sum
of the three. Reasoning tokens are part of ``outputTokens`` and not counted separately.
"""

from typing import Any

import msgspec

from antiphon.types import Usage
from antiphon.wires.wire import read_service_tier

NO_USAGE = msgspec.Raw(b"null")
"""The value of a ``usage`` member that is missing."""

_LIMIT = 1_000_000_000
"""More tokens than any one call can have; a larger count is a fault of the provider."""
_SHORT = "5m"


class CacheDetail(msgspec.Struct, rename="camel"):
    """Tokens that were written to the cache with one time to live."""

    input_tokens: int
    ttl: str


class ServiceTier(msgspec.Struct):
    """How the call was served."""

    type: Any = None


class Performance(msgspec.Struct):
    """How fast the call was served."""

    latency: Any = None


class _Usage(msgspec.Struct, rename="camel"):
    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None
    cache_details: list[CacheDetail] | None = None


_decode = msgspec.json.Decoder(_Usage).decode


def read_usage(
    raw: msgspec.Raw, tier: ServiceTier | None = None, performance: Performance | None = None
) -> Usage | None:
    """Return the buckets, or ``None`` if the counts are missing, malformed, negative or impossibly large.

    ``tier`` and ``performance`` are members next to ``usage`` that change the price.
    """
    try:
        usage = _decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    long = sum(detail.input_tokens for detail in usage.cache_details or () if detail.ttl != _SHORT)
    short = (usage.cache_write_input_tokens or 0) - long
    counts = (usage.input_tokens, usage.cache_read_input_tokens or 0, short, long, usage.output_tokens)
    if min(counts) < 0 or max(counts) > _LIMIT:
        return None
    return Usage(
        input=counts[0],
        cache_read=counts[1],
        cache_write=short,
        cache_write_long=long,
        output=counts[4],
        service_tier=read_service_tier(tier.type if tier else None, performance.latency if performance else None),
    )


def write_usage(usage: Usage | None) -> dict[str, Any]:
    """Return the ``usage`` member, which every answer must have; zeros if nothing was counted."""
    usage = usage or Usage()
    counts: dict[str, Any] = {
        "inputTokens": usage.input + usage.audio_input + usage.image_input,
        "outputTokens": usage.total_output,
        "totalTokens": usage.total,
        "cacheReadInputTokens": usage.cache_read + usage.audio_cache_read,
        "cacheWriteInputTokens": usage.cache_write + usage.cache_write_long,
    }
    details = (("1h", usage.cache_write_long), (_SHORT, usage.cache_write))
    if counts["cacheWriteInputTokens"]:
        counts["cacheDetails"] = [{"ttl": ttl, "inputTokens": count} for ttl, count in details if count]
    return counts
