"""Translators that translate nothing: caller and provider speak the same wire, or the answer is plain bytes."""

from collections.abc import Sequence

from antiphon.errors import CallError
from antiphon.types import Target
from antiphon.wires.translation.translator import EncodedRequest
from antiphon.wires.wire import Envelope, StreamTranslator, WholeAnswer, Wire


class Passthrough:
    """Passes bodies and frames through; see :class:`translation.translator.Translator`."""

    __slots__ = ("_envelope", "operation", "provider_wire")
    verbatim = True

    def __init__(self, wire: Wire, envelope: Envelope) -> None:
        self.provider_wire = wire
        self.operation = wire.operation
        self._envelope = envelope

    def encode_request(self, body: bytes, target: Target) -> EncodedRequest:
        encoded = self.provider_wire.encode(body, self._envelope, target)
        return EncodedRequest((encoded.body,), (), encoded.hides_usage)

    def decode_whole(self, bodies: Sequence[bytes]) -> tuple[WholeAnswer, bytes]:
        body = bodies[0]
        return self.provider_wire.read_whole(body), body

    def start_stream(self, encoded: EncodedRequest) -> StreamTranslator:
        return self.provider_wire.start_stream(self._envelope, encoded.hides_usage)


class RawPassthrough(Passthrough):
    """Passes an answer through that has no wire format: audio, subtitles, the content of a file."""

    __slots__ = ("_may_be_empty",)

    def __init__(self, wire: Wire, envelope: Envelope, *, may_be_empty: bool) -> None:
        super().__init__(wire, envelope)
        self._may_be_empty = may_be_empty

    def start_stream(self, encoded: EncodedRequest) -> "HoldLastByte":
        return HoldLastByte(self._may_be_empty)


class HoldLastByte:
    """Holds the last byte back until :meth:`finish`, so that the call is recorded before the answer is complete.

    Plain bytes cannot tell the caller that they broke off, so :meth:`fail` raises the error. See ``StreamTranslator``.
    """

    __slots__ = ("_last", "_may_be_empty", "committed", "complete")
    begun = b""
    response = b""
    cuts: Sequence[int] = ()
    ended = False
    error: CallError | None = None
    usage = None
    output_bytes = 0

    def __init__(self, may_be_empty: bool) -> None:
        self.committed = False
        self.complete = False
        self._last = b""
        self._may_be_empty = may_be_empty

    def feed(self, frame: bytes) -> bytes:
        self.committed = True
        out = self._last + frame[:-1]
        self._last = frame[-1:]
        return out

    def note_end(self) -> None:
        """Note that the provider ended the answer normally, which makes it complete."""
        self.complete = True
        self.committed = self.committed or self._may_be_empty

    def finish(self) -> bytes:
        return self._last

    def fail(self, error: CallError) -> bytes:
        raise error


class WholeChunks:
    """Returns each chunk as one frame; see :class:`~antiphon.wires.wire.Splitter`."""

    __slots__ = ("rest",)

    def __init__(self) -> None:
        self.rest = bytearray()

    def feed(self, chunk: bytes) -> list[bytes]:
        return [chunk]
