"""Events of a Messages stream as typed values, and back to frames (API reference, "Streaming Messages").

Each frame names its event twice, as ``event:`` and as ``type`` in the data; only the data is read. The API may add
event types, block types and members at any time, so unknown ones are no error.
"""

from typing import Any

import msgspec

from antiphon.wires.checks import DECODE_ERRORS, make_bad_answer_from
from antiphon.wires.sse import read_data

_UNSET = msgspec.UNSET


class Block(msgspec.Struct, gc=False):
    """A content block, whole or at its start; members that nobody reads may have any shape."""

    type: str = ""
    id: Any = None
    name: Any = None
    text: Any = None
    citations: Any = None
    thinking: Any = None
    signature: Any = None
    data: Any = None
    input: msgspec.Raw | msgspec.UnsetType = _UNSET


class DeltaBody(msgspec.Struct, gc=False):
    """The change in a ``content_block_delta`` or a ``message_delta``."""

    type: str | None = None
    text: Any = None
    thinking: Any = None
    signature: Any = None
    partial_json: Any = None
    citation: Any = None
    stop_reason: str | None = None
    stop_sequence: Any = None
    stop_details: Any = None


class Message(msgspec.Struct, gc=False):
    """A whole answer, or its beginning in ``message_start``."""

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


class Event(msgspec.Struct, gc=False):
    type: str = ""
    index: int = 0
    message: Message | None = None
    content_block: Block | None = None
    delta: DeltaBody | None = None
    usage: msgspec.Raw | msgspec.UnsetType = _UNSET
    error: Any = None


class _Kind(msgspec.Struct):
    type: str = ""


KNOWN_EVENTS = frozenset(
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

NO_EVENT = Event()
"""The event of a frame without data, and of an unknown type."""

_decode_event = msgspec.json.Decoder(Event).decode
_decode_kind = msgspec.json.Decoder(_Kind).decode
_decode_message = msgspec.json.Decoder(Message).decode


def read_event(frame: bytes) -> Event:
    """Return the event of one whole frame; raises :class:`BadAnswer` if it does not belong to this wire."""
    data = _get_data(frame)
    if data is None:
        return NO_EVENT
    try:
        return _decode_event(data)
    except msgspec.ValidationError:
        return _read_unknown_event(data)
    except DECODE_ERRORS:
        raise make_bad_answer_from(data) from None


def read_message(body: bytes) -> Message:
    """Return a whole answer; raises :class:`BadAnswer` if it is not an object of this wire."""
    try:
        return _decode_message(body)
    except DECODE_ERRORS:
        raise make_bad_answer_from(body) from None


def _get_data(frame: bytes) -> bytes | None:
    """Return the data of a frame. The API writes an event line and a data line, which needs no parser."""
    if frame.startswith(b"event: ") and frame.endswith(b"\n\n") and frame.find(b"\r") < 0:
        line_end = frame.find(b"\n")
        if frame.startswith(b"data: ", line_end + 1) and frame.find(b"\n", line_end + 1) == len(frame) - 2:
            return frame[line_end + 7 : -2]
    return read_data(frame)


def _read_unknown_event(data: bytes) -> Event:
    # Some compatible servers end with `[DONE]`, which decodes as the beginning of an array.
    if data.strip() == b"[DONE]":
        return NO_EVENT
    try:
        kind = _decode_kind(data).type
    except msgspec.MsgspecError:
        raise make_bad_answer_from(data) from None
    if kind in KNOWN_EVENTS:
        raise make_bad_answer_from(data) from None
    return NO_EVENT


def write_frame(event: bytes, data: bytes) -> bytes:
    """Return one frame of a named event; the data has no line ends."""
    return b"event: %b\ndata: %b\n\n" % (event, data)


PING = write_frame(b"ping", b'{"type":"ping"}')
MESSAGE_STOP = write_frame(b"message_stop", b'{"type":"message_stop"}')
