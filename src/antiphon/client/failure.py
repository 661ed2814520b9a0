"""Failures on the wire back to the error tree: by stable code, by status, and otherwise kept as they came."""

from collections.abc import Iterator
from typing import Any

import msgspec

from antiphon.client.facts import facts_of
from antiphon.errors import CallError, RateLimited, Truncated, UpstreamError, UpstreamStatus, UpstreamTimeout
from antiphon.transport.interface import Headers

_decode = msgspec.json.Decoder().decode

TOO_MANY_REQUESTS = 429


def _tree(root: type[CallError]) -> Iterator[type[CallError]]:
    """Yield the public tree, without what other modules derive from it for themselves."""
    yield root
    for branch in root.__subclasses__():
        if branch.__module__ == root.__module__:
            yield from _tree(branch)


_BY_CODE = {cls.code: cls for cls in _tree(CallError)}
# The first class drawn for a status and type is the general one: BadRequest stands for every 400, NotFound for 404.
_BY_STATUS = {(cls.status, cls.kind): cls for cls in reversed(tuple(_tree(CallError)))}


def from_answer(status: int, headers: Headers, body: bytes) -> CallError:
    """Return the error an answer of status 400 or above stands for; a body that is not ours is kept in it."""
    fields = dict(headers)
    # A call that was let in has an id; what is wrong with it then is what its provider said, in its provider's words.
    error = from_object(_error_of(body), status, body, headers, forwarded=b"x-antiphon-call-id" in fields)
    if error.retry_after is None:
        error.retry_after = _seconds(fields.get(b"retry-after"))
    facts = facts_of(headers)
    error.call_id = error.call_id or facts.call_id
    if facts.target:
        error.target, error.attempts = facts.target, facts.attempts
    return error


def from_event(data: dict[str, Any], raw: bytes) -> CallError | None:
    """Return the error that a stream event stands for, or ``None`` for an event that is none."""
    detail = data.get("error")
    if detail is None or data.get("choices"):
        return None
    fields = detail if type(detail) is dict else {"message": str(detail)}
    return from_object(fields, 0, raw, [], forwarded=False)


def from_object(detail: dict[str, Any], status: int, body: bytes, headers: Headers, *, forwarded: bool) -> CallError:
    """Return the error for an OpenAI error object; ``forwarded`` says that its words may be a provider's own."""
    message = str(detail.get("message") or f"HTTP status {status} with {body[:200].decode('utf-8', 'replace')!r}")
    code = detail.get("code")
    known = _BY_CODE.get(code) if isinstance(code, str) else None
    if known is None:
        known = _BY_STATUS.get((status, str(detail.get("type"))))
    if known is None or (forwarded and not issubclass(known, UpstreamError)):
        known = UpstreamStatus if status else UpstreamError
    if status == TOO_MANY_REQUESTS:
        known = RateLimited
    error = _make(known, message, status, body, headers, detail)
    error.param = detail.get("param")
    # A provider's own word stays in the body: what programs compare must not depend on who answered.
    if isinstance(code, str) and code != error.code and not isinstance(error, UpstreamStatus):
        error.code = code  # type: ignore[misc]
    error.retry_after = detail.get("retry_after")
    error.call_id = str(detail.get("call_id") or "")
    return error


def _make(
    cls: type[CallError], message: str, status: int, body: bytes, headers: Headers, detail: dict[str, Any]
) -> CallError:
    if issubclass(cls, UpstreamStatus):
        usual = TOO_MANY_REQUESTS if issubclass(cls, RateLimited) else cls.status
        return cls(message, status=status or usual, body=body, headers=headers)
    if issubclass(cls, UpstreamTimeout):
        return cls(message, phase=str(detail.get("phase") or ""))
    return cls(message, status=status or None)


def _error_of(body: bytes) -> dict[str, Any]:
    try:
        document = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    detail = document.get("error") if type(document) is dict else None
    if type(detail) is dict:
        return detail
    return {"message": detail} if type(detail) is str else {}


def _seconds(value: bytes | None) -> float | None:
    try:
        return None if value is None else float(value)
    except ValueError:
        return None  # a date: a server of ours sends seconds


def cut_short() -> Truncated:
    """Return the error of a stream that ended in order but before its answer did."""
    return Truncated(
        "The stream ended with neither a finish reason nor [DONE]; the text so far is not the whole answer."
    )
