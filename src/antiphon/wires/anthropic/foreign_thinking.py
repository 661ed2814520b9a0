"""Removes the thinking of other wires' models from a caller's Messages body.

Antiphon packs such thinking into signatures that clients of this wire keep. No provider of this wire accepts them.
"""

from typing import Any

from antiphon.wires import body as bodies
from antiphon.wires.json_text import encode_json
from antiphon.wires.translation.foreign_signatures import MARK, unpack_signature

_SIGNATURE_MARK = b'"' + MARK.encode()


def remove_foreign_thinking(body: bytes, document: dict[str, Any]) -> bytes:
    """Return a request's bytes without blocks that carry foreign thinking; the same bytes if there are none."""
    if _SIGNATURE_MARK not in body:
        return body
    messages = [message for message in map(_strip_message, document["messages"]) if message is not None]
    if messages == document["messages"]:
        return body
    return bodies.replace(body, "messages", encode_json(messages))


def _strip_message(message: Any) -> Any:
    """Return a message without such blocks; ``None`` if nothing remains."""
    content = message.get("content") if type(message) is dict else None
    if type(content) is not list:
        return message
    blocks = [block for block in content if not (type(block) is dict and unpack_signature(block.get("signature")))]
    if len(blocks) == len(content):
        return message
    return {**message, "content": blocks} if blocks else None
