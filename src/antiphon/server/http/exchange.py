"""One request and its answer on one connection: the ``receive`` and ``send`` of an ASGI application.

This is plain ASGI 3, with three promises that the specification leaves open and that the application relies on:

- ``receive`` raises :class:`~antiphon.errors.TooLarge`, :class:`~antiphon.errors.SlowRequest` or
  :class:`~antiphon.errors.BadRequest` where the content broke a limit or its framing; the application answers with it.
- When the client leaves, the task that runs the application is cancelled. There is no ``http.disconnect``.
- ``send`` of a part of an answer returns once the client has taken enough of what was written before, so that an
  application which awaits it holds one part at a time.

Framing fields (``content-length``, ``transfer-encoding``, ``connection``) are written here and ignored when an
application sends them: what the length is and whether the connection stays is known here only.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from antiphon.errors import CallError
from antiphon.server.errors import write_error_body
from antiphon.server.http.head import Head
from antiphon.server.http.limits import Limits

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

logger = logging.getLogger("antiphon.server")

STREAMED = "antiphon.streamed"
"""The key that an application adds to the scope when it streams the request's content."""
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

    @property
    def server(self) -> ServerState: ...

    def write(self, head: bytes, body: bytes = b"") -> None: ...

    async def drain(self) -> None: ...

    def abort(self) -> None: ...

    def on_answered(self, keep: bool) -> None: ...

    def update_reading(self) -> None: ...


class Exchange:
    """A request whose head was accepted. The connection makes it, and runs it as one task in its turn."""

    __slots__ = (
        "_buffered",
        "_chunked",
        "_end_delivered",
        "_expects",
        "_fault",
        "_is_head",
        "_parts",
        "_received",
        "_start",
        "_started",
        "_waiter",
        "complete",
        "connection",
        "finished",
        "keep",
        "scope",
        "task",
    )

    def __init__(self, connection: Owner, scope: Scope, head: Head, keep: bool) -> None:
        self.connection = connection
        self.scope = scope
        self.task: asyncio.Task[None] | None = None
        self.complete = False
        """The request's last byte has arrived."""
        self.finished = False
        """The answer's last byte has been written."""
        self._is_head = scope["method"] == "HEAD"
        self._expects = head.expects and head.length != 0
        self.keep = keep
        """The connection may serve another request after this one."""
        self._parts: list[bytes] = []
        self._buffered = 0
        self._received = 0
        self._end_delivered = False
        self._fault: CallError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._start: Message | None = None
        self._started = False
        self._chunked = False

    # Called by the connection

    async def run(self, app: App) -> None:
        """Run the application; in any case the client gets a whole answer or a broken connection."""
        try:
            await app(self.scope, self.receive, self.send)
        except asyncio.CancelledError:
            if not self.finished:
                self.connection.abort()
            raise
        except Exception:
            logger.exception("The application failed on %s %s", self.scope["method"], self.scope["path"])
            self._crash()
        else:
            if not self.finished:
                logger.error("The application left %s %s unanswered", self.scope["method"], self.scope["path"])
                self._crash()

    def add_content(self, data: bytes) -> int:
        """Take content; return how many bytes of content this request has had in all."""
        self._received += len(data)
        if not self.finished:
            self._expects = False
            self._parts.append(data)
            self._buffered += len(data)
            self._wake()
        return self._received

    def end(self) -> None:
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

    @property
    def streamed(self) -> bool:
        """The application passes content on as it comes, so its deadline runs from the last piece."""
        return STREAMED in self.scope

    # Called by the application

    async def receive(self) -> Message:
        """Return the content that has come, waiting for some; the module's docstring says what is raised."""
        if not self._parts and not self.complete and self._fault is None:
            await self._wait_for_content()
        if self._fault is not None:
            raise self._fault
        if self._end_delivered:
            await self.connection.loop.create_future()  # until the client leaves, which cancels this task
        parts = self._parts
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        self._parts = []
        self._buffered = 0
        self._end_delivered = self.complete
        return {"type": "http.request", "body": body, "more_body": not self.complete}

    async def send(self, message: Message) -> None:
        """Take the start of an answer, a part of it, or its end."""
        if message["type"] == "http.response.start":
            if self._start is not None:
                raise RuntimeError("the answer was started twice")
            self._start = message
            return
        connection = self.connection
        if connection.write_paused:
            await connection.drain()
        body: bytes = message.get("body", b"")
        if message.get("more_body", False):
            connection.write(b"" if self._started else self._write_opening(None), self._frame_part(body))
            if connection.write_paused:
                await connection.drain()
            return
        self._finish(body)

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

    def _finish(self, body: bytes) -> None:
        if self.finished:
            raise RuntimeError("the answer was ended twice")
        connection = self.connection
        if not self._started:
            connection.write(self._write_opening(len(body)), b"" if self._is_head else body)
        else:
            connection.write(self._frame_part(body), b"0\r\n\r\n" if self._chunked else b"")
        self.finished = True
        self._parts = []
        connection.on_answered(self.keep)

    def _frame_part(self, body: bytes) -> bytes:
        if not body or self._is_head:
            return b""
        return b"%x\r\n%b\r\n" % (len(body), body) if self._chunked else body

    def _write_opening(self, length: int | None) -> bytes:
        """Return status line and fields; ``length`` is the whole body's, or ``None`` where it is not known yet."""
        start = self._start
        if start is None:
            raise RuntimeError("a part of the answer was sent before its start")
        connection = self.connection
        status: int = start["status"]
        parts: list[bytes] = []
        for name, value in start.get("headers", ()):
            if name not in _FRAMING:
                parts += (name, b": ", value, b"\r\n")
        lines = len(parts) // 4
        fields = b"".join(parts)
        # A value from outside may try to add a header field or a whole answer.
        if fields.count(b"\n") != lines or fields.count(b"\r") != lines or b"\0" in fields:
            raise RuntimeError("a header field of the answer has a line break or NUL in it")
        self._started = True
        return b"".join((connection.server.get_opening(status), fields, self._write_framing(status, length), b"\r\n"))

    def _write_framing(self, status: int, length: int | None) -> bytes:
        framing = b""
        if length is not None:
            framing = b"" if status in _BODYLESS else b"content-length: %d\r\n" % length
        elif self.scope["http_version"] == "1.0":
            self.keep = False  # only the end of the connection ends such an answer
        else:
            framing = b"transfer-encoding: chunked\r\n"
            self._chunked = not self._is_head
        if not self.keep or not self.complete or self.connection.server.draining:
            self.keep = False
            framing += b"connection: close\r\n"
        return framing

    def _crash(self) -> None:
        if self.finished:
            return
        if self._started or self.connection.lost:
            self.connection.abort()
            return
        self.keep = False
        self._start = {"status": 500, "headers": [(b"content-type", b"application/json")]}
        self._finish(write_error_body(_CRASH))
