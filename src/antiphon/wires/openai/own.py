"""A caller's own chat body, without what we had put into earlier answers for other wires.

Signed thinking and thought signatures of calls travel through chat clients in members that strict servers of this wire
do not know, and refuse the whole request for. What a provider of this wire has put there itself stays.
"""

from typing import Any

import msgspec

from antiphon.wires import body as bodies
from antiphon.wires.openai.reply import carries

_encode = msgspec.json.Encoder().encode


def without_carried(body: bytes, document: dict[str, Any]) -> bytes:
    """Return a request's bytes without what was carried; the same bytes where there is nothing."""
    if b"thinking_blocks" not in body and b"extra_content" not in body:  # nearly always, and cheaper than to look in
        return body
    messages = document["messages"]
    kept = [_stripped(message) for message in messages]
    return body if kept == messages else bodies.replace(body, "messages", _encode(kept))


def _stripped(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message without what was carried, or the same object where it carries nothing."""
    blocks, calls = message.get("thinking_blocks"), message.get("tool_calls")
    if type(blocks) is list and any(map(_is_ours, blocks)):
        message = {**message, "thinking_blocks": [block for block in blocks if not _is_ours(block)]}
        if not message["thinking_blocks"]:
            del message["thinking_blocks"]
    if type(calls) is list and any(map(_is_signed, calls)):
        message = {**message, "tool_calls": [_unsigned(call) for call in calls]}
    return message


def _is_ours(block: Any) -> bool:
    return type(block) is dict and "wire" in block


def _is_signed(call: Any) -> bool:
    return type(call) is dict and carries(call.get("extra_content"))


def _unsigned(call: Any) -> Any:
    return {name: value for name, value in call.items() if name != "extra_content"} if _is_signed(call) else call
