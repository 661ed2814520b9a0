"""One timer that ends a wait of the current task; lighter than a timeout context on every await."""

import asyncio


class Deadline:
    """Cancels the current task when ``due`` (loop time, seconds) passes, unless stopped before.

    The deadline may be moved later at no cost: the timer looks at ``due`` again when it fires.
    """

    __slots__ = ("_handle", "_loop", "_task", "due", "expired")

    def __init__(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        self._loop = loop
        self._task = asyncio.current_task(loop)
        self.due = due
        self.expired = False
        self._handle = loop.call_at(due, self._fire)

    def _fire(self) -> None:
        if self._loop.time() < self.due:
            self._handle = self._loop.call_at(self.due, self._fire)
        elif self._task is not None:
            self.expired = True
            self._task.cancel()

    def stop(self) -> None:
        self._handle.cancel()

    def caused(self) -> bool:
        """Say, on ``CancelledError``, whether this deadline alone cancelled the task; if so it is taken back."""
        return self.expired and self._task is not None and self._task.uncancel() <= 0
