"""generateContent and streamGenerateContent between a caller and a provider that both speak this wire."""

from typing import Any

import msgspec

from antiphon.errors import BadAnswer, CallError
from antiphon.types import Target, Usage
from antiphon.wires import body as bodies
from antiphon.wires.base import BaseWire
from antiphon.wires.checks import check_model_name
from antiphon.wires.gemini import errors, request_types
from antiphon.wires.gemini import usage as usages
from antiphon.wires.gemini.reply_types import UNSET, Answer, Candidate, Part, find_block_reason, read_answer
from antiphon.wires.gemini.signatures import SEAL, remove_sealed
from antiphon.wires.json_text import encode_json
from antiphon.wires.sse import read_data
from antiphon.wires.wire import (
    EncodedBody,
    Envelope,
    PassthroughStream,
    WholeAnswer,
    Wire,
    count_text_bytes,
    estimate_usage,
)

_UNFINISHED_REASONS = (None, "", "FINISH_REASON_UNSPECIFIED")


class Operation(BaseWire):
    """Base of this wire's operations; the model is in the path, so the route passes it to :meth:`peek`."""

    streams = False
    heartbeat = b"\n"
    """An empty line: the official client ignores it, but reads a comment as a broken answer."""
    response_header_prefixes = (b"x-gemini-",)

    def peek(self, body: bytes, model: str = "", stream: bool | None = None) -> Envelope:
        """See :meth:`antiphon.wires.wire.Wire.peek`; ``model`` and ``stream`` come from the path."""
        document = bodies.check(body)
        check_model_name(model, place="The model in the path")
        choices = self.check(body, document)
        return Envelope(model, bool(stream) and self.streams, True, choices, document)

    def check(self, body: bytes, document: dict[str, Any]) -> int:
        """Return the number of candidates; raises :class:`BadRequest` if no provider could take the request."""
        raise NotImplementedError

    def encode(self, body: bytes, envelope: Envelope, target: Target) -> EncodedBody:
        """See :meth:`antiphon.wires.wire.Wire.encode`; the model is replaced if the body names it."""
        return EncodedBody(rename_model(body, envelope.document, target))

    def write_error_body(self, error: CallError) -> bytes:
        return errors.write_error_body(error)

    def read_error_message(self, body: bytes) -> str:
        return errors.read_error_message(body)


class Generate(Operation):
    """POST /v1beta/models/{model}:generateContent and :streamGenerateContent?alt=sse."""

    operation = "generate"
    streams = True

    def check(self, body: bytes, document: dict[str, Any]) -> int:
        config = request_types.read_generate_request(body, document).generation_config
        return (config.candidate_count if config else 1) or 1

    def encode(self, body: bytes, envelope: Envelope, target: Target) -> EncodedBody:
        """See :meth:`antiphon.wires.wire.Wire.encode`; the signatures of other wires are removed."""
        body = rename_model(body, envelope.document, target)
        if SEAL in body:
            body = bodies.replace(body, "contents", encode_json(remove_sealed(envelope.document["contents"])))
        return EncodedBody(body)

    def read_whole(self, body: bytes) -> WholeAnswer:
        """See :meth:`antiphon.wires.wire.Wire.read_whole`."""
        answer = read_answer(body)
        if answer.error is not None:
            raise errors.make_reported_error(answer.error)
        if not answer.candidates and find_block_reason(answer) is None:
            raise BadAnswer("The provider answered without `candidates` and without a reason for it.")
        if (usage := read_answer_usage(answer)) is not None:
            return WholeAnswer(usage)
        return WholeAnswer(None, sum(_count_output_bytes(candidate) for candidate in answer.candidates or ()))

    def start_stream(self, envelope: Envelope, hides_usage: bool) -> "GenerateStream":
        return GenerateStream(self, envelope.choices)

    def count_input_bytes(self, envelope: Envelope) -> int:
        """See :meth:`antiphon.wires.wire.Wire.count_input_bytes`."""
        return count_request_bytes(envelope.document)


class GenerateStream(PassthroughStream):
    """Observes chunks; see ``StreamTranslator``. This wire has no end marker, so ``ended`` stays false."""

    __slots__ = ("_choices", "_finished", "_searches", "_usage")

    def __init__(self, wire: Wire, choices: int) -> None:
        super().__init__(wire)
        self._choices = choices
        self._finished: set[int] = set()
        self._usage: bytes | None = None
        self._searches = 0

    @property
    def complete(self) -> bool:
        return len(self._finished) >= self._choices

    @property
    def usage(self) -> Usage | None:
        """The usage in the last chunk that had one; the first ones may not count their own text."""
        usage = None if self._usage is None else usages.read_usage(self._usage, self._searches)
        if usage is None or usage.total_output or not self.output_bytes:
            return usage
        return msgspec.structs.replace(usage, output=estimate_usage(0, self.output_bytes).output, estimated=True)

    def feed(self, frame: bytes) -> bytes:
        data = read_data(frame)
        if data is None or not data.strip():
            return frame
        chunk = read_answer(data)
        if chunk.error is not None:
            self.error = errors.make_reported_error(chunk.error)
            return frame
        if chunk.usage_metadata is not UNSET:
            self._usage = bytes(chunk.usage_metadata)
        self._searches = max(self._searches, count_searches(chunk))
        if find_block_reason(chunk) is not None:
            self._finished.update(range(self._choices))
            self.committed = True
        for candidate in chunk.candidates or ():
            size = _count_output_bytes(candidate)
            self.output_bytes += size
            if candidate.finish_reason not in _UNFINISHED_REASONS:
                self._finished.add(candidate.index or 0)
            elif not size:
                continue
            self.committed = True
        return frame


def read_answer_usage(answer: Answer) -> Usage | None:
    """Return the usage of an answer, or ``None`` if it has none or an impossible one."""
    if answer.usage_metadata is UNSET:
        return None
    return usages.read_usage(bytes(answer.usage_metadata), count_searches(answer))


def count_searches(answer: Answer) -> int:
    """Return the number of web searches that an answer or a chunk names."""
    return usages.count_searches(candidate.grounding_metadata for candidate in answer.candidates or ())


def rename_model(body: bytes, document: dict[str, Any], target: Target) -> bytes:
    """Return a body in which the top-level ``model``, if any, is the target's model."""
    model = document.get("model")
    if type(model) is not str or model.removeprefix("models/") == target.model:
        return body
    return bodies.replace(body, "model", msgspec.json.encode(f"models/{target.model}"))


def count_request_bytes(document: dict[str, Any]) -> int:
    """Return the size of a request's text in bytes, without media."""
    total = _count_contents_bytes(document.get("contents"))
    total += _count_contents_bytes(document.get("systemInstruction") or document.get("system_instruction"))
    tools = document.get("tools")
    return total + (len(encode_json(tools)) if tools else 0)


def _count_contents_bytes(contents: Any) -> int:
    if type(contents) is list:
        return sum(_count_contents_bytes(content) for content in contents)
    if type(contents) is not dict:
        return count_text_bytes(contents)
    if "parts" in contents:
        return _count_contents_bytes(contents["parts"])
    return count_text_bytes(contents.get("text")) + sum(
        len(encode_json(value)) for key, value in contents.items() if key.lower().startswith("function")
    )


def _count_output_bytes(candidate: Candidate) -> int:
    content = candidate.content
    return sum(_count_part_bytes(part) for part in content.parts or ()) if content is not None else 0


def _count_part_bytes(part: Part) -> int:
    size = count_text_bytes(part.text)
    if (call := part.function_call) is not None:
        size += count_text_bytes(call.name) + (0 if call.args is UNSET else len(bytes(call.args))) + 1
    if part.executable_code is not None:
        size += count_text_bytes(part.executable_code.code) + 1
    if part.code_execution_result is not None:
        size += count_text_bytes(part.code_execution_result.output) + 1
    return size + (part.inline_data is not None or part.file_data is not None)
