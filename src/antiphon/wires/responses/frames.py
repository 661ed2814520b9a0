"""The frames of a Responses stream: an event line and one line of JSON (API reference, "Streaming events")."""

from typing import Any

import msgspec

from antiphon.errors import BadAnswer
from antiphon.wires.checks import DECODE_ERRORS, quote_body
from antiphon.wires.json_text import encode_json
from antiphon.wires.sse import read_data

NO_JSON = msgspec.Raw(b"")
"""The value of a field that an event does not have."""
TAIL = b',"sequence_number":'
"""The bytes between the text of a delta event and the event's number."""
TEXT_TAIL = b',"logprobs":[]' + TAIL
"""The same for a delta of output text."""


class StreamEvent(msgspec.Struct):
    """The fields that are read, of any event. A field whose type differs between events is checked where it is used."""

    type: str = ""
    delta: Any = None
    text: Any = None
    arguments: Any = None
    refusal: Any = None
    input: Any = None
    output_index: int = 0
    content_index: int = 0
    summary_index: int = 0
    item: msgspec.Raw = NO_JSON
    part: msgspec.Raw = NO_JSON
    annotation: Any = None
    logprobs: Any = None
    response: msgspec.Raw = NO_JSON
    sequence_number: Any = None
    error: Any = None
    code: Any = None
    message: Any = None


_decode = msgspec.json.Decoder(StreamEvent).decode
_encode = msgspec.json.Encoder().encode


def read_frame(frame: bytes) -> StreamEvent | None:
    """Return the event of a frame, ``None`` for a comment and for the ``[DONE]`` that some servers add.

    Raises :class:`BadAnswer` for anything else.
    """
    data = read_data(frame)
    if data is None or data.strip() == b"[DONE]":
        return None
    try:
        return _decode(data)
    except DECODE_ERRORS:
        raise BadAnswer(f"The provider's event is not valid JSON of this wire: {quote_body(data)}") from None


class FrameWriter:
    """Writes the frames of one stream, numbered from ``number``; ``cuts`` are the lengths of its deltas' texts."""

    __slots__ = ("cuts", "number")

    def __init__(self, number: int = 0) -> None:
        self.number = number
        self.cuts: list[int] = []

    def write(self, kind: str, fields: dict[str, Any]) -> bytes:
        """Return an event of type ``kind``."""
        data = encode_json({"type": kind, **fields, "sequence_number": self.number})
        self.number += 1
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), data)

    def write_delta(self, head: bytes, text: str, tail: bytes) -> bytes:
        """Return a delta event; ``head`` comes from :func:`write_delta_head`, ``tail`` ends with :data:`TAIL`."""
        frame = b"%b%b%b%d}\n\n" % (head, _encode(text), tail, self.number)
        self.number += 1
        self.cuts.append(len(text))
        return frame


def write_delta_head(kind: str, fields: dict[str, Any]) -> bytes:
    """Return the part of a delta event before its text, which is the same for each delta of one item."""
    data = _encode({"type": kind, **fields})
    return b'event: %b\ndata: %b,"delta":' % (kind.encode(), data[:-1])
