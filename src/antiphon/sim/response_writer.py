"""Writes one response to a socket, with everything that a fault does to the connection."""

import asyncio
import socket
import struct

from antiphon.sim.request_log import LogEntry
from antiphon.sim.response_plan import End, ResponsePlan

_MAX_WRITE = 65536
_OPEN_CHUNK = b"400\r\n"
_LAST_CHUNK = b"0\r\n\r\n"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class ResponseWriter:
    """Writes one response as planned; ``writable`` is clear while the peer takes no more bytes."""

    def __init__(
        self, transport: asyncio.Transport, writable: asyncio.Event, plan: ResponsePlan, entry: LogEntry
    ) -> None:
        self._transport = transport
        self._writable = writable
        self._plan = plan
        self._entry = entry
        self._allowed = plan.limit
        self._pending: list[bytes] = []
        self._pending_size = 0
        self._pending_tokens = 0
        self._body_size = 0

    async def write(self, connection: bytes, *, head_only: bool = False) -> str:
        """Write the response and return how it ended: ``complete``, ``cut`` or ``reset``.

        ``connection`` is the value of that header. Never returns if the fault is silence: cancel it.
        """
        plan = self._plan
        if plan.delay:
            await asyncio.sleep(plan.delay)
        if not plan.status:
            return await self._end(plan.end)
        self._add(plan.write_head(connection), 0)
        if not head_only and not await self._write_steps():
            return await self._end(plan.limit_end)
        if plan.end is End.PROPER and not head_only:
            return await self._finish()
        if not await self._flush():
            return await self._end(plan.limit_end)
        return await self._end(plan.end)

    async def _write_steps(self) -> bool:
        """Write the body; return False if the limit cut it."""
        plan, loop = self._plan, asyncio.get_running_loop()
        flush_each = bool(plan.split) or self._allowed is not None
        due = 0.0
        for delay, data, tokens in plan.steps:
            if delay:
                if not await self._flush():
                    return False
                due = (due or loop.time()) + delay
                await asyncio.sleep(max(due - loop.time(), 0))
            if data:
                self._body_size += len(data)
                self._add(b"%x\r\n%s\r\n" % (len(data), data) if plan.is_chunked else data, tokens)
            if (flush_each or self._pending_size >= _MAX_WRITE) and not await self._flush():
                return False
        return True

    async def _finish(self) -> str:
        plan = self._plan
        if plan.is_chunked:
            self._add(_LAST_CHUNK, 0)
        if not await self._flush():
            return await self._end(plan.limit_end)
        if plan.length is not None and self._body_size < plan.length:
            return await self._end(End.CUT)  # otherwise the client would wait for bytes that never come
        return "complete"

    def _add(self, data: bytes, tokens: int) -> None:
        self._pending.append(data)
        self._pending_size += len(data)
        self._pending_tokens += tokens

    async def _flush(self) -> bool:
        """Write the pending bytes; return False if the limit allowed only a part of them."""
        data = b"".join(self._pending)
        self._pending.clear()
        complete = self._allowed is None or len(data) <= self._allowed
        if self._allowed is not None:
            data = data[: self._allowed]
            self._allowed -= len(data)
        await self._write(data)
        self._entry.bytes += len(data)
        if complete:
            self._entry.tokens += self._pending_tokens
        self._pending_size = self._pending_tokens = 0
        return complete

    async def _write(self, data: bytes) -> None:
        if self._transport.is_closing():
            await self._stay_silent()
        if self._plan.split:
            for start in range(0, len(data), self._plan.split):
                self._transport.write(data[start : start + self._plan.split])
                await asyncio.sleep(0)
        elif data:
            self._transport.write(data)
            if len(data) >= _MAX_WRITE:
                await asyncio.sleep(0)  # an endless fast answer must not keep the loop to itself
        await self._writable.wait()

    async def _end(self, end: End) -> str:
        if end in (End.SILENCE, End.HALF_CLOSE):
            if end is End.HALF_CLOSE:
                self._transport.write_eof()
            await self._stay_silent()
        if end is End.RESET:
            await self._reset()
            return "reset"
        if end is End.CUT:
            # Close inside a chunk, so that the close cannot be mistaken for the end of the body.
            if self._plan.status and self._allowed is None and self._plan.is_chunked:
                self._transport.write(_OPEN_CHUNK)
            self._transport.close()
            return "cut"
        return "complete"

    async def _reset(self) -> None:
        self._transport.set_write_buffer_limits(high=0)  # ``writable`` now means that the kernel has everything
        await asyncio.sleep(0)
        await self._writable.wait()
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._transport.abort()

    async def _stay_silent(self) -> None:
        await asyncio.get_running_loop().create_future()
