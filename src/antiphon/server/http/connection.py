"""One HTTP/1.1 connection (RFC 9110, RFC 9112): the order of its requests, flow control and deadlines.

``docs/http.md`` lists the promises, ``docs/decisions/0005-http-server.md`` says why Antiphon has its own server.

Requests of one connection run one at a time, in order. As soon as one has to wait, parsing stops and then reading
stops, so a client that does not read its answers cannot fill the memory. A refusal is sent after the answers before it.
A client that closes its sending side is taken to have left, as in most gateways, and its call is cancelled.
"""

import asyncio
from collections import deque
from http import HTTPStatus
from math import inf
from time import gmtime, time
from typing import cast

from antiphon.errors import CallError, SlowRequest
from antiphon.server.errors import write_error_body
from antiphon.server.http import head as heads
from antiphon.server.http.exchange import App, Exchange
from antiphon.server.http.limits import Limits
from antiphon.server.http.parser import BODY, DONE, HEAD, IDLE, STEP, RequestParser

_DAYS = (b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun")
_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")
_FLUSH_ALONE = 16 * 1024
"""Bytes from which two writes are cheaper than copying two buffers into one."""


class HttpServer:
    """The state that all connections of one server share.

    While ``draining`` is set, every answer is the last of its connection.
    """

    def __init__(self, app: App, limits: Limits | None = None) -> None:
        self.app = app
        self.limits = limits or Limits()
        self.draining = False
        self.connections: set[HttpConnection] = set()
        self.left_behind: set[asyncio.Task[None]] = set()
        """Tasks of requests whose client has left; the engine may still have to journal the cancelled call."""
        self._second = 0
        self._openings: dict[int, bytes] = {}

    def get_opening(self, status: int) -> bytes:
        """Return the status line and the ``date`` field."""
        second = int(time())
        if second != self._second:
            self._second = second
            self._openings.clear()
        opening = self._openings.get(status)
        if opening is None:
            opening = self._openings[status] = b"%bdate: %b\r\n" % (
                _write_status_line(status),
                format_http_date(second),
            )
        return opening

    def connect(self) -> "HttpConnection":
        """Return the protocol for a new connection; a factory for ``loop.create_server``."""
        return HttpConnection(self)


def format_http_date(second: int) -> bytes:
    """Return a time in the format of RFC 9110, 5.6.7."""
    year, month, day, hour, minute, seconds, weekday, _, _ = gmtime(second)
    names = (_DAYS[weekday], day, _MONTHS[month - 1], year, hour, minute, seconds)
    return b"%b, %02d %b %04d %02d:%02d:%02d GMT" % names


def _write_status_line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return b"HTTP/1.1 %d %b\r\n" % (status, phrase.encode())


class HttpConnection(asyncio.Protocol):
    """One connection."""

    def __init__(self, server: HttpServer) -> None:
        self.server = server
        self.limits = server.limits
        self.loop = asyncio.get_running_loop()
        self.lost = False
        self.write_paused = False
        self._transport: asyncio.Transport
        self.local_port = 0
        # The order of requests
        self._parser = RequestParser(self)
        self._current: Exchange | None = None
        self._queue: deque[Exchange] = deque()
        self._held = b""
        self._refusal: tuple[CallError, bytes] | None = None
        # Flow and time: there is one timer, which is set again only when it fires or has to fire sooner
        self._reading = True
        self._lingering = False
        self._drained: asyncio.Future[None] | None = None
        self._unwritten = 0
        self._watched = IDLE
        self._read_by = inf
        self._write_by = inf
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = inf

    # Called by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=self.limits.write_buffer)
        address = transport.get_extra_info("sockname")
        self.local_port = address[1] if isinstance(address, tuple) else 0
        self.server.connections.add(self)
        self._read_by = self.loop.time() + self.limits.head_time
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self.server.connections.discard(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        current, self._current = self._current, None
        if current is not None and current.task is not None:
            self.server.left_behind.add(current.task)
            current.task.add_done_callback(self.server.left_behind.discard)
            current.task.cancel()
        self._queue.clear()
        self._held = b""
        self._parser.close()

    def eof_received(self) -> None:
        """The client has left: returning nothing lets the transport close."""

    def data_received(self, data: bytes) -> None:
        parser = self._parser
        if parser.phase == DONE:
            return
        if self._queue or self._held:
            self._held += data
        elif len(data) <= STEP:
            parser.feed(data)
        else:
            self._consume(memoryview(data))
        if parser.phase or self._watched or self._queue:
            self.update_reading()

    def pause_writing(self) -> None:
        self.write_paused = True
        self._watch_writing()

    def resume_writing(self) -> None:
        self.write_paused = False
        self._write_by = inf
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    # Called by the server

    def shutdown(self) -> None:
        """Close the connection now if it is idle; otherwise the running answer is its last."""
        if self._current is None and not self._lingering:
            self._parser.phase = DONE
            self._watch_writing()
            self._transport.close()

    def cancel(self) -> bool:
        """Cancel the running request, if there is one; its client sees the connection break."""
        if self._current is None or self._current.task is None:
            return False
        return self._current.task.cancel()

    # Called by the parser

    def on_request(self, method: bytes, version: str, head: heads.Head, fields: heads.Fields, keep: bool) -> Exchange:
        """Take a request, and start it if no other one is running."""
        exchange = Exchange(self, method.decode("ascii"), version, head, fields, keep)
        self._read_by, self._watched = inf, IDLE
        if self._current is None:
            self._start(exchange)
        else:
            self._queue.append(exchange)
        return exchange

    def on_refusal(self, error: CallError, method: bytes) -> None:
        """Answer with an error after the answers before it, and close."""
        self._refusal = (error, method)
        if self._current is None:
            self._refuse_now()

    # Called by an exchange

    def write(self, head: bytes, body: bytes = b"") -> None:
        """Write an answer's head, body or both; the transport joins writes of one iteration of the loop."""
        if self.lost:
            return
        if len(body) < _FLUSH_ALONE:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            self._transport.write(body)

    async def drain(self) -> None:
        """Return when the client has taken enough of what was written."""
        if self.lost or not self.write_paused:
            return
        self._drained = self.loop.create_future()
        try:
            await self._drained
        finally:
            self._drained = None

    def abort(self) -> None:
        """Abort the connection, so that an unfinished answer cannot be mistaken for a whole one."""
        if not self.lost:
            self._parser.phase = DONE
            self._transport.abort()

    def on_answered(self, keep: bool) -> None:
        """Continue with the next request of this connection after a whole answer."""
        self._current = None
        if self.lost:
            return
        if not keep or self.server.draining:
            self._close_gracefully()
        elif self._queue or self._held or self._refusal is not None or not self._reading or self._parser.phase:
            self._continue()
        else:
            self._wait_for_request()

    def _continue(self) -> None:
        """Go on with input that has waited for the answer."""
        if self._queue:
            self._start(self._queue.popleft())
        if self._held and not self._queue:
            held, self._held = self._held, b""
            self._consume(memoryview(held))
        if self._current is None:
            if self._refusal is not None:
                self._refuse_now()
                return
            if self._parser.phase == IDLE:
                self._wait_for_request()
        if self._parser.phase or not self._reading:
            self.update_reading()

    def _wait_for_request(self) -> None:
        self._read_by = read_by = self.loop.time() + self.limits.idle_time
        if self._timer is None or read_by < self._timer_at:
            self._arm()

    def update_reading(self) -> None:
        """Read from the socket only while the input can be used, and apply the client's deadline meanwhile."""
        if self.lost:
            return
        phase, exchange = self._parser.phase, self._parser.exchange
        full = phase == BODY and exchange is not None and exchange.is_over_high_water
        wanted = self._lingering or not (full or self._queue or self._held)
        if wanted != self._reading:
            self._reading = wanted
            if wanted:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()
        if phase == DONE:
            return
        if not wanted or (phase == IDLE and self._watched):
            self._read_by, self._watched = inf, IDLE
        elif phase != self._watched or (phase == BODY and exchange is not None and exchange.streamed):
            self._watched = phase
            self._read_by = self.loop.time() + (self.limits.head_time if phase == HEAD else self.limits.body_time)
            self._arm()

    # Order

    def _consume(self, data: memoryview) -> None:
        """Parse until a request has to wait, and keep the remaining input."""
        while data and not self._queue and self._parser.phase != DONE:
            data = data[self._parser.consume(data) :]
        if self._parser.phase != DONE:
            self._held = bytes(data)

    def _start(self, exchange: Exchange) -> None:
        self._current = exchange
        exchange.task = self.loop.create_task(exchange.run(self.server.app))

    def _refuse_now(self) -> None:
        if self._refusal is None:
            return
        error, method = self._refusal
        body = write_error_body(error)
        head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
        self.write(self.server.get_opening(error.status) + head, b"" if method == b"HEAD" else body)
        self._close_gracefully()

    def _close_gracefully(self) -> None:
        """Close in stages (RFC 9112, 9.6): input is read and dropped, because a reset would destroy the answer."""
        self._parser.phase = DONE
        self._held = b""
        self._queue.clear()
        self._lingering = True
        self._transport.write_eof()
        self._read_by = self.loop.time() + self.limits.linger_time
        self._watch_writing()
        self.update_reading()

    # Time

    def _watch_writing(self) -> None:
        self._unwritten = self._transport.get_write_buffer_size()
        self._write_by = self.loop.time() + self.limits.stall_time
        self._arm()

    def _arm(self) -> None:
        when = min(self._read_by, self._write_by)
        if self._timer is not None:
            if when >= self._timer_at:
                return
            self._timer.cancel()
            self._timer = None
        if when != inf:
            self._timer_at = when
            self._timer = self.loop.call_at(when, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        now = self.loop.time()
        if self._write_by <= now:
            self._on_write_stall()
        if self._read_by <= now:
            self._read_by = inf
            self._on_read_late()
        if not self.lost:
            self._arm()

    def _on_write_stall(self) -> None:
        if self._transport.get_write_buffer_size() < self._unwritten:
            self._watch_writing()
        else:
            self._write_by = inf
            self.abort()

    def _on_read_late(self) -> None:
        phase = self._parser.phase
        if phase == HEAD:
            self._parser.reject(SlowRequest(f"The request head took longer than {self.limits.head_time:g} s."))
        elif phase == BODY:
            self._parser.reject(SlowRequest(f"The request body took longer than {self.limits.body_time:g} s."))
        elif self._current is None:
            self._transport.close()
