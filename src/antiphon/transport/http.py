"""The HTTP/1.1 client: one pool of connections per origin, one exchange at a time on each connection."""

import asyncio
from collections.abc import Mapping

from antiphon.errors import ConnectFailed, TransportMisuse
from antiphon.transport.connection import Connection, StaleConnection
from antiphon.transport.connector import Connector
from antiphon.transport.interface import Request
from antiphon.transport.limits import Limits
from antiphon.transport.pool import Pool
from antiphon.transport.response import HttpResponse
from antiphon.types import Origin

_READ = 64 * 1024
"""Bytes of one read; all connections share the buffer, so an idle connection needs none."""
_SCHEMES = ("http", "https")


class HttpTransport:
    """Sends requests to ``http`` and ``https`` origins, over TCP or a Unix socket (``Origin.path``).

    ``ca_file`` names certificates (PEM) that are trusted in addition to the system's. ``environ`` is read for
    ``HTTPS_PROXY`` and ``NO_PROXY`` (``None``: the process's environment). ``pool_idle`` is in seconds; ``pool_size``
    is the most idle connections per origin. Connections in use have no cap, because admission is not the transport's
    task. If ``resend`` is false, a request fails when its kept connection turns out to be closed, instead of being sent
    again on a new one: use that for servers whose crash would look the same. The other arguments are the caps of
    :class:`~antiphon.transport.limits.Limits`.

    A transport belongs to the event loop in which it is first used. Creating one does no I/O.
    """

    def __init__(
        self,
        *,
        ca_file: str | None = None,
        environ: Mapping[str, str] | None = None,
        pool_idle: float = 60.0,
        pool_size: int = 512,
        resend: bool = True,
        buffer_limit: int = 32 * 1024,
        head_limit: int = 32 * 1024,
        field_limit: int = 100,
        decoded_cap: int = 64 * 1024 * 1024,
    ) -> None:
        self._limits = Limits(head=head_limit, fields=field_limit, buffer=buffer_limit, decoded=decoded_cap)
        self._connector = Connector(ca_file, environ, head_limit)
        self._pool_idle = pool_idle
        self._pool_size = pool_size
        self._resend = resend
        self._pools: dict[Origin, Pool] = {}
        self._connecting: set[asyncio.Task[Connection]] = set()
        self._view = memoryview(bytearray(_READ))
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    async def send(self, request: Request, connect_timeout: float) -> HttpResponse:
        """See :meth:`antiphon.transport.interface.Transport.send`; ``connect_timeout`` is in seconds.

        Raises :class:`~antiphon.errors.TransportMisuse`, before anything is written, if ``bound_to`` is another origin
        or the head was not made by :func:`~antiphon.transport.request_head.build_head`.
        """
        origin, head = request.origin, request.head
        bound_to = request.bound_to
        if bound_to is not origin and bound_to is not None and bound_to != origin:
            raise TransportMisuse(f"The credential of this request is bound to {bound_to}; it is not sent to {origin}.")
        if head[-2:] != b"\r\n" or head.find(b"\r\n\r\n") >= 0:
            raise TransportMisuse("A request head ends in one line end and has no blank line; build_head makes it so.")
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._make_pool(origin)
        # A source cannot be read twice, so its body needs a connection that the server cannot have closed yet.
        connection = pool.take() if request.source is None else None
        if connection is not None:
            try:
                return await connection.send_request(request)
            except StaleConnection:
                if not self._resend:
                    raise
        connection = await self._connect(origin, pool, connect_timeout)
        return await connection.send_request(request)

    async def warm(self, origin: Origin, count: int, connect_timeout: float = 5.0) -> None:
        """Open connections until ``count`` are idle, ready for the next calls; raises the same as :meth:`send`."""
        pool = self._pools.get(origin) or self._make_pool(origin)
        missing = range(min(count, self._pool_size) - pool.idle)
        connects = [self._connect(origin, pool, connect_timeout) for _ in missing]
        results = await asyncio.gather(*connects, return_exceptions=True)
        for result in results:
            if isinstance(result, Connection) and result.alive:
                pool.put(result)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def close(self) -> None:
        """Close every connection and return when the sockets are closed; calls under way end with an error."""
        self._closed = True
        connecting = tuple(self._connecting)
        for task in connecting:
            task.cancel()
        await asyncio.gather(*connecting, return_exceptions=True)
        await asyncio.gather(*[pool.close() for pool in self._pools.values()])
        self._pools.clear()

    def _make_pool(self, origin: Origin) -> Pool:
        loop = asyncio.get_running_loop()
        if self._closed or (self._loop is not None and self._loop is not loop):
            raise TransportMisuse("This transport is closed, or belongs to another event loop; make a new one.")
        if origin.scheme not in _SCHEMES:
            raise TransportMisuse(f"The HTTP transport does not speak to {origin}; schemes are {', '.join(_SCHEMES)}.")
        self._loop = loop
        pool = self._pools[origin] = Pool(self._pool_size, self._pool_idle, loop)
        return pool

    async def _connect(self, origin: Origin, pool: Pool, timeout: float) -> Connection:
        """Connect in a separate task, which :meth:`close` can cancel without cancelling the caller."""
        if self._closed:
            raise ConnectFailed(f"No connection to {origin}: the transport was closed.")
        loop = asyncio.get_running_loop()
        task = loop.create_task(
            self._connector.connect(origin, lambda: Connection(origin, pool, self._limits, self._view, loop), timeout)
        )
        self._connecting.add(task)
        try:
            return await task
        except asyncio.CancelledError:
            if task.done() and not task.cancelled() and task.exception() is None:
                task.result().abort()
            current = asyncio.current_task()
            if current is not None and not current.cancelling():  # close() cancelled the task
                raise ConnectFailed(f"No connection to {origin}: the transport was closed.") from None
            raise
        finally:
            self._connecting.discard(task)
