"""What the head of an answer says of its call: who answered, after how many tries, at what cost, in what time."""

import re

from antiphon.clock import monotonic
from antiphon.engine.attempt import Attempt, passing
from antiphon.engine.book import Book, microseconds
from antiphon.transport import Headers
from antiphon.types import PICO


def headers_of(book: Book, attempt: Attempt) -> Headers:
    """Return the provider's headers that may pass, and ours: id, target, attempts, cost, timing."""
    call, wire, way = book.call, book.wire, attempt.bridge
    if way.verbatim:
        headers = passing(attempt.headers, wire, True)
        headers.append((b"content-type", attempt.content_type))
    else:
        kind = wire.stream_type if attempt.stream is not None else "application/json"
        headers = [(b"content-type", kind.encode()), (wire.request_id, call.id.encode())]
        headers += passing(attempt.headers, way.far, False)
        if way.dropped:
            headers.append((b"x-antiphon-dropped", listed(way.dropped)))
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


def listed(names: tuple[str, ...]) -> bytes:
    """Return names as a header value; they may be fields that a caller made up, of any length and content."""
    shown = [re.sub(r"[^A-Za-z0-9_.\[\]-]", "?", name[:64]) for name in names[:32]]
    return ", ".join(shown).encode()


def dollars(picodollars: int) -> str:
    """Return an amount as an exact decimal number of dollars, such as ``0.0000315``."""
    whole, part = divmod(picodollars, PICO)
    return f"{whole}.{part:012d}".rstrip("0").rstrip(".")
