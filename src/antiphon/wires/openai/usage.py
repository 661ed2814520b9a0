"""OpenAI's ``usage`` object to disjoint buckets (API reference, "The chat completion object": usage)."""

import msgspec

from antiphon.types import Usage
from antiphon.wires.wire import read_service_tier

_LIMIT = 1_000_000_000
"""More tokens than any one call can have; a larger count is a fault of the provider."""


class WriteDetails(msgspec.Struct):
    """What was written to the cache, by how long it is kept there."""

    ttl_12h_tokens: int | None = None
    ttl_30m_tokens: int | None = None


class InputDetails(msgspec.Struct):
    """Parts of what went in."""

    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None
    cache_write_tokens_details: WriteDetails | None = None


class OutputDetails(msgspec.Struct):
    """Parts of what came out."""

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


def read(raw: bytes, tier: object = None) -> Usage | None:
    """Return the buckets, or ``None`` where the object is missing, malformed, negative or impossibly large.

    ``tier`` is the ``service_tier`` that stands beside it.
    """
    try:
        usage = _decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    before, after = usage.prompt_tokens_details or InputDetails(), usage.completion_tokens_details or OutputDetails()
    output, reasoning = usage.completion_tokens, after.reasoning_tokens or 0
    if reasoning and usage.total_tokens == usage.prompt_tokens + output + reasoning:
        output += reasoning  # a few providers count reasoning beside the completion, OpenAI within it
    return buckets(usage.prompt_tokens, output, before, after, tier)


def buckets(
    total_input: int, total_output: int, before: InputDetails, after: OutputDetails, tier: object = None
) -> Usage | None:
    """Return totals less their details as buckets, or ``None`` where they contradict each other or are impossible."""
    cached, written = before.cached_tokens or 0, before.cache_write_tokens or 0
    long = before.cache_write_tokens_details
    kept = (long.ttl_12h_tokens or 0) if long is not None else 0
    audio_in, image_in = before.audio_tokens or 0, before.image_tokens or 0
    reasoning, audio_out, image_out = after.reasoning_tokens or 0, after.audio_tokens or 0, after.image_tokens or 0
    fresh = total_input - cached - written - audio_in - image_in
    said = total_output - reasoning - audio_out - image_out
    # In the order of the fields: cached audio is not told apart on this wire.
    counts = (fresh, cached, written - kept, kept, audio_in, 0, image_in, said, reasoning, audio_out, image_out)
    if min(counts) < 0 or max(counts) > _LIMIT:
        return None
    served = read_service_tier(tier) if tier is not None else ""
    return Usage(*counts, service_tier=served) if served else Usage(*counts)
