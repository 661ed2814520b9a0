"""Performing one answer on a socket, with everything a fault does to the connection."""

import asyncio
import socket
import struct

from antiphon.sim.performance import End, Performance
from antiphon.sim.served import Served

_MOST_AT_ONCE = 65536
_OPEN_CHUNK = b"400\r\n"
_LAST_CHUNK = b"0\r\n\r\n"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Stage:
    """Writes one answer; ``writable`` is clear while the peer takes no more bytes."""

    def __init__(
        self, transport: asyncio.Transport, writable: asyncio.Event, answer: Performance, entry: Served
    ) -> None:
        self._transport = transport
        self._writable = writable
        self._answer = answer
        self._entry = entry
        self._left = answer.limit
        self._pending: list[bytes] = []
        self._size = 0
        self._tokens = 0
        self._body = 0

    async def perform(self, connection: bytes, *, bodiless: bool = False) -> str:
        """Write the answer and return how it ended: ``complete``, ``cut`` or ``reset``.

        ``connection`` is the value of that header. Never returns where the fault is silence: the caller cancels.
        """
        answer = self._answer
        if answer.delay:
            await asyncio.sleep(answer.delay)
        if not answer.status:
            return await self._end(answer.end)
        self._add(answer.head(connection), 0)
        if not bodiless and not await self._steps():
            return await self._end(answer.limit_end)
        if answer.end is End.PROPER and not bodiless:
            return await self._finished()
        if not await self._flush():
            return await self._end(answer.limit_end)
        return await self._end(answer.end)

    async def _steps(self) -> bool:
        """Write the body; False where the limit cut it."""
        answer, loop = self._answer, asyncio.get_running_loop()
        chunked = answer.length is None and answer.chunked
        each = bool(answer.split) or self._left is not None
        due = 0.0
        for delay, data, tokens in answer.steps:
            if delay:
                if not await self._flush():
                    return False
                due = (due or loop.time()) + delay
                await asyncio.sleep(max(due - loop.time(), 0))
            if data:
                self._body += len(data)
                self._add(b"%x\r\n%s\r\n" % (len(data), data) if chunked else data, tokens)
            if (each or self._size >= _MOST_AT_ONCE) and not await self._flush():
                return False
        return True

    async def _finished(self) -> str:
        answer = self._answer
        if answer.length is None and answer.chunked:
            self._add(_LAST_CHUNK, 0)
        if not await self._flush():
            return await self._end(answer.limit_end)
        if answer.length is not None and self._body < answer.length:
            return await self._end(End.CUT)  # or the client would wait for what never comes
        return "complete"

    def _add(self, data: bytes, tokens: int) -> None:
        self._pending.append(data)
        self._size += len(data)
        self._tokens += tokens

    async def _flush(self) -> bool:
        """Write what is pending; False where the limit allowed only a part of it."""
        data = b"".join(self._pending)
        self._pending.clear()
        whole = self._left is None or len(data) <= self._left
        if self._left is not None:
            data = data[: self._left]
            self._left -= len(data)
        await self._write(data)
        self._entry.bytes += len(data)
        if whole:
            self._entry.tokens += self._tokens
        self._size = self._tokens = 0
        return whole

    async def _write(self, data: bytes) -> None:
        if self._transport.is_closing():
            await self._silence()
        if self._answer.split:
            for start in range(0, len(data), self._answer.split):
                self._transport.write(data[start : start + self._answer.split])
                await asyncio.sleep(0)
        elif data:
            self._transport.write(data)
            if len(data) >= _MOST_AT_ONCE:
                await asyncio.sleep(0)  # an endless fast answer must not keep the loop to itself
        await self._writable.wait()

    async def _end(self, end: End) -> str:
        if end in (End.SILENCE, End.HALF_CLOSE):
            if end is End.HALF_CLOSE:
                self._transport.write_eof()
            await self._silence()
        if end is End.RESET:
            await self._reset()
            return "reset"
        if end is End.CUT:
            # Inside a chunk, so that the close cannot be taken for the end of a body.
            if self._answer.status and self._left is None and self._answer.length is None and self._answer.chunked:
                self._transport.write(_OPEN_CHUNK)
            self._transport.close()
            return "cut"
        return "complete"

    async def _reset(self) -> None:
        self._transport.set_write_buffer_limits(high=0)  # so that ``writable`` means: all is with the kernel
        await asyncio.sleep(0)
        await self._writable.wait()
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._transport.abort()

    async def _silence(self) -> None:
        await asyncio.get_running_loop().create_future()
