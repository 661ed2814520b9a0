"""Neutral events into the stream of a response (API reference, "Streaming events").

The official clients' accumulators demand this order: response.created, response.in_progress, then for each item its
events from added to done, then one terminal event with the whole response in it.
"""

from typing import Any

import msgspec

from antiphon.errors import CallError, UpstreamError
from antiphon.types import Usage
from antiphon.wires.json_text import encode_json
from antiphon.wires.responses.errors import write_error_frame, write_response_error
from antiphon.wires.responses.finish import write_finish
from antiphon.wires.responses.frames import FrameWriter
from antiphon.wires.responses.item_builders import (
    BUILDERS,
    CallSignatureBuilder,
    CustomCallBuilder,
    ImageBuilder,
    ItemBuilder,
    MessageBuilder,
)
from antiphon.wires.responses.response_template import ResponseTemplate
from antiphon.wires.responses.tools import list_custom_names
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


class ResponsesWriter:
    """See :class:`translation.codec.StreamWriter`; ``response`` is set once the terminal event has been written."""

    def __init__(self, request: Request, created: int = 0) -> None:
        self.response = b""
        self._created = created
        self._request = request
        self._custom_names = list_custom_names(request.echo.get("tools"))
        self._frames = FrameWriter()
        self._template: ResponseTemplate
        self._started = False
        self._item: ItemBuilder | None = None
        """The item that is not finished yet."""
        self._block: ItemBuilder | None = None
        """The same item while a block of it is open."""
        self._index = 0
        self._output: list[bytes] = []
        self._usage: Usage | None = None
        self._finish: Finish | None = None
        self._has_refusal = False
        self._audio: list[Audio] = []
        self._ended = False

    @property
    def cuts(self) -> list[int]:
        """The lengths of the texts of the deltas so far."""
        return self._frames.cuts

    def write(self, event: Event) -> bytes:
        """See :meth:`translation.codec.StreamWriter.write`; events of a second choice are left out."""
        if type(event) is Delta:  # by far the most frequent event
            return self._block.add_delta(event) if self._block and event.text and not event.choice else b""
        if self._ended or (isinstance(event, _OF_CHOICE) and event.choice):
            return b""
        frames = self._end_audio() if self._audio and type(event) in _AFTER_AUDIO else b""
        return frames + _WRITERS[type(event)](self, event)  # type: ignore[no-any-return]

    def fail(self, error: CallError) -> bytes:
        """See :meth:`translation.codec.StreamWriter.fail`.

        As with OpenAI, the first event is an error event, for which official clients raise. The second is the failed
        response with the output so far, because only an event with the response ends a stream.
        """
        if self._ended:
            return b""
        self._ended, self._block = True, None
        frames = write_error_frame(error, self._frames)
        if self._started:
            if self._item is not None:
                self._output.append(encode_json(self._item.make_item("incomplete")))
            failure = write_response_error(error)
            self.response = self._template.write("failed", self._output, self._usage, error=failure)
            frames += self._frames.write("response.failed", {"response": msgspec.Raw(self.response)})
        return frames

    def _write_start(self, event: Start) -> bytes:
        if self._started:
            return b""
        self._started = True
        self._usage = event.usage
        self._template = ResponseTemplate(self._request, event.id, event.model, self._created)
        fields = {"response": msgspec.Raw(self._template.write("in_progress", []))}
        created = self._frames.write("response.created", fields)
        return created + self._frames.write("response.in_progress", fields)

    def _write_block_start(self, event: BlockStart) -> bytes:
        frames = self._write_start(Start("", ""))
        builder = BUILDERS[event.kind]
        self._has_refusal = self._has_refusal or event.kind == "refusal"
        if builder is MessageBuilder and isinstance(self._item, MessageBuilder):
            self._block = self._item
            return frames + self._item.start_block(event)
        if event.name in self._custom_names and event.kind == "tool":
            builder = CustomCallBuilder
        frames += self._finish_item("completed")
        self._item = self._block = item = builder(self._frames, self._make_id(builder), self._index, event)
        return frames + self._write_added(item) + item.start_block(event)

    def _write_media(self, event: Media) -> bytes:
        """Write an image as a result of the image tool; collect audio until it is complete."""
        frames = self._write_start(Start("", ""))
        part = event.part
        if isinstance(part, Audio):
            self._audio.append(part)
            return frames
        frames += self._end_audio() if self._audio else b""
        if not isinstance(part, Image) or not part.data:
            return frames + self._write_as_text(event.index, part)
        frames += self._finish_item("completed")
        start = BlockStart(event.index, "text")
        item = ImageBuilder(self._frames, self._make_id(ImageBuilder), self._index, start, part)
        return frames + self._write_added(item) + item.end_block() + self._write_done(item, "completed")

    def _write_as_text(self, index: int, part: Image | File | Audio) -> bytes:
        """Write media for which this wire has no item as a separate text."""
        frames = self._write_block_start(BlockStart(index, "text"))
        return frames + self.write(Delta(index, write_markdown(part))) + self._write_block_stop(BlockStop(index))

    def _end_audio(self) -> bytes:
        audio, self._audio = join_audio(self._audio), []
        return self._write_as_text(0, make_playable(audio))

    def _write_annotation(self, event: Annotation) -> bytes:
        return self._block.annotate(event) if self._block else b""

    def _write_block_stop(self, event: BlockStop) -> bytes:
        block, self._block = self._block, None
        return block.end_block() if block else b""

    def _keep_usage(self, event: UsageUpdate) -> bytes:
        self._usage = event.usage
        return b""

    def _keep_finish(self, event: Finish) -> bytes:
        self._finish = event
        return b""

    def _write_failure(self, event: StreamError) -> bytes:
        return self.fail(UpstreamError(event.message, status=event.status or None))

    def _write_end(self, event: StreamEnd) -> bytes:
        frames = self._write_start(Start("", ""))
        status, incomplete = write_finish(self._finish, self._has_refusal)
        frames += self._write_block_stop(BlockStop(0)) + self._finish_item(status)
        self._ended = True
        self.response = self._template.write(status, self._output, self._usage, incomplete=incomplete)
        return frames + self._frames.write(f"response.{status}", {"response": msgspec.Raw(self.response)})

    def _make_id(self, builder: type[ItemBuilder]) -> str:
        return self._template.make_item_id(builder.id_prefix, self._index)

    def _write_added(self, item: ItemBuilder) -> bytes:
        fields = {"output_index": self._index, "item": item.make_item("in_progress")}
        return self._frames.write("response.output_item.added", fields)

    def _finish_item(self, status: str) -> bytes:
        """Finish the current item, if there is one."""
        item, self._item = self._item, None
        if item is None:
            return b""
        frames = self._write_done(item, status)
        if (signature := item.find_call_signature()) is not None:
            carrier = CallSignatureBuilder(self._frames, self._make_id(CallSignatureBuilder), self._index, signature)
            frames += self._write_added(carrier) + self._write_done(carrier, "completed")
        return frames

    def _write_done(self, item: ItemBuilder, status: str) -> bytes:
        data = encode_json(item.make_item(status))
        self._output.append(data)
        fields = {"output_index": self._index, "item": msgspec.Raw(data)}
        self._index += 1
        return self._frames.write("response.output_item.done", fields)


_WRITERS: dict[type, Any] = {
    Start: ResponsesWriter._write_start,
    BlockStart: ResponsesWriter._write_block_start,
    Annotation: ResponsesWriter._write_annotation,
    BlockStop: ResponsesWriter._write_block_stop,
    Media: ResponsesWriter._write_media,
    UsageUpdate: ResponsesWriter._keep_usage,
    Finish: ResponsesWriter._keep_finish,
    StreamError: ResponsesWriter._write_failure,
    StreamEnd: ResponsesWriter._write_end,
}
_OF_CHOICE = (BlockStart, Annotation, BlockStop, Media, Finish)
"""Events that belong to one choice."""
_AFTER_AUDIO = (BlockStart, Finish, StreamEnd)
"""Events that mean that audio is complete."""
