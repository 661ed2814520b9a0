"""A running shipper, as in a gateway or a program with the SDK, and ways to wait for it."""

import time
from collections.abc import Callable

from antiphon.database.database import Database
from antiphon.ledger.journal import Journal
from antiphon.ledger.periodic import PeriodicTasks
from antiphon.ledger.supervisor import ShipperSupervisor
from processes import PATIENCE


class RunningShipper:
    """A supervisor and the thread that runs it."""

    def __init__(
        self, database: Database, journal: Journal, *tasks: Callable[[], object], separate: bool = False
    ) -> None:
        self.supervisor = ShipperSupervisor(journal, database, separate=separate)
        self.tasks = PeriodicTasks([*tasks, self.supervisor.run])
        self.tasks.start()
        self._stopped = False

    def stop(self, timeout: float = 5.0) -> None:
        """Stop both; the journal must be closed. Idempotent."""
        if not self._stopped:
            self._stopped = True
            self.tasks.stop()
            self.supervisor.stop(timeout)


StartShipper = Callable[..., RunningShipper]
"""The type of the fixture ``start_shipper``."""


def wait_until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait until a condition holds; fail if it does not within ``seconds``."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def count_calls(database: Database) -> int:
    with database.read() as transaction:
        return int(transaction.execute("SELECT count(*) FROM calls")[0][0])
