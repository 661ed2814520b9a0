"""The translator between two generation wires: requests, answers and events go through the neutral form."""

from collections.abc import Sequence

from msgspec import structs

from antiphon.errors import BadAnswer, BadRequest, CallError
from antiphon.types import Target, Usage
from antiphon.wires.table import get_codec
from antiphon.wires.translation.codec import StreamReader, StreamWriter
from antiphon.wires.translation.field_names import rename_error_field, to_caller_names
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
from antiphon.wires.translation.translator import EncodedRequest, refuse_large_integer
from antiphon.wires.wire import Envelope, WholeAnswer, Wire, count_text_bytes, estimate_usage


class GenerationTranslator:
    """See :class:`translation.translator.Translator`."""

    __slots__ = (
        "_caller_codec",
        "_caller_wire",
        "_envelope",
        "_provider_codec",
        "_request",
        "operation",
        "provider_wire",
    )
    verbatim = False

    def __init__(self, caller_wire: Wire, provider_wire: Wire, envelope: Envelope) -> None:
        self.provider_wire = provider_wire
        self.operation = provider_wire.operation
        self._caller_wire = caller_wire
        self._caller_codec = get_codec(caller_wire.operation)
        self._provider_codec = get_codec(provider_wire.operation)
        self._envelope = envelope
        try:
            self._request = self._caller_codec.read_request(envelope.document, envelope.model, envelope.stream)
        except OverflowError:
            raise refuse_large_integer() from None

    def encode_request(self, body: bytes, target: Target) -> EncodedRequest:
        names, document = self._caller_codec.field_names, self._envelope.document
        try:
            _check_request(self._request)
            written = self._provider_codec.write_request(self._request, target)
        except OverflowError:
            raise refuse_large_integer() from None
        except BadRequest as error:
            raise rename_error_field(error, names, document) from None
        dropped = to_caller_names(written.dropped, names, document) if written.dropped else ()
        return EncodedRequest((written.body,), dropped)

    def decode_whole(self, bodies: Sequence[bytes]) -> tuple[WholeAnswer, bytes]:
        reply = self._provider_codec.read_reply(bodies[0])
        answer = WholeAnswer(reply.usage)
        if reply.usage is None:  # clients rely on usage, in streams too
            answer = self.provider_wire.read_whole(bodies[0])
            input_bytes = self._caller_wire.count_input_bytes(self._envelope)
            reply = structs.replace(reply, usage=answer.usage or estimate_usage(input_bytes, answer.output_bytes))
        return answer, self._caller_codec.write_reply(reply, self._request)

    def start_stream(self, encoded: EncodedRequest) -> "TranslatedStream":
        reader, writer = self._provider_codec.make_reader(), self._caller_codec.make_writer(self._request)
        input_bytes = self._caller_wire.count_input_bytes(self._envelope)
        return TranslatedStream(reader, writer, self._envelope.choices, input_bytes)


def _check_request(request: Request) -> None:
    """Refuse what no target can take, and what each wire would interpret differently."""
    choice, effort = request.tool_choice, request.reasoning.effort if request.reasoning else ""
    if choice is not None and choice.mode in ("required", "tool") and not request.tools:
        raise BadRequest("`tool_choice` wants a call of a tool, and the request has none.", param="tool_choice")
    if request.max_tokens is not None and request.max_tokens < 1:
        raise BadRequest(f"`max_tokens` is {request.max_tokens}; an answer needs at least one.", param="max_tokens")
    if effort and effort not in EFFORTS:
        raise BadRequest(
            f"`reasoning` asks for the effort {effort!r}; expected one of {', '.join(EFFORTS)}.", param="reasoning"
        )


class TranslatedStream:
    """Reads the target's frames and writes the caller's; see :class:`antiphon.wires.wire.StreamTranslator`."""

    __slots__ = (
        "_choices", "_finished", "_has_tool_call", "_input_bytes", "_reader", "_start_usage", "_usage", "_writer",
        "committed", "ended", "error", "output_bytes",
    )  # fmt: skip
    begun = b""

    def __init__(self, reader: StreamReader, writer: StreamWriter, choices: int, input_bytes: int) -> None:
        self.committed = False
        self.ended = False
        self.error: CallError | None = None
        self.output_bytes = 0
        self._writer = writer
        self._start_usage: Usage | None = None
        self._usage: Usage | None = None
        self._input_bytes = input_bytes
        self._reader = reader
        self._choices = choices
        self._has_tool_call = False
        self._finished = 0

    @property
    def usage(self) -> Usage | None:
        """The provider's count; the output is estimated if the provider counted only the input."""
        if self._usage is not None or self._start_usage is None:
            return self._usage
        return structs.replace(self._start_usage, output=estimate_usage(0, self.output_bytes).output, estimated=True)

    @property
    def complete(self) -> bool:
        return self.ended or self._finished >= self._choices

    @property
    def response(self) -> bytes:
        return self._writer.response

    @property
    def cuts(self) -> Sequence[int]:
        return self._writer.cuts

    def feed(self, frame: bytes) -> bytes:
        return self._write(self._reader.read(frame))

    def note_end(self) -> None:
        """Take no notice: only a finish or an end mark makes an answer complete."""

    def finish(self) -> bytes:
        """Return the frames that end the caller's stream, if the target's stream ended without an end marker."""
        out = b"" if self.ended else self._write(self._reader.close())
        # The provider may have sent more choices than the caller asked for; one of those may still be open.
        return out if self.ended else out + self._write([StreamEnd()])

    def fail(self, error: CallError) -> bytes:
        return self._writer.fail(error)

    def _write(self, events: list[Event]) -> bytes:
        out = []
        for event in events:
            if type(event) is Delta:  # nearly every event
                text = event.text
                self.output_bytes += len(text) if text.isascii() else count_text_bytes(text)
                self.committed = self.committed or bool(text)
            else:
                self._observe(event)
                if type(event) is StreamEnd and self.error is None:
                    out += self._write_missing()
            if self.error is None:
                out.append(self._writer.write(event))
        return out[0] if len(out) == 1 else b"".join(out)

    def _write_missing(self) -> list[bytes]:
        """Return the finish and the usage, which most clients rely on, if the provider did not send them."""
        missing = []
        if not self._finished:
            missing.append(self._writer.write(Finish("tool_calls" if self._has_tool_call else "stop")))
        if self._usage is None:
            usage = self.usage or estimate_usage(self._input_bytes, self.output_bytes)
            missing.append(self._writer.write(UsageUpdate(usage)))
        return missing

    def _observe(self, event: Event) -> None:
        kind = type(event)
        if kind is UsageUpdate:
            self._usage = event.usage  # type: ignore[union-attr]
        elif kind is Start:
            self._start_usage = event.usage  # type: ignore[union-attr]
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
                self._has_tool_call = self.committed = True
        elif kind is Annotation:
            self.committed = True
