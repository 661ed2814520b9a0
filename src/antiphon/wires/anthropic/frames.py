"""Events of a Messages stream as typed values, and back to frames (API reference, "Streaming Messages").

Each frame names its event twice, as ``event:`` and as ``type`` in the data; only the data is read. Versioning lets the
API add event types, block types and members at any time, so that what is unknown is no error.
"""

from typing import Any

import msgspec

from antiphon.errors import BadAnswer
from antiphon.wires.sse import data_of

_UNSET = msgspec.UNSET


class Block(msgspec.Struct):
    """A content block, whole or as it opens; a member that is not looked at may have any shape."""

    type: str = ""
    id: Any = None
    name: Any = None
    text: Any = None
    citations: Any = None
    thinking: Any = None
    signature: Any = None
    data: Any = None
    input: msgspec.Raw | msgspec.UnsetType = _UNSET


class DeltaBody(msgspec.Struct):
    type: str | None = None
    text: Any = None
    thinking: Any = None
    signature: Any = None
    partial_json: Any = None
    citation: Any = None
    stop_reason: str | None = None
    stop_sequence: Any = None
    stop_details: Any = None


class Message(msgspec.Struct):
    """A whole answer, or what ``message_start`` tells of it."""

    type: Any = None
    id: Any = None
    model: Any = None
    content: list[Block] | None = None
    stop_reason: str | None = None
    stop_sequence: Any = None
    stop_details: Any = None
    usage: msgspec.Raw | msgspec.UnsetType = _UNSET
    error: Any = None
    input_tokens: Any = None


class Event(msgspec.Struct):
    type: str = ""
    index: int = 0
    message: Message | None = None
    content_block: Block | None = None
    delta: DeltaBody | None = None
    usage: msgspec.Raw | msgspec.UnsetType = _UNSET
    error: Any = None


class _Kind(msgspec.Struct):
    type: str = ""


KNOWN = frozenset(
    (
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
        "ping",
        "error",
    )
)

NOTHING = Event()
"""What a frame without data says, and an event that is not known."""

_decode_event = msgspec.json.Decoder(Event).decode
_decode_kind = msgspec.json.Decoder(_Kind).decode
_decode_message = msgspec.json.Decoder(Message).decode


def event_of(frame: bytes) -> Event:
    """Return the event of one whole frame; raises :class:`BadAnswer` where it is none of this wire."""
    data = _data(frame)
    if data is None:
        return NOTHING
    try:
        return _decode_event(data)
    except msgspec.ValidationError:
        return _unknown(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _bad(data) from None


def message_of(body: bytes) -> Message:
    """Return a whole answer; raises :class:`BadAnswer` where it is not an object of this wire."""
    try:
        return _decode_message(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise _bad(body) from None


def _data(frame: bytes) -> bytes | None:
    """Return the data of a frame; the form the API writes (an event line, a data line) is cut without a parser."""
    if frame.startswith(b"event: ") and frame.endswith(b"\n\n") and b"\r" not in frame:
        at = frame.find(b"\n")
        if frame.startswith(b"data: ", at + 1) and frame.find(b"\n", at + 1) == len(frame) - 2:
            return frame[at + 7 : -2]
    return data_of(frame)


def _unknown(data: bytes) -> Event:
    if data.strip() == b"[DONE]":  # some compatible servers add it; it begins as an array, which is what is wrong first
        return NOTHING
    try:
        kind = _decode_kind(data).type
    except msgspec.MsgspecError:
        raise _bad(data) from None
    if kind in KNOWN:
        raise _bad(data) from None
    return NOTHING


def _bad(data: bytes) -> BadAnswer:
    return BadAnswer(f"The provider's answer is not valid JSON of this wire: {excerpt(data)}")


def excerpt(body: bytes) -> str:
    """Return the beginning of a body, as text that cannot break a log line."""
    text = body[:200].decode("utf-8", "replace")
    return repr(text) + ("…" if len(body) > 200 else "")


def frame_of(event: bytes, data: bytes) -> bytes:
    """Return one frame of a named event around data without line ends."""
    return b"event: %b\ndata: %b\n\n" % (event, data)


PING = frame_of(b"ping", b'{"type":"ping"}')
MESSAGE_STOP = frame_of(b"message_stop", b'{"type":"message_stop"}')
