"""Errors in the form of the Messages API, and the errors of providers (API reference, "Errors").

``{"type": "error", "error": {"type", "message", "details": {"error_code"}}, "request_id"}``: ``type`` is the broad
category, ``details.error_code`` the stable code for programs, by which the official clients choose their classes.
"""

from typing import Any

import msgspec

from antiphon.errors import CallError, UpstreamStatus
from antiphon.wires.anthropic.frames import write_frame
from antiphon.wires.checks import DECODE_ERRORS, quote_body

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
"""Error type to HTTP status, for an error inside a stream."""

_encode = msgspec.json.Encoder().encode


def get_error_type(status: int) -> str:
    """Return the error type for an HTTP status."""
    return TYPES.get(status) or ("invalid_request_error" if status < 500 else "api_error")


def write_error_body(error: CallError) -> bytes:
    """Return one of our errors in this wire's form. A provider's error object in this form is kept unchanged."""
    detail = _find_error_object(error.body) if isinstance(error, UpstreamStatus) else None
    if detail is None:
        detail = {
            "type": get_error_type(error.status),
            "message": error.message,
            "details": {"error_code": error.code},
        }
    return _encode({"type": "error", "error": detail, "request_id": error.call_id or None})


def write_error_frame(error: CallError) -> bytes:
    """Return the event that says that a stream broke; the official clients raise it as an API error."""
    return write_frame(b"error", write_error_body(error))


def _find_error_object(body: bytes) -> dict[str, Any] | None:
    """Return the error object of a provider's error body if it has this wire's form."""
    try:
        document = msgspec.json.decode(body)
    except DECODE_ERRORS:
        return None
    if type(document) is not dict or document.get("type") != "error":
        return None
    error = document.get("error")
    return error if type(error) is dict and type(error.get("type")) is str else None


def read_error(error: object) -> tuple[str, str]:
    """Return the type and the message of an ``error`` member of any shape."""
    if type(error) is dict:
        kind, message = error.get("type"), error.get("message")
        return (kind if type(kind) is str else ""), (message if type(message) is str else str(error))
    return "", str(error)


def read_error_message(body: bytes) -> str:
    """Return the message of a provider's error body, or the beginning of the body."""
    try:
        document = msgspec.json.decode(body)
    except DECODE_ERRORS:
        return quote_body(body)
    error = document.get("error") if type(document) is dict else None
    return read_error(error)[1] if error else quote_body(body)
