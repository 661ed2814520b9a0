"""One connection of the standalone simulator: HTTP/1.1 requests in, performances out, one after the other."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import cast

import httptools
import msgspec

from antiphon import clock
from antiphon.sim.dialect import openai_error
from antiphon.sim.faults import document
from antiphon.sim.performance import Performance
from antiphon.sim.served import Served, noted
from antiphon.sim.stage import Stage

logger = logging.getLogger("antiphon.sim")

_MOST_BODY = 64 * 2**20
_MOST_PIPELINED = 16


class Exchange(msgspec.Struct):
    """A request as it is read."""

    path: bytes = b""
    method: bytes = b""
    headers: dict[bytes, bytes] = {}
    body: bytes | bytearray = b""
    keep_alive: bool = True
    old: bool = False
    """HTTP/1.0: no chunks."""


class Connection(asyncio.Protocol):
    """Reads requests and performs what ``answering`` gives for them.

    ``answering`` takes the request, the connection and the entry of the log, which it adds to the log if it belongs
    there. ``connections`` is the server's set of open ones.
    """

    def __init__(
        self,
        answering: "Callable[[Exchange, Connection, Served], Performance]",
        connections: "set[Connection]",
    ) -> None:
        self._answering = answering
        self._connections = connections
        self._parser = httptools.HttpRequestParser(self)
        self._exchange = Exchange()
        self._queue: deque[Exchange] = deque()
        self._task: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._paused = False
        self._transport: asyncio.Transport | None = None
        self.entry: Served | None = None
        self.opened = clock.now_us()
        self.peer = ""
        self.requests = 0

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.peer = ":".join(map(str, transport.get_extra_info("peername")[:2]))
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        if self.entry is not None and not self.entry.ended:
            self.entry.ended = "left"
            self.entry.closed_after = (clock.now_us() - self.entry.time) / 1e6
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
            self._refuse(400, "The simulator speaks HTTP/1.1 only.")
        except httptools.HttpParserError as problem:
            self._refuse(400, f"The bytes are not HTTP: {problem}")

    # What the parser calls.

    def on_message_begin(self) -> None:
        self._exchange = Exchange()

    def on_url(self, url: bytes) -> None:
        self._exchange.path += url

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        self._exchange.headers[name] = value
        if name == b"expect" and value.lower() == b"100-continue" and self._task is None and self._transport:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        exchange = self._exchange
        if not exchange.body:
            exchange.body = body
            return
        if isinstance(exchange.body, bytes):
            exchange.body = bytearray(exchange.body)
        exchange.body += body
        if len(exchange.body) > _MOST_BODY:
            self._refuse(413, f"The body is larger than {_MOST_BODY} bytes.")

    def on_message_complete(self) -> None:
        exchange = self._exchange
        exchange.method = self._parser.get_method()
        exchange.keep_alive = self._parser.should_keep_alive()
        exchange.old = self._parser.get_http_version() == "1.0"
        self._queue.append(exchange)
        if len(self._queue) >= _MOST_PIPELINED and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._serve())

    # Answering.

    def close(self) -> None:
        """Close at once; an answer in progress is cut."""
        if self._transport is not None:
            self._transport.abort()

    def _refuse(self, status: int, message: str) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        body = openai_error(status, message, "invalid_request_error")
        transport.write(document(status, body, []).head(b"close") + body)
        transport.close()

    async def _serve(self) -> None:
        try:
            while self._queue and self._transport is not None and not self._transport.is_closing():
                exchange = self._queue.popleft()
                if self._paused:
                    self._paused = False
                    self._transport.resume_reading()
                await self._answer(exchange, self._transport)
        except Exception:
            logger.exception("The simulator failed on %r", self.entry)
            self._refuse(500, "The simulator failed. The cause is in its log.")
        finally:
            self._task = None

    async def _answer(self, exchange: Exchange, transport: asyncio.Transport) -> None:
        entry = self.entry = noted(exchange.method, exchange.path, exchange.headers)
        self.requests += 1
        answer = self._answering(exchange, self, entry)
        entry.operation, entry.model, entry.status = answer.operation, answer.model, answer.status
        answer.chunked = answer.chunked and not exchange.old
        keep = exchange.keep_alive and (answer.chunked or answer.length is not None or answer.status == 204)
        stage = Stage(transport, self._writable, answer, entry)
        connection = b"" if keep and not exchange.old else b"keep-alive" if keep else b"close"
        entry.ended = await stage.perform(connection, bodiless=exchange.method == b"HEAD")
        entry.completed = entry.ended == "complete"
        if not keep:
            transport.close()
