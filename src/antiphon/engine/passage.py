"""An answer that is bytes and nothing else: audio, subtitles, the content of a file."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from antiphon.engine.book import Book
from antiphon.engine.bridge import SameWire
from antiphon.engine.stream import Stream
from antiphon.errors import CallError
from antiphon.transport import Response
from antiphon.types import Outcome
from antiphon.wires.wire import Envelope, StreamTranslator, Wire

if TYPE_CHECKING:
    from antiphon.engine.attempt import Attempt
    from antiphon.runtime import Runtime


class Passage(Stream):
    """Bytes of one answer. :meth:`next` raises where it broke off: bytes alone cannot say so."""

    __slots__ = ()

    def __init__(self, run: "Runtime", book: Book, attempt: "Attempt", response: Response, total: float) -> None:
        super().__init__(run, book, attempt, response, total)
        self._splitter = _Whatever()
        self._heartbeat = b""
        self._beat = float("inf")

    def _last_words(self) -> None:
        watch = self._watch
        assert isinstance(watch, Held)
        watch.close()

    async def _broken(self, error: CallError) -> bytes:
        self._stop()
        target = self._attempt.target
        self._attempt.note(Outcome.PARTIAL, 200, error.code)
        error.call_id = self._book.call.id
        await self._book.settled(Outcome.PARTIAL, target, self._usage(), status=error.status, error=error.code)
        raise error


class Held:
    """Keeps the last byte back, so that it goes out after the record; see ``StreamTranslator``."""

    __slots__ = ("_may_be_empty", "committed", "complete", "last")
    begun = b""
    response = b""
    cuts: Sequence[int] = ()
    ended = False
    error = None
    usage = None
    output_bytes = 0

    def __init__(self, may_be_empty: bool) -> None:
        self.committed = False
        self.complete = False
        self.last = b""
        self._may_be_empty = may_be_empty

    def feed(self, frame: bytes) -> bytes:
        self.committed = True
        out = self.last + frame[:-1]
        self.last = frame[-1:]
        return out

    def finish(self) -> bytes:
        return self.last

    def fail(self, error: CallError) -> bytes:
        raise error

    def close(self) -> None:
        """The provider ended the answer in order."""
        self.complete = True
        self.committed = self.committed or self._may_be_empty


class Raw(SameWire):
    """The way back for such an answer."""

    __slots__ = ("_may_be_empty",)

    def __init__(self, wire: Wire, envelope: Envelope, *, may_be_empty: bool) -> None:
        super().__init__(wire, envelope)
        self._may_be_empty = may_be_empty

    def start_stream(self) -> StreamTranslator:
        return Held(self._may_be_empty)

    def rest(self, watch: StreamTranslator) -> bytes:
        assert isinstance(watch, Held)
        return watch.last

    def admit(self, watch: StreamTranslator, error: CallError) -> bytes:
        raise error


class _Whatever:
    """Cuts nothing: each chunk is a frame."""

    __slots__ = ("rest",)

    def __init__(self) -> None:
        self.rest = bytearray()

    def feed(self, chunk: bytes) -> list[bytes]:
        return [chunk]
