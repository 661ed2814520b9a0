"""The place of one worker: it is started, watched, and started again after its end, with growing pauses."""

import asyncio
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

import msgspec

from antiphon.clock import monotonic
from antiphon.errors import ConnectFailed
from antiphon.longtail.capped_log import CappedLog
from antiphon.longtail.supervisor_files import SupervisorFile
from antiphon.longtail.worker_process import WorkerProcess
from antiphon.types import Origin

_END_NOTICE_SECONDS = 1.0
"""Time for the end of a process to be noticed after a connection to it failed."""


class SlotState(StrEnum):
    """The state of a slot; ``RESTING`` is the pause before a restart."""

    STOPPED = "stopped"
    STARTING = "starting"
    READY = "ready"
    RESTING = "resting"


class RestartPolicy(msgspec.Struct, frozen=True):
    """When a worker counts as hung, and how soon a worker that ended is started again. All times are seconds.

    A worker with calls is asked for its health every ``health_interval`` and killed if it does not answer within
    ``health_timeout``. The first restart is immediate. While workers end within ``stable_after`` of their start, the
    pauses double from ``first_pause`` to ``longest_pause``.
    """

    health_timeout: float = 15.0
    health_interval: float = 5.0
    first_pause: float = 0.5
    longest_pause: float = 60.0
    stable_after: float = 60.0

    def get_pause(self, failures: int) -> float:
        """Return the pause before a restart after ``failures`` ends in a row."""
        return 0.0 if failures <= 1 else min(self.longest_pause, self.first_pause * 2.0 ** min(failures - 2, 16))


class WorkerSlot:
    """Keeps one worker running. ``in_flight`` counts the calls that were given to it."""

    def __init__(
        self,
        socket: Path,
        python: Path,
        ca_file: str | None,
        log: Path,
        policy: RestartPolicy,
        on_change: Callable[[], None],
    ) -> None:
        self.origin = Origin("http", "localhost", 80, str(socket))
        self.state = SlotState.STOPPED
        self.in_flight = 0
        self.restarts = 0
        self.process: WorkerProcess | None = None
        self.due = 0.0
        """Monotonic time of the next start, while resting."""
        self._socket = socket
        self._python = python
        self._ca_file = ca_file
        self._log_path = log
        self._policy = policy
        self._on_change = on_change
        self._task: asyncio.Task[None] | None = None

    def start(self, supervisor_file: SupervisorFile) -> None:
        """Keep a worker running from now on; does nothing if one is kept running already."""
        if self._task is None or self._task.done():
            self.state = SlotState.STARTING
            self._task = asyncio.get_running_loop().create_task(self._keep_running(supervisor_file), name="longtail")

    async def stop(self) -> None:
        """End the worker, and start no other."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self._set_state(SlotState.STOPPED)

    async def notice_end(self, process: WorkerProcess) -> bool:
        """Return whether a worker that could not be reached has ended, after a moment for its end to be noticed."""
        try:
            async with asyncio.timeout(_END_NOTICE_SECONDS):
                await process.ended.wait()
        except TimeoutError:
            return False
        if process is self.process and self.state is SlotState.READY:
            self._set_state(SlotState.STARTING)
        return True

    async def _keep_running(self, supervisor_file: SupervisorFile) -> None:
        log = CappedLog(self._log_path)
        failures = 0
        try:
            while True:
                started = monotonic()
                await self._run_worker(log)
                if supervisor_file.stop_requested:
                    return
                self.restarts += 1
                failures = 1 if monotonic() - started >= self._policy.stable_after else failures + 1
                await self._rest(self._policy.get_pause(failures))
        finally:
            log.close()
            self._set_state(SlotState.STOPPED)

    async def _rest(self, seconds: float) -> None:
        if seconds:
            self.due = monotonic() + seconds
            self._set_state(SlotState.RESTING)
            await asyncio.sleep(seconds)

    async def _run_worker(self, log: CappedLog) -> None:
        """Run one worker from its start to its end."""
        self._set_state(SlotState.STARTING)
        try:
            process = await WorkerProcess.start(self._python, self._socket, self._ca_file, log)
        except OSError as error:
            log.write(f"cannot be started: {error.strerror}\n".encode())
            return
        self.process = process
        try:
            await self._watch(process)
        finally:
            self.process = None
            await asyncio.shield(process.stop())

    async def _watch(self, process: WorkerProcess) -> None:
        """Return at the end of a worker; kill it if it hangs."""
        try:
            self._on_change()
            await process.wait_until_ready()
        except ConnectFailed:
            return
        self._set_state(SlotState.READY)
        ended = asyncio.ensure_future(process.wait())
        try:
            while not ended.done():
                await asyncio.wait((ended,), timeout=self._policy.health_interval)
                if self.in_flight and not ended.done() and not await self._is_healthy(process):
                    process.kill()
        finally:
            ended.cancel()

    async def _is_healthy(self, process: WorkerProcess) -> bool:
        """Ask a worker for its health; it can answer only while its event loop runs."""
        try:
            async with asyncio.timeout(self._policy.health_timeout):
                reader, writer = await asyncio.open_unix_connection(str(self._socket))
                try:
                    head = f"GET /health HTTP/1.1\r\nhost: localhost\r\nx-longtail-secret: {process.secret}\r\n\r\n"
                    writer.write(head.encode())
                    return b" 200 " in await reader.readline()
                finally:
                    writer.close()
        except (OSError, ValueError):
            return False

    def _set_state(self, state: SlotState) -> None:
        self.state = state
        self._on_change()
