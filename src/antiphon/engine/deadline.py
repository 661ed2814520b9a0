"""One timer that ends a wait of the current task; lighter than a timeout context around every await."""

import asyncio


class Deadline:
    """Cancels the current task when ``due`` (loop time, seconds) passes, unless it is stopped before.

    Moving ``due`` later costs nothing: the timer looks at it again when it fires.
    """

    __slots__ = ("_expired", "_handle", "_loop", "_task", "due")

    def __init__(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        self._loop = loop
        self._task = asyncio.current_task(loop)
        self.due = due
        self._expired = False
        self._handle = loop.call_at(due, self._on_timer)

    def stop(self) -> None:
        """Let the deadline pass without effect."""
        self._handle.cancel()

    def has_cancelled(self) -> bool:
        """Say, on ``CancelledError``, whether only this deadline cancelled the task; if so, that is undone."""
        return self._expired and self._task is not None and self._task.uncancel() <= 0

    def _on_timer(self) -> None:
        if self._loop.time() < self.due:
            self._handle = self._loop.call_at(self.due, self._on_timer)
        elif self._task is not None:
            self._expired = True
            self._task.cancel()
