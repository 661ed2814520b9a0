"""The connections to one origin: idle ones for the next request, and all open ones for closing."""

import asyncio

from antiphon.clock import monotonic
from antiphon.transport.connection import Connection

CLOSE_SECONDS = 1.0


class Pool:
    """Keeps at most ``size`` idle connections, each for at most ``keep_for`` seconds.

    The newest idle connection is used first, so that the others can expire.
    """

    __slots__ = ("_closed", "_empty", "_idle", "_keep_for", "_loop", "_open", "_size", "_timer")

    def __init__(self, size: int, keep_for: float, loop: asyncio.AbstractEventLoop) -> None:
        self._size = size
        self._keep_for = keep_for
        self._loop = loop
        self._idle: list[Connection] = []  # oldest first, because they are appended as they become idle
        self._open: set[Connection] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._empty: asyncio.Future[None] | None = None

    @property
    def idle(self) -> int:
        """The number of idle connections."""
        return len(self._idle)

    def take(self) -> Connection | None:
        """Return the newest idle connection, or ``None``."""
        if not self._idle:
            return None
        return self._idle.pop()

    def on_open(self, connection: Connection) -> None:
        """See :class:`~antiphon.transport.connection.ConnectionOwner`."""
        self._open.add(connection)

    def put(self, connection: Connection) -> None:
        """See :class:`~antiphon.transport.connection.ConnectionOwner`."""
        if self._closed or len(self._idle) >= self._size:
            connection.abort()
            return
        connection.reused = True
        connection.idle_since = monotonic()
        self._idle.append(connection)
        if self._timer is None:
            self._timer = self._loop.call_later(self._keep_for, self._expire)

    def drop(self, connection: Connection) -> None:
        """See :class:`~antiphon.transport.connection.ConnectionOwner`."""
        if connection in self._idle:
            self._idle.remove(connection)

    def on_close(self, connection: Connection) -> None:
        """See :class:`~antiphon.transport.connection.ConnectionOwner`."""
        self._open.discard(connection)
        if self._empty is not None and not self._open and not self._empty.done():
            self._empty.set_result(None)

    async def close(self) -> None:
        """Close every connection; return when their sockets are closed, or after :data:`CLOSE_SECONDS`."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for connection in tuple(self._open):
            connection.break_off("the transport was closed")
        if self._open:
            self._empty = self._loop.create_future()
            # uvloop may never report the end of a connection that was cancelled between socket and protocol.
            await asyncio.wait((self._empty,), timeout=CLOSE_SECONDS)

    def _expire(self) -> None:
        self._timer = None
        now = monotonic()
        while self._idle and now - self._idle[0].idle_since >= self._keep_for:
            self._idle[0].abort()
        if self._idle:
            self._timer = self._loop.call_later(self._idle[0].idle_since + self._keep_for - now, self._expire)
