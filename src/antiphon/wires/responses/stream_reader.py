"""Reads the stream of a response into neutral events (API reference, "Streaming events").

Some servers of this wire leave events out, or send an item only when it is done. If a later event holds more text than
was streamed, the difference is added. If items are streamed in parallel, the later ones wait until the first one ends.
"""

from typing import Any, Literal, TypeAlias

import msgspec

from antiphon.errors import BadAnswer
from antiphon.wires.checks import DECODE_ERRORS
from antiphon.wires.responses.encrypted_content import CallSignature
from antiphon.wires.responses.errors import read_error_event
from antiphon.wires.responses.finish import read_finish
from antiphon.wires.responses.frames import NO_JSON, StreamEvent, read_frame
from antiphon.wires.responses.items import write_custom_arguments
from antiphon.wires.responses.output_reader import ItemHead, decode_head, read_content, read_item
from antiphon.wires.responses.types import ErrorObject, ResponseObject, read_response
from antiphon.wires.translation.neutral import (
    Annotation,
    BlockStart,
    BlockStop,
    Delta,
    Event,
    Finish,
    Image,
    Media,
    Refusal,
    Start,
    StreamEnd,
    StreamError,
    Text,
    Thinking,
    ToolCall,
    UsageUpdate,
)

_Key: TypeAlias = tuple[int, int]
"""An item's index, and a content's index or :data:`_NO_CONTENT`."""
_Kind: TypeAlias = Literal["text", "refusal", "thinking", "tool"]
_NO_CONTENT = -1
_ARGUMENTS_START, _ARGUMENTS_END = '{"input":"', '"}'
"""The arguments around a custom tool's free text."""
_PART_TYPES: dict[str, type] = {"text": Text, "refusal": Refusal, "thinking": Thinking, "tool": ToolCall}
_CALLS = ("function_call", "custom_tool_call")
_CONTENT_KINDS: dict[str, _Kind] = {"output_text": "text", "refusal": "refusal"}
_encode = msgspec.json.Encoder().encode


class _Block:
    """A block of the neutral stream. While an earlier block is open, its events wait in ``pending_events``."""

    __slots__ = ("call", "citations", "index", "is_closed", "kind", "pending_events", "size", "source")

    def __init__(self, index: int, kind: str, call: str) -> None:
        self.index = index
        self.kind = kind
        self.call = call
        self.size = 0
        """Characters so far."""
        self.citations = 0
        self.source = ""
        """The part of a reasoning item from which the thinking comes."""
        self.is_closed = False
        self.pending_events: list[Event] = []


class ResponsesReader:
    """Reads one streamed answer; see :class:`translation.codec.StreamReader`."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._started = False
        self._ended = False
        self._blocks: dict[_Key, _Block] = {}
        self._queue: list[_Block] = []
        """Blocks that have not ended; the events of all but the first wait."""
        self._custom_calls: set[int] = set()
        self._finished_items: set[int] = set()
        self._reasoning_ids: dict[int, str] = {}
        self._part_types: set[type] = set()

    def read(self, frame: bytes) -> list[Event]:
        """See :meth:`translation.codec.StreamReader.read`."""
        event = read_frame(frame)
        if event is None or self._ended:
            return []
        handler = _HANDLERS.get(event.type)
        if handler is not None:
            handler(self, event)
        elif event.error is not None:
            self._read_error(event)
        events, self._events = self._events, []
        return events

    def close(self) -> list[Event]:
        """Return nothing: an answer without its terminal event was cut off."""
        return []

    # Events of the whole response

    def _read_created(self, event: StreamEvent) -> None:
        self._start(read_response(bytes(event.response)) if event.response != NO_JSON else ResponseObject())

    def _start(self, response: ResponseObject) -> None:
        if not self._started:
            self._started = True
            self._events.append(Start(response.id, response.model))

    def _read_end(self, event: StreamEvent) -> None:
        response = read_response(bytes(event.response))
        self._start(response)
        for index, raw in enumerate(response.output or ()):
            if index not in self._finished_items:
                self._finish_item(index, bytes(raw))
        for block in self._queue:
            block.is_closed = True
        self._flush(last=True)
        usage = response.read_usage()
        if usage is not None:
            self._events.append(UsageUpdate(usage))
        if event.type == "response.incomplete":
            response.status = "incomplete"
        self._events += (Finish(read_finish(response, self._part_types)), StreamEnd())
        self._ended = True

    def _read_failed(self, event: StreamEvent) -> None:
        response = read_response(bytes(event.response))
        self._fail(response.find_error() or ErrorObject("the response failed"))

    def _read_error(self, event: StreamEvent) -> None:
        self._fail(read_error_event(event))

    def _fail(self, error: ErrorObject) -> None:
        self._events.append(StreamError(error.text, error.status))
        self._ended = True

    # Events of items

    def _read_item_added(self, event: StreamEvent) -> None:
        item, index = _read_head(event.item), event.output_index
        if item.type == "reasoning":
            self._reasoning_ids[index] = item.id or ""
        elif item.type in _CALLS and (index, _NO_CONTENT) not in self._blocks:
            block = self._open((index, _NO_CONTENT), "tool", item.call_id or "", item.name or "")
            if item.type == "custom_tool_call":
                self._custom_calls.add(index)
                self._add_text(block, _ARGUMENTS_START)

    def _read_item_done(self, event: StreamEvent) -> None:
        self._finish_item(event.output_index, bytes(event.item))

    def _finish_item(self, index: int, raw: bytes) -> None:
        """Read a finished item: add what was not streamed, and close its blocks."""
        self._finished_items.add(index)
        for content_index, part in enumerate(read_item(raw)):
            if isinstance(part, CallSignature):
                self._add_call_signature(part)
            elif isinstance(part, ToolCall):
                self._finish_call(index, part)
            elif isinstance(part, Thinking):
                self._finish_thinking(index, part)
            elif isinstance(part, (Text, Refusal)):
                self._finish_content((index, content_index), part)
            elif isinstance(part, Image):
                self._add_image(index, part)

    def _finish_content(self, key: _Key, part: Text | Refusal) -> None:
        block = self._get_block(key, "text" if isinstance(part, Text) else "refusal")
        if block.is_closed:
            return
        self._add_missing_text(block, part.text)
        if isinstance(part, Text):
            for citation in part.citations[block.citations :]:
                self._emit(block, Annotation(block.index, citation=citation))
        self._close(block)

    def _finish_call(self, index: int, call: ToolCall) -> None:
        key = (index, _NO_CONTENT)
        block = self._blocks.get(key) or self._open(key, "tool", call.id, call.name)
        if index in self._custom_calls:
            self._finish_custom_call(index, call.arguments)
        else:
            self._add_missing_text(block, call.arguments)
            self._close(block)

    def _finish_custom_call(self, index: int, arguments: str) -> None:
        block = self._blocks[(index, _NO_CONTENT)]
        if not block.is_closed:
            missing = arguments.removesuffix(_ARGUMENTS_END)[block.size :]
            self._add_text(block, missing + _ARGUMENTS_END)
            self._close(block)

    def _finish_thinking(self, index: int, thinking: Thinking) -> None:
        key = (index, _NO_CONTENT)
        block = self._blocks.get(key)
        if block is None:
            block = self._open(key, "thinking", thinking.id)
            self._add_text(block, thinking.text)
        if not block.is_closed and (thinking.signature or thinking.redacted):
            signature, redacted = thinking.signature, thinking.redacted
            self._emit(block, Annotation(block.index, signature=signature, redacted=redacted, wire=thinking.wire))
        self._close(block)

    def _add_image(self, index: int, image: Image) -> None:
        if (index, _NO_CONTENT) not in self._blocks:
            block = self._add_block((index, _NO_CONTENT), "image")
            self._emit(block, Media(block.index, image))
            self._close(block)

    def _add_call_signature(self, signature: CallSignature) -> None:
        """Add a signature to its call, whose block is still open: calls are closed when the next block begins."""
        for block in self._queue:
            if block.call == signature.call and block.kind == "tool":
                self._emit(block, Annotation(block.index, signature=signature.signature))

    # Events of contents

    def _read_part_added(self, event: StreamEvent) -> None:
        kind = _CONTENT_KINDS.get(_read_head(event.part).type)
        if kind is not None:
            self._get_block((event.output_index, event.content_index), kind)

    def _read_part_done(self, event: StreamEvent) -> None:
        for part in read_content(bytes(event.part)):
            self._finish_content((event.output_index, event.content_index), part)

    def _read_text_delta(self, event: StreamEvent) -> None:
        key = event.output_index, event.content_index
        block = self._blocks.get(key) or self._open(key, "text")
        logprobs = tuple(event.logprobs) if event.logprobs and _is_objects(event.logprobs) else ()
        self._add_text(block, event.delta, logprobs)

    def _read_refusal_delta(self, event: StreamEvent) -> None:
        self._add_text(self._get_block((event.output_index, event.content_index), "refusal"), event.delta)

    def _read_text_done(self, event: StreamEvent) -> None:
        self._add_missing_text(self._get_block((event.output_index, event.content_index), "text"), event.text)

    def _read_refusal_done(self, event: StreamEvent) -> None:
        self._add_missing_text(self._get_block((event.output_index, event.content_index), "refusal"), event.refusal)

    def _read_annotation(self, event: StreamEvent) -> None:
        block = self._blocks.get((event.output_index, event.content_index))
        if block is not None and not block.is_closed and type(event.annotation) is dict and "type" in event.annotation:
            block.citations += 1
            self._emit(block, Annotation(block.index, citation=event.annotation))

    def _read_arguments_delta(self, event: StreamEvent) -> None:
        if block := self._blocks.get((event.output_index, _NO_CONTENT)):
            self._add_text(block, event.delta)

    def _read_arguments_done(self, event: StreamEvent) -> None:
        if block := self._blocks.get((event.output_index, _NO_CONTENT)):
            self._add_missing_text(block, event.arguments)

    def _read_custom_input_delta(self, event: StreamEvent) -> None:
        block = self._blocks.get((event.output_index, _NO_CONTENT))
        if block is not None and event.output_index in self._custom_calls and type(event.delta) is str:
            self._add_text(block, _encode(event.delta)[1:-1].decode())

    def _read_custom_input_done(self, event: StreamEvent) -> None:
        if event.output_index in self._custom_calls:
            text = event.input if type(event.input) is str else ""
            self._finish_custom_call(event.output_index, write_custom_arguments(text))

    def _read_summary_delta(self, event: StreamEvent) -> None:
        self._read_thinking_delta(event, "summary", event.summary_index)

    def _read_reasoning_delta(self, event: StreamEvent) -> None:
        self._read_thinking_delta(event, "content", event.content_index)

    def _read_thinking_delta(self, event: StreamEvent, source: str, part: int) -> None:
        """Read thinking from the summary or from the open text, whichever comes first; a blank line separates parts."""
        key = (event.output_index, _NO_CONTENT)
        block = self._blocks.get(key)
        if block is None:
            block = self._open(key, "thinking", self._reasoning_ids.get(event.output_index, ""))
        name = f"{source}{part}"
        if not block.source.startswith(source) and block.source:
            return
        if block.source not in ("", name):
            self._add_text(block, "\n\n")
        block.source = name
        self._add_text(block, event.delta)

    # Blocks

    def _get_block(self, key: _Key, kind: _Kind) -> _Block:
        return self._blocks.get(key) or self._open(key, kind)

    def _open(self, key: _Key, kind: _Kind, call: str = "", name: str = "") -> _Block:
        block = self._add_block(key, kind, call)
        self._part_types.add(_PART_TYPES[kind])
        self._emit(block, BlockStart(block.index, kind, id=call, name=name))
        return block

    def _add_block(self, key: _Key, kind: str, call: str = "") -> _Block:
        self._start(ResponseObject())
        self._flush(last=True)
        block = self._blocks[key] = _Block(len(self._blocks), kind, call)
        self._queue.append(block)
        return block

    def _emit(self, block: _Block, event: Event) -> None:
        target = self._events if self._queue and self._queue[0] is block else block.pending_events
        target.append(event)

    def _add_text(self, block: _Block, text: Any, logprobs: tuple[dict[str, Any], ...] = ()) -> None:
        """Add text to a block; other values, and text for a closed block, are ignored."""
        if text and type(text) is str and not block.is_closed:
            block.size += len(text)
            events = self._events if self._queue[0] is block else block.pending_events
            events.append(Delta(block.index, text, logprobs))

    def _add_missing_text(self, block: _Block, text: Any) -> None:
        """Add the part of the whole text that was not streamed."""
        if type(text) is str:
            self._add_text(block, text[block.size :])

    def _close(self, block: _Block) -> None:
        block.is_closed = True
        self._flush(last=block.kind != "tool")

    def _flush(self, *, last: bool) -> None:
        """End the closed blocks at the head of the queue, and release the events that waited behind them.

        A call at the very end of the queue is ended only if ``last`` is true, because its signature may follow.
        """
        queue = self._queue
        while queue and queue[0].is_closed and (last or len(queue) > 1):
            block = queue.pop(0)
            if block.kind != "image":  # media have neither start nor stop
                self._events.append(BlockStop(block.index))
            if queue:
                self._events += queue[0].pending_events
                queue[0].pending_events = []


def _read_head(raw: msgspec.Raw) -> ItemHead:
    try:
        return decode_head(raw)
    except DECODE_ERRORS as error:
        raise BadAnswer(f"The provider sent an item that is not of this wire: {error}.") from None


def _is_objects(values: Any) -> bool:
    return type(values) is list and all(type(value) is dict for value in values)


_HANDLERS: dict[str, Any] = {
    "response.created": ResponsesReader._read_created,
    "response.completed": ResponsesReader._read_end,
    "response.incomplete": ResponsesReader._read_end,
    "response.failed": ResponsesReader._read_failed,
    "error": ResponsesReader._read_error,
    "response.output_item.added": ResponsesReader._read_item_added,
    "response.output_item.done": ResponsesReader._read_item_done,
    "response.content_part.added": ResponsesReader._read_part_added,
    "response.content_part.done": ResponsesReader._read_part_done,
    "response.output_text.delta": ResponsesReader._read_text_delta,
    "response.output_text.done": ResponsesReader._read_text_done,
    "response.output_text.annotation.added": ResponsesReader._read_annotation,
    "response.refusal.delta": ResponsesReader._read_refusal_delta,
    "response.refusal.done": ResponsesReader._read_refusal_done,
    "response.function_call_arguments.delta": ResponsesReader._read_arguments_delta,
    "response.function_call_arguments.done": ResponsesReader._read_arguments_done,
    "response.custom_tool_call_input.delta": ResponsesReader._read_custom_input_delta,
    "response.custom_tool_call_input.done": ResponsesReader._read_custom_input_done,
    "response.reasoning_summary_text.delta": ResponsesReader._read_summary_delta,
    "response.reasoning_text.delta": ResponsesReader._read_reasoning_delta,
}
