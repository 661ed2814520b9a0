"""Errors in Converse's form (API reference, "Converse" and "ConverseStream": Errors), and errors of a provider.

An error answer is ``{"message": …}`` with its type in the header ``x-amzn-errortype``. AWS's REST JSON protocol also
lets the body name the type as ``__type``. Both are written, because the header cannot always be set. Inside a stream an
error is a frame of message type ``exception``.
"""

from typing import NamedTuple

import msgspec

from antiphon.errors import BadAnswer, CallError, RateLimited, UpstreamError, UpstreamStatus
from antiphon.wires.aws.eventstream import Message
from antiphon.wires.bedrock import frames
from antiphon.wires.checks import DECODE_ERRORS, quote_body

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

STREAM_TYPES = {
    400: "validationException",
    429: "throttlingException",
    500: "internalServerException",
    503: "serviceUnavailableException",
    529: "serviceUnavailableException",
}
"""HTTP status to the exception in a stream; any other 4xx is a validation error, any other status a stream error."""

STREAM_STATUSES = {
    "validationException": 400,
    "throttlingException": 429,
    "internalServerException": 500,
    "modelStreamErrorException": 502,
    "serviceUnavailableException": 503,
}
"""Exception of a stream to its HTTP status. AWS gives a stream error 424 with "retry your request"; the model failed,
so it is 502 here."""

_STREAM_ERROR = "modelStreamErrorException"
_ERROR_TYPE = b"x-amzn-errortype"
_encode = msgspec.json.Encoder().encode


class _ErrorBody(msgspec.Struct):
    """A provider's error body; some services write the member with a capital."""

    message: str | None = None
    capitalized: str | None = msgspec.field(default=None, name="Message")


_decode = msgspec.json.Decoder(_ErrorBody).decode


class StreamFault(NamedTuple):
    """An error that a provider reports by a frame of its stream."""

    name: str
    message: str
    status: int


def find_type(error: CallError) -> str:
    """Return the exception type of an error; the provider's own type is kept if its answer named one."""
    if isinstance(error, UpstreamStatus):
        for name, value in error.headers:
            if name == _ERROR_TYPE:  # "Type:uri" and "namespace#Type" are the same type
                return value.decode("latin-1").partition(":")[0].rpartition("#")[2]
    return TYPES.get(error.status) or TYPES[400 if error.status < 500 else 500]


def list_error_headers(error: CallError) -> list[tuple[bytes, bytes]]:
    """Return the header that names an error's type; none if the provider's own header is passed on with the error."""
    if isinstance(error, UpstreamStatus) and any(name == _ERROR_TYPE for name, _ in error.headers):
        return []
    return [(_ERROR_TYPE, find_type(error).encode("latin-1"))]


def write_error_body(error: CallError) -> bytes:
    """Return the body for an error; the message of a provider of this wire is kept unchanged."""
    provider_message = _read_message(error.body) if isinstance(error, UpstreamStatus) else ""
    return _encode({"message": provider_message or error.message, "__type": find_type(error)})


def write_error_frame(error: CallError) -> bytes:
    """Return the exception frame for a broken stream; AWS's clients raise it from the stream."""
    default = STREAM_TYPES[400] if 400 <= error.status < 500 and error.status not in (408, 424) else _STREAM_ERROR
    return frames.write_exception(STREAM_TYPES.get(error.status, default), error.message)


def read_error_message(body: bytes) -> str:
    """Return the message of a provider's error body, or an excerpt of the body."""
    return _read_message(body) or quote_body(body)


def find_fault(message: Message) -> StreamFault | None:
    """Return the fault that an exception or error frame reports, or ``None`` if the frame is an event."""
    kind = message.get_text(":message-type")
    if kind in ("event", ""):
        return None
    if kind == "error":
        name, text = message.get_text(":error-code"), message.get_text(":error-message")
    else:
        name, text = message.get_text(":exception-type"), _read_message(message.payload)
    return StreamFault(name, f"{name or kind}: {text or quote_body(message.payload)}", STREAM_STATUSES.get(name, 502))


def make_fault_error(fault: StreamFault) -> UpstreamError:
    """Return the error for a fault in a provider's stream."""
    message = f"The provider reported an error: {fault.message}"
    if fault.status == BadAnswer.status:
        return BadAnswer(message)
    error_class = RateLimited if fault.status == 429 else UpstreamStatus
    return error_class(message, status=fault.status, body=_encode({"message": fault.message}), headers=())


def _read_message(body: bytes) -> str:
    try:
        error_body = _decode(body)
    except DECODE_ERRORS:
        return ""
    return error_body.message or error_body.capitalized or ""
