"""LiteLLM's workers: none until a call needs one, then as many as were asked for, until the gateway stops."""

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
from antiphon.longtail.environment import Environment, LongtailError, find
from antiphon.longtail.process import Process
from antiphon.longtail.runs import RunFile
from antiphon.longtail.slot import Pace, Slot, State

_LONGEST_PLACE = 75
"""Characters of the directory for ours; systems allow a socket's whole path 103 to 107."""


class Supervisor:
    """Gives calls to the worker with the fewest. Use from one event loop.

    ``data`` is where an environment is looked for first, ``in_flight`` the most calls at once per worker.
    """

    def __init__(self, data: str, ca_file: str | None, workers: int, in_flight: int, pace: Pace) -> None:
        self._data = data
        self._ca_file = ca_file
        self._count = workers
        self._limit = in_flight
        self._pace = pace
        self._slots: list[Slot] = []
        self._runs: RunFile | None = None
        self._folder: Path | None = None
        self._found: Environment | None = None
        self._began = 0.0
        self._waiting = 0
        self._change: asyncio.Future[None] | None = None
        self._closed = False

    async def take(self) -> tuple[Slot, Process]:
        """Return a worker for one call, with the call counted; waits while all are being started.

        Raises :class:`~antiphon.errors.ConnectFailed` where LiteLLM is not installed or does not start, and
        :class:`~antiphon.errors.UpstreamStatus` (503, with the seconds to wait) where all workers are full or resting.
        """
        self._start()
        if sum(slot.in_flight for slot in self._slots) + self._waiting >= self._limit * self._count:
            _refuse("LiteLLM has as many calls as it may.", 1)
        self._waiting += 1
        try:
            while True:
                slot = self._least()
                if slot is not None and slot.process is not None:
                    slot.in_flight += 1
                    return slot, slot.process
                self._must_wait()
                await self._changes()
        finally:
            self._waiting -= 1

    def health(self) -> dict[str, Any]:
        """Return state, restarts and calls of each worker."""
        return {
            "litellm": self._found.version if self._found else None,
            "workers": [
                {"state": slot.state.value, "restarts": slot.restarts, "in_flight": slot.in_flight}
                for slot in self._slots
            ],
        }

    async def close(self) -> None:
        """End every worker."""
        self._closed = True
        await asyncio.gather(*[slot.stop() for slot in self._slots])
        self._changed()
        if self._runs is not None:
            self._runs.close()
            self._runs = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _least(self) -> Slot | None:
        ready = [slot for slot in self._slots if slot.state is State.READY]
        return min(ready, key=lambda slot: slot.in_flight) if ready else None

    def _must_wait(self) -> None:
        """Say why a call cannot be taken, where waiting would not help."""
        if self._closed:
            raise ConnectFailed("LiteLLM is being stopped with the gateway.")
        states = {slot.state for slot in self._slots}
        if State.STARTING in states:
            return
        if State.RESTING in states:
            due = min(slot.due for slot in self._slots if slot.state is State.RESTING)
            _refuse("LiteLLM ended again and again, and is being rested.", max(1, ceil(due - monotonic())))
        raise ConnectFailed("LiteLLM was stopped.")

    def _start(self) -> None:
        """Start what is not running; returns without waiting for it."""
        if self._closed:
            raise ConnectFailed("LiteLLM is being stopped with the gateway.")
        if self._slots and all(slot.state is not State.STOPPED for slot in self._slots):
            return
        if self._runs is None:
            self._prepare()
        assert self._runs is not None
        self._runs.resume()
        if self._found is not None:
            processes = f"{self._count} process" + ("es" if self._count > 1 else "")
            _say(f"Starting LiteLLM {self._found.version} ({processes}) …")
        self._began = monotonic()
        for slot in self._slots:
            slot.start(self._runs)

    def _prepare(self) -> None:
        try:
            found = find(self._data)
            runs = RunFile(found.root)
        except LongtailError as error:
            raise ConnectFailed(str(error)) from None
        except OSError as error:
            raise ConnectFailed(f"LiteLLM's directory cannot be used: {error.strerror}.") from None
        self._found, self._runs, self._folder = found, runs, _socket_folder()
        self._slots = [
            Slot(
                self._folder / f"{number}.sock",
                found.python,
                self._ca_file,
                runs.log(number),
                self._pace,
                self._changed,
            )
            for number in range(self._count)
        ]

    def _changed(self) -> None:
        """Wake whoever waits, and keep the run's file true."""
        if self._began and any(slot.state is State.READY for slot in self._slots):
            _say(f"LiteLLM is ready after {monotonic() - self._began:.1f} s.")
            self._began = 0.0
        if self._runs is not None:
            self._runs.write(tuple(slot.process.pid for slot in self._slots if slot.process is not None))
        change, self._change = self._change, None
        if change is not None and not change.done():
            change.set_result(None)

    async def _changes(self) -> None:
        if self._change is None:
            self._change = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._change)


def _socket_folder() -> Path:
    """Return a new directory that only we can enter, with a path short enough for sockets where there is a choice."""
    places = [place for place in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir()) if place]
    usable = [place for place in places if os.access(place, os.W_OK | os.X_OK) and len(place) < _LONGEST_PLACE]
    return Path(tempfile.mkdtemp(prefix="antiphon-", dir=usable[0] if usable else None))


def _refuse(message: str, seconds: int) -> NoReturn:
    error = {"message": message, "type": "service_unavailable_error", "param": None, "code": "longtail_busy"}
    body = msgspec.json.encode({"error": error})
    raise UpstreamStatus(message, status=503, body=body, headers=(), retry_after=float(seconds))


def _say(text: str) -> None:
    """Write a line of progress where people look for it: the first call waits for this."""
    print(text, file=sys.stderr, flush=True)
