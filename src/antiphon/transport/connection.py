"""One connection to one origin: bytes in, bytes out, one exchange at a time.

llhttp (through httptools) parses; it is strict about line ends, field syntax, lengths and chunk sizes. This module adds
the rest: caps, the transfer codings that are accepted, where an answer ends that ends with its connection, and whether
any bytes followed the end. Only the connection knows these, so only it decides whether it may be used again.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from typing import Protocol

import httptools

from antiphon.clock import monotonic
from antiphon.errors import AntiphonError, BadAnswer, Disconnected, TransportMisuse, Truncated
from antiphon.transport.content_coding import make_decoder
from antiphon.transport.interface import Headers, Request
from antiphon.transport.limits import Limits
from antiphon.transport.response import PARTS_LIMIT, HttpResponse
from antiphon.types import Origin

_IDLE, _HEAD, _BODY, _DONE, _LOST = range(5)
"""States of a connection. DONE: the answer is complete and not released yet. Plain integers, because each event reads
them."""

_BY_LENGTH, _BY_CHUNKS, _BY_CLOSE = range(3)
"""How the end of a body is marked."""

_SLICE = 64 * 1024
"""Bodies up to this many bytes are written together with their head; longer ones follow in slices of this size."""
_STALE_SECONDS = 2.0
"""If a connection is closed silently within so many seconds after writing, the server had closed it before.

A later close may mean that the server worked on the request and died; sending it again could be paid twice.
"""
_INTERIM_LIMIT = 8
"""The most 1xx answers before the final answer."""
_BLANK = b"\r\n\r\n"
_WITHOUT_BODY = (204, 304)


class StaleConnection(Disconnected):
    """A kept connection turned out to be closed before the server can have read the request: sending again is safe."""


class ConnectionOwner(Protocol):
    """Keeps connections between exchanges."""

    def on_open(self, connection: "Connection") -> None:
        """The connection has a socket now, which must be closed in the end."""

    def put(self, connection: "Connection") -> None:
        """Keep the connection, which may be used again."""

    def drop(self, connection: "Connection") -> None:
        """Never provide this connection again."""

    def on_close(self, connection: "Connection") -> None:
        """The connection's socket is closed."""


class _NullTarget:
    """Has no callbacks: for heads that are only checked."""


class Connection(asyncio.BufferedProtocol):
    """The protocol of one connection, and the source of its response.

    ``view`` is shared by all connections of a transport: each read is parsed before the next one begins.
    """

    __slots__ = (
        "_fields", "_framing", "_interims", "_keep", "_left", "_limits", "_owner", "_parser", "_partial",
        "_response", "_sent_at", "_silent", "_state", "_tls", "_transport", "_view", "_writable", "_write_paused",
        "idle_since", "loop", "origin", "paused", "reused",
    )  # fmt: skip

    _transport: asyncio.Transport
    _response: HttpResponse

    def __init__(
        self, origin: Origin, owner: ConnectionOwner, limits: Limits, view: memoryview, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.origin = origin
        self.loop = loop
        self.reused = False
        """Whether it was in the pool, so that the server may have closed it meanwhile."""
        self.idle_since = 0.0
        self._owner = owner
        self._limits = limits
        self._view = view
        self._state = _LOST  # until it is connected; a failed handshake reports a loss without a connection
        self._parser = httptools.HttpResponseParser(self)
        self._tls: ssl.SSLObject | None = None
        self._fields: Headers = []
        self._framing = _BY_LENGTH
        self._keep = True
        self._left = 0
        self._silent = 0
        self._interims = 0
        self._partial = b""
        self.paused = False
        self._write_paused = False
        self._writable: asyncio.Future[None] | None = None
        self._sent_at = 0.0

    # Used by the pool and the transport.

    async def send_request(self, request: Request) -> HttpResponse:
        """Write ``request`` and return its response once the head has arrived; raises as ``Transport.send`` does."""
        if self._state != _IDLE:
            raise Disconnected(f"{self.origin} closed the connection before the request was written.")
        head, body = request.head, request.body
        response = self._response = HttpResponse(self)
        self._fields = response.headers
        self._state = _HEAD
        if self.reused:
            self._sent_at = monotonic()
        size = len(body)
        if request.source is not None:
            await self._stream(head, request.source, request.length, response)
        elif size > _SLICE:
            await self._upload(head, body, response)
        elif size or head[:4] != b"GET ":
            self._transport.write(b"%bcontent-length: %d\r\n\r\n%b" % (head, size, body))
        else:
            self._transport.write(head + b"\r\n")
        while not response.status:
            if response.error is not None:
                raise response.error
            await response.wait()
        return response

    @property
    def alive(self) -> bool:
        """Whether it can still carry an exchange."""
        return self._state != _LOST

    def abort(self) -> None:
        """Close at once, even during an exchange."""
        if self._state != _LOST:
            self._state = _LOST
            self._owner.drop(self)
            self._transport.abort()

    def break_off(self, why: str) -> None:
        """Close at once; a task that waits for an answer gets an error that says ``why``."""
        if self._state == _HEAD:
            self._fail(Disconnected(f"The call to {self.origin} was broken off: {why}."))
        elif self._state == _BODY:
            self._fail(Truncated(f"The answer of {self.origin} was broken off: {why}."))
        self.abort()

    # Used by the response.

    def resume(self) -> None:
        if self.paused and self._state == _BODY:
            self.paused = False
            self._transport.resume_reading()

    def release(self) -> None:
        if self._state != _DONE or not self._keep:
            self.abort()
            return
        if self.paused:
            self.paused = False
            self._transport.resume_reading()
        self._state = _IDLE
        self._owner.put(self)

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._state = _IDLE
        self._tls = transport.get_extra_info("ssl_object")
        self._owner.on_open(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        self._feed(self._view[:nbytes])

    def eof_received(self) -> None:
        self._on_end(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._on_end(exc)
        self._state = _LOST
        self._owner.drop(self)
        self._owner.on_close(self)
        del self._parser  # it holds bound methods of this object
        self._tls = None

    def pause_writing(self) -> None:
        self._write_paused = True

    def resume_writing(self) -> None:
        self._write_paused = False
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        if self._state in (_HEAD, _BODY):
            self._response.wake()

    # Called by the parser.

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields.append((name.lower(), value.rstrip()))

    def on_headers_complete(self) -> None:
        if self._state != _HEAD:
            raise ValueError("bytes after the end of the answer")
        response, parser, fields = self._response, self._parser, self._fields
        status = parser.get_status_code()
        if not 200 <= status <= 599:
            raise BadAnswer(f"{self.origin} answered with status {status}, which no HTTP answer has.")
        if len(fields) > self._limits.fields:
            raise BadAnswer(
                f"The answer of {self.origin} has {len(fields)} header fields; the most is {self._limits.fields}."
            )
        self._keep = parser.should_keep_alive()
        named = dict(fields)
        if status in _WITHOUT_BODY:
            self._framing = _BY_LENGTH
        elif (length := named.get(b"content-length")) is not None:
            self._framing = _BY_LENGTH
            self._left += int(length)
        elif b"transfer-encoding" in named:
            self._framing = _BY_CHUNKS
            self._check_transfer(fields)
        else:
            self._framing = _BY_CLOSE
        if b"content-encoding" in named:
            response.decode_with(make_decoder(_join_values(fields, b"content-encoding"), self._limits.decoded))
        self._fields = []  # for trailers, which are never headers
        self._silent = 0
        self._state = _BODY
        response.status = status

    def on_body(self, body: bytes) -> None:
        response = self._response
        response.parts.append(body)
        response.size += len(body)
        self._silent = 0

    def on_message_complete(self) -> None:
        self._state = _DONE

    # The answer.

    def _feed(self, data: bytes | memoryview) -> None:
        state = self._state
        if state == _BODY:
            self._left -= len(data)
            self._silent += len(data)
            self._parse(data)
        elif state == _HEAD:
            self._read_head(self._partial + data)
        elif state == _DONE:
            self._keep = False
        else:
            self.abort()

    def _read_head(self, data: bytes) -> None:
        """Pass the head to the parser once it is complete, so that its cap holds before anything is parsed."""
        while data:
            end = data.find(_BLANK) + 4
            if not data.startswith(b"HTTP/1.") and data[:7] != b"HTTP/1."[: len(data)]:
                self._refuse_answer("does not begin with 'HTTP/1.': no HTTP/1.1 is spoken there")
            elif end < 4:
                self._read_partial_head(data)
            elif end > self._limits.head:
                self._refuse_answer(f"has a head of more than {self._limits.head} bytes")
            elif data[9] == ord("1"):
                self._partial = b""
                if self._skip_interim(data[:end]):
                    data = data[end:]
                    continue
            else:
                self._partial = b""
                self._left = end - len(data)
                self._parse(data)
            return

    def _read_partial_head(self, data: bytes) -> None:
        self._partial = data
        if len(data) > self._limits.head:
            self._refuse_answer(f"has a head of more than {self._limits.head} bytes")
        elif data.count(b"\n") != data.count(b"\r\n"):
            self._refuse_answer("has a bare line feed in its head")

    def _skip_interim(self, head: bytes) -> bool:
        self._interims += 1
        if self._interims > _INTERIM_LIMIT:
            self._refuse_answer(f"begins with more than {_INTERIM_LIMIT} interim (1xx) answers")
        elif head[9:12] == b"101":
            self._refuse_answer("switches protocols without being asked to")
        else:
            try:
                httptools.HttpResponseParser(_NullTarget()).feed_data(head)
                return True
            except httptools.HttpParserError as error:
                self._refuse_answer(f"is not valid HTTP/1.1: {error}")
        return False

    def _parse(self, data: bytes | memoryview) -> None:
        response = self._response
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if self._state != _DONE:
                if isinstance(error.__context__, BadAnswer):
                    self._fail(error.__context__)
                else:
                    self._refuse_answer(f"is not valid HTTP/1.1: {error}")
                return
            self._keep = False
        if self._state == _DONE:
            self._keep = self._keep and self._is_exact_end(data)
            self._interims = 0
            response.ended = True
            response.wake()
            return
        if response.size > self._limits.buffer:
            if not self.paused:
                self.paused = True
                self._transport.pause_reading()
        elif self._silent > self._limits.head:
            self._refuse_answer(f"has more than {self._limits.head} bytes of framing without a byte of body")
            return
        if len(response.parts) > PARTS_LIMIT:
            response.join_parts()
        response.wake()

    def _is_exact_end(self, data: bytes | memoryview) -> bool:
        """Return whether ``data`` ends exactly with the answer. llhttp skips unannounced line ends; we do not."""
        if self._framing == _BY_CHUNKS:
            tail = bytes(data[-5:])
            return len(tail) == 5 and tail[1:] == _BLANK and tail[0] not in _BLANK
        return self._left == 0

    def _check_transfer(self, fields: Headers) -> None:
        coding = _join_values(fields, b"transfer-encoding")
        if coding.lower() != b"chunked":
            raise BadAnswer(f"{self.origin} answered with transfer-encoding {coding[:60]!r}; only 'chunked' is read.")

    # The end of the connection.

    def _on_end(self, exc: Exception | None) -> None:
        """The peer sends no more: decide whether the answer is complete, and wake its reader."""
        in_order = self._drain_tls() and exc is None
        self._keep = False
        if self._state == _BODY:
            if self._framing == _BY_CLOSE and in_order:
                self._state = _DONE
                self._response.ended = True
                self._response.wake()
            else:
                self._fail(Truncated(f"The answer of {self.origin} broke off before its end{_describe_cause(exc)}."))
        elif self._state == _HEAD:
            self._fail(self._make_disconnect_error(exc))
        elif self._state == _IDLE:
            self.abort()

    def _drain_tls(self) -> bool:
        """Read the bytes that the TLS layer still holds; return whether the peer ended the stream itself.

        Both event loops drop decrypted bytes that were not delivered when the connection ends, and asyncio reports a
        cut connection as an orderly end. Only the TLS object can tell: after ``close_notify`` a read returns nothing,
        after a cut it wants more bytes. https://www.rfc-editor.org/rfc/rfc8446#section-6.1
        """
        if self._tls is None:
            return True
        self.paused = True  # the transport is closing, so it cannot be paused any more
        try:
            while self._state in (_HEAD, _BODY):
                data = self._tls.read(_SLICE)
                if not data:
                    return True
                self._feed(data)
        except ssl.SSLError:
            pass
        return False

    def _make_disconnect_error(self, exc: Exception | None) -> Disconnected:
        silent = not self._partial and not self._interims
        cause = _describe_cause(exc)
        message = f"{self.origin} closed the connection before the head of its answer was complete{cause}."
        if silent and self.reused and monotonic() - self._sent_at < _STALE_SECONDS:
            return StaleConnection(message)
        return Disconnected(message)

    def _refuse_answer(self, how: str) -> None:
        self._fail(BadAnswer(f"The answer of {self.origin} {how}."))

    def _fail(self, error: AntiphonError) -> None:
        self.abort()
        self._response.fail(error)

    # The request.

    async def _upload(self, head: bytes, body: bytes, response: HttpResponse) -> None:
        """Write a long body as fast as the server reads it; stop if the server has already refused it."""
        write = self._transport.write
        write(b"%bcontent-length: %d\r\n\r\n" % (head, len(body)))
        view = memoryview(body)
        for start in range(0, len(view), _SLICE):
            while self._write_paused and not _is_settled(response):
                await response.wait()
            if _is_settled(response):
                self._keep = False
                return
            write(view[start : start + _SLICE])

    async def _stream(
        self, head: bytes, source: AsyncIterator[bytes], length: int | None, response: HttpResponse
    ) -> None:
        """Write the pieces of a body as fast as the server reads them; stop if the server has already refused it."""
        framing = b"transfer-encoding: chunked" if length is None else b"content-length: %d" % length
        self._transport.write(b"%b%b\r\n\r\n" % (head, framing))
        pump = self.loop.create_task(self._pump(source, length))
        pump.add_done_callback(lambda _: response.wake())
        pump.add_done_callback(_take_exception)
        try:
            while not pump.done() and not _is_settled(response):
                await response.wait()
        except BaseException:
            pump.cancel()
            raise
        if not pump.done():
            self._keep = False
            pump.cancel()
        elif (fault := pump.exception()) is not None:
            self.abort()
            raise fault

    async def _pump(self, source: AsyncIterator[bytes], length: int | None) -> None:
        left = length
        async for piece in source:
            if self._state == _LOST:
                return
            if left is None:
                self._transport.write(b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b"")
            elif len(piece) > left:
                raise TransportMisuse(f"A request body is longer than the {length} bytes that were announced.")
            else:
                left -= len(piece)
                self._transport.write(piece)
            if self._write_paused:
                self._writable = self.loop.create_future()
                await self._writable
        if left:
            raise TransportMisuse(f"A request body ended {left} bytes before the length that was announced.")
        if left is None and self._state != _LOST:
            self._transport.write(b"0\r\n\r\n")


def _take_exception(pump: asyncio.Task[None]) -> None:
    """Retrieve the exception of a pump that nobody waits for any more."""
    if not pump.cancelled():
        pump.exception()


def _is_settled(response: HttpResponse) -> bool:
    return response.ended or response.error is not None or response.status >= 300


def _join_values(fields: Headers, name: bytes) -> bytes:
    return b", ".join([value for field, value in fields if field == name])


def _describe_cause(exc: Exception | None) -> str:
    return f" ({getattr(exc, 'strerror', None) or exc})" if exc is not None else ""
