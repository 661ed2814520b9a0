"""Listening sockets: accepting connections, draining them, and cancelling the rest."""

import asyncio
import errno
import os
import socket
from collections.abc import Sequence

from antiphon.errors import AntiphonError
from antiphon.server.http.connection import HttpServer

BACKLOG = 2048
SETTLE_TIME = 5.0
"""Seconds in which cancelled requests are journaled before the process stops waiting for them."""

_UNSENT = 64 * 1024
_STEP = 0.005


def listen(host: str, port: int) -> list[socket.socket]:
    """Return sockets that listen on every address of ``host``; port 0 selects a free port.

    Raises :class:`~antiphon.errors.AntiphonError`, which says what to do, if an address cannot be used.
    """
    sockets: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, _, _, _, address in dict.fromkeys(found):
            chosen = sockets[0].getsockname()[1] if sockets else port
            sockets.append(_listen(family, str(address[0]), chosen))
    except OSError as error:
        for opened in sockets:
            opened.close()
        reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        is_host_wrong = isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL
        how = "--host or server.host" if is_host_wrong else "--port or server.port"
        raise AntiphonError(f"cannot listen on {host} port {port}: {reason}; choose another with {how}") from error
    return sockets


def _listen(family: int, host: str, port: int) -> socket.socket:
    made = socket.create_server((host, port), family=family, backlog=BACKLOG, reuse_port=False)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        # Each connection inherits this limit for unsent bytes in the kernel, so that back-pressure begins after
        # kilobytes, not after the megabytes of an auto-tuned send buffer.
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT)
    made.setblocking(False)
    return made


class Listener:
    """Accepts connections for an HTTP server. Use from one event loop: ``await start()``, then ``await stop(...)``."""

    def __init__(self, server: HttpServer, sockets: Sequence[socket.socket]) -> None:
        self._server = server
        self._sockets = sockets
        self._servers: list[asyncio.Server] = []
        self.port = int(sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Start accepting connections."""
        loop = asyncio.get_running_loop()
        for made in self._sockets:
            self._servers.append(await loop.create_server(self._server.connect, sock=made, backlog=BACKLOG))

    async def stop(self, drain: float, hurry: asyncio.Event | None = None) -> int:
        """Stop accepting, wait ``drain`` seconds or until ``hurry`` for running answers to end, and cancel the rest.

        Returns how many were cancelled. Each cancelled request has had time to be journaled.
        """
        for listening in self._servers:
            listening.close()
        server = self._server
        server.draining = True
        for connection in list(server.connections):
            connection.shutdown()
        await self._wait_until_empty(drain, hurry)
        cancelled = sum([connection.cancel() for connection in list(server.connections)])
        await self._wait_until_empty(SETTLE_TIME, None)
        for connection in list(server.connections):
            connection.abort()
        return cancelled

    async def _wait_until_empty(self, seconds: float, hurry: asyncio.Event | None) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while (self._server.connections or self._server.left_behind) and loop.time() < until:
            if hurry is not None and hurry.is_set():
                return
            await asyncio.sleep(_STEP)
