"""The Converse wire in both directions; see :class:`translation.codec.Codec`."""

from typing import Any

from antiphon.types import Target
from antiphon.wires.aws.eventstream import EventStreamSplitter
from antiphon.wires.bedrock import reply, request_in, request_out
from antiphon.wires.bedrock.draft import MORE
from antiphon.wires.bedrock.stream_in import ConverseReader
from antiphon.wires.bedrock.stream_out import ConverseWriter
from antiphon.wires.translation.codec import WrittenRequest
from antiphon.wires.translation.field_names import Spellings
from antiphon.wires.translation.neutral import Reply, Request

_SPELLINGS: Spellings = {
    "cache_control": ("cachePoint",),
    "citations": ("document.citations",),
    "filename": ("document.name",),
    "format": ("outputConfig.textFormat",),
    "max_tokens": ("inferenceConfig.maxTokens",),
    "metadata": ("requestMetadata",),
    "reasoning": (f"{MORE}.thinking", "outputConfig.effort", f"{MORE}.reasoning_effort", f"{MORE}.reasoningConfig"),
    "reasoning.summary": (f"{MORE}.thinking.display",),
    "service_tier": ("serviceTier.type",),
    "stop": ("inferenceConfig.stopSequences",),
    "strict": ("toolConfig.tools.toolSpec.strict",),
    "temperature": ("inferenceConfig.temperature",),
    "tool_choice": ("toolConfig.toolChoice",),
    "top_k": (f"{MORE}.top_k", f"{MORE}.inferenceConfig.topK", f"{MORE}.k"),
    "top_p": ("inferenceConfig.topP",),
}


class BedrockCodec:
    """Translates Converse requests, replies and streams; holds nothing."""

    wire = "bedrock"
    spellings = _SPELLINGS

    def read_request(self, document: dict[str, Any], model: str, stream: bool) -> Request:
        """See :func:`request_in.read`."""
        return request_in.read(document, model, stream)

    def write_request(self, request: Request, target: Target) -> WrittenRequest:
        """See :func:`request_out.write`."""
        return request_out.write(request, target)

    def read_reply(self, body: bytes) -> Reply:
        """See :func:`reply.read`."""
        return reply.read(body)

    def write_reply(self, reply_: Reply, request: Request) -> bytes:
        """See :func:`reply.write`."""
        return reply.write(reply_, request)

    def make_splitter(self) -> EventStreamSplitter:
        return EventStreamSplitter()

    def make_reader(self) -> ConverseReader:
        return ConverseReader()

    def make_writer(self, request: Request) -> ConverseWriter:
        return ConverseWriter()
