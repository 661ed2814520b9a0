"""Loads the segments of one writer into the database: from the stored position on, in order, each record once."""

import logging
import os
from collections.abc import Callable
from contextlib import suppress

from antiphon.database.database import Database
from antiphon.ledger.frames import HEADER, PAYLOAD_LIMIT, PREFIX, FrameScan
from antiphon.ledger.pacing import do_nothing
from antiphon.ledger.rows import UPSERT_POSITION, RowBatch
from antiphon.ledger.writer import Writer

BATCH = 512
"""Records in one transaction."""
SLICE = 16
"""Records that are read and grouped between two pauses: 0.05 ms of work."""
BUSY_SECONDS = 0.25
"""How long a transaction waits for another process that writes to the database."""

_CHUNK = 256 << 10

log = logging.getLogger("antiphon.ledger")


class NewerFormat(Exception):
    """A segment has a format that this release does not know."""


class SegmentLoader:
    """Moves the records of one writer's segments into the database.

    The position is committed in the transaction that inserts the records before it. A process that dies here therefore
    leaves no record out, and files none twice, because records are identified by their id.
    """

    def __init__(self, writer: Writer, database: Database) -> None:
        self.writer = writer
        self._database = database
        self._segment = -1
        self._offset = 0
        self._has_position = False
        self._fault = ("", 0, 0)
        self._sightings = 0
        self._unreadable = False
        self.caught_up = False
        """Whether the last batch took everything that the newest segment held when it was read."""

    @property
    def position(self) -> tuple[int, int]:
        """The segment and the offset in it before which everything is loaded; (-1, 0) before the first batch."""
        return self._segment, self._offset

    def load_batch(self, *, live: bool, pause: Callable[[], None] = do_nothing) -> int:
        """Load one batch and return its number of records; 0 means that there is nothing more for now.

        ``live`` says that the writer may append at this moment: an incomplete frame at the end of its newest segment
        is then a record under way. ``pause`` is called after each step of at most 0.1 ms. Raises ``LedgerError`` if the
        database does not take the records.
        """
        if self._segment < 0:
            self._read_position()
        try:
            return 0 if self._unreadable else self._load_batch(live, pause)
        except NewerFormat:
            log.error("%s was written by a newer release, which must file it; it is left alone", self.writer.path)
            self._unreadable = True
            return 0

    def _load_batch(self, live: bool, pause: Callable[[], None]) -> int:
        # List the directory before reading a segment: a segment that has a successor by then gets no more frames.
        while numbers := self._list_segments():
            growing = live and len(numbers) == 1
            rows = RowBatch()
            scan, size = self._scan_segment(rows, pause)
            if rows.records:
                self._commit(rows, scan.end, pause)
                self.caught_up = growing and scan.end == size
                return rows.records
            if growing:
                self._report_fault(scan)
                return 0
            self._close_segment(scan, size)
        return 0

    def _read_position(self) -> None:
        with self._database.read() as transaction:
            rows = transaction.execute(
                'SELECT segment, "offset" FROM positions WHERE writer = ?',
                (self.writer.id,),
            )
        self._has_position = bool(rows)
        self._segment, self._offset = rows[0] if rows else (0, 0)

    def _list_segments(self) -> list[int]:
        """Return the numbers of the segments that are not loaded yet, and move the position to the first of them.

        Segments before the position are loaded, and a process died before it deleted them.
        """
        numbers = self.writer.list_segments()
        while numbers and numbers[0] < self._segment:
            self.writer.get_segment_path(numbers.pop(0)).unlink(missing_ok=True)
        if numbers and numbers[0] != self._segment:
            self._segment, self._offset = numbers[0], 0
        return numbers

    def _scan_segment(self, rows: RowBatch, pause: Callable[[], None]) -> tuple[FrameScan, int]:
        """Add records from the position on to ``rows``; return how the scan ended and the file's size."""
        try:
            file = os.open(self.writer.get_segment_path(self._segment), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:  # the writer could not write its header and removed it again
            return FrameScan(b"", 0), 0
        try:
            size = os.fstat(file).st_size
            if self._offset == 0:
                header = os.pread(file, len(HEADER), 0)
                if header != HEADER:
                    return _scan_wrong_header(header), size
                self._offset = len(HEADER)
            for chunk in (_CHUNK, PAYLOAD_LIMIT + PREFIX.size):
                data = os.pread(file, max(0, min(chunk, size - self._offset)), self._offset)
                scan = self._scan_frames(data, rows, pause)
                if rows.records or not scan.torn:
                    break
            return scan, size
        finally:
            os.close(file)

    def _scan_frames(self, data: bytes, rows: RowBatch, pause: Callable[[], None]) -> FrameScan:
        view = memoryview(data)
        scan = FrameScan(view, self._offset, SLICE)
        while scan.records:
            rows.add(scan.records)
            if rows.records >= BATCH:
                break
            pause()
            scan = FrameScan(view[scan.end - self._offset :], scan.end, SLICE)
        return scan

    def _commit(self, rows: RowBatch, end: int, pause: Callable[[], None]) -> None:
        with self._database.begin(BUSY_SECONDS) as transaction:
            rows.insert(transaction, pause)
            transaction.execute(UPSERT_POSITION, (self.writer.id, self._segment, end))
        self._has_position = True
        self._offset = end

    def _close_segment(self, scan: FrameScan, size: int) -> None:
        """Delete a complete segment whose records are all loaded, or keep it if it holds anything else."""
        path = self.writer.get_segment_path(self._segment)
        if scan.fault:
            kept = self.writer.set_aside(self._segment)
            log.error("%s is damaged at byte %d: %s; the rest is kept as %s", path, scan.end, scan.fault, kept)
        else:
            if scan.torn:
                log.warning("%s ends in %d bytes of a record that was never acknowledged", path, scan.torn)
            path.unlink(missing_ok=True)
        self._segment, self._offset = self._segment + 1, 0

    def _report_fault(self, scan: FrameScan) -> None:
        """Log what is wrong in a growing segment when it is seen twice: a frame under way may look damaged at first."""
        fault = (scan.fault, self._segment, scan.end)
        self._sightings = self._sightings + 1 if fault == self._fault else 1
        self._fault = fault
        if scan.fault and self._sightings == 2:
            log.error("%s is damaged at byte %d: %s", self.writer.get_segment_path(self._segment), scan.end, scan.fault)

    def finish(self) -> bool:
        """Forget a dead writer whose segments are all loaded and remove its directory; false if it must stay."""
        if self._unreadable:
            return False
        if self._has_position:
            with self._database.begin(BUSY_SECONDS) as transaction:
                transaction.execute("DELETE FROM positions WHERE writer = ?", (self.writer.id,))
            self._has_position = False
        self.writer.remove()
        return True

    def count_waiting_bytes(self) -> int:
        """Return the bytes of segments that are not loaded yet."""
        total = 0
        for number in self.writer.list_segments():
            with suppress(FileNotFoundError):
                total += self.writer.get_segment_path(number).stat().st_size
                if number == self._segment:
                    total -= self._offset
        return total


def _scan_wrong_header(header: bytes) -> FrameScan:
    scan = FrameScan(b"", 0)
    if HEADER.startswith(header):
        scan.torn = len(header)
    elif header.startswith(HEADER[: HEADER.rindex(b" ")]):
        raise NewerFormat
    else:
        scan.fault = "it does not start as a journal does"
    return scan
