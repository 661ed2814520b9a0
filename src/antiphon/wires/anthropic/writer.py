"""Writes neutral events as a Messages stream; see :class:`translation.codec.StreamWriter`.

The order is the API's own: one ``message_start``, a ping, blocks one after the other, one ``message_delta`` with the
stop reason and the totals, one ``message_stop``. What the end says is held until the end, because other wires tell the
usage after the finish. A thinking block and a tool call open with their first content: only then it is known whether
the thinking is redacted, and whether the call has a thought signature, which goes before it.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from antiphon.errors import CallError, Truncated, UpstreamError
from antiphon.types import Usage
from antiphon.wires.anthropic import citations, errors, stops, usage
from antiphon.wires.anthropic.frames import MESSAGE_STOP, PING, frame_of
from antiphon.wires.anthropic.read_content import WIRE
from antiphon.wires.anthropic.reply import answer_id, signature_block
from antiphon.wires.translation.codec import PlainStreamWriter
from antiphon.wires.translation.foreign_signatures import Carried, pack
from antiphon.wires.translation.media import joined, playable, text_of
from antiphon.wires.translation.neutral import (
    Annotation,
    Audio,
    BlockStart,
    BlockStop,
    Delta,
    Event,
    File,
    Finish,
    Image,
    Media,
    Request,
    Start,
    StreamEnd,
    StreamError,
    UsageUpdate,
)

_encode = msgspec.json.Encoder().encode

_START = b'event: content_block_start\ndata: {"type":"content_block_start","index":%d,"content_block":%b}\n\n'
_DELTA = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":"%b","%b":%b}}\n\n'
)
_STOP = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n'
_TEXT = b'{"type":"text","text":""}'
_THINKING = b'{"type":"thinking","thinking":"","signature":""}'

_GROWTH: dict[str, tuple[bytes, bytes]] = {
    "text": (b"text_delta", b"text"),
    "refusal": (b"text_delta", b"text"),
    "thinking": (b"thinking_delta", b"thinking"),
    "tool": (b"input_json_delta", b"partial_json"),
}
"""Kind of block to the type of its delta and the member that grows."""


class Writer(PlainStreamWriter):
    """Keeps the open block and what the end will say."""

    __slots__ = (
        "_block",
        "_carried",
        "_finish",
        "_index",
        "_model",
        "_opened",
        "_over",
        "_prefix",
        "_sound",
        "_thought",
        "_usage",
    )

    def __init__(self, request: Request) -> None:
        self._model = request.model
        self._block: BlockStart | None = None
        self._opened = False
        """Whether the open block was shown."""
        self._index = 0
        self._prefix = b""
        self._carried = Carried()
        self._finish: Finish | None = None
        self._usage: Usage | None = None
        self._thought = False
        self._sound: list[Audio] = []
        self._over = False

    def write(self, event: Event) -> bytes:
        """Return the frames for one event, ``b""`` where there are none; of several choices the first is shown."""
        if self._over or getattr(event, "choice", None):
            return b""
        before = self._end_sound() if self._sound and type(event) is not UsageUpdate and not _is_sound(event) else b""
        return before + _WRITERS[type(event)](self, event)

    def fail(self, error: CallError) -> bytes:
        """Return the event that admits a break; nothing may follow it."""
        self._over = True
        return errors.write_error_frame(error)

    def _start(self, event: Start) -> bytes:
        self._thought = event.usage is not None and event.usage.reasoning > 0
        message: dict[str, Any] = {
            "id": answer_id(event.id),
            "type": "message",
            "role": "assistant",
            "model": event.model or self._model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "stop_details": None,
            "usage": usage.whole(event.usage or Usage(), False),
        }
        return frame_of(b"message_start", _encode({"type": "message_start", "message": message})) + PING

    def _open(self, event: BlockStart) -> bytes:
        self._block, self._opened, self._carried = event, False, Carried(id=event.id)
        return b""

    def _shown(self, block: BlockStart) -> bytes:
        """Open a block for the client, if it is not yet."""
        if self._opened:
            return b""
        self._opened = True
        before = b""
        if block.kind == "tool":
            if self._carried.signature:
                before = self._signature(block)
            shown = _encode({"type": "tool_use", "id": block.id, "name": block.name, "input": {}})
        elif block.kind == "thinking":
            self._thought = True
            shown = _THINKING
        else:
            shown = _TEXT
        kind, member = _GROWTH[block.kind]
        mould = _DELTA % (self._index, kind, member, b"%b")
        self._prefix = mould[: mould.index(b"%b")]
        return before + _START % (self._index, shown)

    def _signature(self, block: BlockStart) -> bytes:
        carrier = signature_block(block.id, self._carried.signature, self._carried.wire)
        self._carried = Carried()
        frames = _START % (self._index, _encode(carrier)) + _STOP % self._index
        self._index += 1
        return frames

    def _grow(self, event: Delta) -> bytes:
        block = self._block
        if block is None or not event.text:
            return b""
        frame = self._prefix + _encode(event.text) + b"}}\n\n" if self._opened else b""
        if frame:
            return frame
        return self._shown(block) + self._prefix + _encode(event.text) + b"}}\n\n"

    def _mark(self, event: Annotation) -> bytes:
        block = self._block
        if block is None:
            return b""
        if event.citation is not None:
            shown = citations.shown(event.citation) if block.kind == "text" else None
            return self._delta(block, b"citations_delta", b"citation", shown) if shown else b""
        if block.kind == "thinking" and event.wire == WIRE:
            if event.redacted:
                return self._redacted(event.redacted)
            self._carried = Carried(WIRE)
            return self._delta(block, b"signature_delta", b"signature", event.signature)
        signature = event.signature or self._carried.signature
        redacted = event.redacted or self._carried.redacted
        self._carried = Carried(event.wire, signature, redacted, self._carried.id)
        return b""

    def _delta(self, block: BlockStart, kind: bytes, member: bytes, value: Any) -> bytes:
        return self._shown(block) + _DELTA % (self._index, kind, member, _encode(value))

    def _redacted(self, data: str) -> bytes:
        """Show encrypted thinking: the block is whole as it opens, and a block of text before it ends first."""
        before = b""
        if self._opened:
            before = _STOP % self._index
            self._index += 1
        self._opened = self._thought = True
        self._carried = Carried(WIRE)
        return before + _START % (self._index, _encode({"type": "redacted_thinking", "data": data}))

    def _close(self, event: BlockStop) -> bytes:
        block = self._block
        if block is None:
            return b""
        frames = self._last_words(block)
        self._block = None
        if not self._opened:
            return frames
        frames += _STOP % self._index
        self._index += 1
        if block.kind == "tool" and self._carried.signature:  # it came after the arguments
            frames += self._signature(block)
        return frames

    def _last_words(self, block: BlockStart) -> bytes:
        """Return what a block still owes: a call without arguments its opening, foreign thinking what it carries."""
        if block.kind == "tool":
            return self._shown(block)
        carried = self._carried
        if block.kind != "thinking" or carried.wire == WIRE:
            return b""
        if self._opened or carried != Carried(carried.wire):
            return self._delta(block, b"signature_delta", b"signature", pack(carried))
        return b""

    def _show(self, event: Media) -> bytes:
        """Write what this wire has no block for as a text of its own; a sound, once it is whole."""
        if isinstance(event.part, Audio):
            self._sound.append(event.part)
            return self._end_block()
        return self._told(event.part)

    def _told(self, part: Image | File | Audio) -> bytes:
        before = self._end_block() + self._open(BlockStart(0, "text"))
        return before + self._grow(Delta(0, text_of(part))) + self._end_block()

    def _end_sound(self) -> bytes:
        sound, self._sound = joined(self._sound), []
        return self._told(playable(sound))

    def _end_block(self) -> bytes:
        return self._close(BlockStop(0)) if self._block is not None else b""

    def _hold_finish(self, event: Finish) -> bytes:
        self._finish = event
        return self._end_block()

    def _hold_usage(self, event: UsageUpdate) -> bytes:
        self._usage = event.usage
        return b""

    def _failed(self, event: StreamError) -> bytes:
        return self.fail(UpstreamError(event.message, status=event.status or None))

    def _end(self, event: StreamEnd) -> bytes:
        if self._finish is None:
            return self.fail(Truncated("The provider ended its answer without a finish reason: it is cut short."))
        self._over = True
        told = {
            "type": "message_delta",
            "delta": stops.written(self._finish),
            "usage": usage.delta(self._usage or Usage(), self._thought),
        }
        return self._end_block() + frame_of(b"message_delta", _encode(told)) + MESSAGE_STOP


def _is_sound(event: Event) -> bool:
    return type(event) is Media and isinstance(event.part, Audio)


_WRITERS: dict[type[Any], Callable[[Writer, Any], bytes]] = {
    Delta: Writer._grow,
    Start: Writer._start,
    BlockStart: Writer._open,
    Annotation: Writer._mark,
    BlockStop: Writer._close,
    Media: Writer._show,
    Finish: Writer._hold_finish,
    UsageUpdate: Writer._hold_usage,
    StreamError: Writer._failed,
    StreamEnd: Writer._end,
}
