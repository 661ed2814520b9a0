"""JSON inside JSON: schemas as text, and the arguments of tools, which are text elsewhere and an object here."""

from typing import Any

import msgspec

encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def json_text(value: Any) -> str:
    """Return a decoded value as JSON text."""
    return encode(value).decode()


def raw_object(text: str) -> msgspec.Raw:
    """Return a tool call's arguments as a JSON object, as they came; ``{}`` for none.

    What is no object (a model can write anything) stands under ``arguments``, so that the call is not lost.
    """
    if not text.strip():
        return msgspec.Raw(b"{}")
    try:
        if type(_decode(text)) is dict:
            return msgspec.Raw(text.encode())
    except (msgspec.DecodeError, ValueError, RecursionError):
        pass
    return msgspec.Raw(encode({"arguments": text}))
