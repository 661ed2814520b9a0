"""JSON text of decoded values, with integers of any size, which Python has and the fast encoder has not."""

import json
from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode


def dump(value: Any) -> bytes:
    """Return compact JSON."""
    try:
        return _encode(value)
    except (OverflowError, msgspec.MsgspecError):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def dump_text(value: Any) -> str:
    return dump(value).decode()
