"""Error answers in the form that the clients of a wire expect: body, status and headers."""

import math

import msgspec

from antiphon.clock import make_id
from antiphon.errors import CallError, MethodNotAllowed, UpstreamStatus
from antiphon.wires import Wire, get_wire

Headers = list[tuple[bytes, bytes]]

_JSON = (b"content-type", b"application/json")


def write_error_body(error: CallError) -> bytes:
    """Return the body of an error that occurs before the path is known."""
    return get_wire("chat").write_error_body(error)


def make_error_answer(error: CallError, wire: Wire) -> tuple[int, Headers, bytes]:
    """Return the status, the headers (without framing) and the body for an error that ends a request.

    A provider's error keeps its status and, if its body is a JSON object, its body. An error without a call id gets a
    request id.
    """
    headers = [_JSON, *wire.list_error_headers(error)]
    body = b""
    if isinstance(error, UpstreamStatus):
        headers += error.headers
        body = error.body if _is_json_object(error.body) else b""
    if error.retry_after is not None and not any(name == b"retry-after" for name, _ in headers):
        headers.append((b"retry-after", b"%d" % math.ceil(max(error.retry_after, 0))))
    if error.status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="antiphon"'))
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", ", ".join(error.allowed).encode()))
    if error.call_id:
        headers.append((b"x-antiphon-call-id", error.call_id.encode()))
        if error.attempts:
            headers.append((b"x-antiphon-target", error.target.encode()))
            headers.append((b"x-antiphon-attempts", b"%d" % error.attempts))
    else:
        error.call_id = make_id("req")  # the request did not become a call
    if not any(name == wire.request_id_header for name, _ in headers):
        headers.append((wire.request_id_header, error.call_id.encode()))
    return error.status, headers, body or wire.write_error_body(error)


def _is_json_object(body: bytes) -> bool:
    try:
        return isinstance(msgspec.json.decode(body), dict)
    except (msgspec.DecodeError, RecursionError):
        return False
