"""Neutral events written as a Converse stream."""

from collections.abc import Callable
from typing import Any

from antiphon.errors import CallError
from antiphon.types import Usage
from antiphon.wires.bedrock import citations, frames, reply, stops, usage
from antiphon.wires.bedrock.errors import write_error_frame
from antiphon.wires.bedrock.reply import WIRE
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
    Media,
    Start,
    StreamEnd,
    StreamError,
    UsageUpdate,
)


class ConverseWriter(PlainStreamWriter):
    """Writes one streamed answer; see ``codec.EventWriter``. Only the first choice has a place here."""

    __slots__ = ("_carried", "_finished", "_id", "_index", "_kind", "_shown", "_signed", "_sound", "_usage")

    def __init__(self) -> None:
        self._index = -1
        self._kind = ""
        self._id = ""
        self._shown = False  # whether the open block was begun on the wire
        self._carried: Carried | None = None
        self._signed = False
        self._finished = False
        self._sound: list[Audio] = []
        self._usage: Usage | None = None

    def write(self, event: Event) -> bytes:
        """Return the frames for one event."""
        if getattr(event, "choice", 0):
            return b""
        before = self._end_sound() if self._sound and type(event) in _AFTER_SOUND else b""
        return before + _WRITE[type(event)](self, event)

    def fail(self, error: CallError) -> bytes:
        """Return the exception frame that admits a break."""
        return write_error_frame(error)

    def start(self, event: Start) -> bytes:
        self._usage = event.usage
        return frames.event(frames.MESSAGE_START, {"role": "assistant"})

    def opened(self, event: BlockStart) -> bytes:
        self._kind, self._id, self._shown, self._carried, self._signed = event.kind, event.id, False, None, False
        if event.kind != "tool":
            return b""  # begun by its first delta
        self._begin()
        start = {"toolUse": {"toolUseId": event.id, "name": event.name}}
        return frames.event(frames.BLOCK_START, {"contentBlockIndex": self._index, "start": start})

    def grown(self, event: Delta) -> bytes:
        return self._delta(_DELTAS[self._kind](event.text)) if event.text else b""

    def marked(self, event: Annotation) -> bytes:
        if event.citation is not None:
            return self._delta({"citation": citations.write(event.citation)})
        if self._kind == "thinking" and event.wire == WIRE:
            self._signed = True
            name = "redactedContent" if event.redacted else "signature"
            return self._delta({"reasoningContent": {name: event.redacted or event.signature}})
        old = self._carried or Carried()
        call = self._id if self._kind == "tool" else ""
        self._carried = Carried(
            event.wire, event.signature or old.signature, event.redacted or old.redacted, self._id, call
        )
        return b""

    def closed(self, event: BlockStop) -> bytes:
        carried, self._carried = self._carried, None
        out = b""
        if carried is None and self._kind == "thinking" and self._shown and not self._signed:
            carried = Carried()  # nobody's, so that no provider is shown it in a later turn
        if carried is not None and not carried.call:
            out = self._delta({"reasoningContent": {"signature": pack(carried)}})
        if self._shown:
            out += frames.event(frames.BLOCK_STOP, {"contentBlockIndex": self._index})
        if carried is not None and carried.call:  # a tool's signature needs a block of its own
            self._shown = False
            out += self._delta({"reasoningContent": {"signature": pack(carried)}})
            out += frames.event(frames.BLOCK_STOP, {"contentBlockIndex": self._index})
        return out

    def shown(self, event: Media) -> bytes:
        """Write an image; a sound, which streams of this wire have no block for, as text once it is whole."""
        if isinstance(event.part, Audio):
            self._sound.append(event.part)
            return b""
        if isinstance(event.part, File):
            return self._told(text_of(event.part))
        before = self._end_sound() if self._sound else b""
        block = reply.shown(event.part)
        return before + (self._image(block["image"]) if "image" in block else self._told(block["text"]))

    def _image(self, image: dict[str, Any]) -> bytes:
        self._begin()
        index = {"contentBlockIndex": self._index}
        begun = frames.event(frames.BLOCK_START, {**index, "start": {"image": {"format": image["format"]}}})
        source = frames.event(frames.BLOCK_DELTA, {**index, "delta": {"image": {"source": image["source"]}}})
        return begun + source + frames.event(frames.BLOCK_STOP, index)

    def _told(self, text: str) -> bytes:
        self._shown = False
        return self._delta({"text": text}) + frames.event(frames.BLOCK_STOP, {"contentBlockIndex": self._index})

    def _end_sound(self) -> bytes:
        sound, self._sound = joined(self._sound), []
        return self._told(text_of(playable(sound)))

    def finish(self, event: Finish) -> bytes:
        return frames.event(frames.MESSAGE_STOP, stops.write(event))

    def used(self, event: UsageUpdate) -> bytes:
        self._usage = event.usage
        return b""

    def failed(self, event: StreamError) -> bytes:
        return write_error_frame(CallError(event.message, status=event.status or 502))

    def ended(self, event: StreamEnd) -> bytes:
        """The usage comes last, once; the latency is not known here and told as 0."""
        if self._finished:
            return b""
        self._finished = True
        told = {"usage": usage.write(self._usage), "metrics": {"latencyMs": 0}}
        return frames.event(frames.METADATA, told)

    def _begin(self) -> None:
        self._index += 1
        self._shown = True

    def _delta(self, delta: dict[str, Any]) -> bytes:
        if not self._shown:
            self._begin()
        return frames.event(frames.BLOCK_DELTA, {"contentBlockIndex": self._index, "delta": delta})


_DELTAS: dict[str, Callable[[str], dict[str, Any]]] = {
    "text": lambda text: {"text": text},
    "refusal": lambda text: {"text": text},
    "thinking": lambda text: {"reasoningContent": {"text": text}},
    "tool": lambda text: {"toolUse": {"input": text}},
}
_AFTER_SOUND = (BlockStart, Finish, StreamEnd)
"""Events that say that a sound is whole."""
_WRITE: dict[type, Callable[[ConverseWriter, Any], bytes]] = {
    Start: ConverseWriter.start,
    BlockStart: ConverseWriter.opened,
    Delta: ConverseWriter.grown,
    Annotation: ConverseWriter.marked,
    BlockStop: ConverseWriter.closed,
    Media: ConverseWriter.shown,
    Finish: ConverseWriter.finish,
    UsageUpdate: ConverseWriter.used,
    StreamError: ConverseWriter.failed,
    StreamEnd: ConverseWriter.ended,
}
