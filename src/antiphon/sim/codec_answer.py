"""Answers on every wire but OpenAI's chat: the outputs in the neutral form, written by the wire's own codec."""

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

import msgspec

from antiphon.errors import CallError
from antiphon.sim.model_output import ModelOutput, make_logprob
from antiphon.sim.stream_parts import BROKEN_CODE, BROKEN_MESSAGE
from antiphon.sim.text import split_tokens
from antiphon.sim.wire_format import JsonRewrite, WireFormat
from antiphon.types import Usage
from antiphon.wires.translation.codec import Codec
from antiphon.wires.translation.neutral import (
    Annotation,
    BlockStart,
    BlockStop,
    Choice,
    Delta,
    Event,
    Finish,
    Part,
    Refusal,
    Reply,
    Request,
    Start,
    StreamEnd,
    Text,
    Thinking,
    ToolCall,
    UsageUpdate,
)

_ANSWER_PREFIXES = {"messages": "msg_", "responses": "resp_", "generate": "", "converse": ""}
_CALL_PREFIXES = {"messages": "toolu_", "converse": "tooluse_"}
_SIGNATURE_ON_CALL = frozenset({"generate"})
"""Wires on which a call carries the signature of the thinking before it."""


def sign(text: str) -> str:
    """Return the signature that the simulator puts on its own thinking: base64, which every wire allows."""
    return base64.b64encode(hashlib.sha256(b"simulated:" + text.encode()).digest()).decode()


class CodecAnswer(msgspec.Struct, frozen=True):
    """One answer before it has a shape; ``digits`` make its identifiers unique."""

    operation: str
    codec: Codec
    request: Request
    outputs: list[ModelOutput]
    usage: Usage
    digits: str
    created: int

    @property
    def id(self) -> str:
        return _ANSWER_PREFIXES[self.operation] + self.digits

    @property
    def start_usage(self) -> Usage:
        """The usage at the beginning of a stream: the prompt only."""
        return msgspec.structs.replace(self.usage, output=0, reasoning=0)

    def make_parts(self, number: int) -> list[Part]:
        """Return one choice as the parts of a message."""
        output = self.outputs[number]
        parts: list[Part] = []
        on_call = bool(output.tools) and self.operation in _SIGNATURE_ON_CALL
        if output.thinking:
            signature = "" if on_call else sign(output.thinking)
            thinking_id = f"rs_{self.digits}{number:03d}"
            parts.append(
                Thinking(text=output.thinking, signature=signature, wire=self.codec.wire, id=thinking_id),
            )
        if output.finish == "refusal":
            return [*parts, Refusal(output.text)]
        if output.text or not output.tools:
            parts.append(Text(output.text))
        for index, tool in enumerate(output.tools):
            signature = sign(tool.name) if output.thinking and on_call and index == 0 else ""
            parts.append(ToolCall(self._make_call_id(number, index), tool.name, tool.arguments, signature=signature))
        return parts

    def make_logprobs(self, output: ModelOutput) -> dict[str, Any] | None:
        """Return the log probabilities of the text's tokens, if the request asks for them."""
        if not self.request.logprobs or output.tools:
            return None
        return {"content": [make_logprob(token) for token in output.split_text()]}

    def write_body(self) -> bytes:
        """Return the body of the complete answer."""
        choices = tuple(
            Choice(tuple(self.make_parts(number)), _make_finish(output, number), self.make_logprobs(output))
            for number, output in enumerate(self.outputs)
        )
        reply = Reply(id=self.id, model=self.request.model, choices=choices, usage=self.usage, created=self.created)
        return self.codec.write_reply(reply, self.request)

    def _make_call_id(self, choice: int, index: int) -> str:
        return f"{_CALL_PREFIXES.get(self.operation, 'call_')}{self.digits[-18:]}{choice:03d}{index:03d}"


def _make_finish(output: ModelOutput, number: int) -> Finish:
    return Finish(output.finish or "stop", stop_sequence=output.stop_sequence, choice=number)  # type: ignore[arg-type]


class CodecStreamParts:
    """The :class:`~antiphon.sim.stream_parts.StreamParts` of an answer, each written when it is first read.

    Read some or all of the tokens before the parts after them.
    """

    usage = b""

    def __init__(self, answer: CodecAnswer, wire_format: WireFormat, rewrite: JsonRewrite | None) -> None:
        self._answer = answer
        self._wire_format = wire_format
        self._rewrite = rewrite
        self._writer = answer.codec.make_writer(answer.request)
        self._ending: tuple[bytes, bytes] | None = None
        self.malformed_event = wire_format.malformed_event
        self.keepalive = wire_format.keepalive
        self.preamble = self._write(Start(answer.id, answer.request.model, answer.start_usage))
        self.tokens = self._write_tokens()

    @property
    def finish(self) -> bytes:
        return self._write_ending()[0]

    @property
    def done(self) -> bytes:
        return self._write_ending()[1]

    @property
    def failure(self) -> bytes:
        return self._writer.fail(CallError(BROKEN_MESSAGE, status=500, code=BROKEN_CODE))

    def _write_ending(self) -> tuple[bytes, bytes]:
        """Return the finish reason with the usage, and the end marker; writes them once."""
        if self._ending is None:
            finishes: list[Event] = [_make_finish(output, number) for number, output in enumerate(self._answer.outputs)]
            data = b"".join(map(self._write, [*finishes, UsageUpdate(self._answer.usage), StreamEnd()]))
            marker = self._wire_format.end_marker
            start = data.rfind(marker) if marker else -1
            self._ending = (data, b"") if start < 0 else (data[:start], data[start:])
        return self._ending

    def _write(self, event: Event) -> bytes:
        data = self._writer.write(event)
        if self._rewrite is None or not data:
            return data
        frames = self._answer.codec.make_splitter().feed(data)
        return b"".join([self._wire_format.rewrite_frame(frame, self._rewrite) for frame in frames])

    def _write_tokens(self) -> Iterator[bytes]:
        for number, output in enumerate(self._answer.outputs):
            for index, part in enumerate(self._answer.make_parts(number)):
                yield from self._write_block(index, part, output, number)

    def _write_block(self, index: int, part: Part, output: ModelOutput, choice: int) -> Iterator[bytes]:
        """Yield the tokens of one block; the first holds its start and the last its end."""
        before = self._write_block_start(index, part, choice)
        held = None
        for token in _split_part(part, output):
            if held is not None:
                yield held
            logprobs = (make_logprob(token),) if self._answer.request.logprobs and isinstance(part, Text) else ()
            held = before + self._write(Delta(index, token, logprobs, choice))
            before = b""
        yield (held if held is not None else before) + self._write_block_end(index, part, choice)

    def _write_block_start(self, index: int, part: Part, choice: int) -> bytes:
        if isinstance(part, ToolCall):
            start = self._write(BlockStart(index, "tool", part.id, part.name, choice))
            if part.signature:
                wire = self._answer.codec.wire
                start += self._write(Annotation(index, signature=part.signature, wire=wire, choice=choice))
            return start
        kind = "thinking" if isinstance(part, Thinking) else "refusal" if isinstance(part, Refusal) else "text"
        return self._write(BlockStart(index, kind, getattr(part, "id", ""), choice=choice))  # type: ignore[arg-type]

    def _write_block_end(self, index: int, part: Part, choice: int) -> bytes:
        signature = b""
        if isinstance(part, Thinking) and part.signature:
            signature = self._write(Annotation(index, signature=part.signature, wire=part.wire, choice=choice))
        return signature + self._write(BlockStop(index, choice))


def _split_part(part: Part, output: ModelOutput) -> Iterator[str]:
    if isinstance(part, ToolCall):
        return split_tokens(part.arguments)
    text = getattr(part, "text", "")
    return iter((text,)) if output.single_token and isinstance(part, Text) else split_tokens(text)
