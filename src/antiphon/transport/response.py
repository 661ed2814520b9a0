"""An answer whose body is still coming: what the connection puts in, and what the reader takes out."""

import asyncio
from typing import Protocol

from antiphon.errors import AntiphonError, BadAnswer, Truncated
from antiphon.transport.body import Decoder
from antiphon.transport.seam import Headers

_MANY_PARTS = 64
"""Pieces that are joined while nobody reads: each costs an object of its own, which tiny chunks would multiply."""
_PATIENCE = 1.0
"""Seconds that an answer which has said everything may take to end properly before its connection is closed."""
_REST = 64 * 1024
"""Bytes that may still come in that time; they are thrown away."""
_TURN = 1024 * 1024
"""Decoded bytes after which the loop gets a turn, because a bomb expands without waiting for its sender."""


class Source(Protocol):
    """What a response needs of the connection it came over."""

    loop: asyncio.AbstractEventLoop

    def resume(self) -> None:
        """Read on: what was buffered has been taken."""

    def release(self) -> None:
        """The answer was read to its end."""

    def abort(self) -> None:
        """Nobody wants the rest of the answer."""


class HttpResponse:
    """One answer over one connection; see :class:`antiphon.transport.seam.Response` for its contract.

    ``headers`` are as they came, less ``content-encoding`` and ``content-length`` where the transport undid a coding.
    """

    __slots__ = (
        "_closed",
        "_decoded",
        "_decoder",
        "_ending",
        "_source",
        "_waiter",
        "ended",
        "error",
        "headers",
        "parts",
        "size",
        "status",
    )

    def __init__(self, source: Source) -> None:
        self.status = 0
        self.headers: Headers = []
        self.parts: list[bytes] = []
        """Body bytes that came and were not taken yet; ``size`` is their sum."""
        self.size = 0
        self.ended = False
        """The last body byte came, in order."""
        self.error: AntiphonError | None = None
        self._source = source
        self._decoder: Decoder | None = None
        self._decoded = 0
        self._waiter: asyncio.Future[bool] | None = None
        self._closed = False
        self._ending: asyncio.TimerHandle | None = None

    # The connection's side.

    def wake(self) -> None:
        """Let whoever waits look again."""
        if self._ending is not None:
            self._let_go(self._ending)
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(False)

    def fail(self, error: AntiphonError) -> None:
        """Break off with ``error``, which the reader gets after the bytes that came before it."""
        if self.error is None:
            self.error = error
        self.wake()

    def decode_with(self, decoder: Decoder | None) -> None:
        """Undo a content coding on the way out; the fields that describe the coded body are taken out."""
        if decoder is None:
            return
        self._decoder = decoder
        gone = (b"content-encoding", b"content-length")
        self.headers = [field for field in self.headers if field[0] not in gone]

    def compact(self) -> None:
        """Join the buffered pieces where they have become many."""
        if len(self.parts) > _MANY_PARTS:
            self.parts = [b"".join(self.parts)]

    async def wait(self) -> bool:
        """Wait for :meth:`wake` (False) or :meth:`nudge` (True); a cancelled wait closes the connection."""
        if self._waiter is not None:
            raise RuntimeError("Two tasks read one response; a response has one reader.")
        waiter: asyncio.Future[bool] = self._source.loop.create_future()
        self._waiter = waiter
        try:
            return await waiter
        except asyncio.CancelledError:
            self.close()
            raise
        finally:
            self._waiter = None

    # The reader's side.

    async def chunk(self) -> bytes | None:
        """See :meth:`antiphon.transport.seam.Response.chunk`."""
        while True:
            if self._decoder is not None:
                await self._turn()
                data = self._decode(self._decoder)
            else:
                data = self._take()
            if data:
                return data
            if self.ended or self.error is not None:
                return self._end()
            if await self.wait():
                return None

    async def read(self, cap: int) -> bytes:
        """See :meth:`antiphon.transport.seam.Response.read`."""
        if self.ended and self._decoder is None and self.size <= cap and self.error is None:
            data = self._take()
            self._end()
            return data
        pieces: list[bytes] = []
        total = 0
        while (piece := await self.chunk()) != b"":
            if piece is None:
                continue
            total += len(piece)
            if total > cap:
                self.close()
                raise BadAnswer(f"The answer is longer than {cap} bytes; it was not read further.")
            pieces.append(piece)
        return b"".join(pieces)

    def nudge(self) -> None:
        """See :meth:`antiphon.transport.seam.Response.nudge`."""
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(True)

    def finish(self) -> None:
        """See :meth:`antiphon.transport.seam.Response.finish`."""
        if self.ended or self._closed or self.error is not None or self._decoder is not None:
            self.parts.clear()
            self.close()
        elif self._ending is None:
            self._drop_parts()
            self._ending = self._source.loop.call_later(_PATIENCE, self.close)

    def _let_go(self, timer: asyncio.TimerHandle) -> None:
        """Keep the connection of a finished answer once its end came; close it where more comes than an end."""
        self._decoded += self.size
        self._drop_parts()
        if self.ended or self.error is not None or self._decoded > _REST:
            timer.cancel()
            self._ending = None
            self.close()

    def _drop_parts(self) -> None:
        self.parts.clear()
        self.size = 0
        self._source.resume()

    def close(self) -> None:
        """See :meth:`antiphon.transport.seam.Response.close`."""
        if self._closed:
            return
        self._closed = True
        if self.ended and not self.parts and self.error is None and self._decoder is None:
            self._source.release()
            return
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None
        self.parts.clear()
        self._decoder = None
        self.fail(Truncated("The answer was closed by its reader before its end."))
        self._source.abort()

    def _take(self) -> bytes:
        parts = self.parts
        if not parts:
            return b""
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        parts.clear()
        self.size = 0
        if not self.ended:
            self._source.resume()
        return data

    def _decode(self, decoder: Decoder) -> bytes:
        try:
            out = decoder.step()
            while not out and self.parts:
                part = self.parts.pop(0)
                self.size -= len(part)
                out = decoder.step(part)
        except BadAnswer as error:
            self.parts.clear()
            self.ended = False
            self.fail(error)
            self._source.abort()
            return b""
        self._decoded += len(out)
        if not self.parts and not self.ended:
            self._source.resume()
        return out

    async def _turn(self) -> None:
        if self._decoded < _TURN:
            return
        self._decoded = 0
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.close()
            raise

    def _end(self) -> bytes:
        """Return the end, ``b""``, and let the connection go; raises what broke the answer instead."""
        if self.error is None and self._decoder is not None:
            try:
                self._decoder.finish()
            except Truncated as error:
                self.error = error
        if self.error is not None:
            if not self._closed:
                self._closed = True
                self._source.abort()
            raise self.error
        if not self._closed:
            self._closed = True
            self._source.release()
        return b""
