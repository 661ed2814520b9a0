"""Converse passed through: the engine's view of requests, answers and streams whose bytes stay unchanged."""

from collections.abc import Callable
from typing import Any

import msgspec

from antiphon.errors import BadRequest, CallError
from antiphon.types import Target, Usage
from antiphon.wires import body as bodies
from antiphon.wires.aws.eventstream import EventStreamSplitter, MessageReader
from antiphon.wires.base import BaseWire
from antiphon.wires.bedrock import errors
from antiphon.wires.bedrock.event_types import BlockDelta, BlockStart, Delta, Metadata, decode_payload
from antiphon.wires.bedrock.reply import decode_answer, read_answer_usage
from antiphon.wires.bedrock.usage import read_usage
from antiphon.wires.checks import check_model_name, read_fields
from antiphon.wires.translation.foreign_signatures import MARK, unpack_signature
from antiphon.wires.wire import EncodedBody, Envelope, PassthroughStream, WholeAnswer, Wire, count_text_bytes

_MODEL_LIMIT = 2048
SIGNATURE_MARK = b'"' + MARK.encode()
"""Bytes that every body with a signature of another wire has."""


class _Message(msgspec.Struct):
    role: str
    content: list[dict[str, Any]]


class _InferenceConfig(msgspec.Struct, rename="camel"):
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop_sequences: list[str] | None = None


class _ToolConfig(msgspec.Struct, rename="camel"):
    tools: list[dict[str, Any]] | None = None
    tool_choice: dict[str, Any] | None = None


class _Request(msgspec.Struct, rename="camel"):
    """Members whose type is checked before a provider is called; all others pass unread."""

    messages: list[_Message] | None = None
    system: list[dict[str, Any]] | None = None
    inference_config: _InferenceConfig | None = None
    tool_config: _ToolConfig | None = None
    guardrail_config: dict[str, Any] | None = None
    additional_model_request_fields: dict[str, Any] | None = None
    prompt_variables: dict[str, Any] | None = None
    request_metadata: dict[str, str] | None = None
    performance_config: dict[str, Any] | None = None
    service_tier: dict[str, Any] | None = None
    output_config: dict[str, Any] | None = None


class Converse(BaseWire):
    """POST /model/{modelId}/converse and /converse-stream; the path names the model and says whether to stream."""

    operation = "converse"
    stream_type = "application/vnd.amazon.eventstream"
    heartbeat = b""
    """Clients of this wire read every frame as an event, so no heartbeat is possible."""
    keep_alive_prefixes: tuple[bytes, ...] = ()
    response_header_prefixes: tuple[bytes, ...] = (b"x-amzn-requestid", b"x-amzn-errortype", b"retry-after")
    request_id_header = b"x-amzn-requestid"

    def peek(self, body: bytes, model: str = "", stream: bool | None = None) -> Envelope:
        """See :meth:`antiphon.wires.wire.Wire.peek`."""
        document = bodies.check(body)
        check_model_id(model)
        self.check_request(document)
        return Envelope(model, bool(stream), True, 1, document)

    def check_request(self, document: dict[str, Any]) -> None:
        """Raise :class:`BadRequest` for a request that no model could answer."""
        request = read_fields(document, _Request)
        if not request.messages and request.prompt_variables is None:  # a stored prompt has its own messages
            raise BadRequest("`messages` must hold at least one message.", param="messages")

    def encode(self, body: bytes, envelope: Envelope, target: Target) -> EncodedBody:
        """Return the same bytes without the signatures of other wires (see ``translation.foreign_signatures``)."""
        if SIGNATURE_MARK not in body:
            return EncodedBody(body)
        messages = envelope.document.get("messages") or []
        own_messages = [_remove_foreign_blocks(message) for message in messages]
        if own_messages == messages:
            return EncodedBody(body)
        own_messages = [message for message in own_messages if message["content"]]
        return EncodedBody(bodies.replace(body, "messages", msgspec.json.encode(own_messages)))

    def read_whole(self, body: bytes) -> WholeAnswer:
        """See :meth:`antiphon.wires.wire.Wire.read_whole`."""
        answer = decode_answer(body)
        if (usage := read_answer_usage(answer)) is not None:
            return WholeAnswer(usage)
        size = 0
        for block in answer.output.message.content:
            size += count_text_bytes(block.text)
            if block.tool_use is not None:
                size += count_text_bytes(block.tool_use.name) + len(bytes(block.tool_use.input))
            if block.reasoning_content is not None and block.reasoning_content.reasoning_text is not None:
                size += count_text_bytes(block.reasoning_content.reasoning_text.text)
            if block.citations_content is not None:
                size += sum(count_text_bytes(part.text) for part in block.citations_content.content)
        return WholeAnswer(None, size)

    def start_stream(self, envelope: Envelope, hides_usage: bool) -> "ConverseStream":
        return ConverseStream(self)

    def make_splitter(self) -> EventStreamSplitter:
        return EventStreamSplitter()

    def count_input_bytes(self, envelope: Envelope) -> int:
        document = envelope.document
        total = sum(_count_block_bytes(message.get("content")) for message in document.get("messages") or ())
        tools = document.get("toolConfig")
        return total + _count_block_bytes(document.get("system")) + (len(msgspec.json.encode(tools)) if tools else 0)

    def list_error_headers(self, error: CallError) -> list[tuple[bytes, bytes]]:
        return errors.list_error_headers(error)

    def write_error_body(self, error: CallError) -> bytes:
        return errors.write_error_body(error)

    def write_error_frame(self, error: CallError) -> bytes:
        return errors.write_error_frame(error)

    def read_error_message(self, body: bytes) -> str:
        return errors.read_error_message(body)


def check_model_id(model: str) -> None:
    """Raise :class:`BadRequest` if the path cannot name a model."""
    check_model_name(model, _MODEL_LIMIT, place="The model in the path", param="modelId")


class ConverseStream(PassthroughStream):
    """Observes the frames of one streamed answer; see ``StreamTranslator``."""

    __slots__ = ("_messages", "complete", "usage")

    def __init__(self, wire: Wire) -> None:
        super().__init__(wire)
        self.complete = False
        self.usage: Usage | None = None
        self._messages = MessageReader()

    def feed(self, frame: bytes) -> bytes:
        message = self._messages.read(frame)
        if (fault := errors.find_fault(message)) is not None:
            self.error = errors.make_fault_error(fault)
            return frame
        kind = message.get_text(":event-type")
        observe = _OBSERVERS.get(kind)
        if observe is not None:
            observe(self, decode_payload(kind, message.payload))
        return frame

    def observe_block_start(self, payload: BlockStart) -> None:
        if (tool_use := payload.start.tool_use) is not None:
            self.committed = True
            self.output_bytes += count_text_bytes(tool_use.name) + 1  # a call without arguments is output, too

    def observe_block_delta(self, payload: BlockDelta) -> None:
        if size := _count_delta_bytes(payload.delta):
            self.committed = True
            self.output_bytes += size

    def observe_message_stop(self, payload: object) -> None:
        self.committed = self.complete = True

    def observe_metadata(self, payload: Metadata) -> None:
        usage = read_usage(payload.usage, payload.service_tier, payload.performance_config)
        self.usage = usage or self.usage
        self.ended = self.complete


_OBSERVERS: dict[str, Callable[[ConverseStream, Any], None]] = {
    "contentBlockStart": ConverseStream.observe_block_start,
    "contentBlockDelta": ConverseStream.observe_block_delta,
    "messageStop": ConverseStream.observe_message_stop,
    "metadata": ConverseStream.observe_metadata,
}


def _count_delta_bytes(delta: Delta) -> int:
    if delta.text is not None:
        return count_text_bytes(delta.text)
    if delta.tool_use is not None:
        return count_text_bytes(delta.tool_use.input)
    if (reasoning := delta.reasoning_content) is not None:
        return count_text_bytes(reasoning.text) + (1 if reasoning.redacted_content else 0)
    return 1 if delta.image is not None else 0


def _remove_foreign_blocks(message: dict[str, Any]) -> dict[str, Any]:
    own_blocks = [block for block in message["content"] if not _is_foreign(block)]
    return message if len(own_blocks) == len(message["content"]) else {**message, "content": own_blocks}


def _is_foreign(block: dict[str, Any]) -> bool:
    """Say whether a block of reasoning carries a signature of another wire."""
    value: Any = block
    for name in ("reasoningContent", "reasoningText"):
        value = value.get(name)
        if type(value) is not dict:
            return False
    return unpack_signature(value.get("signature")) is not None


def _count_block_bytes(blocks: Any) -> int:
    """Return the size of the text in blocks, including tool results."""
    total = 0
    for block in blocks if type(blocks) is list else ():
        if type(block) is dict:
            total += count_text_bytes(block.get("text"))
            result = block.get("toolResult")
            total += _count_block_bytes(result.get("content")) if type(result) is dict else 0
    return total
