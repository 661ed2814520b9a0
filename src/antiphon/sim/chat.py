"""Chat completions as OpenAI shapes them, made of what a simulated model said."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

import msgspec

from antiphon.sim import text
from antiphon.sim.frames import Frames, interleaved
from antiphon.sim.speech import Envelope, Said, logprob

_encode = msgspec.json.encode


def whole(said: list[Said], envelope: Envelope, usage: bytes, logprobs: bool) -> bytes:
    """Return a ``chat.completion`` object; ``usage`` is JSON text, empty for none."""
    choices = [
        {
            "index": index,
            "message": _message(choice, envelope, index),
            "logprobs": {"content": [logprob(piece) for piece in choice.pieces()]} if logprobs else None,
            "finish_reason": _reason(choice),
        }
        for index, choice in enumerate(said)
    ]
    return (
        b'{"id":"%s","object":"chat.completion","created":%d,"model":%s,"choices":%s%s,'
        b'"service_tier":"default","system_fingerprint":"fp_sim"%s}'
    ) % (
        envelope.id.encode(),
        envelope.created,
        envelope.model,
        _encode(choices),
        b',"usage":' + usage if usage else b"",
        envelope.extra,
    )


def frames(said: list[Said], envelope: Envelope, usage: bytes, logprobs: bool) -> Frames:
    """Return the events of a ``chat.completion.chunk`` stream; ``usage`` is JSON text, empty where not asked for."""
    before = (
        b'data: {"id":"%s","object":"chat.completion.chunk","created":%d,"model":%s,"service_tier":"default",'
        b'"system_fingerprint":"fp_sim","choices":['
    ) % (envelope.id.encode(), envelope.created, envelope.model)
    after = (b'],"usage":null' if usage else b"]") + envelope.extra + b"}\n\n"
    heads, tokens, ends = [], [], []
    for index, choice in enumerate(said):
        opening = b'%s{"index":%d,"delta":' % (before, index)
        closing = b',"logprobs":null,"finish_reason":null}' + after
        if choice.tools:
            heads.append(opening + b'{"role":"assistant","content":null}' + closing)
            tokens.append(_thought(choice, _tool_tokens(choice, envelope, index, opening, closing), opening, closing))
        else:
            heads.append(opening + b'{"role":"assistant","content":"","refusal":null}' + closing)
            tokens.append(_thought(choice, _text_tokens(choice, opening, after, logprobs), opening, closing))
        ends.append(b'%s{},"logprobs":null,"finish_reason":%s}%s' % (opening, _encode(_reason(choice)), after))
    last = before + b'],"usage":' + usage + envelope.extra + b"}\n\n" if usage else b""
    return Frames(b"".join(heads), interleaved(tokens), b"".join(ends), last)


def _reason(choice: Said) -> str | None:
    return "stop" if choice.finish == "refusal" else choice.finish


def _thought(choice: Said, said: Iterator[bytes], opening: bytes, closing: bytes) -> Iterator[bytes]:
    """Put the thinking before what was said, in the field that servers of this wire have for it."""
    if not choice.thinking:
        return said
    thinking = (opening + _encode({"reasoning_content": piece}) + closing for piece in text.pieces(choice.thinking))
    return chain(thinking, said)


def _text_tokens(choice: Said, opening: bytes, after: bytes, logprobs: bool) -> Iterator[bytes]:
    opening += b'{"refusal":' if choice.finish == "refusal" else b'{"content":'
    if logprobs:
        for piece in choice.pieces():
            chances = _encode({"content": [logprob(piece)]})
            yield b'%s%s},"logprobs":%s,"finish_reason":null}%s' % (opening, _encode(piece), chances, after)
        return
    closing = b'},"logprobs":null,"finish_reason":null}' + after
    for piece in choice.pieces():
        yield opening + _encode(piece) + closing


def _tool_tokens(choice: Said, envelope: Envelope, at: int, opening: bytes, closing: bytes) -> Iterator[bytes]:
    for index, tool in enumerate(choice.tools):
        function = {"name": tool.name, "arguments": ""}
        first = {"index": index, "id": _call_id(envelope, at, index), "type": "function", "function": function}
        rest = ({"index": index, "function": {"arguments": piece}} for piece in text.pieces(tool.arguments))
        for part in chain((first,), rest):
            yield opening + _encode({"tool_calls": [part]}) + closing


def _message(choice: Said, envelope: Envelope, at: int) -> dict[str, Any]:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if choice.tools or choice.finish == "refusal" else choice.text,
        "refusal": choice.text if choice.finish == "refusal" else None,
        "annotations": [],
    }
    if choice.thinking:
        message["reasoning_content"] = choice.thinking
    if choice.tools:
        message["tool_calls"] = [
            {
                "id": _call_id(envelope, at, index),
                "type": "function",
                "function": {"name": tool.name, "arguments": tool.arguments},
            }
            for index, tool in enumerate(choice.tools)
        ]
    return message


def _call_id(envelope: Envelope, choice: int, index: int) -> str:
    return f"call_{envelope.id[-18:]}{choice:03d}{index:03d}"
