"""The protocol of the translators between a caller's wire and a target's wire; each attempt has one.

Callers of a translator need not know which one they have. The bytes may pass through, go through the neutral form, or
be split into several requests.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from antiphon.errors import BadRequest
from antiphon.types import Target
from antiphon.wires.wire import StreamTranslator, WholeAnswer, Wire


class EncodedRequest(msgspec.Struct, frozen=True, eq=False):
    """The body for a target, or several bodies that together are one request of the caller.

    ``dropped`` names the caller's fields that the target cannot take. ``hides_usage`` says that the gateway, not the
    caller, asked for usage.
    """

    bodies: tuple[bytes, ...]
    dropped: tuple[str, ...] = ()
    hides_usage: bool = False


class Translator(Protocol):
    """Encodes a caller's request for one target, and decodes that target's answer for the caller. Does no I/O."""

    operation: str
    """The operation of the call to the target."""
    provider_wire: Wire
    verbatim: bool
    """The caller gets the provider's answer unchanged, including errors and headers."""

    def encode_request(self, body: bytes, target: Target) -> EncodedRequest:
        """Return the bodies for the target; raises :class:`~antiphon.errors.BadRequest` for what it cannot take."""

    def decode_whole(self, bodies: Sequence[bytes]) -> tuple[WholeAnswer, bytes]:
        """Read the answers to all bodies, in their order; return what they said, and the body for the caller.

        Raises :class:`~antiphon.errors.BadAnswer`.
        """

    def start_stream(self, encoded: EncodedRequest) -> StreamTranslator:
        """Return the translator of the streamed answer to an encoded request."""


def refuse_large_integer() -> BadRequest:
    """Return the error for integers that no other wire can represent."""
    return BadRequest("The body has an integer beyond 64 bits, which cannot be translated for this target.")
