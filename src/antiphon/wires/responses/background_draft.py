"""A response in the background: accepted under an id of its own before anybody answers it, told as it comes.

What belongs here: its object and its events at every moment. What does not: the work itself, and where it is kept.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from antiphon.errors import BadAnswer, CallError
from antiphon.wires.json_text import encode_json
from antiphon.wires.responses.errors import error_of
from antiphon.wires.responses.frame import NOTHING, StreamEvent, data_in, read_frame
from antiphon.wires.responses.item_builders import Frames
from antiphon.wires.responses.passthrough_stream import TERMINAL
from antiphon.wires.responses.replay import is_unfinished, replay_events, write_first_frame, write_last_frames
from antiphon.wires.responses.reply import Skeleton
from antiphon.wires.responses.request_reader import echoed
from antiphon.wires.translation.neutral import Request

_OWN = ("id", "created_at", "background", "store", "previous_response_id")
"""What is ours in a response, whoever answers it."""
_STOPPED = "The gateway stopped before the response had ended."


class BackgroundDraft:
    """One response in the making: ``response`` is the object as it stands, ``frames`` is its stream so far.

    ``numbers`` runs beside ``frames``; ``size`` is what they hold in bytes.
    """

    def __init__(self, document: dict[str, Any], model: str) -> None:
        skeleton = Skeleton(Request(model=model, messages=(), echo=echoed(document)), "", "")
        self.id = skeleton.id
        self.response: dict[str, Any] = msgspec.json.decode(skeleton.write("queued", []))
        self._own = {name: self.response[name] for name in _OWN}
        self.frames = [write_first_frame(self.response)]
        self.numbers = [0]
        self.size = 0
        self.cuts: list[int] = []
        self.end = 0
        """The number of the event that its end begins with."""
        self._items: list[Any] = []

    @property
    def ended(self) -> bool:
        return not is_unfinished(self.response)

    def encode(self) -> bytes:
        """Return the object as JSON."""
        return encode_json(self.response)

    def take(self, frame: bytes) -> None:
        """Take a frame of whoever answers; raises :class:`BadAnswer` for what is none of this wire."""
        event = read_frame(frame)
        if event is None or event.type == "response.created":  # which was told when it was accepted
            return
        number = event.sequence_number if type(event.sequence_number) is int else self.numbers[-1] + 1
        if event.response != NOTHING:
            frame = self._stands(event, frame)
        elif event.delta is not None:
            self.cuts.append(len(event.delta) if type(event.delta) is str else 0)
        elif event.type == "response.output_item.done":
            self._items.append(_object(event.item))
        if not self.end and (self.ended or event.type == "error"):
            self.end = number
        self._tell(frame, number)

    def take_whole(self, body: bytes) -> None:
        """Take a whole answer."""
        self.response = {**msgspec.json.decode(body), **self._own}
        self._tell_all(replay_events(self.response)[1:])

    def fail(self, error: CallError) -> None:
        """End here, because of an error."""
        self._stop({"status": "failed", "error": error_of(error)})

    def cancel(self) -> None:
        """End here, as the caller wants it."""
        self._stop({"status": "cancelled"})

    def mark_lost(self, reason: str) -> None:
        """Be what can be told later of a response that could not be kept."""
        self.response = {
            **self.response,
            "status": "failed",
            "output": [],
            "error": {"code": "server_error", "message": reason},
        }

    def get_index_after(self, number: int) -> int:
        """Return the index of the first frame above a number."""
        return next((i for i, each in enumerate(self.numbers) if each > number), len(self.numbers))

    def _stop(self, members: dict[str, Any]) -> None:
        if self.ended:
            return
        self.response = {**self.response, "output": self._items, **members}
        if len(self.frames) == 1:
            self._tell_all(replay_events(self.response)[1:])
            return
        self.end = self.end or self.numbers[-1] + 1
        self._tell_all(write_last_frames(self.response, Frames(self.numbers[-1] + 1)))

    def _stands(self, event: StreamEvent, frame: bytes) -> bytes:
        stands = {**_object(event.response), **self._own}
        if event.type in TERMINAL or is_unfinished(stands):
            self.response = stands
        return b"event: %b\ndata: %b\n\n" % (
            event.type.encode(),
            encode_json({**_object(data_in(frame) or b""), "response": stands}),
        )

    def _tell_all(self, frames: Iterable[bytes]) -> None:
        for frame in frames:
            self._tell(frame, self.numbers[-1] + 1)

    def _tell(self, frame: bytes, number: int) -> None:
        self.frames.append(frame)
        self.numbers.append(number)
        self.size += len(frame)


def _object(raw: msgspec.Raw | bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = None
    if type(found) is not dict:
        raise BadAnswer("The provider's event has no object where one must be.")
    return found


def mark_abandoned(response: dict[str, Any]) -> dict[str, Any]:
    """Return a response as it is told whose work ended with the gateway that did it."""
    return {**response, "status": "failed", "error": {"code": "server_error", "message": _STOPPED}}
