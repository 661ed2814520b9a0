"""A caller's own chat body, without what we had put into earlier answers for other wires.

Signed thinking and thought signatures of calls travel through chat clients in members that strict servers of this wire
do not know, and refuse the whole request for. What a provider of this wire has put there itself stays.
"""

from typing import Any

import msgspec

from antiphon.wires import body as bodies
from antiphon.wires.carried import MARK
from antiphon.wires.openai.reply import carries

_MARKS = (b'"thinking_blocks"', b'"' + MARK.encode())
_encode = msgspec.json.Encoder().encode


def without_carried(body: bytes, document: dict[str, Any]) -> bytes:
    """Return a request's bytes without what was carried; the same bytes where there is nothing."""
    if not any(mark in body for mark in _MARKS):
        return body
    messages = document["messages"]
    kept = [_stripped(message) for message in messages]
    return body if kept == messages else bodies.replace(body, "messages", _encode(kept))


def _stripped(message: dict[str, Any]) -> dict[str, Any]:
    blocks, calls = message.get("thinking_blocks"), message.get("tool_calls")
    if type(blocks) is list:
        kept = [block for block in blocks if not (type(block) is dict and "wire" in block)]
        message = {**message, "thinking_blocks": kept}
        if not kept:
            del message["thinking_blocks"]
    if type(calls) is list:
        message = {**message, "tool_calls": [_unsigned(call) for call in calls]}
    return message


def _unsigned(call: Any) -> Any:
    if type(call) is not dict or not carries(call.get("extra_content")):
        return call
    return {name: value for name, value in call.items() if name != "extra_content"}
