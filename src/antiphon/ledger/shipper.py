"""The shipper: a thread that moves records from the journal to the database, and nothing else waits for it."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from antiphon.clock import monotonic
from antiphon.database.database import Database
from antiphon.errors import LedgerError
from antiphon.ledger.filing import Filing
from antiphon.ledger.journal import Journal
from antiphon.ledger.writer import Writer, writers

TICK_SECONDS = 0.4
SHIP_SECONDS = 0.8
ADOPT_SECONDS = 5.0
SLOWEST_RETRY_SECONDS = 5.0

log = logging.getLogger("antiphon.ledger")


class Watch:
    """Runs one duty and logs a line when it begins to fail and one when it works again."""

    def __init__(self, duty: Callable[[], object], name: str) -> None:
        self._duty = duty
        self._name = name
        self.failing = False

    def run(self) -> bool:
        """Return whether the duty ended without an error."""
        try:
            self._duty()
        except Exception as error:
            if not self.failing:
                # An error of ours explains itself; anything else needs its traceback.
                log.exception("%s fails: %s", self._name, error, exc_info=not isinstance(error, LedgerError))
            self.failing = True
            return False
        if self.failing:
            log.warning("%s works again", self._name)
            self.failing = False
        return True


class Shipper:
    """Files the records of ``journal`` and of every dead writer under ``directory``.

    Where ``journal`` is ``None`` it only adopts what others left. ``ticks`` are called in the shipper's thread every
    0.4 s; they may raise, which is logged once per change of state. While the database takes nothing the journal grows,
    the shipper tries again at growing intervals up to 5 s, and the process serves on.
    """

    def __init__(
        self,
        directory: str | Path,
        database: Database,
        *,
        journal: Journal | None,
        ticks: Sequence[Callable[[], object]] = (),
    ) -> None:
        self._directory = Path(directory)
        self._database = database
        self._journal = journal
        self._own = None if journal is None else Filing(journal.writer, database)
        self._orphans: dict[str, Filing] = {}
        self._ticks = [Watch(tick, getattr(tick, "__qualname__", "a tick")) for tick in ticks]
        self._watch = Watch(self._pass, "moving records from the journal to the database")
        self._busy = threading.RLock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._deadline = float("inf")
        self._next_tick = self._next_ship = self._next_adoption = 0.0
        self._pause = SHIP_SECONDS

    def start(self) -> None:
        """Start the thread; the first records are moved one interval later, so that it costs a start nothing."""
        self._next_ship = monotonic() + SHIP_SECONDS
        self._thread = threading.Thread(target=self._run, name="antiphon-shipper", daemon=True)
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Move what is there within ``timeout`` seconds and end the thread; what is left is moved at the next start.

        Close the journal first: then its directory is filed as a whole and removed.
        """
        self._deadline = monotonic() + timeout
        self._stopping.set()
        if self._thread is None:
            self._last_pass()
        else:
            self._thread.join(timeout + 1.0)

    def ship_once(self) -> int:
        """Move everything that is there now, own and adopted, and return the number of records.

        Raises ``LedgerError`` where the database does not take them.
        """
        with self._busy:
            return self._ship_own() + self.adopt()

    def adopt(self) -> int:
        """Move what dead writers left, and return the number of records. Raises ``LedgerError``."""
        with self._busy:
            self._find_orphans()
            return self._ship_orphans()

    def _run(self) -> None:
        while not self._stopping.wait(TICK_SECONDS):
            self._tick()
            if monotonic() >= self._next_ship:
                self._pause = SHIP_SECONDS if self._watch.run() else min(self._pause * 2, SLOWEST_RETRY_SECONDS)
                self._next_ship = monotonic() + self._pause
        self._last_pass()

    def _last_pass(self) -> None:
        self._next_adoption = 0.0
        while not self._watch.run() and monotonic() < self._deadline:
            time.sleep(0.1)
        for orphan in self._orphans.values():
            orphan.writer.release()
        self._orphans.clear()

    def _tick(self) -> None:
        self._next_tick = monotonic() + TICK_SECONDS
        for tick in self._ticks:
            tick.run()

    def _pass(self) -> None:
        with self._busy:
            self._ship_own()
            if monotonic() >= self._next_adoption:
                self._find_orphans()
                self._next_adoption = monotonic() + ADOPT_SECONDS
            self._ship_orphans()

    def _ship_own(self) -> int:
        journal, own = self._journal, self._own
        if journal is None or own is None or journal.closed:
            return 0
        total = 0
        while count := own.step(journal.tail):
            total += count
            journal.shipped = own.filed
            if self._interrupted():
                break
        journal.shipped = own.filed
        return total

    def _find_orphans(self) -> None:
        for path in writers(self._directory):
            living = self._journal is not None and not self._journal.closed and path.name == self._journal.writer.id
            if not living and path.name not in self._orphans and (writer := Writer.adopt(path)) is not None:
                self._orphans[writer.id] = Filing(writer, self._database)

    def _ship_orphans(self) -> int:
        total = 0
        try:
            for name, orphan in list(self._orphans.items()):
                while count := orphan.step(None):
                    total += count
                    if self._interrupted():
                        return total
                if orphan.finish():
                    del self._orphans[name]
        finally:
            if self._journal is not None:
                self._journal.inherited = sum(orphan.waiting() for orphan in self._orphans.values())
        return total

    def _interrupted(self) -> bool:
        """Keep the ticks going through a long backlog; true once the time to stop is up."""
        if monotonic() >= self._next_tick and not self._stopping.is_set():
            self._tick()
        return monotonic() >= self._deadline
