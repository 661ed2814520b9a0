"""One request and its answer on one connection, as the application sees them.

The application is a coroutine function that takes an :class:`Exchange`. It relies on three promises:

- :meth:`Exchange.read` raises :class:`~antiphon.errors.TooLarge`, :class:`~antiphon.errors.SlowRequest` or
  :class:`~antiphon.errors.BadRequest` where the content broke a limit or its framing; the application answers with it.
- When the client leaves, the task that runs the application is cancelled.
- :meth:`Exchange.write` takes no part while the client is behind, and :meth:`Exchange.drain` returns once it has taken
  enough, so that an application holds one part at a time.

Framing fields (``content-length``, ``transfer-encoding``, ``connection``) are written here and ignored when an
application sends them: what the length is and whether the connection stays is known here only.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

from antiphon.errors import CallError
from antiphon.server.errors import Headers, write_error_body
from antiphon.server.http.head import Fields, Head
from antiphon.server.http.limits import Limits

logger = logging.getLogger("antiphon.server")

_FRAMING = frozenset((b"content-length", b"transfer-encoding", b"connection"))
_CRASH = CallError("The gateway failed while it answered. The cause is in its log.")
_BODYLESS = frozenset((204, 304))


class ServerState(Protocol):
    """What an exchange needs of the server."""

    draining: bool

    def get_opening(self, status: int) -> bytes:
        """Return the status line and the ``date`` field."""


class Owner(Protocol):
    """What an exchange needs of its connection; see :class:`antiphon.server.http.connection.HttpConnection`."""

    limits: Limits
    loop: asyncio.AbstractEventLoop
    lost: bool
    write_paused: bool
    local_port: int

    @property
    def server(self) -> ServerState: ...

    def write(self, head: bytes, body: bytes = b"") -> None: ...

    async def drain(self) -> None: ...

    def abort(self) -> None: ...

    def on_answered(self, keep: bool) -> None: ...

    def update_reading(self) -> None: ...


class Exchange:
    """A request whose head was accepted. The connection makes it, and runs it as one task in its turn.

    The application reads the content and then answers: whole with :meth:`answer`, or in parts with :meth:`start`,
    :meth:`write` and :meth:`finish`.
    """

    __slots__ = (
        "_buffered",
        "_chunked",
        "_expects",
        "_fault",
        "_opened",
        "_parts",
        "_received",
        "_start",
        "_version",
        "_waiter",
        "complete",
        "connection",
        "fields",
        "finished",
        "head",
        "keep",
        "method",
        "started",
        "streamed",
        "task",
    )

    def __init__(self, connection: Owner, method: str, version: str, head: Head, fields: Fields, keep: bool) -> None:
        self.connection = connection
        self.method = method
        self.head = head
        """Path, query and framing."""
        self.fields = fields
        """The header fields, their names in lower case."""
        self.task: asyncio.Task[None] | None = None
        self.streamed = False
        """The application passes content on as it comes, so its deadline runs from the last piece."""
        self.complete = False
        """The request's last byte has arrived."""
        self.started = False
        """The application has begun to answer."""
        self.finished = False
        """The answer's last byte has been written."""
        self.keep = keep
        """The connection may serve another request after this one."""
        self._version = version
        self._expects = head.expects and head.length != 0
        self._parts: list[bytes] = []
        self._buffered = 0
        self._received = 0
        self._fault: CallError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._start: tuple[int, Headers] = (0, [])
        self._opened = False
        self._chunked = False

    # Called by the connection

    async def run(self, app: "App") -> None:
        """Run the application; in any case the client gets a whole answer or a broken connection."""
        try:
            await app(self)
        except asyncio.CancelledError:
            if not self.finished:
                self.connection.abort()
            raise
        except Exception:
            logger.exception("The application failed on %s %s", self.method, self.head.path)
            self._crash()
        else:
            if not self.finished:
                logger.error("The application left %s %s unanswered", self.method, self.head.path)
                self._crash()

    def add_content(self, data: bytes) -> int:
        """Take content; return how many bytes of content this request has had in all."""
        size = len(data)
        self._received += size
        if not self.finished:
            self._expects = False
            self._parts.append(data)
            self._buffered += size
            self._wake()
        return self._received

    def end_content(self) -> None:
        """Note that the content is complete."""
        self.complete = True
        self._wake()

    def fail(self, fault: CallError) -> None:
        """Note why the content will never be complete."""
        self._fault = fault
        self._wake()

    @property
    def is_over_high_water(self) -> bool:
        """More content is held than should be while the application does not ask for any."""
        if self._buffered <= self.connection.limits.body_buffer or self.finished:
            return False
        # A waiter that was woken runs only in the next iteration of the loop; until then 8 MB more could be read.
        return self._waiter is None or self._waiter.done()

    # Called by the application: the request

    async def read(self) -> bytes:
        """Return the whole content; the module's docstring says what is raised."""
        if self.complete and self._fault is None:
            return self._take_content()
        parts = [await self.read_part()]
        while not self.complete or self._parts:
            parts.append(await self.read_part())
        return b"".join(parts)

    async def read_part(self) -> bytes:
        """Return the content that has come, waiting for some, and ``b""`` at its end; raises as :meth:`read`."""
        if not self._parts and not self.complete and self._fault is None:
            await self._wait_for_content()
        if self._fault is not None:
            raise self._fault
        return self._take_content()

    def _take_content(self) -> bytes:
        parts = self._parts
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        self._parts = []
        self._buffered = 0
        return body

    # Called by the application: the answer

    async def answer(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole answer."""
        self.start(status, headers)
        connection = self.connection
        if connection.write_paused:
            await connection.drain()
        connection.write(self._write_opening(len(body)), b"" if self.method == "HEAD" else body)
        self._leave()

    def start(self, status: int, headers: Headers) -> None:
        """Begin an answer in parts; its head is written with the first part."""
        if self.started:
            raise RuntimeError("the answer was started twice")
        self.started = True
        self._start = (status, headers)

    def write(self, part: bytes) -> bool:
        """Write a part of the answer, or return false if the client is behind, so that :meth:`drain` is due first."""
        connection = self.connection
        if connection.write_paused and not connection.lost:
            return False
        opening = b"" if self._opened else self._write_opening(None)
        if self.method == "HEAD":
            part = b""
        elif self._chunked and part:
            part = b"%x\r\n%b\r\n" % (len(part), part)
        connection.write(opening, part)
        return True

    async def drain(self) -> None:
        """Return once the client has taken enough of what was written."""
        await self.connection.drain()

    def finish(self) -> None:
        """End an answer in parts."""
        if self.finished:
            raise RuntimeError("the answer was ended twice")
        opening = b"" if self._opened else self._write_opening(0)
        self.connection.write(opening, b"0\r\n\r\n" if self._chunked else b"")
        self._leave()

    # Content

    async def _wait_for_content(self) -> None:
        connection = self.connection
        if self._expects:
            self._expects = False
            connection.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._waiter = connection.loop.create_future()
        connection.update_reading()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # Answer

    def _leave(self) -> None:
        self.finished = True
        self._parts = []
        self.connection.on_answered(self.keep)

    def _write_opening(self, length: int | None) -> bytes:
        """Return status line and fields; ``length`` is the whole body's, or ``None`` where it is not known yet."""
        if not self.started:
            raise RuntimeError("a part of the answer was sent before its start")
        status, headers = self._start
        lines = [b"%b: %b\r\n" % field for field in headers if field[0] not in _FRAMING]
        fields, count = b"".join(lines), len(lines)
        # A value from outside may try to add a header field or a whole answer.
        if fields.count(b"\n") != count or fields.count(b"\r") != count or fields.find(b"\0") >= 0:
            raise RuntimeError("a header field of the answer has a line break or NUL in it")
        self._opened = True
        return b"%b%b%b\r\n" % (self.connection.server.get_opening(status), fields, self._write_framing(status, length))

    def _write_framing(self, status: int, length: int | None) -> bytes:
        framing = b""
        if length is not None:
            framing = b"" if status in _BODYLESS else b"content-length: %d\r\n" % length
        elif self._version == "1.0":
            self.keep = False  # only the end of the connection ends such an answer
        else:
            framing = b"transfer-encoding: chunked\r\n"
            self._chunked = self.method != "HEAD"
        if not self.keep or not self.complete or self.connection.server.draining:
            self.keep = False
            framing += b"connection: close\r\n"
        return framing

    def _crash(self) -> None:
        if self.finished:
            return
        if self._opened or self.connection.lost:
            self.connection.abort()
            return
        self.keep, self.started = False, True
        self._start = (500, [(b"content-type", b"application/json")])
        body = write_error_body(_CRASH)
        self.connection.write(self._write_opening(len(body)), b"" if self.method == "HEAD" else body)
        self._leave()


App: TypeAlias = Callable[[Exchange], Awaitable[None]]
"""What answers requests."""
