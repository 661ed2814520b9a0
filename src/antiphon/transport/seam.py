"""The shape of a transport: what every implementation takes and gives."""

from collections.abc import AsyncIterator
from typing import Any, Protocol, TypeAlias, runtime_checkable

import msgspec

from antiphon.types import Origin

Headers: TypeAlias = list[tuple[bytes, bytes]]
"""Name (lower case) and value pairs in the order they came."""


class Request(msgspec.Struct, frozen=True, eq=False):
    """A request ready to be written.

    ``head`` is the request line and header lines, each ended by CRLF, without ``content-length``, ``connection`` and
    the blank line: the transport adds those. ``bound_to`` is the origin the credential in ``head`` belongs to; a
    transport refuses to send it anywhere else.

    ``source`` instead of ``body`` gives a body in pieces, as fast as the server takes them; ``length`` is their sum
    where it is known, and ``None`` sends them chunked. What the source raises ends the exchange and comes out of
    ``send``. Only transports over HTTP take one.
    """

    origin: Origin
    head: bytes
    body: bytes = b""
    bound_to: Origin | None = None
    source: AsyncIterator[bytes] | None = None
    length: int | None = None


class Response(Protocol):
    """An answer whose head has arrived. Whoever holds it must read it to its end or ``close`` it."""

    status: int
    headers: Headers

    async def chunk(self) -> bytes | None:
        """Return all body bytes that are there, waiting for at least one.

        ``b""`` is the proper end of the body. ``None`` means that :meth:`nudge` was called while waiting. Raises
        :class:`~antiphon.errors.Truncated` where the body broke off before its proper end and
        :class:`~antiphon.errors.BadAnswer` where it broke a cap or its encoding is invalid.
        """

    async def read(self, cap: int) -> bytes:
        """Return the whole body; raises as :meth:`chunk`, and ``BadAnswer`` over ``cap`` bytes."""

    def nudge(self) -> None:
        """Make a waiting :meth:`chunk` return ``None`` now, so that its caller can look at the clock."""

    def finish(self) -> None:
        """Let go of an answer that has said all it had to say, though its proper end may not have come yet.

        The connection is kept if the end follows within a second, and closed otherwise.
        """

    def close(self) -> None:
        """Let go: a fully read connection is kept for reuse, any other is closed at once. Idempotent."""


class Transport(Protocol):
    """Sends requests. Never retries but for one stale kept-alive connection, never follows a redirect."""

    async def send(self, request: Request, connect_timeout: float) -> Response:
        """Return once the response head has arrived.

        Raises :class:`~antiphon.errors.ConnectFailed` or :class:`~antiphon.errors.UpstreamTimeout` (phase
        ``connect``) before any byte was sent, :class:`~antiphon.errors.Disconnected` where the connection broke
        before the head was complete, :class:`~antiphon.errors.BadAnswer` where the head is invalid or over its caps.
        Cancelling the awaiting task closes the connection.
        """

    async def close(self) -> None:
        """Close every connection."""


@runtime_checkable
class Supervisor(Protocol):
    """A transport that looks after processes of its own."""

    def health(self) -> dict[str, Any]:
        """Return how they are, for people and monitors; without waiting."""
