"""Signatures of one wire that a client of another wire keeps, in that wire's field for signatures.

On the Messages wire and on Converse, a thinking block has a signature that proves it to the provider that made it.
Models of other wires have other proofs: a signature, an encrypted block, a thought signature of a tool call. Antiphon
puts such a proof into the signature field, with a mark, so that the client sends it back and it returns to its wire. No
provider ever gets it, because a provider refuses a request that contains a foreign signature.
"""

import base64
import binascii

import msgspec

MARK = "antiphon_"


class ForeignSignature(msgspec.Struct, frozen=True, omit_defaults=True):
    """A proof of another wire; ``call`` is the id of the tool call that ``signature`` belongs to, if any."""

    wire: str = ""
    signature: str = ""
    redacted: str = ""
    id: str = ""
    call: str = ""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(ForeignSignature).decode


def pack_signature(foreign: ForeignSignature) -> str:
    """Return the text for the signature field of the other wire."""
    return MARK + base64.urlsafe_b64encode(_encode(foreign)).rstrip(b"=").decode()


def unpack_signature(signature: object) -> ForeignSignature | None:
    """Return the foreign signature in a signature field, or ``None`` if the provider's wire made the signature."""
    if type(signature) is not str or not signature.startswith(MARK):
        return None
    text = signature[len(MARK) :]
    try:
        return _decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (msgspec.MsgspecError, binascii.Error, ValueError):
        return None
