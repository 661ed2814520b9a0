"""Streams of Responses providers, read into neutral events (API reference, "Streaming events").

Other servers of this wire leave events out, or send an item only when it is done: whatever a later, fuller event holds
beyond what was streamed is made up for. Items that grow side by side are held back until their turn.
"""

from typing import Any

import msgspec

from antiphon.errors import BadAnswer
from antiphon.wires.responses.encrypted_content import CallMark
from antiphon.wires.responses.frame import NOTHING, StreamEvent, read_frame
from antiphon.wires.responses.items import custom_arguments
from antiphon.wires.responses.output import head, read_content, read_item
from antiphon.wires.responses.reply import Answer, Reported, finish_reason, read_answer
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

_ITEM = -1
"""The place of an item that has no contents of its own, beside the index of a message's content."""
_CUSTOM_START, _CUSTOM_END = '{"input":"', '"}'
_KINDS: dict[str, type] = {"text": Text, "refusal": Refusal, "thinking": Thinking, "tool": ToolCall}
_encode = msgspec.json.Encoder().encode


class _Block:
    """A block of the neutral stream. While another is open before it, its events wait in ``held``."""

    __slots__ = ("call", "cited", "closed", "held", "index", "kind", "size", "source")

    def __init__(self, index: int, kind: str, call: str) -> None:
        self.index = index
        self.kind = kind
        self.call = call
        self.size = 0
        self.cited = 0
        self.source = ""
        self.closed = False
        self.held: list[Event] = []


class ResponsesReader:
    """Reads one streamed answer; see :class:`translation.codec.StreamReader`."""

    def __init__(self) -> None:
        self._out: list[Event] = []
        self._started = False
        self._over = False
        self._count = 0
        self._blocks: dict[tuple[int, int], _Block] = {}
        self._queue: list[_Block] = []
        self._customs: set[int] = set()
        self._done: set[int] = set()
        self._ids: dict[int, str] = {}
        self._kinds: set[type] = set()

    def read(self, frame: bytes) -> list[Event]:
        """See :meth:`translation.codec.StreamReader.read`."""
        event = read_frame(frame)
        if event is None or self._over:
            return []
        handler = _HANDLERS.get(event.type)
        if handler is not None:
            handler(self, event)
        elif event.error is not None:
            self._error(event)
        out, self._out = self._out, []
        return out

    def close(self) -> list[Event]:
        """Nothing is owed: an answer that ends without its terminal event is cut short."""
        return []

    # Events of the whole response

    def _created(self, event: StreamEvent) -> None:
        answer = read_answer(bytes(event.response)) if event.response != NOTHING else Answer()
        self._start(answer)

    def _start(self, answer: Answer) -> None:
        if not self._started:
            self._started = True
            self._out.append(Start(answer.id, answer.model))

    def _ended(self, event: StreamEvent) -> None:
        answer = read_answer(bytes(event.response))
        self._start(answer)
        for index, raw in enumerate(answer.output or ()):
            if index not in self._done:
                self._settle(index, bytes(raw))
        for block in self._queue:
            block.closed = True
        self._flush(last=True)
        usage = answer.counted()
        if usage is not None:
            self._out.append(UsageUpdate(usage))
        if event.type == "response.incomplete":
            answer.status = "incomplete"
        self._out += (Finish(finish_reason(answer, self._kinds)), StreamEnd())
        self._over = True

    def _failed(self, event: StreamEvent) -> None:
        answer = read_answer(bytes(event.response))
        self._fail(answer.problem() or Reported("the response failed"))

    def _error(self, event: StreamEvent) -> None:
        problem = event.error
        if type(problem) is dict:
            self._fail(Reported(problem.get("message"), problem.get("code"), problem.get("type")))
        else:
            self._fail(Reported(problem or event.message, event.code))

    def _fail(self, problem: Reported) -> None:
        self._out.append(StreamError(problem.words(), problem.status()))
        self._over = True

    # Events of items

    def _item_added(self, event: StreamEvent) -> None:
        item, index = _head(event.item), event.output_index
        if item.type == "reasoning":
            self._ids[index] = item.id or ""
        elif item.type in _CALLS and (index, _ITEM) not in self._blocks:
            block = self._open((index, _ITEM), "tool", item.call_id or "", item.name or "")
            if item.type == "custom_tool_call":
                self._customs.add(index)
                self._emit(block, Delta(block.index, _CUSTOM_START))

    def _item_done(self, event: StreamEvent) -> None:
        self._settle(event.output_index, bytes(event.item))

    def _settle(self, index: int, raw: bytes) -> None:
        """Take a finished item: make up for what was not streamed of it, and close its blocks."""
        self._done.add(index)
        for place, part in enumerate(read_item(raw)):
            if isinstance(part, CallMark):
                self._mark_call(part)
            elif isinstance(part, ToolCall):
                self._settle_call(index, part)
            elif isinstance(part, Thinking):
                self._settle_thinking(index, part)
            elif isinstance(part, Text | Refusal):
                self._settle_content((index, place), part)
            elif isinstance(part, Image):
                self._settle_image(index, part)

    def _settle_content(self, key: tuple[int, int], part: Text | Refusal) -> None:
        block = self._block(key, "text" if isinstance(part, Text) else "refusal")
        if block.closed:
            return
        self._complete(block, part.text)
        if isinstance(part, Text):
            for cited in part.citations[block.cited :]:
                self._emit(block, Annotation(block.index, citation=cited))
        self._close(block)

    def _settle_call(self, index: int, call: ToolCall) -> None:
        block = self._blocks.get((index, _ITEM)) or self._open((index, _ITEM), "tool", call.id, call.name)
        if index in self._customs:
            self._end_custom(index, call.arguments)
        else:
            self._complete(block, call.arguments)
            self._close(block)

    def _end_custom(self, index: int, arguments: str) -> None:
        block = self._blocks[(index, _ITEM)]
        if not block.closed:
            rest = arguments.removesuffix(_CUSTOM_END)[block.size :]
            self._emit(block, Delta(block.index, rest + _CUSTOM_END))
            self._close(block)

    def _settle_thinking(self, index: int, thinking: Thinking) -> None:
        known = self._blocks.get((index, _ITEM))
        block = known or self._open((index, _ITEM), "thinking", thinking.id)
        if known is None and thinking.text:
            self._emit(block, Delta(block.index, thinking.text))
        if not block.closed and (thinking.signature or thinking.redacted):
            mark = Annotation(block.index, signature=thinking.signature, redacted=thinking.redacted, wire=thinking.wire)
            self._emit(block, mark)
        self._close(block)

    def _settle_image(self, index: int, image: Image) -> None:
        if (index, _ITEM) not in self._blocks:
            block = self._begin((index, _ITEM), "image")
            self._emit(block, Media(block.index, image))
            self._close(block)

    def _mark_call(self, mark: CallMark) -> None:
        """Give a signature to its call, whose block is still open: calls are closed when the next block begins."""
        for block in self._queue:
            if block.call == mark.call and block.kind == "tool":
                self._emit(block, Annotation(block.index, signature=mark.signature))

    # Events of contents

    def _part_added(self, event: StreamEvent) -> None:
        kind = _PART_KINDS.get(_head(event.part).type)
        if kind is not None:
            self._block((event.output_index, event.content_index), kind)

    def _part_done(self, event: StreamEvent) -> None:
        for part in read_content(bytes(event.part)):
            self._settle_content((event.output_index, event.content_index), part)

    def _text_delta(self, event: StreamEvent) -> None:
        block = self._block((event.output_index, event.content_index), "text")
        logprobs = tuple(event.logprobs) if event.logprobs and _are_objects(event.logprobs) else ()
        self._grow(block, _text(event.delta), logprobs)

    def _refusal_delta(self, event: StreamEvent) -> None:
        self._grow(self._block((event.output_index, event.content_index), "refusal"), _text(event.delta))

    def _text_done(self, event: StreamEvent) -> None:
        self._complete(self._block((event.output_index, event.content_index), "text"), _text(event.text))

    def _refusal_done(self, event: StreamEvent) -> None:
        self._complete(self._block((event.output_index, event.content_index), "refusal"), _text(event.refusal))

    def _annotated(self, event: StreamEvent) -> None:
        block = self._blocks.get((event.output_index, event.content_index))
        if block is not None and not block.closed and type(event.annotation) is dict and "type" in event.annotation:
            block.cited += 1
            self._emit(block, Annotation(block.index, citation=event.annotation))

    def _arguments_delta(self, event: StreamEvent) -> None:
        if block := self._blocks.get((event.output_index, _ITEM)):
            self._grow(block, _text(event.delta))

    def _arguments_done(self, event: StreamEvent) -> None:
        if block := self._blocks.get((event.output_index, _ITEM)):
            self._complete(block, _text(event.arguments))

    def _input_delta(self, event: StreamEvent) -> None:
        block = self._blocks.get((event.output_index, _ITEM))
        if block is not None and event.output_index in self._customs:
            self._grow(block, _encode(_text(event.delta))[1:-1].decode())

    def _input_done(self, event: StreamEvent) -> None:
        if event.output_index in self._customs:
            self._end_custom(event.output_index, custom_arguments(_text(event.input)))

    def _summary_delta(self, event: StreamEvent) -> None:
        self._think(event, "summary", event.summary_index)

    def _reasoning_delta(self, event: StreamEvent) -> None:
        self._think(event, "content", event.content_index)

    def _think(self, event: StreamEvent, source: str, part: int) -> None:
        """Take thinking from the summary or from the open text, whichever comes first; parts are set apart."""
        key = (event.output_index, _ITEM)
        block = self._blocks.get(key) or self._open(key, "thinking", self._ids.get(event.output_index, ""))
        name = f"{source}{part}"
        if not block.source.startswith(source) and block.source:
            return
        if block.source not in ("", name):
            self._grow(block, "\n\n")
        block.source = name
        self._grow(block, _text(event.delta))

    # Blocks

    def _block(self, key: tuple[int, int], kind: str) -> _Block:
        return self._blocks.get(key) or self._open(key, kind)

    def _open(self, key: tuple[int, int], kind: str, call: str = "", name: str = "") -> _Block:
        block = self._begin(key, kind, call)
        self._kinds.add(_KINDS[kind])
        self._emit(block, BlockStart(block.index, kind, id=call, name=name))  # type: ignore[arg-type]
        return block

    def _begin(self, key: tuple[int, int], kind: str, call: str = "") -> _Block:
        self._start(Answer())
        self._flush(last=True)
        block = self._blocks[key] = _Block(self._count, kind, call)
        self._count += 1
        self._queue.append(block)
        return block

    def _emit(self, block: _Block, event: Event) -> None:
        if type(event) is Delta:
            block.size += len(event.text)
        if self._queue and self._queue[0] is block:
            self._out.append(event)
        else:
            block.held.append(event)

    def _grow(self, block: _Block, text: str, logprobs: tuple[dict[str, Any], ...] = ()) -> None:
        if text and not block.closed:
            self._emit(block, Delta(block.index, text, logprobs))

    def _complete(self, block: _Block, text: str) -> None:
        """Add what the whole text has beyond what was streamed."""
        if len(text) > block.size:
            self._grow(block, text[block.size :])

    def _close(self, block: _Block) -> None:
        block.closed = True
        self._flush(last=block.kind != "tool")

    def _flush(self, *, last: bool) -> None:
        """Close what is closed at the head of the queue and let what waited behind it go; a call at the very end of the
        queue only where ``last`` says so, for its signature may still come."""
        queue = self._queue
        while queue and queue[0].closed and (last or len(queue) > 1):
            block = queue.pop(0)
            if block.kind != "image":  # which is neither opened nor closed
                self._out.append(BlockStop(block.index))
            if queue:
                self._out += queue[0].held
                queue[0].held = []


def _head(raw: msgspec.Raw) -> Any:
    try:
        return head(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadAnswer(f"The provider sent an item that is not of this wire: {error}.") from None


def _text(value: Any) -> str:
    return value if type(value) is str else ""


def _are_objects(values: Any) -> bool:
    return type(values) is list and all(type(value) is dict for value in values)


_CALLS = ("function_call", "custom_tool_call")
_PART_KINDS = {"output_text": "text", "refusal": "refusal"}
_HANDLERS: dict[str, Any] = {
    "response.created": ResponsesReader._created,
    "response.completed": ResponsesReader._ended,
    "response.incomplete": ResponsesReader._ended,
    "response.failed": ResponsesReader._failed,
    "error": ResponsesReader._error,
    "response.output_item.added": ResponsesReader._item_added,
    "response.output_item.done": ResponsesReader._item_done,
    "response.content_part.added": ResponsesReader._part_added,
    "response.content_part.done": ResponsesReader._part_done,
    "response.output_text.delta": ResponsesReader._text_delta,
    "response.output_text.done": ResponsesReader._text_done,
    "response.output_text.annotation.added": ResponsesReader._annotated,
    "response.refusal.delta": ResponsesReader._refusal_delta,
    "response.refusal.done": ResponsesReader._refusal_done,
    "response.function_call_arguments.delta": ResponsesReader._arguments_delta,
    "response.function_call_arguments.done": ResponsesReader._arguments_done,
    "response.custom_tool_call_input.delta": ResponsesReader._input_delta,
    "response.custom_tool_call_input.done": ResponsesReader._input_done,
    "response.reasoning_summary_text.delta": ResponsesReader._summary_delta,
    "response.reasoning_text.delta": ResponsesReader._reasoning_delta,
}
