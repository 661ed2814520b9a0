"""A Converse stream read into neutral events.

Calls of tools that the provider runs itself, and their results, are left out, because they are no calls for the caller.
"""

from collections.abc import Callable
from typing import Any

from antiphon.errors import BadAnswer
from antiphon.wires.aws.eventstream import MessageReader
from antiphon.wires.bedrock import event_types, media, types
from antiphon.wires.bedrock.citations import read_citation
from antiphon.wires.bedrock.content_writer import WIRE
from antiphon.wires.bedrock.errors import find_fault
from antiphon.wires.bedrock.finish import read_finish
from antiphon.wires.bedrock.usage import read_usage
from antiphon.wires.translation.media import join_images
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
    """Reads one streamed answer; see ``codec.StreamReader``. One block is open at a time; blocks get new numbers."""

    __slots__ = (
        "_ended",
        "_has_tool_call",
        "_image_error",
        "_image_format",
        "_image_pieces",
        "_index",
        "_is_empty",
        "_kind",
        "_messages",
        "_next_block",
        "_open_block",
        "_skipped_block",
        "_started",
        "_stopped",
    )

    def __init__(self) -> None:
        self._messages = MessageReader()
        self._started = self._stopped = self._ended = False
        self._has_tool_call = False
        self._index = -1  # the neutral number of the last block
        # Numbers of Converse: the open block, the lowest that may begin next, the block of a tool of the provider.
        self._open_block: int | None = None
        self._next_block = 0
        self._skipped_block: int | None = None
        # The open block.
        self._kind = ""
        self._is_empty = True
        self._image_format = self._image_error = ""
        self._image_pieces: list[Image] = []

    def read(self, frame: bytes) -> list[Event]:
        """Return the events of one frame; raises :class:`BadAnswer`."""
        message = self._messages.read(frame)
        if (fault := find_fault(message)) is not None:
            return [StreamError(fault.message, fault.status)]
        kind = message.get_text(":event-type")
        payload = event_types.decode_payload(kind, message.payload)
        read_event = _EVENT_READERS.get(kind)
        return [] if read_event is None else read_event(self, payload)

    def close(self) -> list[Event]:
        """Return the closing of a block left open, and the end if only the usage is missing."""
        return [*self._close_block(), *self._end()]

    def read_message_start(self, payload: Any) -> list[Event]:
        if self._started:
            raise BadAnswer("The provider began the message twice.")
        self._started = True
        return [Start("", "")]

    def read_block_start(self, payload: event_types.BlockStart) -> list[Event]:
        block, call = payload.content_block_index, payload.start.tool_use
        if call is not None and call.type is None:
            self._has_tool_call = True
            return self._start_block(block, "tool", call.tool_use_id, call.name)
        if payload.start.image is not None:
            self._image_format, self._image_pieces = payload.start.image.format, []
            return self._open(block, "image")
        if call is not None or payload.start.tool_result is not None:
            self._skipped_block = block
        return []

    def read_block_delta(self, payload: event_types.BlockDelta) -> list[Event]:
        block, delta = payload.content_block_index, payload.delta
        if delta.text is not None:
            return self._read_text(block, "text", delta.text)
        if delta.tool_use is not None:
            return self._read_text(block, "tool", delta.tool_use.input)
        if delta.reasoning_content is not None:
            return self._read_reasoning(block, delta.reasoning_content)
        if delta.citation is not None:
            closing = self._enter_block(block, "text")
            return [*closing, Annotation(self._index, citation=read_citation(delta.citation), wire=WIRE)]
        if delta.image is not None:
            return self._read_image(block, delta.image)
        return []

    def read_block_stop(self, payload: event_types.BlockStop) -> list[Event]:
        block = payload.content_block_index
        if block == self._skipped_block:
            self._skipped_block = None
            return []
        return self._close_block() if block == self._open_block else []  # a block without content is never opened

    def read_message_stop(self, payload: event_types.MessageStop) -> list[Event]:
        finish = read_finish(payload.stop_reason, payload.additional_model_response_fields, self._has_tool_call)
        self._check_inside_message()
        self._stopped = True
        return [*self._close_block(), finish]

    def read_metadata(self, payload: event_types.Metadata) -> list[Event]:
        usage = read_usage(payload.usage, payload.service_tier, payload.performance_config)
        return [*([UsageUpdate(usage)] if usage is not None else ()), *self._end()]

    def _read_image(self, block: int, piece: types.AnswerMedia) -> list[Event]:
        """Collect a piece of an image, or the error in its place."""
        closing = [] if block == self._open_block else self._open(block, "image")
        if piece.error is not None:
            self._image_error = piece.error.message
            return closing
        source = piece.source or types.Source()
        url = source.s3_location.uri if source.s3_location else ""
        self._image_pieces.append(Image(url, source.bytes or "", media.IMAGE_TYPES.get(self._image_format, "")))
        return closing

    def _read_reasoning(self, block: int, delta: event_types.Reasoning) -> list[Event]:
        if delta.text is not None:
            return self._read_text(block, "thinking", delta.text)
        closing = self._enter_block(block, "thinking")
        return [*closing, Annotation(self._index, delta.signature or "", delta.redacted_content or "", wire=WIRE)]

    def _read_text(self, block: int, kind: Any, text: str) -> list[Event]:
        if block == self._open_block and kind == self._kind:
            if not text:
                return []
            self._is_empty = False
            return [Delta(self._index, text)]
        if block == self._skipped_block or not text:
            return []
        closing = self._enter_block(block, kind)
        self._is_empty = False
        return [*closing, Delta(self._index, text)]

    def _enter_block(self, block: int, kind: Any) -> list[Event]:
        """Return the events that must precede content of this kind in this block."""
        if block == self._open_block:
            if kind != self._kind:
                raise BadAnswer(f"The provider mixed {kind} into a block of {self._kind}.")
            return []
        if kind == "tool":
            raise BadAnswer("The provider sent a tool's input without the tool.")
        return self._start_block(block, kind)

    def _start_block(self, block: int, kind: Any, identifier: str = "", name: str = "") -> list[Event]:
        return [*self._open(block, kind), BlockStart(self._index, kind, identifier, name)]

    def _open(self, block: int, kind: str) -> list[Event]:
        """Open a block; return the events that close the one before."""
        self._check_inside_message()
        if block < self._next_block:
            raise BadAnswer(f"The provider came back to block {block} after block {self._next_block - 1}.")
        closing = self._close_block()
        self._open_block, self._next_block, self._kind, self._is_empty = block, block + 1, kind, True
        self._index += 1
        return closing

    def _check_inside_message(self) -> None:
        if not self._started or self._stopped:
            raise BadAnswer("The provider sent content outside of the message: before its start or after its end.")

    def _close_block(self) -> list[Event]:
        if self._open_block is None:
            return []
        self._open_block = None
        if self._kind == "image":
            return self._close_image()
        stop = BlockStop(self._index)
        return [Delta(self._index, "{}"), stop] if self._kind == "tool" and self._is_empty else [stop]

    def _close_image(self) -> list[Event]:
        """Return the whole image, or the error in its place as text."""
        error, self._image_error = self._image_error, ""
        if error:
            return [BlockStart(self._index, "text"), Delta(self._index, error), BlockStop(self._index)]
        return [Media(self._index, join_images(self._image_pieces))] if self._image_pieces else []

    def _end(self) -> list[Event]:
        """Return the end of the stream, once, after the message has stopped."""
        if not self._stopped or self._ended:
            return []
        self._ended = True
        return [StreamEnd()]


_EVENT_READERS: dict[str, Callable[[ConverseReader, Any], list[Event]]] = {
    "messageStart": ConverseReader.read_message_start,
    "contentBlockStart": ConverseReader.read_block_start,
    "contentBlockDelta": ConverseReader.read_block_delta,
    "contentBlockStop": ConverseReader.read_block_stop,
    "messageStop": ConverseReader.read_message_stop,
    "metadata": ConverseReader.read_metadata,
}
