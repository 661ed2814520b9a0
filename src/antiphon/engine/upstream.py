"""The provider's side of an attempt: sending a request, and the stream that comes back until it ends or breaks."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from antiphon.engine.services import Services
from antiphon.errors import BadAnswer, Truncated, UpstreamTimeout
from antiphon.transport import Request, Response
from antiphon.types import Target
from antiphon.wires.wire import Splitter, StreamTranslator, Wire

SSE = "text/event-stream"
PREAMBLE_LIMIT = 1024 * 1024
"""Bytes that a provider may send before its first real output."""
FRAMES_AT_ONCE = 32
"""Frames of one chunk that are handled before other tasks have a turn: a provider may send thousands at once."""


async def send_request(services: Services, target: Target, request: Request) -> Response:
    """Sign a request where its target wants that, and send it; raises as ``Transport.send``."""
    if target.signing is not None:
        request = await services.signers.sign(target, request)
    return await services.transports.get(target.origin.scheme).send(request, target.timeouts.connect)


class UpstreamStream:
    """One streamed answer as it comes from a provider: framing, first output, idle and total deadlines.

    Wait with :meth:`open` for the first output. Then call :meth:`advance` and :meth:`take` in turn until ``advance``
    says that the stream has ended. Call :meth:`finish` or :meth:`close` in any case.
    """

    __slots__ = (
        "_frames",
        "_idle",
        "_idling",
        "_loop",
        "_name",
        "_now",
        "_out",
        "_progress",
        "_response",
        "_splitter",
        "_takes_rest",
        "_timer",
        "_total",
        "_waiting",
        "_wake_at",
        "due",
        "translator",
    )  # fmt: skip

    def __init__(
        self,
        target: Target,
        response: Response,
        translator: StreamTranslator,
        splitter: Splitter,
        wire: Wire,
        due: float,
    ) -> None:
        self.translator = translator
        self.due = due
        """Loop time at which the stream ends, however much has come."""
        self._loop = asyncio.get_running_loop()
        self._response = response
        self._splitter = splitter
        self._takes_rest = wire.stream_type == SSE
        self._idling = wire.idling
        self._name = target.name
        self._idle = target.timeouts.idle
        self._total = target.timeouts.total
        self._frames: Sequence[bytes] = ()
        """Frames that have come and were not handled yet."""
        self._out: list[bytes] = []
        self._progress = self._now = self._loop.time()
        """Loop time of the provider's last sign of progress, and of the last chunk."""
        self._wake_at = due
        self._timer: asyncio.TimerHandle | None = None
        self._waiting = False

    async def open(self) -> None:
        """Wait for the first real output; raises where the stream fails before it."""
        translator, size = self.translator, 0
        while True:
            chunk = None
            if self._frames:
                await self._handle_more_frames()
            elif chunk := await self._response.chunk():
                size += len(chunk)
                self._handle_chunk(chunk)
            elif chunk == b"":
                self._handle_end()
            if translator.error is not None:
                raise translator.error
            if translator.committed:
                break
            if chunk == b"":
                raise Truncated(f"{self._name} ended its answer before any output.")
            if size > PREAMBLE_LIMIT:
                raise BadAnswer(f"{self._name} sent {size} bytes without any output.")
        self._progress = self._loop.time()

    def resume(self, seconds: float) -> None:
        """Do not count some seconds, in which nobody listened, as the provider's silence."""
        self._progress += seconds

    async def advance(self, wake_at: float) -> bool | None:
        """Wait for output of the provider: true where there is some, false at the end, ``None`` at ``wake_at``.

        Raises the provider's own error, or :class:`~antiphon.errors.UpstreamError` where the stream broke. What had
        come before the end or the break can still be taken.
        """
        translator = self.translator
        while True:
            if translator.error is not None:
                raise translator.error
            if translator.ended:
                return False
            if self._out:
                return True
            if self._frames:
                await self._handle_more_frames()
                continue
            chunk = await self._wait(wake_at)
            if chunk:
                self._handle_chunk(chunk)
                self._check_idle()
            elif chunk is None:
                if self._loop.time() >= wake_at:
                    return None
            else:
                self._handle_end()
                if translator.error is not None:
                    raise translator.error
                if translator.complete:
                    return False
                raise Truncated(f"{self._name} ended its answer without a finish reason: it is cut short.")

    def take(self) -> list[bytes]:
        """Return the frames for the caller that have come, and forget them."""
        out, self._out = self._out, []
        return out

    def finish(self) -> None:
        """Release a response that has said everything."""
        self._stop_timer()
        self._response.finish()

    def close(self) -> None:
        """Break the response off."""
        self._stop_timer()
        self._response.close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _handle_chunk(self, chunk: bytes) -> None:
        self._frames = self._splitter.feed(chunk)
        self._handle_frames()

    async def _handle_more_frames(self) -> None:
        """Give other tasks a turn, then go on with the frames of a long chunk."""
        await asyncio.sleep(0)
        self._now = self._loop.time()
        self._handle_frames()

    def _handle_frames(self) -> None:
        out, translator, idling, frames = self._out, self.translator, self._idling, self._frames
        if len(frames) > FRAMES_AT_ONCE:
            frames, self._frames = frames[:FRAMES_AT_ONCE], frames[FRAMES_AT_ONCE:]
        else:
            self._frames = ()
        for frame in frames:
            if translated := translator.feed(frame):  # an empty frame would look like the end
                out.append(translated)
            if not frame.startswith(idling):
                self._progress = self._now
            if translator.ended or translator.error is not None:
                return

    def _handle_end(self) -> None:
        """Take a last frame that came without its blank line; half a frame does not count."""
        if self._takes_rest and (rest := bytes(self._splitter.rest).strip()):
            self._splitter.rest.clear()
            with suppress(BadAnswer):
                self._handle_chunk(rest + b"\n\n")
        self.translator.note_end()

    async def _wait(self, wake_at: float) -> bytes | None:
        """Wait for a chunk, at most until something is due; raises :class:`UpstreamTimeout` after a deadline."""
        self._wake_at = wake_at
        if self._timer is None:
            self._timer = self._loop.call_at(self._next_due(), self._on_timer)
        self._waiting = True
        try:
            chunk = await self._response.chunk()
        finally:
            self._waiting = False
        if chunk is None or chunk:
            self._now = self._loop.time()
            if self._now >= self.due:
                raise self._make_timeout("total", self._total)
            if chunk is None:
                self._check_idle()
        return chunk

    def _check_idle(self) -> None:
        """Raise :class:`UpstreamTimeout` where no frame has made progress for too long."""
        if self._now >= self._progress + self._idle:
            raise self._make_timeout("idle", self._idle)

    def _next_due(self) -> float:
        return min(self._progress + self._idle, self._wake_at, self.due)

    def _on_timer(self) -> None:
        """Look at the clock: a stream has one timer, which moves only when it fires."""
        now, due = self._loop.time(), self._next_due()
        if now >= due and self._waiting:
            self._response.nudge()
        self._timer = self._loop.call_at(max(due, now + 0.1), self._on_timer)

    def _make_timeout(self, phase: str, seconds: float) -> UpstreamTimeout:
        problem = f"{self._name} broke off: nothing more within {seconds:g} s ({phase} deadline)."
        return UpstreamTimeout(problem, phase=phase)
