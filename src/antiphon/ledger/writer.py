"""A writer's directory: its lock, its segments, and how another process adopts it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

from antiphon.clock import make_id
from antiphon.errors import LedgerError

SUFFIX = ".segment"
DAMAGED = ".damaged"
"""Appended to the name of a segment that holds bytes which are not frames; the file is kept for a person to examine."""


class Writer:
    """A directory ``<journal>/<writer id>`` held by an exclusive lock on its ``lock`` file.

    The kernel releases the lock when the process ends, however it ends. The process that gets it next may file the
    segments that are left.
    """

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self.id = path.name
        self.lock = lock
        """The lock's descriptor, which a child process may inherit; -1 once it is released."""

    @classmethod
    def claim(cls, journal: Path) -> Self:
        """Make a new directory and lock it; raises ``LedgerError``."""
        try:
            journal.mkdir(parents=True, exist_ok=True, mode=0o700)
            while True:
                path = journal / make_id("writer")
                path.mkdir(mode=0o700)
                # Between the two lines another process may take the new directory for a dead writer's.
                if (writer := cls.adopt(path, create=True)) is not None:
                    return writer
        except OSError as error:
            raise LedgerError(f"the journal {journal} cannot be written: {error}") from error

    @classmethod
    def adopt(cls, path: Path, *, create: bool = False) -> Self | None:
        """Take over a directory; return ``None`` if a living process holds it or it is gone."""
        flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0)
        try:
            lock = os.open(path / "lock", flags, 0o600)
        except FileNotFoundError:
            # A process died after it made the directory and before it made the lock: nothing else is in it.
            with suppress(OSError):
                path.rmdir()
            return None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(lock).st_ino == (path / "lock").stat().st_ino:
                return cls(path, lock)
        except (BlockingIOError, FileNotFoundError):
            pass
        os.close(lock)
        return None

    def list_segments(self) -> list[int]:
        return list_segments(self.path)

    def get_segment_path(self, number: int) -> Path:
        return get_segment_path(self.path, number)

    def set_aside(self, number: int) -> Path:
        """Rename a damaged segment so that it is kept but not read again."""
        path = self.get_segment_path(number)
        return path.rename(path.with_name(path.name + DAMAGED))

    def remove(self) -> None:
        """Remove the directory if only the lock is in it; release the lock either way."""
        with suppress(OSError):
            if [entry.name for entry in self.path.iterdir()] == ["lock"]:
                (self.path / "lock").unlink()
                self.path.rmdir()
        self.release()

    def release(self) -> None:
        """Release the lock. Idempotent."""
        lock, self.lock = self.lock, -1
        if lock >= 0:
            os.close(lock)


def list_writers(journal: Path) -> Iterator[Path]:
    """Yield the directory of every writer, oldest first."""
    with suppress(FileNotFoundError):
        yield from sorted(entry for entry in journal.iterdir() if entry.is_dir())


def list_segments(path: Path) -> list[int]:
    """Return the numbers of a directory's segments in order; none if the directory is gone."""
    with suppress(FileNotFoundError):
        return sorted(int(entry.stem) for entry in path.iterdir() if entry.suffix == SUFFIX and entry.stem.isdecimal())
    return []


def get_segment_path(path: Path, number: int) -> Path:
    return path / f"{number:08d}{SUFFIX}"
