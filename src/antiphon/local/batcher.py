"""The models of one provider: a bounded queue, batches of the waiting calls, and one worker process that embeds them.

A batch is made of the calls that arrived while the one before was embedded. A call that is alone does not wait for
others.
"""

import asyncio
from collections import deque
from contextlib import suppress
from typing import Any

import msgspec

from antiphon.local.messages import Job, JobFailure, JobResult
from antiphon.local.request import RequestError
from antiphon.local.worker_process import WorkerDied, WorkerProcess

_FLOAT_SIZE = 4
"""Bytes."""


class BatchLimits(msgspec.Struct, frozen=True):
    """The limits of batches and of the queue; times are seconds."""

    batch_texts: int = 64
    batch_characters: int = 32_768
    """About 8,192 tokens; a longer text is a batch by itself."""
    linger: float = 0.005
    """How long a batch waits for further calls, if the one before held several."""
    waiting_calls: int = 1024
    waiting_characters: int = 64 * 1024 * 1024
    idle: float = 300.0
    """How long a worker without calls is kept."""
    first_backoff: float = 0.1
    max_backoff: float = 10.0


class CallVectors(msgspec.Struct):
    """The vectors of one call: the bytes of its texts' vectors in order, ``size`` 32-bit floats each."""

    vectors: bytearray
    size: int
    tokens: int
    shorter_sizes: list[int] | None


class _WaitingCall:
    """A call in the queue; ``next`` is the number of its first text that is not embedded yet."""

    __slots__ = ("alone", "answer", "next", "source", "texts", "vectors")

    def __init__(self, source: str, texts: list[str]) -> None:
        self.source = source
        self.texts = texts
        self.next = 0
        self.alone = False
        self.vectors = CallVectors(bytearray(), 0, 0, None)
        self.answer: asyncio.Future[CallVectors] = asyncio.get_running_loop().create_future()


class _BatchPart(msgspec.Struct):
    """The texts of one call that are in one batch."""

    call: _WaitingCall
    texts: list[str]


class EmbeddingBatcher:
    """Embeds texts in a worker process that starts when it is first needed and ends when it is idle."""

    def __init__(self, limits: BatchLimits | None = None) -> None:
        self._limits = limits if limits is not None else BatchLimits()
        self._queue: deque[_WaitingCall] = deque()
        self._characters = 0
        self._last_batch_calls = 1
        self._crashes = 0
        self._arrived = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None
        self._worker: WorkerProcess | None = None
        self._batch: list[_BatchPart] = []
        self._closed = False

    @property
    def worker_pid(self) -> int | None:
        """The worker's process number, if one runs."""
        return self._worker.pid if self._worker is not None else None

    def describe(self) -> dict[str, Any]:
        """Return the worker's state, for people and monitors."""
        return {"pid": self.worker_pid, "waiting": len(self._queue), "crashes": self._crashes}

    async def embed(self, source: str, texts: list[str]) -> CallVectors:
        """Return the vectors of texts by the model at ``source``; raises :class:`RequestError`.

        Cancelling the awaiting task takes the call out of the queue.
        """
        if self._closed:
            raise RequestError(503, "local_closed", "The local models are shut down.")
        limits, size = self._limits, sum(map(len, texts))
        if len(self._queue) >= limits.waiting_calls or self._characters + size > limits.waiting_characters:
            problem = f"The local models have {len(self._queue)} calls waiting and take no more now; try again soon."
            raise RequestError(503, "local_queue_full", problem, retry_after=1)
        call = _WaitingCall(source, texts)
        self._queue.append(call)
        self._characters += size
        self._arrived.set()
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run())
        try:
            return await call.answer
        finally:
            self._characters -= size
            with suppress(ValueError):  # it is still in the queue only if its caller left
                self._queue.remove(call)

    async def close(self) -> None:
        """End the worker; waiting and later calls are rejected."""
        self._closed = True
        if self._runner is not None:
            self._runner.cancel()
            with suppress(asyncio.CancelledError):
                await self._runner
        self._reject_all()
        await self._end_worker()

    # The runner, the only task that uses the worker -------------------------------------------------------------------

    async def _run(self) -> None:
        """Embed one batch after the other until no call has come within the idle time."""
        try:
            while await self._wait_for_call():
                await self._back_off()
                await self._linger()
                self._batch = self._take_batch()
                if self._batch:
                    await self._embed(self._batch)
        except BaseException:  # at the end, or after a fault of this module, no call may be left waiting
            self._reject_all()
            await self._end_worker()
            raise

    def _reject_all(self) -> None:
        for call in (*(part.call for part in self._batch), *self._queue):
            self._reject(call, RequestError(503, "local_closed", "The local models are being shut down."))

    async def _wait_for_call(self) -> bool:
        """Wait for a call; return False, with the worker ended, if none comes within the idle time."""
        if self._queue:
            return True
        self._arrived.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limits.idle):
                await self._arrived.wait()
        if not self._queue:
            await self._end_worker()
        return bool(self._queue)

    async def _back_off(self) -> None:
        """Wait before a worker is started again, longer with each crash in a row."""
        if self._worker is None and self._crashes:
            limits = self._limits
            await asyncio.sleep(min(limits.first_backoff * 2 ** min(self._crashes - 1, 30), limits.max_backoff))

    async def _linger(self) -> None:
        """Wait a moment for as many calls as the last batch held."""
        if len(self._queue) >= self._last_batch_calls:
            return
        due = asyncio.get_running_loop().time() + self._limits.linger
        with suppress(TimeoutError):
            async with asyncio.timeout_at(due):
                while 0 < len(self._queue) < self._last_batch_calls:
                    self._arrived.clear()
                    await self._arrived.wait()

    def _take_batch(self) -> list[_BatchPart]:
        """Take a batch out of the queue; a long call with texts left goes behind the others."""
        parts: list[_BatchPart] = []
        limits, texts, characters = self._limits, 0, 0
        for call in tuple(self._queue):
            if call.answer.done():  # its caller left
                self._queue.remove(call)
                continue
            if parts and (call.alone or parts[0].call.alone or call.source != parts[0].call.source):
                continue
            chosen: list[str] = []
            for text in call.texts[call.next : call.next + limits.batch_texts - texts]:
                if (parts or chosen) and characters + len(text) > limits.batch_characters:
                    break
                chosen.append(text)
                characters += len(text)
            if not chosen:
                break
            texts += len(chosen)
            parts.append(_BatchPart(call, chosen))
            self._queue.remove(call)
        for part in parts:
            part.call.next += len(part.texts)
            if part.call.next < len(part.call.texts):
                self._queue.append(part.call)
        self._last_batch_calls = max(1, len(parts))
        return parts

    async def _embed(self, parts: list[_BatchPart]) -> None:
        job = Job(parts[0].call.source, [text for part in parts for text in part.texts])
        try:
            worker = self._worker = self._worker or await WorkerProcess.start()
            reply = await worker.run(job)
        except WorkerDied as death:
            await self._end_worker()
            self._crashes += 1
            problem = f"The process of the local models {death}; it is started again for the next call."
            # Something outside may have ended it, so even a call that was alone in its batch is tried again.
            self._fail(parts, RequestError(500, "local_worker_died", problem), retry=True)
            return
        self._crashes = 0
        if isinstance(reply, JobFailure):
            error = RequestError(reply.status, reply.code, reply.message)
            self._fail(parts, error, retry=reply.texts_at_fault and len(parts) > 1)
        else:
            self._distribute(parts, reply)

    async def _end_worker(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            await worker.close()

    # Answers ----------------------------------------------------------------------------------------------------------

    def _distribute(self, parts: list[_BatchPart], result: JobResult) -> None:
        """Give each call its vectors; calls with texts left stay in the queue."""
        row, rows = 0, memoryview(result.vectors)
        row_size = result.size * _FLOAT_SIZE
        for part in parts:
            end = row + len(part.texts)
            call = part.call
            own = call.vectors
            own.vectors += rows[row * row_size : end * row_size]
            own.tokens += sum(result.tokens[row:end])
            own.size, own.shorter_sizes = result.size, result.shorter_sizes
            row = end
            if len(own.vectors) == len(call.texts) * row_size and not call.answer.done():
                call.answer.set_result(own)

    def _fail(self, parts: list[_BatchPart], error: RequestError, retry: bool) -> None:
        """Reject the calls of a batch; with ``retry`` each is first tried again alone, so that it harms no other."""
        for part in reversed(parts):
            call = part.call
            if call.alone or not retry:
                self._reject(call, error)
            elif not call.answer.done():
                call.alone = True
                call.next -= len(part.texts)
                with suppress(ValueError):
                    self._queue.remove(call)
                self._queue.appendleft(call)

    @staticmethod
    def _reject(call: _WaitingCall, error: RequestError) -> None:
        if not call.answer.done():
            call.answer.set_exception(error)
