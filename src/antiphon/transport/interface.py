"""The interface of a transport, which every implementation follows."""

from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol, TypeAlias, runtime_checkable

import msgspec

from antiphon.types import Origin

Headers: TypeAlias = list[tuple[bytes, bytes]]
"""Pairs of name (in lower case) and value, in the order in which they arrived."""
OnChunk: TypeAlias = Callable[[bytes], bool]
"""Takes a chunk at the moment it arrives; returns whether its reader can go on sleeping."""


class Request(msgspec.Struct, frozen=True, eq=False):
    """A request that is ready to be written.

    ``head`` is the request line and the header lines, each ended by CRLF, without ``content-length``, ``connection``
    and the blank line: the transport adds those. ``bound_to`` is the origin that the credential in ``head`` belongs to;
    a transport refuses to send it anywhere else.

    ``source`` instead of ``body`` provides the body in pieces, which are read as fast as the server takes them.
    ``length`` is their sum if it is known; with ``None`` they are sent chunked. An exception of the source ends the
    exchange and is raised by ``send``. Only transports over HTTP accept a source.
    """

    origin: Origin
    head: bytes
    body: bytes = b""
    bound_to: Origin | None = None
    source: AsyncIterator[bytes] | None = None
    length: int | None = None


class Response(Protocol):
    """An answer whose head has arrived. Its owner must read it to its end or ``close`` it."""

    status: int
    headers: Headers

    async def read_chunk(self, on_chunk: OnChunk | None = None) -> bytes | None:
        """Return all body bytes that have arrived; wait for at least one.

        ``b""`` is the proper end of the body. ``None`` means that :meth:`nudge` was called while waiting. While it
        waits, a transport may give chunks to ``on_chunk`` instead, which saves waking the task for each: it waits on
        while that returns true, returns ``None`` once it returns false, and raises what it raises. Raises
        :class:`~antiphon.errors.Truncated` if the body broke off before its proper end, and
        :class:`~antiphon.errors.BadAnswer` if it exceeds a cap or its encoding is invalid.
        """

    async def read(self, cap: int) -> bytes:
        """Return the whole body and release the connection, as :meth:`close` would.

        Raises the same as :meth:`read_chunk`, and ``BadAnswer`` above ``cap`` bytes.
        """

    def nudge(self) -> None:
        """Make a waiting :meth:`read_chunk` return ``None`` now, so that its caller can look at the clock."""

    def finish(self) -> None:
        """Release an answer whose content is complete, although its proper end may not have arrived yet.

        The connection is kept if the end follows within a second, and closed otherwise.
        """

    def close(self) -> None:
        """Release the connection: it is kept for reuse if the answer was read to its end, and closed at once otherwise.

        Idempotent.
        """


class Transport(Protocol):
    """Sends requests. It retries only once, after a stale kept-alive connection, and never follows a redirect."""

    async def send(self, request: Request, connect_timeout: float) -> Response:
        """Send a request and return once the head of the answer has arrived.

        Raises :class:`~antiphon.errors.ConnectFailed` or :class:`~antiphon.errors.UpstreamTimeout` (phase
        ``connect``) before any byte was sent, :class:`~antiphon.errors.Disconnected` if the connection broke before
        the head was complete, and :class:`~antiphon.errors.BadAnswer` if the head is invalid or exceeds its caps.
        Cancelling the waiting task closes the connection.
        """

    async def close(self) -> None:
        """Close every connection."""


@runtime_checkable
class Supervisor(Protocol):
    """A transport that manages processes."""

    def read_health(self) -> dict[str, Any]:
        """Return the state of the processes, for people and monitors; does not wait."""
