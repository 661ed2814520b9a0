"""Answers written for Responses callers: streams event by event, and whole ones (API reference, "Streaming events").

The order is what the official clients' accumulators insist on: response.created, response.in_progress, then each item
added, grown, done, then one terminal event with the whole response in it.
"""

from typing import Any

import msgspec

from antiphon.errors import CallError, UpstreamError
from antiphon.types import Usage
from antiphon.wires.json_text import encode_json
from antiphon.wires.responses.errors import error_frame, error_of
from antiphon.wires.responses.item_builders import ITEMS, CustomCallItem, Frames, ImageItem, Item, MarkItem, MessageItem
from antiphon.wires.responses.reply import Skeleton, outcome
from antiphon.wires.responses.tools import custom_names
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
    Part,
    Refusal,
    Reply,
    Request,
    Start,
    StreamEnd,
    StreamError,
    Text,
    Thinking,
    ToolCall,
    UsageUpdate,
)


class ResponsesWriter:
    """Writes one answer; ``response`` is its whole response object once the terminal event is written."""

    def __init__(self, request: Request, created: int = 0) -> None:
        self.response = b""
        self._created = created
        self._request = request
        self._custom = custom_names(request.echo.get("tools"))
        self._frames = Frames()
        self._skeleton: Skeleton
        self._started = False
        self._item: Item | None = None
        self._growing: Item | None = None
        self._index = 0
        self._output: list[bytes] = []
        self._usage: Usage | None = None
        self._finish: Finish | None = None
        self._refused = False
        self._sound: list[Audio] = []
        self._over = False

    @property
    def cuts(self) -> list[int]:
        """The lengths of the texts of the deltas so far."""
        return self._frames.cuts

    def write(self, event: Event) -> bytes:
        """See :meth:`translation.codec.StreamWriter.write`; events of a second choice have no place here."""
        if type(event) is Delta:  # by far the most of them
            return self._growing.grow(event) if self._growing and event.text and not event.choice else b""
        if self._over or getattr(event, "choice", None):
            return b""
        before = self._end_sound() if self._sound and type(event) in _AFTER_SOUND else b""
        return before + _WRITERS[type(event)](self, event)  # type: ignore[no-any-return]

    def fail(self, error: CallError) -> bytes:
        """See :meth:`translation.codec.StreamWriter.fail`.

        As OpenAI has it: the error event first, which official clients raise, then the response that was begun, failed
        with what it has, because only a response's own event ends a stream.
        """
        if self._over:
            return b""
        self._over, self._growing = True, None
        frames = error_frame(error, self._frames)
        if self._started:
            if self._item is not None:
                self._output.append(encode_json(self._item.result("incomplete")))
            self.response = self._skeleton.write("failed", self._output, self._usage, error=error_of(error))
            frames += self._frames.frame("response.failed", {"response": msgspec.Raw(self.response)})
        return frames

    def _start(self, event: Start) -> bytes:
        if self._started:
            return b""
        self._started = True
        self._usage = event.usage
        self._skeleton = skeleton = Skeleton(self._request, event.id, event.model, self._created)
        response = {"response": msgspec.Raw(skeleton.write("in_progress", []))}
        created = self._frames.frame("response.created", response)
        return created + self._frames.frame("response.in_progress", response)

    def _opened(self, event: BlockStart) -> bytes:
        begun = self._start(Start("", ""))
        kind = ITEMS[event.kind]
        self._refused = self._refused or event.kind == "refusal"
        if kind is MessageItem and isinstance(self._item, MessageItem):
            self._growing = self._item
            return begun + self._item.open(event)
        if event.name in self._custom and event.kind == "tool":
            kind = CustomCallItem
        frames = begun + self._settle("completed")
        self._item = self._growing = item = kind(self._frames, self._id(kind), self._index, event)
        return frames + self._added(item) + item.open(event)

    def _shown(self, event: Media) -> bytes:
        """Write an image as what the image tool made, and gather a sound until it is whole."""
        begun = self._start(Start("", ""))
        part = event.part
        if isinstance(part, Audio):
            self._sound.append(part)
            return begun
        begun += self._end_sound() if self._sound else b""
        if not isinstance(part, Image) or not part.data:
            return begun + self._told(event.index, part)
        frames = begun + self._settle("completed")
        item = ImageItem(self._frames, self._id(ImageItem), self._index, BlockStart(event.index, "text"), part)
        return frames + self._added(item) + item.close() + self._done(item, "completed")

    def _told(self, index: int, part: Image | File | Audio) -> bytes:
        """Write what this wire has no place for as a text of its own."""
        frames = self._opened(BlockStart(index, "text"))
        assert self._growing is not None
        return frames + self._growing.grow(Delta(index, text_of(part))) + self._closed(BlockStop(index))

    def _end_sound(self) -> bytes:
        sound, self._sound = joined(self._sound), []
        return self._told(0, playable(sound))

    def _marked(self, event: Annotation) -> bytes:
        return self._growing.mark(event) if self._growing else b""

    def _closed(self, event: BlockStop) -> bytes:
        growing, self._growing = self._growing, None
        return growing.close() if growing else b""

    def _used(self, event: UsageUpdate) -> bytes:
        self._usage = event.usage
        return b""

    def _finished(self, event: Finish) -> bytes:
        self._finish = event
        return b""

    def _failed(self, event: StreamError) -> bytes:
        return self.fail(UpstreamError(event.message, status=event.status or None))

    def _ended(self, event: StreamEnd) -> bytes:
        frames = self._start(Start("", ""))
        status, incomplete = outcome(self._finish, self._refused)
        frames += self._closed(BlockStop(0)) + self._settle(status)
        self._over = True
        self.response = self._skeleton.write(status, self._output, self._usage, incomplete=incomplete)
        return frames + self._frames.frame(f"response.{status}", {"response": msgspec.Raw(self.response)})

    def _id(self, kind: type[Item]) -> str:
        return self._skeleton.item_id(kind.prefix, self._index)

    def _added(self, item: Item) -> bytes:
        members = {"output_index": self._index, "item": item.result("in_progress")}
        return self._frames.frame("response.output_item.added", members)

    def _settle(self, status: str) -> bytes:
        """End the item that is open, if one is."""
        item, self._item = self._item, None
        if item is None:
            return b""
        frames = self._done(item, status)
        if (mark := item.follower()) is not None:
            follower = MarkItem(self._frames, self._id(MarkItem), self._index, mark)
            frames += self._added(follower) + self._done(follower, "completed")
        return frames

    def _done(self, item: Item, status: str) -> bytes:
        data = encode_json(item.result(status))
        self._output.append(data)
        members = {"output_index": self._index, "item": msgspec.Raw(data)}
        self._index += 1
        return self._frames.frame("response.output_item.done", members)


_WRITERS: dict[type, Any] = {
    Start: ResponsesWriter._start,
    BlockStart: ResponsesWriter._opened,
    Annotation: ResponsesWriter._marked,
    BlockStop: ResponsesWriter._closed,
    Media: ResponsesWriter._shown,
    UsageUpdate: ResponsesWriter._used,
    Finish: ResponsesWriter._finished,
    StreamError: ResponsesWriter._failed,
    StreamEnd: ResponsesWriter._ended,
}
_AFTER_SOUND = (BlockStart, Finish, StreamEnd)
"""Events that say that a sound is whole."""


def write_reply(reply: Reply, request: Request) -> bytes:
    """See :meth:`translation.codec.Codec.write_reply`: the object that a stream of the same answer ends with."""
    writer = ResponsesWriter(request, reply.created)
    writer.write(Start(reply.id, reply.model))
    choice = reply.choices[0]
    tokens = tuple((choice.logprobs or {}).get("content") or ())
    for index, part in enumerate(choice.parts):
        for event in part_events(part, index):
            if tokens and type(part) is Text and type(event) is Delta:
                event, tokens = msgspec.structs.replace(event, logprobs=tokens), ()
            writer.write(event)
    if reply.usage is not None:
        writer.write(UsageUpdate(reply.usage))
    writer.write(choice.finish)
    writer.write(StreamEnd())
    return writer.response


def part_events(part: Part, index: int) -> list[Event]:
    """Return the events that make a part of an answer, none for what an answer of this wire cannot hold."""
    events = _EVENTS.get(type(part))
    return events(part, index) if events is not None else []


def _text_events(part: Text, index: int) -> list[Event]:
    marks = [Annotation(index, citation=cited) for cited in part.citations]
    return [BlockStart(index, "text"), Delta(index, part.text), *marks, BlockStop(index)]


def _shown_events(part: Image | File | Audio, index: int) -> list[Event]:
    return [Media(index, part)]


def _refusal_events(part: Refusal, index: int) -> list[Event]:
    return [BlockStart(index, "refusal"), Delta(index, part.text), BlockStop(index)]


def _thinking_events(part: Thinking, index: int) -> list[Event]:
    mark = Annotation(index, signature=part.signature, redacted=part.redacted, wire=part.wire)
    grown = [Delta(index, part.text)] if part.text else []
    marked = [mark] if part.signature or part.redacted or part.wire else []
    return [BlockStart(index, "thinking", id=part.id), *grown, *marked, BlockStop(index)]


def _tool_events(part: ToolCall, index: int) -> list[Event]:
    marked = [Annotation(index, signature=part.signature)] if part.signature else []
    return [
        BlockStart(index, "tool", id=part.id, name=part.name),
        Delta(index, part.arguments),
        *marked,
        BlockStop(index),
    ]


_EVENTS: dict[type, Any] = {
    Text: _text_events,
    Refusal: _refusal_events,
    Thinking: _thinking_events,
    ToolCall: _tool_events,
    Image: _shown_events,
    File: _shown_events,
    Audio: _shown_events,
}
