"""Chat completions, legacy completions and embeddings between a caller and a provider that both speak this wire."""

from typing import Any

import msgspec

from antiphon.errors import BadAnswer, BadRequest, CallError
from antiphon.types import Target, Usage
from antiphon.wires import body as bodies
from antiphon.wires.base import BaseWire
from antiphon.wires.checks import check_model_name, quote_body, read_fields
from antiphon.wires.openai import errors
from antiphon.wires.openai.errors import read_whole_answer
from antiphon.wires.openai.passthrough_stream import ChatStream
from antiphon.wires.openai.signatures import remove_foreign_signatures
from antiphon.wires.openai.text_size import count_content_bytes, count_output_bytes, count_texts_bytes
from antiphon.wires.openai.types import (
    ChatRequest,
    CompletionsRequest,
    CountedAnswer,
    EmbeddingsRequest,
)
from antiphon.wires.openai.usage import read_usage
from antiphon.wires.wire import EncodedBody, Envelope, WholeAnswer, count_json_bytes

SHOWN_HEADERS = (b"x-request-id", b"x-ratelimit-", b"openai-processing-ms", b"openai-version")
"""Headers of OpenAI's answers, or beginnings of their names, that callers may see."""


class OpenAI(BaseWire):
    """Base of the three operations; see :class:`antiphon.wires.wire.Wire`."""

    request: type[Any]
    """The type that a request's body must have."""
    end_frame = b"data: [DONE]\n\n"
    response_header_prefixes = SHOWN_HEADERS

    def peek(self, body: bytes, model: str = "", stream: bool | None = None) -> Envelope:
        """See :meth:`antiphon.wires.wire.Wire.peek`."""
        document = bodies.check(body)
        request = read_fields(document, self.request)
        check_model_name(request.model)
        self.check_request(request)
        return self.make_envelope(request, document)

    def check_request(self, request: Any) -> None:
        """Raise :class:`BadRequest` for a request that no provider could answer."""

    def make_envelope(self, request: Any, document: dict[str, Any]) -> Envelope:
        options = request.stream_options
        wants_usage = bool(options and options.get("include_usage"))
        return Envelope(request.model, bool(request.stream), wants_usage, request.n or 1, document)

    def encode(self, body: bytes, envelope: Envelope, target: Target) -> EncodedBody:
        """See :meth:`antiphon.wires.wire.Wire.encode`; usage of a stream is asked for if the target can give it."""
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
        answer = read_whole_answer(body)
        if answer.choices is None:
            raise BadAnswer(f"The provider answered without `choices`: {quote_body(body)}")
        if (usage := _find_usage(answer)) is not None:
            return WholeAnswer(usage)
        return WholeAnswer(None, sum(count_output_bytes(choice) for choice in answer.choices))

    def start_stream(self, envelope: Envelope, hides_usage: bool) -> ChatStream:
        return ChatStream(self, envelope.choices, hides_usage)

    def write_error_body(self, error: CallError) -> bytes:
        return errors.write_error_body(error)

    def read_error_message(self, body: bytes) -> str:
        return errors.read_error_message(body)


class Chat(OpenAI):
    """POST /v1/chat/completions."""

    operation = "chat"
    request = ChatRequest

    def check_request(self, request: ChatRequest) -> None:
        if not request.messages:
            raise BadRequest("`messages` must hold at least one message.", param="messages")

    def encode(self, body: bytes, envelope: Envelope, target: Target) -> EncodedBody:
        return super().encode(remove_foreign_signatures(body, envelope.document), envelope, target)

    def count_input_bytes(self, envelope: Envelope) -> int:
        total = sum(count_content_bytes(message.get("content")) for message in envelope.document["messages"])
        tools = envelope.document.get("tools")
        return total + (count_json_bytes(tools) if tools else 0)


class Completions(OpenAI):
    """POST /v1/completions."""

    operation = "completions"
    request = CompletionsRequest

    def count_input_bytes(self, envelope: Envelope) -> int:
        return count_texts_bytes(envelope.document["prompt"])


class Embeddings(OpenAI):
    """POST /v1/embeddings."""

    operation = "embeddings"
    request = EmbeddingsRequest

    def check_request(self, request: EmbeddingsRequest) -> None:
        if not request.input:
            raise BadRequest("`input` must hold at least one text.", param="input")

    def make_envelope(self, request: EmbeddingsRequest, document: dict[str, Any]) -> Envelope:
        return Envelope(request.model, False, False, 1, document)

    def read_whole(self, body: bytes) -> WholeAnswer:
        answer = read_whole_answer(body)
        if answer.data is None:
            raise BadAnswer(f"The provider answered without `data`: {quote_body(body)}")
        return WholeAnswer(_find_usage(answer))

    def count_input_bytes(self, envelope: Envelope) -> int:
        return count_texts_bytes(envelope.document["input"])


def _find_usage(answer: CountedAnswer) -> Usage | None:
    return None if answer.usage is msgspec.UNSET else read_usage(bytes(answer.usage), answer.service_tier)
