"""The seam under the clients: a body goes in, an answer or frames come out, in this process or from a server."""

from typing import Any, Protocol

from antiphon.client.facts import Facts


class Frames(Protocol):
    """A stream of server-sent events that has begun. Whoever holds it reads it to its end or closes it."""

    @property
    def facts(self) -> Facts:
        """What is known of the call so far; the cost only after the end."""

    async def next(self) -> bytes:
        """Return bytes of the stream, ``b""`` at its end."""

    def close(self) -> None:
        """Let go: an unfinished answer is cancelled at its source. Idempotent."""


class Backend(Protocol):
    """Answers calls on one event loop, between ``start`` and ``close``."""

    async def start(self) -> None:
        """Make ready on the running loop."""

    async def close(self) -> None:
        """Let go of everything; calls under way are cancelled."""

    async def whole(self, operation: str, body: bytes) -> tuple[bytes, Facts]:
        """Return a whole answer; raises :class:`~antiphon.errors.CallError`."""

    async def frames(self, operation: str, body: bytes) -> Frames:
        """Return a stream once the answer has begun; raises :class:`~antiphon.errors.CallError`."""

    async def models(self) -> list[dict[str, Any]]:
        """Return the entries of the list of models."""
