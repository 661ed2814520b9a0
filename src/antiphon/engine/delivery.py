"""The caller's side of a streamed answer: heartbeats, hooks, the record before the last byte, and breaks admitted."""

import asyncio

from antiphon.engine.call import Call
from antiphon.engine.outcome import Committed
from antiphon.engine.recorder import CallRecorder
from antiphon.engine.upstream import UpstreamStream, Write
from antiphon.errors import CallError, Cancelled, UpstreamError
from antiphon.types import Outcome, Record, Usage
from antiphon.wires.sse import write_comment
from antiphon.wires.wire import StreamTranslator


class Delivery:
    """The frames of one answer. Call :meth:`next` until it returns ``b""``, and :meth:`close` in any case."""

    __slots__ = (
        "_beat", "_call", "_committed", "_heartbeat", "_hooks", "_loop", "_over", "_recorder", "_sent", "_translator",
        "_upstream",
    )  # fmt: skip

    def __init__(self, call: Call, recorder: CallRecorder, committed: Committed, upstream: UpstreamStream) -> None:
        self._call = call
        self._hooks = call.hooks
        self._recorder = recorder
        self._committed = committed
        self._upstream = upstream
        self._translator: StreamTranslator = upstream.translator
        self._heartbeat = committed.heartbeat
        self._beat = call.services.settings.heartbeat if committed.heartbeat else float("inf")
        self._loop = asyncio.get_running_loop()
        self._sent = self._loop.time()
        """Loop time at which the caller last got something."""
        self._over = False

    @property
    def record(self) -> Record | None:
        """The journaled record, or ``None`` before the stream has ended or was closed."""
        return self._recorder.record

    async def next(self, write: Write | None = None) -> bytes:
        """Return the next whole frames, a heartbeat after silence, or ``b""`` at the end.

        Frames that arrive while this waits go to ``write``, unless a hook has to see them.

        The record is journaled before the last frames are returned. A stream that broke ends with the wire's error
        frames; where bytes alone cannot say that they broke off, the error is raised.
        """
        if self._over:
            return b""
        upstream = self._upstream
        try:
            has_output = await upstream.advance(self._sent, self._beat, None if self._hooks.on_event else write)
        except UpstreamError as error:
            if self._translator.error is None and self._translator.complete:
                return await self._finish()
            return await self._break(error)
        if has_output is False:
            return await self._finish()
        self._sent = self._loop.time()
        if has_output is None:
            return self._heartbeat
        out, upstream.out = upstream.out, []
        frames = out[0] if len(out) == 1 else b"".join(out)
        return self._run_event_hooks(frames) if self._hooks.on_event else frames

    def close(self) -> None:
        """Release the provider; a stream that had not ended is recorded as cancelled. Idempotent."""
        if not self._over:
            self._over = True
            self._upstream.close()
            self._recorder.add_committed(self._committed, Outcome.CANCELLED, Cancelled.code)
            self._recorder.settle_abandoned(self._committed.target, self._count_usage(), self._committed)

    async def _finish(self) -> bytes:
        """Record a complete answer, let hooks act on it, and return its last frames."""
        out = [*self._upstream.out, self._translator.finish()]
        self._over = True
        self._upstream.finish()
        self._recorder.add_committed(self._committed, Outcome.SUCCESS)
        try:
            await self._settle(Outcome.SUCCESS, status=200)
            out[:0] = await self._run_last_hooks()
        except CallError as error:
            out[-1] = self._translator.fail(error)
        return self._run_event_hooks(b"".join(out))

    def _run_event_hooks(self, frames: bytes) -> bytes:
        for hook in self._hooks.on_event:
            frames = hook(self._call, frames)
        return frames

    async def _run_last_hooks(self) -> list[bytes]:
        """Return the comments of hooks that have something to tell the caller."""
        translator, comments = self._translator, []
        for hook in self._hooks.before_last_byte:
            notice = await hook(self._call, self._committed.target, translator.response, translator.cuts)
            if notice is not None:
                comments.append(write_comment(notice.comment))
        return comments

    async def _break(self, error: CallError) -> bytes:
        """Record the part that came, and tell the caller that the stream broke."""
        out = self._upstream.out
        self._over = True
        self._upstream.close()
        self._recorder.add_committed(self._committed, Outcome.PARTIAL, error.code)
        error.call_id = self._call.id
        try:
            await self._settle(Outcome.PARTIAL, status=error.status, error=error.code)
        except CallError as refusal:
            error = refusal
        return self._run_event_hooks(b"".join([*out, self._translator.fail(error)]))

    async def _settle(self, outcome: Outcome, *, status: int, error: str = "") -> None:
        committed = self._committed
        await self._recorder.settle_durably(
            outcome, committed.target, self._count_usage(), status=status, error=error, committed=committed
        )

    def _count_usage(self) -> Usage | None:
        """Return what the provider counted, or else what the gateway counts."""
        translator = self._translator
        return translator.usage or self._call.procedure.estimate_usage(self._call, translator.output_bytes)
