"""Converse's frames: event stream messages whose headers name the event and whose payload is JSON."""

import msgspec

from antiphon.wires.aws.eventstream import encode, header_block

_JSON = (":content-type", "application/json")


def _block(kind: str, name: str) -> bytes:
    return header_block([(f":{kind}-type", name), _JSON, (":message-type", kind)])


MESSAGE_START = _block("event", "messageStart")
BLOCK_START = _block("event", "contentBlockStart")
BLOCK_DELTA = _block("event", "contentBlockDelta")
BLOCK_STOP = _block("event", "contentBlockStop")
MESSAGE_STOP = _block("event", "messageStop")
METADATA = _block("event", "metadata")

_encode = msgspec.json.Encoder().encode


def event(block: bytes, payload: object) -> bytes:
    """Return the frame of one event; ``block`` is one of the header blocks above."""
    return encode(block, _encode(payload))


def exception(name: str, message: str) -> bytes:
    """Return the frame of one exception."""
    return encode(_block("exception", name), _encode({"message": message}))
