"""Writes neutral events as a Messages stream; see :class:`translation.codec.StreamWriter`.

The order is that of the API: one ``message_start``, a ping, the blocks one after the other, one ``message_delta`` with
the stop reason and the totals, one ``message_stop``. The stop reason and the usage are held until the end, because
other wires send the usage after the finish. A thinking block or a tool call starts with its first content, because only
then it is known whether the thinking is redacted, and whether the call has a thought signature, which goes before it.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from antiphon.errors import CallError, Truncated, UpstreamError
from antiphon.types import Usage
from antiphon.wires.anthropic import citations, errors
from antiphon.wires.anthropic.finish import write_finish
from antiphon.wires.anthropic.frames import MESSAGE_STOP, PING, write_frame
from antiphon.wires.anthropic.reply import write_answer_id, write_signature_block
from antiphon.wires.anthropic.types import WIRE
from antiphon.wires.anthropic.usage import write_delta_usage, write_usage
from antiphon.wires.translation.codec import PlainStreamWriter
from antiphon.wires.translation.foreign_signatures import ForeignSignature, pack_signature
from antiphon.wires.translation.media import join_audio, make_playable, write_markdown
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

_DELTA_MEMBERS: dict[str, tuple[bytes, bytes]] = {
    "text": (b"text_delta", b"text"),
    "refusal": (b"text_delta", b"text"),
    "thinking": (b"thinking_delta", b"thinking"),
    "tool": (b"input_json_delta", b"partial_json"),
}
"""Kind of block to the type of its delta and the member that holds the text."""


class MessagesWriter(PlainStreamWriter):
    """Keeps the open block, the stop reason and the usage."""

    __slots__ = (
        "_audio",
        "_block",
        "_closed",
        "_delta_start",
        "_finish",
        "_has_thinking",
        "_index",
        "_is_open",
        "_model",
        "_signature",
        "_usage",
    )

    def __init__(self, request: Request) -> None:
        self._model = request.model
        self._block: BlockStart | None = None
        self._is_open = False
        """The start of the open block was written."""
        self._index = 0
        self._delta_start = b""
        """The bytes of a delta frame of the open block before its text."""
        self._signature = ForeignSignature()
        """The content for the signature of the open block."""
        self._finish: Finish | None = None
        self._usage: Usage | None = None
        self._has_thinking = False
        self._audio: list[Audio] = []
        """The pieces of audio that is not yet complete."""
        self._closed = False

    def write(self, event: Event) -> bytes:
        """Return the frames of one event, ``b""`` if there are none. Only the first of several choices is written."""
        if self._closed or getattr(event, "choice", None):
            return b""
        frames = b""
        if self._audio and type(event) is not UsageUpdate and not _is_audio(event):
            frames = self._write_audio()
        return frames + _WRITERS[type(event)](self, event)

    def fail(self, error: CallError) -> bytes:
        """Return the event that says that the stream broke; nothing may follow it."""
        self._closed = True
        return errors.write_error_frame(error)

    def _write_start(self, event: Start) -> bytes:
        self._has_thinking = event.usage is not None and event.usage.reasoning > 0
        message: dict[str, Any] = {
            "id": write_answer_id(event.id),
            "type": "message",
            "role": "assistant",
            "model": event.model or self._model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "stop_details": None,
            "usage": write_usage(event.usage or Usage(), False),
        }
        return write_frame(b"message_start", _encode({"type": "message_start", "message": message})) + PING

    def _start_block(self, event: BlockStart) -> bytes:
        self._block, self._is_open, self._signature = event, False, ForeignSignature(id=event.id)
        return b""

    def _open_block(self, block: BlockStart) -> bytes:
        """Return the start of a block if it was not written yet."""
        if self._is_open:
            return b""
        self._is_open = True
        frames = b""
        if block.kind == "tool":
            if self._signature.signature:
                frames = self._write_signature(block)
            content = _encode({"type": "tool_use", "id": block.id, "name": block.name, "input": {}})
        elif block.kind == "thinking":
            self._has_thinking = True
            content = _THINKING
        else:
            content = _TEXT
        kind, member = _DELTA_MEMBERS[block.kind]
        template = _DELTA % (self._index, kind, member, b"%b")
        self._delta_start = template[: template.index(b"%b")]
        return frames + _START % (self._index, content)

    def _write_signature(self, block: BlockStart) -> bytes:
        """Return a whole block that carries the thought signature of a tool call."""
        carrier = write_signature_block(block.id, self._signature.signature, self._signature.wire)
        self._signature = ForeignSignature()
        frames = _START % (self._index, _encode(carrier)) + _STOP % self._index
        self._index += 1
        return frames

    def _write_text(self, event: Delta) -> bytes:
        block = self._block
        if block is None or not event.text:
            return b""
        frames = b"" if self._is_open else self._open_block(block)
        return frames + self._delta_start + _encode(event.text) + b"}}\n\n"

    def _write_annotation(self, event: Annotation) -> bytes:
        block = self._block
        if block is None:
            return b""
        if event.citation is not None:
            citation = citations.write_citation(event.citation) if block.kind == "text" else None
            return self._write_delta(block, b"citations_delta", b"citation", citation) if citation else b""
        if block.kind == "thinking" and event.wire == WIRE:
            if event.redacted:
                return self._write_redacted(event.redacted)
            self._signature = ForeignSignature(WIRE)
            return self._write_delta(block, b"signature_delta", b"signature", event.signature)
        signature = event.signature or self._signature.signature
        redacted = event.redacted or self._signature.redacted
        self._signature = ForeignSignature(event.wire, signature, redacted, self._signature.id)
        return b""

    def _write_delta(self, block: BlockStart, kind: bytes, member: bytes, value: Any) -> bytes:
        return self._open_block(block) + _DELTA % (self._index, kind, member, _encode(value))

    def _write_redacted(self, data: str) -> bytes:
        """Return a block of encrypted thinking, which is whole at its start; an open block ends first."""
        frames = b""
        if self._is_open:
            frames = _STOP % self._index
            self._index += 1
        self._is_open = self._has_thinking = True
        self._signature = ForeignSignature(WIRE)
        return frames + _START % (self._index, _encode({"type": "redacted_thinking", "data": data}))

    def _close_block(self, event: BlockStop | None = None) -> bytes:
        block = self._block
        if block is None:
            return b""
        frames = self._complete_block(block)
        self._block = None
        if not self._is_open:
            return frames
        frames += _STOP % self._index
        self._index += 1
        if block.kind == "tool" and self._signature.signature:  # it came after the arguments
            frames += self._write_signature(block)
        return frames

    def _complete_block(self, block: BlockStart) -> bytes:
        """Return the start of a call without arguments, or the signature that carries foreign thinking."""
        if block.kind == "tool":
            return self._open_block(block)
        signature = self._signature
        if block.kind != "thinking" or signature.wire == WIRE:
            return b""
        if self._is_open or signature != ForeignSignature(signature.wire):
            return self._write_delta(block, b"signature_delta", b"signature", pack_signature(signature))
        return b""

    def _write_media(self, event: Media) -> bytes:
        """Return media as a separate text block, because this wire has no block for it; audio waits for its end."""
        if isinstance(event.part, Audio):
            self._audio.append(event.part)
            return self._close_block()
        return self._write_media_text(event.part)

    def _write_media_text(self, part: Image | File | Audio) -> bytes:
        frames = self._close_block() + self._start_block(BlockStart(0, "text"))
        return frames + self._write_text(Delta(0, write_markdown(part))) + self._close_block()

    def _write_audio(self) -> bytes:
        audio, self._audio = join_audio(self._audio), []
        return self._write_media_text(make_playable(audio))

    def _hold_finish(self, event: Finish) -> bytes:
        self._finish = event
        return self._close_block()

    def _hold_usage(self, event: UsageUpdate) -> bytes:
        self._usage = event.usage
        return b""

    def _write_error(self, event: StreamError) -> bytes:
        return self.fail(UpstreamError(event.message, status=event.status or None))

    def _write_end(self, event: StreamEnd) -> bytes:
        if self._finish is None:
            return self.fail(Truncated("The provider ended its answer without a finish reason: it is cut short."))
        self._closed = True
        delta = {
            "type": "message_delta",
            "delta": write_finish(self._finish),
            "usage": write_delta_usage(self._usage or Usage(), self._has_thinking),
        }
        return self._close_block() + write_frame(b"message_delta", _encode(delta)) + MESSAGE_STOP


def _is_audio(event: Event) -> bool:
    return type(event) is Media and isinstance(event.part, Audio)


_WRITERS: dict[type[Any], Callable[[MessagesWriter, Any], bytes]] = {
    Delta: MessagesWriter._write_text,
    Start: MessagesWriter._write_start,
    BlockStart: MessagesWriter._start_block,
    Annotation: MessagesWriter._write_annotation,
    BlockStop: MessagesWriter._close_block,
    Media: MessagesWriter._write_media,
    Finish: MessagesWriter._hold_finish,
    UsageUpdate: MessagesWriter._hold_usage,
    StreamError: MessagesWriter._write_error,
    StreamEnd: MessagesWriter._write_end,
}
