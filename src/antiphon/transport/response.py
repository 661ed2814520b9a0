"""An answer whose body may still be arriving: the connection adds bytes, the reader takes them."""

import asyncio
from typing import Protocol

from antiphon.errors import AntiphonError, BadAnswer, Truncated
from antiphon.transport.content_coding import Decoder
from antiphon.transport.interface import Headers, OnChunk

PARTS_LIMIT = 64
"""More pieces than this are joined while nobody reads, because each piece is an object and chunks may be tiny."""
_END_SECONDS = 1.0
"""Seconds that a finished answer may take to end properly before its connection is closed."""
_END_BYTES = 64 * 1024
"""Bytes that may arrive in that time; they are discarded."""
_TURN_BYTES = 1024 * 1024
"""Decoded bytes after which other tasks run, because a decompression bomb expands without waiting for its sender."""


class ResponseSource(Protocol):
    """The connection of a response, as far as the response needs it."""

    loop: asyncio.AbstractEventLoop
    paused: bool
    """Reading waits until buffered bytes are taken."""

    def resume(self) -> None:
        """Continue reading: the buffered bytes were taken."""

    def release(self) -> None:
        """The answer was read to its end."""

    def abort(self) -> None:
        """Nobody wants the rest of the answer."""


class HttpResponse:
    """One answer over one connection; see :class:`antiphon.transport.interface.Response` for its contract.

    ``headers`` are as they arrived, without ``content-encoding`` and ``content-length`` if the transport decodes the
    body.
    """

    __slots__ = (
        "_closed",
        "_decoded",
        "_decoder",
        "_ending",
        "_on_chunk",
        "_source",
        "_waiter",
        "ended",
        "error",
        "headers",
        "parts",
        "size",
        "status",
    )

    def __init__(self, source: ResponseSource) -> None:
        self.status = 0
        self.headers: Headers = []
        self.parts: list[bytes] = []
        """Body bytes that arrived and were not taken yet; ``size`` is their sum."""
        self.size = 0
        self.ended = False
        """Whether the body is complete."""
        self.error: AntiphonError | None = None
        self._source = source
        self._decoder: Decoder | None = None
        self._decoded = 0
        self._waiter: asyncio.Future[bool] | None = None
        self._on_chunk: OnChunk | None = None
        self._closed = False
        self._ending: asyncio.TimerHandle | None = None

    # Used by the connection.

    def wake(self) -> None:
        """Give what has arrived to ``on_chunk`` if the waiting task has one, and wake the task otherwise."""
        if self._ending is not None:
            self._close_after_end(self._ending)
        waiter = self._waiter
        if waiter is None or waiter.done():
            return
        if self._on_chunk is None or not self.parts or self.ended or self.error is not None:
            waiter.set_result(False)
            return
        try:
            if not self._on_chunk(self._take()):
                waiter.set_result(True)
        except Exception as error:  # noqa: BLE001 - the reader raises it; here it would end the connection unexplained
            waiter.set_exception(error)

    def fail(self, error: AntiphonError) -> None:
        """Break off with ``error``, which the reader gets after the bytes that arrived before it."""
        if self.error is None:
            self.error = error
        self.wake()

    def decode_with(self, decoder: Decoder | None) -> None:
        """Decode the body for the reader, and remove the header fields that describe the encoded body."""
        if decoder is None:
            return
        self._decoder = decoder
        gone = (b"content-encoding", b"content-length")
        self.headers = [field for field in self.headers if field[0] not in gone]

    def join_parts(self) -> None:
        """Join the buffered pieces."""
        self.parts = [b"".join(self.parts)]

    async def wait(self, on_chunk: OnChunk | None = None) -> bool:
        """Wait for :meth:`wake` (returns False) or :meth:`nudge` (True); cancelling the wait closes the connection.

        What arrives meanwhile goes to ``on_chunk``; see :meth:`antiphon.transport.interface.Response.read_chunk`.
        """
        if self._waiter is not None:
            raise RuntimeError("Two tasks read one response; a response has one reader.")
        waiter: asyncio.Future[bool] = self._source.loop.create_future()
        self._waiter, self._on_chunk = waiter, on_chunk
        try:
            return await waiter
        except asyncio.CancelledError:
            self.close()
            raise
        finally:
            self._waiter = self._on_chunk = None

    # Used by the reader.

    async def read_chunk(self, on_chunk: OnChunk | None = None) -> bytes | None:
        """See :meth:`antiphon.transport.interface.Response.read_chunk`."""
        while True:
            if self._decoder is not None:
                on_chunk = None  # the decoder has to let other tasks run
                await self._give_turn()
                data = self._decode(self._decoder)
            else:
                data = self._take()
            if data:
                return data
            if self.ended or self.error is not None:
                return self._take_end()
            if await self.wait(on_chunk):
                return None

    async def read(self, cap: int) -> bytes:
        """See :meth:`antiphon.transport.interface.Response.read`."""
        if self.ended and self._decoder is None and self.size <= cap and self.error is None and not self._closed:
            parts = self.parts
            self.parts = []
            self._closed = True
            self._source.release()
            return parts[0] if len(parts) == 1 else b"".join(parts)
        pieces: list[bytes] = []
        total = 0
        while (piece := await self.read_chunk()) != b"":
            if piece is None:
                continue
            total += len(piece)
            if total > cap:
                self.close()
                raise BadAnswer(f"The answer is longer than {cap} bytes; it was not read further.")
            pieces.append(piece)
        return b"".join(pieces)

    def nudge(self) -> None:
        """See :meth:`antiphon.transport.interface.Response.nudge`."""
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(True)

    def finish(self) -> None:
        """See :meth:`antiphon.transport.interface.Response.finish`."""
        if self.ended or self._closed or self.error is not None or self._decoder is not None:
            self.parts.clear()
            self.close()
        elif self._ending is None:
            self._drop_parts()
            self._ending = self._source.loop.call_later(_END_SECONDS, self.close)

    def _close_after_end(self, timer: asyncio.TimerHandle) -> None:
        """Keep the connection of a finished answer once its end arrives; close it if more than an end arrives."""
        self._decoded += self.size
        self._drop_parts()
        if self.ended or self.error is not None or self._decoded > _END_BYTES:
            timer.cancel()
            self._ending = None
            self.close()

    def _drop_parts(self) -> None:
        self.parts.clear()
        self.size = 0
        self._source.resume()

    def close(self) -> None:
        """See :meth:`antiphon.transport.interface.Response.close`."""
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
        if self._source.paused and not self.ended:
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

    async def _give_turn(self) -> None:
        if self._decoded < _TURN_BYTES:
            return
        self._decoded = 0
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.close()
            raise

    def _take_end(self) -> bytes:
        """Release the connection and return ``b""``, or raise the error that broke the answer."""
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
