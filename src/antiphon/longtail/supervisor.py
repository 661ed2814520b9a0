"""LiteLLM's workers: none until a call needs one, then the configured number, until the gateway stops."""

import asyncio
import os
import shutil
import sys
import tempfile
from math import ceil
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from antiphon.clock import monotonic
from antiphon.errors import ConnectFailed, UpstreamStatus
from antiphon.longtail.environment import Environment, LongtailError, get_installed
from antiphon.longtail.supervisor_files import SupervisorFile
from antiphon.longtail.worker_process import WorkerProcess
from antiphon.longtail.worker_slot import RestartPolicy, SlotState, WorkerSlot

_MAX_FOLDER_LENGTH = 75
"""Characters of the directory in which ours is created; systems allow 103 to 107 for the whole path of a socket."""


class Supervisor:
    """Gives each call to the worker with the fewest calls. Use it from one event loop.

    ``data`` is the first place to look for an environment, ``in_flight`` the most calls at once per worker.
    """

    def __init__(self, data: str, ca_file: str | None, workers: int, in_flight: int, policy: RestartPolicy) -> None:
        self._data = data
        self._ca_file = ca_file
        self._workers = workers
        self._max_in_flight = in_flight
        self._policy = policy
        self._slots: list[WorkerSlot] = []
        self._file: SupervisorFile | None = None
        self._socket_folder: Path | None = None
        self._environment: Environment | None = None
        self._started = 0.0
        self._waiting = 0
        self._change: asyncio.Future[None] | None = None
        self._closed = False

    async def take_worker(self) -> tuple[WorkerSlot, WorkerProcess]:
        """Return a worker for one call, with the call counted; waits while all workers are being started.

        Raises :class:`~antiphon.errors.ConnectFailed` if LiteLLM is not installed or does not start, and
        :class:`~antiphon.errors.UpstreamStatus` (503, with the seconds to wait) if all workers are full or resting.
        """
        self._start()
        if sum(slot.in_flight for slot in self._slots) + self._waiting >= self._max_in_flight * self._workers:
            _reject("LiteLLM has as many calls as it may.", 1)
        self._waiting += 1
        try:
            while True:
                slot = self._find_least_busy()
                if slot is not None and slot.process is not None:
                    slot.in_flight += 1
                    return slot, slot.process
                self._check_worth_waiting()
                await self._wait_for_change()
        finally:
            self._waiting -= 1

    def describe(self) -> dict[str, Any]:
        """Return state, restarts and calls of each worker."""
        return {
            "litellm": self._environment.version if self._environment else None,
            "workers": [
                {"state": slot.state.value, "restarts": slot.restarts, "in_flight": slot.in_flight}
                for slot in self._slots
            ],
        }

    async def close(self) -> None:
        """End every worker."""
        self._closed = True
        await asyncio.gather(*[slot.stop() for slot in self._slots])
        self._on_change()
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._socket_folder is not None:
            shutil.rmtree(self._socket_folder, ignore_errors=True)
            self._socket_folder = None

    def _find_least_busy(self) -> WorkerSlot | None:
        ready = [slot for slot in self._slots if slot.state is SlotState.READY]
        return min(ready, key=lambda slot: slot.in_flight) if ready else None

    def _check_worth_waiting(self) -> None:
        """Raise if no worker is being started, so that waiting for one would not help."""
        self._check_open()
        states = {slot.state for slot in self._slots}
        if SlotState.STARTING in states:
            return
        if SlotState.RESTING in states:
            due = min(slot.due for slot in self._slots if slot.state is SlotState.RESTING)
            _reject("LiteLLM ended again and again, and is being rested.", max(1, ceil(due - monotonic())))
        raise ConnectFailed("LiteLLM was stopped.")

    def _check_open(self) -> None:
        if self._closed:
            raise ConnectFailed("LiteLLM is being stopped with the gateway.")

    def _start(self) -> None:
        """Start the stopped workers, without waiting for them."""
        self._check_open()
        if self._slots and all(slot.state is not SlotState.STOPPED for slot in self._slots):
            return
        if self._file is None:
            self._prepare()
        assert self._file is not None
        self._file.clear_stop_request()
        if self._environment is not None:
            processes = f"{self._workers} process" + ("es" if self._workers > 1 else "")
            _print_progress(f"Starting LiteLLM {self._environment.version} ({processes}) …")
        self._started = monotonic()
        for slot in self._slots:
            slot.start(self._file)

    def _prepare(self) -> None:
        try:
            environment = get_installed(self._data)
            file = SupervisorFile(environment.root)
        except LongtailError as error:
            raise ConnectFailed(str(error)) from None
        except OSError as error:
            raise ConnectFailed(f"LiteLLM's directory cannot be used: {error.strerror}.") from None
        folder = _make_socket_folder()
        self._environment, self._file, self._socket_folder = environment, file, folder
        self._slots = [
            WorkerSlot(
                folder / f"{number}.sock",
                environment.python,
                self._ca_file,
                file.get_log_path(number),
                self._policy,
                self._on_change,
            )
            for number in range(self._workers)
        ]

    def _on_change(self) -> None:
        """Wake the waiting calls, and write the current workers into the supervisor's file."""
        if self._started and any(slot.state is SlotState.READY for slot in self._slots):
            _print_progress(f"LiteLLM is ready after {monotonic() - self._started:.1f} s.")
            self._started = 0.0
        if self._file is not None:
            self._file.write(tuple(slot.process.pid for slot in self._slots if slot.process is not None))
        change, self._change = self._change, None
        if change is not None and not change.done():
            change.set_result(None)

    async def _wait_for_change(self) -> None:
        if self._change is None:
            self._change = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._change)


def _make_socket_folder() -> Path:
    """Create a directory that only this user can enter, if possible with a path short enough for sockets."""
    places = [place for place in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir()) if place]
    usable = [place for place in places if os.access(place, os.W_OK | os.X_OK) and len(place) < _MAX_FOLDER_LENGTH]
    return Path(tempfile.mkdtemp(prefix="antiphon-", dir=usable[0] if usable else None))


def _reject(message: str, seconds: int) -> NoReturn:
    error = {"message": message, "type": "service_unavailable_error", "param": None, "code": "longtail_busy"}
    body = msgspec.json.encode({"error": error})
    raise UpstreamStatus(message, status=503, body=body, headers=(), retry_after=float(seconds))


def _print_progress(text: str) -> None:
    """Write a line for the user, whose first call waits for the start."""
    print(text, file=sys.stderr, flush=True)
