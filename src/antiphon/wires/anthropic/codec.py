"""The Messages wire as a codec: to and from the neutral form; see :class:`translation.codec.Codec`."""

from typing import Any

from antiphon.types import Target
from antiphon.wires.anthropic.reply import read_reply, write_reply
from antiphon.wires.anthropic.request_reader import read_request
from antiphon.wires.anthropic.request_writer import write_request
from antiphon.wires.anthropic.stream_reader import MessagesReader
from antiphon.wires.anthropic.stream_writer import MessagesWriter
from antiphon.wires.sse import SSESplitter
from antiphon.wires.translation.codec import WrittenRequest
from antiphon.wires.translation.field_names import FieldNames
from antiphon.wires.translation.neutral import Reply, Request

_FIELD_NAMES: FieldNames = {
    "filename": ("title",),
    "format": ("output_config.format", "output_format"),
    "parallel_tool_calls": ("tool_choice.disable_parallel_tool_use",),
    "reasoning": ("thinking.type", "output_config.effort"),
    "reasoning.summary": ("thinking.display",),
    "stop": ("stop_sequences",),
    "strict": ("tools.strict",),
    "user": ("metadata.user_id",),
}


class AnthropicCodec:
    """POST /v1/messages, in both directions."""

    wire = "anthropic"
    field_names = _FIELD_NAMES

    def read_request(self, document: dict[str, Any], model: str, stream: bool) -> Request:
        return read_request(document, model, stream)

    def write_request(self, request: Request, target: Target) -> WrittenRequest:
        return write_request(request, target)

    def read_reply(self, body: bytes) -> Reply:
        return read_reply(body)

    def write_reply(self, reply: Reply, request: Request) -> bytes:
        return write_reply(reply, request)

    def make_splitter(self) -> SSESplitter:
        return SSESplitter()

    def make_reader(self) -> MessagesReader:
        return MessagesReader()

    def make_writer(self, request: Request) -> MessagesWriter:
        return MessagesWriter(request)
