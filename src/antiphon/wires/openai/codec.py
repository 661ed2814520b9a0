"""The chat completions wire as a codec: to and from the neutral form; see :class:`translation.codec.Codec`."""

from typing import Any

from antiphon.clock import now_us
from antiphon.types import Target
from antiphon.wires.openai import reply, request_reader, request_writer
from antiphon.wires.openai.stream_reader import Reader
from antiphon.wires.openai.stream_writer import Writer
from antiphon.wires.sse import SSESplitter
from antiphon.wires.translation.codec import WrittenRequest
from antiphon.wires.translation.field_names import Spellings
from antiphon.wires.translation.neutral import Reply, Request

_SPELLINGS: Spellings = {
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

    wire = reply.WIRE
    spellings = _SPELLINGS

    def read_request(self, document: dict[str, Any], model: str, stream: bool) -> Request:
        return request_reader.read_request(document, model, stream)

    def write_request(self, request: Request, target: Target) -> WrittenRequest:
        return request_writer.write_request(request, target)

    def read_reply(self, body: bytes) -> Reply:
        return reply.read(body)

    def write_reply(self, reply_: Reply, request: Request) -> bytes:
        return reply.write(reply_, request)

    def make_splitter(self) -> SSESplitter:
        return SSESplitter()

    def make_reader(self) -> Reader:
        return Reader()

    def make_writer(self, request: Request) -> Writer:
        return Writer(request, now_us() // 1_000_000)
