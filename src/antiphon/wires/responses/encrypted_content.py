"""Signed thinking of other wires inside ``encrypted_content``, which callers send back without reading it.

A thinking block is only useful to the provider that signed it, and only with its text and signature. Callers of this
wire send reasoning items back unchanged, so this one field carries the whole block. The encoding prevents
misinterpretation, not tampering: if a caller changes it, the provider gets a signature that does not match.
"""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode

import msgspec

from antiphon.wires.translation.neutral import Thinking

WIRE = "responses"
"""The name of this wire in neutral values."""
PREFIX = "antiphon.1."
"""The prefix of Antiphon's values; OpenAI's values are base64 and have no dot."""


class CallSignature(msgspec.Struct, frozen=True):
    """A thought signature and the id of the tool call that it belongs to."""

    call: str
    signature: str


class _Block(msgspec.Struct, array_like=True):
    wire: str
    text: str = ""
    signature: str = ""
    redacted: str = ""
    id: str = ""
    call: str = ""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Block).decode


def write_thinking(thinking: Thinking) -> str:
    """Return the ``encrypted_content`` of a thinking block: this wire's own unchanged, another wire's encoded."""
    if thinking.wire == WIRE:
        return thinking.signature
    if not (thinking.signature or thinking.redacted or thinking.wire):
        return ""
    return _write_block(_Block(thinking.wire, thinking.text, thinking.signature, thinking.redacted, thinking.id))


def write_call_signature(signature: CallSignature) -> str:
    """Return the ``encrypted_content`` that carries the signature of a tool call."""
    return _write_block(_Block("", signature=signature.signature, call=signature.call))


def read_encrypted_content(content: str) -> Thinking | CallSignature | None:
    """Return the decoded content, or ``None`` if a provider of this wire made it; raises ``ValueError`` if damaged."""
    if not content.startswith(PREFIX):
        return None
    try:
        block = _decode(urlsafe_b64decode(content[len(PREFIX) :]))
    except (binascii.Error, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from None
    if block.call:
        return CallSignature(block.call, block.signature)
    return Thinking(block.text, block.signature, block.redacted, block.id, block.wire)


def _write_block(block: _Block) -> str:
    return PREFIX + urlsafe_b64encode(_encode(block)).decode("ascii")
