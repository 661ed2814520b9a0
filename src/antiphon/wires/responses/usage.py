"""The ``usage`` object of a response to disjoint buckets and back (API reference, "The response object": usage).

``input_tokens`` includes cached and cache-written tokens, ``output_tokens`` includes reasoning.
"""

from typing import Any

import msgspec

from antiphon.types import Usage
from antiphon.wires.openai.usage import InputDetails, OutputDetails, buckets


class _Usage(msgspec.Struct):
    input_tokens: int
    output_tokens: int = 0
    input_tokens_details: InputDetails | None = None
    output_tokens_details: OutputDetails | None = None


_decode = msgspec.json.Decoder(_Usage).decode


def read(raw: bytes) -> Usage | None:
    """Return the buckets, or ``None`` where the object is missing, malformed, negative or impossibly large."""
    try:
        usage = _decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    before, after = usage.input_tokens_details or InputDetails(), usage.output_tokens_details or OutputDetails()
    return buckets(usage.input_tokens, usage.output_tokens, before, after)


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
