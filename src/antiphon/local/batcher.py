"""The models of one provider: a bounded queue, batches of what waits in it, and one worker process that embeds them.

A batch is what has queued up while the one before was embedded; nobody waits for company who would be alone.
"""

import asyncio
from collections import deque
from contextlib import suppress
from typing import Any

import msgspec

from antiphon.local.messages import Done, Failed, Job
from antiphon.local.worker_process import WorkerDied, WorkerProcess
from antiphon.local.request import Refused


class Bounds(msgspec.Struct, frozen=True):
    """How much at once, and how long; times are seconds."""

    batch_texts: int = 64
    batch_characters: int = 32_768
    """About 8,192 tokens; a single longer text is a batch of its own."""
    linger: float = 0.005
    """How long a batch waits for calls to join it, where the one before held several."""
    waiting_calls: int = 1024
    waiting_characters: int = 64 * 1024 * 1024
    idle: float = 300.0
    """How long a worker is kept with nothing to do."""
    first_backoff: float = 0.1
    most_backoff: float = 10.0


class Embedded(msgspec.Struct):
    """The vectors of one call: the bytes of its texts' vectors in order, ``size`` 32-bit floats each."""

    vectors: bytearray
    size: int
    tokens: int
    shorter: list[int] | None


class _Waiting:
    """A call in the queue; ``next`` is its first text that is not embedded yet."""

    __slots__ = ("alone", "answer", "embedded", "next", "source", "texts")

    def __init__(self, source: str, texts: list[str]) -> None:
        self.source = source
        self.texts = texts
        self.next = 0
        self.alone = False
        self.embedded = Embedded(bytearray(), 0, 0, None)
        self.answer: asyncio.Future[Embedded] = asyncio.get_running_loop().create_future()


class _Piece(msgspec.Struct):
    """The texts of one call that go into one batch."""

    call: _Waiting
    texts: list[str]


class Group:
    """Embeds texts in a worker process that starts when it is first needed and ends when it has nothing to do."""

    def __init__(self, bounds: Bounds | None = None) -> None:
        self._bounds = bounds or Bounds()
        self._queue: deque[_Waiting] = deque()
        self._characters = 0
        self._together = 1
        self._crashes = 0
        self._arrived = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None
        self._worker: WorkerProcess | None = None
        self._batch: list[_Piece] = []
        self._closed = False

    @property
    def worker_pid(self) -> int | None:
        """The worker's process, where one runs."""
        return self._worker.pid if self._worker is not None else None

    def health(self) -> dict[str, Any]:
        """Return how the worker is, for people and monitors."""
        return {"pid": self.worker_pid, "waiting": len(self._queue), "crashes": self._crashes}

    async def embed(self, source: str, texts: list[str]) -> Embedded:
        """Return the vectors of texts by the model at ``source``; raises :class:`Refused`.

        Cancelling the awaiting task takes the call out of the queue.
        """
        if self._closed:
            raise Refused(503, "local_closed", "The local models are shut down.")
        bounds, size = self._bounds, sum(map(len, texts))
        if len(self._queue) >= bounds.waiting_calls or self._characters + size > bounds.waiting_characters:
            problem = f"The local models have {len(self._queue)} calls waiting and take no more now; try again soon."
            raise Refused(503, "local_queue_full", problem, retry_after=1)
        call = _Waiting(source, texts)
        self._queue.append(call)
        self._characters += size
        self._arrived.set()
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run())
        try:
            return await call.answer
        finally:
            self._characters -= size
            with suppress(ValueError):  # it stays in the queue only where the caller left
                self._queue.remove(call)

    async def close(self) -> None:
        """End the worker; calls that wait are refused, and so are those that come later."""
        self._closed = True
        if self._runner is not None:
            self._runner.cancel()
            with suppress(asyncio.CancelledError):
                await self._runner
        self._refuse_all()
        await self._end_worker()

    # -- the runner: the only one who speaks to the worker ----------------------------------------------------------

    async def _run(self) -> None:
        """Embed batch after batch until nothing has come for a while."""
        try:
            while await self._something():
                await self._pause()
                await self._linger()
                self._batch = self._take()
                if self._batch:
                    await self._embed(self._batch)
        except BaseException:  # closing, or a fault of our own, which the loop reports: nobody is left waiting
            self._refuse_all()
            await self._end_worker()
            raise

    def _refuse_all(self) -> None:
        for call in (*(piece.call for piece in self._batch), *self._queue):
            self._refuse(call, Refused(503, "local_closed", "The local models are being shut down."))

    async def _something(self) -> bool:
        """Wait for a call; ``False``, with the worker ended, where none came within the idle time."""
        if self._queue:
            return True
        self._arrived.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._bounds.idle):
                await self._arrived.wait()
        if not self._queue:
            await self._end_worker()
        return bool(self._queue)

    async def _pause(self) -> None:
        """Wait before a worker is started again, longer with each crash in a row."""
        if self._worker is None and self._crashes:
            bounds = self._bounds
            await asyncio.sleep(min(bounds.first_backoff * 2 ** min(self._crashes - 1, 30), bounds.most_backoff))

    async def _linger(self) -> None:
        """Wait a moment for as many calls as were together last time."""
        if len(self._queue) >= self._together:
            return
        due = asyncio.get_running_loop().time() + self._bounds.linger
        with suppress(TimeoutError):
            async with asyncio.timeout_at(due):
                while 0 < len(self._queue) < self._together:
                    self._arrived.clear()
                    await self._arrived.wait()

    def _take(self) -> list[_Piece]:
        """Take a batch out of the queue; what a long call has left goes behind the others."""
        pieces: list[_Piece] = []
        bounds, texts, characters = self._bounds, 0, 0
        for call in tuple(self._queue):
            if call.answer.done():  # its caller left
                self._queue.remove(call)
                continue
            if pieces and (call.alone or pieces[0].call.alone or call.source != pieces[0].call.source):
                continue
            chosen: list[str] = []
            for text in call.texts[call.next : call.next + bounds.batch_texts - texts]:
                if (pieces or chosen) and characters + len(text) > bounds.batch_characters:
                    break
                chosen.append(text)
                characters += len(text)
            if not chosen:
                break
            texts += len(chosen)
            pieces.append(_Piece(call, chosen))
            self._queue.remove(call)
        for piece in pieces:
            piece.call.next += len(piece.texts)
            if piece.call.next < len(piece.call.texts):
                self._queue.append(piece.call)
        self._together = max(1, len(pieces))
        return pieces

    async def _embed(self, pieces: list[_Piece]) -> None:
        job = Job(pieces[0].call.source, [text for piece in pieces for text in piece.texts])
        try:
            worker = self._worker = self._worker or await WorkerProcess.start()
            reply = await worker.run(job)
        except WorkerDied as death:
            await self._end_worker()
            self._crashes += 1
            problem = f"The process of the local models {death}; it is started again for the next call."
            # It may have been ended from outside, so even a call that was alone is tried again.
            self._failed(pieces, Refused(500, "local_worker_died", problem), again=True)
            return
        self._crashes = 0
        if isinstance(reply, Failed):
            refused = Refused(reply.status, reply.code, reply.message)
            self._failed(pieces, refused, again=reply.texts_at_fault and len(pieces) > 1)
        else:
            self._share(pieces, reply)

    async def _end_worker(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            await worker.close()

    # -- answers ----------------------------------------------------------------------------------------------------

    def _share(self, pieces: list[_Piece], done: Done) -> None:
        """Give each call its part; those with texts left stay in the queue."""
        row, vectors = 0, memoryview(done.vectors)
        for piece in pieces:
            end = row + len(piece.texts)
            call = piece.call
            part = call.embedded
            part.vectors += vectors[row * done.size * 4 : end * done.size * 4]
            part.tokens += sum(done.tokens[row:end])
            part.size, part.shorter = done.size, done.shorter
            row = end
            if len(part.vectors) == len(call.texts) * done.size * 4 and not call.answer.done():
                call.answer.set_result(part)

    def _failed(self, pieces: list[_Piece], refused: Refused, again: bool) -> None:
        """Refuse the calls; with ``again`` each is first tried once more, alone, so that one harms itself only."""
        for piece in reversed(pieces):
            call = piece.call
            if call.alone or not again:
                self._refuse(call, refused)
            elif not call.answer.done():
                call.alone = True
                call.next -= len(piece.texts)
                with suppress(ValueError):
                    self._queue.remove(call)
                self._queue.appendleft(call)

    @staticmethod
    def _refuse(call: _Waiting, refused: Refused) -> None:
        if not call.answer.done():
            call.answer.set_exception(refused)
