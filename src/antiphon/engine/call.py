"""What a caller asked for, once, and what it is answered."""

from typing import Protocol

import msgspec

from antiphon.engine.hook_chain import HookChain
from antiphon.engine.outcome import Committed
from antiphon.engine.request_head import ForwardedHeaders
from antiphon.engine.services import Services
from antiphon.engine.upstream import Write
from antiphon.transport import Headers
from antiphon.types import Caller, Model, Outcome, Record, Target, Usage
from antiphon.wires.wire import Envelope, Wire


class AnswerStream(Protocol):
    """The part of an answer that comes in pieces."""

    @property
    def record(self) -> Record | None:
        """The journaled record, or ``None`` before the stream has ended."""

    async def next(self, write: Write | None = None) -> bytes:
        """Return the next bytes, ``b""`` at the end.

        While it waits, bytes may be given to ``write`` instead, which saves waking the task for them.
        """

    def close(self) -> None:
        """Release the stream, at its end or before. Idempotent."""


class Answer(msgspec.Struct, frozen=True, eq=False):
    """What a call is answered: ``body`` whole, or ``stream``."""

    status: int
    headers: Headers
    body: bytes | None = None
    stream: AnswerStream | None = None
    whole_record: Record | None = None

    @property
    def record(self) -> Record | None:
        """The journaled record; for a stream ``None`` until it has ended."""
        return self.stream.record if self.stream is not None else self.whole_record


class Call(msgspec.Struct, frozen=True, eq=False):
    """One request of one caller; nothing changes it while it runs.

    ``time_us`` is wall-clock microseconds and ``started`` monotonic seconds, both at the call's start. ``services`` is
    the snapshot that was in force then.
    """

    id: str
    time_us: int
    started: float
    operation: str
    wire: Wire
    """The wire that the caller speaks."""
    envelope: Envelope
    body: bytes
    caller: Caller
    services: Services
    procedure: "Procedure"
    headers: ForwardedHeaders = ()
    hooks: HookChain = HookChain()


class AttemptContext(Protocol):
    """What a procedure sees of an attempt; see :class:`antiphon.engine.attempt.Attempt`."""

    call: Call
    target: Target
    started: float
    """Monotonic seconds."""
    due: float
    """Loop time at which the attempt ends, however much has come."""
    sent: bool
    """A request was handed to the transport."""

    def extend(self, seconds: float) -> None:
        """Allow some seconds from now for the next sign of progress, at most up to ``due``."""


class Procedure(Protocol):
    """What differs between the kinds of calls: which targets serve one, how one is asked, how it is accounted for.

    :class:`antiphon.engine.generation.Generation` is for bodies that are read, and
    :class:`antiphon.engine.operation_call.OperationCall` for bodies that pass unread.
    """

    names_model: bool
    """The caller names a model, which its key must allow."""

    def resolve(self, call: Call) -> Model:
        """Return the model that a call names; raises :class:`~antiphon.errors.CallError` where there is none."""

    def filter_able(self, call: Call, model: Model) -> Model | None:
        """Return the model with the targets that can serve the call, or ``None`` where none can."""

    async def exchange(self, attempt: AttemptContext) -> Committed:
        """Ask the attempt's target and return its answer once it is committed; raises where it failed."""

    def can_move(self) -> bool:
        """Say whether the request can still go to another target."""

    def estimate_usage(self, call: Call, output_bytes: int) -> Usage | None:
        """Return the usage where the provider did not count it, or ``None`` where nobody can know it."""

    def is_free(self, call: Call, target: Target | None, outcome: Outcome) -> bool:
        """Say whether a call of unknown usage is known to cost nothing."""
