"""Looks at the events of a stream as they pass between a caller and a provider that both speak this wire.

They pass as they came. What the provider says of a failure is the exception: it is put so that official clients raise
it, and numbered to fit.
"""

from typing import Any

import msgspec

from antiphon.errors import CallError
from antiphon.types import Usage
from antiphon.wires.json_text import encode_json
from antiphon.wires.responses.errors import error_frame, error_of, raised
from antiphon.wires.responses.frame import NOTHING, StreamEvent, data_in, read_frame
from antiphon.wires.responses.item_builders import Frames
from antiphon.wires.responses.output import head
from antiphon.wires.responses.reply import Reported, read_answer, reported
from antiphon.wires.wire import PassthroughStream, Wire, count_text_bytes

TERMINAL = frozenset(("response.completed", "response.incomplete", "response.failed", "response.cancelled"))
_DONE = "response.output_item.done"
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


class ResponsesStream(PassthroughStream):
    """See ``StreamTranslator``. ``response`` is the response object of the terminal event, ``cuts`` are
    the lengths of the texts of the deltas. ``eager`` takes any event for output: a response in the background is
    answered as soon as it is accepted."""

    __slots__ = (
        "_begun",
        "_cuts",
        "_eager",
        "_items",
        "_number",
        "_problem",
        "_response",
        "_told",
        "usage",
    )  # fmt: skip

    def __init__(self, wire: Wire, *, eager: bool = False) -> None:
        super().__init__(wire)
        self.usage: Usage | None = Usage() if eager else None  # counted once it has ended, by whoever asks then
        self._response = b""
        self._cuts: list[int] = []
        self._eager = eager
        self._number = 0
        self._begun = NOTHING
        self._items: list[msgspec.Raw] = []
        self._problem: Reported | None = None
        self._told = False

    @property
    def complete(self) -> bool:
        return self.ended

    @property
    def number(self) -> int:
        """The number that the next event should have."""
        return self._number

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
            return self._end(event, frame)
        if event.type == "error" or event.error is not None:
            return self._fail(event, frame)
        if event.delta is not None:
            self.output_bytes += count_text_bytes(event.delta)
            self._cuts.append(len(event.delta) if type(event.delta) is str else 0)
            self.committed = True
        elif event.type not in _PREAMBLE or (event.item != NOTHING and _speaks(event.item)):
            self.committed = True
            if event.type == _DONE:
                self._items.append(event.item)
        elif event.response != NOTHING:
            self._begun = event.response
            self.committed = self._eager
        return frame

    def fail(self, error: CallError) -> bytes:
        """Return the events that admit a break, numbered on from what came.

        A response in the background has not failed because its stream did: its provider goes on with it.
        """
        if self.ended or (self._told and self._response):
            return b""
        frames = Frames(self._number)
        said = b"" if self._told else error_frame(error, frames)
        self._told = True
        problem = self._problem
        if self._eager and problem is None:
            return said
        why = error_of(error) if problem is None else {"code": problem.code, "message": problem.words()}
        self._response = self.write_response("failed", error=why)
        failed = {"response": msgspec.Raw(self._response)}
        return said + (frames.frame("response.failed", failed) if self._response else b"")

    def write_response(self, status: str, **members: Any) -> bytes:
        """Return the response object as it would stand if it ended here, ``b""`` where it never began."""
        try:
            response = msgspec.json.decode(self._begun)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return b""
        if type(response) is not dict:
            return b""
        return encode_json({**response, "status": status, "output": self._items, **members})

    def _end(self, event: StreamEvent, frame: bytes) -> bytes:
        self._response = bytes(event.response)
        answer = read_answer(self._response)
        self.usage = answer.counted()
        if event.type != "response.failed":
            self.committed = self.ended = True
            return frame
        problem = answer.problem() or Reported("the response failed")
        self.error = reported(problem)
        self._told = True
        frames = Frames(self._number - 1)
        said = raised(problem.code, problem.words(), frames)
        document = msgspec.json.decode(data_in(frame) or b"{}")
        return said + frames.frame(event.type, {**document, "sequence_number": frames.number})

    def _fail(self, event: StreamEvent, frame: bytes) -> bytes:
        problem = self._problem = _problem(event)
        self.error = reported(problem)
        self._told = True
        if event.error is not None:
            return frame
        return raised(problem.code, problem.words(), Frames(self._number - 1))


def _speaks(item: msgspec.Raw) -> bool:
    """Whether an item is output as soon as it begins: a call is, a message has to say something first."""
    try:
        return head(item).type not in _SILENT_ITEMS
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False


def _problem(event: StreamEvent) -> Reported:
    error = event.error
    if type(error) is dict:
        return Reported(error.get("message"), error.get("code"), error.get("type"))
    return Reported(error or event.message, event.code)
