"""Chat completions in OpenAI's shape, made of the outputs of a simulated model."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

import msgspec

from antiphon.sim.model_output import AnswerMetadata, ModelOutput, make_logprob
from antiphon.sim.stream_parts import OpenAIStreamParts, interleave_tokens
from antiphon.sim.text import split_tokens

ID_PREFIX = "chatcmpl-"
_encode = msgspec.json.encode


def write_body(outputs: list[ModelOutput], metadata: AnswerMetadata, usage: bytes, logprobs: bool) -> bytes:
    """Return a ``chat.completion`` object; ``usage`` is JSON text, empty to leave it out."""
    choices = [
        {
            "index": index,
            "message": _make_message(output, metadata, index),
            "logprobs": {"content": [make_logprob(token) for token in output.split_text()]} if logprobs else None,
            "finish_reason": _get_finish_reason(output),
        }
        for index, output in enumerate(outputs)
    ]
    return (
        b'{"id":"%s","object":"chat.completion","created":%d,"model":%s,"choices":%s%s,'
        b'"service_tier":"default","system_fingerprint":"fp_sim"%s}'
    ) % (
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
    """Return the events of a ``chat.completion.chunk`` stream; ``usage`` is JSON text, empty to leave it out."""
    before = (
        b'data: {"id":"%s","object":"chat.completion.chunk","created":%d,"model":%s,"service_tier":"default",'
        b'"system_fingerprint":"fp_sim","choices":['
    ) % (metadata.id.encode(), metadata.created, metadata.model)
    after = (b'],"usage":null' if usage else b"]") + metadata.extra + b"}\n\n"
    heads, tokens, ends = [], [], []
    for index, output in enumerate(outputs):
        opening = b'%s{"index":%d,"delta":' % (before, index)
        closing = b',"logprobs":null,"finish_reason":null}' + after
        if output.tools:
            heads.append(opening + b'{"role":"assistant","content":null}' + closing)
            answer = _write_tool_tokens(output, metadata, index, opening, closing)
        else:
            heads.append(opening + b'{"role":"assistant","content":"","refusal":null}' + closing)
            answer = _write_text_tokens(output, opening, after, logprobs)
        tokens.append(chain(_write_thinking_tokens(output, opening, closing), answer))
        reason = _encode(_get_finish_reason(output))
        ends.append(b'%s{},"logprobs":null,"finish_reason":%s}%s' % (opening, reason, after))
    last = before + b'],"usage":' + usage + metadata.extra + b"}\n\n" if usage else b""
    return OpenAIStreamParts(b"".join(heads), interleave_tokens(tokens), b"".join(ends), last)


def _get_finish_reason(output: ModelOutput) -> str | None:
    return "stop" if output.finish == "refusal" else output.finish


def _write_thinking_tokens(output: ModelOutput, opening: bytes, closing: bytes) -> Iterator[bytes]:
    """Yield the thinking, in the field that servers of this wire have for it."""
    for token in split_tokens(output.thinking):
        yield opening + _encode({"reasoning_content": token}) + closing


def _write_text_tokens(output: ModelOutput, opening: bytes, after: bytes, logprobs: bool) -> Iterator[bytes]:
    opening += b'{"refusal":' if output.finish == "refusal" else b'{"content":'
    if logprobs:
        for token in output.split_text():
            logprob = _encode({"content": [make_logprob(token)]})
            yield b'%s%s},"logprobs":%s,"finish_reason":null}%s' % (opening, _encode(token), logprob, after)
        return
    closing = b'},"logprobs":null,"finish_reason":null}' + after
    for token in output.split_text():
        yield opening + _encode(token) + closing


def _write_tool_tokens(
    output: ModelOutput, metadata: AnswerMetadata, choice: int, opening: bytes, closing: bytes
) -> Iterator[bytes]:
    for index, tool in enumerate(output.tools):
        function = {"name": tool.name, "arguments": ""}
        call_id = _make_call_id(metadata, choice, index)
        first = {"index": index, "id": call_id, "type": "function", "function": function}
        rest = ({"index": index, "function": {"arguments": token}} for token in split_tokens(tool.arguments))
        for part in chain((first,), rest):
            yield opening + _encode({"tool_calls": [part]}) + closing


def _make_message(output: ModelOutput, metadata: AnswerMetadata, choice: int) -> dict[str, Any]:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if output.tools or output.finish == "refusal" else output.text,
        "refusal": output.text if output.finish == "refusal" else None,
        "annotations": [],
    }
    if output.thinking:
        message["reasoning_content"] = output.thinking
    if output.tools:
        message["tool_calls"] = [
            {
                "id": _make_call_id(metadata, choice, index),
                "type": "function",
                "function": {"name": tool.name, "arguments": tool.arguments},
            }
            for index, tool in enumerate(output.tools)
        ]
    return message


def _make_call_id(metadata: AnswerMetadata, choice: int, index: int) -> str:
    return f"call_{metadata.id[-18:]}{choice:03d}{index:03d}"
