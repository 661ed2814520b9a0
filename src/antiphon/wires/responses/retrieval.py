"""Answers about a response that its provider stores: retrieved, listed, cancelled, deleted, streamed again.

Only their usage is read.
"""

from antiphon.wires.responses.finish import UNFINISHED
from antiphon.wires.responses.frames import StreamEvent
from antiphon.wires.responses.passthrough import Responses
from antiphon.wires.responses.passthrough_stream import ResponsesStream
from antiphon.wires.responses.types import read_response
from antiphon.wires.responses.usage import read_usage
from antiphon.wires.wire import Envelope, WholeAnswer


class RetrieveWire(Responses):
    """Answers below /v1/responses/{id}; a failed response is an ordinary answer here."""

    def read_whole(self, body: bytes) -> WholeAnswer:
        """See :meth:`antiphon.wires.wire.Wire.read_whole`; usage counts only once a response has ended."""
        response = read_response(body)
        usage = None if response.status in UNFINISHED else read_usage(bytes(response.usage))
        return WholeAnswer(usage)

    def start_stream(self, envelope: Envelope, hides_usage: bool) -> "RetrievedStream":
        return RetrievedStream(self, eager=True)


class RetrievedStream(ResponsesStream):
    """A stream that is replayed; its usage was recorded the first time."""

    __slots__ = ()

    def _read_end(self, event: StreamEvent, frame: bytes) -> bytes:
        self._response = bytes(event.response)
        self.committed = self.ended = True
        return frame

    def _read_error(self, event: StreamEvent, frame: bytes) -> bytes:
        self.committed = True  # the failed response follows
        return frame
