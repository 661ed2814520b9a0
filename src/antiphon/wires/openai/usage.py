"""OpenAI's ``usage`` object to disjoint buckets (API reference, "The chat completion object": usage)."""

import msgspec

from antiphon.types import Usage

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
    prompt_tokens: int
    completion_tokens: int = 0
    total_tokens: int | None = None
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None


_decode = msgspec.json.Decoder(_Usage).decode


def read(raw: bytes) -> Usage | None:
    """Return the buckets, or ``None`` where the object is missing, malformed, negative or impossibly large."""
    try:
        usage = _decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    before, after = usage.prompt_tokens_details or _InputDetails(), usage.completion_tokens_details or _OutputDetails()
    cached, written = before.cached_tokens or 0, before.cache_write_tokens or 0
    audio_in, image = before.audio_tokens or 0, before.image_tokens or 0
    reasoning, audio_out = after.reasoning_tokens or 0, after.audio_tokens or 0
    output = usage.completion_tokens
    if usage.total_tokens != usage.prompt_tokens + output + reasoning or reasoning == 0:
        output -= reasoning  # included, as OpenAI counts; a few providers count reasoning beside the completion
    buckets = Usage(
        input=usage.prompt_tokens - cached - written - audio_in - image,
        cache_read=cached,
        cache_write=written,
        audio_input=audio_in,
        image_input=image,
        output=output - audio_out,
        reasoning=reasoning,
        audio_output=audio_out,
    )
    return buckets if _possible(buckets) else None


def _possible(usage: Usage) -> bool:
    parts = (
        usage.input,
        usage.cache_read,
        usage.cache_write,
        usage.audio_input,
        usage.image_input,
        usage.output,
        usage.reasoning,
        usage.audio_output,
    )
    return min(parts) >= 0 and max(parts) <= _LIMIT
