"""The base of every wire: careful defaults for what :class:`antiphon.wires.wire.Wire` declares."""

from antiphon.errors import CallError
from antiphon.wires.sse import SSESplitter, write_comment, write_frame
from antiphon.wires.wire import Envelope, Splitter, StreamTranslator, Wire


class BaseWire(Wire):
    """A wire of server-sent events that passes no headers on in either direction and never streams.

    A subclass names its ``operation``, reads and writes bodies, and overrides the defaults that do not hold for it.
    """

    end_frame = b""
    stream_type = "text/event-stream"
    heartbeat = write_comment(b"keep-alive")
    keep_alive_prefixes: tuple[bytes, ...] = (b":",)
    forwarded_headers: frozenset[bytes] = frozenset()
    required_headers: tuple[tuple[bytes, bytes], ...] = ()
    response_header_prefixes: tuple[bytes, ...] = ()
    request_id_header = b"x-request-id"

    def start_stream(self, envelope: Envelope, hides_usage: bool) -> StreamTranslator:
        raise NotImplementedError(f"{self.operation} does not stream")

    def make_splitter(self) -> Splitter:
        return SSESplitter()

    def list_error_headers(self, error: CallError) -> list[tuple[bytes, bytes]]:
        return []

    def write_error_frame(self, error: CallError) -> bytes:
        return write_frame(self.write_error_body(error))
