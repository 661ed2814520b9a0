"""The Responses wire as a codec; see :class:`translation.codec.Codec`."""

from typing import Any

from antiphon.types import Target
from antiphon.wires.responses.encrypted_content import WIRE
from antiphon.wires.responses.reply import read_reply, write_reply
from antiphon.wires.responses.request_reader import read_request
from antiphon.wires.responses.request_writer import write_request
from antiphon.wires.responses.stream_reader import ResponsesReader
from antiphon.wires.responses.stream_writer import ResponsesWriter
from antiphon.wires.sse import SSESplitter
from antiphon.wires.translation.codec import WrittenRequest
from antiphon.wires.translation.field_names import FieldNames
from antiphon.wires.translation.neutral import Reply, Request

_FIELD_NAMES: FieldNames = {
    "cache_control": ("prompt_cache_breakpoint",),
    "citations": ("annotations",),
    "detail": ("input_image.detail",),
    "filename": ("input_file.filename",),
    "format": ("text.format",),
    "logprobs": ("include", "top_logprobs"),
    "max_tokens": ("max_output_tokens",),
    "modalities": ("tools.image_generation",),
    "reasoning": ("reasoning.effort",),
    "reasoning.summary": ("reasoning.summary", "reasoning.generate_summary"),
    "strict": ("tools.strict",),
    "verbosity": ("text.verbosity",),
}


class ResponsesCodec:
    """POST /v1/responses, in both directions.

    A request that continues a stored response must have been joined with its history
    (:meth:`antiphon.wires.responses.history.History.join`) before it is read.
    """

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

    def make_reader(self) -> ResponsesReader:
        return ResponsesReader()

    def make_writer(self, request: Request) -> ResponsesWriter:
        return ResponsesWriter(request)
