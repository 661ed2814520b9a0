"""Deadlines of attempts: each ends a wait of its task, and many share one timer."""

import asyncio

STEP = 0.1
"""Seconds to which deadlines are rounded up, so that one timer serves all that end in the same step."""


class Deadline:
    """Cancels its task when ``due`` (loop time, seconds) passes, unless it is stopped before.

    Moving ``due`` later costs nothing: it is looked at again when the old one passes.
    """

    __slots__ = ("_deadlines", "_expired", "_step", "_task", "due")

    def __init__(self, deadlines: "Deadlines", task: "asyncio.Task[object] | None", due: float) -> None:
        self.due = due
        self._deadlines = deadlines
        self._task = task
        self._expired = False
        self._step = deadlines.add(self)

    def stop(self) -> None:
        """Let the deadline pass without effect."""
        self._step.pop(self, None)

    def has_cancelled(self) -> bool:
        """Say, on ``CancelledError``, whether only this deadline cancelled the task; if so, that is undone."""
        return self._expired and self._task is not None and self._task.uncancel() <= 0

    def check(self, now: float) -> None:
        """Cancel the task, or wait for a ``due`` that has moved."""
        if now < self.due:
            self._step = self._deadlines.add(self)
        elif self._task is not None:
            self._expired = True
            self._task.cancel()


class Deadlines:
    """The running deadlines of one event loop, by the step of time in which they end."""

    __slots__ = ("_steps",)

    def __init__(self) -> None:
        self._steps: dict[int, dict[Deadline, None]] = {}

    def start(self, loop: asyncio.AbstractEventLoop, due: float) -> Deadline:
        """Return a deadline of the current task."""
        return Deadline(self, asyncio.current_task(loop), due)

    def add(self, deadline: Deadline) -> dict[Deadline, None]:
        """Add a deadline to the step in which it ends, and return that step."""
        number = int(deadline.due / STEP) + 1
        step = self._steps.get(number)
        if step is None:
            step = self._steps[number] = {}
            loop = asyncio.get_running_loop()
            loop.call_at(number * STEP, self._end_step, loop, number)
        step[deadline] = None
        return step

    def _end_step(self, loop: asyncio.AbstractEventLoop, number: int) -> None:
        step = self._steps.pop(number)
        now = loop.time()
        for deadline in step:
            deadline.check(now)
