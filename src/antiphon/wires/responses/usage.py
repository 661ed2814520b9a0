"""The ``usage`` object of a response to disjoint buckets and back (API reference, "The response object": usage).

``input_tokens`` includes cached and cache-written tokens, ``output_tokens`` includes reasoning.
"""

from typing import Any

import msgspec

from antiphon.types import BUCKETS, Usage

_LIMIT = 1_000_000_000
"""More tokens than any one call can have; a larger count is a fault of the provider."""


class _InputDetails(msgspec.Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: int | None = None
    audio_tokens: int | None = None


class _Usage(msgspec.Struct):
    input_tokens: int
    output_tokens: int = 0
    input_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None


_decode = msgspec.json.Decoder(_Usage).decode


def read(raw: bytes) -> Usage | None:
    """Return the buckets, or ``None`` where the object is missing, malformed, negative or impossibly large."""
    try:
        usage = _decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    before, after = usage.input_tokens_details or _InputDetails(), usage.output_tokens_details or _OutputDetails()
    cached, written = before.cached_tokens or 0, before.cache_write_tokens or 0
    audio_in, image = before.audio_tokens or 0, before.image_tokens or 0
    reasoning, audio_out = after.reasoning_tokens or 0, after.audio_tokens or 0
    buckets = Usage(
        input=usage.input_tokens - cached - written - audio_in - image,
        cache_read=cached,
        cache_write=written,
        audio_input=audio_in,
        image_input=image,
        output=usage.output_tokens - reasoning - audio_out,
        reasoning=reasoning,
        audio_output=audio_out,
    )
    counts = [getattr(buckets, name) for name in BUCKETS]
    return buckets if min(counts) >= 0 and max(counts) <= _LIMIT else None


def write(usage: Usage | None) -> dict[str, Any] | None:
    """Return the object; audio and image counts appear only where there are some, as OpenAI has none to show."""
    if usage is None:
        return None
    before = {"cached_tokens": usage.cache_read, "cache_write_tokens": usage.cache_write}
    after = {"reasoning_tokens": usage.reasoning}
    more = (
        (before, "audio_tokens", usage.audio_input),
        (before, "image_tokens", usage.image_input),
        (after, "audio_tokens", usage.audio_output),
    )
    for details, name, count in more:
        if count:
            details[name] = count
    return {
        "input_tokens": usage.total_input,
        "input_tokens_details": before,
        "output_tokens": usage.total_output,
        "output_tokens_details": after,
        "total_tokens": usage.total,
    }
