"""Filing one writer's segments: from where the database says it stopped, in order, each record once."""

import logging
import os
from contextlib import suppress

from antiphon.database.database import Database
from antiphon.ledger.frames import HEADER, LIMIT, PREFIX, Scan
from antiphon.ledger.rows import INSERT_ATTEMPT, INSERT_CALL, REACH, attempt_rows, call_row
from antiphon.ledger.writer import Writer
from antiphon.types import Record

BATCH = 1000
"""Records in one transaction."""

CHUNK = 512 << 10
BUSY_SECONDS = 0.25
"""How long a transaction waits for another writer; the shipper's thread has other duties than waiting."""

log = logging.getLogger("antiphon.ledger")


class Newer(Exception):
    """A segment has a format this release does not know."""


class Filing:
    """The way of one writer's records into the database.

    The position is committed in the transaction that inserts the records before it, so a process that dies here leaves
    none out and, records being told apart by their id, files none twice.
    """

    def __init__(self, writer: Writer, database: Database) -> None:
        self.writer = writer
        self._database = database
        self._segment = -1
        self._offset = 0
        self._finished = 0
        self._has_position = False
        self._complaint = ""
        self._unreadable = False

    @property
    def filed(self) -> int:
        """Bytes of frames that are filed, as far as this object has seen."""
        return self._finished + max(0, self._offset - len(HEADER))

    def step(self, tail: tuple[int, int] | None) -> int:
        """File one batch and return how many records it had; 0 says that there is nothing more for now.

        ``tail`` is where a living writer has got to; ``None`` says that nobody writes here any more. Raises
        ``LedgerError`` where the database does not take it.
        """
        if self._segment < 0:
            self._resume()
        try:
            return 0 if self._unreadable else self._step(tail)
        except Newer:
            log.error("%s was written by a newer release, which must file it; it is left alone", self.writer.path)
            self._unreadable = True
            return 0

    def _step(self, tail: tuple[int, int] | None) -> int:
        while self._find(tail):
            last = tail is not None and tail[0] == self._segment
            scan, size = self._scan(tail[1] if tail is not None and last else None)
            if scan.records:
                self._commit(scan.records, scan.end)
                return len(scan.records)
            if last:
                self._complain(scan.fault)
                return 0
            self._close_segment(scan, size)
        return 0

    def _resume(self) -> None:
        with self._database.read() as transaction:
            rows = transaction.execute(
                'SELECT segment, "offset" FROM positions WHERE writer = ?',
                (self.writer.id,),
            )
        self._has_position = bool(rows)
        self._segment, self._offset = rows[0] if rows else (0, 0)

    def _find(self, tail: tuple[int, int] | None) -> bool:
        """Stand in a segment that is there; segments before the position are filed and only wait to be deleted."""
        if tail is not None and tail[0] == self._segment:
            return self._offset < tail[1]
        for number in self.writer.segments():
            if number < self._segment:
                self.writer.segment(number).unlink(missing_ok=True)
            else:
                if number != self._segment:
                    self._segment, self._offset = number, 0
                return True
        return False

    def _scan(self, end: int | None) -> tuple[Scan, int]:
        """Read frames from the position, up to ``end`` where someone writes on; also returns the file's size."""
        file = os.open(self.writer.segment(self._segment), os.O_RDONLY | os.O_CLOEXEC)
        try:
            size = os.fstat(file).st_size if end is None else end
            if self._offset == 0:
                header = os.pread(file, len(HEADER), 0)
                if header != HEADER:
                    return self._without_header(header), size
                self._offset = len(HEADER)
            for chunk in (CHUNK, LIMIT + PREFIX.size):
                scan = Scan(os.pread(file, max(0, min(chunk, size - self._offset)), self._offset), self._offset, BATCH)
                if scan.records or not scan.torn:
                    break
            return scan, size
        finally:
            os.close(file)

    def _without_header(self, header: bytes) -> Scan:
        scan = Scan(b"", 0)
        if HEADER.startswith(header):
            scan.torn = len(header)
        elif header.startswith(HEADER[: HEADER.rindex(b" ")]):
            raise Newer
        else:
            scan.fault = "it does not start as a journal does"
        return scan

    def _commit(self, records: list[Record], end: int) -> None:
        calls = [call_row(record) for record in records]
        attempts = [row for record in records for row in attempt_rows(record)]
        with self._database.begin(BUSY_SECONDS) as transaction:
            transaction.executemany(INSERT_CALL, calls)
            transaction.executemany(INSERT_ATTEMPT, attempts)
            transaction.execute(REACH, (self.writer.id, self._segment, end))
        self._has_position = True
        self._offset = end

    def _close_segment(self, scan: Scan, size: int) -> None:
        """Everything whole in a complete segment is filed: delete it, or keep it where it holds anything else."""
        path = self.writer.segment(self._segment)
        if scan.fault:
            kept = self.writer.set_aside(self._segment)
            log.error("%s is damaged at byte %d: %s; the rest is kept as %s", path, scan.end, scan.fault, kept)
        else:
            if scan.torn:
                log.warning("%s ends in %d bytes of a record that was never acknowledged", path, scan.torn)
            path.unlink(missing_ok=True)
        self._finished += max(0, size - len(HEADER))
        self._segment, self._offset = self._segment + 1, 0

    def _complain(self, fault: str) -> None:
        if fault and fault != self._complaint:
            log.error("%s is damaged: %s", self.writer.segment(self._segment), fault)
        self._complaint = fault

    def finish(self) -> bool:
        """Forget a dead writer whose every segment is filed, and remove its directory; false where it must stay."""
        if self._unreadable:
            return False
        if self._has_position:
            with self._database.begin(BUSY_SECONDS) as transaction:
                transaction.execute("DELETE FROM positions WHERE writer = ?", (self.writer.id,))
            self._has_position = False
        self.writer.remove()
        return True

    def waiting(self) -> int:
        """Return the bytes of segments that are still there."""
        total = 0
        for number in self.writer.segments():
            with suppress(FileNotFoundError):
                total += self.writer.segment(number).stat().st_size
        return total
