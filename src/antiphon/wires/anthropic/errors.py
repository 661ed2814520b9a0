"""Errors in the Messages API's shape (API reference, "Errors"), and what a provider's error says.

``{"type": "error", "error": {"type", "message", "details": {"error_code"}}, "request_id"}``: ``type`` is the broad
category, ``details.error_code`` the stable word for programs, which the official clients choose their classes by.
"""

from typing import Any

import msgspec

from antiphon.errors import CallError, UpstreamStatus
from antiphon.wires.anthropic.frames import excerpt, frame_of

TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    502: "api_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""HTTP status to error type; any other 4xx is an invalid request, any other 5xx an API error."""

STATUSES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""Error type to the status it stands for, where an error comes inside a stream."""

_encode = msgspec.json.Encoder().encode


def type_of(status: int) -> str:
    """Return the error type for an HTTP status."""
    return TYPES.get(status) or ("invalid_request_error" if status < 500 else "api_error")


def write_error_body(error: CallError) -> bytes:
    """Return any error of ours in this wire's shape; a provider's error object of this shape is kept as it came."""
    told = _told(error.body) if isinstance(error, UpstreamStatus) else None
    if told is None:
        told = {"type": type_of(error.status), "message": error.message, "details": {"error_code": error.code}}
    return _encode({"type": "error", "error": told, "request_id": error.call_id or None})


def write_error_frame(error: CallError) -> bytes:
    """Return the event that admits a break; the official clients raise it as an API error."""
    return frame_of(b"error", write_error_body(error))


def _told(body: bytes) -> dict[str, Any] | None:
    """Return the error object of a provider's error body, where it has this wire's shape."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if type(document) is not dict or document.get("type") != "error":
        return None
    error = document.get("error")
    return error if type(error) is dict and type(error.get("type")) is str else None


def problem(error: object) -> tuple[str, str]:
    """Return type and message of an ``error`` member, whatever its shape."""
    if type(error) is dict:
        kind, message = error.get("type"), error.get("message")
        return (kind if type(kind) is str else ""), (message if type(message) is str else str(error))
    return "", str(error)


def read_error_message(body: bytes) -> str:
    """Return the message of a provider's error body, or an excerpt of it."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return excerpt(body)
    error = document.get("error") if type(document) is dict else None
    return problem(error)[1] if error else excerpt(body)
