"""Reads a Messages stream into neutral events; see :class:`translation.codec.StreamReader`."""

from collections.abc import Callable
from typing import Any, Literal

from antiphon.errors import BadAnswer
from antiphon.wires.anthropic import errors, stops
from antiphon.wires.anthropic.frames import Block, DeltaBody, Event, event_of
from antiphon.wires.anthropic.read_content import WIRE
from antiphon.wires.anthropic.reply import arguments_of
from antiphon.wires.anthropic.usage import Counts
from antiphon.wires.translation.foreign_signatures import Carried, unpack
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
"""Blocks that another wire can have; any other (a server's tool, its result) is passed over."""


class Reader:
    """Keeps the open block, counts blocks anew, because some are passed over, and gathers usage."""

    __slots__ = ("_at", "_counts", "_grew", "_kind", "_next", "_over", "_passed", "_signatures", "_started", "_stopped")

    def __init__(self) -> None:
        self._started = False
        self._stopped = False
        self._over = False
        self._at: int | None = None
        """The open block's index at the provider."""
        self._passed: int | None = None
        """The index of a block that is passed over."""
        self._kind: _Kind = "text"
        self._next = 0
        self._grew = False
        self._counts = Counts()
        self._signatures: dict[str, Carried] = {}

    def read(self, frame: bytes) -> list[Neutral]:
        """Return the events of one whole frame; raises :class:`BadAnswer` for what the wire forbids."""
        event = event_of(frame)
        if self._over:
            return []
        reader = _READERS.get(event.type)
        if reader is not None:
            if not self._started and event.type != "message_start":
                raise BadAnswer(f"The provider sent {event.type!r} before `message_start`.")
            return reader(self, event)
        if event.error is not None or event.type == "error":
            self._over = True
            kind, message = errors.problem(event.error)
            return [StreamError(message, errors.STATUSES.get(kind, 0))]
        return []

    def close(self) -> list[Neutral]:
        """Return the closing of a block that was left open, and the end where only its marker is missing."""
        if self._over:
            return []
        events = self._close()
        return [*events, StreamEnd()] if self._stopped else events

    def _start(self, event: Event) -> list[Neutral]:
        message = event.message
        if self._started:  # a repetition says nothing new
            return []
        if message is None:
            raise BadAnswer("The provider sent `message_start` without a message.")
        self._started = True
        self._counts.add(message.usage)
        name, model = message.id, message.model
        return [Start(name if type(name) is str else "", model if type(model) is str else "", self._counts.usage())]

    def _open(self, event: Event) -> list[Neutral]:
        block = event.content_block
        if block is None:
            raise BadAnswer("The provider opened a block and did not say which.")
        events = self._close()
        self._passed = event.index
        kind = _KINDS.get(block.type)
        if kind is None:
            return events
        if (carried := unpack(block.signature)) is not None and carried.call:
            self._signatures[carried.call] = carried
            return events
        self._at, self._passed, self._kind, self._grew = event.index, None, kind, False
        return [*events, *self._opening(block, self._next)]

    def _opening(self, block: Block, index: int) -> list[Neutral]:
        """Return what a block's opening says; compatible servers put whole contents there."""
        if block.type == "tool_use":
            known, name = _word(block.id), _word(block.name)
            events: list[Neutral] = [BlockStart(index, "tool", known, name)]
            if carried := self._signatures.pop(known, None):
                events.append(Annotation(index, carried.signature, wire=carried.wire))
            arguments = arguments_of(block)
            return events if arguments == "{}" else [*events, *self._more(arguments)]
        if block.type == "redacted_thinking":
            return [BlockStart(index, "thinking"), Annotation(index, redacted=_word(block.data), wire=WIRE)]
        opened = [BlockStart(index, _KINDS[block.type]), *self._more(_word(block.text) or _word(block.thinking))]
        return [*opened, *self._signed(_word(block.signature))]

    def _grow(self, event: Event) -> list[Neutral]:
        delta = event.delta
        if delta is None:
            return []
        if event.index != self._at:
            if event.index == self._passed:
                return []
            raise BadAnswer(f"The provider sent a piece of block {event.index}, which is not open.")
        grown = _DELTAS.get(delta.type)
        return grown(self, delta) if grown is not None else []

    def _more(self, text: Any) -> list[Neutral]:
        if type(text) is not str or not text:
            return []
        self._grew = True
        return [Delta(self._next, text)]

    def _signed(self, signature: Any) -> list[Neutral]:
        if type(signature) is not str or not signature:
            return []
        carried = unpack(signature)
        if carried is None:
            return [Annotation(self._next, signature, wire=WIRE)]
        if not carried.signature and not carried.redacted:
            return []
        return [Annotation(self._next, carried.signature, carried.redacted, wire=carried.wire)]

    def _cite(self, citation: Any) -> list[Neutral]:
        return [Annotation(self._next, citation=citation)] if type(citation) is dict else []

    def _stop(self, event: Event) -> list[Neutral]:
        return self._close() if event.index == self._at else []

    def _close(self) -> list[Neutral]:
        if self._at is None:
            return []
        events: list[Neutral] = []
        if self._kind == "tool" and not self._grew:
            events.append(Delta(self._next, "{}"))  # no arguments are an empty object
        events.append(BlockStop(self._next))
        self._at = None
        self._next += 1
        return events

    def _tell(self, event: Event) -> list[Neutral]:
        self._counts.add(event.usage)
        usage = self._counts.usage()
        events: list[Neutral] = []
        if event.delta is not None and event.delta.stop_reason is not None and not self._stopped:
            self._stopped = True
            events += self._close()
            if words := stops.explanation(event.delta):
                index, self._next = self._next, self._next + 1
                events += [BlockStart(index, "refusal"), Delta(index, words), BlockStop(index)]
            events.append(stops.read(event.delta))
        if usage is not None:
            events.append(UsageUpdate(usage))
        return events

    def _end(self, event: Event) -> list[Neutral]:
        self._over = True
        events = self._close()
        if not self._stopped:
            events.append(Finish("tool_calls" if self._kind == "tool" else "stop"))
        return [*events, StreamEnd()]


def _word(value: Any) -> str:
    return value if type(value) is str else ""


_DELTAS: dict[Any, Callable[[Reader, DeltaBody], list[Neutral]]] = {
    "text_delta": lambda reader, delta: reader._more(delta.text),
    "thinking_delta": lambda reader, delta: reader._more(delta.thinking),
    "input_json_delta": lambda reader, delta: reader._more(delta.partial_json),
    "signature_delta": lambda reader, delta: reader._signed(delta.signature),
    "citations_delta": lambda reader, delta: reader._cite(delta.citation),
}

_READERS: dict[str, Callable[[Reader, Event], list[Neutral]]] = {
    "message_start": Reader._start,
    "content_block_start": Reader._open,
    "content_block_delta": Reader._grow,
    "content_block_stop": Reader._stop,
    "message_delta": Reader._tell,
    "message_stop": Reader._end,
}
