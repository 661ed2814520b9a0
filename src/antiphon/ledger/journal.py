"""The journal: a call is written down here before its caller sees the last byte."""

import asyncio
import errno
import logging
import os
from pathlib import Path
from typing import Final, Literal

from antiphon.clock import monotonic
from antiphon.errors import LedgerError
from antiphon.ledger.frames import HEADER, PAYLOAD_LIMIT, write_frame
from antiphon.ledger.groupsync import GroupSync
from antiphon.ledger.writer import Writer
from antiphon.types import COUNTS, Record, Usage

Durability = Literal["process", "disk"]

SEGMENT_BYTES = 16 << 20
CAP_BYTES = 1 << 30
RETRY_SECONDS = 0.25
LARGEST: Final = (1 << 63) - 1
"""The largest count or amount a record may carry: $9.2 million in one call, nine quintillion tokens in one bucket."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_PROBE = bytes(4096)

log = logging.getLogger("antiphon.ledger")


class Journal:
    """An append-only sequence of records in a directory that only this process writes: ``<directory>/<writer id>/``.

    ``durability`` ``process``: the operating system has the record when :meth:`append` returns, so it survives
    ``kill -9``. ``disk``: the record is on the disk when the future that :meth:`append` returned is done.
    ``cap`` bounds the bytes that are not filed yet. Only one thread, the event loop's, may append and close; another
    thread may call :meth:`note_progress`. Raises ``LedgerError``.
    """

    def __init__(
        self,
        directory: str | Path,
        durability: Durability = "process",
        cap: int = CAP_BYTES,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        self.writer = Writer.claim(Path(directory))
        self.cap = cap
        self.closed = False
        self._margin = min(PAYLOAD_LIMIT, cap // 16)
        self._segment_bytes = segment_bytes
        self._written = 0
        self._shipped = 0
        """Bytes of this writer's frames that are filed."""
        self._inherited = 0
        """Bytes of dead writers' segments that the shipper has adopted and not filed yet."""
        self._limit = cap
        """The value of ``_written`` at which the cap is reached."""
        self._file = -1
        self._number = 0
        self._end = 0
        self._written_before: dict[int, int] = {}
        """Bytes of frames in the segments before each one that is not filed yet."""
        self._capped = False
        self._trouble = ""
        self._retry_at = 0.0
        self._sync: GroupSync | None = None
        self._folder = -1
        if durability == "disk":
            self._sync = GroupSync(self._on_sync_failure, self._write_again)
            self._folder = os.open(self.writer.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            _sync_folders(self.writer.path)

    @property
    def unshipped(self) -> int:
        """Bytes in the journal that are not in the database yet."""
        return self._written - self._shipped + self._inherited

    @property
    def healthy(self) -> bool:
        """Whether the next appends will be accepted. After a failure the file is tried again, at most every 250 ms.

        This is false a little before the cap is reached, so that calls under way still find room for their records.
        """
        return not self.closed and self._written < self._limit - self._margin and (not self._trouble or self._recover())

    def note_progress(self, segment: int, offset: int, inherited: int) -> None:
        """Learn how far the shipper is: every frame before ``offset`` of ``segment`` is filed, and ``inherited`` bytes
        of dead writers are not."""
        for number in list(self._written_before):
            if number < segment:
                del self._written_before[number]
        before = self._written_before.get(segment)
        if before is not None:
            self._shipped = before + max(0, offset - len(HEADER))
        self._inherited = inherited
        self._limit = self.cap + self._shipped - inherited
        if self._capped and self._written < self._limit - self._margin:
            self._capped = False
            log.warning("the journal %s has room again", self.writer.path)

    def append(self, record: Record) -> "asyncio.Future[None] | None":
        """Append a record. ``None`` means that it is as durable as declared, a future that it is once that is done.

        Raises ``LedgerError`` if the record is not written: the disk is full or broken, the cap is reached, or the
        record holds a negative or impossibly large number. With ``durability`` ``disk`` it must run on the event loop.
        """
        usage, cost = record.usage, record.cost
        if usage is not None and not 0 <= usage.input | usage.output | usage.other_bits <= LARGEST:
            raise _make_count_error(record.id, usage)
        if cost is not None and not 0 <= cost <= LARGEST:
            raise LedgerError(f"call {record.id} costs {cost} picodollars; not journaled")
        try:
            frame = write_frame(record)
        except ValueError as error:
            raise LedgerError(f"call {record.id} cannot be journaled: {error}") from error
        if self._trouble or self.closed or self._written + len(frame) > self._limit:
            self._refuse_or_recover(len(frame))
        self._write(frame)
        return None if self._sync is None else self._sync.add(self._file, frame)

    def _refuse_or_recover(self, size: int) -> None:
        if self.closed:
            raise LedgerError("the journal is closed")
        if self.unshipped + size > self.cap:
            problem = (
                f"the journal {self.writer.path} holds {self.unshipped} bytes that are not in the database yet, "
                f"its cap is {self.cap}; find out why the database takes no records, or raise the cap"
            )
            if not self._capped:
                self._capped = True
                log.error("%s", problem)
            raise LedgerError(problem)
        if self._trouble and not self._recover():
            raise LedgerError(self._trouble)

    def _write(self, frame: bytes) -> None:
        size = len(frame)
        try:
            if self._end + size > self._segment_bytes or self._file < 0:
                self._roll()
            written = os.write(self._file, frame)
            if written != size:
                _write_all(self._file, frame[written:])
        except OSError as error:
            self._fail(error)
        self._end += size
        self._written += size

    def _roll(self) -> None:
        """Start a new segment; the old one is complete."""
        self._leave_file()
        number = self._number + 1
        self._written_before[number] = self._written
        path = self.writer.get_segment_path(number)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            _write_all(file, HEADER)
        except OSError:
            os.close(file)
            path.unlink()
            raise
        self._file, self._number, self._end = file, number, len(HEADER)
        if self._sync is not None:
            self._sync.touch(self._folder)

    def _leave_file(self) -> None:
        file, self._file = self._file, -1
        if file >= 0:
            if self._sync is None:
                os.close(file)
            else:
                self._sync.retire(file)

    def _fail(self, error: OSError) -> None:
        """Remove the part of the frame that was written, remember the trouble, and raise."""
        if self._file >= 0:
            try:
                os.ftruncate(self._file, self._end)
            except OSError:
                self._leave_file()
            else:
                # A full disk may have room again later; after any other error a new segment is safer.
                if error.errno not in _FULL:
                    self._leave_file()
        self._note_trouble(error)
        raise LedgerError(self._trouble) from error

    def _note_trouble(self, error: BaseException) -> None:
        if not self._trouble:
            log.error("the journal %s cannot be written: %s", self.writer.path, error)
        self._trouble = (
            f"the journal {self.writer.path} cannot be written: {error}; it is tried again automatically, so free some "
            "space or repair the file system"
        )
        self._retry_at = monotonic() + RETRY_SECONDS

    def _recover(self) -> bool:
        """Write some bytes and remove them again, at most every 250 ms; return whether that works now."""
        if monotonic() < self._retry_at:
            return False
        try:
            if self._file < 0:
                self._roll()
            _write_all(self._file, _PROBE)
            os.ftruncate(self._file, self._end)
        except OSError as error:
            try:
                self._fail(error)
            except LedgerError:
                return False
        self._trouble = ""
        log.warning("the journal %s can be written again", self.writer.path)
        return True

    def _on_sync_failure(self, error: BaseException) -> None:
        self._leave_file()
        self._note_trouble(error)

    def _write_again(self, frame: bytes) -> int:
        self._write(frame)
        return self._file

    def close(self) -> None:
        """Confirm the waiting records and release the directory: any shipper may then file the rest. Idempotent."""
        if self.closed:
            return
        self.closed = True
        if self._sync is not None:
            self._sync.close()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        if self._folder >= 0:
            os.close(self._folder)
        self.writer.release()


def _write_all(file: int, data: bytes) -> None:
    """Write all of ``data``. If the kernel stops early, the next write says why."""
    while data:
        written = os.write(file, data)
        if written <= 0:
            raise OSError(errno.EIO, "the file takes no bytes")
        data = data[written:]


def _make_count_error(call: str, usage: Usage) -> LedgerError:
    counts = ", ".join(f"{name} {count}" for name, count in zip(COUNTS, usage.counts, strict=True) if count)
    return LedgerError(f"call {call} has impossible counts: {counts}; not journaled")


def _sync_folders(path: Path) -> None:
    """Make the new directory itself survive a power cut: its entry is in its parent, and so on."""
    for folder in (path, path.parent, path.parent.parent):
        file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(file)
        finally:
            os.close(file)
