"""Legacy text completions in OpenAI's shape, made of the outputs of a simulated model."""

from collections.abc import Iterator
from typing import Any

import msgspec

from antiphon.sim.model_output import LOGPROB, AnswerMetadata, ModelOutput
from antiphon.sim.stream_parts import OpenAIStreamParts, interleave_tokens
from antiphon.sim.text import TOKEN_LENGTH

ID_PREFIX = "cmpl-"
_encode = msgspec.json.encode


def write_body(outputs: list[ModelOutput], metadata: AnswerMetadata, usage: bytes, logprobs: bool) -> bytes:
    """Return a ``text_completion`` object; ``usage`` is JSON text, empty to leave it out."""
    choices = [
        {
            "text": output.text,
            "index": index,
            "logprobs": _make_logprobs(list(output.split_text()), 0) if logprobs else None,
            "finish_reason": output.finish,
        }
        for index, output in enumerate(outputs)
    ]
    return b'{"id":"%s","object":"text_completion","created":%d,"model":%s,"choices":%s%s%s}' % (
        metadata.id.encode(),
        metadata.created,
        metadata.model,
        _encode(choices),
        b',"usage":' + usage if usage else b"",
        metadata.extra,
    )


def write_stream(
    outputs: list[ModelOutput], metadata: AnswerMetadata, usage: bytes, logprobs: bool
) -> OpenAIStreamParts:
    """Return the events of a ``text_completion`` stream; ``usage`` is JSON text, empty to leave it out."""
    before = b'data: {"id":"%s","object":"text_completion","created":%d,"model":%s,"choices":[' % (
        metadata.id.encode(),
        metadata.created,
        metadata.model,
    )
    after = (b'],"usage":null' if usage else b"]") + metadata.extra + b"}\n\n"
    tokens = [_write_tokens(output, before, index, after, logprobs) for index, output in enumerate(outputs)]
    ends = [
        b'%s{"text":"","index":%d,"logprobs":null,"finish_reason":%s}%s'
        % (before, index, _encode(output.finish), after)
        for index, output in enumerate(outputs)
    ]
    last = before + b'],"usage":' + usage + metadata.extra + b"}\n\n" if usage else b""
    return OpenAIStreamParts(b"", interleave_tokens(tokens), b"".join(ends), last)


def _write_tokens(output: ModelOutput, before: bytes, index: int, after: bytes, logprobs: bool) -> Iterator[bytes]:
    offset = 0
    for token in output.split_text():
        yield b'%s{"text":%s,"index":%d,"logprobs":%s,"finish_reason":null}%s' % (
            before,
            _encode(token),
            index,
            _encode(_make_logprobs([token], offset)) if logprobs else b"null",
            after,
        )
        offset += len(token)


def _make_logprobs(tokens: list[str], offset: int) -> dict[str, Any]:
    return {
        "tokens": tokens,
        "token_logprobs": [LOGPROB] * len(tokens),
        "top_logprobs": [{token: LOGPROB} for token in tokens],
        "text_offset": [offset + TOKEN_LENGTH * number for number in range(len(tokens))],
    }
