"""Usage of images, audio, rerank and moderations: tokens in disjoint buckets, or the unit that is billed.

Sources: OpenAI's API reference for each operation; Cohere's for ``meta.billed_units``. Usage that an answer does not
state is unknown.
"""

from math import ceil
from typing import Any

import msgspec

from antiphon.catalog.operations import Operation
from antiphon.types import Usage

_LIMIT = 1_000_000_000
"""More units than any one call can have; a larger count is a fault of the provider."""
_UNSET: Any = msgspec.UNSET


class _Parts(msgspec.Struct):
    text_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None


class _Tokens(msgspec.Struct):
    """Images have ``input_tokens_details``, transcriptions ``input_token_details``, rerankers only a total."""

    input_tokens: int | None = None
    prompt_tokens: int | None = None
    total_tokens: int | None = None
    output_tokens: int = 0
    completion_tokens: int = 0
    input_tokens_details: _Parts | None = None
    input_token_details: _Parts | None = None
    output_tokens_details: _Parts | None = None


class _Units(msgspec.Struct):
    """Units other than tokens, under the names that providers use."""

    seconds: int | float | None = None
    prompt_audio_seconds: int | float | None = None
    search_units: int | float | None = None


class Meta(msgspec.Struct):
    """Cohere's ``meta``: if it has billed units, its tokens are for information only."""

    tokens: msgspec.Raw = _UNSET
    billed_units: msgspec.Raw = _UNSET


class CountedAnswer(msgspec.Struct):
    """The fields of an answer or an event that hold usage."""

    usage: msgspec.Raw = _UNSET
    meta: Meta | None = None
    data: msgspec.Raw = _UNSET
    duration: Any = None
    svg_usage: Any = None


_decode_tokens = msgspec.json.Decoder(_Tokens).decode
_decode_units = msgspec.json.Decoder(_Units).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode


def read_usage(row: Operation, answer: CountedAnswer) -> Usage | None:
    """Return the usage, or ``None`` if the answer does not state it or states something impossible."""
    meta = answer.meta or Meta()
    for raw in (meta.billed_units, answer.usage, meta.tokens):
        if raw is _UNSET:
            continue
        usage = _read_units(bytes(raw)) or read_token_usage(bytes(raw), row.output)
        if usage is not None:
            # SVG drawings are written by another model, whose tokens have their own price.
            return msgspec.structs.replace(usage, service_tier="svg") if answer.svg_usage is not None else usage
    if answer.usage is not _UNSET and bytes(answer.usage) != b"null":
        return None
    return _count_images(answer.data) if row.unit == "images" else _read_duration(row, answer.duration)


def read_request_usage(row: Operation, document: dict[str, Any]) -> Usage | None:
    """Return the usage that follows from the request alone: speech is billed by the characters of its input."""
    text = document.get("input") if row.unit == "characters" else None
    return Usage(characters=len(text), estimated=True) if isinstance(text, str) else None


def _read_units(raw: bytes) -> Usage | None:
    try:
        units = _decode_units(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    # Mistral counts tokens as well, but bills the length of the audio.
    seconds = _round_up(units.seconds) or _round_up(units.prompt_audio_seconds)
    searches = _round_up(units.search_units)
    return Usage(seconds=seconds, searches=searches) if seconds or searches else None


def _count_images(data: msgspec.Raw) -> Usage | None:
    if data is _UNSET:
        return None
    try:
        images = len(_decode_list(data))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return Usage(images=images) if images else None


def _read_duration(row: Operation, duration: Any) -> Usage | None:
    if row.unit != "seconds":
        return None
    try:
        seconds = _round_up(float(duration) if isinstance(duration, str) else duration)
    except ValueError:
        return None
    return Usage(seconds=seconds, estimated=True) if seconds else None


def _round_up(count: Any) -> int:
    """Return a count rounded up to a whole unit; 0 for a value that is no count or impossible."""
    if isinstance(count, bool) or not isinstance(count, (int, float)) or not 0 < count <= _LIMIT:
        return 0
    return ceil(count)


def read_token_usage(raw: bytes, output_bucket: str = "output") -> Usage | None:
    """Return the buckets, or ``None`` if the object holds no tokens or the counts are impossible.

    ``output_bucket`` takes the output tokens that the details do not name as text.
    """
    try:
        tokens = _decode_tokens(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    output = tokens.output_tokens or tokens.completion_tokens
    total = tokens.input_tokens if tokens.input_tokens is not None else tokens.prompt_tokens
    if total is None:
        if tokens.total_tokens is None:
            return None
        total = tokens.total_tokens - output
    parts = tokens.input_tokens_details or tokens.input_token_details or _Parts()
    audio, image = parts.audio_tokens or 0, parts.image_tokens or 0
    fields = {"input": total - audio - image, "audio_input": audio, "image_input": image, "output": output}
    if output_bucket != "output":
        details = tokens.output_tokens_details
        fields["output"] = (details.text_tokens or 0) if details is not None else 0
        fields[output_bucket] = output - fields["output"]
    if min(fields.values()) < 0 or max(total, output) > _LIMIT:
        return None
    return Usage(**fields)  # type: ignore[arg-type]
