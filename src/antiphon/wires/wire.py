"""The protocols of a wire, which the engine uses for every operation. Nothing here does I/O."""

import re
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from antiphon.errors import CallError
from antiphon.types import Target, Usage
from antiphon.wires.json_text import encode_json


class Envelope(msgspec.Struct, frozen=True, eq=False):
    """The facts of a request that the engine needs, and the decoded body."""

    model: str
    stream: bool
    wants_usage: bool
    """The caller asked for a usage frame at the end of the stream."""
    choices: int
    """How many parallel answers were asked for."""
    document: dict[str, Any]
    """The decoded body."""


class EncodedBody(msgspec.Struct, frozen=True, eq=False):
    """A request body for a target; ``hides_usage`` says that the gateway, not the caller, asked for usage."""

    body: bytes
    hides_usage: bool = False


class WholeAnswer(msgspec.Struct, frozen=True, eq=False):
    """The provider's usage of a whole answer, or the size of its text, to estimate the usage, if there is none."""

    usage: Usage | None
    output_bytes: int = 0


class StreamTranslator(Protocol):
    """Turns the provider's frames of one streamed answer into the caller's, and observes them as they pass."""

    @property
    def committed(self) -> bool:
        """The first real output (text, reasoning, a tool call, a finish reason) was seen."""

    @property
    def ended(self) -> bool:
        """The wire's own end marker was seen."""

    @property
    def error(self) -> CallError | None:
        """The error that the provider reported inside the stream."""

    @property
    def usage(self) -> Usage | None:
        """The provider's count so far, or ``None``."""

    @property
    def output_bytes(self) -> int:
        """The size of the output in bytes, for an estimate of the tokens."""

    @property
    def complete(self) -> bool:
        """Whether the answer counts as complete if nothing more comes."""

    @property
    def begun(self) -> bytes:
        """The response object as the provider began the stream with it; ``b""`` on wires that have none."""

    @property
    def response(self) -> bytes:
        """The response object at the end of the stream; ``b""`` on wires that have none."""

    @property
    def cuts(self) -> Sequence[int]:
        """The lengths of the text deltas, on wires that can replay a stored answer as a stream."""

    def feed(self, frame: bytes) -> bytes:
        """Take one whole frame; return the same bytes, changed bytes, or none.

        Raises :class:`~antiphon.errors.BadAnswer` for a frame that the wire does not allow.
        """

    def note_end(self) -> None:
        """Note that the provider ended the body in order."""

    def finish(self) -> bytes:
        """Return the frames that the caller still needs at the end of a complete answer."""

    def fail(self, error: CallError) -> bytes:
        """Return the frames that tell the caller that the stream broke."""


class PassthroughStream:
    """Base of each wire's own :class:`StreamTranslator`: caller and provider speak one wire.

    Frames stay as they are; a subclass observes them in ``feed`` and sets the attributes.
    """

    __slots__ = ("_wire", "committed", "ended", "error", "output_bytes")

    def __init__(self, wire: "Wire") -> None:
        self._wire = wire
        self.committed = False
        self.ended = False
        self.error: CallError | None = None
        self.output_bytes = 0

    @property
    def begun(self) -> bytes:
        """See :attr:`StreamTranslator.begun`."""
        return b""

    @property
    def response(self) -> bytes:
        """See :attr:`StreamTranslator.response`."""
        return b""

    @property
    def cuts(self) -> Sequence[int]:
        """See :attr:`StreamTranslator.cuts`."""
        return ()

    def note_end(self) -> None:
        """See :meth:`StreamTranslator.note_end`; on most wires, a marker shows that an answer is complete."""

    def finish(self) -> bytes:
        """See :meth:`StreamTranslator.finish`."""
        return b"" if self.ended else self._wire.end_frame

    def fail(self, error: CallError) -> bytes:
        """See :meth:`StreamTranslator.fail`; the provider's own error frame has reached the caller already."""
        return b"" if error is self.error else self._wire.write_error_frame(error)


class Splitter(Protocol):
    """Cuts a byte stream into whole frames of a wire; ``rest`` is the beginning of an unfinished frame."""

    rest: bytearray

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the frames that are whole now; raises :class:`~antiphon.errors.BadAnswer` over the frame limit."""


class Wire(Protocol):
    """One operation of one message format, for callers and providers that both speak it."""

    operation: str
    end_frame: bytes
    """The frame that ends a complete stream on this wire, or ``b""``."""
    stream_type: str
    """The content type of its streams, without parameters."""
    heartbeat: bytes
    """A frame that every client ignores, sent while the provider is silent; ``b""`` if the wire has none."""
    keep_alive_prefixes: tuple[bytes, ...]
    """Beginnings of frames that only keep the connection alive; such a frame does not count as progress."""
    forwarded_headers: frozenset[bytes]
    """Names of the caller's headers that are forwarded unchanged to a provider of this same wire."""
    required_headers: tuple[tuple[bytes, bytes], ...]
    """Headers that every request to a provider of this wire needs; they are added if the caller sent none."""
    response_header_prefixes: tuple[bytes, ...]
    """Names, or beginnings of names, of the provider's headers that a caller of this wire may see."""
    request_id_header: bytes
    """The response header with the id of a call on this wire."""

    def peek(self, body: bytes, model: str = "", stream: bool | None = None) -> Envelope:
        """Read and check a caller's body; raises :class:`~antiphon.errors.BadRequest`.

        ``model`` and ``stream`` come from the path, on wires that have them there.
        """

    def encode(self, body: bytes, envelope: Envelope, target: Target) -> EncodedBody:
        """Return the body for a target that speaks this same wire; only what must differ is changed."""

    def read_whole(self, body: bytes) -> WholeAnswer:
        """Read a whole answer; raises :class:`~antiphon.errors.BadAnswer`."""

    def start_stream(self, envelope: Envelope, hides_usage: bool) -> StreamTranslator:
        """Return the translator of one streamed answer to a caller of this same wire."""

    def make_splitter(self) -> Splitter:
        """Return a splitter for this wire's streams."""

    def count_input_bytes(self, envelope: Envelope) -> int:
        """Return the size of the request's text in bytes, for an estimate of the tokens."""

    def write_error_body(self, error: CallError) -> bytes:
        """Return an error in this wire's shape."""

    def list_error_headers(self, error: CallError) -> list[tuple[bytes, bytes]]:
        """Return the headers of an error answer on this wire, without its content type."""

    def write_error_frame(self, error: CallError) -> bytes:
        """Return the frame that tells the caller, in this wire's shape, that the stream broke."""

    def read_error_message(self, body: bytes) -> str:
        """Return the message of a provider's error body, or ``""``."""


BYTES_PER_TOKEN = 4
"""A coarse average over the common tokenizers for English text; counts made with it are marked as estimated."""


_ORDINARY = frozenset(
    ("", "auto", "default", "standard", "standard_only", "on_demand", "global", "not_available", "unspecified", "null")
)
_TIER = re.compile("[a-z0-9_-]{1,32}")


def read_service_tier(*names: object) -> str:
    """Return the service tier of an answer: ``""`` for the standard tier, ``unknown`` for a malformed name.

    ``names`` are the provider's own, such as a speed and a region. Several that change the price are joined by ``+``.
    """
    tiers = [str(name).lower() for name in names if name is not None]
    tiers = [tier for tier in tiers if tier not in _ORDINARY]
    return "+".join(sorted(tier if _TIER.fullmatch(tier) else "unknown" for tier in tiers)) if tiers else ""


def estimate_usage(input_bytes: int, output_bytes: int) -> Usage:
    """Return estimated usage, for an answer without the provider's own count."""
    return Usage(input=-(-input_bytes // BYTES_PER_TOKEN), output=-(-output_bytes // BYTES_PER_TOKEN), estimated=True)


def count_json_bytes(value: object) -> int:
    """Return the size of a value as JSON."""
    return len(encode_json(value))


def count_text_bytes(text: object) -> int:
    """Return the UTF-8 length of a string, and 0 for anything else."""
    if type(text) is not str:
        return 0
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
