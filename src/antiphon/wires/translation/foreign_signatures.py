"""Signatures of one wire, carried through a client of another that has a member for signatures of its own.

On the Messages wire and on Converse a block of thinking has a signature that proves it to the provider that made it.
What another wire's model proves in its own way (a signature, an encrypted block, a thought signature of a tool call)
travels in that member, marked as ours, so that it survives a turn and returns to the wire it came from. It is never
shown to a provider: one that gets a signature of somebody else refuses the whole request.
"""

import base64
import binascii

import msgspec

MARK = "antiphon_"


class ForeignSignature(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is carried; ``call`` is the tool call that ``signature`` belongs to, where it belongs to one."""

    wire: str = ""
    signature: str = ""
    redacted: str = ""
    id: str = ""
    call: str = ""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(ForeignSignature).decode


def pack_signature(carried: ForeignSignature) -> str:
    """Return the signature member that carries it."""
    return MARK + base64.urlsafe_b64encode(_encode(carried)).rstrip(b"=").decode()


def unpack_signature(signature: object) -> ForeignSignature | None:
    """Return what a signature carries, or ``None`` where it is a provider's own."""
    if type(signature) is not str or not signature.startswith(MARK):
        return None
    text = signature[len(MARK) :]
    try:
        return _decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (msgspec.MsgspecError, binascii.Error, ValueError):
        return None
