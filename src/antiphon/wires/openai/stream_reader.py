"""Reads chat completion chunks into neutral events (API reference, "The chat completion chunk object")."""

from typing import Any, Literal

import msgspec

from antiphon.clock import make_id
from antiphon.errors import BadAnswer
from antiphon.wires.checks import DECODE_ERRORS
from antiphon.wires.openai.errors import read_error_status
from antiphon.wires.openai.finish import read_finish
from antiphon.wires.openai.media import read_audio, read_images
from antiphon.wires.openai.reply import WIRE, read_text, read_thinking
from antiphon.wires.openai.signatures import read_signature
from antiphon.wires.openai.usage import read_usage
from antiphon.wires.sse import read_data
from antiphon.wires.translation.media import PCM
from antiphon.wires.translation.neutral import (
    Annotation,
    BlockStart,
    BlockStop,
    Delta,
    Event,
    Finish,
    FinishReason,
    Image,
    Media,
    Start,
    StreamEnd,
    StreamError,
    UsageUpdate,
)

_NULL = msgspec.Raw(b"null")
_Kind = Literal["text", "thinking", "tool", "refusal"]


class _Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(msgspec.Struct, gc=False):
    index: int | None = 0
    id: str | None = None
    function: _Function | None = None
    extra_content: Any = None


class _Delta(msgspec.Struct, gc=False):
    content: Any = None
    refusal: str | None = None
    reasoning_content: Any = None
    reasoning: Any = None
    thinking_blocks: list[dict[str, Any]] | None = None
    tool_calls: list[_ToolCall] | None = None
    images: Any = None
    audio: Any = None
    annotations: list[dict[str, Any]] | None = None


class _Logprobs(msgspec.Struct, gc=False):
    content: list[dict[str, Any]] | None = None


class _Choice(msgspec.Struct, gc=False):
    index: int | None = 0
    delta: _Delta | None = None
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Chunk(msgspec.Struct, gc=False):
    choices: list[_Choice] | None = None
    id: str | None = None
    model: str | None = None
    usage: msgspec.Raw = _NULL
    service_tier: Any = None
    error: Any = None


_decode = msgspec.json.Decoder(_Chunk).decode


def _read_chunk(data: bytes) -> _Chunk:
    try:
        return _decode(data)
    except DECODE_ERRORS:
        raise BadAnswer("The provider sent an event that is not a chat completion chunk.") from None


class ChatReader:
    """See :class:`translation.codec.StreamReader`."""

    __slots__ = ("_choices", "_ended", "_started")

    def __init__(self) -> None:
        self._choices: dict[int, _ChoiceReader] = {}
        self._started = False
        self._ended = False

    def read(self, frame: bytes) -> list[Event]:
        if self._ended:
            return []
        try:  # nearly every frame is `data: ` and one line of JSON
            chunk = _decode(frame[6:]) if frame.startswith(b"data: {") else None
        except DECODE_ERRORS:
            chunk = None
        if chunk is None:
            data = read_data(frame)
            if data is None:
                return []
            if data.strip() == b"[DONE]":
                return self._read_end_marker()
            chunk = _read_chunk(data)
        if chunk.error is not None:
            message = chunk.error.get("message") if isinstance(chunk.error, dict) else chunk.error
            return [StreamError(str(message), read_error_status(chunk.error))]
        events: list[Event] = []
        if not self._started:
            self._started = True
            events.append(Start(chunk.id or "", chunk.model or ""))
        for choice in chunk.choices or ():
            number = choice.index or 0
            reader = self._choices.get(number)
            if reader is None:
                reader = self._choices[number] = _ChoiceReader(number)
            if reader.finish is None:
                if choice.delta is not None:
                    reader.read_delta(choice.delta, choice.logprobs, events)
                if choice.finish_reason:
                    reader.end(choice.finish_reason, events)
        if chunk.usage != _NULL and (usage := read_usage(bytes(chunk.usage), chunk.service_tier)) is not None:
            events.append(UsageUpdate(usage))
        return events

    def _read_end_marker(self) -> list[Event]:
        if not self._started:
            raise BadAnswer("The provider ended its answer before any output.")
        return self._end()

    def close(self) -> list[Event]:
        return [] if self._ended else self._end()

    def _end(self) -> list[Event]:
        self._ended = True
        events: list[Event] = []
        for reader in self._choices.values():
            if reader.finish is None:
                reader.end(None, events)
        return [*events, StreamEnd()]


class _ChoiceReader:
    """Reads one choice. A block is open while ``_kind`` is set."""

    __slots__ = ("_call_id", "_call_index", "_index", "_kind", "_kinds", "_next_index", "_number", "finish")

    def __init__(self, number: int) -> None:
        self.finish: FinishReason | None = None
        self._number = number
        self._kind: _Kind | Literal["audio"] | None = None
        self._kinds: set[_Kind] = set()
        """The kinds of all blocks so far."""
        self._index = -1
        self._next_index = 0
        self._call_index = -1
        self._call_id = ""

    def read_delta(self, delta: _Delta, logprobs: _Logprobs | None, events: list[Event]) -> None:
        """Append the events of a delta."""
        reasoning = delta.reasoning_content or delta.reasoning
        if reasoning and isinstance(reasoning, str):
            self._read_text("thinking", reasoning, events)
        for block in delta.thinking_blocks or ():
            self._read_thinking_block(block, events)
        content = delta.content
        if isinstance(content, list):
            if thinking := read_thinking(content):
                self._read_text("thinking", thinking, events)
            self._read_images(read_images(content), events)
            content = read_text(content)
        if content and isinstance(content, str):
            if self._kind != "text":
                self._open("text", events)
            tokens = tuple(logprobs.content or ()) if logprobs is not None else ()
            events.append(Delta(self._index, content, tokens, self._number))
        if delta.images:
            self._read_images(read_images(delta.images), events)
        if delta.audio is not None:
            self._read_audio(delta.audio, events)
        if delta.refusal:
            self._read_text("refusal", delta.refusal, events)
        for call in delta.tool_calls or ():
            self._read_call(call, events)
        for citation in delta.annotations or ():
            if self._kind != "text":
                self._open("text", events)
            events.append(Annotation(self._index, citation=citation, choice=self._number))

    def end(self, finish_reason: str | None, events: list[Event]) -> None:
        """Append the end of the open block, and the finish reason of the choice."""
        self._close(events)
        only_refusal = "refusal" in self._kinds and "text" not in self._kinds
        self.finish = read_finish(finish_reason, has_call="tool" in self._kinds, only_refusal=only_refusal)
        events.append(Finish(self.finish, "", self._number))

    def _read_text(self, kind: _Kind, text: str, events: list[Event]) -> None:
        if self._kind != kind:
            self._open(kind, events)
        events.append(Delta(self._index, text, (), self._number))

    def _read_images(self, images: list[Image], events: list[Event]) -> None:
        for image in images:
            self._close(events)
            events.append(Media(self._take_index(), image, self._number))

    def _read_audio(self, audio: Any, events: list[Event]) -> None:
        if (piece := read_audio(audio)) is None:
            return
        if self._kind != "audio":
            self._close(events)
            self._kind, self._index = "audio", self._take_index()
        # Only the first piece of a file has the header; streamed audio has none at all.
        events.append(Media(self._index, msgspec.structs.replace(piece, media_type=PCM), self._number))

    def _read_thinking_block(self, block: dict[str, Any], events: list[Event]) -> None:
        wire = str(block.get("wire") or "anthropic")
        if block.get("data"):
            self._open("thinking", events)
            events.append(Annotation(self._index, redacted=str(block["data"]), wire=wire, choice=self._number))
        elif block.get("signature"):
            if self._kind != "thinking":
                self._open("thinking", events)
            events.append(Annotation(self._index, signature=str(block["signature"]), wire=wire, choice=self._number))
        else:
            return
        self._close(events, is_signed=True)

    def _read_call(self, call: _ToolCall, events: list[Event]) -> None:
        function = call.function or _Function()
        index = call.index or 0
        # Some servers give every call the same index and tell calls apart only by their ids.
        has_other_id = bool(call.id and function.name) and call.id != self._call_id
        if self._kind != "tool" or self._call_index != index or has_other_id:
            if not function.name and not call.id:
                if not function.arguments:
                    return
                raise BadAnswer("The provider sent arguments of a tool call that it had not begun.")
            self._call_index = index
            self._call_id = call.id or make_id("call")
            self._open("tool", events, self._call_id, function.name or "")
        if function.arguments:
            events.append(Delta(self._index, function.arguments, (), self._number))
        if signature := read_signature(call.extra_content):
            events.append(Annotation(self._index, signature=signature, wire="gemini", choice=self._number))

    def _open(self, kind: _Kind, events: list[Event], call_id: str = "", name: str = "") -> None:
        self._close(events)
        self._kind, self._index = kind, self._take_index()
        self._kinds.add(kind)
        events.append(BlockStart(self._index, kind, call_id, name, self._number))

    def _close(self, events: list[Event], *, is_signed: bool = False) -> None:
        """End the open block; audio is not a block and has neither start nor stop."""
        if self._kind == "thinking" and not is_signed:
            events.append(Annotation(self._index, wire=WIRE, choice=self._number))  # unsigned, and of this wire
        if self._kind is not None and self._kind != "audio":
            events.append(BlockStop(self._index, self._number))
        self._kind = None

    def _take_index(self) -> int:
        index = self._next_index
        self._next_index += 1
        return index
