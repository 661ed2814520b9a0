"""The transport that needs no network: the simulator behind the same seam as a socket."""

import asyncio
from collections.abc import Iterable, Iterator
from enum import Enum

from antiphon import clock
from antiphon.errors import BadAnswer, Disconnected, Truncated
from antiphon.sim.brain import Brain
from antiphon.sim.performance import End, Performance, Step
from antiphon.sim.script import Script
from antiphon.transport.seam import Headers, Request

_MOST_AT_ONCE = 65536


class _Wake(Enum):
    """Why a wait ended."""

    TIME = "time"
    NUDGE = "nudge"
    CLOSED = "closed"


class _Waits:
    """Everyone who waits on one transport."""

    __slots__ = ("_open",)

    def __init__(self) -> None:
        self._open: set[asyncio.Future[_Wake]] = set()

    def begin(self) -> "asyncio.Future[_Wake]":
        waiter: asyncio.Future[_Wake] = asyncio.get_running_loop().create_future()
        self._open.add(waiter)
        return waiter

    async def end(self, waiter: "asyncio.Future[_Wake]", seconds: float | None) -> _Wake:
        """Wait until woken, at most ``seconds`` where given."""
        timer = None if seconds is None else waiter.get_loop().call_later(seconds, wake, waiter, _Wake.TIME)
        try:
            return await waiter
        finally:
            self._open.discard(waiter)
            if timer is not None:
                timer.cancel()

    def close(self) -> None:
        for waiter in self._open:
            wake(waiter, _Wake.CLOSED)


def wake(waiter: "asyncio.Future[_Wake]", reason: _Wake) -> None:
    """End a wait, unless it has ended."""
    if not waiter.done():
        waiter.set_result(reason)


class SimTransport:
    """Answers requests inside the process; ``script``, ``tps`` and ``seed`` are as in the simulator's brain."""

    def __init__(self, script: Script | None = None, *, tps: float = 0.0, seed: int | None = None) -> None:
        self._brain = Brain(script, tps=tps, seed=seed)
        self._waits = _Waits()

    async def send(self, request: Request, connect_timeout: float) -> "SimResponse":
        """Return once the response head would have arrived.

        Raises :class:`~antiphon.errors.Disconnected` where the simulated provider breaks before that.
        """
        head = request.head
        method, path, _ = head[: head.index(b"\r\n")].split(b" ", 2)
        answer = self._brain.perform(method, path, request.body, clock.now_us() // 1_000_000)
        silent = not answer.status and answer.end is End.SILENCE
        if answer.delay or silent:
            waiter = self._waits.begin()
            if await self._waits.end(waiter, None if silent else answer.delay) is not _Wake.TIME:
                raise Disconnected("the transport was closed before the answer came")
        if not answer.status or (answer.limit is not None and answer.limit < len(answer.head())):
            raise Disconnected("the simulated provider broke the connection before the head of its answer")
        return SimResponse(answer, self._waits)

    async def close(self) -> None:
        """End every request and answer that is being waited for."""
        self._waits.close()


class SimResponse:
    """A simulated answer whose head has arrived; see :class:`antiphon.transport.seam.Response`."""

    __slots__ = ("_ahead", "_answer", "_due", "_finished", "_steps", "_waiter", "_waits", "headers", "status")

    def __init__(self, answer: Performance, waits: _Waits) -> None:
        self.status = answer.status
        self.headers: Headers = answer.headers
        self._answer = answer
        self._waits = waits
        self._steps = as_received(answer)
        self._ahead: Step | None = None
        self._due = 0.0
        self._finished = False
        self._waiter: asyncio.Future[_Wake] | None = None

    async def chunk(self) -> bytes | None:
        """Return the bytes that are due, waiting for at least one; ``b""`` at the end, ``None`` when nudged."""
        while True:
            data = self._take()
            if data:
                if len(data) >= _MOST_AT_ONCE or self._answer.split:
                    await asyncio.sleep(0)  # an endless fast answer must not keep the loop to itself
                return data
            if self._finished and self._answer.end is not End.SILENCE:
                return self._ended()
            self._waiter = self._waits.begin()
            seconds = None if self._finished else self._due - self._waiter.get_loop().time()
            reason = await self._waits.end(self._waiter, seconds)
            self._waiter = None
            if reason is _Wake.NUDGE:
                return None
            if reason is _Wake.CLOSED:
                raise Truncated("the answer was let go before its end")

    def _take(self) -> bytes:
        """Return what is due now, without waiting; ``b""`` for nothing."""
        parts: list[bytes] = []
        size = 0
        most = 1 if self._answer.split else _MOST_AT_ONCE
        while size < most:
            if self._ahead is None:
                step = next(self._steps, None)
                if step is None:
                    self._finished = True
                    break
                if step[0]:
                    # The provider writes on while nobody reads, so each step is due after the one before it was due.
                    self._due = (self._due or asyncio.get_running_loop().time()) + step[0]
                    self._ahead = step
            else:
                step = self._ahead
            if self._ahead is not None and asyncio.get_running_loop().time() < self._due:
                break
            self._ahead = None
            parts.append(step[1])
            size += len(step[1])
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _ended(self) -> bytes:
        if self._answer.end is End.PROPER:
            return b""
        raise Truncated(f"the simulated provider broke off in the middle of its answer ({self._answer.end.value})")

    async def read(self, cap: int) -> bytes:
        """Return the whole body, at most ``cap`` bytes of it."""
        parts: list[bytes] = []
        size = 0
        while True:
            data = await self.chunk()
            if data == b"":
                return parts[0] if len(parts) == 1 else b"".join(parts)
            if data is not None:
                size += len(data)
                if size > cap:
                    raise BadAnswer(f"the simulated answer is larger than {cap} bytes")
                parts.append(data)

    def nudge(self) -> None:
        """Make a waiting :meth:`chunk` return ``None`` now."""
        if self._waiter is not None:
            wake(self._waiter, _Wake.NUDGE)

    def finish(self) -> None:
        """Let go: there is no connection to keep."""
        self.close()

    def close(self) -> None:
        """Let go; a waiting :meth:`chunk` ends with :class:`~antiphon.errors.Truncated`."""
        if not self._finished:
            self._finished = True
            self._steps, self._ahead = iter(()), None
            self._answer.end = End.CUT
        if self._waiter is not None:
            wake(self._waiter, _Wake.CLOSED)


def as_received(answer: Performance) -> Iterator[Step]:
    """Yield the steps of an answer as an HTTP client would see them.

    A stated length or a limit in bytes of the response ends them early, and changes ``answer.end`` when it does.
    """
    steps = answer.steps
    if answer.limit is not None:
        steps = _until_limit(answer, answer.limit - len(answer.head()))
    elif answer.length is not None and answer.end is End.PROPER:
        steps = _until_length(answer, answer.length)
    return _split(steps, answer.split) if answer.split else iter(steps)


def _until_length(answer: Performance, length: int) -> Iterator[Step]:
    left = length
    for delay, data, tokens in answer.steps:
        yield delay, data[:left], tokens
        left -= len(data)
        if left <= 0:
            return
    if left:
        answer.end = End.CUT


def _until_limit(answer: Performance, left: int) -> Iterator[Step]:
    chunked = answer.length is None and answer.chunked
    for delay, data, tokens in answer.steps:
        before = len(b"%x\r\n" % len(data)) if chunked and data else 0
        after = 2 if chunked and data else 0
        if before + len(data) + after > left:
            answer.end = answer.limit_end
            yield delay, data[: max(left - before, 0)], tokens
            return
        left -= before + len(data) + after
        yield delay, data, tokens
    if chunked and left < len(b"0\r\n\r\n"):
        answer.end = answer.limit_end


def _split(steps: Iterable[Step], size: int) -> Iterator[Step]:
    for delay, data, tokens in steps:
        for start in range(0, len(data), size):
            yield delay, data[start : start + size], tokens
            delay = 0.0
