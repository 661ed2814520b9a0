"""Chat completion chunks into neutral events (API reference, "The chat completion chunk object")."""

from typing import Any, Literal

import msgspec

from antiphon.clock import new_id
from antiphon.errors import BadAnswer
from antiphon.wires.openai import usage as usages
from antiphon.wires.openai.media import read_audio, read_images
from antiphon.wires.openai.passthrough import told_status
from antiphon.wires.openai.reply import FINISH_REASONS, WIRE, signature_of, thinking_in
from antiphon.wires.sse import data_of
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


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(msgspec.Struct):
    index: int | None = 0
    id: str | None = None
    function: _Function | None = None
    extra_content: Any = None


class _Delta(msgspec.Struct):
    content: Any = None
    refusal: str | None = None
    reasoning_content: Any = None
    reasoning: Any = None
    thinking_blocks: list[dict[str, Any]] | None = None
    tool_calls: list[_ToolCall] | None = None
    images: Any = None
    audio: Any = None
    annotations: list[dict[str, Any]] | None = None


class _Logprobs(msgspec.Struct):
    content: list[dict[str, Any]] | None = None


class _Choice(msgspec.Struct):
    index: int | None = 0
    delta: _Delta | None = None
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    id: str | None = None
    model: str | None = None
    usage: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    service_tier: Any = None
    error: Any = None


_decode = msgspec.json.Decoder(_Chunk).decode
_Kind = Literal["text", "thinking", "tool", "refusal"]


class _State:
    """One choice: which block is open, and how far it has come."""

    __slots__ = ("call", "called", "finish", "index", "kind", "next", "said", "tool")

    def __init__(self) -> None:
        self.kind: _Kind | Literal["audio"] | None = None
        self.index = -1
        self.next = 0
        self.tool = -1
        self.call = ""
        """The id of the open call."""
        self.called = False
        self.finish: FinishReason | None = None
        self.said: set[str] = set()
        """The kinds of blocks so far."""


class Reader:
    """See :class:`translation.codec.StreamReader`."""

    __slots__ = ("_choices", "_ended", "_started")

    def __init__(self) -> None:
        self._choices: dict[int, _State] = {}
        self._started = False
        self._ended = False

    def read(self, frame: bytes) -> list[Event]:
        data = data_of(frame)
        if data is None or self._ended:
            return []
        if data.strip() == b"[DONE]":
            if not self._started:
                raise BadAnswer("The provider ended its answer before it said anything.")
            return self._end()
        try:
            chunk = _decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise BadAnswer("The provider sent an event that is not a chat completion chunk.") from None
        if chunk.error is not None:
            message = chunk.error.get("message") if isinstance(chunk.error, dict) else chunk.error
            return [StreamError(str(message), told_status(chunk.error))]
        events: list[Event] = []
        if not self._started:
            self._started = True
            events.append(Start(chunk.id or "", chunk.model or ""))
        for choice in chunk.choices or ():
            self._choice(choice, events)
        if (
            chunk.usage is not msgspec.UNSET
            and (usage := usages.read(bytes(chunk.usage), chunk.service_tier)) is not None
        ):
            events.append(UsageUpdate(usage))
        return events

    def close(self) -> list[Event]:
        return [] if self._ended else self._end()

    def _end(self) -> list[Event]:
        self._ended = True
        events: list[Event] = []
        for number, state in self._choices.items():
            self._shut(state, number, events)
            if state.finish is None:
                events.append(Finish(_ended(state), "", number))
        return [*events, StreamEnd()]

    def _choice(self, choice: _Choice, events: list[Event]) -> None:
        number = choice.index or 0
        state = self._choices.get(number)
        if state is None:
            state = self._choices[number] = _State()
        delta = choice.delta
        if delta is not None and state.finish is None:
            self._grow(delta, state, number, choice.logprobs, events)
        if choice.finish_reason and state.finish is None:
            reason = FINISH_REASONS.get(choice.finish_reason, "stop")
            state.finish = _ended(state) if reason == "stop" else reason
            self._shut(state, number, events)
            events.append(Finish(state.finish, "", number))

    def _grow(self, delta: _Delta, state: _State, number: int, logprobs: _Logprobs | None, events: list[Event]) -> None:
        reasoning = delta.reasoning_content or delta.reasoning
        if reasoning and isinstance(reasoning, str):
            self._say("thinking", reasoning, state, number, events)
        for block in delta.thinking_blocks or ():
            self._mark(block, state, number, events)
        content = delta.content
        if isinstance(content, list):
            if thought := thinking_in(content):
                self._say("thinking", thought, state, number, events)
            self._show(read_images(content), state, number, events)
            content = "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
        if content and isinstance(content, str):
            tokens = tuple(logprobs.content or ()) if logprobs is not None else ()
            self._say("text", content, state, number, events, tokens)
        if delta.images:
            self._show(read_images(delta.images), state, number, events)
        if delta.audio is not None:
            self._sound(delta.audio, state, number, events)
        if delta.refusal:
            self._say("refusal", delta.refusal, state, number, events)
        for call in delta.tool_calls or ():
            self._call(call, state, number, events)
        for citation in delta.annotations or ():
            self._open("text", state, number, events)
            events.append(Annotation(state.index, citation=citation, choice=number))

    def _say(
        self,
        kind: _Kind,
        text: str,
        state: _State,
        number: int,
        events: list[Event],
        tokens: tuple[dict[str, Any], ...] = (),
    ) -> None:
        self._open(kind, state, number, events)
        events.append(Delta(state.index, text, tokens, number))

    def _show(self, images: list[Image], state: _State, number: int, events: list[Event]) -> None:
        for image in images:
            self._shut(state, number, events)
            events.append(Media(self._new(state), image, number))

    def _sound(self, audio: Any, state: _State, number: int, events: list[Event]) -> None:
        if (piece := read_audio(audio)) is None:
            return
        if state.kind != "audio":
            self._shut(state, number, events)
            state.kind, state.index = "audio", self._new(state)
        # Only the first piece of a file has its head; streamed sound has none at all.
        events.append(Media(state.index, msgspec.structs.replace(piece, media_type=PCM), number))

    def _new(self, state: _State) -> int:
        index, state.next = state.next, state.next + 1
        return index

    def _mark(self, block: dict[str, Any], state: _State, number: int, events: list[Event]) -> None:
        wire = str(block.get("wire") or "anthropic")
        if block.get("data"):
            self._open("thinking", state, number, events, again=True)
            events.append(Annotation(state.index, redacted=str(block["data"]), wire=wire, choice=number))
            self._shut(state, number, events, marked=True)
        elif block.get("signature"):
            self._open("thinking", state, number, events)
            events.append(Annotation(state.index, signature=str(block["signature"]), wire=wire, choice=number))
            self._shut(state, number, events, marked=True)

    def _call(self, call: _ToolCall, state: _State, number: int, events: list[Event]) -> None:
        function = call.function or _Function()
        index = call.index or 0
        # Some servers count no calls, and tell them apart by their ids only.
        another = bool(call.id and function.name) and call.id != state.call
        if state.kind != "tool" or state.tool != index or another:
            if not function.name and not call.id:
                if not function.arguments:
                    return
                raise BadAnswer("The provider sent arguments of a tool call that it had not begun.")
            self._shut(state, number, events)
            state.kind, state.tool, state.called = "tool", index, True
            state.call = call.id or new_id("call")
            state.index = self._new(state)
            events.append(BlockStart(state.index, "tool", state.call, function.name or "", number))
        if function.arguments:
            events.append(Delta(state.index, function.arguments, (), number))
        if signature := signature_of(call.extra_content):
            events.append(Annotation(state.index, signature=signature, wire="gemini", choice=number))

    def _open(self, kind: _Kind, state: _State, number: int, events: list[Event], *, again: bool = False) -> None:
        if state.kind == kind and not again:
            return
        self._shut(state, number, events)
        state.kind = kind
        state.said.add(kind)
        state.index = self._new(state)
        events.append(BlockStart(state.index, kind, "", "", number))

    def _shut(self, state: _State, number: int, events: list[Event], *, marked: bool = False) -> None:
        if state.kind == "audio":  # neither opened nor closed
            state.kind = None
        elif state.kind is not None:
            if state.kind == "thinking" and not marked:
                events.append(Annotation(state.index, wire=WIRE, choice=number))  # unsigned, and still this wire's
            events.append(BlockStop(state.index, number))
            state.kind = None


def _ended(state: _State) -> FinishReason:
    """Return why a choice stopped, where the provider only says that it did."""
    if state.called:
        return "tool_calls"
    return "refusal" if "refusal" in state.said and "text" not in state.said else "stop"
