"""A writer's directory: who owns it, its segments, and how it changes hands when its process is gone."""

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
"""Appended to the name of a segment that holds bytes which are not frames; it is kept for a person to look at."""


class Writer:
    """A directory ``<journal>/<writer id>`` held by an exclusive lock on its ``lock`` file.

    The lock belongs to the process and ends with it, however it ends; whoever gets it next may file what is left.
    """

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self.id = path.name
        self.lock = lock
        """The lock's descriptor, which a child process may inherit; -1 once it is given up."""

    @classmethod
    def claim(cls, journal: Path) -> Self:
        """Make a directory of one's own; raises ``LedgerError``."""
        try:
            journal.mkdir(parents=True, exist_ok=True, mode=0o700)
            while True:
                path = journal / make_id("writer")
                path.mkdir(mode=0o700)
                # Between the two lines someone may have taken the new directory for a dead writer's.
                if (writer := cls.adopt(path, create=True)) is not None:
                    return writer
        except OSError as error:
            raise LedgerError(f"the journal {journal} cannot be written: {error}") from error

    @classmethod
    def adopt(cls, path: Path, *, create: bool = False) -> Self | None:
        """Take over a directory; ``None`` where it is held by a living process or gone."""
        flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0)
        try:
            lock = os.open(path / "lock", flags, 0o600)
        except FileNotFoundError:
            # A process that died between making the directory and the lock left nothing else in it.
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

    def segments(self) -> list[int]:
        return segments(self.path)

    def segment(self, number: int) -> Path:
        return segment(self.path, number)

    def set_aside(self, number: int) -> Path:
        """Rename a damaged segment so that it is kept but not read again."""
        path = self.segment(number)
        return path.rename(path.with_name(path.name + DAMAGED))

    def remove(self) -> None:
        """Remove the directory if nothing but the lock is in it; the lock is given up either way."""
        with suppress(OSError):
            if [entry.name for entry in self.path.iterdir()] == ["lock"]:
                (self.path / "lock").unlink()
                self.path.rmdir()
        self.release()

    def release(self) -> None:
        """Give the lock up. Idempotent."""
        lock, self.lock = self.lock, -1
        if lock >= 0:
            os.close(lock)


def writers(journal: Path) -> Iterator[Path]:
    """Yield every writer's directory, oldest first."""
    with suppress(FileNotFoundError):
        yield from sorted(entry for entry in journal.iterdir() if entry.is_dir())


def segments(path: Path) -> list[int]:
    """Return the numbers of a directory's segments in order; empty where it is gone."""
    with suppress(FileNotFoundError):
        return sorted(int(entry.stem) for entry in path.iterdir() if entry.suffix == SUFFIX and entry.stem.isdecimal())
    return []


def segment(path: Path, number: int) -> Path:
    return path / f"{number:08d}{SUFFIX}"
