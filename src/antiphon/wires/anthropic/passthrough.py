"""Messages and token counting as pass-through (API reference, "Create a Message", "Count tokens in a Message").

The bytes of the caller and of the provider stay as they are. Only ``model`` is replaced, and thinking of other wires'
models is removed, because no provider of this wire accepts a foreign signature.

``anthropic-version`` and ``anthropic-beta`` come from the caller. A call that names version 2026-10-21, which refuses
``temperature``, ``top_p`` and ``top_k`` at any value, is answered by that version. If the caller names no version, or
the call comes from another wire, version 2023-06-01 applies, which accepts these from models that know them.
"""

from typing import Any

import msgspec

from antiphon.errors import BadAnswer, BadRequest, CallError
from antiphon.types import Target, Usage
from antiphon.wires import body as bodies
from antiphon.wires.anthropic import errors
from antiphon.wires.anthropic.foreign_thinking import remove_foreign_thinking
from antiphon.wires.anthropic.frames import MESSAGE_STOP, PING, Block, Message, read_message
from antiphon.wires.anthropic.model_in_path import MODEL_IN_PATH, move_model_to_path
from antiphon.wires.anthropic.passthrough_stream import MessagesStream
from antiphon.wires.anthropic.usage import read_usage
from antiphon.wires.base import BaseWire
from antiphon.wires.checks import check_model_name, quote_body, read_fields
from antiphon.wires.json_text import encode_json
from antiphon.wires.wire import BYTES_PER_TOKEN, EncodedBody, Envelope, WholeAnswer, count_json_bytes, count_text_bytes

_UNSET = msgspec.UNSET
IMAGE_TOKENS = 1600
"""What an image costs at most on models that scale it to 1.15 megapixels (guide "Vision", width × height / 750)."""


class _Message(msgspec.Struct):
    role: str
    content: str | list[dict[str, Any]]


class _Common(msgspec.Struct, kw_only=True):
    """Fields whose type is checked before a provider is called; all others pass unread."""

    model: str = ""
    messages: list[_Message]
    system: str | list[dict[str, Any]] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: dict[str, Any] | None = None
    thinking: dict[str, Any] | None = None
    thread: dict[str, Any] | None = None
    output_config: dict[str, Any] | None = None


class _MessagesRequest(_Common, kw_only=True):
    max_tokens: int
    stream: bool | None = None
    stop_sequences: list[str] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    metadata: dict[str, Any] | None = None
    service_tier: str | None = None


class Anthropic(BaseWire):
    """Base of the two operations; a subclass defines its request and reads its whole answer."""

    request: type[Any]
    end_frame = MESSAGE_STOP
    heartbeat = PING
    keep_alive_prefixes: tuple[bytes, ...] = (b":", b"event: ping")
    forwarded_headers = frozenset((b"anthropic-version", b"anthropic-beta"))
    required_headers: tuple[tuple[bytes, bytes], ...] = ((b"anthropic-version", b"2023-06-01"),)
    response_header_prefixes: tuple[bytes, ...] = (b"request-id", b"anthropic-ratelimit-", b"retry-after")
    request_id_header = b"request-id"

    def peek(self, body: bytes, model: str = "", stream: bool | None = None) -> Envelope:
        """See :meth:`antiphon.wires.wire.Wire.peek`; some hosts have ``model`` and ``stream`` in the path."""
        document = bodies.check(body)
        request = read_fields(document, self.request)
        name = model or request.model
        check_model_name(name)
        if not request.messages:
            raise BadRequest("`messages` must hold at least one message.", param="messages")
        streams = stream if stream is not None else bool(getattr(request, "stream", None))
        return Envelope(name, streams, True, 1, document)

    def encode(self, body: bytes, envelope: Envelope, target: Target) -> EncodedBody:
        """See :meth:`antiphon.wires.wire.Wire.encode`."""
        if MODEL_IN_PATH in target.quirks:
            body = encode_json(move_model_to_path(envelope.document))
        elif "model" in envelope.document and target.model != envelope.document["model"]:
            body = bodies.replace(body, "model", msgspec.json.encode(target.model))
        return EncodedBody(remove_foreign_thinking(body, envelope.document))

    def start_stream(self, envelope: Envelope, hides_usage: bool) -> MessagesStream:
        return MessagesStream(self)

    def count_input_bytes(self, envelope: Envelope) -> int:
        """Return the size of the input as text; an image counts as much text as its tokens."""
        document = envelope.document
        size = _count_content_bytes(document.get("system"))
        size += sum(_count_content_bytes(message["content"]) for message in document["messages"])
        tools = document.get("tools")
        return size + (count_json_bytes(tools) if tools else 0)

    def write_error_body(self, error: CallError) -> bytes:
        return errors.write_error_body(error)

    def write_error_frame(self, error: CallError) -> bytes:
        return errors.write_error_frame(error)

    def read_error_message(self, body: bytes) -> str:
        return errors.read_error_message(body)


class Messages(Anthropic):
    """POST /v1/messages."""

    operation = "messages"
    request = _MessagesRequest

    def read_whole(self, body: bytes) -> WholeAnswer:
        """See :meth:`antiphon.wires.wire.Wire.read_whole`."""
        message = _read_answer(body)
        if message.content is None:
            raise BadAnswer(f"The provider answered without `content`: {quote_body(body)}")
        if (usage := read_usage(message.usage)) is not None:
            return WholeAnswer(usage)
        return WholeAnswer(None, sum(_count_output_bytes(block) for block in message.content))


class CountTokens(Anthropic):
    """POST /v1/messages/count_tokens. Counting is free, so its usage is zero."""

    operation = "count_tokens"
    request = _Common

    def read_whole(self, body: bytes) -> WholeAnswer:
        """See :meth:`antiphon.wires.wire.Wire.read_whole`."""
        if type(_read_answer(body).input_tokens) is not int:
            raise BadAnswer(f"The provider answered without `input_tokens`: {quote_body(body)}")
        return WholeAnswer(Usage())


def _read_answer(body: bytes) -> Message:
    message = read_message(body)
    if message.error is not None or message.type == "error":
        raise BadAnswer(f"The provider reported an error: {errors.read_error(message.error)[1]}")
    return message


def _count_output_bytes(block: Block) -> int:
    size = count_text_bytes(block.text) + count_text_bytes(block.thinking) + count_text_bytes(block.name)
    return size if block.input is _UNSET else size + len(bytes(block.input))


def _count_content_bytes(content: Any) -> int:
    """Return the size of a string or of blocks as text; tool results and documents hold blocks, too."""
    if type(content) is not list:
        return count_text_bytes(content)
    return sum(_count_input_block_bytes(block) for block in content if type(block) is dict)


def _count_input_block_bytes(block: dict[str, Any]) -> int:
    size = sum(count_text_bytes(block.get(name)) for name in ("text", "thinking", "name"))
    if block.get("type") == "image":
        size += IMAGE_TOKENS * BYTES_PER_TOKEN
    if type(block.get("input")) is dict:
        size += count_json_bytes(block["input"])
    source = block.get("source")
    if type(source) is dict:
        size += count_text_bytes(source["data"]) if source.get("type") == "text" and "data" in source else 0
        size += _count_content_bytes(source.get("content"))
    return size + _count_content_bytes(block.get("content"))
