"""A log file that cannot fill a disk."""

import os
from io import FileIO
from pathlib import Path

LIMIT = 1024 * 1024
"""Bytes."""


class CappedLog:
    """Appends to a file of at most ``limit`` bytes; a full file is kept once, as ``<name>.1``."""

    def __init__(self, path: Path, limit: int = LIMIT) -> None:
        self.path = path
        self._limit = limit
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = self._open()
        self._size = self._file.tell()

    def write(self, data: bytes) -> None:
        """Append ``data``, never split between two files."""
        if self._size and self._size + len(data) > self._limit:
            self._file.close()
            self.path.replace(self.path.with_name(f"{self.path.name}.1"))
            self._file, self._size = self._open(), 0
        self._size += self._file.write(data[-self._limit :])

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _open(self) -> FileIO:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return FileIO(descriptor, "ab")
