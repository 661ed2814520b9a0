"""Counts of tokens that the gateway makes itself where no target can: coarse, and marked as estimated."""

from antiphon.engine.call import Answer, Call
from antiphon.errors import CallError
from antiphon.transport import Headers
from antiphon.types import Target, Usage
from antiphon.wires.table import COUNTERS, get_caller_codec
from antiphon.wires.wire import estimate_usage

_HEADERS: Headers = [(b"content-type", b"application/json"), (b"x-antiphon-estimated", b"true")]
_NO_COUNTER = frozenset((404, 405, 501))
"""What servers answer that have no such operation, whatever their kind offers."""


def can_estimate(operation: str) -> bool:
    """Say whether the gateway can answer an operation itself."""
    return operation in COUNTERS


def can_replace(call: Call, target: Target | None, error: CallError) -> bool:
    """Say whether an estimate replaces an error, because a target of another wire has no counter after all."""
    if target is None or call.operation not in COUNTERS:
        return False
    return call.operation not in target.urls and error.status in _NO_COUNTER


def answer_estimate(call: Call, *, recorded: bool) -> Answer:
    """Return the gateway's own count in the caller's wire; ``recorded`` says whether the call has a record.

    Raises :class:`~antiphon.errors.BadRequest` for a body that is no request.
    """
    codec, envelope = get_caller_codec(call.operation), call.envelope
    codec.read_request(envelope.document, envelope.model)  # refuses what is kept elsewhere, and so cannot be counted
    count = estimate_usage(call.wire.count_input_bytes(envelope), 0).input
    headers = [*_HEADERS, (b"x-antiphon-call-id", call.id.encode())] if recorded else list(_HEADERS)
    return Answer(200, headers, codec.write_reply(count, None, Usage()))
