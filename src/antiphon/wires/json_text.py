"""JSON of decoded values with integers of any size: Python reads them, and msgspec's encoder stops at 64 bits."""

import json
from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode


def encode_json(value: Any) -> bytes:
    """Return compact JSON."""
    try:
        return _encode(value)
    except OverflowError:
        return json.dumps(msgspec.to_builtins(value), ensure_ascii=False, separators=(",", ":")).encode()


def encode_json_text(value: Any) -> str:
    """Return compact JSON as text, for JSON inside JSON."""
    return encode_json(value).decode()
