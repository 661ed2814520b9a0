"""The plan of one response: what is sent, when, and how it ends, without saying over which transport."""

from collections.abc import Iterable
from enum import Enum
from typing import TypeAlias

import msgspec

from antiphon.transport.interface import Headers

Step: TypeAlias = tuple[float, bytes, int]
"""Seconds to wait after the step before, body bytes to send then, and how many tokens of the answer they hold."""

REASONS = {
    200: "OK",
    204: "No Content",
    302: "Found",
    307: "Temporary Redirect",
    308: "Permanent Redirect",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


class End(Enum):
    """What follows the last step."""

    PROPER = "proper"
    """The body ends as its framing says."""
    CUT = "cut"
    """The connection closes in the middle of the body."""
    RESET = "reset"
    """The connection is reset."""
    HALF_CLOSE = "half-close"
    """Only the sending side closes; the connection is still read from."""
    SILENCE = "silence"
    """Nothing more is sent, and the connection stays open."""


class ResponsePlan(msgspec.Struct, eq=False, kw_only=True):
    """What is sent to answer one request.

    ``status`` 0 means that not even a head is sent. ``delay`` is the seconds before the head. ``length`` is the stated
    Content-Length, which a fault may make wrong; without one the body is ``chunked``, or ended by the close. ``limit``
    cuts the whole response, head and framing included, after that many bytes, in the way ``limit_end`` says. ``split``
    is the size of each write; 0 writes whole steps.
    """

    status: int
    headers: Headers
    steps: Iterable[Step] = ()
    end: End = End.PROPER
    length: int | None = None
    delay: float = 0.0
    limit: int | None = None
    limit_end: End = End.CUT
    split: int = 0
    chunked: bool = True
    operation: str = ""
    model: str = ""

    @property
    def is_chunked(self) -> bool:
        """Whether the body is sent in chunks: it states no length."""
        return self.chunked and self.length is None

    def write_head(self, connection: bytes = b"") -> bytes:
        """Return the response head as it is sent; ``connection`` is the value of that header, if any."""
        lines = [b"HTTP/1.1 %d %s\r\n" % (self.status, REASONS.get(self.status, "Simulated").encode())]
        lines += [b"%s: %s\r\n" % header for header in self.headers]
        if self.length is not None:
            lines.append(b"content-length: %d\r\n" % self.length)
        elif self.chunked:
            lines.append(b"transfer-encoding: chunked\r\n")
        if connection:
            lines.append(b"connection: %s\r\n" % connection)
        lines.append(b"\r\n")
        return b"".join(lines)
