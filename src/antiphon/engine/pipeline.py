"""The life of a call, top to bottom: peek, admit, plan, attempt, settle, answer."""

import asyncio
from typing import TYPE_CHECKING

from antiphon import routing
from antiphon.clock import monotonic
from antiphon.engine.attempt import Attempt, passing
from antiphon.engine.book import Book, microseconds
from antiphon.engine.call import Answer, Call
from antiphon.errors import CallError, Forbidden, Unavailable, UpstreamError
from antiphon.transport import Headers
from antiphon.types import PICO, Model, Outcome, Usage
from antiphon.wires import OPERATIONS, Envelope, Wire
from antiphon.wires.wire import counted

if TYPE_CHECKING:
    from antiphon.engine.runtime import Runtime


async def ask(run: "Runtime", call: Call) -> Answer:
    """Answer a call; raises :class:`~antiphon.errors.CallError` where no target could."""
    wire = OPERATIONS[call.operation]
    envelope = wire.peek(call.body)
    model = _admit(run, call, envelope)
    book = Book(run, call, envelope.model, envelope.stream)
    try:
        attempt = await _attempt_each(run, book, wire, envelope, model)
    except asyncio.CancelledError:
        _settle_cancelled(book, wire, envelope, model)
        raise
    if attempt.stream is not None:
        return Answer(200, _headers(book, attempt), stream=attempt.stream)
    usage = _usage(attempt, wire, envelope)
    await book.settled(Outcome.SUCCESS, attempt.target, usage, status=200)
    return Answer(200, _headers(book, attempt), attempt.body, record=book.record)


def _admit(run: "Runtime", call: Call, envelope: Envelope) -> Model:
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


async def _attempt_each(run: "Runtime", book: Book, wire: Wire, envelope: Envelope, model: Model) -> Attempt:
    """Try the plan's targets in turn until one gives output; the last error is the call's."""
    plan = routing.plan(model)
    due = asyncio.get_running_loop().time() + plan[0].timeouts.total
    for target in plan:
        attempt = Attempt(run, book, wire, envelope, target)
        try:
            await attempt.run(due)
        except CallError as error:
            if isinstance(error, UpstreamError) and error.retryable and target is not plan[-1]:
                continue
            await book.failed(error, target)
            raise
        return attempt
    raise AssertionError("a plan has at least one target")


def _settle_cancelled(book: Book, wire: Wire, envelope: Envelope, model: Model) -> None:
    """Bill the input that a provider read for a caller who left before any output."""
    tried = book.attempts[-1].target if book.attempts else ""
    target = next((target for target in model.targets if target.name == tried), None)
    usage = counted(wire.input_bytes(envelope), 0) if target else None
    book.abandon(target, usage)


def _usage(attempt: Attempt, wire: Wire, envelope: Envelope) -> Usage | None:
    whole = attempt.whole
    if whole is None:
        return None
    return whole.usage or counted(wire.input_bytes(envelope), whole.output_bytes)


def _headers(book: Book, attempt: Attempt) -> Headers:
    """Return the provider's headers that may pass, and ours: id, target, attempts, cost, timing."""
    headers = passing(attempt.headers)
    call = book.call
    headers.append((b"x-antiphon-call-id", call.id.encode()))
    headers.append((b"x-antiphon-target", attempt.target.name.encode()))
    headers.append((b"x-antiphon-attempts", b"%d" % max(1, len(book.attempts) + (attempt.stream is not None))))
    if (record := book.record) is not None and record.cost is not None:
        headers.append((b"x-antiphon-cost", dollars(record.cost).encode()))
    upstream = microseconds(attempt.started, book.first_output or attempt.started)
    own = max(0, microseconds(call.started, monotonic()) - upstream)
    headers.append(
        (
            b"server-timing",
            b"upstream;dur=%d.%03d, antiphon;dur=%d.%03d" % (*divmod(upstream, 1000), *divmod(own, 1000)),
        )
    )
    return headers


def dollars(picodollars: int) -> str:
    """Return an amount as an exact decimal number of dollars, such as ``0.0000315``."""
    whole, part = divmod(picodollars, PICO)
    return f"{whole}.{part:012d}".rstrip("0").rstrip(".")
