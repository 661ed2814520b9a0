"""One wire for every operation of the table: only the model is read and replaced, and usage and errors are found."""

from functools import cache
from typing import Any

import msgspec

from antiphon.catalog.kinds.vocabulary import WIRES
from antiphon.catalog.operations import OPERATIONS, Operation
from antiphon.errors import BadAnswer, BadRequest
from antiphon.types import Target, Usage
from antiphon.wires import body as bodies
from antiphon.wires.checks import check_model_name
from antiphon.wires.openai.passthrough import OpenAI
from antiphon.wires.operations import usage as usages
from antiphon.wires.sse import data_of
from antiphon.wires.table import get_wire
from antiphon.wires.wire import EncodedBody, Envelope, PassthroughStream, WholeAnswer, Wire

_LAST = (".done", ".completed")
"""How the type of the event ends that ends a stream of these operations; it carries the usage."""


class _Request(msgspec.Struct, kw_only=True):
    model: str = ""
    stream: bool | None = None


class _Answer(usages.Told):
    """An answer or an event."""

    type: Any = ""
    error: Any = None
    message: Any = None


_decode_answer = msgspec.json.Decoder(_Answer).decode


class OperationWire(OpenAI):
    """An operation whose body is JSON, or is not looked into."""

    request = _Request
    end_frame = b""
    shows = (*OpenAI.shows, b"content-disposition", b"request-id", b"anthropic-")

    def __init__(self, operation: Operation) -> None:
        super().__init__()
        self.operation = operation.name
        self._row = operation

    def peek(self, body: bytes, model: str = "", stream: bool | None = None) -> Envelope:
        """See :meth:`antiphon.wires.wire.Wire.peek`."""
        document = bodies.check(body)
        for member in self._row.needs:
            if document.get(member) is None:
                raise BadRequest(f"`{member}` is missing; {self.operation} needs it.", param=member)
        named = document.get("model")
        if named is None:
            named = self._row.default
        if type(named) is not str:
            raise BadRequest("`model` must be a string.", param="model")
        return self.make_envelope(named, bool(document.get("stream")), document)

    def make_envelope(self, model: str, stream: bool = False, document: dict[str, Any] | None = None) -> Envelope:
        """Return the envelope of a call for ``model``; raises :class:`BadRequest` where that is no name."""
        if not model:
            raise BadRequest(f"`model` is missing; {self.operation} needs it.", param="model")
        check_model_name(model)
        return Envelope(model, stream, False, 1, document or {})

    def encode(self, body: bytes, envelope: Envelope, target: Target) -> EncodedBody:
        """See :meth:`antiphon.wires.wire.Wire.encode`."""
        model = msgspec.json.encode(target.model)
        if "model" not in envelope.document:
            return EncodedBody(bodies.insert(body, "model", model))
        same = target.model == envelope.document["model"]
        return EncodedBody(body if same else bodies.replace(body, "model", model))

    def read_whole(self, body: bytes) -> WholeAnswer:
        """See :meth:`antiphon.wires.wire.Wire.read_whole`."""
        answer = _read(body)
        if answer.error is not None:
            raise _reported(answer)
        return WholeAnswer(usages.of(self._row, answer), 0)

    def start_stream(self, envelope: Envelope, hides_usage: bool) -> "OperationStream":  # type: ignore[override]
        return OperationStream(self, self._row)

    def count_input_bytes(self, envelope: Envelope) -> int:
        return 0

    def estimate_request_usage(self, envelope: Envelope) -> Usage | None:
        """Return what a request alone says will be used, or ``None``."""
        return usages.asked(self._row, envelope.document)


@cache
def get_operation_wire(operation: str) -> OperationWire:
    """Return the wire of an operation of the table; raises ``KeyError`` for any other."""
    return OperationWire(OPERATIONS[operation])


def get_generation_wire(target: Target) -> Wire:
    """Return the wire by which a target generates: what it asks of every request's head, it asks of these too."""
    return get_wire(WIRES[target.wire])


class OperationStream(PassthroughStream):
    """Watches events with a ``type``, as images, speech and transcriptions stream them."""

    __slots__ = ("_images", "_row", "complete", "usage")

    def __init__(self, wire: Wire, row: Operation) -> None:
        super().__init__(wire)
        self.complete = False
        self.usage: Usage | None = None
        self._row = row
        self._images = 0

    def feed(self, frame: bytes) -> bytes:
        """See :meth:`antiphon.wires.wire.StreamTranslator.feed`."""
        data = data_of(frame)
        if data is None:
            return frame
        if data.strip() == b"[DONE]":
            self.ended = self.committed = self.complete = True
            return frame
        event = _read(data)
        if event.error is not None or event.type == "error":
            self.error = _reported(event)
            return frame
        self.committed = True
        self.usage = usages.of(self._row, event) or self.usage
        if str(event.type).endswith(_LAST):
            self.complete = True
            self._images += self._row.unit == "images"
            if self._images and (self.usage is None or self.usage.images):
                self.usage = Usage(images=self._images)  # one event tells one that is finished
        return frame


def _read(data: bytes) -> _Answer:
    try:
        return _decode_answer(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        shown = data[:200].decode("utf-8", "replace")
        raise BadAnswer(f"The provider's answer is not a JSON object: {shown!r}") from None


def _reported(answer: _Answer) -> BadAnswer:
    error = answer.error if answer.error is not None else answer.message
    return BadAnswer(f"The provider reported an error: {error.get('message') if type(error) is dict else error}")
