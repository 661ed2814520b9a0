"""The fields of OpenAI's JSON that are read when caller and provider both speak this wire.

A field that is not declared here passes unread.
"""

from typing import Any

import msgspec

from antiphon.wires.checks import DECODE_ERRORS, make_bad_answer_from


class RequestMessage(msgspec.Struct):
    role: str


class _GenerationRequest(msgspec.Struct, kw_only=True):
    """The fields whose types are checked before a provider is called."""

    model: str
    stream: bool | None = None
    stream_options: dict[str, Any] | None = None
    n: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    user: str | None = None
    metadata: dict[str, Any] | None = None


class ChatRequest(_GenerationRequest, kw_only=True):
    messages: list[RequestMessage]
    max_completion_tokens: int | None = None
    tools: list[dict[str, Any]] | None = None
    response_format: dict[str, Any] | None = None
    logprobs: bool | None = None
    parallel_tool_calls: bool | None = None


class CompletionsRequest(_GenerationRequest, kw_only=True):
    prompt: str | list[Any]


class EmbeddingsRequest(msgspec.Struct, kw_only=True):
    model: str
    input: str | list[Any]
    dimensions: int | None = None
    encoding_format: str | None = None
    user: str | None = None


class Function(msgspec.Struct, gc=False):
    name: Any = None
    arguments: Any = None


class ToolCall(msgspec.Struct, gc=False):
    function: Function | None = None


class Delta(msgspec.Struct, gc=False):
    """A message, or the next piece of one."""

    content: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    refusal: Any = None
    tool_calls: list[ToolCall] | None = None
    function_call: Function | None = None
    audio: Any = None
    images: Any = None


class Choice(msgspec.Struct, gc=False):
    index: int | None = 0
    delta: Delta | None = None
    message: Delta | None = None
    text: Any = None
    finish_reason: str | None = None


class Answer(msgspec.Struct, gc=False):
    """A chunk of a stream, or an error."""

    choices: list[Choice] | None = None
    data: list[msgspec.Raw] | None = None
    usage: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: Any = msgspec.UNSET
    object: Any = None
    message: Any = None


class CountedAnswer(Answer, gc=False):
    """A whole answer, or a chunk with usage; the service tier decides the price of what was used."""

    service_tier: Any = None


decode_answer = msgspec.json.Decoder(Answer).decode
_decode_counted = msgspec.json.Decoder(CountedAnswer).decode


def read_answer(body: bytes) -> Answer:
    """Return an answer, a chunk or an error; raises :class:`~antiphon.errors.BadAnswer` for anything else."""
    try:
        return decode_answer(body)
    except DECODE_ERRORS:
        raise make_bad_answer_from(body) from None


def read_counted_answer(body: bytes) -> CountedAnswer:
    """See :func:`read_answer`."""
    try:
        return _decode_counted(body)
    except DECODE_ERRORS:
        raise make_bad_answer_from(body) from None
