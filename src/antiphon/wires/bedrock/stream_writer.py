"""Neutral events written as a Converse stream."""

from collections.abc import Callable
from typing import Any

from antiphon.errors import CallError
from antiphon.types import Usage
from antiphon.wires.bedrock import frames
from antiphon.wires.bedrock.citations import write_citation
from antiphon.wires.bedrock.content_writer import WIRE
from antiphon.wires.bedrock.errors import write_error_frame
from antiphon.wires.bedrock.finish import write_finish
from antiphon.wires.bedrock.reply import write_media
from antiphon.wires.bedrock.usage import write_usage
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
    Media,
    Start,
    StreamEnd,
    StreamError,
    UsageUpdate,
)


class ConverseWriter(PlainStreamWriter):
    """Writes one streamed answer; see ``codec.StreamWriter``. Converse has only one choice; others are left out."""

    __slots__ = (
        "_audio", "_block_id", "_ended", "_foreign", "_index", "_is_open", "_is_signed", "_kind", "_usage",
    )  # fmt: skip

    def __init__(self) -> None:
        self._index = -1
        self._audio: list[Audio] = []
        self._usage: Usage | None = None
        self._ended = False
        # The current block.
        self._kind = ""
        self._block_id = ""
        self._is_open = False  # a frame of it was written
        self._foreign: ForeignSignature | None = None
        self._is_signed = False

    def write(self, event: Event) -> bytes:
        """Return the frames for one event."""
        if getattr(event, "choice", 0):
            return b""
        audio = self._flush_audio() if self._audio and type(event) in _AFTER_AUDIO else b""
        return audio + _EVENT_WRITERS[type(event)](self, event)

    def fail(self, error: CallError) -> bytes:
        """Return the exception frame for a broken stream."""
        return write_error_frame(error)

    def write_message_start(self, event: Start) -> bytes:
        self._usage = event.usage
        return frames.write_event(frames.MESSAGE_START, {"role": "assistant"})

    def write_block_start(self, event: BlockStart) -> bytes:
        self._kind, self._block_id = event.kind, event.id
        self._is_open, self._foreign, self._is_signed = False, None, False
        if event.kind != "tool":
            return b""  # its first delta opens it
        self._open_block()
        start = {"toolUse": {"toolUseId": event.id, "name": event.name}}
        return frames.write_event(frames.BLOCK_START, {"contentBlockIndex": self._index, "start": start})

    def write_block_delta(self, event: Delta) -> bytes:
        return self._write_delta(_DELTA_WRITERS[self._kind](event.text)) if event.text else b""

    def write_annotation(self, event: Annotation) -> bytes:
        if event.citation is not None:
            return self._write_delta({"citation": write_citation(event.citation)})
        if self._kind == "thinking" and event.wire == WIRE:
            self._is_signed = True
            name = "redactedContent" if event.redacted else "signature"
            return self._write_delta({"reasoningContent": {name: event.redacted or event.signature}})
        previous = self._foreign or ForeignSignature()
        call = self._block_id if self._kind == "tool" else ""
        self._foreign = ForeignSignature(
            event.wire, event.signature or previous.signature, event.redacted or previous.redacted, self._block_id, call
        )
        return b""

    def write_block_stop(self, event: BlockStop) -> bytes:
        foreign, self._foreign = self._foreign, None
        if foreign is not None and foreign.call:  # a tool's signature needs a separate block
            return self._close_block() + self._write_block({"reasoningContent": {"signature": pack_signature(foreign)}})
        if foreign is None and self._kind == "thinking" and self._is_open and not self._is_signed:
            foreign = ForeignSignature()  # belongs to no wire, so that no provider receives it in a later turn
        signature = b""
        if foreign is not None:
            signature = self._write_delta({"reasoningContent": {"signature": pack_signature(foreign)}})
        return signature + self._close_block()

    def write_media_block(self, event: Media) -> bytes:
        """Write an image; collect audio, which Converse does not stream, to write it as text once it is whole."""
        if isinstance(event.part, Audio):
            self._audio.append(event.part)
            return b""
        if isinstance(event.part, File):
            return self._write_block({"text": write_markdown(event.part)})
        audio = self._flush_audio() if self._audio else b""
        block = write_media(event.part)
        return audio + (self._write_image(block["image"]) if "image" in block else self._write_block(block))

    def _write_image(self, image: dict[str, Any]) -> bytes:
        self._open_block()
        index = {"contentBlockIndex": self._index}
        start = frames.write_event(frames.BLOCK_START, {**index, "start": {"image": {"format": image["format"]}}})
        source = frames.write_event(frames.BLOCK_DELTA, {**index, "delta": {"image": {"source": image["source"]}}})
        return start + source + self._close_block()

    def _flush_audio(self) -> bytes:
        audio, self._audio = join_audio(self._audio), []
        return self._write_block({"text": write_markdown(make_playable(audio))})

    def write_message_stop(self, event: Finish) -> bytes:
        return frames.write_event(frames.MESSAGE_STOP, write_finish(event))

    def store_usage(self, event: UsageUpdate) -> bytes:
        self._usage = event.usage
        return b""

    def write_exception(self, event: StreamError) -> bytes:
        return write_error_frame(CallError(event.message, status=event.status or 502))

    def write_metadata(self, event: StreamEnd) -> bytes:
        """Write the usage, which comes last, once; ``latencyMs`` is 0, because it is not known here."""
        if self._ended:
            return b""
        self._ended = True
        metadata = {"usage": write_usage(self._usage), "metrics": {"latencyMs": 0}}
        return frames.write_event(frames.METADATA, metadata)

    def _write_block(self, delta: dict[str, Any]) -> bytes:
        """Return a whole block of one delta."""
        self._is_open = False
        return self._write_delta(delta) + self._close_block()

    def _write_delta(self, delta: dict[str, Any]) -> bytes:
        if not self._is_open:
            self._open_block()
        return frames.write_event(frames.BLOCK_DELTA, {"contentBlockIndex": self._index, "delta": delta})

    def _open_block(self) -> None:
        self._index += 1
        self._is_open = True

    def _close_block(self) -> bytes:
        if not self._is_open:
            return b""
        return frames.write_event(frames.BLOCK_STOP, {"contentBlockIndex": self._index})


_DELTA_WRITERS: dict[str, Callable[[str], dict[str, Any]]] = {
    "text": lambda text: {"text": text},
    "refusal": lambda text: {"text": text},
    "thinking": lambda text: {"reasoningContent": {"text": text}},
    "tool": lambda text: {"toolUse": {"input": text}},
}
_AFTER_AUDIO = (BlockStart, Finish, StreamEnd)
"""Events that come only after audio is whole."""
_EVENT_WRITERS: dict[type, Callable[[ConverseWriter, Any], bytes]] = {
    Start: ConverseWriter.write_message_start,
    BlockStart: ConverseWriter.write_block_start,
    Delta: ConverseWriter.write_block_delta,
    Annotation: ConverseWriter.write_annotation,
    BlockStop: ConverseWriter.write_block_stop,
    Media: ConverseWriter.write_media_block,
    Finish: ConverseWriter.write_message_stop,
    UsageUpdate: ConverseWriter.store_usage,
    StreamError: ConverseWriter.write_exception,
    StreamEnd: ConverseWriter.write_metadata,
}
