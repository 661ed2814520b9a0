"""A streamed answer of Converse read into neutral events.

Tools that the provider runs itself, and their results, are no calls for the caller, and are left out.
"""

from collections.abc import Callable
from typing import Any

from antiphon.errors import BadAnswer
from antiphon.wires.aws.eventstream import MessageReader
from antiphon.wires.bedrock import citations, events, media, schema, stops, usage
from antiphon.wires.bedrock.errors import fault_of
from antiphon.wires.bedrock.reply import WIRE, stop_sequence
from antiphon.wires.translation.media import joined_images
from antiphon.wires.translation.neutral import (
    Annotation,
    BlockStart,
    BlockStop,
    Delta,
    Event,
    Image,
    Media,
    Start,
    StreamEnd,
    StreamError,
    UsageUpdate,
)


class ConverseReader:
    """Reads one streamed answer; see ``codec.EventReader``. Blocks are numbered anew, one open at a time."""

    __slots__ = (
        "_called",
        "_empty",
        "_ended",
        "_fault",
        "_image",
        "_index",
        "_kind",
        "_messages",
        "_next",
        "_open",
        "_pieces",
        "_skipped",
        "_started",
        "_stopped",
    )

    def __init__(self) -> None:
        self._messages = MessageReader()
        self._open: int | None = None  # Converse's number of the open block
        self._kind = ""
        self._index = -1
        self._next = 0
        self._empty = True
        self._image = self._fault = ""
        self._pieces: list[Image] = []
        self._called = False
        self._started = self._stopped = self._ended = False
        self._skipped: int | None = None

    def read(self, frame: bytes) -> list[Event]:
        """Return the events of one frame; raises :class:`BadAnswer`."""
        message = self._messages.read(frame)
        if (fault := fault_of(message)) is not None:
            return [StreamError(fault.message, fault.status)]
        kind = message.text(":event-type")
        payload = events.decode(kind, message.payload)
        take = _TAKE.get(kind)
        return [] if take is None else take(self, payload)

    def close(self) -> list[Event]:
        """Return the closing of a block left open, and the end where only the usage is missing."""
        events = self._close()
        if self._stopped and not self._ended:
            self._ended = True
            events.append(StreamEnd())
        return events

    def message_start(self, payload: Any) -> list[Event]:
        if self._started:
            raise BadAnswer("The provider began the message twice.")
        self._started = True
        return [Start("", "")]

    def block_start(self, payload: events.BlockStart) -> list[Event]:
        call, index = payload.start.tool_use, payload.content_block_index
        if call is not None and call.type is None:
            self._called = True
            return self._opened(index, "tool", call.tool_use_id, call.name)
        if payload.start.image is not None:
            self._image, self._pieces = payload.start.image.format, []
            return self._begun(index, "image")
        if call is not None or payload.start.tool_result is not None:
            self._skipped = index  # a tool that the provider runs itself
        return []

    def block_delta(self, payload: events.BlockDelta) -> list[Event]:
        index, delta = payload.content_block_index, payload.delta
        if delta.text is not None:
            return self._grown(index, "text", delta.text)
        if delta.tool_use is not None:
            return self._grown(index, "tool", delta.tool_use.input)
        if delta.reasoning_content is not None:
            return self._thought(index, delta.reasoning_content)
        if delta.citation is not None:
            before = self._in(index, "text")
            return [*before, Annotation(self._index, citation=citations.read(delta.citation), wire=WIRE)]
        if delta.image is not None:
            return self._pictured(index, delta.image)
        return []

    def _pictured(self, index: int, told: schema.Shown) -> list[Event]:
        """Gather the pieces of an image; an error in its place is told in its words."""
        before = [] if index == self._open else self._begun(index, "image")
        if told.error is not None:
            self._fault = told.error.message
            return before
        source = told.source or schema.Source()
        place = source.s3_location.uri if source.s3_location else ""
        self._pieces.append(Image(place, source.bytes or "", media.IMAGE_TYPES.get(self._image, "")))
        return before

    def block_stop(self, payload: events.BlockStop) -> list[Event]:
        index = payload.content_block_index
        if index == self._skipped:
            self._skipped = None
            return []
        return self._close() if index == self._open else []  # a block without content is never opened

    def message_stop(self, payload: events.MessageStop) -> list[Event]:
        sequence = stop_sequence(payload.additional_model_response_fields)
        finish = stops.read(payload.stop_reason, sequence, self._called)
        self._check_within()
        self._stopped = True
        return [*self._close(), finish]

    def metadata(self, payload: events.Metadata) -> list[Event]:
        counted = usage.read(payload.usage, payload.service_tier, payload.performance_config)
        found: list[Event] = [UsageUpdate(counted)] if counted is not None else []
        if self._stopped and not self._ended:
            self._ended = True
            found.append(StreamEnd())
        return found

    def _picture(self) -> list[Event]:
        """Return the image that was gathered, or the words that came in its place."""
        fault, self._fault = self._fault, ""
        if fault:
            return [BlockStart(self._index, "text"), Delta(self._index, fault), BlockStop(self._index)]
        return [Media(self._index, joined_images(self._pieces))] if self._pieces else []

    def _thought(self, index: int, told: events.Reasoning) -> list[Event]:
        if told.text is not None:
            return self._grown(index, "thinking", told.text)
        before = self._in(index, "thinking")
        mark = Annotation(self._index, told.signature or "", told.redacted_content or "", wire=WIRE)
        return [*before, mark]

    def _grown(self, index: int, kind: Any, text: str) -> list[Event]:
        if index == self._open and kind == self._kind:
            if not text:
                return []
            self._empty = False
            return [Delta(self._index, text)]
        if index == self._skipped or not text:
            return []
        before = self._in(index, kind)
        self._empty = False
        return [*before, Delta(self._index, text)]

    def _in(self, index: int, kind: Any) -> list[Event]:
        """Return what must come before something of this kind in this block."""
        if index == self._open:
            if kind != self._kind:
                raise BadAnswer(f"The provider mixed {kind} into a block of {self._kind}.")
            return []
        if kind == "tool":
            raise BadAnswer("The provider sent a tool's input without the tool.")
        return self._opened(index, kind)

    def _opened(self, index: int, kind: Any, identifier: str = "", name: str = "") -> list[Event]:
        return [*self._begun(index, kind), BlockStart(self._index, kind, identifier, name)]

    def _begun(self, index: int, kind: str) -> list[Event]:
        """Begin a block; return what is still owed of the one before."""
        self._check_within()
        if index < self._next:
            raise BadAnswer(f"The provider came back to block {index} after block {self._next - 1}.")
        before = self._close()
        self._open, self._kind, self._next, self._empty = index, kind, index + 1, True
        self._index += 1
        return before

    def _check_within(self) -> None:
        if not self._started or self._stopped:
            raise BadAnswer("The provider sent content outside of the message: before its start or after its end.")

    def _close(self) -> list[Event]:
        if self._open is None:
            return []
        self._open = None
        if self._kind == "image":
            return self._picture()
        closed = BlockStop(self._index)
        return [Delta(self._index, "{}"), closed] if self._kind == "tool" and self._empty else [closed]


_TAKE: dict[str, Callable[[ConverseReader, Any], list[Event]]] = {
    "messageStart": ConverseReader.message_start,
    "contentBlockStart": ConverseReader.block_start,
    "contentBlockDelta": ConverseReader.block_delta,
    "contentBlockStop": ConverseReader.block_stop,
    "messageStop": ConverseReader.message_stop,
    "metadata": ConverseReader.metadata,
}
