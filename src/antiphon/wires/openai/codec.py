"""The chat completions wire as a codec; see :class:`translation.codec.Codec`."""

from typing import Any

from antiphon.clock import read_time_us
from antiphon.types import Target
from antiphon.wires.openai.reply import WIRE, read_reply, write_reply
from antiphon.wires.openai.request_reader import read_request
from antiphon.wires.openai.request_writer import write_request
from antiphon.wires.openai.stream_reader import ChatReader
from antiphon.wires.openai.stream_writer import ChatWriter
from antiphon.wires.sse import SSESplitter
from antiphon.wires.translation.codec import WrittenRequest
from antiphon.wires.translation.field_names import FieldNames
from antiphon.wires.translation.neutral import Reply, Request

_FIELD_NAMES: FieldNames = {
    "citations": ("annotations",),
    "detail": ("image_url.detail",),
    "filename": ("file.filename",),
    "format": ("response_format",),
    "max_tokens": ("max_completion_tokens", "max_tokens"),
    "name": ("messages.name",),
    "reasoning": ("reasoning_effort",),
    "strict": ("tools.function.strict",),
}


class OpenAICodec:
    """POST /v1/chat/completions, in both directions."""

    wire = WIRE
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

    def make_reader(self) -> ChatReader:
        return ChatReader()

    def make_writer(self, request: Request) -> ChatWriter:
        return ChatWriter(request, read_time_us() // 1_000_000)
