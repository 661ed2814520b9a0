"""The ``usage`` object of a response to disjoint buckets and back (API reference, "The response object": usage).

``input_tokens`` includes cached and cache-written tokens, ``output_tokens`` includes reasoning.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from antiphon.types import Usage
from antiphon.wires.openai.usage import InputDetails, OutputDetails, split_totals


class _Action(msgspec.Struct):
    type: Any = None


class _Item(msgspec.Struct):
    type: Any = None
    action: _Action | None = None


class _Usage(msgspec.Struct):
    input_tokens: int
    output_tokens: int = 0
    input_tokens_details: InputDetails | None = None
    output_tokens_details: OutputDetails | None = None


_decode = msgspec.json.Decoder(_Usage).decode
_decode_item = msgspec.json.Decoder(_Item).decode
_SEARCH_CALL = b'"web_search_call"'


def read_usage(raw: bytes, tier: object = None, output: Iterable[msgspec.Raw] | None = None) -> Usage | None:
    """Return the buckets, or ``None`` if the object is missing, malformed, negative or impossibly large.

    ``tier`` is the response's ``service_tier``. ``output`` has the items whose searches are billed, because ``usage``
    does not count them.
    """
    try:
        counts = _decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    input_details, output_details = (
        counts.input_tokens_details or InputDetails(),
        counts.output_tokens_details or OutputDetails(),
    )
    usage = split_totals(counts.input_tokens, counts.output_tokens, input_details, output_details, tier)
    if usage is None or not (searches := sum(map(_is_search, output or ()))):
        return usage
    return msgspec.structs.replace(usage, searches=searches)


def _is_search(item: msgspec.Raw) -> bool:
    """Say whether an output item is a billed search; opening a page from the results is not billed."""
    if _SEARCH_CALL not in (raw := bytes(item)):
        return False
    try:
        call = _decode_item(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return call.type == "web_search_call" and (call.action is None or call.action.type in (None, "search"))


def write_usage(usage: Usage | None) -> dict[str, Any] | None:
    """Return the object; it has audio and image counts only if there are some, because OpenAI writes none."""
    if usage is None:
        return None
    input_details: dict[str, Any] = {
        "cached_tokens": usage.cache_read + usage.audio_cache_read,
        "cache_write_tokens": usage.cache_write + usage.cache_write_long,
    }
    output_details: dict[str, Any] = {"reasoning_tokens": usage.reasoning}
    optional = (
        (input_details, "audio_tokens", usage.audio_input),
        (input_details, "image_tokens", usage.image_input),
        (output_details, "audio_tokens", usage.audio_output),
        (output_details, "image_tokens", usage.image_output),
    )
    if usage.cache_write_long:
        by_lifetime = {"ttl_12h_tokens": usage.cache_write_long, "ttl_30m_tokens": usage.cache_write}
        input_details["cache_write_tokens_details"] = by_lifetime
    for details, name, count in optional:
        if count:
            details[name] = count
    return {
        "input_tokens": usage.total_input,
        "input_tokens_details": input_details,
        "output_tokens": usage.total_output,
        "output_tokens_details": output_details,
        "total_tokens": usage.total,
    }
