"""The way to a target of another wire for what is never streamed: embeddings, counts of tokens.

A target may take less at once than the caller gave; then it is asked several times, and the answers are one again.
"""

from collections.abc import Sequence
from typing import NoReturn

from msgspec import structs

from antiphon.errors import BadRequest, CallError
from antiphon.types import BUCKETS, Target, Usage
from antiphon.wires.table import get_caller_codec, get_provider_codec
from antiphon.wires.wire import Envelope, StreamTranslator, WholeAnswer, Wire, estimate_usage


class Restated:
    """See :class:`antiphon.engine.bridge.Bridge`; ``bodies`` are what the target is asked."""

    __slots__ = ("_envelope", "_far", "_near", "_near_wire", "_request", "bodies", "dropped", "far", "operation")
    verbatim = False
    in_parts = True

    def __init__(self, near: Wire, far: Wire, envelope: Envelope, target: Target) -> None:
        self.far = far
        self.operation = far.operation
        self._near_wire = near
        self._near = get_caller_codec(near.operation)
        self._far = get_provider_codec(far.operation)
        self._envelope = envelope
        try:
            self._request = self._near.read_request(envelope.document, target.model)
            written = self._far.write_request(self._request, target)
        except OverflowError:
            raise too_large() from None
        self.bodies = [each.body for each in written]
        self.dropped = tuple(dict.fromkeys(name for each in written for name in each.dropped))

    def encode(self, body: bytes, target: Target) -> bytes:
        return self.bodies[0]

    def read_whole(self, body: bytes) -> tuple[WholeAnswer, bytes]:
        return self.joined([body])

    def joined(self, bodies: Sequence[bytes]) -> tuple[WholeAnswer, bytes]:
        """Read the answers to all of ``bodies``, in their order; return what they said, and the body for the caller."""
        usage = _sum([self.far.read_whole(body).usage for body in bodies])
        reply = self._far.read_reply(bodies, self._request)
        shown = usage or estimate_usage(self._near_wire.count_input_bytes(self._envelope), 0)
        return WholeAnswer(usage, 0), self._near.write_reply(reply, self._request, shown)

    def start_stream(self) -> StreamTranslator:
        self._never_streams()

    def rest(self, watch: StreamTranslator) -> bytes:
        self._never_streams()

    def response(self, watch: StreamTranslator) -> bytes:
        self._never_streams()

    def admit(self, watch: StreamTranslator, error: CallError) -> bytes:
        self._never_streams()

    def _never_streams(self) -> NoReturn:
        raise NotImplementedError(f"{self.operation} does not stream")


def too_large() -> BadRequest:
    """Return the refusal of numbers that no other wire carries."""
    return BadRequest("The body has an integer beyond 64 bits, which cannot be translated for this target.")


def _sum(usages: list[Usage | None]) -> Usage | None:
    """Return what all answers counted together, or ``None`` where one of them did not say."""
    told = [usage for usage in usages if usage is not None]
    if len(told) < len(usages):
        return None
    return structs.replace(told[0], **{name: sum(getattr(usage, name) for usage in told) for name in BUCKETS})
