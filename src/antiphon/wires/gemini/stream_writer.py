"""Writes events as the chunks of a streamed answer.

A chunk is a small answer with one part. This wire has no partial calls, so a call is one chunk. Finish reasons, usage
and citations are in one last chunk, as the official clients expect.
"""

from typing import Any

import msgspec

from antiphon.clock import make_id
from antiphon.errors import BadAnswer, CallError
from antiphon.types import Usage
from antiphon.wires.gemini import errors
from antiphon.wires.gemini import usage as usages
from antiphon.wires.gemini.citations import write_grounding
from antiphon.wires.gemini.finish import write_finish
from antiphon.wires.gemini.logprobs import write_logprobs
from antiphon.wires.gemini.reply import (
    PAUSE_MESSAGE,
    is_object,
    write_answer_media,
    write_call,
    write_malformed_calls,
    write_thinking,
)
from antiphon.wires.json_text import encode_json
from antiphon.wires.sse import write_frame
from antiphon.wires.translation.codec import PlainStreamWriter
from antiphon.wires.translation.neutral import (
    Annotation,
    BlockStart,
    BlockStop,
    Delta,
    Event,
    Finish,
    Media,
    Request,
    Start,
    StreamEnd,
    StreamError,
    Thinking,
    ToolCall,
    UsageUpdate,
)

_encode = msgspec.json.Encoder().encode
_HEAD = b'data: {"candidates":[{"content":{"parts":['
_TEXT = _HEAD + b'{"text":'
_MIDDLE = b'],"role":"model"}'


class _Block(msgspec.Struct):
    kind: str
    id: str = ""
    name: str = ""
    signature: str = ""
    pieces: list[str] = []
    offset: int = 0
    citations: list[dict[str, Any]] = []


class _Choice(msgspec.Struct):
    block: _Block | None = None
    text_bytes: int = 0
    """Bytes of text so far."""
    citations: list[tuple[dict[str, Any], str, int]] = []
    malformed: list[tuple[str, str]] = []
    finish: Finish | None = None


class GeminiWriter(PlainStreamWriter):
    """Writes one stream; see :class:`translation.codec.StreamWriter`."""

    __slots__ = ("_choices", "_closed", "_ends", "_model", "_name", "_usage")

    def __init__(self, request: Request) -> None:
        self._model = request.model
        self._name = ""
        self._choices: dict[int, _Choice] = {}
        self._ends: dict[int, bytes] = {}
        self._usage: Usage | None = None
        self._closed = False

    def write(self, event: Event) -> bytes:
        """See :meth:`translation.codec.StreamWriter.write`."""
        if self._closed:
            return b""
        frames: bytes = _WRITERS[type(event)](self, event)
        return frames

    def fail(self, error: CallError) -> bytes:
        """See :meth:`translation.codec.StreamWriter.fail`."""
        self._closed = True
        return write_frame(errors.write_error_body(error))

    def _write_start(self, event: Start) -> bytes:
        self._name, self._model = event.id or make_id("gen"), event.model or self._model
        self._usage = event.usage
        self._ends.clear()
        return b""

    def _write_block_start(self, event: BlockStart) -> bytes:
        choice = self._get_choice(event.choice)
        choice.block = _Block(event.kind, event.id, event.name, offset=choice.text_bytes)
        return b""

    def _write_delta(self, event: Delta) -> bytes:
        choice = self._get_choice(event.choice)
        block, text = choice.block, event.text
        if block is None or not text:
            return b""
        if block.kind == "tool":
            block.pieces.append(text)
            return b""
        end = self._ends.get(event.choice) or self._make_chunk_end(event.choice)
        if block.kind == "thinking":
            block.pieces.append("")  # notes that the thought has text
            return b"%b%b%b%b" % (_TEXT, _encode(text), b',"thought":true}', end)
        block.pieces.append(text)
        choice.text_bytes += len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
        if event.logprobs:
            end = _MIDDLE + b',"logprobsResult":' + encode_json(write_logprobs(event.logprobs)) + end[len(_MIDDLE) :]
        return b"%b%b}%b" % (_TEXT, _encode(text), end)

    def _write_annotation(self, event: Annotation) -> bytes:
        choice = self._get_choice(event.choice)
        block = choice.block
        if block is None:
            return b""
        if event.citation is not None:
            block.citations.append(event.citation)
        if block.kind == "tool":
            block.signature = event.signature or block.signature
            return b""
        if block.kind != "thinking" or not (event.signature or event.redacted or event.wire):
            return b""
        thought = Thinking("", event.signature, event.redacted, block.id, event.wire)
        part = write_thinking(thought)
        if block.pieces:
            part["thought"] = True
        return self._write_part(event.choice, part)

    def _write_block_stop(self, event: BlockStop) -> bytes:
        choice = self._get_choice(event.choice)
        block, choice.block = choice.block, None
        if block is None:
            return b""
        text = "".join(block.pieces)
        choice.citations += [(citation, text, block.offset) for citation in block.citations]
        if block.kind != "tool":
            return b""
        if not is_object(text):
            choice.malformed.append((block.name, text))
            return b""
        return self._write_part(event.choice, write_call(ToolCall(block.id, block.name, text, block.signature)))

    def _write_media(self, event: Media) -> bytes:
        return b"".join([self._write_part(event.choice, part) for part in write_answer_media(event.part)])

    def _keep_finish(self, event: Finish) -> bytes:
        self._get_choice(event.choice).finish = event
        return b""

    def _keep_usage(self, event: UsageUpdate) -> bytes:
        self._usage = event.usage
        return b""

    def _write_error(self, event: StreamError) -> bytes:
        return self.fail(BadAnswer(event.message, status=event.status or None))

    def _write_end(self, event: StreamEnd) -> bytes:
        self._closed = True
        document: dict[str, Any] = {
            "candidates": [self._write_last_candidate(index, choice) for index, choice in sorted(self._choices.items())]
        }
        if self._usage is not None:
            document["usageMetadata"] = usages.write_usage(self._usage)
        document |= {"modelVersion": self._model, "responseId": self._name}
        return b"data: " + encode_json(document) + b"\n\n"

    def _write_last_candidate(self, index: int, choice: _Choice) -> dict[str, Any]:
        reason = choice.finish.reason if choice.finish else "stop"
        candidate: dict[str, Any] = {
            # A turn always has a part, because clients that keep the history drop a turn without any.
            "content": {"parts": [{"text": ""}], "role": "model"},
            "finishReason": write_finish(reason),
            "index": index,
        }
        if choice.malformed:
            candidate |= write_malformed_calls(choice.malformed)
        elif reason == "pause":
            candidate["finishMessage"] = PAUSE_MESSAGE
        if choice.citations:
            candidate["groundingMetadata"] = write_grounding(choice.citations)
        return candidate

    def _get_choice(self, index: int) -> _Choice:
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = _Choice()
        return choice

    def _write_part(self, index: int, part: dict[str, Any]) -> bytes:
        return _HEAD + encode_json(part) + (self._ends.get(index) or self._make_chunk_end(index))

    def _make_chunk_end(self, index: int) -> bytes:
        """Make the bytes that end every chunk of a choice, once."""
        names = encode_json({"modelVersion": self._model, "responseId": self._name})[1:]
        end = self._ends[index] = b'%b,"index":%d}],%b\n\n' % (_MIDDLE, index, names)
        return end


_WRITERS: dict[type, Any] = {
    Start: GeminiWriter._write_start,
    BlockStart: GeminiWriter._write_block_start,
    Delta: GeminiWriter._write_delta,
    Annotation: GeminiWriter._write_annotation,
    BlockStop: GeminiWriter._write_block_stop,
    Media: GeminiWriter._write_media,
    Finish: GeminiWriter._keep_finish,
    UsageUpdate: GeminiWriter._keep_usage,
    StreamError: GeminiWriter._write_error,
    StreamEnd: GeminiWriter._write_end,
}
