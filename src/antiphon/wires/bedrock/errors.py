"""Errors in Converse's shape (API reference, "Converse" and "ConverseStream": Errors), and what a provider's says.

An error answer is ``{"message": …}`` with its type in the header ``x-amzn-errortype``. AWS's REST JSON protocol lets
the body name it as ``__type``, too; both are written, so that an error keeps its type where the header cannot be set.
Inside a stream an error is a frame of message type ``exception``.
"""

from typing import NamedTuple

import msgspec

from antiphon.errors import BadAnswer, BadRequest, CallError, RateLimited, UpstreamError, UpstreamStatus
from antiphon.wires.aws.eventstream import Message
from antiphon.wires.bedrock import frames

TYPES = {
    400: "ValidationException",
    401: "UnrecognizedClientException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    500: "InternalServerException",
    502: "InternalServerException",
    503: "ServiceUnavailableException",
    504: "ModelTimeoutException",
    529: "ServiceUnavailableException",
}
"""HTTP status to exception; any other 4xx is a validation error, any other 5xx an internal one."""

IN_STREAM = {
    400: "validationException",
    429: "throttlingException",
    500: "internalServerException",
    503: "serviceUnavailableException",
    529: "serviceUnavailableException",
}
"""HTTP status to the exception a stream may carry; any other 4xx is a validation error, any other a stream error."""

STATUSES = {
    "validationException": 400,
    "throttlingException": 429,
    "internalServerException": 500,
    "modelStreamErrorException": 502,
    "serviceUnavailableException": 503,
}
"""Exception of a stream to the status it stands for; AWS says 424 of a stream error and "retry your request", and it is
the model that failed, so it is 502 here."""

_BROKE = "modelStreamErrorException"
_ERROR_TYPE = b"x-amzn-errortype"
_EXCERPT = 200
_encode = msgspec.json.Encoder().encode


class _Told(msgspec.Struct):
    """A provider's error body; some services write the member with a capital."""

    message: str | None = None
    upper: str | None = msgspec.field(default=None, name="Message")


_decode = msgspec.json.Decoder(_Told).decode


class Fault(NamedTuple):
    """What an exception frame says."""

    name: str
    message: str
    status: int


def type_of(error: CallError) -> str:
    """Return the exception type of any error of ours; a provider's own, where its answer named one, is kept."""
    if isinstance(error, UpstreamStatus):
        for name, value in error.headers:
            if name == _ERROR_TYPE:  # "Type:uri" and "namespace#Type" are the same type
                return value.decode("latin-1").partition(":")[0].rpartition("#")[2]
    return TYPES.get(error.status) or TYPES[400 if error.status < 500 else 500]


def list_error_headers(error: CallError) -> list[tuple[bytes, bytes]]:
    """Return the header that names an error's type; none where the provider's own is passed on with the error."""
    if isinstance(error, UpstreamStatus) and any(name == _ERROR_TYPE for name, _ in error.headers):
        return []
    return [(_ERROR_TYPE, type_of(error).encode("latin-1"))]


def write_error_body(error: CallError) -> bytes:
    """Return any error of ours in this wire's shape; the message of a provider of this wire is kept as it came."""
    told = _told(error.body) if isinstance(error, UpstreamStatus) else ""
    return _encode({"message": told or error.message, "__type": type_of(error)})


def write_error_frame(error: CallError) -> bytes:
    """Return the exception frame that admits a break; AWS's clients raise it from the stream."""
    default = IN_STREAM[400] if 400 <= error.status < 500 and error.status not in (408, 424) else _BROKE
    return frames.exception(IN_STREAM.get(error.status, default), error.message)


def read_error_message(body: bytes) -> str:
    """Return the message of a provider's error body, or an excerpt of it."""
    return _told(body) or excerpt(body)


def fault_of(message: Message) -> Fault | None:
    """Return what an exception or error frame says, or ``None`` where the frame is an event."""
    kind = message.text(":message-type")
    if kind in ("event", ""):
        return None
    if kind == "error":
        name, told = message.text(":error-code"), message.text(":error-message")
    else:
        name, told = message.text(":exception-type"), _told(message.payload)
    return Fault(name, f"{name or kind}: {told or excerpt(message.payload)}", STATUSES.get(name, 502))


def reported(fault: Fault) -> UpstreamError:
    """Return the error for a fault that the provider reported inside its stream."""
    told = f"The provider reported an error: {fault.message}"
    if fault.status == BadAnswer.status:
        return BadAnswer(told)
    kind = RateLimited if fault.status == 429 else UpstreamStatus
    return kind(told, status=fault.status, body=_encode({"message": fault.message}), headers=())


def wrong_type(problem: str) -> BadRequest:
    """Turn a decoder's ``Expected `str`, got `int` - at `$.system[0].text``` into an error that names the field."""
    reason, _, place = problem.partition(" - at ")
    field = place.strip("`").removeprefix("$").removeprefix(".")
    if "missing required field" in reason:
        missing = reason.rpartition("`")[0].rpartition("`")[2]
        field = f"{field}.{missing}" if field else missing
        return BadRequest(f"`{field}` is missing; this request needs it.", param=field)
    return BadRequest(f"`{field}` has the wrong type: {reason[:1].lower()}{reason[1:]}.", param=field)


def excerpt(body: bytes) -> str:
    """Return the beginning of a body, safe to show."""
    return repr(body[:_EXCERPT].decode("utf-8", "replace")) + ("…" if len(body) > _EXCERPT else "")


def _told(body: bytes) -> str:
    try:
        told = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    return told.message or told.upper or ""
