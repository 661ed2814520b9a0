"""One try of a call at one target: encode, send, and wait for the first real output."""

import asyncio
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from antiphon.clock import monotonic, now_us
from antiphon.engine.book import Book
from antiphon.engine.bridge import Bridge
from antiphon.engine.deadline import Deadline
from antiphon.engine.stream import Stream
from antiphon.errors import (
    BadAnswer,
    Cancelled,
    RateLimited,
    UpstreamError,
    UpstreamStatus,
    UpstreamTimeout,
)
from antiphon.transport import Headers, Request, Response
from antiphon.types import Outcome, Target
from antiphon.wires.table import TIERS
from antiphon.wires.wire import WholeAnswer, Wire, read_service_tier

if TYPE_CHECKING:
    from antiphon.runtime import Runtime

ANSWER_LIMIT = 256 * 1024 * 1024
"""Bytes of a whole answer; embeddings of a large batch are the biggest ones."""
ERROR_LIMIT = 1024 * 1024
RETRY_AFTER_LIMIT = 3600.0
_RETRY_AFTER = b"retry-after"


class Attempt:
    """The state of one try; afterwards ``whole`` and ``body``, or ``stream``, hold the answer."""

    __slots__ = (
        "_book",
        "_run",
        "body",
        "bridge",
        "headers",
        "started",
        "stream",
        "target",
        "whole",
    )

    def __init__(self, run: "Runtime", book: Book, target: Target, way: Bridge) -> None:
        self._run = run
        self._book = book
        self.bridge = way
        self.target = target
        self.started = monotonic()
        self.headers: Headers = []
        self.body = b""
        self.whole: WholeAnswer | None = None
        self.stream: Stream | None = None

    async def run(self, due: float) -> None:
        """Get the answer, or its first real output; ``due`` is the call's total deadline in loop time.

        Raises :class:`~antiphon.errors.UpstreamError`, with the attempt noted in the book.
        """
        loop = asyncio.get_running_loop()
        patience = loop.time() + self.target.timeouts.first_output
        deadline = Deadline(loop, min(due, patience))
        try:
            await self._exchange(deadline, due)
        except UpstreamError as error:
            if self.target.signing is not None:
                self._run.signers.refused(self.target, error.status)
            self.note(Outcome.ERROR, getattr(error, "status", 0), error.code)
            raise
        except asyncio.CancelledError:
            if deadline.caused():
                late = self._late("total" if deadline.due >= due else "first_output")
                self.note(Outcome.ERROR, 0, late.code)
                raise late from None
            self.note(Outcome.CANCELLED, 0, Cancelled.code)
            raise
        finally:
            deadline.stop()

    @property
    def content_type(self) -> bytes:
        """What the provider says its answer is."""
        return _header(self.headers, b"content-type") or b"application/json"

    async def _exchange(self, deadline: Deadline, due: float) -> None:
        target, run = self.target, self._run
        request = self._request()
        if target.signing is not None:
            request = await run.signers.signed(target, request)
        response = await run.transport(target.origin.scheme).send(request, target.timeouts.connect)
        try:
            self.headers = response.headers
            if response.status != 200:
                raise await refused(response, self.bridge)
            told = TIERS.get(self.bridge.operation)
            self._book.service_tier = read_service_tier(_header(self.headers, told).decode("latin-1")) if told else ""
            if self._book.envelope.stream:
                await self._open(response, due)
                return
            loop = asyncio.get_running_loop()
            deadline.due = min(due, max(deadline.due, loop.time() + target.timeouts.idle))
            self.whole, self.body = self.bridge.read_whole(await response.read(ANSWER_LIMIT))
        except BaseException:
            response.close()
            raise
        response.close()
        self._book.first_output = monotonic()
        self.note(Outcome.SUCCESS, 200, "")

    async def _open(self, response: Response, due: float) -> None:
        content_type = self.content_type
        far = self.bridge.far
        if not content_type.lower().startswith(far.stream_type.encode()):
            far.read_whole(await response.read(ANSWER_LIMIT))  # raises what it says, if it says an error
            raise BadAnswer(
                f"The provider was asked for a stream and answered with {content_type.decode('latin-1')!r}."
            )
        stream = Stream(self._run, self._book, self, response, due)
        await stream.open()
        self.stream = stream

    def _request(self) -> Request:
        return self._request_of(self.bridge.encode(self._book.call.body, self.target))

    def _request_of(self, body: bytes) -> Request:
        target, way = self.target, self.bridge
        operation = way.operation
        if self._book.envelope.stream and f"{operation}.stream" in target.urls:
            operation += ".stream"
        head = self._run.head(target, operation, way.far, self._book.call.headers if way.verbatim else ())
        return Request(target.origin, head, body, target.origin)

    def _late(self, phase: str) -> UpstreamTimeout:
        limits = self.target.timeouts
        seconds = limits.total if phase == "total" else limits.first_output
        what = "did not finish" if phase == "total" else "gave no output"
        return UpstreamTimeout(f"{self.target.name} {what} within {seconds:g} s ({phase} deadline).", phase=phase)

    def note(self, outcome: Outcome, status: int, error: str) -> None:
        """Put this try into the book."""
        self._book.attempted(self.target, outcome, self.started, status=status, error=error)


async def refused(response: Response, way: Bridge) -> UpstreamError:
    """Return the error for an answer whose status is not 200, keeping what the provider said.

    Its body goes on to the caller only where both speak one wire; otherwise its message does.
    """
    status, headers = response.status, response.headers
    if status < 400:
        return BadAnswer(f"The provider answered with status {status}, which is no answer; redirects are not followed.")
    body = await response.read(ERROR_LIMIT)
    kind = RateLimited if status == 429 else UpstreamStatus
    message = f"The provider answered with status {status}: {way.far.read_error_message(body)}"
    wait = retry_after(_header(headers, _RETRY_AFTER))
    shown = passing(headers, way.far, way.verbatim)
    return kind(message, status=status, body=body if way.verbatim else b"", headers=shown, retry_after=wait)


def passing(headers: Headers, wire: Wire, verbatim: bool) -> Headers:
    """Return the provider's headers that its answer may show to a caller; ``retry-after`` is read, not passed.

    A caller of another wire sees how near the provider's limits are, under the provider's names, and nothing else.
    """
    shown = [pair for pair in headers if pair[0].startswith(wire.shows) and pair[0] != _RETRY_AFTER]
    return shown if verbatim else [pair for pair in shown if b"ratelimit" in pair[0]]


def retry_after(value: bytes) -> float | None:
    """Return seconds to wait from a ``Retry-After`` value (RFC 9110 section 10.2.3), or ``None`` where it says nothing.

    A date in the past is 0; anything beyond an hour is an hour.
    """
    text = value.decode("latin-1").strip()
    if not text:
        return None
    try:
        seconds = float(text) if text.replace(".", "", 1).isdigit() else _until(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), RETRY_AFTER_LIMIT)


def _until(date: str) -> float:
    return parsedate_to_datetime(date).timestamp() - now_us() / 1_000_000


def _header(headers: Headers, name: bytes) -> bytes:
    return next((value for key, value in headers if key == name), b"")
