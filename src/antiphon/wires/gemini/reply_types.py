"""The answers of this wire as typed values (API reference, "GenerateContentResponse"); only fields that are read."""

from typing import Any

import msgspec

from antiphon.errors import BadAnswer
from antiphon.wires.checks import DECODE_ERRORS, make_bad_answer_from

UNSET = msgspec.UNSET


class _Shape(msgspec.Struct, rename="camel", gc=False):
    pass


class Blob(_Shape):
    mime_type: str | None = None
    data: str | None = None


class FileData(_Shape):
    mime_type: str | None = None
    file_uri: str | None = None


class FunctionCall(_Shape):
    name: str = ""
    id: str | None = None
    args: msgspec.Raw | msgspec.UnsetType = UNSET


class ExecutableCode(_Shape):
    code: str | None = None
    language: str | None = None


class CodeExecutionResult(_Shape):
    outcome: str | None = None
    output: str | None = None


class Part(_Shape):
    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: FunctionCall | None = None
    inline_data: Blob | None = None
    file_data: FileData | None = None
    executable_code: ExecutableCode | None = None
    code_execution_result: CodeExecutionResult | None = None


class Content(_Shape):
    parts: list[Part] | None = None


class LogprobsCandidate(_Shape):
    token: str | None = None
    log_probability: float | None = None


class LogprobsTop(_Shape):
    candidates: list[LogprobsCandidate] | None = None


class LogprobsResult(_Shape):
    chosen_candidates: list[LogprobsCandidate] | None = None
    top_candidates: list[LogprobsTop] | None = None


class Candidate(_Shape):
    content: Content | None = None
    finish_reason: str | None = None
    finish_message: str | None = None
    index: int | None = None
    logprobs_result: LogprobsResult | None = None
    grounding_metadata: dict[str, Any] | None = None
    citation_metadata: dict[str, Any] | None = None


class PromptFeedback(_Shape):
    block_reason: str | None = None
    block_reason_message: str | None = None


class Answer(_Shape):
    """A whole answer or one chunk of a stream: both have this shape."""

    candidates: list[Candidate] | None = None
    prompt_feedback: PromptFeedback | None = None
    usage_metadata: msgspec.Raw | msgspec.UnsetType = UNSET
    model_version: str | None = None
    response_id: str | None = None
    error: Any = None


_decode = msgspec.json.Decoder(Answer).decode


def read_answer(data: bytes) -> Answer:
    """Decode an answer or a chunk; raises :class:`~antiphon.errors.BadAnswer` for anything else."""
    try:
        return _decode(data)
    except DECODE_ERRORS:
        raise make_bad_answer_from(data) from None


def read_arguments(call: FunctionCall) -> str:
    """Return a call's arguments as unchanged JSON text, ``{}`` if it has none.

    Raises :class:`~antiphon.errors.BadAnswer` if they are not an object.
    """
    if call.args is UNSET:
        return "{}"
    try:
        text = bytes(call.args).decode()
    except UnicodeDecodeError:
        text = ""
    if text.startswith("{"):
        return text
    if text == "null":
        return "{}"
    raise BadAnswer(f"The provider's answer calls the function {call.name!r} with arguments that are no object.")


def find_block_reason(answer: Answer) -> str | None:
    """Return why the prompt was refused before there was any candidate, or ``None``."""
    feedback = answer.prompt_feedback
    if feedback is None or answer.candidates or feedback.block_reason in (None, "BLOCKED_REASON_UNSPECIFIED"):
        return None
    return feedback.block_reason
