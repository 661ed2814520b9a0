"""Converse ``usage`` to disjoint buckets and back (API reference, "TokenUsage"; user guide, "Prompt caching").

``inputTokens`` counts what was neither read from nor written to the cache; the input is the sum of the three. Reasoning
is part of ``outputTokens`` and not told apart.
"""

import msgspec

from antiphon.types import Usage

NOT_TOLD = msgspec.Raw(b"null")
"""What stands for a ``usage`` that is missing."""

_LIMIT = 1_000_000_000
"""More tokens than any one call can have; a larger count is a fault of the provider."""


class _Usage(msgspec.Struct, rename="camel"):
    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None


_decode = msgspec.json.Decoder(_Usage).decode


def read(raw: msgspec.Raw) -> Usage | None:
    """Return the buckets, or ``None`` where the counts are missing, malformed, negative or impossibly large."""
    try:
        usage = _decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    parts = (
        usage.input_tokens,
        usage.cache_read_input_tokens or 0,
        usage.cache_write_input_tokens or 0,
        usage.output_tokens,
    )
    if min(parts) < 0 or max(parts) > _LIMIT:
        return None
    return Usage(input=parts[0], cache_read=parts[1], cache_write=parts[2], output=parts[3])


def write(usage: Usage | None) -> dict[str, int]:
    """Return the ``usage`` member, which every answer must have; zeros where nothing was counted."""
    usage = usage or Usage()
    return {
        "inputTokens": usage.input + usage.audio_input + usage.image_input,
        "outputTokens": usage.total_output,
        "totalTokens": usage.total,
        "cacheReadInputTokens": usage.cache_read,
        "cacheWriteInputTokens": usage.cache_write,
    }
