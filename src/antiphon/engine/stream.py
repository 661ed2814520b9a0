"""A streamed answer after its first real output: frames as they come, silence filled, breaks admitted, all recorded."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from antiphon.clock import monotonic
from antiphon.engine.book import Book
from antiphon.errors import BadAnswer, CallError, Cancelled, Truncated, UpstreamError, UpstreamTimeout
from antiphon.transport import Response
from antiphon.types import Outcome, Record, Usage
from antiphon.wires.sse import comment

if TYPE_CHECKING:
    from antiphon.engine.attempt import Attempt
    from antiphon.runtime import Runtime

SSE = "text/event-stream"
PREAMBLE_LIMIT = 1024 * 1024
"""Bytes a provider may send before its first real output."""
TURN = 32
"""Frames of one chunk that are looked at before others have a turn: a provider may send thousands at once."""


class Stream:
    """Frames of one answer. Pull with :meth:`next` until it returns ``b""``; :meth:`close` in any case."""

    __slots__ = (
        "_attempt", "_beat", "_book", "_bridge", "_heartbeat", "_idle", "_later", "_loop", "_now", "_out", "_over",
        "_progress", "_response", "_sent", "_splitter", "_timer", "_total", "_waiting", "_watch",
    )  # fmt: skip

    def __init__(
        self,
        run: "Runtime",
        book: Book,
        attempt: "Attempt",
        response: Response,
        total: float,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._book = book
        self._bridge = attempt.bridge
        self._attempt = attempt
        self._response = response
        self._watch = self._bridge.start_stream()
        self._splitter = self._bridge.far.make_splitter()
        self._heartbeat = book.wire.heartbeat
        self._later: Sequence[bytes] = ()
        """Frames that have come and were not looked at yet."""
        self._out: list[bytes] = []
        self._beat = run.catalog.settings.heartbeat if self._heartbeat else float("inf")
        self._idle = attempt.target.timeouts.idle
        self._total = total
        self._sent = self._progress = self._now = self._loop.time()
        """Loop time: when the caller last got something, the provider last said something, a chunk last came."""
        self._timer: asyncio.TimerHandle | None = None
        self._waiting = False
        self._over = False

    @property
    def record(self) -> Record | None:
        """What was journaled; ``None`` until the stream has ended or was closed."""
        return self._book.record

    @property
    def begun(self) -> bytes:
        """The response object as the provider began its stream with it, on the wire that has one."""
        return getattr(self._watch, "begun", b"")

    async def open(self) -> None:
        """Wait for the first real output; until then every failure may still be answered by another target."""
        watch, name, size = self._watch, self._attempt.target.name, 0
        while True:
            chunk = None
            if self._later:
                await self._more()
            elif chunk := await self._response.chunk():
                size += len(chunk)
                self._take(chunk)
            elif chunk == b"":
                self._last_words()
            if watch.error is not None:
                raise watch.error
            if watch.committed:
                break
            if chunk == b"":
                raise Truncated(f"{name} ended its answer before any output.")
            if size > PREAMBLE_LIMIT:
                raise BadAnswer(f"{name} sent {size} bytes without any output.")
        self._book.first_output = monotonic()
        self._sent = self._progress = self._loop.time()

    async def next(self) -> bytes:
        """Return the next whole frames, a comment after silence, or ``b""`` at the end.

        The record is journaled before the last frames are returned. A stream that broke ends with an error frame.
        """
        if self._over:
            return b""
        # While the caller held the last frames, nobody listened to the provider: that is not its silence.
        self._progress += self._loop.time() - self._sent
        try:
            while True:
                if self._watch.error is not None:
                    return await self._broken(self._watch.error)
                if self._watch.ended:
                    return await self._finished()
                if self._out:
                    return self._flush()
                if self._later:
                    await self._more()
                    continue
                chunk = await self._wait()
                if chunk is None:
                    if self._loop.time() >= self._sent + self._beat:
                        self._sent = self._loop.time()
                        return self._heartbeat
                elif chunk:
                    self._take(chunk)
                    self._in_time()
                else:
                    return await self._ended()
        except UpstreamError as error:
            if self._watch.complete:
                return await self._finished()
            return await self._broken(error)

    def close(self) -> None:
        """Let go of the provider; a stream that had not ended is recorded as cancelled. Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._over:
            self._over = True
            self._response.close()
            self._attempt.note(Outcome.CANCELLED, 200, Cancelled.code)
            self._book.abandon(self._attempt.target, self._usage())

    def _take(self, chunk: bytes) -> None:
        """Pass a chunk's whole frames by the watch into ``_out``, the first of them at once."""
        self._later = self._splitter.feed(chunk)
        self._look()

    async def _more(self) -> None:
        """Let others have their turn, then go on with the frames of a long chunk."""
        await asyncio.sleep(0)
        self._now = self._loop.time()
        self._look()

    def _look(self) -> None:
        out, watch, idling, frames = self._out, self._watch, self._bridge.far.idling, self._later
        if len(frames) > TURN:
            frames, self._later = frames[:TURN], frames[TURN:]
        else:
            self._later = ()
        for frame in frames:
            if shown := watch.feed(frame):  # an empty one would read as the end
                out.append(shown)
            if not frame.startswith(idling):
                self._progress = self._now
            if watch.ended or watch.error is not None:
                return

    def _flush(self) -> bytes:
        self._sent = self._loop.time()
        out = self._out
        data = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        return data

    async def _wait(self) -> bytes | None:
        """Wait for bytes, at most until something is due; raises :class:`UpstreamTimeout` when a deadline passed."""
        if self._timer is None:
            self._timer = self._loop.call_at(self._due(), self._tick)
        self._waiting = True
        try:
            chunk = await self._response.chunk()
        finally:
            self._waiting = False
        if chunk is None or chunk:
            self._now = self._loop.time()
            if self._now >= self._total:
                raise self._late("total", self._attempt.target.timeouts.total)
            if chunk is None:
                self._in_time()
        return chunk

    def _in_time(self) -> None:
        """Raise :class:`UpstreamTimeout` after too long a time without a frame that says something."""
        if self._now >= self._progress + self._idle:
            raise self._late("idle", self._idle)

    def _due(self) -> float:
        return min(self._progress + self._idle, self._sent + self._beat, self._total)

    def _tick(self) -> None:
        """Look at the clock: the one timer of a stream, moved only when it fires."""
        now, due = self._loop.time(), self._due()
        if now >= due and self._waiting:
            self._response.nudge()
        self._timer = self._loop.call_at(max(due, now + 0.1), self._tick)

    def _late(self, phase: str, seconds: float) -> UpstreamTimeout:
        name = self._attempt.target.name
        return UpstreamTimeout(f"{name} broke off: nothing more within {seconds:g} s ({phase} deadline).", phase=phase)

    def _last_words(self) -> None:
        """Take a last frame that the provider did not end with a blank line; half a frame is no frame."""
        if self._bridge.far.stream_type != SSE:
            return
        if rest := bytes(self._splitter.rest).strip():
            self._splitter.rest.clear()
            try:
                self._take(rest + b"\n\n")
            except BadAnswer:
                return

    async def _ended(self) -> bytes:
        """The provider closed in order: complete, or cut short?"""
        self._last_words()
        if self._watch.error is not None:
            return await self._broken(self._watch.error)
        if self._watch.complete:
            return await self._finished()
        raise Truncated(f"{self._attempt.target.name} ended its answer without a finish reason: it is cut short.")

    async def _finished(self) -> bytes:
        self._out.append(self._bridge.rest(self._watch))
        self._stop(finished=True)
        target = self._attempt.target
        self._attempt.note(Outcome.SUCCESS, 200, "")
        try:
            await self._book.settled(Outcome.SUCCESS, target, self._usage(), status=200)
            await self._keep()
        except CallError as error:
            self._out[-1:] = [self._bridge.admit(self._watch, error)]
        return self._flush()

    async def _keep(self) -> None:
        """Have the answer kept before its end is shown; where it cannot be, a comment says so."""
        conversation = self._book.conversation
        if conversation is None:
            return
        response, cuts = self._bridge.response(self._watch), getattr(self._watch, "cuts", ())
        if lost := await conversation.keep(self._attempt.target, response, cuts):
            self._out.insert(0, comment(b"not stored: " + lost.encode()))

    async def _broken(self, error: CallError) -> bytes:
        """Record the part that came and admit the break."""
        self._stop()
        target = self._attempt.target
        self._attempt.note(Outcome.PARTIAL, 200, error.code)
        error.call_id = self._book.call.id
        self._out.append(self._bridge.admit(self._watch, error))
        try:
            await self._book.settled(Outcome.PARTIAL, target, self._usage(), status=error.status, error=error.code)
        except CallError as refused:
            self._out[-1:] = [self._bridge.admit(self._watch, refused)]
        return self._flush()

    def _stop(self, *, finished: bool = False) -> None:
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if finished:
            self._response.finish()
        else:
            self._response.close()

    def _usage(self) -> Usage:
        """What the provider counted, or else what we count."""
        watch = self._watch
        return watch.usage or self._book.counted(watch.output_bytes)
