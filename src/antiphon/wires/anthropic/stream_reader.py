"""Reads a Messages stream into neutral events; see :class:`translation.codec.StreamReader`."""

from collections.abc import Callable
from typing import Any, Literal

from antiphon.errors import BadAnswer
from antiphon.wires.anthropic import errors
from antiphon.wires.anthropic.finish import read_explanation, read_finish
from antiphon.wires.anthropic.frames import Block, DeltaBody, Event, read_event
from antiphon.wires.anthropic.reply import read_arguments, read_string
from antiphon.wires.anthropic.types import WIRE
from antiphon.wires.anthropic.usage import UsageCounts
from antiphon.wires.translation.foreign_signatures import ForeignSignature, unpack_signature
from antiphon.wires.translation.neutral import (
    Annotation,
    BlockStart,
    BlockStop,
    Delta,
    Finish,
    Start,
    StreamEnd,
    StreamError,
    UsageUpdate,
)
from antiphon.wires.translation.neutral import Event as Neutral

_Kind = Literal["text", "thinking", "tool", "refusal"]
_KINDS: dict[str, _Kind] = {
    "text": "text",
    "thinking": "thinking",
    "redacted_thinking": "thinking",
    "tool_use": "tool",
}
"""Blocks that other wires can have; all others (a server's tool, its result) are skipped."""


class MessagesReader:
    """Keeps the open block and the usage so far, and renumbers the blocks, because some are skipped."""

    __slots__ = (
        "_closed",
        "_counts",
        "_has_content",
        "_index",
        "_kind",
        "_open_index",
        "_signatures",
        "_skipped_index",
        "_started",
        "_stopped",
    )

    def __init__(self) -> None:
        self._started = False
        self._stopped = False
        """A stop reason was seen."""
        self._closed = False
        self._open_index: int | None = None
        """The provider's index of the open block."""
        self._skipped_index: int | None = None
        """The provider's index of the block that is skipped."""
        self._kind: _Kind = "text"
        self._index = 0
        """Our index of the open block, or of the next one."""
        self._has_content = False
        """The open block has some text or some arguments."""
        self._counts = UsageCounts()
        self._signatures: dict[str, ForeignSignature] = {}
        """Thought signatures that came before their tool calls, by the call's id."""

    def read(self, frame: bytes) -> list[Neutral]:
        """Return the events of one whole frame; raises :class:`BadAnswer` for events that the wire forbids."""
        event = read_event(frame)
        if self._closed:
            return []
        reader = _READERS.get(event.type)
        if reader is not None:
            if not self._started and event.type != "message_start":
                raise BadAnswer(f"The provider sent {event.type!r} before `message_start`.")
            return reader(self, event)
        if event.error is not None or event.type == "error":
            self._closed = True
            kind, message = errors.read_error(event.error)
            return [StreamError(message, errors.STATUSES.get(kind, 0))]
        return []

    def close(self) -> list[Neutral]:
        """Return the end of a block that was left open, and the end of the stream if only its marker is missing."""
        if self._closed:
            return []
        events = self._close_block()
        return [*events, StreamEnd()] if self._stopped else events

    def _read_message_start(self, event: Event) -> list[Neutral]:
        message = event.message
        if self._started:  # a repetition says nothing new
            return []
        if message is None:
            raise BadAnswer("The provider sent `message_start` without a message.")
        self._started = True
        self._counts.add(message.usage)
        return [Start(read_string(message.id), read_string(message.model), self._counts.sum())]

    def _read_block_start(self, event: Event) -> list[Neutral]:
        block = event.content_block
        if block is None:
            raise BadAnswer("The provider sent `content_block_start` without a block.")
        events = self._close_block()
        self._skipped_index = event.index
        kind = _KINDS.get(block.type)
        if kind is None:
            return events
        if (signature := unpack_signature(block.signature)) is not None and signature.call:
            self._signatures[signature.call] = signature
            return events
        self._open_index, self._skipped_index = event.index, None
        self._kind, self._has_content = kind, False
        return [*events, *self._read_opening(block, self._index)]

    def _read_opening(self, block: Block, index: int) -> list[Neutral]:
        """Return the events of a block's start, in which compatible servers may put the whole content."""
        if block.type == "tool_use":
            call_id, name = read_string(block.id), read_string(block.name)
            events: list[Neutral] = [BlockStart(index, "tool", call_id, name)]
            if signature := self._signatures.pop(call_id, None):
                events.append(Annotation(index, signature.signature, wire=signature.wire))
            arguments = read_arguments(block)
            return events if arguments == "{}" else [*events, *self._read_delta(arguments)]
        if block.type == "redacted_thinking":
            redacted = read_string(block.data)
            return [BlockStart(index, "thinking"), Annotation(index, redacted=redacted, wire=WIRE)]
        text = read_string(block.text) or read_string(block.thinking)
        start = BlockStart(index, _KINDS[block.type])
        return [start, *self._read_delta(text), *self._read_signature(block.signature)]

    def _read_block_delta(self, event: Event) -> list[Neutral]:
        delta = event.delta
        if delta is None:
            return []
        if event.index != self._open_index:
            if event.index == self._skipped_index:
                return []
            raise BadAnswer(f"The provider sent a piece of block {event.index}, which is not open.")
        reader = _DELTA_READERS.get(delta.type)
        return reader(self, delta) if reader is not None else []

    def _read_delta(self, text: Any) -> list[Neutral]:
        if type(text) is not str or not text:
            return []
        self._has_content = True
        return [Delta(self._index, text)]

    def _read_signature(self, signature: Any) -> list[Neutral]:
        if type(signature) is not str or not signature:
            return []
        foreign = unpack_signature(signature)
        if foreign is None:
            return [Annotation(self._index, signature, wire=WIRE)]
        if not foreign.signature and not foreign.redacted:
            return []
        return [Annotation(self._index, foreign.signature, foreign.redacted, wire=foreign.wire)]

    def _read_citation(self, citation: Any) -> list[Neutral]:
        return [Annotation(self._index, citation=citation)] if type(citation) is dict else []

    def _read_block_stop(self, event: Event) -> list[Neutral]:
        return self._close_block() if event.index == self._open_index else []

    def _close_block(self) -> list[Neutral]:
        if self._open_index is None:
            return []
        events: list[Neutral] = []
        if self._kind == "tool" and not self._has_content:
            events.append(Delta(self._index, "{}"))  # no arguments are an empty object
        events.append(BlockStop(self._index))
        self._open_index = None
        self._index += 1
        return events

    def _read_message_delta(self, event: Event) -> list[Neutral]:
        self._counts.add(event.usage)
        usage = self._counts.sum()
        events: list[Neutral] = []
        if event.delta is not None and event.delta.stop_reason is not None and not self._stopped:
            self._stopped = True
            events += self._close_block()
            if explanation := read_explanation(event.delta):
                index, self._index = self._index, self._index + 1
                events += [BlockStart(index, "refusal"), Delta(index, explanation), BlockStop(index)]
            events.append(read_finish(event.delta))
        if usage is not None:
            events.append(UsageUpdate(usage))
        return events

    def _read_message_stop(self, event: Event) -> list[Neutral]:
        self._closed = True
        events = self._close_block()
        if not self._stopped:
            events.append(Finish("tool_calls" if self._kind == "tool" else "stop"))
        return [*events, StreamEnd()]


_DELTA_READERS: dict[Any, Callable[[MessagesReader, DeltaBody], list[Neutral]]] = {
    "text_delta": lambda reader, delta: reader._read_delta(delta.text),
    "thinking_delta": lambda reader, delta: reader._read_delta(delta.thinking),
    "input_json_delta": lambda reader, delta: reader._read_delta(delta.partial_json),
    "signature_delta": lambda reader, delta: reader._read_signature(delta.signature),
    "citations_delta": lambda reader, delta: reader._read_citation(delta.citation),
}

_READERS: dict[str, Callable[[MessagesReader, Event], list[Neutral]]] = {
    "message_start": MessagesReader._read_message_start,
    "content_block_start": MessagesReader._read_block_start,
    "content_block_delta": MessagesReader._read_block_delta,
    "content_block_stop": MessagesReader._read_block_stop,
    "message_delta": MessagesReader._read_message_delta,
    "message_stop": MessagesReader._read_message_stop,
}
