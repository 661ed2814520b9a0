"""Errors in this wire's shape: ``{"error": {code, message, status, details}}`` with names of google.rpc.Code.

Sources: Google Cloud API Design Guide, "Errors" (names, HTTP mapping, details); Gemini API, "Troubleshooting".
"""

from typing import Any

import msgspec

from antiphon.errors import BadAnswer, CallError
from antiphon.wires.checks import DECODE_ERRORS, quote_body

STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    415: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
    529: "UNAVAILABLE",
}
"""HTTP status to the name that clients look at; for other statuses, :func:`write_error_body` has a name per class."""

_TYPE = "type.googleapis.com/google.rpc."
_decode = msgspec.json.Decoder().decode


def write_error_body(error: CallError) -> bytes:
    """Return any error of ours in this wire's shape."""
    name = STATUS.get(error.status) or ("FAILED_PRECONDITION" if error.status < 500 else "INTERNAL")
    problem = {"code": error.status, "message": error.message, "status": name, "details": _write_details(error)}
    return msgspec.json.encode({"error": problem})


def _write_details(error: CallError) -> list[dict[str, Any]]:
    details: list[dict[str, Any]] = [
        {"@type": _TYPE + "ErrorInfo", "reason": error.code.upper(), "domain": "antiphon", "metadata": {}}
    ]
    if error.param is not None:
        violation = {"field": error.param, "description": error.message}
        details.append({"@type": _TYPE + "BadRequest", "fieldViolations": [violation]})
    if error.retry_after is not None:
        delay = f"{error.retry_after:.3f}".rstrip("0").rstrip(".")
        details.append({"@type": _TYPE + "RetryInfo", "retryDelay": f"{delay}s"})
    return details


def read_error_message(body: bytes) -> str:
    """Return the message of a provider's error body, which may be in a list of one, or an excerpt of the body."""
    try:
        document = _decode(body)
    except DECODE_ERRORS:
        return quote_body(body)
    if type(document) is list and document:
        document = document[0]
    error = document.get("error") if type(document) is dict else None
    return read_message(error) if error else quote_body(body)


def make_reported_error(error: Any) -> BadAnswer:
    """Return the error for an error object in place of an answer, or in a stream."""
    return BadAnswer(f"The provider reported an error: {read_message(error)}", status=read_status(error) or None)


def read_message(error: Any) -> str:
    """Return the message of an error object."""
    return str(error.get("message")) if type(error) is dict else str(error)


def read_status(error: Any) -> int:
    """Return the HTTP status of an error object, or 0 if it has none."""
    code = error.get("code") if type(error) is dict else 0
    return code if type(code) is int and 400 <= code <= 599 else 0
