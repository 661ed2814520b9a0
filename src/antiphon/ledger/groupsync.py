"""Makes written frames durable on the disk, many at a time, without blocking the event loop."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial

from antiphon.errors import LedgerError

SPACING = 0.002
"""Seconds between the starts of two syncs under load, so that frames that arrive in between share one."""

FEW = 3
"""A sync of no more frames than this found no load, and the next one may start at once."""


class PendingFrame:
    """A frame that is written and not yet confirmed. ``tries`` counts its failed syncs."""

    __slots__ = ("confirmed", "frame", "tries")

    def __init__(self, frame: bytes, confirmed: "asyncio.Future[None]") -> None:
        self.frame = frame
        self.confirmed = confirmed
        self.tries = 0


class GroupSync:
    """Runs ``fdatasync`` in a thread, one at a time, for all frames that were written since the last one began.

    After a failed sync the kernel may have dropped the pages, and it reports that only once. So the files are never
    trusted again: ``failed(error)`` makes the owner close them, and ``rewrite(frame)`` writes each unconfirmed frame to
    another file and returns that file. If a frame's second sync fails too, its future gets a ``LedgerError``.
    Belongs to one event loop.
    """

    def __init__(self, failed: Callable[[BaseException], None], rewrite: Callable[[bytes], int]) -> None:
        self._failed = failed
        self._rewrite = rewrite
        self._waiting: list[PendingFrame] = []
        self._dirty: set[int] = set()
        self._retired: set[int] = set()
        self._flight: Future[None] | None = None
        self._group: list[PendingFrame] = []
        self._timer: asyncio.TimerHandle | None = None
        self._earliest = 0.0
        self._closing = False
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="antiphon-sync")

    def add(self, file: int, frame: bytes) -> "asyncio.Future[None]":
        """Return a future that is done once ``frame``, just written to ``file``, is on the disk."""
        loop = asyncio.get_running_loop()
        entry = PendingFrame(frame, loop.create_future())
        self._waiting.append(entry)
        self._dirty.add(file)
        self._schedule(loop)
        return entry.confirmed

    def touch(self, file: int) -> None:
        """Include ``file`` in the next sync, such as a directory that has a new entry."""
        self._dirty.add(file)

    def retire(self, file: int) -> None:
        """Close ``file`` once everything written to it is confirmed or given up."""
        self._retired.add(file)
        if self._flight is None:
            self._close_retired()

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._flight is None and self._timer is None:
            now = loop.time()
            if now >= self._earliest:
                self._begin(loop)
            else:
                self._timer = loop.call_at(self._earliest, self._begin, loop)

    def _begin(self, loop: asyncio.AbstractEventLoop | None) -> None:
        if loop is not None and self._closing:
            return
        self._timer = None
        self._group, self._waiting = self._waiting, []
        files, self._dirty = self._dirty, set()
        self._flight = self._executor.submit(_sync_all, files)
        if loop is not None:
            self._earliest = loop.time() + (SPACING if len(self._group) > FEW else 0.0)
            self._flight.add_done_callback(partial(self._on_sync_done, loop))

    def _on_sync_done(self, loop: asyncio.AbstractEventLoop, flight: "Future[None]") -> None:
        # Runs in the sync thread. If the loop is closed already, close() does the rest.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(self._finish, loop, flight)

    def _finish(self, loop: asyncio.AbstractEventLoop | None, flight: "Future[None]") -> None:
        if flight is not self._flight:
            return
        group, self._group, self._flight = self._group, [], None
        error = flight.exception()
        if error is None:
            for entry in group:
                _resolve(entry, None, loop is not None)
        else:
            self._retry(group, error, loop is not None)
        self._close_retired()
        if self._waiting and loop is not None:
            self._schedule(loop)

    def _retry(self, group: list[PendingFrame], error: BaseException, on_loop: bool) -> None:
        """Write all unconfirmed frames again, also those written during the failed sync: they are in the same file."""
        unconfirmed, self._waiting = group + self._waiting, []
        self._dirty.clear()
        self._failed(error)
        problem: Exception | None = None
        for entry in unconfirmed:
            entry.tries += 1
            if entry.tries > 1:
                problem = problem or LedgerError(f"the journal could not be synced to the disk: {error}")
            if problem is None:
                try:
                    self._dirty.add(self._rewrite(entry.frame))
                    self._waiting.append(entry)
                    continue
                except LedgerError as reason:
                    problem = reason
            _resolve(entry, problem, on_loop)

    def _close_retired(self) -> None:
        """Close files that no sync needs any more; only while none runs, because descriptors are reused."""
        for file in self._retired - self._dirty:
            self._retired.discard(file)
            os.close(file)

    def close(self) -> None:
        """Sync all waiting frames now, blocking, and end the thread.

        May run in another thread than the loop's once nothing is added any more.
        """
        self._closing = True
        while self._flight is not None or self._waiting:
            if self._flight is None:
                self._begin(None)
            flight = self._flight
            assert flight is not None
            flight.exception()
            self._finish(None, flight)
        self._dirty.clear()
        self._close_retired()
        self._executor.shutdown()


def _sync_all(files: set[int]) -> None:
    for file in files:
        os.fdatasync(file)


def _resolve(entry: PendingFrame, problem: Exception | None, on_loop: bool) -> None:
    if on_loop:
        _settle(entry, problem)
    else:
        # Nobody can be waiting on a closed loop.
        with suppress(RuntimeError):
            entry.confirmed.get_loop().call_soon_threadsafe(_settle, entry, problem)


def _settle(entry: PendingFrame, problem: Exception | None) -> None:
    if entry.confirmed.done():
        return
    if problem is None:
        entry.confirmed.set_result(None)
    else:
        entry.confirmed.set_exception(problem)
