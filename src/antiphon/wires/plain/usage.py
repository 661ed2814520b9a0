"""The ``usage`` of images, audio, rerank and moderations to disjoint buckets (OpenAI API reference: each operation)."""

import msgspec

from antiphon.types import Usage

_LIMIT = 1_000_000_000


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


_decode = msgspec.json.Decoder(_Counts).decode


def read(raw: bytes) -> Usage | None:
    """Return the buckets, or ``None`` where tokens are not what was counted, or the counts are impossible."""
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
    rest = total - audio - image
    if min(rest, audio, image, output) < 0 or max(total, output) > _LIMIT:
        return None
    return Usage(input=rest, audio_input=audio, image_input=image, output=output)
