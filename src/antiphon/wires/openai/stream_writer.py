"""Neutral events into chat completion chunks."""

from collections.abc import Callable
from typing import Any

import msgspec

from antiphon.clock import new_id
from antiphon.errors import CallError
from antiphon.types import Usage
from antiphon.wires.openai.citations import write_citation
from antiphon.wires.openai.media import STREAMED, is_shown, write_audio, write_images
from antiphon.wires.openai.passthrough import error_object
from antiphon.wires.openai.reply import answer_id, carrying, thinking_block, usage_object, written_reason
from antiphon.wires.sse import frame_of
from antiphon.wires.translation.codec import PlainStreamWriter
from antiphon.wires.translation.media import text_of
from antiphon.wires.translation.neutral import (
    Annotation,
    Audio,
    BlockStart,
    BlockStop,
    Delta,
    Event,
    Finish,
    Image,
    Media,
    Request,
    Start,
    StreamEnd,
    StreamError,
    Thinking,
    UsageUpdate,
)

_encode = msgspec.json.Encoder().encode
_FIELDS = {"text": b"content", "thinking": b"reasoning_content", "refusal": b"refusal"}
_USAGE_TO_COME = b',"usage":null}\n\n'
"""The end of a chunk where usage was asked for and has a chunk of its own (reference, "include_usage")."""


class Writer(PlainStreamWriter):
    """See :class:`translation.codec.StreamWriter`. ``created`` is seconds since the epoch."""

    __slots__ = (
        "_calls", "_cited", "_created", "_end", "_images", "_kinds", "_model", "_prefix", "_roles", "_said", "_sounds",
        "_starts", "_thinking", "_usage",
    )  # fmt: skip

    def __init__(self, request: Request, created: int) -> None:
        self._created = created
        self._model = request.model
        self._end = _USAGE_TO_COME if request.echo.get("include_usage") else b"}\n\n"
        self._prefix = b""
        self._usage: Usage | None = None
        self._roles: set[int] = set()
        self._kinds: dict[int, str] = {}
        self._calls: dict[int, int] = {}
        self._thinking: dict[int, list[str]] = {}
        self._said: dict[int, int] = {}
        """Characters of text so far, by choice; citations count them."""
        self._cited: dict[int, list[dict[str, Any]]] = {}
        """Citations of the open text."""
        self._starts: dict[int, int] = {}
        """Where the open text began."""
        self._images: dict[int, int] = {}
        self._sounds: dict[int, str] = {}

    def write(self, event: Event) -> bytes:
        return _WRITERS[type(event)](self, event)

    def fail(self, error: CallError) -> bytes:
        return frame_of(error_object(error))

    def _chunk(self, choice: int, delta: bytes, finish: bytes = b"null", logprobs: bytes = b"null") -> bytes:
        return b'%b[{"index":%d,"delta":%b,"logprobs":%b,"finish_reason":%b}]%b' % (
            self._prefix,
            choice,
            delta,
            logprobs,
            finish,
            self._end,
        )

    def _start(self, event: Start) -> bytes:
        self._prefix = b'data: {"id":%b,"object":"chat.completion.chunk","created":%d,"model":%b,"choices":' % (
            _encode(answer_id(event.id)),
            self._created,
            _encode(event.model or self._model),
        )
        self._usage = event.usage
        return self._role(0)

    def _role(self, choice: int) -> bytes:
        if choice in self._roles:
            return b""
        self._roles.add(choice)
        return self._chunk(choice, b'{"role":"assistant","content":""}')

    def _opened(self, event: BlockStart) -> bytes:
        role = self._role(event.choice)
        self._kinds[event.choice] = event.kind
        if event.kind == "thinking":
            self._thinking[event.choice] = []
        elif event.kind == "text":
            self._starts[event.choice] = self._said.setdefault(event.choice, 0)
        if event.kind != "tool":
            return role
        number = self._calls.get(event.choice, -1) + 1
        self._calls[event.choice] = number
        call = {"index": number, "id": event.id, "type": "function", "function": {"name": event.name, "arguments": ""}}
        return role + self._chunk(event.choice, b'{"tool_calls":[%b]}' % _encode(call))

    def _grown(self, event: Delta) -> bytes:
        kind = self._kinds[event.choice]
        text = _encode(event.text)
        if kind == "tool":
            number = self._calls[event.choice]
            delta = b'{"tool_calls":[{"index":%d,"function":{"arguments":%b}}]}' % (number, text)
            return self._chunk(event.choice, delta)
        if kind == "thinking":
            self._thinking[event.choice].append(event.text)
        elif kind == "text":
            self._said[event.choice] += len(event.text)
        logprobs = b'{"content":%b,"refusal":null}' % _encode(event.logprobs) if event.logprobs else b"null"
        return self._chunk(event.choice, b'{"%b":%b}' % (_FIELDS[kind], text), logprobs=logprobs)

    def _marked(self, event: Annotation) -> bytes:
        delta: dict[str, Any]
        if event.citation is not None:
            self._cited.setdefault(event.choice, []).append(event.citation)
            return b""  # what it covers is known when the text is whole
        if self._kinds[event.choice] == "tool":
            # Clients look for the function in each piece of a call.
            call = {
                "index": self._calls[event.choice],
                "function": {"arguments": ""},
                "extra_content": carrying(event.signature),
            }
            delta = {"tool_calls": [call]}
        else:
            text = "".join(self._thinking.get(event.choice, ()))
            part = Thinking(text=text, signature=event.signature, redacted=event.redacted, wire=event.wire)
            delta = {"thinking_blocks": [thinking_block(part)]}
        return self._chunk(event.choice, _encode(delta))

    def _closed(self, event: BlockStop) -> bytes:
        if not self._cited or not (cited := self._cited.pop(event.choice, None)):
            return b""
        start = self._starts.get(event.choice, 0)
        length = self._said.get(event.choice, 0) - start
        annotations = [write_citation(citation, start, length) for citation in cited]
        return self._chunk(event.choice, _encode({"annotations": annotations}))

    def _shown(self, event: Media) -> bytes:
        role, part = self._role(event.choice), event.part
        if not is_shown(part):
            text = text_of(part)
            self._said[event.choice] = self._said.get(event.choice, 0) + len(text)
            return role + self._chunk(event.choice, b'{"content":%b}' % _encode(text))
        if isinstance(part, Audio):
            name = self._sounds.setdefault(event.choice, new_id("audio"))
            return role + self._chunk(event.choice, _encode({"audio": write_audio(part, STREAMED, name)}))
        assert isinstance(part, Image)
        first = self._images.get(event.choice, 0)
        self._images[event.choice] = first + 1
        return role + self._chunk(event.choice, _encode({"images": write_images([part], first)}))

    def _finish(self, event: Finish) -> bytes:
        return self._role(event.choice) + self._chunk(
            event.choice, b"{}", b'"%b"' % written_reason(event.reason).encode()
        )

    def _used(self, event: UsageUpdate) -> bytes:
        self._usage = event.usage
        return b""

    def _failed(self, event: StreamError) -> bytes:
        return b""

    def _ended(self, event: StreamEnd) -> bytes:
        usage = b""
        if self._end is _USAGE_TO_COME and self._usage is not None:
            usage = b'%b[],"usage":%b}\n\n' % (self._prefix, _encode(usage_object(self._usage)))
        return usage + b"data: [DONE]\n\n"


_WRITERS: dict[type[Any], Callable[[Writer, Any], bytes]] = {
    Start: Writer._start,
    BlockStart: Writer._opened,
    Delta: Writer._grown,
    Annotation: Writer._marked,
    BlockStop: Writer._closed,
    Media: Writer._shown,
    Finish: Writer._finish,
    UsageUpdate: Writer._used,
    StreamError: Writer._failed,
    StreamEnd: Writer._ended,
}
