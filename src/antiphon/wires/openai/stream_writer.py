"""Writes neutral events as chat completion chunks (API reference, "The chat completion chunk object")."""

from collections.abc import Callable
from typing import Any

import msgspec

from antiphon.clock import make_id
from antiphon.errors import CallError
from antiphon.types import Usage
from antiphon.wires.openai.citations import write_citation
from antiphon.wires.openai.errors import write_error_body
from antiphon.wires.openai.finish import write_finish
from antiphon.wires.openai.media import STREAM_AUDIO_FORMAT, has_field, write_audio, write_images
from antiphon.wires.openai.reply import write_answer_id
from antiphon.wires.openai.signatures import write_signature, write_thinking_block
from antiphon.wires.openai.usage import write_usage
from antiphon.wires.sse import write_frame
from antiphon.wires.translation.codec import PlainStreamWriter
from antiphon.wires.translation.media import write_markdown
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
_END = b"}\n\n"
_END_WITH_USAGE = b',"usage":null}\n\n'
"""The end of a chunk if the caller asked for usage, which then has a separate chunk (reference, "include_usage")."""


class _Choice:
    """The state of one choice.

    ``delta_start`` and ``delta_end`` are the constant parts of the open block's chunks, around the text.
    """

    __slots__ = (
        "audio_id", "call_index", "citations", "delta_end", "delta_start", "image_count", "kind", "text_length",
        "text_start", "thinking",
    )  # fmt: skip

    def __init__(self) -> None:
        self.kind = ""
        self.delta_start = b""
        self.delta_end = b""
        self.call_index = -1
        self.thinking: list[str] = []
        self.text_length = 0
        """Characters of text so far; citations count them."""
        self.text_start = 0
        """The position at which the open text began."""
        self.citations: list[dict[str, Any]] = []
        """Citations of the open text."""
        self.image_count = 0
        self.audio_id = ""


class ChatWriter(PlainStreamWriter):
    """See :class:`translation.codec.StreamWriter`. ``created`` is seconds since the epoch."""

    __slots__ = ("_choices", "_created", "_end", "_model", "_prefix", "_usage")

    def __init__(self, request: Request, created: int) -> None:
        self._created = created
        self._model = request.model
        self._end = _END_WITH_USAGE if request.echo.get("include_usage") else _END
        self._prefix = b""
        self._usage: Usage | None = None
        self._choices: dict[int, _Choice] = {}

    def write(self, event: Event) -> bytes:
        if type(event) is not Delta:
            return _WRITERS[type(event)](self, event)
        choice = self._choices[event.choice]
        if choice.kind == "text":
            choice.text_length += len(event.text)
        elif choice.kind == "thinking":
            choice.thinking.append(event.text)
        if event.logprobs and choice.kind != "tool":
            return self._write_delta_with_logprobs(event, choice.kind)
        return choice.delta_start + _encode(event.text) + choice.delta_end

    def fail(self, error: CallError) -> bytes:
        return write_frame(write_error_body(error))

    def _write_delta_with_logprobs(self, event: Delta, kind: str) -> bytes:
        delta = b'{"%b":%b}' % (_FIELDS[kind], _encode(event.text))
        logprobs = b'{"content":%b,"refusal":null}' % _encode(event.logprobs)
        return self._write_chunk(event.choice, delta, logprobs=logprobs)

    def _write_chunk(self, choice: int, delta: bytes, finish: bytes = b"null", logprobs: bytes = b"null") -> bytes:
        return b'%b[{"index":%d,"delta":%b,"logprobs":%b,"finish_reason":%b}]%b' % (
            self._prefix,
            choice,
            delta,
            logprobs,
            finish,
            self._end,
        )

    def _write_start(self, event: Start) -> bytes:
        self._prefix = b'data: {"id":%b,"object":"chat.completion.chunk","created":%d,"model":%b,"choices":' % (
            _encode(write_answer_id(event.id)),
            self._created,
            _encode(event.model or self._model),
        )
        self._usage = event.usage
        return self._begin_choice(0)

    def _begin_choice(self, number: int) -> bytes:
        """Return the chunk with the role if nothing of the choice has been written."""
        if number in self._choices:
            return b""
        self._choices[number] = _Choice()
        return self._write_chunk(number, b'{"role":"assistant","content":""}')

    def _write_block_start(self, event: BlockStart) -> bytes:
        role = self._begin_choice(event.choice)
        choice = self._choices[event.choice]
        choice.kind = event.kind
        if event.kind == "thinking":
            choice.thinking = []
        elif event.kind == "text":
            choice.text_start = choice.text_length
        start = b'%b[{"index":%d,"delta":{' % (self._prefix, event.choice)
        end = b'},"logprobs":null,"finish_reason":null}]' + self._end
        if event.kind != "tool":
            choice.delta_start, choice.delta_end = start + b'"%b":' % _FIELDS[event.kind], end
            return role
        choice.call_index += 1
        arguments = b'"tool_calls":[{"index":%d,"function":{"arguments":' % choice.call_index
        choice.delta_start, choice.delta_end = start + arguments, b"}}]" + end
        call = {
            "index": choice.call_index,
            "id": event.id,
            "type": "function",
            "function": {"name": event.name, "arguments": ""},
        }
        return role + self._write_chunk(event.choice, b'{"tool_calls":[%b]}' % _encode(call))

    def _write_annotation(self, event: Annotation) -> bytes:
        choice = self._choices[event.choice]
        delta: dict[str, Any]
        if event.citation is not None:
            choice.citations.append(event.citation)
            return b""  # written at the end of the text, when its length is known
        if choice.kind == "tool":
            # Clients look for the function in each piece of a call.
            call = {
                "index": choice.call_index,
                "function": {"arguments": ""},
                "extra_content": write_signature(event.signature),
            }
            delta = {"tool_calls": [call]}
        else:
            text = "".join(choice.thinking)
            part = Thinking(text=text, signature=event.signature, redacted=event.redacted, wire=event.wire)
            delta = {"thinking_blocks": [write_thinking_block(part)]}
        return self._write_chunk(event.choice, _encode(delta))

    def _write_block_stop(self, event: BlockStop) -> bytes:
        choice = self._choices[event.choice]
        citations, choice.citations = choice.citations, []
        if not citations:
            return b""
        length = choice.text_length - choice.text_start
        annotations = [write_citation(citation, choice.text_start, length) for citation in citations]
        return self._write_chunk(event.choice, _encode({"annotations": annotations}))

    def _write_media(self, event: Media) -> bytes:
        role, part = self._begin_choice(event.choice), event.part
        choice = self._choices[event.choice]
        if isinstance(part, Audio):
            choice.audio_id = choice.audio_id or make_id("audio")
            audio = write_audio(part, STREAM_AUDIO_FORMAT, choice.audio_id)
            return role + self._write_chunk(event.choice, _encode({"audio": audio}))
        if isinstance(part, Image) and has_field(part):
            images = write_images([part], choice.image_count)
            choice.image_count += 1
            return role + self._write_chunk(event.choice, _encode({"images": images}))
        text = write_markdown(part)
        choice.text_length += len(text)
        return role + self._write_chunk(event.choice, b'{"content":%b}' % _encode(text))

    def _write_finish(self, event: Finish) -> bytes:
        finish = b'"%b"' % write_finish(event.reason).encode()
        return self._begin_choice(event.choice) + self._write_chunk(event.choice, b"{}", finish)

    def _keep_usage(self, event: UsageUpdate) -> bytes:
        self._usage = event.usage
        return b""

    def _ignore_error(self, event: StreamError) -> bytes:
        return b""  # the translator calls fail()

    def _write_end(self, event: StreamEnd) -> bytes:
        usage = b""
        if self._end is _END_WITH_USAGE and self._usage is not None:
            usage = b'%b[],"usage":%b}\n\n' % (self._prefix, _encode(write_usage(self._usage)))
        return usage + b"data: [DONE]\n\n"


_WRITERS: dict[type[Any], Callable[[ChatWriter, Any], bytes]] = {
    Start: ChatWriter._write_start,
    BlockStart: ChatWriter._write_block_start,
    Annotation: ChatWriter._write_annotation,
    BlockStop: ChatWriter._write_block_stop,
    Media: ChatWriter._write_media,
    Finish: ChatWriter._write_finish,
    UsageUpdate: ChatWriter._keep_usage,
    StreamError: ChatWriter._ignore_error,
    StreamEnd: ChatWriter._write_end,
}
