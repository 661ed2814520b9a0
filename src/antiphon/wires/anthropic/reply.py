"""Reads and writes whole answers (API reference, "The Message object")."""

from collections.abc import Callable
from typing import Any

import msgspec

from antiphon.clock import make_id
from antiphon.errors import BadAnswer
from antiphon.types import Usage
from antiphon.wires.anthropic import citations, errors
from antiphon.wires.anthropic.content_reader import read_thinking
from antiphon.wires.anthropic.content_writer import write_tool_input
from antiphon.wires.anthropic.finish import read_explanation, read_finish, write_finish
from antiphon.wires.anthropic.frames import Block, read_message
from antiphon.wires.anthropic.types import WIRE
from antiphon.wires.anthropic.usage import read_usage, write_usage
from antiphon.wires.checks import quote_body
from antiphon.wires.translation.foreign_signatures import ForeignSignature, pack_signature, unpack_signature
from antiphon.wires.translation.media import make_playable, write_markdown
from antiphon.wires.translation.neutral import (
    Audio,
    Choice,
    File,
    Image,
    Part,
    Refusal,
    Reply,
    Request,
    Text,
    Thinking,
    ToolCall,
)

_ID = "msg_"
_UNSET = msgspec.UNSET
_encode = msgspec.json.Encoder().encode


def read_reply(body: bytes) -> Reply:
    """See :meth:`translation.codec.Codec.read_reply`. Blocks that only this wire has are left out."""
    message = read_message(body)
    if message.error is not None or message.type == "error":
        raise BadAnswer(f"The provider reported an error: {errors.read_error(message.error)[1]}")
    if message.content is None:
        raise BadAnswer(f"The provider answered without `content`: {quote_body(body)}")
    signatures = {
        item.call: item.signature
        for item in (unpack_signature(block.signature) for block in message.content)
        if item is not None and item.call
    }
    parts = [part for block in message.content for part in _read_parts(block, signatures)]
    if explanation := read_explanation(message):
        parts.append(Refusal(explanation))
    choice = Choice(tuple(parts), read_finish(message))
    usage = read_usage(message.usage)
    return Reply(id=read_string(message.id), model=read_string(message.model), choices=(choice,), usage=usage)


def read_string(value: Any) -> str:
    """Return a string, and ``""`` for anything else."""
    return value if type(value) is str else ""


def _read_parts(block: Block, signatures: dict[str, str]) -> list[Part]:
    match block.type:
        case "text":
            citation_list = block.citations if type(block.citations) is list else []
            return [
                Text(read_string(block.text), citations=tuple(item for item in citation_list if type(item) is dict))
            ]
        case "thinking":
            return read_thinking(read_string(block.thinking), read_string(block.signature))
        case "redacted_thinking":
            return [Thinking(redacted=read_string(block.data), wire=WIRE)]
        case "tool_use":
            call_id = read_string(block.id)
            return [ToolCall(call_id, read_string(block.name), read_arguments(block), signatures.get(call_id, ""))]
    return []


def read_arguments(block: Block) -> str:
    """Return the JSON text of a tool call's input; raises :class:`BadAnswer` if it is no object."""
    if block.input is _UNSET:
        return "{}"
    text = bytes(block.input).decode()
    if not text.startswith("{"):
        raise BadAnswer(f"The provider called a tool with an input that is no object: {text[:200]!r}")
    return text


def write_reply(reply: Reply, request: Request) -> bytes:
    """See :meth:`translation.codec.Codec.write_reply`. This wire has one answer: the first."""
    choice = reply.choices[0]
    content = [block for part in choice.parts for block in _WRITERS[type(part)](part)]
    has_thinking = any(block["type"] in ("thinking", "redacted_thinking") for block in content)
    message = {
        "id": write_answer_id(reply.id),
        "type": "message",
        "role": "assistant",
        "model": reply.model or request.model,
        "content": content,
        **write_finish(choice.finish),
        "usage": write_usage(reply.usage or Usage(), has_thinking),
    }
    return _encode(message)


def write_answer_id(provider_id: str) -> str:
    """Return the id of an answer with this wire's prefix; it contains the provider's own id if there is one."""
    if not provider_id:
        return make_id(_ID[:-1])
    return provider_id if provider_id.startswith(_ID) else _ID + provider_id


def _write_text(part: Text) -> list[dict[str, Any]]:
    if not part.text:
        return []
    written_citations = [
        citation
        for neutral_citation in part.citations
        if (citation := citations.write_citation(neutral_citation, part.text))
    ]
    block: dict[str, Any] = {"type": "text", "text": part.text}
    # Without citations the member is left out, as the API does: clients that check accept no null for a list.
    return [{**block, "citations": written_citations} if written_citations else block]


def _write_refusal(part: Refusal) -> list[dict[str, Any]]:
    return _write_text(Text(part.text))


def _write_media(part: Image | File | Audio) -> list[dict[str, Any]]:
    """Write media as text, because answers of this wire have no block for it."""
    return _write_text(Text(write_markdown(make_playable(part) if isinstance(part, Audio) else part)))


def _write_thinking(part: Thinking) -> list[dict[str, Any]]:
    if part.wire == WIRE:
        if part.redacted:
            return [{"type": "redacted_thinking", "data": part.redacted}]
        return [{"type": "thinking", "thinking": part.text, "signature": part.signature}]
    signature = ForeignSignature(part.wire, part.signature, part.redacted, part.id)
    if not part.text and signature == ForeignSignature(part.wire):
        return []
    return [{"type": "thinking", "thinking": part.text, "signature": pack_signature(signature)}]


def _write_tool_call(part: ToolCall) -> list[dict[str, Any]]:
    block = {"type": "tool_use", "id": part.id, "name": part.name, "input": write_tool_input(part.arguments)}
    return [write_signature_block(part.id, part.signature), block] if part.signature else [block]


def write_signature_block(call: str, signature: str, wire: str = "") -> dict[str, Any]:
    """Return a block that carries a tool call's thought signature, for which this wire has no member."""
    packed = pack_signature(ForeignSignature(wire, signature, call=call))
    return {"type": "thinking", "thinking": "", "signature": packed}


_WRITERS: dict[type[Any], Callable[[Any], list[dict[str, Any]]]] = {
    Text: _write_text,
    Refusal: _write_refusal,
    Thinking: _write_thinking,
    ToolCall: _write_tool_call,
    Image: _write_media,
    File: _write_media,
    Audio: _write_media,
}
