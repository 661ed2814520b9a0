"""How a shipper shares the processor, or the interpreter, with the calls of the gateway."""

import os
import time
from collections.abc import Callable

from antiphon.clock import monotonic

YIELD_SECONDS = 0.00005
"""How long a shipper in a process of its own works before it offers the processor to others."""
WORK_SECONDS = 0.0003
SLEEP_SECONDS = 0.001
"""How long a shipper in a thread sleeps after it has worked for 0.3 ms."""
LONGEST_WORK_SECONDS = 0.002
SHARE = 8
"""After others took the processor for some time, the shipper works for an eighth of that time."""


def do_nothing() -> None:
    """Make no pause."""


class Pacer:
    """Gives others a turn now and then; call :meth:`pause` after each small step of work.

    ``rest`` gives them the turn. ``shortest`` is how long the work goes on if they did not need it. If they took it,
    the work goes on for an eighth of that time, up to 2 ms. So it makes progress where others would use all of the
    processor, and in a few long turns, because the processor's caches are cold after each change.
    """

    def __init__(self, rest: Callable[[], None], shortest: float) -> None:
        self._rest = rest
        self._shortest = shortest
        self._next = 0.0

    def pause(self) -> None:
        """Rest if the work has gone on for long enough."""
        now = monotonic()
        if now >= self._next:
            self._rest()
            after = monotonic()
            self._next = after + min(max((after - now) / SHARE, self._shortest), LONGEST_WORK_SECONDS)


def make_process_pacer() -> Pacer:
    """Return a pacer that gives up the processor to whoever is waiting for it, and goes on if nobody is."""
    rest: Callable[[], None] | None = getattr(os, "sched_yield", None)
    return make_thread_pacer() if rest is None else Pacer(rest, YIELD_SECONDS)


def make_thread_pacer() -> Pacer:
    """Return a pacer that leaves the interpreter to the other threads while it sleeps."""
    return Pacer(lambda: time.sleep(SLEEP_SECONDS), WORK_SECONDS)
