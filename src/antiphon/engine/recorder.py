"""The record of one call: its attempts, its usage, its cost, written to the journal exactly once."""

import asyncio
from contextlib import suppress

from msgspec import structs

from antiphon.clock import monotonic
from antiphon.engine.call import Call
from antiphon.engine.outcome import Committed, Failed
from antiphon.errors import CallError, Cancelled, LedgerError, Unavailable
from antiphon.types import AttemptRecord, Outcome, Record, Target, Usage

_NO_USAGE = Usage()
_MICROSECONDS = 1_000_000


class CallRecorder:
    """Takes what came of a call, as values, and settles it exactly once."""

    __slots__ = ("_call", "attempts", "last_target", "record")

    def __init__(self, call: Call) -> None:
        self._call = call
        self.attempts: tuple[AttemptRecord, ...] = ()
        self.last_target: Target | None = None
        """The target of the latest attempt."""
        self.record: Record | None = None
        call.services.telemetry.in_flight += 1

    def add_failed(self, failed: Failed) -> None:
        """Add an attempt that failed before its first output; one that was never sent is no attempt."""
        self.last_target = failed.target
        if failed.sent:
            self._add(failed.target, Outcome.ERROR, failed.started, None, failed.status, failed.error.code)

    def add_cancelled(self, target: Target, started: float) -> None:
        """Add an attempt whose caller left before its first output."""
        self._add(target, Outcome.CANCELLED, started, None, 0, Cancelled.code)

    def add_committed(self, committed: Committed, outcome: Outcome, error: str = "") -> None:
        """Add an attempt that was committed, once it is known how it ended."""
        target, first = committed.target, committed.first_output
        self._add(target, outcome, committed.started, first, committed.status, error)

    def _add(
        self, target: Target, outcome: Outcome, started: float, first: float | None, status: int, error: str
    ) -> None:
        first_us = None if first is None else int((first - started) * _MICROSECONDS)
        duration_us = int((monotonic() - started) * _MICROSECONDS)
        self.last_target = target
        self.attempts += (AttemptRecord(target.name, outcome, status, error, first_us, duration_us),)

    def settle(
        self,
        outcome: Outcome,
        target: Target | None,
        usage: Usage | None,
        *,
        status: int = 0,
        error: str = "",
        committed: Committed | None = None,
    ) -> "asyncio.Future[None] | None":
        """Write the record; where a future is returned, the record is as durable as declared once it is done.

        Raises :class:`~antiphon.errors.Unavailable` where the journal failed and the declared policy is to refuse.
        """
        if self.record is not None:
            return None
        call = self._call
        services = call.services
        self.record = record = self._make_record(outcome, target, usage, status, error, committed)
        telemetry = services.telemetry
        telemetry.in_flight -= 1
        telemetry.observe(record)
        for hook in call.hooks.on_record:
            hook(call, record)
        if services.journal is None:
            return None
        try:
            return services.journal.append(record)
        except LedgerError as problem:
            self._apply_journal_policy(problem)
            return None

    async def settle_durably(
        self,
        outcome: Outcome,
        target: Target | None,
        usage: Usage | None,
        *,
        status: int = 0,
        error: str = "",
        committed: Committed | None = None,
    ) -> None:
        """Write the record and wait until it is as durable as declared; raises as :meth:`settle`."""
        pending = self.settle(outcome, target, usage, status=status, error=error, committed=committed)
        if pending is not None:
            await self.wait_until_durable(pending)

    async def wait_until_durable(self, pending: "asyncio.Future[None]") -> None:
        """Wait for the future of :meth:`settle`; raises as it does."""
        try:
            await asyncio.shield(pending)
        except LedgerError as problem:
            self._apply_journal_policy(problem)

    async def settle_error(self, error: CallError) -> None:
        """Settle a call that ends with an error before anything was shown to its caller, and name it in the error."""
        error.call_id = self._call.id
        error.attempts = len(self.attempts)
        error.target = self.attempts[-1].target if self.attempts else ""
        await self.settle_durably(Outcome.ERROR, self.last_target, None, status=error.status, error=error.code)

    def settle_abandoned(self, target: Target | None, usage: Usage | None, committed: Committed | None = None) -> None:
        """Write the record for a caller who left; nobody is there to wait for it or to be refused."""
        with suppress(Unavailable):
            pending = self.settle(
                Outcome.CANCELLED, target, usage, status=Cancelled.status, error=Cancelled.code, committed=committed
            )
            if pending is not None:
                pending.add_done_callback(lambda done: done.cancelled() or done.exception())

    def _apply_journal_policy(self, problem: LedgerError) -> None:
        """Apply the declared policy to a record that could not be journaled."""
        services = self._call.services
        services.telemetry.journal_errors += 1
        if services.settings.on_journal_full == "refuse":
            raise Unavailable(
                "The answer cannot be recorded, and this gateway is set to refuse what it cannot record. Try again.",
                code="journal_unavailable",
                retry_after=1.0,
            ) from problem

    def _make_record(
        self,
        outcome: Outcome,
        target: Target | None,
        usage: Usage | None,
        status: int,
        error: str,
        committed: Committed | None,
    ) -> Record:
        call, price = self._call, target.price if target else None
        first, streamed = None, call.envelope.stream
        if committed is not None:
            first = int((committed.first_output - call.started) * _MICROSECONDS)
            streamed = streamed or committed.is_event_stream
            if committed.service_tier and usage is not None:
                usage = structs.replace(usage, service_tier=usage.service_tier or committed.service_tier)
        cost: int | None
        if usage is None and not call.procedure.is_free(call, target, outcome):
            cost = price = None
        else:
            used = usage or _NO_USAGE
            # Without a price only an unused call costs nothing.
            cost = price.compute_cost(used) if price is not None else None if any(used.counts) else 0
        return Record(
            call.id,
            call.time_us,
            call.operation,
            call.envelope.model,
            outcome,
            target.name if target else "",
            target.provider if target else "",
            call.caller.key_id,
            status,
            error,
            streamed,
            usage,
            cost,
            price.version if price is not None else "",
            first,
            int((monotonic() - call.started) * _MICROSECONDS),
            self.attempts,
        )
