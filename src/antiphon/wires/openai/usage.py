"""OpenAI's ``usage`` object to disjoint buckets and back (API reference, "The chat completion object": usage)."""

from typing import Any

import msgspec

from antiphon.types import Usage
from antiphon.wires.wire import read_service_tier

_LIMIT = 1_000_000_000
"""More tokens than any one call can have; a larger count is a fault of the provider."""


class WriteDetails(msgspec.Struct):
    """Tokens written to the cache, by how long the cache keeps them."""

    ttl_12h_tokens: int | None = None
    ttl_30m_tokens: int | None = None


class InputDetails(msgspec.Struct):
    """Parts of the input."""

    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None
    cache_write_tokens_details: WriteDetails | None = None


class OutputDetails(msgspec.Struct):
    """Parts of the output."""

    reasoning_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int = 0
    total_tokens: int | None = None
    prompt_tokens_details: InputDetails | None = None
    completion_tokens_details: OutputDetails | None = None


_decode = msgspec.json.Decoder(_Usage).decode
_NO_INPUT_DETAILS, _NO_OUTPUT_DETAILS = InputDetails(), OutputDetails()


def read_usage(raw: bytes, tier: object = None) -> Usage | None:
    """Return the buckets, or ``None`` if the object is missing, malformed, negative or impossibly large.

    ``tier`` is the answer's ``service_tier``.
    """
    try:
        usage = _decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    input_details = usage.prompt_tokens_details or _NO_INPUT_DETAILS
    output_details = usage.completion_tokens_details or _NO_OUTPUT_DETAILS
    output, reasoning = usage.completion_tokens, output_details.reasoning_tokens or 0
    if reasoning and usage.total_tokens == usage.prompt_tokens + output + reasoning:
        output += reasoning  # OpenAI includes reasoning in the completion, a few providers do not
    return split_totals(usage.prompt_tokens, output, input_details, output_details, tier)


def split_totals(
    total_input: int, total_output: int, input_details: InputDetails, output_details: OutputDetails, tier: object = None
) -> Usage | None:
    """Return totals as buckets, or ``None`` if totals and details contradict each other or are impossible."""
    cache_read, cache_write = input_details.cached_tokens or 0, input_details.cache_write_tokens or 0
    by_lifetime = input_details.cache_write_tokens_details
    cache_write_long = (by_lifetime.ttl_12h_tokens or 0) if by_lifetime is not None else 0
    audio_in, image_in = input_details.audio_tokens or 0, input_details.image_tokens or 0
    reasoning, audio_out = output_details.reasoning_tokens or 0, output_details.audio_tokens or 0
    image_out = output_details.image_tokens or 0
    text_in = total_input - cache_read - cache_write - audio_in - image_in
    text_out = total_output - reasoning - audio_out - image_out
    counts = (
        text_in,
        cache_read,
        cache_write - cache_write_long,
        cache_write_long,
        audio_in,
        0,  # this wire does not say which of the cached tokens are audio
        image_in,
        text_out,
        reasoning,
        audio_out,
        image_out,
    )  # in the order of the fields of Usage
    if min(counts) < 0 or max(counts) > _LIMIT:
        return None
    service_tier = read_service_tier(tier) if tier is not None else ""
    return Usage(*counts, service_tier=service_tier) if service_tier else Usage(*counts)


def write_usage(usage: Usage) -> dict[str, Any]:
    """Return buckets as OpenAI counts them: details are parts of the totals."""
    return {
        "prompt_tokens": usage.total_input,
        "completion_tokens": usage.total_output,
        "total_tokens": usage.total,
        "prompt_tokens_details": {
            "cached_tokens": usage.cache_read + usage.audio_cache_read,
            "cache_write_tokens": usage.cache_write + usage.cache_write_long,
            "audio_tokens": usage.audio_input,
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": usage.audio_output,
        },
    }
