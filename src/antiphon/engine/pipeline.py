"""The path of a call, top to bottom: admit, prepare, plan, try, deliver, settle. There is no other way through."""

import asyncio

from antiphon import routing
from antiphon.engine import admission, failover, token_estimate
from antiphon.engine.call import Answer, Call
from antiphon.engine.delivery import Delivery
from antiphon.engine.outcome import Committed
from antiphon.engine.recorder import CallRecorder
from antiphon.engine.response_headers import make_response_headers
from antiphon.errors import BadRequest, CallError
from antiphon.types import Outcome, Usage


async def run(call: Call) -> Answer:
    """Answer a call; raises :class:`~antiphon.errors.CallError` where nobody could."""
    model = admission.admit(call)
    able = call.procedure.filter_able(call, model)
    if able is None and not token_estimate.can_estimate(call.operation):
        raise BadRequest(
            f"{model.name} does not offer {call.operation}; choose a model of a provider that does.", param="model"
        )
    for prepare in call.hooks.before:
        prepared = await prepare(call, able or model)
        if isinstance(prepared, Answer):
            return prepared
        call, narrowed = prepared
        able = narrowed if able is not None else None
    if able is None:
        return token_estimate.answer_estimate(call, recorded=False)
    plan = routing.make_plan(able)
    recorder = CallRecorder(call)
    try:
        committed = await failover.find_first_output(call, plan, recorder)
    except asyncio.CancelledError:
        _bill_abandoned(call, recorder)
        raise
    except CallError as error:
        if token_estimate.can_replace(call, recorder.last_target, error):
            await recorder.settle_durably(Outcome.SUCCESS, recorder.last_target, Usage(estimated=True), status=200)
            return token_estimate.answer_estimate(call, recorded=True)
        await recorder.settle_error(error)
        raise
    return await _deliver(call, recorder, committed)


async def _deliver(call: Call, recorder: CallRecorder, committed: Committed) -> Answer:
    """Return the answer: a stream that will be recorded at its end, or a whole one that is recorded now."""
    if committed.stream is not None:
        delivery = Delivery(call, recorder, committed, committed.stream)
        if call.hooks.on_commit:
            try:
                for hook in call.hooks.on_commit:
                    await hook(call, committed)
            except BaseException:
                delivery.close()
                raise
        return Answer(committed.status, make_response_headers(call, recorder, committed), stream=delivery)
    for hook in call.hooks.on_commit:
        await hook(call, committed)
    recorder.add_committed(committed, Outcome.SUCCESS)
    target, status = committed.target, committed.status
    pending = recorder.settle(Outcome.SUCCESS, target, committed.usage, status=status, committed=committed)
    if pending is not None:
        await recorder.wait_until_durable(pending)
    headers = make_response_headers(call, recorder, committed)
    for act in call.hooks.before_last_byte:
        notice = await act(call, target, committed.body, ())
        if notice is not None:
            headers.append((notice.header, notice.value))
    return Answer(status, headers, committed.body, whole_record=recorder.record)


def _bill_abandoned(call: Call, recorder: CallRecorder) -> None:
    """Record the input that a provider was sent for a caller who left before any output.

    The provider may bill it, so the record holds what follows from the request alone, marked as estimated: the tokens
    of a prompt, or the characters of a text to be spoken. The same counts if the caller leaves one byte later. Output
    is not guessed: an image that nobody received has an unknown cost (``None``), which is never zero.
    """
    target = recorder.last_target
    recorder.settle_abandoned(target, call.procedure.estimate_usage(call, 0) if target else None)
