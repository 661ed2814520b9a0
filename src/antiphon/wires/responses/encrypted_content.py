"""What other wires need back with a conversation, inside ``encrypted_content``: opaque, reversible, recognised.

A thinking block is only worth something to the provider that signed it, and only together with its text and signature.
Responses callers return reasoning items as they got them, so everything of the block travels in that one field. It is
sealed against misreading, not against its owner: whoever alters it hands the provider a signature that does not hold.
"""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode

import msgspec

from antiphon.wires.translation.neutral import Thinking

WIRE = "responses"
TAG = "antiphon.1."
"""How every seal begins; OpenAI's own values are base64 and hold no dot."""


class CallMark(msgspec.Struct, frozen=True):
    """A signature that belongs to the tool call with the id ``call`` (a thought signature)."""

    call: str
    signature: str


class _Seal(msgspec.Struct, array_like=True):
    wire: str
    text: str = ""
    signature: str = ""
    redacted: str = ""
    id: str = ""
    call: str = ""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Seal).decode


def seal(thinking: Thinking) -> str:
    """Return the ``encrypted_content`` for a thinking block: this wire's own as it is, another's sealed."""
    if thinking.wire == WIRE:
        return thinking.signature
    if not (thinking.signature or thinking.redacted or thinking.wire):
        return ""
    return _sealed(_Seal(thinking.wire, thinking.text, thinking.signature, thinking.redacted, thinking.id))


def seal_mark(mark: CallMark) -> str:
    """Return the ``encrypted_content`` for a tool call's signature."""
    return _sealed(_Seal("", signature=mark.signature, call=mark.call))


def unseal(content: str) -> Thinking | CallMark | None:
    """Return what is sealed in ``content``, or ``None`` where it is no seal of ours; raises ``ValueError``."""
    if not content.startswith(TAG):
        return None
    try:
        seal = _decode(urlsafe_b64decode(content[len(TAG) :]))
    except (binascii.Error, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from None
    if seal.call:
        return CallMark(seal.call, seal.signature)
    return Thinking(seal.text, seal.signature, seal.redacted, seal.id, seal.wire)


def _sealed(seal: _Seal) -> str:
    return TAG + urlsafe_b64encode(_encode(seal)).decode("ascii")
