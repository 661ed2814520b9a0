"""How a stream says that it broke: an ``error`` event, then the response, failed ("Streaming events": error, failed).

The order is the one OpenAI sends them in. Its clients raise an event that has an ``error`` member and nothing else: not
the flat form of the reference, and not ``response.failed``.
"""

from typing import Any

from antiphon.errors import CallError
from antiphon.wires.responses.item_builders import Frames

_CODES = {429: "rate_limit_exceeded", 400: "invalid_prompt"}


def error_frame(error: CallError, frames: Frames) -> bytes:
    """Return the ``error`` event for an error of ours."""
    return raised(error.code, error.message, frames, kind=error.kind, param=error.param)


def raised(code: Any, message: str, frames: Frames, *, kind: str = "upstream_error", param: Any = None) -> bytes:
    """Return an ``error`` event in both shapes: flat as the reference has it, nested as clients raise it."""
    flat = {"code": code, "message": message, "param": param}
    return frames.frame("error", {**flat, "error": {"type": kind, **flat}})


def error_of(error: CallError) -> dict[str, Any]:
    """Return an error as a failed response has it; the wire's codes are a closed list."""
    return {"code": _CODES.get(error.status, "server_error"), "message": error.message}
