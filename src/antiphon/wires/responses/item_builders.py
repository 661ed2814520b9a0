"""Output items as they grow: the events of each kind of item, and the item that is left at its end.

An item is opened by a block, grows by its events and is settled when the next one begins or the answer ends, because
only then is it known whether it is whole. A message takes several blocks of text, one after the other, as its content.
(API reference, "Streaming events".)
"""

from typing import Any

import msgspec

from antiphon.wires.json_text import encode_json
from antiphon.wires.responses.content import OutputText, RefusalText, is_native, write_citation
from antiphon.wires.responses.encrypted_content import CallMark, seal, seal_mark
from antiphon.wires.responses.items import SummaryText, custom_input
from antiphon.wires.translation.neutral import Annotation, BlockStart, Delta, Image, Thinking

_encode = msgspec.json.Encoder().encode


class Frames:
    """Makes the frames of one stream, numbered from ``number``; ``cuts`` are the lengths of the texts of its deltas."""

    __slots__ = ("cuts", "number")

    def __init__(self, number: int = 0) -> None:
        self.number = number
        self.cuts: list[int] = []

    def frame(self, kind: str, members: dict[str, Any]) -> bytes:
        """Return an event of ``kind``."""
        data = encode_json({"type": kind, **members, "sequence_number": self.number})
        self.number += 1
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), data)

    def delta(self, head: bytes, text: str, tail: bytes) -> bytes:
        """Return an event whose constant parts are made already, see :func:`delta_head`."""
        frame = b"%b%b%b%d}\n\n" % (head, _encode(text), tail, self.number)
        self.number += 1
        self.cuts.append(len(text))
        return frame


def delta_head(kind: str, members: dict[str, Any]) -> bytes:
    """Return what comes before the text of a delta event."""
    data = _encode({"type": kind, **members})
    return b'event: %b\ndata: %b,"delta":' % (kind.encode(), data[:-1])


TAIL = b',"sequence_number":'
TEXT_TAIL = b',"logprobs":[]' + TAIL
_STEPS = ("in_progress", "generating", "completed")
"""What follows the text of a delta event, up to its number."""


class OutMessage(msgspec.Struct, tag="message"):
    id: str
    status: str
    role: str
    content: list[OutputText | RefusalText]


class OutReasoning(msgspec.Struct, tag="reasoning", omit_defaults=True):
    id: str
    summary: list[SummaryText]
    encrypted_content: str | None = None
    status: str | None = None


class OutCall(msgspec.Struct, tag="function_call"):
    id: str
    status: str
    call_id: str
    name: str
    arguments: str


class OutCustomCall(msgspec.Struct, tag="custom_tool_call"):
    id: str
    status: str
    call_id: str
    name: str
    input: str


class OutImage(msgspec.Struct, tag="image_generation_call"):
    id: str
    status: str
    result: str | None = None
    output_format: str = "png"


class Item:
    """One output item in the making. ``place`` is what each of its events says of it."""

    prefix = ""

    def __init__(self, frames: Frames, item_id: str, index: int, opened: BlockStart) -> None:
        self.frames = frames
        self.id = item_id
        self.place: dict[str, Any] = {"item_id": item_id, "output_index": index}
        self.texts: list[str] = []
        self.opened = opened
        self.head = b""

    @property
    def text(self) -> str:
        return "".join(self.texts)

    def open(self, opened: BlockStart) -> bytes:
        return b""

    def grow(self, event: Delta) -> bytes:
        self.texts.append(event.text)
        return self.frames.delta(self.head, event.text, TAIL)

    def mark(self, event: Annotation) -> bytes:
        return b""

    def close(self) -> bytes:
        return b""

    def result(self, status: str) -> msgspec.Struct:
        """Return the item as it stands; ``status`` is in_progress, completed or incomplete."""
        raise NotImplementedError

    def follower(self) -> CallMark | None:
        """Return what must follow the item in one of its own, if anything."""
        return None


class MessageItem(Item):
    """A message: output_text and refusal contents."""

    prefix = "msg"

    def __init__(self, frames: Frames, item_id: str, index: int, opened: BlockStart) -> None:
        super().__init__(frames, item_id, index, opened)
        self.contents: list[OutputText | RefusalText] = []
        self._annotations: list[dict[str, Any]] = []
        self._logprobs: list[dict[str, Any]] = []
        self._foreign: list[dict[str, Any]] = []
        self._open = False

    def open(self, opened: BlockStart) -> bytes:
        self.opened, self.texts, self._open = opened, [], True
        self._annotations, self._logprobs, self._foreign = [], [], []
        self.place = {**self.place, "content_index": len(self.contents)}
        kind = "response.refusal.delta" if opened.kind == "refusal" else "response.output_text.delta"
        self.head = delta_head(kind, self.place)
        return self.frames.frame("response.content_part.added", {**self.place, "part": self._part()})

    def grow(self, event: Delta) -> bytes:
        self.texts.append(event.text)
        if self.opened.kind == "refusal":
            return self.frames.delta(self.head, event.text, TAIL)
        if not event.logprobs:
            return self.frames.delta(self.head, event.text, TEXT_TAIL)
        self._logprobs += event.logprobs
        tail = b',"logprobs":%b%b' % (encode_json(event.logprobs), TAIL)
        return self.frames.delta(self.head, event.text, tail)

    def mark(self, event: Annotation) -> bytes:
        if event.citation is None or self.opened.kind == "refusal":
            return b""
        if is_native(event.citation):
            return self._annotate(event.citation)
        self._foreign.append(event.citation)  # where the text ends that it is about is known at the end of the text
        return b""

    def close(self) -> bytes:
        text = self.text
        frames = b"".join([self._annotate(write_citation(cited, len(text))) for cited in self._foreign])
        part = self._part()
        if isinstance(part, RefusalText):
            frames += self.frames.frame("response.refusal.done", {**self.place, "refusal": text})
        else:
            members = {**self.place, "text": text, "logprobs": self._logprobs}
            frames += self.frames.frame("response.output_text.done", members)
        frames += self.frames.frame("response.content_part.done", {**self.place, "part": part})
        self.contents.append(part)
        self._open = False
        return frames

    def result(self, status: str) -> OutMessage:
        contents = [*self.contents, self._part()] if self._open else self.contents
        return OutMessage(self.id, status, "assistant", contents)

    def _annotate(self, annotation: dict[str, Any]) -> bytes:
        members = {**self.place, "annotation_index": len(self._annotations), "annotation": annotation}
        self._annotations.append(annotation)
        return self.frames.frame("response.output_text.annotation.added", members)

    def _part(self) -> OutputText | RefusalText:
        if self.opened.kind == "refusal":
            return RefusalText(self.text)
        return OutputText(self.text, self._annotations, self._logprobs)


class ReasoningItem(Item):
    """Thinking: one part of summary, and the block itself where it must come back."""

    prefix = "rs"

    def __init__(self, frames: Frames, item_id: str, index: int, opened: BlockStart) -> None:
        super().__init__(frames, item_id, index, opened)
        self._mark = Annotation(opened.index)
        self._summary = {**self.place, "summary_index": 0}

    def grow(self, event: Delta) -> bytes:
        begun = b""
        if not self.texts:
            self.head = delta_head("response.reasoning_summary_text.delta", self._summary)
            members = {**self._summary, "part": SummaryText("")}
            begun = self.frames.frame("response.reasoning_summary_part.added", members)
        return begun + super().grow(event)

    def mark(self, event: Annotation) -> bytes:
        old = self._mark
        signature, redacted = event.signature or old.signature, event.redacted or old.redacted
        self._mark = Annotation(event.index, signature=signature, redacted=redacted, wire=event.wire or old.wire)
        return b""

    def close(self) -> bytes:
        if not self.texts:
            return b""
        text = self.text
        done = self.frames.frame("response.reasoning_summary_text.done", {**self._summary, "text": text})
        members = {**self._summary, "part": SummaryText(text)}
        return done + self.frames.frame("response.reasoning_summary_part.done", members)

    def result(self, status: str) -> OutReasoning:
        text, mark = self.text, self._mark
        thinking = Thinking(text, mark.signature, mark.redacted, self.opened.id, mark.wire)
        summary = [SummaryText(text)] if text else []
        return OutReasoning(self.id, summary, seal(thinking) or None, status)


class CallItem(Item):
    """A function call; one without arguments has ``{}``, as JSON wants something."""

    prefix = "fc"

    def __init__(self, frames: Frames, item_id: str, index: int, opened: BlockStart) -> None:
        super().__init__(frames, item_id, index, opened)
        self.head = delta_head("response.function_call_arguments.delta", self.place)
        self._signature = ""

    def mark(self, event: Annotation) -> bytes:
        self._signature = event.signature or self._signature
        return b""

    def close(self) -> bytes:
        frames = b""
        if not self.texts:
            frames = self.grow(Delta(self.opened.index, "{}"))
        members = {**self.place, "name": self.opened.name, "arguments": self.text}
        return frames + self.frames.frame("response.function_call_arguments.done", members)

    def result(self, status: str) -> msgspec.Struct:
        return OutCall(self.id, status, self.opened.id, self.opened.name, self.text)

    def follower(self) -> CallMark | None:
        return CallMark(self.opened.id, self._signature) if self._signature else None


class CustomCallItem(CallItem):
    """A call of a custom tool: its free text is known when the arguments that hold it are whole."""

    prefix = "ctc"

    def grow(self, event: Delta) -> bytes:
        self.texts.append(event.text)
        return b""

    def close(self) -> bytes:
        text = custom_input(self.text)
        head = delta_head("response.custom_tool_call_input.delta", self.place)
        frames = self.frames.delta(head, text, TAIL) if text else b""
        return frames + self.frames.frame("response.custom_tool_call_input.done", {**self.place, "input": text})

    def result(self, status: str) -> msgspec.Struct:
        text = "" if status == "in_progress" else custom_input(self.text)
        return OutCustomCall(self.id, status, self.opened.id, self.opened.name, text)


class ImageItem(Item):
    """An image, whole: to clients of this wire the model's image tool made it."""

    prefix = "ig"

    def __init__(self, frames: Frames, item_id: str, index: int, opened: BlockStart, image: Image) -> None:
        super().__init__(frames, item_id, index, opened)
        self._image = image

    def close(self) -> bytes:
        return b"".join([self.frames.frame(f"response.image_generation_call.{step}", self.place) for step in _STEPS])

    def result(self, status: str) -> OutImage:
        form = self._image.media_type.rpartition("/")[2].removesuffix("+xml")
        return OutImage(self.id, status, self._image.data if status == "completed" else None, form or "png")


class MarkItem(Item):
    """A reasoning item without words that holds the signature of the tool call before it."""

    prefix = "rs"

    def __init__(self, frames: Frames, item_id: str, index: int, mark: CallMark) -> None:
        super().__init__(frames, item_id, index, BlockStart(index, "thinking"))
        self._mark = mark

    def result(self, status: str) -> OutReasoning:
        content = None if status == "in_progress" else seal_mark(self._mark)
        return OutReasoning(self.id, [], content, status)


ITEMS: dict[str, type[Item]] = {
    "text": MessageItem,
    "refusal": MessageItem,
    "thinking": ReasoningItem,
    "tool": CallItem,
}
"""Kind of block to the item that holds it."""
