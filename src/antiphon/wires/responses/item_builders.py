"""Builders of output items: each writes the events of one kind of item, and makes the item itself at the end.

A block opens an item. The item is finished when the next one begins or the answer ends, because only then is it known
whether it is complete. Consecutive blocks of text become the contents of one message (API reference, "Streaming
events").
"""

from typing import Any

import msgspec

from antiphon.wires.json_text import encode_json
from antiphon.wires.responses.content import OutputText, RefusalText, is_native, write_citation
from antiphon.wires.responses.encrypted_content import CallSignature, write_call_signature, write_thinking
from antiphon.wires.responses.frames import TAIL, TEXT_TAIL, FrameWriter, write_delta_head
from antiphon.wires.responses.items import SummaryText, read_custom_input
from antiphon.wires.translation.neutral import Annotation, BlockStart, Delta, Image, Thinking

_IMAGE_STEPS = ("in_progress", "generating", "completed")


class MessageItem(msgspec.Struct, tag="message"):
    id: str
    status: str
    role: str
    content: list[OutputText | RefusalText]


class ReasoningItem(msgspec.Struct, tag="reasoning", omit_defaults=True):
    id: str
    summary: list[SummaryText]
    encrypted_content: str | None = None
    status: str | None = None


class CallItem(msgspec.Struct, tag="function_call"):
    id: str
    status: str
    call_id: str
    name: str
    arguments: str


class CustomCallItem(msgspec.Struct, tag="custom_tool_call"):
    id: str
    status: str
    call_id: str
    name: str
    input: str


class ImageItem(msgspec.Struct, tag="image_generation_call"):
    id: str
    status: str
    result: str | None = None
    output_format: str = "png"


class ItemBuilder:
    """Builds one output item. ``location`` holds the fields that each of its events repeats."""

    id_prefix = ""

    def __init__(self, frames: FrameWriter, item_id: str, index: int, start: BlockStart) -> None:
        self.frames = frames
        self.id = item_id
        self.location: dict[str, Any] = {"item_id": item_id, "output_index": index}
        self.texts: list[str] = []
        self.start = start
        self.delta_head = b""

    @property
    def text(self) -> str:
        return "".join(self.texts)

    def start_block(self, start: BlockStart) -> bytes:
        return b""

    def add_delta(self, event: Delta) -> bytes:
        self.texts.append(event.text)
        return self.frames.write_delta(self.delta_head, event.text, TAIL)

    def annotate(self, event: Annotation) -> bytes:
        return b""

    def end_block(self) -> bytes:
        return b""

    def make_item(self, status: str) -> msgspec.Struct:
        """Return the current item; ``status`` is in_progress, completed or incomplete."""
        raise NotImplementedError

    def find_call_signature(self) -> CallSignature | None:
        """Return the signature that must follow as a separate item, if there is one."""
        return None


class MessageBuilder(ItemBuilder):
    """A message: output_text and refusal contents."""

    id_prefix = "msg"

    def __init__(self, frames: FrameWriter, item_id: str, index: int, start: BlockStart) -> None:
        super().__init__(frames, item_id, index, start)
        self.contents: list[OutputText | RefusalText] = []
        self._annotations: list[dict[str, Any]] = []
        self._logprobs: list[dict[str, Any]] = []
        self._foreign_citations: list[dict[str, Any]] = []
        self._is_open = False

    def start_block(self, start: BlockStart) -> bytes:
        self.start, self.texts, self._is_open = start, [], True
        self._annotations, self._logprobs, self._foreign_citations = [], [], []
        self.location = {**self.location, "content_index": len(self.contents)}
        kind = "response.refusal.delta" if start.kind == "refusal" else "response.output_text.delta"
        self.delta_head = write_delta_head(kind, self.location)
        return self.frames.write("response.content_part.added", {**self.location, "part": self._make_content()})

    def add_delta(self, event: Delta) -> bytes:
        self.texts.append(event.text)
        if self.start.kind == "refusal":
            return self.frames.write_delta(self.delta_head, event.text, TAIL)
        if not event.logprobs:
            return self.frames.write_delta(self.delta_head, event.text, TEXT_TAIL)
        self._logprobs += event.logprobs
        tail = b',"logprobs":%b%b' % (encode_json(event.logprobs), TAIL)
        return self.frames.write_delta(self.delta_head, event.text, tail)

    def annotate(self, event: Annotation) -> bytes:
        if event.citation is None or self.start.kind == "refusal":
            return b""
        if is_native(event.citation):
            return self._write_annotation(event.citation)
        self._foreign_citations.append(event.citation)  # the text that it covers ends with the block
        return b""

    def end_block(self) -> bytes:
        text = self.text
        frames = b"".join([self._write_annotation(write_citation(c, len(text))) for c in self._foreign_citations])
        content = self._make_content()
        if isinstance(content, RefusalText):
            frames += self.frames.write("response.refusal.done", {**self.location, "refusal": text})
        else:
            fields = {**self.location, "text": text, "logprobs": self._logprobs}
            frames += self.frames.write("response.output_text.done", fields)
        frames += self.frames.write("response.content_part.done", {**self.location, "part": content})
        self.contents.append(content)
        self._is_open = False
        return frames

    def make_item(self, status: str) -> MessageItem:
        contents = [*self.contents, self._make_content()] if self._is_open else self.contents
        return MessageItem(self.id, status, "assistant", contents)

    def _write_annotation(self, annotation: dict[str, Any]) -> bytes:
        fields = {**self.location, "annotation_index": len(self._annotations), "annotation": annotation}
        self._annotations.append(annotation)
        return self.frames.write("response.output_text.annotation.added", fields)

    def _make_content(self) -> OutputText | RefusalText:
        if self.start.kind == "refusal":
            return RefusalText(self.text)
        return OutputText(self.text, self._annotations, self._logprobs)


class ReasoningBuilder(ItemBuilder):
    """Thinking: its text is one part of the summary; ``encrypted_content`` has the block if it must be sent back."""

    id_prefix = "rs"

    def __init__(self, frames: FrameWriter, item_id: str, index: int, start: BlockStart) -> None:
        super().__init__(frames, item_id, index, start)
        self._signature = ""
        self._redacted = ""
        self._wire = ""
        self._summary_location = {**self.location, "summary_index": 0}

    def add_delta(self, event: Delta) -> bytes:
        frames = b""
        if not self.texts:
            self.delta_head = write_delta_head("response.reasoning_summary_text.delta", self._summary_location)
            fields = {**self._summary_location, "part": SummaryText("")}
            frames = self.frames.write("response.reasoning_summary_part.added", fields)
        return frames + super().add_delta(event)

    def annotate(self, event: Annotation) -> bytes:
        self._signature = event.signature or self._signature
        self._redacted = event.redacted or self._redacted
        self._wire = event.wire or self._wire
        return b""

    def end_block(self) -> bytes:
        if not self.texts:
            return b""
        text = self.text
        frames = self.frames.write("response.reasoning_summary_text.done", {**self._summary_location, "text": text})
        fields = {**self._summary_location, "part": SummaryText(text)}
        return frames + self.frames.write("response.reasoning_summary_part.done", fields)

    def make_item(self, status: str) -> ReasoningItem:
        text = self.text
        thinking = Thinking(text, self._signature, self._redacted, self.start.id, self._wire)
        summary = [SummaryText(text)] if text else []
        return ReasoningItem(self.id, summary, write_thinking(thinking) or None, status)


class CallBuilder(ItemBuilder):
    """A function call; one without arguments gets ``{}``, because they must be JSON."""

    id_prefix = "fc"

    def __init__(self, frames: FrameWriter, item_id: str, index: int, start: BlockStart) -> None:
        super().__init__(frames, item_id, index, start)
        self.delta_head = write_delta_head("response.function_call_arguments.delta", self.location)
        self._signature = ""

    def annotate(self, event: Annotation) -> bytes:
        self._signature = event.signature or self._signature
        return b""

    def end_block(self) -> bytes:
        frames = b""
        if not self.texts:
            frames = self.add_delta(Delta(self.start.index, "{}"))
        fields = {**self.location, "name": self.start.name, "arguments": self.text}
        return frames + self.frames.write("response.function_call_arguments.done", fields)

    def make_item(self, status: str) -> msgspec.Struct:
        return CallItem(self.id, status, self.start.id, self.start.name, self.text)

    def find_call_signature(self) -> CallSignature | None:
        return CallSignature(self.start.id, self._signature) if self._signature else None


class CustomCallBuilder(CallBuilder):
    """A call of a custom tool: its free text is known when the arguments that contain it are complete."""

    id_prefix = "ctc"

    def add_delta(self, event: Delta) -> bytes:
        self.texts.append(event.text)
        return b""

    def end_block(self) -> bytes:
        text = read_custom_input(self.text)
        head = write_delta_head("response.custom_tool_call_input.delta", self.location)
        frames = self.frames.write_delta(head, text, TAIL) if text else b""
        return frames + self.frames.write("response.custom_tool_call_input.done", {**self.location, "input": text})

    def make_item(self, status: str) -> msgspec.Struct:
        text = "" if status == "in_progress" else read_custom_input(self.text)
        return CustomCallItem(self.id, status, self.start.id, self.start.name, text)


class ImageBuilder(ItemBuilder):
    """A whole image; clients of this wire expect images from the model's image tool."""

    id_prefix = "ig"

    def __init__(self, frames: FrameWriter, item_id: str, index: int, start: BlockStart, image: Image) -> None:
        super().__init__(frames, item_id, index, start)
        self._image = image

    def end_block(self) -> bytes:
        return b"".join(
            [self.frames.write(f"response.image_generation_call.{step}", self.location) for step in _IMAGE_STEPS]
        )

    def make_item(self, status: str) -> ImageItem:
        image_format = self._image.media_type.rpartition("/")[2].removesuffix("+xml")
        return ImageItem(self.id, status, self._image.data if status == "completed" else None, image_format or "png")


class CallSignatureBuilder(ItemBuilder):
    """A reasoning item without text that carries the signature of the tool call before it."""

    id_prefix = "rs"

    def __init__(self, frames: FrameWriter, item_id: str, index: int, signature: CallSignature) -> None:
        super().__init__(frames, item_id, index, BlockStart(index, "thinking"))
        self._signature = signature

    def make_item(self, status: str) -> ReasoningItem:
        content = None if status == "in_progress" else write_call_signature(self._signature)
        return ReasoningItem(self.id, [], content, status)


BUILDERS: dict[str, type[ItemBuilder]] = {
    "text": MessageBuilder,
    "refusal": MessageBuilder,
    "thinking": ReasoningBuilder,
    "tool": CallBuilder,
}
"""Kind of block to the builder of its item."""
