"""A caller's own Messages body, without what we had put into it for other wires.

No provider of this wire accepts a signature that another wire's model made.
"""

from typing import Any

import msgspec

from antiphon.wires import body as bodies
from antiphon.wires.translation.foreign_signatures import MARK, unpack

_MARKED = b'"' + MARK.encode()
_encode = msgspec.json.Encoder().encode


def without_carried(body: bytes, document: dict[str, Any]) -> bytes:
    """Return a request's bytes without carried blocks; the same bytes where it has none."""
    if _MARKED not in body:
        return body
    kept = [message for message in map(_stripped, document["messages"]) if message is not None]
    if kept == document["messages"]:
        return body
    return bodies.replace(body, "messages", _encode(kept))


def _stripped(message: Any) -> Any:
    content = message.get("content") if type(message) is dict else None
    if type(content) is not list:
        return message
    kept = [block for block in content if not (type(block) is dict and unpack(block.get("signature")))]
    if len(kept) == len(content):
        return message
    return {**message, "content": kept} if kept else None
