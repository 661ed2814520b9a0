"""An event loop for threads that have none: the calling thread runs it, or a background thread does.

Calls one after the other need no second thread. The calling thread runs the loop until its call has ended, so that a
call costs no wake-up of another thread. The background thread runs the loop

- while no call is made, from :data:`IDLE_TIME` after the last one, so that connections and timers are looked after;
- from then on without end, once two threads call at the same time, a call is made inside a running loop, or the program
  handles signals itself (see :mod:`antiphon.client.interrupts`). A call then costs one wake-up of the loop and one
  wake-up back.

Safe in many threads, inside and outside running loops, under Ctrl-C, and at interpreter exit.
"""

import asyncio
import os
import threading
from collections.abc import Callable, Collection, Coroutine
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Generic, ParamSpec, TypeVar

from antiphon.client.interrupts import DeferredInterrupt, can_defer_interrupts
from antiphon.errors import Cancelled

T = TypeVar("T")
P = ParamSpec("P")

CLOSING_TIME = 10.0
"""Seconds after which closing stops waiting."""
IDLE_TIME = 0.5
"""Seconds without a call after which the background thread runs the loop; it may take twice as long to notice."""

_CALLER, _THREAD = "caller", "thread"


def _make_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


class _Call(Generic[T]):
    """One coroutine and its result; ``on_end`` is called on the loop when the result is there."""

    __slots__ = ("_cancelled", "_error", "_make", "_on_end", "_started", "_task", "_tasks", "_value", "ended")

    def __init__(
        self,
        make: Callable[[], Coroutine[Any, Any, T]],
        tasks: set[asyncio.Task[None]],
        on_end: Callable[[], object],
    ) -> None:
        self._make = make
        self._tasks = tasks
        self._on_end = on_end
        self._task: asyncio.Task[None] | None = None
        self._started = self._cancelled = self.ended = False
        self._value: T
        self._error: BaseException | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the call in the thread that runs the loop, or is about to run it."""
        self._task = task = loop.create_task(self._run())
        self._tasks.add(task)

    async def _run(self) -> None:
        self._started = True
        try:
            if self._cancelled:
                raise asyncio.CancelledError
            self._value = await self._make()
        except asyncio.CancelledError:
            self._error = Cancelled("The call was cancelled because its client was closed.")
        except BaseException as error:  # noqa: BLE001 - every error belongs to the thread that waits
            self._error = error
        finally:
            if self._task is not None:
                self._tasks.discard(self._task)
            self.end()

    def cancel(self) -> None:
        """Cancel the call; for the loop's thread."""
        self._cancelled = True
        if self._task is not None and self._started:  # a task cancelled before its first step never ends the call
            self._task.cancel()

    def end(self) -> None:
        """Let the thread that waits go on; for the loop's thread."""
        self.ended = True
        self._on_end()

    def get_result(self) -> T:
        """Return the value of the coroutine, or raise its error."""
        if self._error is None:
            return self._value
        try:
            raise self._error
        finally:
            self._error = None  # otherwise the error and its traceback keep each other alive


class LoopThread:
    """Runs coroutines for threads that have no loop; ``shutdown`` is awaited on the loop when it closes."""

    def __init__(self, shutdown: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self.pid = os.getpid()
        """The process of the loop; a forked child must not touch its copy."""
        self._shutdown = shutdown
        self._loop = _make_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread: threading.Thread | None = None
        self._wakeups: SimpleQueue[None] = SimpleQueue()  # reentrant, for finalizers
        self._problem: BaseException | None = None
        self._finished = False
        # The gate guards the fields below it. It is reentrant because a finalizer may close the client at any step.
        self._gate = threading.RLock()
        self._closed = False
        self._runner = ""
        self._is_shared = False
        self._calls = 0
        self._submitted = 0

    def run(self, function: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the value of the function's coroutine, or raise its error; an interrupt meanwhile cancels it."""
        self._check_process()
        make = partial(function, *args, **kwargs)
        running = asyncio._get_running_loop()
        if running is self._loop:
            raise RuntimeError("a synchronous call on the client's own loop would wait for itself")
        if running is not None or self._is_shared:
            return self._submit(make, may_run_here=False)
        call = _Call(make, self._tasks, self._stop_caller)
        if threading.get_ident() != threading.main_thread().ident:
            return call.get_result() if self._run_here(call) else self._submit(make, may_run_here=True)
        if not can_defer_interrupts():
            return self._submit(make, may_run_here=False)
        with DeferredInterrupt(partial(self._interrupt, call)):
            has_run = self._run_here(call)
        return call.get_result() if has_run else self._submit(make, may_run_here=True)

    def post(self, callback: Callable[[], object]) -> None:
        """Run a callback on the loop soon, without waiting for it; does nothing once the loop is closed."""
        with suppress(RuntimeError):
            self._check_process()
            with self._gate:
                self._check_open()
                self._loop.call_soon_threadsafe(callback)
        self.wake()

    def wake(self) -> None:
        """Let the background thread run the loop at once, unless a caller does. Safe in finalizers."""
        self._wakeups.put(None)

    def close(self) -> None:
        """Cancel all calls, await the shutdown, end the thread; raises what the shutdown raises.

        Idempotent; waits at most :data:`CLOSING_TIME`.
        """
        if os.getpid() != self.pid:
            return
        with self._gate:
            thread, is_first, self._closed = self._thread, not self._closed, True
            if is_first and thread is None:  # never used
                self._loop.close()
            elif is_first:
                # Callbacks run in order, so this one comes after every call that was accepted.
                self._loop.call_soon_threadsafe(self._begin_closing)
                self.wake()
        if thread is None or thread is threading.current_thread() or asyncio._get_running_loop() is self._loop:
            return
        thread.join(CLOSING_TIME)
        problem, self._problem = self._problem, None
        if problem is not None:
            raise problem

    def _check_process(self) -> None:
        if os.getpid() != self.pid:
            raise RuntimeError("this belongs to the parent process, as its connections do; begin anew in this one")

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("the client is closed; make a new one")

    def _run_here(self, call: _Call[Any]) -> bool:
        """Run the loop in this thread until a call has ended; return false if another thread runs the loop."""
        with self._gate:
            self._check_open()
            if self._runner or self._is_shared:
                return False
            self._start_thread()
            self._runner = _CALLER
        try:
            call.start(self._loop)
            while not call.ended:
                self._loop.run_forever()
        finally:
            with self._gate:
                self._runner = ""
                self._calls += 1
                self._wake_if_needed()
        return True

    def _wake_if_needed(self) -> None:
        if self._is_shared or self._closed or self._submitted or self._tasks:
            self.wake()

    def _stop_caller(self) -> None:
        if self._runner == _CALLER:
            self._loop.stop()

    def _interrupt(self, call: _Call[Any], strikes: int) -> None:
        """Cancel a call at the first Ctrl-C; leave it to the background thread at the second."""
        self._loop.call_soon_threadsafe(call.cancel if strikes == 1 else call.end)

    def _submit(self, make: Callable[[], Coroutine[Any, Any, T]], *, may_run_here: bool) -> T:
        """Run a call in the thread that runs the loop, and wait for it."""
        waiting = threading.Lock()
        waiting.acquire()

        def end() -> None:
            self._give_back()
            waiting.release()

        call = _Call(make, self._tasks, end)
        try:
            with self._gate:
                self._check_open()
                self._start_thread()
                if not may_run_here or self._submitted or self._runner != _THREAD:
                    self._is_shared = True
                self._submitted += 1
                # The coroutine is made on the loop. An interrupt could strike this thread between any two steps, and a
                # coroutine made here might never be awaited.
                self._loop.call_soon_threadsafe(call.start, self._loop, context=copy_context())
                if self._runner != _THREAD:
                    self.wake()
            waiting.acquire()
        except BaseException:  # Ctrl-C, or an error of another signal handler
            self.post(call.cancel)
            raise
        return call.get_result()

    def _give_back(self) -> None:
        """Let callers run the loop again, after the call that found it in the hands of the background thread."""
        with self._gate:
            self._submitted -= 1
            if self._runner == _THREAD and not (self._is_shared or self._closed or self._submitted):
                self._loop.stop()

    def _start_thread(self) -> None:
        if self._thread is None:
            thread = threading.Thread(target=self._serve, name="antiphon", daemon=True)
            thread.start()
            self._thread = thread

    def _serve(self) -> None:
        """Run the loop whenever it must be and no caller does, until it is closed."""
        calls = 0
        while not self._finished:
            is_due = self._wait_for_wakeup() or calls == self._calls
            with self._gate:
                calls = self._calls
                if self._runner or not is_due:
                    continue
                self._runner = _THREAD
            if not self._finished:
                self._loop.run_forever()
            with self._gate:
                self._runner = ""
                self._wake_if_needed()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def _wait_for_wakeup(self) -> bool:
        """Return whether the thread was woken within :data:`IDLE_TIME`."""
        try:
            self._wakeups.get(timeout=IDLE_TIME)
        except Empty:
            return False
        with suppress(Empty):
            while True:  # one wake-up answers all
                self._wakeups.get_nowait()
        return True

    def _begin_closing(self) -> None:
        self._tasks.add(self._loop.create_task(self._finish(tuple(self._tasks))))

    async def _finish(self, calls: tuple[asyncio.Task[None], ...]) -> None:
        try:
            await _cancel(calls)
            await self._shutdown()
            await _cancel(asyncio.all_tasks() - {asyncio.current_task()})
        except BaseException as problem:  # noqa: BLE001 - every error belongs to the thread that closes
            self._problem = problem
        finally:
            self._finished = True
            self._loop.stop()


async def _cancel(tasks: Collection[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
