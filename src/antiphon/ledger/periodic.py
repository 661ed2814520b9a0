"""Runs small tasks of a process several times a second, in a thread."""

import logging
import threading
from collections.abc import Callable, Sequence

from antiphon.clock import monotonic
from antiphon.errors import LedgerError

TICK_SECONDS = 0.4
SHORTEST_PAUSE_SECONDS = 0.05

log = logging.getLogger("antiphon.ledger")


class FailureLogger:
    """Runs one duty and logs a line when it begins to fail and one when it works again."""

    def __init__(self, duty: Callable[[], object], name: str = "") -> None:
        self._duty = duty
        self._name = name or getattr(duty, "__qualname__", "a periodic task")
        self.failing = False

    def run(self) -> bool:
        """Run the duty and return whether it ended without an error."""
        try:
            self._duty()
        except Exception as error:
            if not self.failing:
                # A LedgerError explains itself; anything else needs its traceback.
                log.exception("%s fails: %s", self._name, error, exc_info=not isinstance(error, LedgerError))
            self.failing = True
            return False
        if self.failing:
            log.warning("%s works again", self._name)
            self.failing = False
        return True


class PeriodicTasks:
    """A daemon thread that runs every task once in 0.4 s, the first time 0.4 s after the start.

    A task that raises is logged once per change of state and is run again. A task shares the interpreter with the calls
    of the process, so it must be short. If it has to wait, it must return within half a second.
    """

    def __init__(self, tasks: Sequence[Callable[[], object]]) -> None:
        self._tasks = [FailureLogger(task) for task in tasks]
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="antiphon-periodic", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Wait for the task that is running, and end the thread."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        pause = TICK_SECONDS
        while not self._stopping.wait(pause):
            began = monotonic()
            for task in self._tasks:
                task.run()
            pause = max(SHORTEST_PAUSE_SECONDS, began + TICK_SECONDS - monotonic())
