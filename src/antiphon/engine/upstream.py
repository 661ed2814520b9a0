"""The provider's side of a streamed answer, from its first output until it ends or breaks."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeAlias

from antiphon.errors import BadAnswer, Truncated, UpstreamTimeout
from antiphon.transport import Response
from antiphon.types import Target
from antiphon.wires.wire import Splitter, StreamTranslator, Wire

Write: TypeAlias = Callable[[bytes], bool]
"""Writes frames to the caller at once, or returns false if the caller is behind and takes none now."""
SSE = "text/event-stream"
PREAMBLE_LIMIT = 1024 * 1024
"""Bytes that a provider may send before its first real output."""
FRAMES_AT_ONCE = 32
"""Frames of one chunk that are handled before other tasks have a turn: a provider may send thousands at once."""


class UpstreamStream:
    """One streamed answer as it comes from a provider: framing, first output, idle and total deadlines.

    Wait with :meth:`open` for the first output. Then call :meth:`advance` and take ``out`` in turn, until ``advance``
    says that the stream has ended. Call :meth:`finish` or :meth:`close` in any case.
    """

    __slots__ = (
        "_frames",
        "_idle",
        "_keep_alive",
        "_loop",
        "_name",
        "_now",
        "_progress",
        "_response",
        "_splitter",
        "_takes_rest",
        "_timer",
        "_total",
        "_waiting",
        "_wake_at",
        "due",
        "out",
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
        self._keep_alive = wire.keep_alive_prefixes
        self._name = target.name
        self._idle = target.timeouts.idle
        self._total = target.timeouts.total
        self._frames: Sequence[bytes] = ()
        """Frames that have come and were not handled yet."""
        self.out: list[bytes] = []
        """Frames for the caller that have come and were not taken yet."""
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
            elif chunk := await self._response.read_chunk():
                size += len(chunk)
                self._frames = self._splitter.feed(chunk)
                self._handle_frames()
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

    async def advance(self, since: float, patience: float, write: Write | None = None) -> bool | None:
        """Wait for output of the provider: true where there is some, false at the end, ``None`` after ``patience``.

        Output that comes while this waits goes to ``write``; this returns at the first output that it does not take.

        ``since`` is the loop time from which the patience runs. Nobody listened between then and now, so that time is
        not the provider's silence. Raises the provider's own error, or :class:`~antiphon.errors.UpstreamError` where
        the stream broke. What had come before the end or the break is left in ``out``.
        """
        loop, translator = self._loop, self.translator
        self._progress += loop.time() - since
        self._wake_at = since + patience
        on_chunk = None if write is None else partial(self._pass_on, write, patience)
        while True:
            if translator.error is not None:
                raise translator.error
            if translator.ended:
                return False
            if self.out:
                return True
            if self._frames:
                await self._handle_more_frames()
                continue
            if self._timer is None:
                self._timer = loop.call_at(self._find_next_due(), self._on_timer)
            self._waiting = True
            try:
                chunk = await self._response.read_chunk(on_chunk)
            finally:
                self._waiting = False
            if chunk == b"":
                return self._end()
            self._now = now = loop.time()
            if now >= self.due:
                raise self._make_timeout("total", self._total)
            if chunk is not None:
                self._frames = self._splitter.feed(chunk)
                self._handle_frames()
            if now >= self._progress + self._idle:
                raise self._make_timeout("idle", self._idle)
            if chunk is None and now >= self._wake_at:
                return None

    def _pass_on(self, write: Write, patience: float, chunk: bytes) -> bool:
        """Write the output of a chunk; false wakes :meth:`advance`, where there is more to do or nothing was taken."""
        self._now = now = self._loop.time()
        self._frames = self._splitter.feed(chunk)
        self._handle_frames()
        if self._frames or self.translator.ended or self.translator.error is not None:
            return False
        out = self.out
        if out:
            if not write(out[0] if len(out) == 1 else b"".join(out)):
                return False
            out.clear()
            self._wake_at = now + patience
        return True

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

    async def _handle_more_frames(self) -> None:
        """Give other tasks a turn, then go on with the frames of a long chunk."""
        await asyncio.sleep(0)
        self._now = self._loop.time()
        self._handle_frames()

    def _handle_frames(self) -> None:
        out, translator, keep_alive, frames = self.out, self.translator, self._keep_alive, self._frames
        if len(frames) > FRAMES_AT_ONCE:
            frames, self._frames = frames[:FRAMES_AT_ONCE], frames[FRAMES_AT_ONCE:]
        else:
            self._frames = ()
        for frame in frames:
            if translated := translator.feed(frame):  # an empty frame would look like the end
                out.append(translated)
            if not frame.startswith(keep_alive):
                self._progress = self._now
            if translator.ended or translator.error is not None:
                return

    def _handle_end(self) -> None:
        """Take a last frame that came without its blank line; half a frame does not count."""
        if self._takes_rest and (rest := bytes(self._splitter.rest).strip()):
            self._splitter.rest.clear()
            with suppress(BadAnswer):
                self._frames = self._splitter.feed(rest + b"\n\n")
                self._handle_frames()
        self.translator.note_end()

    def _end(self) -> bool:
        """Say that the stream has ended; raises where it did not end as a complete answer does."""
        self._handle_end()
        translator = self.translator
        if translator.error is not None:
            raise translator.error
        if not translator.complete:
            raise Truncated(f"{self._name} ended its answer without a finish reason: it is cut short.")
        return False

    def _find_next_due(self) -> float:
        return min(self._progress + self._idle, self._wake_at, self.due)

    def _on_timer(self) -> None:
        """Look at the clock: a stream has one timer, which moves only when it fires."""
        now, due = self._loop.time(), self._find_next_due()
        if now >= due and self._waiting:
            self._response.nudge()
        self._timer = self._loop.call_at(max(due, now + 0.1), self._on_timer)

    def _make_timeout(self, phase: str, seconds: float) -> UpstreamTimeout:
        problem = f"{self._name} broke off: nothing more within {seconds:g} s ({phase} deadline)."
        return UpstreamTimeout(problem, phase=phase)
