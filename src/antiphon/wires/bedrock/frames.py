"""Frames of a Converse stream: event stream messages whose headers name the event and whose payload is JSON."""

import msgspec

from antiphon.wires.aws.eventstream import encode_headers, encode_message

_JSON = (":content-type", "application/json")


def _encode_headers(kind: str, name: str) -> bytes:
    return encode_headers([(f":{kind}-type", name), _JSON, (":message-type", kind)])


MESSAGE_START = _encode_headers("event", "messageStart")
BLOCK_START = _encode_headers("event", "contentBlockStart")
BLOCK_DELTA = _encode_headers("event", "contentBlockDelta")
BLOCK_STOP = _encode_headers("event", "contentBlockStop")
MESSAGE_STOP = _encode_headers("event", "messageStop")
METADATA = _encode_headers("event", "metadata")

_encode = msgspec.json.Encoder().encode


def write_event(headers: bytes, payload: object) -> bytes:
    """Return the frame of one event; ``headers`` is one of the header blocks above."""
    return encode_message(headers, _encode(payload))


def write_exception(name: str, message: str) -> bytes:
    """Return the frame of one exception."""
    return encode_message(_encode_headers("exception", name), _encode({"message": message}))
