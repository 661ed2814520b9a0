"""What images, audio, rerank and moderations used: tokens in disjoint buckets, or the unit that is billed.

OpenAI's API reference, each operation; Cohere's for ``meta.billed_units``. What an answer does not tell is unknown.
"""

from math import ceil
from typing import Any

import msgspec

from antiphon.catalog.operations import Operation
from antiphon.types import Usage

_LIMIT = 1_000_000_000
_UNSET: Any = msgspec.UNSET


class _Parts(msgspec.Struct):
    text_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None


class _Counts(msgspec.Struct):
    """Images write ``input_tokens_details``, transcriptions ``input_token_details``, rerankers a total alone."""

    input_tokens: int | None = None
    prompt_tokens: int | None = None
    total_tokens: int | None = None
    output_tokens: int = 0
    completion_tokens: int = 0
    input_tokens_details: _Parts | None = None
    input_token_details: _Parts | None = None
    output_tokens_details: _Parts | None = None


class _Billed(msgspec.Struct):
    """Units, by whichever name: what is billed where tokens are not."""

    seconds: int | float | None = None
    prompt_audio_seconds: int | float | None = None
    search_units: int | float | None = None


class Meta(msgspec.Struct):
    """Cohere's account of an answer; where units are billed, its tokens are only told."""

    tokens: msgspec.Raw = _UNSET
    billed_units: msgspec.Raw = _UNSET


class Told(msgspec.Struct):
    """The members of an answer, or of an event, that say what was used."""

    usage: msgspec.Raw = _UNSET
    meta: Meta | None = None
    data: msgspec.Raw = _UNSET
    duration: Any = None
    svg_usage: Any = None


_decode = msgspec.json.Decoder(_Counts).decode
_decode_billed = msgspec.json.Decoder(_Billed).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode


def of(row: Operation, told: Told) -> Usage | None:
    """Return what was used, or ``None`` where an answer does not say, or says something impossible."""
    meta = told.meta or Meta()
    for raw in (meta.billed_units, told.usage, meta.tokens):
        if raw is not _UNSET and (used := _billed(bytes(raw)) or read(bytes(raw), row.output)) is not None:
            # Drawings in SVG are written by another model, whose tokens are billed at its own price.
            return msgspec.structs.replace(used, service_tier="svg") if told.svg_usage is not None else used
    return _by_unit(row, told) if told.usage is _UNSET or bytes(told.usage) == b"null" else None


def asked(row: Operation, document: dict[str, Any]) -> Usage | None:
    """Return what a request alone says will be used: speech is billed by the characters that are read."""
    words = document.get("input") if row.unit == "characters" else None
    return Usage(characters=len(words), estimated=True) if isinstance(words, str) else None


def _billed(raw: bytes) -> Usage | None:
    try:
        units = _decode_billed(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    # Mistral counts tokens as well, and bills the length of the audio.
    seconds, searches = _whole(units.seconds) or _whole(units.prompt_audio_seconds), _whole(units.search_units)
    return Usage(seconds=seconds, searches=searches) if seconds or searches else None


def _by_unit(row: Operation, told: Told) -> Usage | None:
    if row.unit == "images" and told.data is not _UNSET:
        try:
            made = len(_decode_list(told.data))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None
        return Usage(images=made) if made else None
    if row.unit == "seconds":
        length = told.duration
        try:
            seconds = _whole(float(length) if isinstance(length, str) else length)
        except ValueError:
            return None
        return Usage(seconds=seconds, estimated=True) if seconds else None
    return None


def _whole(count: Any) -> int:
    """Return a count with what has begun counted whole, and 0 for what is none."""
    if isinstance(count, bool) or not isinstance(count, int | float) or not 0 < count <= _LIMIT:
        return 0
    return ceil(count)


def read(raw: bytes, out: str = "output") -> Usage | None:
    """Return the buckets, or ``None`` where tokens are not what was counted, or the counts are impossible.

    ``out`` is the bucket of what came out, where the details do not say.
    """
    try:
        counts = _decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    output = counts.output_tokens or counts.completion_tokens
    total = counts.input_tokens if counts.input_tokens is not None else counts.prompt_tokens
    if total is None:
        if counts.total_tokens is None:
            return None
        total = counts.total_tokens - output
    parts = counts.input_tokens_details or counts.input_token_details or _Parts()
    audio, image = parts.audio_tokens or 0, parts.image_tokens or 0
    said = (counts.output_tokens_details.text_tokens or 0) if counts.output_tokens_details is not None else 0
    made = {"output": said, out: output} if out == "output" else {"output": said, out: output - said}
    fields = {"input": total - audio - image, "audio_input": audio, "image_input": image, **made}
    if min(fields.values()) < 0 or max(total, output) > _LIMIT:
        return None
    return Usage(**fields)  # type: ignore[arg-type]
