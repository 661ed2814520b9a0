"""One try of a call at one target: it returns what came of it as a value, and changes nothing elsewhere."""

import asyncio

from antiphon.clock import monotonic
from antiphon.engine.call import Call
from antiphon.engine.outcome import Committed, Failed
from antiphon.errors import CallError, UpstreamError, UpstreamTimeout
from antiphon.types import Target


class Attempt:
    """The facts and deadlines of one try; :meth:`run` once.

    Several attempts of one call may run at the same time, each in a task of its own.
    """

    __slots__ = ("_deadline", "_loop", "call", "due", "sent", "started", "target")

    def __init__(self, call: Call, target: Target, loop: asyncio.AbstractEventLoop, call_due: float) -> None:
        self._loop = loop
        self.call = call
        self.target = target
        self.started = monotonic()
        self.sent = False
        """A request was handed to the transport."""
        now, timeouts = loop.time(), target.timeouts
        self.due = min(call_due, now + timeouts.total)
        """Loop time at which the attempt ends, however much has come."""
        self._deadline = call.services.deadlines.start(loop, min(self.due, now + timeouts.first_output))

    async def run(self) -> Committed | Failed:
        """Return the committed answer or the failure; only a cancellation from outside is raised."""
        deadline = self._deadline
        try:
            return await self.call.procedure.exchange(self)
        except CallError as error:
            return self._fail(error)
        except asyncio.CancelledError:
            if deadline.has_cancelled():
                return Failed(self.target, self._make_timeout(), 0, self.started, True)
            raise
        finally:
            deadline.stop()

    def extend(self, seconds: float) -> None:
        """Allow some seconds from now for the next sign of progress, at most up to ``due``."""
        deadline = self._deadline
        deadline.due = min(self.due, max(deadline.due, self._loop.time() + seconds))

    def _fail(self, error: CallError) -> Failed:
        status = error.status if isinstance(error, UpstreamError) else 0
        if status and self.target.signing is not None:
            self.call.services.signers.note_refusal(self.target, status)
        return Failed(self.target, error, status, self.started, self.sent)

    def _make_timeout(self) -> UpstreamTimeout:
        is_total = self._deadline.due >= self.due
        limits, phase = self.target.timeouts, "total" if is_total else "first_output"
        seconds = limits.total if is_total else limits.first_output
        what = "did not finish" if is_total else "gave no output"
        return UpstreamTimeout(f"{self.target.name} {what} within {seconds:g} s ({phase} deadline).", phase=phase)
