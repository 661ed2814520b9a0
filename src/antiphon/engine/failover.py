"""The loop over a plan's targets, and the only one: try one after the other until an attempt is committed."""

import asyncio

from antiphon.engine.attempt import Attempt
from antiphon.engine.call import Call
from antiphon.engine.outcome import Committed
from antiphon.engine.recorder import CallRecorder
from antiphon.errors import UpstreamError
from antiphon.routing import Plan


async def find_first_output(call: Call, plan: Plan, recorder: CallRecorder) -> Committed:
    """Return the first committed answer; raises the last attempt's error where there is none.

    Until an answer is committed the caller has seen nothing, so a failure stays invisible while a target is left.
    """
    loop = asyncio.get_running_loop()
    call_due = loop.time() + plan.total_seconds
    last = plan.candidates[-1]
    for candidate in plan.candidates:
        attempt = Attempt(call, candidate.target, loop, call_due)
        try:
            outcome = await attempt.run()
        except asyncio.CancelledError:
            recorder.add_cancelled(attempt.target, attempt.started)
            raise
        if isinstance(outcome, Committed):
            return outcome
        recorder.add_failed(outcome)
        error = outcome.error
        is_final = candidate is last or not call.procedure.can_move()
        if is_final or not (isinstance(error, UpstreamError) and error.retryable):
            raise error
    raise AssertionError("a plan has at least one candidate")
