"""Converse passed through: what the engine must see of requests, answers and streams whose bytes stay as they are."""

from collections.abc import Callable
from typing import Any

import msgspec

from antiphon.errors import BadRequest, CallError
from antiphon.types import Target, Usage
from antiphon.wires import body as bodies
from antiphon.wires.aws.eventstream import EventStreamSplitter, MessageReader
from antiphon.wires.bedrock import errors, reply, usage
from antiphon.wires.bedrock.events import Delta, decode
from antiphon.wires.checks import check_model_name, read_fields
from antiphon.wires.translation.foreign_signatures import MARK, unpack
from antiphon.wires.wire import EncodedBody, Envelope, PassthroughStream, WholeAnswer, Wire, count_text_bytes

_MODEL_LIMIT = 2048
_MARKED = b'"' + MARK.encode()


class _Message(msgspec.Struct):
    role: str
    content: list[dict[str, Any]]


class _Inference(msgspec.Struct, rename="camel"):
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop_sequences: list[str] | None = None


class _Tools(msgspec.Struct, rename="camel"):
    tools: list[dict[str, Any]] | None = None
    tool_choice: dict[str, Any] | None = None


class _Request(msgspec.Struct, rename="camel"):
    """Fields whose type is checked before a provider is called; everything else passes unread."""

    messages: list[_Message] | None = None
    system: list[dict[str, Any]] | None = None
    inference_config: _Inference | None = None
    tool_config: _Tools | None = None
    guardrail_config: dict[str, Any] | None = None
    additional_model_request_fields: dict[str, Any] | None = None
    prompt_variables: dict[str, Any] | None = None
    request_metadata: dict[str, str] | None = None
    performance_config: dict[str, Any] | None = None
    service_tier: dict[str, Any] | None = None
    output_config: dict[str, Any] | None = None


class Converse:
    """POST /model/{modelId}/converse and /converse-stream; the model and whether to stream stand in the path."""

    operation = "converse"
    end_frame = b""
    """Nothing ends a stream but its last event."""
    stream_type = "application/vnd.amazon.eventstream"
    heartbeat = b""
    """Every frame of this wire is an event to its clients, so that silence stays silence."""
    idling: tuple[bytes, ...] = ()
    forwards: frozenset[bytes] = frozenset()
    requires: tuple[tuple[bytes, bytes], ...] = ()
    shows: tuple[bytes, ...] = (b"x-amzn-requestid", b"x-amzn-errortype", b"retry-after")
    request_id = b"x-amzn-requestid"

    def peek(self, body: bytes, model: str = "", stream: bool | None = None) -> Envelope:
        """See :meth:`antiphon.wires.wire.Wire.peek`."""
        document = bodies.check(body)
        request = read_fields(document, _Request)
        check_model(model)
        if not request.messages and request.prompt_variables is None:  # a stored prompt brings its own
            raise BadRequest("`messages` must hold at least one message.", param="messages")
        return Envelope(model, bool(stream), True, 1, document)

    def encode(self, body: bytes, envelope: Envelope, target: Target) -> EncodedBody:
        """Return the same bytes, without what only travelled through the caller (see ``anthropic.carried``)."""
        if _MARKED not in body:
            return EncodedBody(body)
        kept = [_stripped(message) for message in envelope.document.get("messages") or ()]
        if kept == envelope.document.get("messages", []):
            return EncodedBody(body)
        kept = [message for message in kept if message["content"]]
        return EncodedBody(bodies.replace(body, "messages", msgspec.json.encode(kept)))

    def read_whole(self, body: bytes) -> WholeAnswer:
        """See :meth:`antiphon.wires.wire.Wire.read_whole`."""
        answer = reply.decode(body)
        size = 0
        for block in answer.output.message.content:
            size += count_text_bytes(block.text)
            if block.tool_use is not None:
                size += count_text_bytes(block.tool_use.name) + len(bytes(block.tool_use.input))
            if block.reasoning_content is not None and block.reasoning_content.reasoning_text is not None:
                size += count_text_bytes(block.reasoning_content.reasoning_text.text)
            if block.citations_content is not None:
                size += sum(count_text_bytes(part.text) for part in block.citations_content.content)
        return WholeAnswer(reply.counted(answer), size)

    def start_stream(self, envelope: Envelope, hides_usage: bool) -> "ConverseWatch":
        return ConverseWatch(self)

    def make_splitter(self) -> EventStreamSplitter:
        return EventStreamSplitter()

    def count_input_bytes(self, envelope: Envelope) -> int:
        document = envelope.document
        total = sum(_texts(message.get("content")) for message in document.get("messages") or ())
        tools = document.get("toolConfig")
        return total + _texts(document.get("system")) + (len(msgspec.json.encode(tools)) if tools else 0)

    def list_error_headers(self, error: CallError) -> list[tuple[bytes, bytes]]:
        return errors.list_error_headers(error)

    def write_error_body(self, error: CallError) -> bytes:
        return errors.write_error_body(error)

    def write_error_frame(self, error: CallError) -> bytes:
        return errors.write_error_frame(error)

    def read_error_message(self, body: bytes) -> str:
        return errors.read_error_message(body)


def check_model(model: str) -> None:
    """Raise :class:`BadRequest` where what stands in the path is no name of a model."""
    check_model_name(model, _MODEL_LIMIT, place="The model in the path", param="modelId")


class ConverseWatch(PassthroughStream):
    """Watches the frames of one streamed answer; see ``StreamTranslator``."""

    __slots__ = ("_messages", "complete", "usage")

    def __init__(self, wire: Wire) -> None:
        super().__init__(wire)
        self.complete = False
        self.usage: Usage | None = None
        self._messages = MessageReader()

    def feed(self, frame: bytes) -> bytes:
        message = self._messages.read(frame)
        if (fault := errors.fault_of(message)) is not None:
            self.error = errors.reported(fault)
            return frame
        kind = message.text(":event-type")
        take = _TAKE.get(kind)
        if take is not None:
            take(self, decode(kind, message.payload))
        return frame

    def block_start(self, payload: Any) -> None:
        if (call := payload.start.tool_use) is not None:
            self.committed = True
            self.output_bytes += count_text_bytes(call.name) + 1  # a call without arguments is output, too

    def block_delta(self, payload: Any) -> None:
        if size := _delta_bytes(payload.delta):
            self.committed = True
            self.output_bytes += size

    def message_stop(self, payload: Any) -> None:
        self.committed = self.complete = True

    def metadata(self, payload: Any) -> None:
        told = usage.read(payload.usage, payload.service_tier, payload.performance_config)
        self.usage = told or self.usage
        self.ended = self.complete


_TAKE: dict[str, Callable[[ConverseWatch, Any], None]] = {
    "contentBlockStart": ConverseWatch.block_start,
    "contentBlockDelta": ConverseWatch.block_delta,
    "messageStop": ConverseWatch.message_stop,
    "metadata": ConverseWatch.metadata,
}


def _delta_bytes(delta: Delta) -> int:
    if delta.text is not None:
        return count_text_bytes(delta.text)
    if delta.tool_use is not None:
        return count_text_bytes(delta.tool_use.input)
    if (told := delta.reasoning_content) is not None:
        return count_text_bytes(told.text) + (1 if told.redacted_content else 0)
    return 1 if delta.image is not None else 0


def _stripped(message: dict[str, Any]) -> dict[str, Any]:
    kept = [block for block in message["content"] if not _carried(block)]
    return message if len(kept) == len(message["content"]) else {**message, "content": kept}


def _carried(block: dict[str, Any]) -> bool:
    value: Any = block
    for name in ("reasoningContent", "reasoningText"):
        value = value.get(name)
        if type(value) is not dict:
            return False
    return unpack(value.get("signature")) is not None


def _texts(blocks: Any) -> int:
    """Size of the text in blocks, results of tools included."""
    total = 0
    for block in blocks if type(blocks) is list else ():
        if type(block) is dict:
            total += count_text_bytes(block.get("text"))
            result = block.get("toolResult")
            total += _texts(result.get("content")) if type(result) is dict else 0
    return total
