"""The fields of a Responses request and of a response object that are read (API reference, "Responses").

Only fields that the gateway must know have detailed types; tools and input items pass unread where caller and provider
both speak this wire.
"""

from typing import Any

import msgspec

from antiphon.errors import BadAnswer
from antiphon.types import Usage
from antiphon.wires.checks import DECODE_ERRORS, make_bad_answer_from
from antiphon.wires.responses.usage import read_usage

_NULL = msgspec.Raw(b"null")
_ERROR_STATUS = {"server_error": 500, "rate_limit_exceeded": 429, "insufficient_quota": 429, "invalid_prompt": 400}


class ReasoningField(msgspec.Struct):
    """``reasoning``; ``generate_summary`` is the older name of ``summary``."""

    effort: str | None = None
    summary: str | None = None
    generate_summary: str | None = None


class FormatField(msgspec.Struct):
    """``text.format``: text, json_object or json_schema."""

    type: str
    name: str | None = None
    schema: dict[str, Any] | None = None
    strict: bool | None = None
    description: str | None = None


class TextField(msgspec.Struct):
    """``text``."""

    format: FormatField | None = None
    verbosity: str | None = None


class Fields(msgspec.Struct, kw_only=True):
    """A request body; a field that is not declared here passes unread."""

    model: str
    input: str | list[dict[str, Any]] | None = None
    instructions: str | None = None
    stream: bool | None = None
    stream_options: dict[str, Any] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    text: TextField | None = None
    reasoning: ReasoningField | None = None
    max_output_tokens: int | None = None
    max_tool_calls: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_logprobs: int | None = None
    include: list[str] | None = None
    truncation: str | None = None
    store: bool | None = None
    background: bool | None = None
    previous_response_id: str | None = None
    conversation: str | dict[str, Any] | None = None
    prompt: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    service_tier: str | None = None


class ErrorObject(msgspec.Struct):
    """An error in a response or in an ``error`` event."""

    message: Any = None
    code: Any = None
    type: Any = None

    @property
    def text(self) -> str:
        return str(self.message or self.code or self.type or "an error without a message")

    @property
    def status(self) -> int:
        """The HTTP status for the code, 0 if the code is unknown."""
        return _ERROR_STATUS.get(str(self.code), 0)


class IncompleteDetails(msgspec.Struct):
    reason: str | None = None


class ResponseObject(msgspec.Struct):
    """The fields of a response object that are read, in a whole answer or in an event of a stream."""

    id: str = ""
    model: str = ""
    status: str | None = None
    created_at: float | None = None
    output: list[msgspec.Raw] | None = None
    usage: msgspec.Raw = _NULL
    error: ErrorObject | str | None = None
    incomplete_details: IncompleteDetails | None = None
    service_tier: Any = None
    object: Any = None
    message: Any = None

    def read_usage(self) -> Usage | None:
        return read_usage(bytes(self.usage), self.service_tier, self.output)

    def find_error(self) -> ErrorObject | None:
        """Return the error that the response reports, ``None`` if it reports none."""
        if isinstance(self.error, str):
            return ErrorObject(self.error)
        if self.error is not None or self.status == "failed":
            return self.error or ErrorObject("the response failed")
        return ErrorObject(self.message) if self.object == "error" else None


_decode = msgspec.json.Decoder(ResponseObject).decode


def read_response(body: bytes) -> ResponseObject:
    """Return a response object; raises :class:`BadAnswer` for anything else."""
    try:
        return _decode(body)
    except DECODE_ERRORS:
        raise make_bad_answer_from(body) from None


def make_reported_error(error: ErrorObject) -> BadAnswer:
    """Return our error for one that a provider reports in an answer."""
    return BadAnswer(f"The provider reported an error: {error.text}", status=error.status or None)
