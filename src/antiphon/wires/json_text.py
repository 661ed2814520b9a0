"""JSON with integers of any size: msgspec decodes them, but its encoder is limited to 64 bits."""

from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode


def encode_json(value: Any) -> bytes:
    """Return compact JSON."""
    try:
        return _encode(value)
    except OverflowError:
        return _encode(_write_large_integers(value))


def encode_json_text(value: Any) -> str:
    """Return compact JSON as text, for JSON inside JSON."""
    return encode_json(value).decode()


def _write_large_integers(value: Any) -> Any:
    """Return a value in which the integers beyond 64 bits are already encoded."""
    if isinstance(value, msgspec.Struct):
        try:
            return msgspec.Raw(_encode(value))
        except OverflowError:
            value = msgspec.to_builtins(value)
    if isinstance(value, dict):
        return {key: _write_large_integers(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_write_large_integers(item) for item in value]
    if type(value) is int and not -(2**63) <= value < 2**64:
        return msgspec.Raw(str(value).encode())
    return value
