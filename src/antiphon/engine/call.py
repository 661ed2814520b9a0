"""What a caller asked for, once, and what came of it."""

from typing import Protocol

from antiphon.clock import monotonic, new_id, now_us
from antiphon.transport import Headers
from antiphon.types import Caller, Record


class Streamed(Protocol):
    """What of an answer comes bit by bit."""

    @property
    def record(self) -> Record | None:
        """What was journaled, once it was."""

    async def next(self) -> bytes:
        """Return the next bytes, ``b""`` at the end."""

    def close(self) -> None:
        """Let go of it, at the end or before."""


class Call:
    """One request of one caller: ``operation`` names the wire it came on, ``body`` is what the caller sent.

    ``headers`` are those the wire forwards; ``model`` and ``stream`` are set where they stood in the path.
    """

    __slots__ = ("body", "caller", "headers", "id", "model", "operation", "started", "stream", "time_us")

    def __init__(
        self,
        operation: str,
        body: bytes,
        caller: Caller,
        headers: tuple[tuple[bytes, bytes], ...] = (),
        *,
        model: str = "",
        stream: bool | None = None,
    ) -> None:
        self.operation = operation
        self.headers = headers
        self.model = model
        self.stream = stream
        self.body = body
        self.caller = caller
        self.id = new_id("call")
        self.time_us = now_us()
        self.started = monotonic()


class Answer:
    """An answer: ``body`` of a whole one, or ``stream``. ``record`` is set as soon as the call is journaled."""

    __slots__ = ("_record", "body", "headers", "status", "stream")

    def __init__(
        self,
        status: int,
        headers: Headers,
        body: bytes | None = None,
        stream: Streamed | None = None,
        record: Record | None = None,
    ) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.stream = stream
        self._record = record

    @property
    def record(self) -> Record | None:
        return self.stream.record if self.stream is not None else self._record
