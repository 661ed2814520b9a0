"""JSON as text and bytes, whatever numbers are in it: the fast encoder stops at 64 bits."""

import json
from typing import Any

import msgspec

from antiphon.errors import BadRequest

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def json_text(value: Any) -> str:
    """Return a decoded value as JSON text."""
    try:
        return _encode(value).decode()
    except OverflowError:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def raw_object(text: str, where: str) -> msgspec.Raw:
    """Return JSON text to be put into a body as it is, ``{}`` for none.

    Raises :class:`BadRequest` where it is no object.
    """
    if not text.strip():
        return msgspec.Raw(b"{}")
    try:
        value = _decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        value = None
    if type(value) is not dict:
        raise BadRequest(f"The arguments at {where} must be a JSON object as text.", param=where)
    return msgspec.Raw(text.encode())


def body_of(document: dict[str, Any]) -> bytes:
    """Return a request body."""
    try:
        return _encode(document)
    except OverflowError:
        raise BadRequest("The request holds a number beyond 64 bits, which this target cannot take.") from None
