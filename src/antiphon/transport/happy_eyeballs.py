"""Opens a TCP socket to a host name: all its addresses race, each with a head start over the next one (RFC 8305).

uvloop's ``create_connection`` has no happy eyeballs, and asyncio's tries one address after the other by default, so one
dead address would use up the connect deadline.
"""

import asyncio
import contextlib
import socket
from itertools import chain, zip_longest
from typing import Any

_HEAD_START_SECONDS = 0.25
"""Seconds before the next address is tried beside the last one (RFC 8305, 5)."""
_KEEPALIVE = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4))
"""A provider may send nothing for minutes; probes keep the connection known to middleboxes and find dead peers."""

Address = tuple[int, int, int, str, tuple[Any, ...]]
"""What ``getaddrinfo`` returns: family, kind, protocol, canonical name, socket address."""


async def open_socket(host: str, port: int) -> socket.socket:
    """Return a connected, non-blocking socket; raises the ``OSError`` of the first address if none connects."""
    loop = asyncio.get_running_loop()
    return await race(loop, interleave(await _resolve_host(loop, host, port)))


async def race(loop: asyncio.AbstractEventLoop, addresses: list[Address]) -> socket.socket:
    """Return the first socket to connect; the others are closed."""
    if len(addresses) == 1:
        return await _connect(loop, addresses[0])
    failures: list[OSError] = []
    running: set[asyncio.Task[socket.socket]] = set()
    waiting = iter(addresses)
    try:
        more = True
        while more or running:
            address = next(waiting, None)
            more = address is not None
            if address is not None:
                running.add(loop.create_task(_connect(loop, address)))
            winner = await _wait_for_first(running, failures, _HEAD_START_SECONDS if more else None)
            if winner is not None:
                return winner
    finally:
        await _discard(running)
    raise failures[0]


def interleave(addresses: list[Address]) -> list[Address]:
    """Alternate address families, starting with the resolver's first choice."""
    first = [address for address in addresses if address[0] == addresses[0][0]]
    other = [address for address in addresses if address[0] != addresses[0][0]]
    return [address for address in chain.from_iterable(zip_longest(first, other)) if address is not None]


async def _resolve_host(loop: asyncio.AbstractEventLoop, host: str, port: int) -> list[Address]:
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    with contextlib.suppress(socket.gaierror):  # a literal address needs no thread and no look-up
        return [*socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)]
    return [*await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


async def _wait_for_first(
    running: set[asyncio.Task[socket.socket]], failures: list[OSError], patience: float | None
) -> socket.socket | None:
    """Wait until one connects, all have failed, or ``patience`` seconds are over; add to ``failures``."""
    while running:
        done, _ = await asyncio.wait(running, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            return None
        for task in done:
            error = task.exception()
            if error is None:
                running.remove(task)
                return task.result()
            if not isinstance(error, OSError):
                raise error
            running.remove(task)
            failures.append(error)
        if patience is not None:
            return None  # a failure starts the next address at once
    return None


async def _discard(running: set[asyncio.Task[socket.socket]]) -> None:
    for task in running:
        task.cancel()
    for result in await asyncio.gather(*running, return_exceptions=True):
        if isinstance(result, socket.socket):
            result.close()


async def _connect(loop: asyncio.AbstractEventLoop, address: Address) -> socket.socket:
    family, kind, proto, _, target = address
    sock = socket.socket(family, kind, proto)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE:
            if hasattr(socket, option):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
        await loop.sock_connect(sock, target)
    except BaseException:
        sock.close()
        raise
    return sock
