"""One place for a worker: started, watched, started again after it ended, with pauses that grow."""

import asyncio
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

import msgspec

from antiphon.clock import monotonic
from antiphon.errors import ConnectFailed
from antiphon.longtail.caplog import CappedLog
from antiphon.longtail.process import Process
from antiphon.longtail.runs import RunFile
from antiphon.types import Origin

_NOTICE = 1.0
"""Seconds."""


class State(StrEnum):
    """What a slot is at."""

    STOPPED = "stopped"
    STARTING = "starting"
    READY = "ready"
    RESTING = "resting"


class Pace(msgspec.Struct, frozen=True):
    """When a worker is called hung, and how soon one that ended is started again. Seconds.

    The first restart is at once; while workers do not live for ``settled``, pauses double from ``pause`` to
    ``longest``. ``patience`` is for an answer about its health, asked for every ``interval`` while it has calls.
    """

    patience: float = 15.0
    interval: float = 5.0
    pause: float = 0.5
    longest: float = 60.0
    settled: float = 60.0

    def rest(self, failures: int) -> float:
        """Return the pause before a restart after ``failures`` ends in a row."""
        return 0.0 if failures <= 1 else min(self.longest, self.pause * 2.0 ** min(failures - 2, 16))


class Slot:
    """Keeps one worker going. ``in_flight`` counts the calls that were given to it."""

    def __init__(
        self, socket: Path, python: Path, ca_file: str | None, log: Path, pace: Pace, changed: Callable[[], None]
    ) -> None:
        self.origin = Origin("http", "localhost", 80, str(socket))
        self.state = State.STOPPED
        self.in_flight = 0
        self.restarts = 0
        self.process: Process | None = None
        self.due = 0.0
        """Monotonic time of the next start, while resting."""
        self._socket = socket
        self._python = python
        self._ca_file = ca_file
        self._log_path = log
        self._pace = pace
        self._changed = changed
        self._task: asyncio.Task[None] | None = None

    def start(self, runs: RunFile) -> None:
        """Keep a worker going from now on, if that is not so already."""
        if self._task is None or self._task.done():
            self.state = State.STARTING
            self._task = asyncio.get_running_loop().create_task(self._keep(runs), name="longtail")

    async def stop(self) -> None:
        """End the worker, and start no other."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self._set(State.STOPPED)

    async def lost(self, process: Process) -> bool:
        """Say whether a worker that could not be reached has ended, giving its end a moment to be noticed."""
        try:
            async with asyncio.timeout(_NOTICE):
                await process.ended.wait()
        except TimeoutError:
            return False
        if process is self.process and self.state is State.READY:
            self._set(State.STARTING)
        return True

    async def _keep(self, runs: RunFile) -> None:
        log = CappedLog(self._log_path)
        failures = 0
        try:
            while True:
                started = monotonic()
                await self._live(log)
                if runs.stopped:
                    return
                self.restarts += 1
                failures = 1 if monotonic() - started >= self._pace.settled else failures + 1
                await self._rest(self._pace.rest(failures))
        finally:
            log.close()
            self._set(State.STOPPED)

    async def _rest(self, seconds: float) -> None:
        if seconds:
            self.due = monotonic() + seconds
            self._set(State.RESTING)
            await asyncio.sleep(seconds)

    async def _live(self, log: CappedLog) -> None:
        """One worker's life, from its start to its end."""
        self._set(State.STARTING)
        try:
            process = await Process.start(self._python, self._socket, self._ca_file, log)
        except OSError as error:
            log.write(f"cannot be started: {error.strerror}\n".encode())
            return
        self.process = process
        try:
            await self._until_end(process)
        finally:
            self.process = None
            await asyncio.shield(process.stop())

    async def _until_end(self, process: Process) -> None:
        try:
            self._changed()
            await process.ready()
        except ConnectFailed:
            return
        self._set(State.READY)
        ended = asyncio.ensure_future(process.wait())
        try:
            while not ended.done():
                await asyncio.wait((ended,), timeout=self._pace.interval)
                if self.in_flight and not ended.done() and not await self._healthy(process):
                    process.kill()
        finally:
            ended.cancel()

    async def _healthy(self, process: Process) -> bool:
        """Ask a worker that has calls how it is; its loop must turn for an answer."""
        try:
            async with asyncio.timeout(self._pace.patience):
                reader, writer = await asyncio.open_unix_connection(str(self._socket))
                try:
                    head = f"GET /health HTTP/1.1\r\nhost: localhost\r\nx-longtail-secret: {process.secret}\r\n\r\n"
                    writer.write(head.encode())
                    return b" 200 " in await reader.readline()
                finally:
                    writer.close()
        except (OSError, ValueError):
            return False

    def _set(self, state: State) -> None:
        self.state = state
        self._changed()
