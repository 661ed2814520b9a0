"""The Converse wire translated in both directions; see :class:`translation.codec.Codec`."""

from typing import Any

from antiphon.types import Target
from antiphon.wires.aws.eventstream import EventStreamSplitter
from antiphon.wires.bedrock import reply, request_reader, request_writer
from antiphon.wires.bedrock.body_draft import MODEL_FIELDS
from antiphon.wires.bedrock.stream_reader import ConverseReader
from antiphon.wires.bedrock.stream_writer import ConverseWriter
from antiphon.wires.translation.codec import WrittenRequest
from antiphon.wires.translation.field_names import FieldNames
from antiphon.wires.translation.neutral import Reply, Request

_FIELD_NAMES: FieldNames = {
    "cache_control": ("cachePoint",),
    "citations": ("document.citations",),
    "filename": ("document.name",),
    "format": ("outputConfig.textFormat",),
    "max_tokens": ("inferenceConfig.maxTokens",),
    "metadata": ("requestMetadata",),
    "reasoning": (
        f"{MODEL_FIELDS}.thinking",
        "outputConfig.effort",
        f"{MODEL_FIELDS}.reasoning_effort",
        f"{MODEL_FIELDS}.reasoningConfig",
    ),
    "reasoning.summary": (f"{MODEL_FIELDS}.thinking.display",),
    "service_tier": ("serviceTier.type",),
    "stop": ("inferenceConfig.stopSequences",),
    "strict": ("toolConfig.tools.toolSpec.strict",),
    "temperature": ("inferenceConfig.temperature",),
    "tool_choice": ("toolConfig.toolChoice",),
    "top_k": (f"{MODEL_FIELDS}.top_k", f"{MODEL_FIELDS}.inferenceConfig.topK", f"{MODEL_FIELDS}.k"),
    "top_p": ("inferenceConfig.topP",),
}


class BedrockCodec:
    """Translates Converse requests, replies and streams; has no state."""

    wire = "bedrock"
    field_names = _FIELD_NAMES

    def read_request(self, document: dict[str, Any], model: str, stream: bool) -> Request:
        """See :func:`request_reader.read_request`."""
        return request_reader.read_request(document, model, stream)

    def write_request(self, request: Request, target: Target) -> WrittenRequest:
        """See :func:`request_writer.write_request`."""
        return request_writer.write_request(request, target)

    def read_reply(self, body: bytes) -> Reply:
        """See :func:`reply.read_reply`."""
        return reply.read_reply(body)

    def write_reply(self, reply_: Reply, request: Request) -> bytes:
        """See :func:`reply.write_reply`."""
        return reply.write_reply(reply_, request)

    def make_splitter(self) -> EventStreamSplitter:
        return EventStreamSplitter()

    def make_reader(self) -> ConverseReader:
        return ConverseReader()

    def make_writer(self, request: Request) -> ConverseWriter:
        return ConverseWriter()
