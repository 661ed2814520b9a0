"""The journal: where a call is written down before its caller sees the last byte."""

import asyncio
import errno
import logging
import os
from pathlib import Path
from typing import Final, Literal

from antiphon.clock import monotonic
from antiphon.errors import LedgerError
from antiphon.ledger.frames import HEADER, LIMIT, pack
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
    """An append-only file of records in a directory of this process's own, ``<directory>/<writer id>/``.

    ``durability`` ``process``: a record is with the operating system when :meth:`append` returns, and survives
    ``kill -9``. ``disk``: it is on the disk when the future that :meth:`append` returned is done.
    ``cap`` bounds the bytes that no shipper has filed yet. One thread, the event loop's, may append and close; another
    one may call :meth:`note_progress`. Raises ``LedgerError``.
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
        self._margin = min(LIMIT, cap // 16)
        self._segment_bytes = segment_bytes
        self._written = 0
        self._shipped = 0
        """Bytes of this writer's frames that are filed."""
        self._inherited = 0
        """Bytes of dead writers' frames that the shipper holds and has not filed yet."""
        self._limit = cap
        """What ``_written`` may reach before the cap is reached."""
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
            self._sync = GroupSync(self._sync_failed, self._write_again)
            self._folder = os.open(self.writer.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            _sync_folders(self.writer.path)

    @property
    def unshipped(self) -> int:
        """Bytes that are in the journal and not yet in the database."""
        return self._written - self._shipped + self._inherited

    @property
    def healthy(self) -> bool:
        """Whether the next appends will be accepted. In trouble it tries the file again, at most every 250 ms.

        It is false a little before the cap is reached, so that calls under way still find room for their records.
        """
        if self._trouble and not self.closed and monotonic() >= self._retry_at:
            self._probe()
        return not self._trouble and not self.closed and self._written < self._limit - self._margin

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
        """Write a record down; ``None`` says that it is as durable as declared, a future that it will be when done.

        Raises ``LedgerError`` where it is not written: the disk is full or broken, the cap is reached, or the record
        holds a negative or impossibly large number. Must run on the event loop where ``durability`` is ``disk``.
        """
        usage, cost = record.usage, record.cost
        if usage is not None and not 0 <= usage.input | usage.output | usage.other_bits <= LARGEST:
            raise _make_count_error(record.id, usage)
        if cost is not None and not 0 <= cost <= LARGEST:
            raise LedgerError(f"call {record.id} costs {cost} picodollars; not journaled")
        try:
            frame = pack(record)
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
                f"its cap is {self.cap}; see why the database takes nothing, or raise the cap"
            )
            if not self._capped:
                self._capped = True
                log.error("%s", problem)
            raise LedgerError(problem)
        if not self.healthy:
            raise LedgerError(self._trouble)

    def _write(self, frame: bytes) -> None:
        size = len(frame)
        try:
            if self._end + size > self._segment_bytes or self._file < 0:
                self._roll()
            written = os.write(self._file, frame)
            if written != size:
                _put(self._file, frame[written:])
        except OSError as error:
            self._fail(error)
        self._end += size
        self._written += size

    def _roll(self) -> None:
        """Begin a new segment; the old one is complete."""
        self._leave()
        number = self._number + 1
        self._written_before[number] = self._written
        path = self.writer.segment(number)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            _put(file, HEADER)
        except OSError:
            os.close(file)
            path.unlink()
            raise
        self._file, self._number, self._end = file, number, len(HEADER)
        if self._sync is not None:
            self._sync.touch(self._folder)

    def _leave(self) -> None:
        file, self._file = self._file, -1
        if file >= 0:
            if self._sync is None:
                os.close(file)
            else:
                self._sync.retire(file)

    def _fail(self, error: OSError) -> None:
        """Leave no part of a frame behind, remember the trouble, and raise."""
        if self._file >= 0:
            try:
                os.ftruncate(self._file, self._end)
            except OSError:
                self._leave()
            else:
                # A full disk may have room again; after any other error a new segment is the better bet.
                if error.errno not in _FULL:
                    self._leave()
        self._note(error)
        raise LedgerError(self._trouble) from error

    def _note(self, error: BaseException) -> None:
        if not self._trouble:
            log.error("the journal %s cannot be written: %s", self.writer.path, error)
        self._trouble = (
            f"the journal {self.writer.path} cannot be written: {error}; it is tried again by itself, so free some "
            "space or repair the file system"
        )
        self._retry_at = monotonic() + RETRY_SECONDS

    def _probe(self) -> None:
        """Find out whether the file takes bytes again, without leaving any."""
        try:
            if self._file < 0:
                self._roll()
            _put(self._file, _PROBE)
            os.ftruncate(self._file, self._end)
        except OSError as error:
            try:
                self._fail(error)
            except LedgerError:
                return
        self._trouble = ""
        log.warning("the journal %s can be written again", self.writer.path)

    def _sync_failed(self, error: BaseException) -> None:
        self._leave()
        self._note(error)

    def _write_again(self, frame: bytes) -> int:
        self._write(frame)
        return self._file

    def close(self) -> None:
        """Confirm what waits, and give the directory up: any shipper may then file what is left. Idempotent."""
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


def _put(file: int, data: bytes) -> None:
    """Write all of ``data``: where the kernel stops early, the next write says why."""
    while data:
        written = os.write(file, data)
        if written <= 0:
            raise OSError(errno.EIO, "the file takes no bytes")
        data = data[written:]


def _make_count_error(call: str, usage: Usage) -> LedgerError:
    counts = ", ".join(f"{name} {count}" for name, count in zip(COUNTS, usage.counts, strict=True) if count)
    return LedgerError(f"call {call} has impossible counts: {counts}; not journaled")


def _sync_folders(path: Path) -> None:
    """Make the new directory itself survive a loss of power: its entry is in its parent, and so on."""
    for folder in (path, path.parent, path.parent.parent):
        file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(file)
        finally:
            os.close(file)
