"""The supervisor of the shipper: sees to it that records reach the database, in a child process where it may."""

import logging
from pathlib import Path

from antiphon.clock import monotonic
from antiphon.database.database import Database
from antiphon.ledger.journal import Journal
from antiphon.ledger.periodic import FailureLogger
from antiphon.ledger.shipper import Shipper
from antiphon.ledger.shipper_child import ShipperChild
from antiphon.ledger.shipper_messages import make_task

STEADY_SECONDS = 10.0
"""A child process that ran longer than this is replaced at once, another one after a growing delay."""
LONGEST_DELAY_SECONDS = 60.0
LAST_SECONDS = 0.5
"""What this process has at the end for the rest of a child process that used up the time."""

log = logging.getLogger("antiphon.ledger")


class ShipperSupervisor:
    """Has the records of ``journal`` moved to ``database``: by a child process if ``separate``, otherwise here.

    While there is no child process, because none could be started or one has died, this process moves its records
    itself, in small portions. ``tasks`` are duties of whoever moves records, as ``module:factory``; a factory takes the
    database and returns a function. :meth:`run` is a periodic task; call it from one thread.
    """

    def __init__(
        self, journal: Journal, database: Database, *, tasks: tuple[str, ...] = (), separate: bool = False
    ) -> None:
        self._journal = journal
        self._database = database
        self._task_names = tasks
        self._separate = separate
        self._child: ShipperChild | None = None
        self._shipper: Shipper | None = None
        self._tasks: list[FailureLogger] | None = None
        self._started_at = self._next_start = 0.0
        self._delay = 0.0

    def run(self) -> None:
        """Follow the child process or start one; without one, move records for at most 0.2 s."""
        if self._child is not None and (code := self._child.follow(self._journal)) is not None:
            self._child = None
            self._plan_start()
            log.warning("the shipper process ended with code %d; another one is started", code)
        if self._child is None and self._separate and monotonic() >= self._next_start:
            self._start_child()
        if self._child is None:
            self._move_records()

    def stop(self, timeout: float = 5.0) -> None:
        """Move what is there within about ``timeout`` seconds; what is left is moved at the next start.

        Close the journal first: then its directory is moved as a whole and removed.
        """
        end = monotonic() + timeout
        child, self._child = self._child, None
        if child is None or not child.finish(self._journal, timeout):
            self._make_shipper().finish(max(end - monotonic(), LAST_SECONDS))

    def _start_child(self) -> None:
        if self._shipper is not None:
            self._shipper.release()
            self._shipper = None
        self._started_at = monotonic()
        try:
            self._child = ShipperChild.start(self._journal, self._database.url, self._task_names)
        except OSError as error:
            log.warning("no shipper process can be started, so this process moves records itself: %s", error)
            self._plan_start()

    def _plan_start(self) -> None:
        now = monotonic()
        if now - self._started_at > STEADY_SECONDS:
            self._delay = 0.0
        self._next_start = now + self._delay
        self._delay = min(max(1.0, self._delay * 2), LONGEST_DELAY_SECONDS)

    def _move_records(self) -> None:
        self._make_shipper().run()
        if self._tasks is None:
            self._tasks = [FailureLogger(make_task(name, self._database)) for name in self._task_names]
        for task in self._tasks:
            task.run()

    def _make_shipper(self) -> Shipper:
        if self._shipper is None:
            journal = self._journal
            directory = Path(journal.writer.path.parent)
            self._shipper = Shipper(directory, self._database, writer=journal.writer, report=journal.note_progress)
        return self._shipper
