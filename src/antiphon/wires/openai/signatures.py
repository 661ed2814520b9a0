"""Signatures of other wires in chat messages: signed thinking blocks and thought signatures of tool calls.

Chat clients keep both: thinking in ``thinking_blocks`` of a message, a thought signature in ``extra_content`` of a tool
call (Gemini's OpenAI compatibility, "extra_content"). Strict servers of this wire reject a request with these unknown
members, so :func:`remove_foreign_signatures` removes those that Antiphon added for another wire. Members that a
provider of this wire added stay.
"""

from typing import Any

import msgspec

from antiphon.wires import body as bodies
from antiphon.wires.translation.foreign_signatures import ForeignSignature, pack_signature, unpack_signature
from antiphon.wires.translation.neutral import Thinking

_encode = msgspec.json.Encoder().encode


def read_signature(extra_content: Any) -> str:
    """Return the thought signature of a tool call, ``""`` if it has none."""
    signature = _get_signature(extra_content)
    foreign = unpack_signature(signature)
    return signature if foreign is None else foreign.signature


def write_signature(signature: str) -> dict[str, Any]:
    """Return the ``extra_content`` in which a client keeps another wire's thought signature."""
    return {"google": {"thought_signature": pack_signature(ForeignSignature("gemini", signature))}}


def _get_signature(extra_content: Any) -> str:
    google = extra_content.get("google") if isinstance(extra_content, dict) else None
    return str(google.get("thought_signature") or "") if isinstance(google, dict) else ""


def write_thinking_block(part: Thinking) -> dict[str, Any]:
    """Return signed thinking in the form in which clients send it back with its message."""
    if part.redacted:
        return {"type": "redacted_thinking", "data": part.redacted, "wire": part.wire}
    block = {"type": "thinking", "thinking": part.text, "signature": part.signature, "wire": part.wire}
    return block | ({"id": part.id} if part.id else {})


def remove_foreign_signatures(body: bytes, document: dict[str, Any]) -> bytes:
    """Return a request's body without signatures of other wires; the same object if it has none."""
    # Nearly always, and cheap to find out: `in` on bytes would first raise and drop a TypeError.
    if body.find(b"thinking_blocks") < 0 and body.find(b"extra_content") < 0:
        return body
    messages = document["messages"]
    own_messages = [_clean_message(message) for message in messages]
    return body if own_messages == messages else bodies.replace(body, "messages", _encode(own_messages))


def _clean_message(message: dict[str, Any]) -> dict[str, Any]:
    blocks, calls = message.get("thinking_blocks"), message.get("tool_calls")
    if type(blocks) is list and any(map(_is_foreign_block, blocks)):
        message = {**message, "thinking_blocks": [block for block in blocks if not _is_foreign_block(block)]}
        if not message["thinking_blocks"]:
            del message["thinking_blocks"]
    if type(calls) is list and any(map(_has_foreign_signature, calls)):
        message = {**message, "tool_calls": [_clean_call(call) for call in calls]}
    return message


def _is_foreign_block(block: Any) -> bool:
    return type(block) is dict and "wire" in block


def _has_foreign_signature(call: Any) -> bool:
    return type(call) is dict and unpack_signature(_get_signature(call.get("extra_content"))) is not None


def _clean_call(call: Any) -> Any:
    if not _has_foreign_signature(call):
        return call
    return {name: value for name, value in call.items() if name != "extra_content"}
