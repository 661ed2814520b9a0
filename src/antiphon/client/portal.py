"""A bridge from ordinary code to coroutines: an event loop on a thread of its own, and a cheap way over.

Made for many short calls: a call costs one lock, one wake-up of the loop and one wake-up back. Safe from many
threads, inside and outside running loops, under Ctrl-C, and at interpreter exit.
"""

import asyncio
import os
import threading
from collections.abc import Callable, Collection, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, Generic, ParamSpec, TypeVar

from antiphon.errors import Cancelled

T = TypeVar("T")
P = ParamSpec("P")

CLOSING_TIME = 10.0
"""Seconds that closing may take before it stops waiting."""


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


class _Handover(Generic[T]):
    """One coroutine on its way over, and its result on the way back.

    It is made on the loop's own thread: an interrupt can strike the calling thread between any two steps, and a
    coroutine made there might never be awaited.
    """

    __slots__ = ("_cancelled", "_error", "_make", "_task", "_tasks", "_value", "arrived")

    def __init__(self, make: Callable[[], Coroutine[Any, Any, T]], tasks: set[asyncio.Task[None]]) -> None:
        self._make = make
        self._tasks = tasks
        self._task: asyncio.Task[None] | None = None
        self._cancelled = False
        self._value: T
        self._error: BaseException | None = None
        self.arrived = threading.Lock()
        self.arrived.acquire()

    def start(self) -> None:
        if not self._cancelled:
            self._task = task = asyncio.get_running_loop().create_task(self._carry())
            self._tasks.add(task)

    async def _carry(self) -> None:
        try:
            self._value = await self._make()
        except asyncio.CancelledError:
            self._error = Cancelled("The call was cancelled because its client was closed.")
        except BaseException as error:  # noqa: BLE001 - whatever it is belongs to the thread that waits
            self._error = error
        finally:
            if self._task is not None:
                self._tasks.discard(self._task)
            self.arrived.release()

    def cancel(self) -> None:
        self._cancelled = True
        if self._task is not None:
            self._task.cancel()

    def result(self) -> T:
        if self._error is None:
            return self._value
        try:
            raise self._error
        finally:
            self._error = None  # otherwise the error and its traceback keep each other alive


class Portal:
    """Runs coroutines for threads that have no loop; ``shutdown`` is awaited on the loop when the portal closes."""

    def __init__(self, shutdown: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self.pid = os.getpid()
        """The process whose thread this is; a forked child has a copy without the thread."""
        self._shutdown = shutdown
        self._gate = threading.Lock()
        self._closed = False
        self._problem: BaseException | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = _new_loop()
        self._thread = threading.Thread(target=_turn, args=(self._loop,), name="antiphon", daemon=True)
        self._thread.start()

    def run(self, function: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what the function's coroutine returns, or raise what it raises; an interrupt meanwhile cancels it."""
        if threading.get_ident() == self._thread.ident:
            raise RuntimeError("a synchronous call on the client's own thread would wait for itself")
        handover = _Handover(partial(function, *args, **kwargs), self._tasks)
        try:
            self._send(handover.start)
            handover.arrived.acquire()
        except BaseException:  # Ctrl-C, or whatever else a signal handler raises
            self.post(handover.cancel)
            raise
        return handover.result()

    def post(self, callback: Callable[[], object]) -> None:
        """Run a callback on the loop without waiting for it; does nothing once the portal is closed."""
        with suppress(RuntimeError):
            self._send(callback)

    def close(self) -> None:
        """Cancel what runs, await the shutdown, end the thread; raises what the shutdown raises.

        Idempotent; waits at most :data:`CLOSING_TIME`.
        """
        if os.getpid() != self.pid:
            return
        with self._gate:
            if not self._closed:
                self._closed = True
                # After every call that was let in, because callbacks run in order.
                self._loop.call_soon_threadsafe(self._begin_closing)
        if threading.get_ident() != self._thread.ident:
            self._thread.join(CLOSING_TIME)
            problem, self._problem = self._problem, None
            if problem is not None:
                raise problem

    def _send(self, callback: Callable[[], object]) -> None:
        if os.getpid() != self.pid:
            raise RuntimeError("this belongs to the parent process, as its connections do; begin anew in this one")
        with self._gate:
            if self._closed:
                raise RuntimeError("the client is closed; make a new one")
            self._loop.call_soon_threadsafe(callback)

    def _begin_closing(self) -> None:
        self._tasks.add(self._loop.create_task(self._finish(tuple(self._tasks))))

    async def _finish(self, calls: tuple[asyncio.Task[None], ...]) -> None:
        try:
            await _cancel(calls)
            await self._shutdown()
            await _cancel(asyncio.all_tasks() - {asyncio.current_task()})
        except BaseException as problem:  # noqa: BLE001 - whatever it is belongs to whoever closes
            self._problem = problem
        finally:
            self._loop.stop()


async def _cancel(tasks: Collection[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)


def _turn(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
