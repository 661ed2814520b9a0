"""A whole answer, to and from the neutral form (API reference, "The Message object")."""

from collections.abc import Callable
from typing import Any

import msgspec

from antiphon.clock import new_id
from antiphon.errors import BadAnswer
from antiphon.types import Usage
from antiphon.wires.anthropic import citations, errors, stops, usage
from antiphon.wires.anthropic.frames import Block, excerpt, message_of
from antiphon.wires.anthropic.read_content import WIRE, thinking_of
from antiphon.wires.anthropic.write_content import input_of
from antiphon.wires.translation.foreign_signatures import Carried, pack, unpack
from antiphon.wires.translation.media import playable, text_of
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
    """See :meth:`translation.codec.Codec.read_reply`. Blocks that only this wire has are not shown."""
    message = message_of(body)
    if message.error is not None or message.type == "error":
        raise BadAnswer(f"The provider reported an error: {errors.problem(message.error)[1]}")
    if message.content is None:
        raise BadAnswer(f"The provider answered without `content`: {excerpt(body)}")
    signatures = {
        item.call: item.signature
        for item in (unpack(block.signature) for block in message.content)
        if item is not None and item.call
    }
    parts = [part for block in message.content for part in _parts(block, signatures)]
    if words := stops.explanation(message):
        parts.append(Refusal(words))
    choice = Choice(tuple(parts), stops.read(message))
    return Reply(id=_word(message.id), model=_word(message.model), choices=(choice,), usage=usage.read(message.usage))


def _word(value: Any) -> str:
    return value if type(value) is str else ""


def _parts(block: Block, signatures: dict[str, str]) -> list[Part]:
    match block.type:
        case "text":
            cited = block.citations if type(block.citations) is list else []
            return [Text(_word(block.text), citations=tuple(item for item in cited if type(item) is dict))]
        case "thinking":
            return thinking_of(_word(block.thinking), _word(block.signature))
        case "redacted_thinking":
            return [Thinking(redacted=_word(block.data), wire=WIRE)]
        case "tool_use":
            known = _word(block.id)
            return [ToolCall(known, _word(block.name), arguments_of(block), signatures.get(known, ""))]
    return []


def arguments_of(block: Block) -> str:
    """Return the JSON text of a tool call's input; raises :class:`BadAnswer` where it is no object."""
    if block.input is _UNSET:
        return "{}"
    text = bytes(block.input).decode()
    if not text.startswith("{"):
        raise BadAnswer(f"The provider called a tool with an input that is no object: {text[:200]!r}")
    return text


def write_reply(reply: Reply, request: Request) -> bytes:
    """See :meth:`translation.codec.Codec.write_reply`. This wire has one answer: the first."""
    choice = reply.choices[0]
    content = [block for part in choice.parts for block in _BLOCKS[type(part)](part)]
    thought = any(block["type"] in ("thinking", "redacted_thinking") for block in content)
    message = {
        "id": answer_id(reply.id),
        "type": "message",
        "role": "assistant",
        "model": reply.model or request.model,
        "content": content,
        **stops.written(choice.finish),
        "usage": usage.whole(reply.usage or Usage(), thought),
    }
    return _encode(message)


def answer_id(known: str) -> str:
    """Return the id of an answer as this wire begins it, with the provider's own id in it, where it told one."""
    if not known:
        return new_id(_ID[:-1])
    return known if known.startswith(_ID) else _ID + known


def _text(part: Text) -> list[dict[str, Any]]:
    if not part.text:
        return []
    cited = [shown for item in part.citations if (shown := citations.shown(item, part.text))]
    block: dict[str, Any] = {"type": "text", "text": part.text}
    # Left out where there are none, as the API does: clients that check take no null for a list.
    return [{**block, "citations": cited} if cited else block]


def _refusal(part: Refusal) -> list[dict[str, Any]]:
    return _text(Text(part.text))


def _shown(part: Image | File | Audio) -> list[dict[str, Any]]:
    """Tell what this wire's answers have no block for as a text of its own."""
    return _text(Text(text_of(playable(part) if isinstance(part, Audio) else part)))


def _thinking(part: Thinking) -> list[dict[str, Any]]:
    if part.wire == WIRE:
        if part.redacted:
            return [{"type": "redacted_thinking", "data": part.redacted}]
        return [{"type": "thinking", "thinking": part.text, "signature": part.signature}]
    carried = Carried(part.wire, part.signature, part.redacted, part.id)
    if not part.text and carried == Carried(part.wire):
        return []
    return [{"type": "thinking", "thinking": part.text, "signature": pack(carried)}]


def _tool_call(part: ToolCall) -> list[dict[str, Any]]:
    block = {"type": "tool_use", "id": part.id, "name": part.name, "input": input_of(part.arguments)}
    return [signature_block(part.id, part.signature), block] if part.signature else [block]


def signature_block(call: str, signature: str, wire: str = "") -> dict[str, Any]:
    """Return the block that carries a tool call's thought signature, which has no member of its own here."""
    carried = pack(Carried(wire, signature, call=call))
    return {"type": "thinking", "thinking": "", "signature": carried}


_BLOCKS: dict[type[Any], Callable[[Any], list[dict[str, Any]]]] = {
    Text: _text,
    Refusal: _refusal,
    Thinking: _thinking,
    ToolCall: _tool_call,
    Image: _shown,
    File: _shown,
    Audio: _shown,
}
