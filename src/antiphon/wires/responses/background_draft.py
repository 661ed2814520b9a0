"""A background response while it is being made: Antiphon gives it an id, accepts it, and streams it as it grows.

This module has its response object and its events at every moment. Making the answer and storing it are done elsewhere.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from antiphon.errors import BadAnswer, CallError
from antiphon.wires.checks import DECODE_ERRORS
from antiphon.wires.json_text import encode_json
from antiphon.wires.responses.errors import write_response_error
from antiphon.wires.responses.frames import NO_JSON, FrameWriter, StreamEvent, read_frame
from antiphon.wires.responses.passthrough_stream import TERMINAL
from antiphon.wires.responses.replay import is_unfinished, replay_events, write_first_frame, write_last_frames
from antiphon.wires.responses.request_reader import make_echo
from antiphon.wires.responses.response_template import ResponseTemplate
from antiphon.wires.sse import read_data
from antiphon.wires.translation.neutral import Request

_OWN_FIELDS = ("id", "created_at", "background", "store", "previous_response_id")
"""Fields that Antiphon sets, no matter which provider answers."""
_STOP_MESSAGE = "The gateway stopped before the response had ended."


class BackgroundDraft:
    """One response: ``response`` is its current object, ``frames`` is its stream so far.

    ``numbers`` has the number of each of the ``frames``; ``size`` is their size in bytes.
    """

    def __init__(self, document: dict[str, Any], model: str) -> None:
        template = ResponseTemplate(Request(model=model, messages=(), echo=make_echo(document)), "", "")
        self.id = template.id
        self.response: dict[str, Any] = msgspec.json.decode(template.write("queued", []))
        self._own_fields = {name: self.response[name] for name in _OWN_FIELDS}
        self.frames = [write_first_frame(self.response)]
        self.numbers = [0]
        self.size = 0
        self.cuts: list[int] = []
        self.end = 0
        """The number of the first of its last events."""
        self._items: list[Any] = []

    @property
    def ended(self) -> bool:
        return not is_unfinished(self.response)

    def encode(self) -> bytes:
        """Return the object as JSON."""
        return encode_json(self.response)

    def take(self, frame: bytes) -> None:
        """Take a frame of the answer's stream; raises :class:`BadAnswer` for a frame that is not of this wire."""
        event = read_frame(frame)
        if event is None or event.type == "response.created":  # already written when the response was accepted
            return
        number = event.sequence_number if type(event.sequence_number) is int else self.numbers[-1] + 1
        if event.response != NO_JSON:
            frame = self._take_response(event, frame)
        elif event.delta is not None:
            self.cuts.append(len(event.delta) if type(event.delta) is str else 0)
        elif event.type == "response.output_item.done":
            self._items.append(_read_object(event.item))
        if not self.end and (self.ended or event.type == "error"):
            self.end = number
        self._append(frame, number)

    def take_whole(self, body: bytes) -> None:
        """Take a whole answer."""
        self.response = {**msgspec.json.decode(body), **self._own_fields}
        self._append_all(replay_events(self.response)[1:])

    def fail(self, error: CallError) -> None:
        """End the response because of an error."""
        self._stop({"status": "failed", "error": write_response_error(error)})

    def cancel(self) -> None:
        """End the response at the caller's request."""
        self._stop({"status": "cancelled"})

    def mark_lost(self, reason: str) -> None:
        """Turn it into a failed response without output, because its answer could not be stored."""
        self.response = {
            **self.response,
            "status": "failed",
            "output": [],
            "error": {"code": "server_error", "message": reason},
        }

    def get_index_after(self, number: int) -> int:
        """Return the index of the first frame with a higher number."""
        return next(
            (index for index, frame_number in enumerate(self.numbers) if frame_number > number), len(self.numbers)
        )

    def _stop(self, fields: dict[str, Any]) -> None:
        if self.ended:
            return
        self.response = {**self.response, "output": self._items, **fields}
        if len(self.frames) == 1:
            self._append_all(replay_events(self.response)[1:])
            return
        self.end = self.end or self.numbers[-1] + 1
        self._append_all(write_last_frames(self.response, FrameWriter(self.numbers[-1] + 1)))

    def _take_response(self, event: StreamEvent, frame: bytes) -> bytes:
        """Take the response object of an event; return the event's frame with Antiphon's fields in it."""
        response = {**_read_object(event.response), **self._own_fields}
        if event.type in TERMINAL or is_unfinished(response):
            self.response = response
        data = encode_json({**_read_object(read_data(frame) or b""), "response": response})
        return b"event: %b\ndata: %b\n\n" % (event.type.encode(), data)

    def _append_all(self, frames: Iterable[bytes]) -> None:
        for frame in frames:
            self._append(frame, self.numbers[-1] + 1)

    def _append(self, frame: bytes, number: int) -> None:
        self.frames.append(frame)
        self.numbers.append(number)
        self.size += len(frame)


def _read_object(raw: msgspec.Raw | bytes) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(raw)
    except DECODE_ERRORS:
        value = None
    if type(value) is not dict:
        raise BadAnswer("The provider's event lacks an object that it must have.")
    return value


def mark_abandoned(response: dict[str, Any]) -> dict[str, Any]:
    """Return an unfinished response as failed, because the gateway that was making it has stopped."""
    return {**response, "status": "failed", "error": {"code": "server_error", "message": _STOP_MESSAGE}}
