"""Errors as OpenAI's clients expect them: ``{"error": {"message", "type", "param", "code"}}``, a status and headers."""

import math

import msgspec

from antiphon.errors import CallError, MethodNotAllowed, UpstreamStatus

Headers = list[tuple[bytes, bytes]]

_JSON = (b"content-type", b"application/json")

_FROM_PROVIDER = frozenset(
    (b"retry-after", b"retry-after-ms", b"x-should-retry", b"x-request-id", b"request-id", b"openai-processing-ms")
)
"""Headers of a provider's error answer that a caller may see, beside its rate limits."""


def body_of(error: CallError) -> bytes:
    """Return the JSON body for an error."""
    detail = {"message": error.message, "type": error.kind, "param": error.param, "code": error.code}
    return msgspec.json.encode({"error": detail})


def answer_to(error: CallError) -> tuple[int, Headers, bytes]:
    """Return status, headers (without framing) and body for an error that ends a call.

    An error answer of a provider keeps its status and, where it is a JSON object, its body as it came.
    """
    headers = [_JSON]
    body = b""
    if isinstance(error, UpstreamStatus):
        headers += _provider_headers(error)
        body = error.body if _is_json_object(error.body) else b""
    if error.retry_after is not None and not any(name == b"retry-after" for name, _ in headers):
        headers.append((b"retry-after", b"%d" % math.ceil(max(error.retry_after, 0))))
    if error.status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="antiphon"'))
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", ", ".join(error.allowed).encode()))
    if error.call_id:
        headers.append((b"x-antiphon-call-id", error.call_id.encode()))
    return error.status, headers, body or body_of(error)


def _provider_headers(error: UpstreamStatus) -> Headers:
    return [
        (name, value) for name, value in error.headers if name in _FROM_PROVIDER or name.startswith(b"x-ratelimit-")
    ]


def _is_json_object(body: bytes) -> bool:
    try:
        return isinstance(msgspec.json.decode(body), dict)
    except (msgspec.DecodeError, RecursionError):
        return False
