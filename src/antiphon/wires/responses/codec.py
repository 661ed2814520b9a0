"""The Responses wire as a codec: where its halves are found."""

from typing import Any

from antiphon.types import Target
from antiphon.wires.codec import Written
from antiphon.wires.neutral import Reply, Request
from antiphon.wires.responses import answer, request, writer
from antiphon.wires.responses.reader import ResponsesReader
from antiphon.wires.responses.seal import WIRE
from antiphon.wires.responses.writer import ResponsesWriter
from antiphon.wires.sse import SSESplitter


class ResponsesCodec:
    """See :class:`antiphon.wires.codec.Codec`.

    A request whose conversation goes on from a stored response must have been joined with it
    (:mod:`antiphon.wires.responses.thread`) before it is read.
    """

    wire = WIRE
    stream_type = "text/event-stream"

    def read_request(self, document: dict[str, Any], model: str, stream: bool) -> Request:
        return request.read_request(document, model, stream)

    def write_request(self, asked: Request, target: Target) -> Written:
        return request.write_request(asked, target)

    def read_reply(self, body: bytes) -> Reply:
        return answer.read_reply(body)

    def write_reply(self, reply: Reply, asked: Request) -> bytes:
        return writer.write_reply(reply, asked)

    def splitter(self) -> SSESplitter:
        return SSESplitter()

    def reader(self) -> ResponsesReader:
        return ResponsesReader()

    def writer(self, asked: Request) -> ResponsesWriter:
        return ResponsesWriter(asked)
