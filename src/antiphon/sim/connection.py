"""One connection of the standalone simulator: reads HTTP/1.1 requests and answers them one after the other."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import cast

import httptools
import msgspec

from antiphon import clock
from antiphon.sim.faults import plan_json
from antiphon.sim.request_log import LogEntry, make_entry
from antiphon.sim.response_plan import ResponsePlan
from antiphon.sim.response_writer import ResponseWriter
from antiphon.sim.wire_format import write_openai_error

logger = logging.getLogger("antiphon.sim")

_MAX_BODY = 64 * 2**20
_MAX_PIPELINED = 16


class HttpRequest(msgspec.Struct):
    """A request while it is being read."""

    path: bytes = b""
    method: bytes = b""
    headers: dict[bytes, bytes] = {}
    body: bytes | bytearray = b""
    keep_alive: bool = True
    http_1_0: bool = False
    """The client does not know chunked bodies."""


class Connection(asyncio.Protocol):
    """Reads requests and writes the responses that ``plan_response`` returns for them.

    ``plan_response`` takes the request, the connection and a new entry, which it adds to the log if the request
    belongs there. ``connections`` is the server's set of open connections.
    """

    def __init__(
        self,
        plan_response: "Callable[[HttpRequest, Connection, LogEntry], ResponsePlan]",
        connections: "set[Connection]",
    ) -> None:
        self._plan_response = plan_response
        self._connections = connections
        self._parser = httptools.HttpRequestParser(self)
        self._request = HttpRequest()
        self._queue: deque[HttpRequest] = deque()
        self._task: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._paused = False
        self._transport: asyncio.Transport | None = None
        self.entry: LogEntry | None = None
        self.opened = clock.read_time_us()
        self.peer = ""
        self.requests = 0

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.peer = ":".join(map(str, transport.get_extra_info("peername")[:2]))
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        if self.entry is not None and not self.entry.ended:
            self.entry.ended = "left"
            self.entry.closed_after = (clock.read_time_us() - self.entry.time) / 1e6
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._reject(400, "The simulator speaks HTTP/1.1 only.")
        except httptools.HttpParserError as error:
            self._reject(400, f"The bytes are not HTTP: {error}")

    # Called by the parser.

    def on_message_begin(self) -> None:
        self._request = HttpRequest()

    def on_url(self, url: bytes) -> None:
        self._request.path += url

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        self._request.headers[name] = value
        if name == b"expect" and value.lower() == b"100-continue" and self._task is None and self._transport:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        request = self._request
        if not request.body:
            request.body = body
            return
        if isinstance(request.body, bytes):
            request.body = bytearray(request.body)
        request.body += body
        if len(request.body) > _MAX_BODY:
            self._reject(413, f"The body is larger than {_MAX_BODY} bytes.")

    def on_message_complete(self) -> None:
        request = self._request
        request.method = self._parser.get_method()
        request.keep_alive = self._parser.should_keep_alive()
        request.http_1_0 = self._parser.get_http_version() == "1.0"
        self._queue.append(request)
        if len(self._queue) >= _MAX_PIPELINED and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._serve())

    # Answering.

    def close(self) -> None:
        """Close at once; a response in progress is cut."""
        if self._transport is not None:
            self._transport.abort()

    def _reject(self, status: int, message: str) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        body = write_openai_error(status, message, "invalid_request_error")
        transport.write(plan_json(status, body, []).write_head(b"close") + body)
        transport.close()

    async def _serve(self) -> None:
        try:
            while self._queue and self._transport is not None and not self._transport.is_closing():
                request = self._queue.popleft()
                if self._paused:
                    self._paused = False
                    self._transport.resume_reading()
                await self._answer(request, self._transport)
        except Exception:
            logger.exception("The simulator failed on %r", self.entry)
            self._reject(500, "The simulator failed. The cause is in its log.")
        finally:
            self._task = None

    async def _answer(self, request: HttpRequest, transport: asyncio.Transport) -> None:
        entry = self.entry = make_entry(request.method, request.path, request.headers)
        self.requests += 1
        plan = self._plan_response(request, self, entry)
        entry.operation, entry.model, entry.status = plan.operation, plan.model, plan.status
        plan.chunked = plan.chunked and not request.http_1_0
        keep = request.keep_alive and (plan.chunked or plan.length is not None or plan.status == 204)
        writer = ResponseWriter(transport, self._writable, plan, entry)
        connection = b"" if keep and not request.http_1_0 else b"keep-alive" if keep else b"close"
        entry.ended = await writer.write(connection, head_only=request.method == b"HEAD")
        entry.completed = entry.ended == "complete"
        if not keep:
            transport.close()
