"""Counts of tokens that we make ourselves, where no target can: coarse, and marked as such."""

from antiphon.engine.call import Answer
from antiphon.errors import CallError
from antiphon.transport import Headers
from antiphon.types import Target, Usage
from antiphon.wires.table import COUNTERS, get_caller_codec
from antiphon.wires.wire import Envelope, Wire, estimate_usage

_HEADERS: Headers = [(b"content-type", b"application/json"), (b"x-antiphon-estimated", b"true")]
_NO_COUNTER = frozenset((404, 405, 501))
"""What servers say that have no such operation, whatever their kind offers."""


def counts(wire: Wire) -> bool:
    """Say whether an operation is one that we can answer ourselves."""
    return wire.operation in COUNTERS


def instead(wire: Wire, target: Target, error: CallError) -> bool:
    """Say whether to count ourselves, because a target of another wire has no counter after all."""
    return counts(wire) and wire.operation not in target.urls and error.status in _NO_COUNTER


def estimated(wire: Wire, envelope: Envelope, call_id: str = "") -> Answer:
    """Return our own count in the caller's wire; ``call_id`` names the call, where it was recorded.

    Raises :class:`~antiphon.errors.BadRequest` for what is no request.
    """
    codec = get_caller_codec(wire.operation)
    codec.read_request(envelope.document, envelope.model)  # refuses what is kept elsewhere, and so cannot be counted
    count = estimate_usage(wire.count_input_bytes(envelope), 0).input
    headers = [*_HEADERS, (b"x-antiphon-call-id", call_id.encode())] if call_id else list(_HEADERS)
    return Answer(200, headers, codec.write_reply(count, None, Usage()))
