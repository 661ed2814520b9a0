"""Errors of a server back to the error tree: by stable code, by status, and otherwise as they came."""

from collections.abc import Iterator
from typing import Any

import msgspec

from antiphon.client.call_info import read_call_info
from antiphon.errors import CallError, RateLimited, Truncated, UpstreamError, UpstreamStatus, UpstreamTimeout
from antiphon.transport.interface import Headers

_decode = msgspec.json.Decoder().decode

TOO_MANY_REQUESTS = 429


def _list_classes(root: type[CallError]) -> Iterator[type[CallError]]:
    """Yield the public tree, without the classes that other modules derive from it for themselves."""
    yield root
    for child in root.__subclasses__():
        if child.__module__ == root.__module__:
            yield from _list_classes(child)


_BY_CODE = {cls.code: cls for cls in _list_classes(CallError)}
# The first class with a status and type is the general one: BadRequest stands for every 400, NotFound for 404.
_BY_STATUS = {(cls.status, cls.kind): cls for cls in reversed(tuple(_list_classes(CallError)))}


def read_error_answer(status: int, headers: Headers, body: bytes) -> CallError:
    """Return the error for an answer of status 400 or above; a body of unknown form is kept in it."""
    fields = dict(headers)
    # An admitted call has an id. The error is then the provider's own, in the provider's words.
    is_forwarded = b"x-antiphon-call-id" in fields
    error = read_error_object(_find_error_object(body), status, body, headers, is_forwarded=is_forwarded)
    if error.retry_after is None:
        error.retry_after = _read_seconds(fields.get(b"retry-after"))
    info = read_call_info(headers)
    error.call_id = error.call_id or info.call_id
    if info.target:
        error.target, error.attempts = info.target, info.attempts
    return error


def read_error_event(data: dict[str, Any], raw: bytes) -> CallError | None:
    """Return the error that a stream event stands for, or ``None`` for any other event."""
    detail = data.get("error")
    if detail is None or data.get("choices"):
        return None
    fields = detail if type(detail) is dict else {"message": str(detail)}
    return read_error_object(fields, 0, raw, [], is_forwarded=False)


def read_error_object(
    detail: dict[str, Any], status: int, body: bytes, headers: Headers, *, is_forwarded: bool
) -> CallError:
    """Return the error for an OpenAI error object; ``is_forwarded`` says that it may be a provider's own."""
    message = str(detail.get("message") or f"HTTP status {status} with {body[:200].decode('utf-8', 'replace')!r}")
    code = detail.get("code")
    known = _BY_CODE.get(code) if isinstance(code, str) else None
    if known is None:
        known = _BY_STATUS.get((status, str(detail.get("type"))))
    if known is None or (is_forwarded and not issubclass(known, UpstreamError)):
        known = UpstreamStatus if status else UpstreamError
    if status == TOO_MANY_REQUESTS:
        known = RateLimited
    error = _make_error(known, message, status, body, headers, detail)
    error.param = detail.get("param")
    # A provider's own code stays in the body, so that programs can compare codes of any answer.
    if isinstance(code, str) and code != error.code and not isinstance(error, UpstreamStatus):
        error.code = code  # type: ignore[misc]
    error.retry_after = detail.get("retry_after")
    error.call_id = str(detail.get("call_id") or "")
    return error


def _make_error(
    cls: type[CallError], message: str, status: int, body: bytes, headers: Headers, detail: dict[str, Any]
) -> CallError:
    if issubclass(cls, UpstreamStatus):
        default = TOO_MANY_REQUESTS if issubclass(cls, RateLimited) else cls.status
        return cls(message, status=status or default, body=body, headers=headers)
    if issubclass(cls, UpstreamTimeout):
        return cls(message, phase=str(detail.get("phase") or ""))
    return cls(message, status=status or None)


def _find_error_object(body: bytes) -> dict[str, Any]:
    try:
        document = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    detail = document.get("error") if type(document) is dict else None
    if type(detail) is dict:
        return detail
    return {"message": detail} if type(detail) is str else {}


def _read_seconds(value: bytes | None) -> float | None:
    try:
        return None if value is None else float(value)
    except ValueError:
        return None  # a date; our own server sends seconds


def make_truncated() -> Truncated:
    """Return the error of a stream that ended in order but before its answer did."""
    return Truncated(
        "The stream ended with neither a finish reason nor [DONE]; the text so far is not the whole answer."
    )
