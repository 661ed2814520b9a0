"""The shipper moves records from the journal to the database. The supervisor decides which process runs it."""

import time
from collections.abc import Callable
from pathlib import Path

from antiphon.clock import monotonic
from antiphon.database.database import Database
from antiphon.ledger.pacing import Pacer, do_nothing, make_thread_pacer
from antiphon.ledger.periodic import FailureLogger
from antiphon.ledger.segment_loader import SegmentLoader
from antiphon.ledger.writer import Writer, list_writers

ADOPT_SECONDS = 5.0
RUN_SECONDS = 0.2
"""How long one run moves records at most; its process has other tasks too."""
FIRST_RETRY_SECONDS = 0.8
SLOWEST_RETRY_SECONDS = 5.0

Progress = tuple[int, int, int]
"""How far a shipper is: the segment and offset of the living writer, and the waiting bytes of dead writers."""


class Shipper:
    """Moves the records of a living ``writer`` and of every dead writer under ``directory`` to the database.

    Without ``writer`` it moves only what dead writers left. ``report`` is called with each :data:`Progress`. ``pacer``
    says when :meth:`run` lets others work. Use it from one thread at a time.
    """

    def __init__(
        self,
        directory: str | Path,
        database: Database,
        *,
        writer: Writer | None = None,
        report: Callable[[int, int, int], None] = lambda segment, offset, inherited: None,
        pacer: Pacer | None = None,
    ) -> None:
        self._directory = Path(directory)
        self._database = database
        self._own = None if writer is None else SegmentLoader(writer, database)
        self._orphans: dict[str, SegmentLoader] = {}
        self._report = report
        self._progress: Progress = (0, 0, 0)
        self._inherited = 0
        self._failures = FailureLogger(self._run_once, "moving records from the journal to the database")
        self._deadline = float("inf")
        self._pacer = pacer or make_thread_pacer()
        self._pause: Callable[[], None] = do_nothing
        self._next_run = self._next_adoption = 0.0
        self._retry = FIRST_RETRY_SECONDS

    def ship_once(self) -> int:
        """Move everything that is there now, own and adopted, and return the number of records.

        Raises ``LedgerError`` if the database does not take them.
        """
        return self._ship_own() + self.adopt()

    def adopt(self) -> int:
        """Move what dead writers left, and return the number of records. Raises ``LedgerError``."""
        self._find_orphans()
        return self._ship_orphans()

    def run(self) -> bool:
        """Move records for at most 0.2 s, with pauses in which others may use the processor or the interpreter.

        Returns whether more is waiting. While the database takes nothing, this is logged once and tried again at
        growing intervals up to 5 s; until then a run does nothing.
        """
        if monotonic() < self._next_run:
            return False
        self._deadline = monotonic() + RUN_SECONDS
        self._pause = self._pacer.pause
        try:
            if self._failures.run():
                self._retry = FIRST_RETRY_SECONDS
                return monotonic() >= self._deadline
            self._next_run = monotonic() + self._retry
            self._retry = min(self._retry * 2, SLOWEST_RETRY_SECONDS)
            return False
        finally:
            self._deadline, self._pause = float("inf"), do_nothing

    def finish(self, timeout: float = 5.0) -> bool:
        """Move what is there within ``timeout`` seconds, without pauses; what is left is moved at the next start.

        The writer's process must have closed its journal: the writer's directory is then moved as a whole and removed.
        Returns whether everything was moved.
        """
        if self._own is not None:
            self._own.writer.release()
            self._own = None
        self._next_adoption = 0.0
        end = self._deadline = monotonic() + timeout
        while not (done := self._failures.run()) and monotonic() < end:
            time.sleep(0.1)
        self.release()
        return done and monotonic() < end

    def release(self) -> None:
        """Release the directories of dead writers, so that another shipper may adopt them."""
        for orphan in self._orphans.values():
            orphan.writer.release()
        self._orphans.clear()

    def _run_once(self) -> None:
        self._ship_own()
        if monotonic() >= self._next_adoption:
            self._find_orphans()
            self._next_adoption = monotonic() + ADOPT_SECONDS
        self._ship_orphans()

    def _ship_own(self) -> int:
        total = 0
        if self._own is not None:
            while count := self._own.load_batch(live=True, pause=self._pause):
                total += count
                # Records that arrive meanwhile wait for the next run: many small transactions cost more.
                if self._own.caught_up or self._is_time_up():
                    break
            self._report_progress()
        return total

    def _find_orphans(self) -> None:
        own = None if self._own is None else self._own.writer.id
        for path in list_writers(self._directory):
            if path.name != own and path.name not in self._orphans and (writer := Writer.adopt(path)) is not None:
                self._orphans[writer.id] = SegmentLoader(writer, self._database)

    def _ship_orphans(self) -> int:
        total = 0
        try:
            for name, orphan in list(self._orphans.items()):
                while count := orphan.load_batch(live=False, pause=self._pause):
                    total += count
                    if self._is_time_up():
                        return total
                if orphan.finish():
                    del self._orphans[name]
        finally:
            self._inherited = sum(orphan.count_waiting_bytes() for orphan in self._orphans.values())
            self._report_progress()
        return total

    def _is_time_up(self) -> bool:
        """Pause after a batch; return whether the run must end."""
        self._pause()
        return monotonic() >= self._deadline

    def _report_progress(self) -> None:
        segment, offset = (0, 0) if self._own is None else self._own.position
        progress = (segment, offset, self._inherited)
        if progress != self._progress:
            self._progress = progress
            self._report(*progress)
