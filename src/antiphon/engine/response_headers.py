"""The header fields of an answer: what may pass of the provider's, and what tells about the call."""

import re

from antiphon.clock import monotonic
from antiphon.engine.call import Call
from antiphon.engine.outcome import Committed
from antiphon.engine.recorder import CallRecorder
from antiphon.transport import Headers
from antiphon.types import PICO
from antiphon.wires.wire import Wire

_RETRY_AFTER = b"retry-after"


def make_response_headers(call: Call, recorder: CallRecorder, committed: Committed) -> Headers:
    """Return the answer's own fields and the call's: id, target, attempts, cost, timing."""
    attempts = len(recorder.attempts) + (committed.stream is not None)
    upstream = committed.first_output - committed.started
    own = max(0.0, monotonic() - call.started - upstream)
    headers = [
        *committed.headers,
        (b"x-antiphon-call-id", call.id.encode()),
        (b"x-antiphon-target", committed.target.name.encode()),
        (b"x-antiphon-attempts", b"%d" % attempts if attempts > 1 else b"1"),
    ]
    record = recorder.record
    if record is not None and record.cost is not None:
        headers.append((b"x-antiphon-cost", format_dollars(record.cost).encode()))
    headers.append((b"server-timing", b"upstream;dur=%.3f, antiphon;dur=%.3f" % (upstream * 1000, own * 1000)))
    return headers


def list_verbatim_headers(headers: Headers, wire: Wire) -> Headers:
    """Return the provider's fields that a caller of the same wire gets, with the content type last."""
    shown, content_type, may_pass = [], b"application/json", wire.response_header_prefixes
    for pair in headers:
        name = pair[0]
        if name == b"content-type":
            content_type = pair[1] or content_type
        elif name.startswith(may_pass) and name != _RETRY_AFTER:
            shown.append(pair)
    shown.append((b"content-type", content_type))
    return shown


def filter_forwardable(headers: Headers, wire: Wire, verbatim: bool) -> Headers:
    """Return the provider's fields that its answer may show to a caller; ``retry-after`` is read, not passed.

    A caller of another wire sees how near the provider's limits are, under the provider's names, and nothing else.
    """
    shown = [pair for pair in headers if pair[0].startswith(wire.response_header_prefixes) and pair[0] != _RETRY_AFTER]
    return shown if verbatim else [pair for pair in shown if b"ratelimit" in pair[0]]


def join_header_values(names: tuple[str, ...]) -> bytes:
    """Return names as a header value; they may be fields that a caller made up, of any length and content."""
    shown = [re.sub(r"[^A-Za-z0-9_.\[\]-]", "?", name[:64]) for name in names[:32]]
    return ", ".join(shown).encode()


def find_header(headers: Headers, name: bytes) -> bytes:
    """Return the value of the first field of a name (lower case), or ``b""``."""
    for key, value in headers:
        if key == name:
            return value
    return b""


def format_dollars(picodollars: int) -> str:
    """Return an amount as an exact decimal number of dollars, such as ``0.0000315``."""
    whole, part = divmod(picodollars, PICO)
    return f"{whole}.{part:012d}".rstrip("0").rstrip(".")
