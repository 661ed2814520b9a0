"""The transport that needs no network: the simulator behind the same interface as a socket."""

import asyncio
from collections.abc import Iterable, Iterator
from enum import Enum

from antiphon import clock
from antiphon.errors import BadAnswer, Disconnected, Truncated
from antiphon.sim.response_plan import End, ResponsePlan, Step
from antiphon.sim.script import Script
from antiphon.sim.simulator import Simulator
from antiphon.transport.interface import Headers, OnChunk, Request

_MAX_CHUNK = 65536


class _Wake(Enum):
    """Why a wait ended."""

    TIME = "time"
    NUDGE = "nudge"
    CLOSED = "closed"


class _Waiters:
    """The waits on one transport."""

    __slots__ = ("_open",)

    def __init__(self) -> None:
        self._open: set[asyncio.Future[_Wake]] = set()

    def add(self) -> "asyncio.Future[_Wake]":
        waiter: asyncio.Future[_Wake] = asyncio.get_running_loop().create_future()
        self._open.add(waiter)
        return waiter

    async def wait(self, waiter: "asyncio.Future[_Wake]", seconds: float | None) -> _Wake:
        """Wait until the waiter is woken, for at most ``seconds`` if given."""
        timer = None if seconds is None else waiter.get_loop().call_later(seconds, _wake, waiter, _Wake.TIME)
        try:
            return await waiter
        finally:
            self._open.discard(waiter)
            if timer is not None:
                timer.cancel()

    def close(self) -> None:
        for waiter in self._open:
            _wake(waiter, _Wake.CLOSED)


def _wake(waiter: "asyncio.Future[_Wake]", reason: _Wake) -> None:
    if not waiter.done():
        waiter.set_result(reason)


class SimTransport:
    """Answers requests inside the process.

    ``script``, ``tps`` and ``seed`` are those of :class:`~antiphon.sim.simulator.Simulator`.
    """

    def __init__(self, script: Script | None = None, *, tps: float = 0.0, seed: int | None = None) -> None:
        self._simulator = Simulator(script, tps=tps, seed=seed)
        self._waiters = _Waiters()

    async def send(self, request: Request, connect_timeout: float) -> "SimResponse":
        """Return once the response head would have arrived.

        Raises :class:`~antiphon.errors.Disconnected` if the simulated provider breaks the connection before that.
        """
        head = request.head
        method, path, _ = head[: head.index(b"\r\n")].split(b" ", 2)
        plan = self._simulator.plan_response(method, path, request.body, clock.read_time_us() // 1_000_000)
        silent = not plan.status and plan.end is End.SILENCE
        if plan.delay or silent:
            waiter = self._waiters.add()
            if await self._waiters.wait(waiter, None if silent else plan.delay) is not _Wake.TIME:
                raise Disconnected("the transport was closed before the answer came")
        if not plan.status or (plan.limit is not None and plan.limit < len(plan.write_head())):
            raise Disconnected("the simulated provider broke the connection before the head of its answer")
        return SimResponse(plan, self._waiters)

    async def close(self) -> None:
        """End every wait for a head or a body."""
        self._waiters.close()


class SimResponse:
    """A simulated response whose head has arrived; see :class:`antiphon.transport.interface.Response`."""

    __slots__ = ("_due", "_finished", "_next_step", "_plan", "_steps", "_waiter", "_waiters", "headers", "status")

    def __init__(self, plan: ResponsePlan, waiters: _Waiters) -> None:
        self.status = plan.status
        self.headers: Headers = plan.headers
        self._plan = plan
        self._waiters = waiters
        self._steps = _iterate_received(plan)
        self._next_step: Step | None = None
        self._due = 0.0
        self._finished = False
        self._waiter: asyncio.Future[_Wake] | None = None

    async def read_chunk(self, on_chunk: OnChunk | None = None) -> bytes | None:
        """Return the bytes that are due, waiting for at least one; ``b""`` at the end, ``None`` when nudged."""
        while True:
            data = self._take_due()
            if data:
                if len(data) >= _MAX_CHUNK or self._plan.split:
                    await asyncio.sleep(0)  # an endless fast answer must not keep the loop to itself
                return data
            if self._finished and self._plan.end is not End.SILENCE:
                return self._end()
            self._waiter = self._waiters.add()
            seconds = None if self._finished else self._due - self._waiter.get_loop().time()
            reason = await self._waiters.wait(self._waiter, seconds)
            self._waiter = None
            if reason is _Wake.NUDGE:
                return None
            if reason is _Wake.CLOSED:
                raise Truncated("the answer was closed before its end")

    def _take_due(self) -> bytes:
        """Return the bytes that are due now, without waiting; ``b""`` if there are none."""
        parts: list[bytes] = []
        size = 0
        enough = 1 if self._plan.split else _MAX_CHUNK
        while size < enough:
            if self._next_step is None:
                step = next(self._steps, None)
                if step is None:
                    self._finished = True
                    break
                if step[0]:
                    # The provider writes on while nobody reads, so each step is due after the one before it was due.
                    self._due = (self._due or asyncio.get_running_loop().time()) + step[0]
                    self._next_step = step
            else:
                step = self._next_step
            if self._next_step is not None and asyncio.get_running_loop().time() < self._due:
                break
            self._next_step = None
            parts.append(step[1])
            size += len(step[1])
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _end(self) -> bytes:
        if self._plan.end is End.PROPER:
            return b""
        raise Truncated(f"the simulated provider broke off in the middle of its answer ({self._plan.end.value})")

    async def read(self, cap: int) -> bytes:
        """Return the whole body; raises :class:`~antiphon.errors.BadAnswer` if it has more than ``cap`` bytes."""
        parts: list[bytes] = []
        size = 0
        while True:
            data = await self.read_chunk()
            if data == b"":
                return parts[0] if len(parts) == 1 else b"".join(parts)
            if data is not None:
                size += len(data)
                if size > cap:
                    raise BadAnswer(f"the simulated answer is larger than {cap} bytes")
                parts.append(data)

    def nudge(self) -> None:
        """Make a waiting :meth:`read_chunk` return ``None`` now."""
        if self._waiter is not None:
            _wake(self._waiter, _Wake.NUDGE)

    def finish(self) -> None:
        """Release the response; there is no connection to keep."""
        self.close()

    def close(self) -> None:
        """Release the response; a waiting :meth:`read_chunk` raises :class:`~antiphon.errors.Truncated`."""
        if not self._finished:
            self._finished = True
            self._steps, self._next_step = iter(()), None
            self._plan.end = End.CUT
        if self._waiter is not None:
            _wake(self._waiter, _Wake.CLOSED)


def _iterate_received(plan: ResponsePlan) -> Iterator[Step]:
    """Yield the steps of a response as an HTTP client would receive them.

    A stated length, or a limit on the bytes of the response, may end them early and then changes ``plan.end``.
    """
    steps = plan.steps
    if plan.limit is not None:
        steps = _iterate_to_limit(plan, plan.limit - len(plan.write_head()))
    elif plan.length is not None and plan.end is End.PROPER:
        steps = _iterate_to_length(plan, plan.length)
    return _split_steps(steps, plan.split) if plan.split else iter(steps)


def _iterate_to_length(plan: ResponsePlan, length: int) -> Iterator[Step]:
    remaining = length
    for delay, data, tokens in plan.steps:
        yield delay, data[:remaining], tokens
        remaining -= len(data)
        if remaining <= 0:
            return
    if remaining:
        plan.end = End.CUT


def _iterate_to_limit(plan: ResponsePlan, remaining: int) -> Iterator[Step]:
    for delay, data, tokens in plan.steps:
        before = len(b"%x\r\n" % len(data)) if plan.is_chunked and data else 0
        after = 2 if plan.is_chunked and data else 0
        if before + len(data) + after > remaining:
            plan.end = plan.limit_end
            yield delay, data[: max(remaining - before, 0)], tokens
            return
        remaining -= before + len(data) + after
        yield delay, data, tokens
    if plan.is_chunked and remaining < len(b"0\r\n\r\n"):
        plan.end = plan.limit_end


def _split_steps(steps: Iterable[Step], size: int) -> Iterator[Step]:
    for delay, data, tokens in steps:
        for start in range(0, len(data), size):
            yield delay, data[start : start + size], tokens
            delay = 0.0
