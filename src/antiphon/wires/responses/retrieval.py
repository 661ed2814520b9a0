"""What a provider says of a response that it keeps: shown, listed, cancelled, deleted, told again. It passes unread but
for what was used."""

from antiphon.wires.responses import usage as usages
from antiphon.wires.responses.frame import StreamEvent
from antiphon.wires.responses.passthrough import Responses
from antiphon.wires.responses.passthrough_stream import ResponsesStream
from antiphon.wires.responses.replay import is_unfinished
from antiphon.wires.responses.reply import read_answer
from antiphon.wires.wire import Envelope, WholeAnswer


class RetrieveWire(Responses):
    """Answers below /v1/responses/{id}; one that failed is an answer here."""

    def read_whole(self, body: bytes) -> WholeAnswer:
        """See :meth:`antiphon.wires.wire.Wire.read_whole`; nothing is used up before a response has ended."""
        answer = read_answer(body)
        usage = None if is_unfinished({"status": answer.status}) else usages.read(bytes(answer.usage))
        return WholeAnswer(usage, 0)

    def start_stream(self, envelope: Envelope, hides_usage: bool) -> "RetrievedStream":
        return RetrievedStream(self, eager=True)


class RetrievedStream(ResponsesStream):
    """Watches a stream that is told again; what was used was recorded the first time."""

    __slots__ = ()

    def _end(self, event: StreamEvent, frame: bytes) -> bytes:
        self._response = bytes(event.response)
        self.committed = self.ended = True
        return frame

    def _fail(self, event: StreamEvent, frame: bytes) -> bytes:
        self.committed = True  # the response that failed comes after it
        return frame
