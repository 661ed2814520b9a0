"""One wire for every operation of the table: it reads and replaces the model, and finds usage and errors."""

from functools import cache
from typing import Any

import msgspec

from antiphon.catalog.kinds.vocabulary import WIRES
from antiphon.catalog.operations import OPERATIONS, Operation
from antiphon.errors import BadAnswer, BadRequest, CallError
from antiphon.types import Target, Usage
from antiphon.wires import body as bodies
from antiphon.wires.base import BaseWire
from antiphon.wires.checks import DECODE_ERRORS, check_model_name
from antiphon.wires.openai.errors import read_error_message, write_error_body
from antiphon.wires.openai.passthrough import SHOWN_HEADERS
from antiphon.wires.operations.usage import CountedAnswer, read_request_usage, read_usage
from antiphon.wires.sse import read_data
from antiphon.wires.table import get_wire
from antiphon.wires.wire import EncodedBody, Envelope, PassthroughStream, WholeAnswer, Wire

_LAST_EVENTS = (".done", ".completed")
"""Suffixes of the type of a stream's last event, which has the usage."""


class _Answer(CountedAnswer):
    """An answer, or an event of a stream."""

    type: Any = ""
    error: Any = None
    message: Any = None


_decode_answer = msgspec.json.Decoder(_Answer).decode


class OperationWire(BaseWire):
    """An operation whose body is JSON or a form; errors have OpenAI's shape."""

    response_header_prefixes = (*SHOWN_HEADERS, b"content-disposition", b"request-id", b"anthropic-")

    def __init__(self, operation: Operation) -> None:
        self.operation = operation.name
        self._row = operation

    def peek(self, body: bytes, model: str = "", stream: bool | None = None) -> Envelope:
        """See :meth:`antiphon.wires.wire.Wire.peek`."""
        document = bodies.check(body)
        for field in self._row.needs:
            if document.get(field) is None:
                raise BadRequest(f"`{field}` is missing; {self.operation} needs it.", param=field)
        name = document.get("model")
        if name is None:
            name = self._row.default
        if type(name) is not str:
            raise BadRequest("`model` must be a string.", param="model")
        return self.make_envelope(name, bool(document.get("stream")), document)

    def make_envelope(self, model: str, stream: bool = False, document: dict[str, Any] | None = None) -> Envelope:
        """Return the envelope of a call for ``model``; raises :class:`BadRequest` for a name that cannot be one."""
        if not model:
            raise BadRequest(f"`model` is missing; {self.operation} needs it.", param="model")
        check_model_name(model)
        return Envelope(model, stream, False, 1, document or {})

    def encode(self, body: bytes, envelope: Envelope, target: Target) -> EncodedBody:
        """See :meth:`antiphon.wires.wire.Wire.encode`."""
        model = msgspec.json.encode(target.model)
        if "model" not in envelope.document:
            return EncodedBody(bodies.insert(body, "model", model))
        if target.model == envelope.document["model"]:
            return EncodedBody(body)
        return EncodedBody(bodies.replace(body, "model", model))

    def read_whole(self, body: bytes) -> WholeAnswer:
        """See :meth:`antiphon.wires.wire.Wire.read_whole`."""
        answer = _read_answer(body)
        if answer.error is not None:
            raise _make_reported_error(answer)
        return WholeAnswer(read_usage(self._row, answer))

    def start_stream(self, envelope: Envelope, hides_usage: bool) -> "OperationStream":
        return OperationStream(self, self._row)

    def count_input_bytes(self, envelope: Envelope) -> int:
        return 0

    def estimate_request_usage(self, envelope: Envelope) -> Usage | None:
        """Return the usage that follows from the request alone, or ``None``."""
        return read_request_usage(self._row, envelope.document)

    def write_error_body(self, error: CallError) -> bytes:
        return write_error_body(error)

    def read_error_message(self, body: bytes) -> str:
        return read_error_message(body)


@cache
def get_operation_wire(operation: str) -> OperationWire:
    """Return the wire of an operation in the table; raises ``KeyError`` for any other."""
    return OperationWire(OPERATIONS[operation])


def get_generation_wire(target: Target) -> Wire:
    """Return the wire on which a target generates; its rules for request headers apply to these operations, too."""
    return get_wire(WIRES[target.wire])


class OperationStream(PassthroughStream):
    """Observes events with a ``type``, in which images, speech and transcriptions are streamed."""

    __slots__ = ("_images", "_row", "complete", "usage")

    def __init__(self, wire: Wire, row: Operation) -> None:
        super().__init__(wire)
        self.complete = False
        self.usage: Usage | None = None
        self._row = row
        self._images = 0

    def feed(self, frame: bytes) -> bytes:
        """See :meth:`antiphon.wires.wire.StreamTranslator.feed`."""
        data = read_data(frame)
        if data is None:
            return frame
        if data.strip() == b"[DONE]":
            self.ended = self.committed = self.complete = True
            return frame
        event = _read_answer(data)
        if event.error is not None or event.type == "error":
            self.error = _make_reported_error(event)
            return frame
        self.committed = True
        self.usage = read_usage(self._row, event) or self.usage
        if str(event.type).endswith(_LAST_EVENTS):
            self.complete = True
            self._images += self._row.unit == "images"
            if self._images and (self.usage is None or self.usage.images):
                self.usage = Usage(images=self._images)  # each such event finishes one image
        return frame


def _read_answer(data: bytes) -> _Answer:
    try:
        return _decode_answer(data)
    except DECODE_ERRORS:
        excerpt = data[:200].decode("utf-8", "replace")
        raise BadAnswer(f"The provider's answer is not a JSON object: {excerpt!r}") from None


def _make_reported_error(answer: _Answer) -> BadAnswer:
    error = answer.error if answer.error is not None else answer.message
    return BadAnswer(f"The provider reported an error: {error.get('message') if type(error) is dict else error}")
