"""One frame of a Responses stream, decoded as far as it is looked at."""

from typing import Any

import msgspec

from antiphon.errors import BadAnswer
from antiphon.wires.responses.reply import excerpt
from antiphon.wires.sse import data_of

_DATA = b"\ndata: "
NOTHING = msgspec.Raw(b"")


class StreamEvent(msgspec.Struct):
    """The members of any event that are read; texts are checked where they are used, as types differ by event."""

    type: str = ""
    delta: Any = None
    text: Any = None
    arguments: Any = None
    refusal: Any = None
    input: Any = None
    output_index: int = 0
    content_index: int = 0
    summary_index: int = 0
    item: msgspec.Raw = NOTHING
    part: msgspec.Raw = NOTHING
    annotation: Any = None
    logprobs: Any = None
    response: msgspec.Raw = NOTHING
    sequence_number: Any = None
    error: Any = None
    code: Any = None
    message: Any = None


_decode = msgspec.json.Decoder(StreamEvent).decode


def read_frame(frame: bytes) -> StreamEvent | None:
    """Return the event of a frame, ``None`` for a comment and for the ``[DONE]`` that some servers add.

    Raises :class:`BadAnswer` for what is no event of this wire.
    """
    data = data_in(frame)
    if data is None or data.strip() == b"[DONE]":
        return None
    try:
        return _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise BadAnswer(f"The provider's event is not valid JSON of this wire: {excerpt(data)}") from None


def data_in(frame: bytes) -> bytes | None:
    """Return a frame's data; quickly for the form that OpenAI sends, an event line and one line of data."""
    if frame.startswith(b"event: ") and frame.endswith(b"\n\n") and b"\r" not in frame:
        start = frame.find(b"\n")
        if frame.startswith(_DATA, start) and frame.find(b"\n", start + 1) == len(frame) - 2:
            return frame[start + len(_DATA) : -2]
    return data_of(frame)
