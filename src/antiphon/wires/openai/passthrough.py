"""The OpenAI wire: chat completions, legacy completions, embeddings (platform.openai.com API reference).

What belongs here: reading and changing OpenAI's JSON and frames. What does not: sockets, prices, targets' choice.
"""

from typing import Any

import msgspec

from antiphon.errors import BadAnswer, BadRequest, CallError
from antiphon.types import Target, Usage
from antiphon.wires import body as bodies
from antiphon.wires.base import BaseWire
from antiphon.wires.checks import DECODE_ERRORS, bad_answer_from, bad_request_from, check_model_name, quote_body
from antiphon.wires.openai import usage as usages
from antiphon.wires.openai.own import without_carried
from antiphon.wires.sse import data_of
from antiphon.wires.wire import (
    EncodedBody,
    Envelope,
    PassthroughStream,
    WholeAnswer,
    Wire,
    count_json_bytes,
    count_text_bytes,
)

_UNSET = msgspec.UNSET
_NULL_USAGE = b',"usage":null'


class _Message(msgspec.Struct):
    role: str


class _Common(msgspec.Struct, kw_only=True):
    """Fields whose type is checked before a provider is called; everything else passes unread."""

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


class _ChatRequest(_Common, kw_only=True):
    messages: list[_Message]
    max_completion_tokens: int | None = None
    tools: list[dict[str, Any]] | None = None
    response_format: dict[str, Any] | None = None
    logprobs: bool | None = None
    parallel_tool_calls: bool | None = None


class _CompletionsRequest(_Common, kw_only=True):
    prompt: str | list[Any]


class _EmbeddingsRequest(msgspec.Struct, kw_only=True):
    model: str
    input: str | list[Any]
    dimensions: int | None = None
    encoding_format: str | None = None
    user: str | None = None


class _Function(msgspec.Struct):
    name: Any = None
    arguments: Any = None


class _ToolCall(msgspec.Struct):
    function: _Function | None = None


class _Delta(msgspec.Struct):
    content: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    refusal: Any = None
    tool_calls: list[_ToolCall] | None = None
    function_call: _Function | None = None
    audio: Any = None
    images: Any = None


class _Choice(msgspec.Struct):
    index: int | None = 0
    delta: _Delta | None = None
    message: _Delta | None = None
    text: Any = None
    finish_reason: str | None = None


class _Answer(msgspec.Struct):
    """The members of a whole answer or a chunk that the engine looks at."""

    choices: list[_Choice] | None = None
    data: list[msgspec.Raw] | None = None
    usage: msgspec.Raw | msgspec.UnsetType = _UNSET
    error: Any = _UNSET
    object: Any = None
    message: Any = None


class _Whole(_Answer):
    """A whole answer, or a chunk that counts."""

    service_tier: Any = None


_decode_answer = msgspec.json.Decoder(_Answer).decode
_decode_whole = msgspec.json.Decoder(_Whole).decode


class OpenAI(BaseWire):
    """What the three operations share; a subclass says what its request is and what an answer must hold."""

    request: type[Any]
    holds = "choices"
    end_frame = b"data: [DONE]\n\n"
    shows: tuple[bytes, ...] = (b"x-request-id", b"x-ratelimit-", b"openai-processing-ms", b"openai-version")

    def __init__(self) -> None:
        self._decode = msgspec.json.Decoder(self.request).decode

    def peek(self, body: bytes, model: str = "", stream: bool | None = None) -> Envelope:
        """See :meth:`antiphon.wires.wire.Wire.peek`."""
        document = bodies.check(body)
        try:
            request = self._decode(body)
        except msgspec.ValidationError as error:
            raise bad_request_from(str(error)) from None
        model = request.model
        check_model_name(model)
        self.check(request)
        streamed, options, choices = self.streaming(request)
        return Envelope(model, streamed, bool(options and options.get("include_usage")), choices, document)

    def streaming(self, request: Any) -> tuple[bool, dict[str, Any] | None, int]:
        return bool(request.stream), request.stream_options, request.n or 1

    def check(self, request: Any) -> None:
        """Raise where the request lacks what no provider can do without."""

    def encode(self, body: bytes, envelope: Envelope, target: Target) -> EncodedBody:
        """See :meth:`antiphon.wires.wire.Wire.encode`."""
        if target.model != envelope.model:
            body = bodies.replace(body, "model", msgspec.json.encode(target.model))
        if not envelope.stream or envelope.wants_usage or "no_stream_usage" in target.quirks:
            return EncodedBody(body)
        if "stream_options" not in envelope.document:
            return EncodedBody(bodies.insert(body, "stream_options", b'{"include_usage":true}'), True)
        options = {**(envelope.document["stream_options"] or {}), "include_usage": True}
        return EncodedBody(bodies.replace(body, "stream_options", msgspec.json.encode(options)), True)

    def read_whole(self, body: bytes) -> WholeAnswer:
        """See :meth:`antiphon.wires.wire.Wire.read_whole`."""
        answer = _read_whole(body)
        if (problem := _problem(answer)) is not None:
            raise _reported(problem, answer)
        if getattr(answer, self.holds) is None:
            raise BadAnswer(f"The provider answered without `{self.holds}`: {quote_body(body)}")
        output = sum(_output_bytes(choice) for choice in answer.choices or ())
        return WholeAnswer(_usage_of(answer, answer.service_tier), output)

    def start_stream(self, envelope: Envelope, hides_usage: bool) -> "ChatStream":
        return ChatStream(self, envelope.choices, hides_usage)

    def write_error_body(self, error: CallError) -> bytes:
        return error_object(error)

    def read_error_message(self, body: bytes) -> str:
        """Return the message of a provider's error body, or an excerpt of it."""
        try:
            problem = _problem(_read(body))
        except BadAnswer:
            problem = None
        return problem or quote_body(body)


class Chat(OpenAI):
    """POST /v1/chat/completions."""

    operation = "chat"
    request = _ChatRequest

    def check(self, request: Any) -> None:
        if not request.messages:
            raise BadRequest("`messages` must hold at least one message.", param="messages")

    def encode(self, body: bytes, envelope: Envelope, target: Target) -> EncodedBody:
        return OpenAI.encode(self, without_carried(body, envelope.document), envelope, target)

    def count_input_bytes(self, envelope: Envelope) -> int:
        total = sum(_content_bytes(message.get("content")) for message in envelope.document["messages"])
        tools = envelope.document.get("tools")
        return total + (count_json_bytes(tools) if tools else 0)


class Completions(OpenAI):
    """POST /v1/completions."""

    operation = "completions"
    request = _CompletionsRequest

    def count_input_bytes(self, envelope: Envelope) -> int:
        return _texts_bytes(envelope.document["prompt"])


class Embeddings(OpenAI):
    """POST /v1/embeddings."""

    operation = "embeddings"
    request = _EmbeddingsRequest
    holds = "data"

    def streaming(self, request: Any) -> tuple[bool, dict[str, Any] | None, int]:
        return False, None, 1

    def check(self, request: Any) -> None:
        if not request.input:
            raise BadRequest("`input` must hold at least one text.", param="input")

    def count_input_bytes(self, envelope: Envelope) -> int:
        return _texts_bytes(envelope.document["input"])


def error_object(error: CallError) -> bytes:
    """Return OpenAI's error object for any error of ours."""
    return msgspec.json.encode(
        {"error": {"message": error.message, "type": error.kind, "param": error.param, "code": error.code}}
    )


class ChatStream(PassthroughStream):
    """Watches chat and completion chunks; see ``StreamTranslator``."""

    __slots__ = ("_choices", "_finished", "_hides_usage", "usage")

    def __init__(self, wire: Wire, choices: int, hides_usage: bool) -> None:
        super().__init__(wire)
        self.usage: Usage | None = None
        self._choices = choices
        self._finished: set[int | None] = set()
        self._hides_usage = hides_usage

    @property
    def complete(self) -> bool:
        return self.ended or len(self._finished) >= self._choices

    def feed(self, frame: bytes) -> bytes:
        data = data_of(frame)
        if data is None:
            return frame
        if data.strip() == b"[DONE]":
            self.ended = self.committed = True
            return frame
        chunk = _read(data)
        if (problem := _problem(chunk)) is not None:
            self.error = _reported(problem, chunk)
            return frame
        for choice in chunk.choices or ():
            size = _output_bytes(choice)
            self.output_bytes += size
            if choice.finish_reason:
                self._finished.add(choice.index)
            elif not size:
                continue
            self.committed = True
        return frame if chunk.usage is _UNSET else self._with_usage(frame, chunk, data)

    def _with_usage(self, frame: bytes, chunk: _Answer, data: bytes) -> bytes:
        # Every chunk names the tier; it is read of the one that counts.
        counts = b'"service_tier"' in data and bytes(chunk.usage) != b"null"  # type: ignore[arg-type]
        usage = _usage_of(chunk, _read_whole(data).service_tier if counts else None)
        if usage is not None:
            self.usage = usage
        if not self._hides_usage:
            return frame
        if bytes(chunk.usage) != b"null":  # type: ignore[arg-type]
            return frame if chunk.choices else b""
        # A bare `"usage":` cannot stand inside a JSON string, so one occurrence is the top-level member.
        return frame.replace(_NULL_USAGE, b"", 1) if frame.count(b'"usage"') == 1 else frame


def _read(data: bytes) -> _Answer:
    try:
        return _decode_answer(data)
    except DECODE_ERRORS:
        raise bad_answer_from(data) from None


def _read_whole(data: bytes) -> _Whole:
    try:
        return _decode_whole(data)
    except DECODE_ERRORS:
        raise bad_answer_from(data) from None


def _problem(answer: _Answer) -> str | None:
    """Return the message of an error object, or ``None`` where the answer is none."""
    error = answer.error
    if error is _UNSET or error is None:
        if answer.object != "error":
            return None
        error = {"message": answer.message}
    return str(error.get("message") if type(error) is dict else error)


def _reported(problem: str, answer: _Answer) -> BadAnswer:
    return BadAnswer(f"The provider reported an error: {problem}", status=told_status(answer.error) or None)


def told_status(error: Any) -> int:
    """Return the HTTP status that an error object has for its ``code``, as routers tell it, or 0."""
    code = error.get("code") if type(error) is dict else None
    return code if type(code) is int and 400 <= code < 600 else 0


def _usage_of(answer: _Answer, tier: object) -> Usage | None:
    return None if answer.usage is _UNSET else usages.read(bytes(answer.usage), tier)


def _output_bytes(choice: _Choice) -> int:
    delta = choice.delta or choice.message
    if delta is None:
        return count_text_bytes(choice.text)
    content = delta.content
    if type(content) is str and delta.tool_calls is None and delta.reasoning_content is None and delta.images is None:
        return len(content) if content.isascii() else count_text_bytes(content)  # nearly every chunk of a stream
    size = count_text_bytes(content)
    size += count_text_bytes(delta.reasoning_content) or count_text_bytes(delta.reasoning)
    size += count_text_bytes(delta.refusal)
    if type(delta.content) is list:
        size += len(msgspec.json.encode(delta.content))
    for call in delta.tool_calls or ():
        size += _function_bytes(call.function) + 1  # a call without arguments is output, too
    if delta.audio or delta.images:
        size += 1
    return size + _function_bytes(delta.function_call)


def _function_bytes(function: _Function | None) -> int:
    return count_text_bytes(function.name) + count_text_bytes(function.arguments) if function else 0


def _content_bytes(content: Any) -> int:
    if type(content) is list:
        return sum(count_text_bytes(part.get("text")) for part in content if type(part) is dict)
    return count_text_bytes(content)


def _texts_bytes(value: Any) -> int:
    """Size of a text, texts, token ids or lists of token ids; an id counts as one token."""
    if type(value) is list:
        return sum(_texts_bytes(item) for item in value)
    return 4 if type(value) is int else count_text_bytes(value)
