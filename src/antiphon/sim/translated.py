"""Answers on every wire but OpenAI's chat: what was said in the neutral form, written by the wire's own codec."""

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

import msgspec

from antiphon.errors import CallError
from antiphon.sim import text
from antiphon.sim.dialect import Change, Dialect
from antiphon.sim.speech import Said, logprob
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

_PREFIXES = {"messages": "msg_", "responses": "resp_", "generate": "", "converse": ""}
_CALLS = {"messages": "toolu_", "converse": "tooluse_"}
_ON_CALLS = frozenset({"generate"})
"""Wires on which a call carries the signature of the thinking before it."""


class Answer(msgspec.Struct, frozen=True):
    """One answer before it has a shape; ``digits`` make its identifiers unique."""

    operation: str
    codec: Codec
    request: Request
    choices: list[Said]
    usage: Usage
    digits: str
    created: int

    @property
    def id(self) -> str:
        return _PREFIXES[self.operation] + self.digits

    @property
    def start(self) -> Usage:
        """The usage that a stream begins with: what came in."""
        return msgspec.structs.replace(self.usage, output=0, reasoning=0)

    def blocks(self, number: int) -> list[Part]:
        """Return one choice as the parts of a message."""
        said = self.choices[number]
        found: list[Part] = []
        on_calls = bool(said.tools) and self.operation in _ON_CALLS
        wire = self.codec.wire
        if said.thinking:
            signature = "" if on_calls else sign(said.thinking)
            found.append(Thinking(text=said.thinking, signature=signature, wire=wire, id=self._thought(number)))
        if said.finish == "refusal":
            return [*found, Refusal(said.text)]
        if said.text or not said.tools:
            found.append(Text(said.text))
        for index, tool in enumerate(said.tools):
            proof = sign(tool.name) if said.thinking and on_calls and index == 0 else ""
            found.append(ToolCall(self._call(number, index), tool.name, tool.arguments, signature=proof))
        return found

    def logprobs(self, said: Said) -> dict[str, Any] | None:
        """Return the probabilities of the text's tokens, where they are asked for."""
        if not self.request.logprobs or said.tools:
            return None
        return {"content": [logprob(piece) for piece in said.pieces()]}

    def _call(self, choice: int, index: int) -> str:
        return f"{_CALLS.get(self.operation, 'call_')}{self.digits[-18:]}{choice:03d}{index:03d}"

    def _thought(self, choice: int) -> str:
        return f"rs_{self.digits}{choice:03d}"


def sign(what: str) -> str:
    """Return the signature that the simulator puts on its own thinking, base64 as every wire allows it."""
    return base64.b64encode(hashlib.sha256(b"simulated:" + what.encode()).digest()).decode()


def _finish(said: Said, number: int) -> Finish:
    return Finish(said.finish or "stop", stop_sequence=said.stopped_by, choice=number)  # type: ignore[arg-type]


def whole(answer: Answer) -> bytes:
    """Return the body of a whole answer."""
    choices = tuple(
        Choice(tuple(answer.blocks(number)), _finish(said, number), answer.logprobs(said))
        for number, said in enumerate(answer.choices)
    )
    reply = Reply(id=answer.id, model=answer.request.model, choices=choices, usage=answer.usage, created=answer.created)
    return answer.codec.write_reply(reply, answer.request)


class Spoken:
    """A stream in its natural parts, as ``frames.Frames`` has them, each written when it is asked for.

    Its tokens must have been taken, all or some, before the parts after them are.
    """

    def __init__(self, answer: Answer, dialect: Dialect, change: Change | None) -> None:
        self._answer = answer
        self._dialect = dialect
        self._change = change
        self._writer = answer.codec.make_writer(answer.request)
        self._tail: tuple[bytes, bytes] | None = None
        self.nonsense = dialect.nonsense
        self.life = dialect.life
        self.preamble = self._written(Start(answer.id, answer.request.model, answer.start))
        self.tokens = self._tokens()

    @property
    def finish(self) -> bytes:
        return self._ending()[0]

    usage = b""

    @property
    def done(self) -> bytes:
        return self._ending()[1]

    @property
    def failure(self) -> bytes:
        return self._writer.fail(CallError("The simulated provider broke.", status=500, code="sim_broken"))

    def _ending(self) -> tuple[bytes, bytes]:
        if self._tail is None:
            endings: list[Event] = [_finish(said, number) for number, said in enumerate(self._answer.choices)]
            tail = b"".join(map(self._written, [*endings, UsageUpdate(self._answer.usage), StreamEnd()]))
            marker = self._dialect.marker
            at = tail.rfind(marker) if marker else -1
            self._tail = (tail, b"") if at < 0 else (tail[:at], tail[at:])
        return self._tail

    def _written(self, event: Event) -> bytes:
        data = self._writer.write(event)
        if self._change is None or not data:
            return data
        frames = self._answer.codec.make_splitter().feed(data)
        return b"".join([self._dialect.changed(frame, self._change) for frame in frames])

    def _tokens(self) -> Iterator[bytes]:
        for number, said in enumerate(self._answer.choices):
            for index, part in enumerate(self._answer.blocks(number)):
                yield from self._block(index, part, said, number)

    def _block(self, index: int, part: Part, said: Said, choice: int) -> Iterator[bytes]:
        before = self._opening(index, part, choice)
        held = None
        for piece in _pieces(part, said):
            if held is not None:
                yield held
            tokens = (logprob(piece),) if self._answer.request.logprobs and isinstance(part, Text) else ()
            held = before + self._written(Delta(index, piece, tokens, choice))
            before = b""
        yield (held if held is not None else before) + self._closing(index, part, choice)

    def _opening(self, index: int, part: Part, choice: int) -> bytes:
        if isinstance(part, ToolCall):
            opened = self._written(BlockStart(index, "tool", part.id, part.name, choice))
            if part.signature:
                wire = self._answer.codec.wire
                opened += self._written(Annotation(index, signature=part.signature, wire=wire, choice=choice))
            return opened
        kind = "thinking" if isinstance(part, Thinking) else "refusal" if isinstance(part, Refusal) else "text"
        return self._written(BlockStart(index, kind, getattr(part, "id", ""), choice=choice))  # type: ignore[arg-type]

    def _closing(self, index: int, part: Part, choice: int) -> bytes:
        before = b""
        if isinstance(part, Thinking) and part.signature:
            before = self._written(Annotation(index, signature=part.signature, wire=part.wire, choice=choice))
        return before + self._written(BlockStop(index, choice))


def _pieces(part: Part, said: Said) -> Iterator[str]:
    if isinstance(part, ToolCall):
        return text.pieces(part.arguments)
    shown = getattr(part, "text", "")
    return iter((shown,)) if said.whole and isinstance(part, Text) else text.pieces(shown)
