"""Signatures of other wires, carried through a client that speaks this one.

A thinking block here has a signature that proves it to the provider that made it. What another wire's model proves in
its own way (a signature, an encrypted block, a thought signature of a tool call) travels in that member, marked as
ours, so that it survives a turn and returns to the wire it came from. It is never shown to a provider of this wire: one
that gets a signature of somebody else refuses the whole request.
"""

import base64
import binascii
from typing import Any

import msgspec

from antiphon.wires import body as bodies

MARK = "antiphon_"
_MARKED = b'"' + MARK.encode()


class Carried(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is carried; ``call`` is the tool call that ``signature`` belongs to, where it belongs to one."""

    wire: str = ""
    signature: str = ""
    redacted: str = ""
    id: str = ""
    call: str = ""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Carried).decode


def pack(carried: Carried) -> str:
    """Return the signature member that carries it."""
    return MARK + base64.urlsafe_b64encode(_encode(carried)).rstrip(b"=").decode()


def unpack(signature: object) -> Carried | None:
    """Return what a signature carries, or ``None`` where it is a provider's own."""
    if type(signature) is not str or not signature.startswith(MARK):
        return None
    text = signature[len(MARK) :]
    try:
        return _decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (msgspec.MsgspecError, binascii.Error, ValueError):
        return None


def without(body: bytes, document: dict[str, Any]) -> bytes:
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
