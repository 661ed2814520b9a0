"""A broken stream: an ``error`` event, then the failed response (API reference, "Streaming events": error, failed).

OpenAI sends the two in this order. Its clients only raise an error for an event with an ``error`` member, not for the
flat form of the reference or for ``response.failed``.
"""

from typing import Any

from antiphon.errors import CallError
from antiphon.wires.responses.frames import FrameWriter, StreamEvent
from antiphon.wires.responses.types import ErrorObject

_CODES = {429: "rate_limit_exceeded", 400: "invalid_prompt"}


def write_error_frame(error: CallError, frames: FrameWriter) -> bytes:
    """Return the ``error`` event for one of our errors."""
    return write_error_event(error.code, error.message, frames, kind=error.kind, param=error.param)


def write_error_event(
    code: Any, message: str, frames: FrameWriter, *, kind: str = "upstream_error", param: Any = None
) -> bytes:
    """Return an ``error`` event in both forms: flat as in the reference, and nested as clients need it."""
    flat = {"code": code, "message": message, "param": param}
    return frames.write("error", {**flat, "error": {"type": kind, **flat}})


def write_response_error(error: CallError) -> dict[str, Any]:
    """Return the ``error`` of a failed response; this wire has a closed list of codes for it."""
    return {"code": _CODES.get(error.status, "server_error"), "message": error.message}


def read_error_event(event: StreamEvent) -> ErrorObject:
    """Return the error of an event, in the nested or the flat form."""
    error = event.error
    if type(error) is dict:
        return ErrorObject(error.get("message"), error.get("code"), error.get("type"))
    return ErrorObject(error or event.message, event.code)
