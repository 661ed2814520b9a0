"""The bookkeeping of one call: its attempts, its cost, and its one record in the journal."""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import structs

from antiphon.clock import monotonic
from antiphon.engine.call import Call
from antiphon.errors import CallError, Cancelled, LedgerError, Unavailable
from antiphon.types import AttemptRecord, Outcome, Record, Target, Usage
from antiphon.wires.wire import Envelope, Wire, estimate_usage

if TYPE_CHECKING:
    from antiphon.engine.conversation import Conversation
    from antiphon.runtime import Runtime

_NOTHING = Usage()


def microseconds(start: float, end: float) -> int:
    return int((end - start) * 1_000_000)


class Book:
    """Collects what happens to a call and settles it exactly once."""

    __slots__ = (
        *("_run", "attempts", "call", "conversation", "envelope"),
        *("first_output", "record", "service_tier", "wire"),
    )

    def __init__(
        self, run: "Runtime", call: Call, wire: Wire, envelope: Envelope, conversation: "Conversation | None" = None
    ) -> None:
        self._run = run
        self.call = call
        self.wire = wire
        self.envelope = envelope
        self.conversation = conversation
        """Where the answer is kept, if we keep it."""
        self.attempts: tuple[AttemptRecord, ...] = ()
        self.first_output: float | None = None
        """Monotonic time of the first output shown to the caller."""
        self.record: Record | None = None
        self.service_tier = ""
        """How the provider's head says it served the call; most say it in the body, with the counts."""
        run.telemetry.in_flight += 1

    def counted(self, output_bytes: int) -> Usage:
        """Return usage that we count ourselves, because the provider did not say."""
        return estimate_usage(self.wire.count_input_bytes(self.envelope), output_bytes)

    def attempted(self, target: Target, outcome: Outcome, started: float, *, status: int = 0, error: str = "") -> None:
        """Note one try of the call at one target; ``started`` is monotonic."""
        first = None if self.first_output is None else microseconds(started, self.first_output)
        duration = microseconds(started, monotonic())
        self.attempts += (AttemptRecord(target.name, outcome, status, error, first, duration),)

    def settle(
        self, outcome: Outcome, target: Target | None, usage: Usage | None, *, status: int = 0, error: str = ""
    ) -> "asyncio.Future[None] | None":
        """Write the record; where a future is returned, the record is as durable as declared once it is done.

        Raises :class:`Unavailable` where the journal failed and the declared policy is to refuse.
        """
        if self.record is not None:
            return None
        self.record = record = self._record(outcome, target, usage, status, error)
        telemetry = self._run.telemetry
        telemetry.in_flight -= 1
        telemetry.observe(record)
        journal = self._run.journal
        if journal is None:
            return None
        try:
            return journal.append(record)
        except LedgerError as problem:
            self.unjournaled(problem)
            return None

    async def settled(
        self, outcome: Outcome, target: Target | None, usage: Usage | None, *, status: int = 0, error: str = ""
    ) -> None:
        """Write the record and wait until it is durable."""
        pending = self.settle(outcome, target, usage, status=status, error=error)
        if pending is not None:
            try:
                await asyncio.shield(pending)
            except LedgerError as problem:
                self.unjournaled(problem)

    def abandon(self, target: Target | None, usage: Usage | None) -> None:
        """Write the record of a caller who left; nobody is there to wait for it or to be refused."""
        with suppress(Unavailable):
            pending = self.settle(Outcome.CANCELLED, target, usage, status=Cancelled.status, error=Cancelled.code)
            if pending is not None:
                pending.add_done_callback(lambda done: done.cancelled() or done.exception())

    def unjournaled(self, problem: LedgerError) -> None:
        """Apply the declared policy to a record that could not be journaled."""
        self._run.telemetry.journal_errors += 1
        if self._run.catalog.settings.on_journal_full == "refuse":
            raise Unavailable(
                "The answer cannot be recorded, and this gateway is set to refuse what it cannot record. Try again.",
                code="journal_unavailable",
                retry_after=1.0,
            ) from problem

    def _record(self, outcome: Outcome, target: Target | None, usage: Usage | None, status: int, error: str) -> Record:
        call, price = self.call, target.price if target else None
        if self.service_tier and usage is not None:
            usage = structs.replace(usage, service_tier=usage.service_tier or self.service_tier)
        used = usage or _NOTHING
        # Without a price only nothing costs nothing.
        cost = price.cost(used) if price is not None else None if any(used.counts) else 0
        first = self.first_output
        return Record(
            call.id,
            call.time_us,
            call.operation,
            self.envelope.model,
            outcome,
            target.name if target else "",
            target.provider if target else "",
            call.caller.key_id,
            status,
            error,
            self.envelope.stream,
            usage,
            cost,
            price.version if price is not None else "",
            None if first is None else microseconds(call.started, first),
            microseconds(call.started, monotonic()),
            self.attempts,
        )

    async def failed(self, error: CallError, target: Target | None, usage: Usage | None = None) -> None:
        """Settle a call that ends with an error before anything was shown to its caller."""
        error.call_id = self.call.id
        error.attempts = len(self.attempts)
        error.target = self.attempts[-1].target if self.attempts else ""
        await self.settled(Outcome.ERROR, target, usage, status=error.status, error=error.code)
