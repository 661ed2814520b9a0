"""Who runs LiteLLM now: one file per process that supervises workers, so that the command line can see and stop them.

The supervising process holds a lock on its file for as long as it lives, so a file without a lock is a leftover,
whatever process has its number today.
"""

import fcntl
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

_GRACE = 5.0
"""Seconds between asking and killing."""


class Run(msgspec.Struct, frozen=True):
    """What one supervisor wrote of itself; ``pid`` is its own, ``workers`` those of LiteLLM's processes."""

    pid: int
    workers: tuple[int, ...] = ()


class RunFile:
    """A supervisor's own entry; made when its first worker starts, removed in the end."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "run"
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _tidy(self.folder)
        pid = os.getpid()
        # Two runtimes in one process have a file each.
        self._path = self.folder / f"{pid}-{id(self):x}.json"
        self._stop = self._path.with_suffix(".stop")
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def log(self, worker: int) -> Path:
        """Return where a worker's log goes."""
        return self._path.with_name(f"{self._path.stem}-{worker}.log")

    def write(self, workers: tuple[int, ...]) -> None:
        """Say which workers there are."""
        text = msgspec.json.encode(Run(os.getpid(), workers))
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, text, 0)

    @property
    def stopped(self) -> bool:
        """Whether the command line asked for the workers' end; asking once is answered once."""
        return self._stop.exists()

    def resume(self) -> None:
        """Forget that it was asked."""
        self._stop.unlink(missing_ok=True)

    def close(self) -> None:
        """Remove the entry; the logs stay until the next supervisor starts."""
        for path in (self._path, self._stop):
            path.unlink(missing_ok=True)
        os.close(self._descriptor)


def running(root: Path) -> Iterator[tuple[Path, Run]]:
    """Yield every supervisor that lives, with its file."""
    for path in sorted((root / "run").glob("*.json")):
        if (run := _living(path)) is not None:
            yield path, run


def stop(root: Path) -> int:
    """End every worker under ``root``, with SIGTERM and then SIGKILL; returns how many were told to.

    A gateway that runs starts new ones when a call needs them.
    """
    told = 0
    for path, run in list(running(root)):
        path.with_suffix(".stop").touch(0o600)
        for number in (signal.SIGTERM, signal.SIGKILL):
            workers = [pid for pid in _workers(path) if pid in run.workers]
            told += len(workers) if number is signal.SIGTERM else 0
            for pid in workers:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
            until = time.monotonic() + _GRACE
            while time.monotonic() < until and any(pid in run.workers for pid in _workers(path)):
                time.sleep(0.02)
    return told


def _workers(path: Path) -> tuple[int, ...]:
    run = _living(path)
    return () if run is None else run.workers


def _living(path: Path) -> Run | None:
    """Return what a file says, or ``None`` where nobody holds its lock any more."""
    with suppress(OSError, msgspec.MsgspecError), path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return msgspec.json.decode(file.read(), type=Run)
    return None


def _tidy(folder: Path) -> None:
    """Remove what dead supervisors left."""
    living = {path.stem for path in folder.glob("*.json") if _living(path) is not None}
    for path in folder.iterdir():
        owner = "-".join(path.name.partition(".")[0].split("-")[:2])
        if owner not in living:
            path.unlink(missing_ok=True)


def summary(path: Path, run: Run) -> dict[str, Any]:
    """Return an entry for people and programs: who supervises, which workers, where their logs are."""
    logs = sorted(str(log) for log in path.parent.glob(f"{path.stem}-*.log"))
    return {"pid": run.pid, "workers": list(run.workers), "logs": logs}
