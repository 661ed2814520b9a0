"""Streams of chat completions and legacy completions between a caller and a provider that both speak this wire."""

import msgspec

from antiphon.types import Usage
from antiphon.wires.checks import DECODE_ERRORS
from antiphon.wires.openai.errors import find_error_message, make_reported_error
from antiphon.wires.openai.text_size import count_output_bytes
from antiphon.wires.openai.types import Answer, decode_answer, read_answer, read_counted_answer
from antiphon.wires.openai.usage import read_usage
from antiphon.wires.sse import read_data
from antiphon.wires.wire import PassthroughStream, Wire

_UNSET = msgspec.UNSET
_NULL = msgspec.Raw(b"null")
_NULL_USAGE = b',"usage":null'


class ChatStream(PassthroughStream):
    """See :class:`antiphon.wires.wire.StreamTranslator`; frames pass unchanged, except that usage may be hidden.

    ``hides_usage`` says that the gateway asked for usage and the caller did not.
    """

    __slots__ = ("_choices", "_finished", "_hides_usage", "usage")

    def __init__(self, wire: Wire, choices: int, hides_usage: bool) -> None:
        super().__init__(wire)
        self.usage: Usage | None = None
        self._choices = choices
        self._finished: set[int | None] = set()
        self._hides_usage = hides_usage

    @property
    def complete(self) -> bool:
        return self.ended or len(self._finished) >= self._choices

    def feed(self, frame: bytes) -> bytes:
        try:  # nearly every frame is `data: ` and one line of JSON
            chunk = decode_answer(frame[6:]) if frame.startswith(b"data: {") else None
        except DECODE_ERRORS:
            chunk = None
        if chunk is None and (chunk := self._read_other(frame)) is None:
            return frame
        if chunk.error is not _UNSET or chunk.object == "error":
            message = find_error_message(chunk)
            if message is not None:
                self.error = make_reported_error(message, chunk.error)
                return frame
        for choice in chunk.choices or ():
            size = count_output_bytes(choice)
            self.output_bytes += size
            if choice.finish_reason:
                self._finished.add(choice.index)
            elif not size:
                continue
            self.committed = True
        return frame if chunk.usage is _UNSET else self._take_usage(frame, chunk)

    def _read_other(self, frame: bytes) -> Answer | None:
        """Return the chunk of a frame of any other form, ``None`` for a comment and for the end marker."""
        data = read_data(frame)
        if data is None:
            return None
        if data.strip() == b"[DONE]":
            self.ended = self.committed = True
            return None
        return read_answer(data)

    def _take_usage(self, frame: bytes, chunk: Answer) -> bytes:
        """Read the usage of a chunk; return its frame, without usage that the caller did not ask for."""
        if chunk.usage != _NULL:
            # Every chunk names the service tier; only that of the chunk with usage counts.
            tier = read_counted_answer(read_data(frame) or b"").service_tier if b'"service_tier"' in frame else None
            self.usage = read_usage(bytes(chunk.usage), tier) or self.usage  # type: ignore[arg-type]
            return frame if chunk.choices or not self._hides_usage else b""
        if not self._hides_usage:
            return frame
        # A bare `"usage":` cannot be part of a JSON string, so one occurrence is the top-level member.
        return frame.replace(_NULL_USAGE, b"", 1) if frame.count(b'"usage"') == 1 else frame
