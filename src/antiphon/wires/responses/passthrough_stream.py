"""The stream of a response between a caller and a provider that both speak this wire.

Events pass unchanged, except for an error of the provider: it gets the form for which official clients raise, and
matching sequence numbers.
"""

from typing import Any

import msgspec

from antiphon.errors import CallError
from antiphon.types import Usage
from antiphon.wires.checks import DECODE_ERRORS
from antiphon.wires.json_text import encode_json
from antiphon.wires.responses.errors import (
    read_error_event,
    write_error_event,
    write_error_frame,
    write_response_error,
)
from antiphon.wires.responses.frames import NO_JSON, FrameWriter, StreamEvent, read_frame
from antiphon.wires.responses.output_reader import decode_head
from antiphon.wires.responses.types import ErrorObject, make_reported_error, read_response
from antiphon.wires.sse import read_data
from antiphon.wires.wire import PassthroughStream, Wire, count_text_bytes

TERMINAL = frozenset(("response.completed", "response.incomplete", "response.failed", "response.cancelled"))
_ITEM_DONE = "response.output_item.done"
_PREAMBLE = frozenset(
    (
        "",
        "response.created",
        "response.queued",
        "response.in_progress",
        "response.content_part.added",
        "response.reasoning_summary_part.added",
        "response.output_item.added",
    )
)
_SILENT_ITEMS = frozenset(("message", "reasoning"))
"""Items that count as output only when text follows; a call counts as soon as it begins."""


class ResponsesStream(PassthroughStream):
    """See :class:`antiphon.wires.wire.StreamTranslator`; ``response`` is the response object of the terminal event.

    ``eager`` counts any event as output: a background response is answered as soon as it is accepted.
    """

    __slots__ = (
        "_begun",
        "_cuts",
        "_eager",
        "_error_object",
        "_error_sent",
        "_items",
        "_number",
        "_response",
        "usage",
    )  # fmt: skip

    def __init__(self, wire: Wire, *, eager: bool = False) -> None:
        super().__init__(wire)
        self.usage: Usage | None = Usage() if eager else None  # counted when the ended response is retrieved
        self._response = b""
        self._cuts: list[int] = []
        self._eager = eager
        self._number = 0
        self._begun = NO_JSON
        self._items: list[msgspec.Raw] = []
        self._error_object: ErrorObject | None = None
        self._error_sent = False

    @property
    def complete(self) -> bool:
        return self.ended

    @property
    def response(self) -> bytes:
        return self._response

    @property
    def cuts(self) -> list[int]:
        return self._cuts

    @property
    def begun(self) -> bytes:
        """The response object as the stream began with it, ``b""`` before that."""
        return bytes(self._begun)

    def feed(self, frame: bytes) -> bytes:
        event = read_frame(frame)
        if event is None:
            return frame
        number = event.sequence_number
        self._number = (number if type(number) is int else self._number) + 1
        if event.type in TERMINAL:
            return self._read_end(event, frame)
        if event.type == "error" or event.error is not None:
            return self._read_error(event, frame)
        if event.delta is not None:
            self.output_bytes += count_text_bytes(event.delta)
            self._cuts.append(len(event.delta) if type(event.delta) is str else 0)
            self.committed = True
        elif event.type not in _PREAMBLE or (event.item != NO_JSON and _is_output(event.item)):
            self.committed = True
            if event.type == _ITEM_DONE:
                self._items.append(event.item)
        elif event.response != NO_JSON:
            self._begun = event.response
            self.committed = self._eager
        return frame

    def fail(self, error: CallError) -> bytes:
        """Return the events that tell the caller of a break, numbered after the events so far.

        A background response has not failed when its stream breaks, because its provider continues it.
        """
        if self.ended or (self._error_sent and self._response):
            return b""
        frames = FrameWriter(self._number)
        sent_frames = b"" if self._error_sent else write_error_frame(error, frames)
        self._error_sent = True
        provider_error = self._error_object
        if self._eager and provider_error is None:
            return sent_frames
        failure = (
            write_response_error(error)
            if provider_error is None
            else {"code": provider_error.code, "message": provider_error.text}
        )
        self._response = self._write_response("failed", error=failure)
        if not self._response:
            return sent_frames
        return sent_frames + frames.write("response.failed", {"response": msgspec.Raw(self._response)})

    def _write_response(self, status: str, **fields: Any) -> bytes:
        """Return the response object as if it ended now, ``b""`` if the stream never began with one."""
        try:
            response = msgspec.json.decode(self._begun)
        except DECODE_ERRORS:
            return b""
        if type(response) is not dict:
            return b""
        return encode_json({**response, "status": status, "output": self._items, **fields})

    def _read_end(self, event: StreamEvent, frame: bytes) -> bytes:
        self._response = bytes(event.response)
        response = read_response(self._response)
        self.usage = response.read_usage()
        if event.type != "response.failed":
            self.committed = self.ended = True
            return frame
        provider_error = response.find_error() or ErrorObject("the response failed")
        self.error = make_reported_error(provider_error)
        self._error_sent = True
        frames = FrameWriter(self._number - 1)
        error_frame = write_error_event(provider_error.code, provider_error.text, frames)
        document = msgspec.json.decode(read_data(frame) or b"{}")
        return error_frame + frames.write(event.type, {**document, "sequence_number": frames.number})

    def _read_error(self, event: StreamEvent, frame: bytes) -> bytes:
        provider_error = self._error_object = read_error_event(event)
        self.error = make_reported_error(provider_error)
        self._error_sent = True
        if event.error is not None:
            return frame
        return write_error_event(provider_error.code, provider_error.text, FrameWriter(self._number - 1))


def _is_output(item: msgspec.Raw) -> bool:
    try:
        return decode_head(item).type not in _SILENT_ITEMS
    except DECODE_ERRORS:
        return False
