"""What stands between a caller's wire and a target's: nothing, where they are the same, or a translation.

All kinds have the same shape, so that an attempt and a stream need not know which they have.
"""

from collections.abc import Sequence
from typing import Protocol

from msgspec import structs

from antiphon.engine.restated import Restated, too_large
from antiphon.errors import BadAnswer, BadRequest, CallError
from antiphon.types import Target, Usage
from antiphon.wires.table import CODECS, find_translation, get_codec, get_wire
from antiphon.wires.translation.codec import Codec, StreamReader, StreamWriter
from antiphon.wires.translation.field_names import respelled, spelled
from antiphon.wires.translation.media import IMAGE_BYTES
from antiphon.wires.translation.neutral import (
    EFFORTS,
    Annotation,
    BlockStart,
    Delta,
    Event,
    Finish,
    Media,
    Request,
    Start,
    StreamEnd,
    StreamError,
    UsageUpdate,
)
from antiphon.wires.wire import Envelope, StreamTranslator, WholeAnswer, Wire, count_text_bytes, estimate_usage


class Bridge(Protocol):
    """The way of one call over to one target and back."""

    operation: str
    """What the target is asked for."""
    far: Wire
    """The target's wire."""
    dropped: tuple[str, ...]
    """Fields of the caller's that the target cannot take, once the request is encoded."""
    verbatim: bool
    """What the provider sends is what the caller gets: its errors and its headers too."""
    in_parts: bool
    """It may take several requests, because the target takes less at once than the caller gives."""

    def encode(self, body: bytes, target: Target) -> bytes:
        """Return the request's body for the target."""

    def read_whole(self, body: bytes) -> tuple[WholeAnswer, bytes]:
        """Read a whole answer; return what it said, and the body for the caller."""

    def start_stream(self) -> StreamTranslator:
        """Return what the stream's frames pass by on their way to the caller."""

    def rest(self, watch: StreamTranslator) -> bytes:
        """Return what the caller is still owed at the end of a complete answer."""

    def response(self, watch: StreamTranslator) -> bytes:
        """Return the whole answer that a stream came to, where the caller's wire has one."""

    def admit(self, watch: StreamTranslator, error: CallError) -> bytes:
        """Return the frames that tell the caller that the stream broke."""


def offers(target: Target, operation: str) -> bool:
    """Say whether a target can answer an operation, on its own wire or by translation."""
    return operation in target.urls or find_translation(operation, target.urls) is not None


def bridge(wire: Wire, envelope: Envelope, target: Target) -> Bridge:
    """Choose the way to a target; raises :class:`BadRequest` where there is none."""
    if wire.operation in target.urls:
        return SameWire(wire, envelope)
    other = find_translation(wire.operation, target.urls)
    if other is None:
        raise BadRequest(
            f"{target.name} does not offer {wire.operation}; choose a model of a provider that does.", param="model"
        )
    if wire.operation in CODECS:
        return Translation(wire, get_codec(wire.operation), get_wire(other), get_codec(other), envelope)
    return Restated(wire, get_wire(other), envelope, target)


class SameWire:
    """The bytes are the caller's and the provider's."""

    __slots__ = ("_envelope", "_hides_usage", "far", "operation")
    dropped: tuple[str, ...] = ()
    verbatim = True
    in_parts = False

    def __init__(self, wire: Wire, envelope: Envelope) -> None:
        self.far = wire
        self.operation = wire.operation
        self._envelope = envelope
        self._hides_usage = False

    def encode(self, body: bytes, target: Target) -> bytes:
        encoded = self.far.encode(body, self._envelope, target)
        self._hides_usage = encoded.hides_usage
        return encoded.body

    def read_whole(self, body: bytes) -> tuple[WholeAnswer, bytes]:
        return self.far.read_whole(body), body

    def start_stream(self) -> StreamTranslator:
        return self.far.start_stream(self._envelope, self._hides_usage)

    def rest(self, watch: StreamTranslator) -> bytes:
        return watch.finish()

    def response(self, watch: StreamTranslator) -> bytes:
        return getattr(watch, "response", b"")

    def admit(self, watch: StreamTranslator, error: CallError) -> bytes:
        return watch.fail(error)


class Translation:
    """Requests, answers and events go through the neutral form."""

    __slots__ = ("_envelope", "_far_codec", "_near", "_near_codec", "_request", "dropped", "far", "operation")
    verbatim = False
    in_parts = False

    def __init__(self, near: Wire, near_codec: Codec, far: Wire, far_codec: Codec, envelope: Envelope) -> None:
        self.far = far
        self.operation = far.operation
        self.dropped: tuple[str, ...] = ()
        self._near = near
        self._near_codec = near_codec
        self._far_codec = far_codec
        self._envelope = envelope
        try:
            self._request = near_codec.read_request(envelope.document, envelope.model, envelope.stream)
        except OverflowError:
            raise too_large() from None

    def encode(self, body: bytes, target: Target) -> bytes:
        spellings, document = self._near_codec.spellings, self._envelope.document
        try:
            _check(self._request)
            written = self._far_codec.write_request(self._request, target)
        except OverflowError:
            raise too_large() from None
        except BadRequest as error:
            raise respelled(error, spellings, document) from None
        self.dropped = spelled(written.dropped, spellings, document) if written.dropped else ()
        return written.body

    def read_whole(self, body: bytes) -> tuple[WholeAnswer, bytes]:
        found = self.far.read_whole(body)
        reply = self._far_codec.read_reply(body)
        if reply.usage is None:  # clients rely on it, as in streams
            usage = found.usage or estimate_usage(self._near.count_input_bytes(self._envelope), found.output_bytes)
            reply = structs.replace(reply, usage=usage)
        return found, self._near_codec.write_reply(reply, self._request)

    def start_stream(self) -> "TranslatingWatch":
        reader, writer = self._far_codec.make_reader(), self._near_codec.make_writer(self._request)
        return TranslatingWatch(reader, writer, self._envelope.choices, self._near.count_input_bytes(self._envelope))

    def rest(self, watch: StreamTranslator) -> bytes:
        assert isinstance(watch, TranslatingWatch)
        return watch.rest()

    def response(self, watch: StreamTranslator) -> bytes:
        assert isinstance(watch, TranslatingWatch)
        return getattr(watch.writer, "response", b"")

    def admit(self, watch: StreamTranslator, error: CallError) -> bytes:
        assert isinstance(watch, TranslatingWatch)
        return watch.writer.fail(error)


def _check(request: Request) -> None:
    """Refuse what no target could take, and what each wire would otherwise take for something else."""
    choice, effort = request.tool_choice, request.reasoning.effort if request.reasoning else ""
    if choice is not None and choice.mode in ("required", "tool") and not request.tools:
        raise BadRequest("`tool_choice` wants a call of a tool, and the request has none.", param="tool_choice")
    if request.max_tokens is not None and request.max_tokens < 1:
        raise BadRequest(f"`max_tokens` is {request.max_tokens}; an answer needs at least one.", param="max_tokens")
    if effort and effort not in EFFORTS:
        raise BadRequest(
            f"`reasoning` asks for the effort {effort!r}; expected one of {', '.join(EFFORTS)}.", param="reasoning"
        )


class TranslatingWatch:
    """Reads a target's frames and writes the caller's; see ``StreamTranslator``."""

    __slots__ = (
        "_begun", "_called", "_choices", "_finished", "_input_bytes", "_reader", "_used", "committed", "ended", "error",
        "output_bytes", "writer",
    )  # fmt: skip

    def __init__(self, reader: StreamReader, writer: StreamWriter, choices: int, input_bytes: int) -> None:
        self.committed = False
        self.ended = False
        self.error: CallError | None = None
        self.output_bytes = 0
        self.writer = writer
        self._begun: Usage | None = None
        self._used: Usage | None = None
        self._input_bytes = input_bytes
        self._reader = reader
        self._choices = choices
        self._called = False
        self._finished = 0

    @property
    def usage(self) -> Usage | None:
        """What the provider counted; where it told only what went in, what came out is counted by us."""
        if self._used is not None or self._begun is None:
            return self._used
        return structs.replace(self._begun, output=estimate_usage(0, self.output_bytes).output, estimated=True)

    @property
    def complete(self) -> bool:
        return self.ended or self._finished >= self._choices

    @property
    def begun(self) -> bytes:
        return b""

    @property
    def response(self) -> bytes:
        return self.writer.response

    @property
    def cuts(self) -> Sequence[int]:
        """How the texts of the answer were cut, where the caller's wire tells an answer again."""
        return self.writer.cuts

    def finish(self) -> bytes:
        return self.rest()

    def fail(self, error: CallError) -> bytes:
        return self.writer.fail(error)

    def feed(self, frame: bytes) -> bytes:
        return self._written(self._reader.read(frame))

    def rest(self) -> bytes:
        """Return what ends the caller's stream where the target's wire ended without saying so."""
        owed = b"" if self.ended else self._written(self._reader.close())
        # A choice that nobody asked for may have been left open: what was asked for is complete all the same.
        return owed if self.ended else owed + self._written([StreamEnd()])

    def _written(self, events: list[Event]) -> bytes:
        out = []
        for event in events:
            self._note(event)
            if type(event) is StreamEnd and self.error is None:
                out += self._owed()
            if self.error is None:
                out.append(self.writer.write(event))
        return out[0] if len(out) == 1 else b"".join(out)

    def _owed(self) -> list[bytes]:
        """Return what most wires' clients rely on at the end, where the provider did not tell it: a finish, usage."""
        owed = []
        if not self._finished:
            owed.append(self.writer.write(Finish("tool_calls" if self._called else "stop")))
        if self._used is None:
            owed.append(
                self.writer.write(UsageUpdate(self.usage or estimate_usage(self._input_bytes, self.output_bytes)))
            )
        return owed

    def _note(self, event: Event) -> None:
        kind = type(event)
        if kind is Delta:
            self.output_bytes += count_text_bytes(event.text)  # type: ignore[union-attr]
            self.committed = self.committed or bool(event.text)  # type: ignore[union-attr]
        elif kind is UsageUpdate:
            self._used = event.usage  # type: ignore[union-attr]
        elif kind is Start:
            self._begun = event.usage  # type: ignore[union-attr]
        elif kind is Finish:
            self._finished += event.choice < self._choices  # type: ignore[union-attr]
            self.committed = True
        elif kind is StreamEnd:
            self.ended = self.committed = True
        elif kind is StreamError:
            message = f"The provider reported an error: {event.message}"  # type: ignore[union-attr]
            self.error = BadAnswer(message, status=event.status or None)  # type: ignore[union-attr]
        elif kind is Media:
            self.output_bytes += IMAGE_BYTES
            self.committed = True
        elif kind is BlockStart:
            if event.kind == "tool":  # type: ignore[union-attr]
                self._called = self.committed = True
        elif kind is Annotation:
            self.committed = True
