"""The life of a call, top to bottom: peek, admit, plan, attempt, settle, answer."""

import asyncio
from typing import TYPE_CHECKING

from antiphon import routing
from antiphon.engine import alone
from antiphon.engine.attempt import Attempt
from antiphon.engine.book import Book
from antiphon.engine.bridge import bridge, offers
from antiphon.engine.call import Answer, Call
from antiphon.engine.heading import headers_of
from antiphon.engine.parts import AttemptInParts
from antiphon.errors import BadRequest, CallError, Forbidden, Unavailable, UpstreamError
from antiphon.types import Model, Outcome, Target, Usage
from antiphon.wires import Envelope, Wire, get_wire

if TYPE_CHECKING:
    from antiphon.runtime import Runtime

CONVERSING = frozenset(("responses", "input_tokens"))
"""Operations whose requests may go on from an answer that somebody kept."""


async def ask(run: "Runtime", call: Call) -> Answer:
    """Answer a call; raises :class:`~antiphon.errors.CallError` where no target could."""
    wire = get_wire(call.operation)
    envelope = wire.peek(call.body, call.model, call.stream)
    model = admit(run, call, envelope)
    reachable = _reachable(model, call.operation)
    if reachable is None:
        return await _alone(run, call, wire, envelope, model)
    conversation = None
    if call.operation in CONVERSING:
        from antiphon.engine.conversation import joined

        envelope, reachable, conversation = await joined(run, call, envelope, reachable)
        if conversation is not None and conversation.here:
            from antiphon.engine.background import accepted

            return await accepted(run, call, wire, envelope, reachable, conversation)
    plan = routing.plan(reachable)
    book = Book(run, call, wire, envelope, conversation)
    try:
        attempt = await _attempt_each(run, book, plan)
    except asyncio.CancelledError:
        _settle_cancelled(book, plan)
        raise
    if attempt is None:
        await book.settled(Outcome.SUCCESS, plan[-1], Usage(estimated=True), status=200)
        return alone.estimated(wire, envelope, call.id)
    if attempt.stream is not None:
        if conversation is not None:
            try:
                await conversation.begun(attempt.target, attempt.stream.begun)
            except BaseException:
                attempt.stream.close()
                raise
        return Answer(200, headers_of(book, attempt), stream=attempt.stream)
    whole = attempt.whole
    usage = whole.usage or book.counted(whole.output_bytes) if whole is not None else None
    await book.settled(Outcome.SUCCESS, attempt.target, usage, status=200)
    headers = headers_of(book, attempt)
    if conversation is not None and (lost := await conversation.keep(attempt.target, attempt.body)):
        headers.append((b"x-antiphon-not-stored", lost.encode()))
    return Answer(200, headers, attempt.body, record=book.record)


def admit(run: "Runtime", call: Call, envelope: Envelope) -> Model:
    """Refuse what may not run, before anything is spent or recorded."""
    if run.refuses_records:
        raise Unavailable("Calls cannot be recorded at the moment, and this gateway is set to refuse them then.")
    model = run.catalog.resolve(envelope.model)
    caller = call.caller
    if caller.models and not (caller.may_use(envelope.model) or caller.may_use(model.name)):
        raise Forbidden(
            f"This key may not use the model {envelope.model!r}; it may use: {', '.join(sorted(caller.models))}.",
            code="model_not_allowed",
            param="model",
        )
    return model


def _reachable(model: Model, operation: str) -> Model | None:
    """Return the model with those of its targets that the operation can reach, or ``None`` where it reaches none."""
    for target in model.targets:
        if operation not in target.urls:
            break
    else:
        return model
    return routing.narrowed(model, lambda target: offers(target, operation))


async def _alone(run: "Runtime", call: Call, wire: Wire, envelope: Envelope, model: Model) -> Answer:
    """Answer without a target what needs none; raises :class:`BadRequest` for everything else."""
    if alone.counts(wire):
        if call.operation in CONVERSING:
            from antiphon.engine.conversation import joined

            envelope, _, _ = await joined(run, call, envelope, model)
        return alone.estimated(wire, envelope)
    problem = f"{model.name} does not offer {wire.operation}; choose a model of a provider that does."
    raise BadRequest(problem, param="model")


async def _attempt_each(run: "Runtime", book: Book, plan: tuple[Target, ...]) -> Attempt | None:
    """Try the plan's targets in turn until one gives output; the last error is the call's.

    ``None`` says that we give the answer ourselves, because the target turned out to have none.
    """
    due = asyncio.get_running_loop().time() + plan[0].timeouts.total
    for target in plan:
        try:
            way = bridge(book.wire, book.envelope, target)
            attempt = (AttemptInParts if way.in_parts else Attempt)(run, book, target, way)
            await attempt.run(due)
        except CallError as error:
            if isinstance(error, UpstreamError) and error.retryable and target is not plan[-1]:
                continue
            if alone.instead(book.wire, target, error):
                return None
            await book.failed(error, target)
            raise
        return attempt
    raise AssertionError("a plan has at least one target")


def _settle_cancelled(book: Book, plan: tuple[Target, ...]) -> None:
    """Bill the input that a provider read for a caller who left before any output."""
    tried = book.attempts[-1].target if book.attempts else ""
    target = next((target for target in plan if target.name == tried), None)
    book.abandon(target, book.counted(0) if target else None)
