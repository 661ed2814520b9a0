"""What an attempt comes to: a committed answer, or a failure. Both are values; neither changes anything elsewhere."""

import msgspec

from antiphon.engine.upstream import UpstreamStream
from antiphon.errors import CallError
from antiphon.transport import Headers
from antiphon.types import Target, Usage


class Committed(msgspec.Struct, frozen=True, eq=False):
    """The answer of an attempt whose first real output has come: ``body`` whole, or ``stream``.

    ``started`` and ``first_output`` are monotonic seconds. ``usage`` is what the provider counted of a whole answer, or
    what the gateway counted in its place.
    """

    target: Target
    status: int
    headers: Headers
    """The header fields that the caller gets of this answer, except those that tell about the call."""
    started: float
    first_output: float
    body: bytes = b""
    usage: Usage | None = None
    stream: UpstreamStream | None = None
    is_event_stream: bool = False
    heartbeat: bytes = b""
    """The frame that fills silence towards the caller; ``b""`` where the answer has no such frame."""
    service_tier: str = ""
    """How the provider's header says it served the call; most providers say it in the body, with the counts."""


class Failed(msgspec.Struct, frozen=True, eq=False):
    """An attempt that failed before its first output.

    ``status`` is the HTTP status that is recorded of it, 0 where a deadline passed or the request itself was at fault.
    ``sent`` says whether a request was handed to the transport.
    """

    target: Target
    error: CallError
    status: int
    started: float
    sent: bool
