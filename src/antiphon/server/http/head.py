"""Checks a request head before anything runs for it: RFC 9110, RFC 9112 and the limits. No I/O.

The parser (llhttp in strict mode) has already refused violations of the grammar: bare CR or LF, NUL, folded fields, a
space before a colon, and ``Content-Length`` twice, malformed or beside ``Transfer-Encoding``. This module checks the
rest.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from antiphon.errors import BadRequest, TooLarge
from antiphon.server.http.limits import Limits

Fields = list[tuple[bytes, bytes]]

CHUNKED = -1

# RFC 3986 host (registered name, IPv4 or bracketed IPv6) and an optional port.
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+)(?::[0-9]{0,5})?")
_ABSOLUTE = re.compile(rb"https?://([^/?#]*)([^?#]*)(?:\?([^#]*))?", re.IGNORECASE)
_SINGLE = frozenset((b"host", b"content-length", b"transfer-encoding", b"content-encoding", b"content-type"))
_OWS = b" \t"


class Head(NamedTuple):
    """An accepted head. ``length`` is the content's length, or :data:`CHUNKED`; ``coding`` is its encoding."""

    path: bytes
    query: bytes
    length: int
    expects: bool
    coding: bytes


def examine(method: bytes, target: bytes, version: str, fields: Fields, limits: Limits) -> Head:
    """Return the parts of a head that framing and routing need; its field names must be lower case.

    If the target is absolute, its authority replaces the ``host`` field (RFC 9112, 3.2.2). Raises
    :class:`~antiphon.errors.BadRequest` with the status to answer; the connection cannot be used afterwards.
    """
    if version not in ("1.1", "1.0"):
        raise _refuse_version(version)
    if len(fields) > limits.fields:
        raise refuse_large_head(f"more than {limits.fields} header fields")
    values = dict(fields)
    if len(values) != len(fields):
        _refuse_duplicates(fields)
    path, query = _read_target(method, target, fields)
    host = values.get(b"host")
    if host is None or not _is_host(host):
        _refuse_host(host, version)
    length = _read_length(values, version, limits)
    expects = b"expect" in values and _read_expectation(values, version)
    return Head(path, query, length, expects, values.get(b"content-encoding", b""))


def measure(target: bytes, fields: Fields) -> int:
    """Return the size of a head in bytes in its shortest form, without method and version."""
    return len(target) + sum([len(name) + len(value) + 4 for name, value in fields])


def refuse_large_head(problem: str) -> BadRequest:
    """Return the error for a head over a limit."""
    return BadRequest(f"The request head has {problem}.", status=431, code="request_header_fields_too_large")


def refuse_long_line(limits: Limits) -> BadRequest:
    """Return the error for a request line over the limit."""
    message = f"The request line is longer than {limits.request_line} bytes."
    return BadRequest(message, status=414, code="uri_too_long")


def _refuse_version(version: str) -> BadRequest:
    if version == "0.9":
        return BadRequest("The request line has no HTTP version; send HTTP/1.1.", code="malformed_request")
    message = f"HTTP/{version} is not supported; send HTTP/1.1."
    return BadRequest(message, status=505, code="http_version_not_supported")


def _refuse_duplicates(fields: Fields) -> None:
    seen = set()
    for name, _ in fields:
        if name in seen and name in _SINGLE:
            raise BadRequest(f"The header field {name.decode()} occurs more than once.", code="malformed_request")
        seen.add(name)


def _read_target(method: bytes, target: bytes, fields: Fields) -> tuple[bytes, bytes]:
    if target[:1] == b"/" and target.find(b"#") < 0:
        path, _, query = target.partition(b"?")
        return path, query
    if target == b"*" and method == b"OPTIONS":
        return target, b""
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None or not _HOST.fullmatch(absolute[1]):
        raise BadRequest("The request target is neither a path nor an http URL.", code="malformed_request")
    for index, (name, value) in enumerate(fields):
        if name == b"host":
            if not _is_host(value):
                _refuse_host(value, "1.1")
            fields[index] = (b"host", absolute[1])
    return absolute[2] or b"/", absolute[3] or b""


@lru_cache(maxsize=64)
def _is_host(value: bytes) -> bool:
    return _HOST.fullmatch(value.strip(_OWS)) is not None


def _refuse_host(host: bytes | None, version: str) -> None:
    """Raise for a ``host`` that is no host, and for a missing one except in HTTP/1.0."""
    if host is not None:
        raise BadRequest("The header field host is not a host and an optional port.", code="malformed_request")
    if version != "1.0":
        raise BadRequest("The header field host is missing (RFC 9112, 3.2).", code="malformed_request")


def _read_length(values: dict[bytes, bytes], version: str, limits: Limits) -> int:
    coding = values.get(b"transfer-encoding")
    if coding is not None:
        if version == "1.0" or coding.lower() != b"chunked":
            raise BadRequest(
                "The only supported transfer-encoding is chunked, over HTTP/1.1.", code="malformed_request"
            )
        return CHUNKED
    length = int(values.get(b"content-length", b"0"))
    if length > limits.body:
        raise refuse_large_body(limits)
    return length


def refuse_large_body(limits: Limits) -> TooLarge:
    """Return the error for content over the limit."""
    return TooLarge(f"The request body is larger than the limit of {limits.body} bytes (server.body_limit).")


def _read_expectation(values: dict[bytes, bytes], version: str) -> bool:
    if version == "1.0":
        return False
    if values[b"expect"].strip(_OWS).lower() != b"100-continue":
        message = "The only supported expectation is 100-continue."
        raise BadRequest(message, status=417, code="expectation_failed")
    return True
