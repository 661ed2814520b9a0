"""One file per process that supervises workers of LiteLLM, so that the command line can see and stop them.

The supervising process holds a lock on its file for as long as it lives. A file without a lock is a leftover, whatever
process has its number today.
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

_STOP_SECONDS = 5.0
"""Time between SIGTERM and SIGKILL."""


class SupervisorEntry(msgspec.Struct, frozen=True):
    """The contents of a supervisor's file: its own ``pid`` and those of its ``workers``."""

    pid: int
    workers: tuple[int, ...] = ()


class SupervisorFile:
    """A supervisor's own file; created when its first worker starts, removed at the end."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "run"
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _remove_leftovers(self.folder)
        pid = os.getpid()
        # Two runtimes in one process have a file each.
        self._path = self.folder / f"{pid}-{id(self):x}.json"
        self._stop_path = self._path.with_suffix(".stop")
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def get_log_path(self, worker: int) -> Path:
        """Return the path of a worker's log."""
        return self._path.with_name(f"{self._path.stem}-{worker}.log")

    def write(self, workers: tuple[int, ...]) -> None:
        """Write the process numbers of the workers."""
        text = msgspec.json.encode(SupervisorEntry(os.getpid(), workers))
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, text, 0)

    @property
    def stop_requested(self) -> bool:
        """Whether the command line asked for the end of the workers."""
        return self._stop_path.exists()

    def clear_stop_request(self) -> None:
        """Forget that the command line asked for the end of the workers."""
        self._stop_path.unlink(missing_ok=True)

    def close(self) -> None:
        """Remove the file; the logs stay until the next supervisor starts."""
        for path in (self._path, self._stop_path):
            path.unlink(missing_ok=True)
        os.close(self._descriptor)


def iterate_running(root: Path) -> Iterator[tuple[Path, SupervisorEntry]]:
    """Yield the file and the entry of every living supervisor."""
    for path in sorted((root / "run").glob("*.json")):
        if (entry := _read_entry(path)) is not None:
            yield path, entry


def stop_workers(root: Path) -> int:
    """End every worker under ``root``, with SIGTERM and then SIGKILL; return how many there were.

    A running gateway starts new ones when a call needs them.
    """
    count = 0
    for path, entry in list(iterate_running(root)):
        path.with_suffix(".stop").touch(0o600)
        for number in (signal.SIGTERM, signal.SIGKILL):
            workers = [pid for pid in _list_workers(path) if pid in entry.workers]
            count += len(workers) if number is signal.SIGTERM else 0
            for pid in workers:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
            deadline = time.monotonic() + _STOP_SECONDS
            while time.monotonic() < deadline and any(pid in entry.workers for pid in _list_workers(path)):
                time.sleep(0.02)
    return count


def _list_workers(path: Path) -> tuple[int, ...]:
    entry = _read_entry(path)
    return () if entry is None else entry.workers


def _read_entry(path: Path) -> SupervisorEntry | None:
    """Return the entry in a file, or ``None`` if nobody holds the lock of the file any more."""
    with suppress(OSError, msgspec.MsgspecError), path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return msgspec.json.decode(file.read(), type=SupervisorEntry)
    return None


def _remove_leftovers(folder: Path) -> None:
    """Remove the files of dead supervisors."""
    living = {path.stem for path in folder.glob("*.json") if _read_entry(path) is not None}
    for path in folder.iterdir():
        owner = "-".join(path.name.partition(".")[0].split("-")[:2])
        if owner not in living:
            path.unlink(missing_ok=True)


def summarize(path: Path, entry: SupervisorEntry) -> dict[str, Any]:
    """Return an entry for people and programs: the supervisor, its workers, and the paths of their logs."""
    logs = sorted(str(log) for log in path.parent.glob(f"{path.stem}-*.log"))
    return {"pid": entry.pid, "workers": list(entry.workers), "logs": logs}
