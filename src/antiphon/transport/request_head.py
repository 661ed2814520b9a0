"""Request heads: the request line and the header lines, checked once, so that no value can smuggle a second request.

A head is built when the configuration or a call brings new values, and is then written unchanged. On the way to the
socket only its line ends are checked again.
"""

import re
from collections.abc import Iterable

from antiphon.errors import TransportMisuse
from antiphon.types import Origin

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch  # RFC 9110, 5.6.2
_TARGET = re.compile(rb"/[!\"$-~]*").fullmatch  # origin-form: visible ASCII, no fragment
_VALUE = re.compile(rb"[\t -~\x80-\xff]*").fullmatch  # RFC 9110, 5.5: no control character but the tab

_OURS = frozenset(
    (
        b"connection",
        b"content-length",
        b"expect",
        b"keep-alive",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
"""Fields of the connection or of the framing, which only the transport writes (RFC 9110, 7.6.1)."""

_DEFAULT_PORT = {"http": 80, "https": 443}


def build_head(method: str, target: str, headers: Iterable[tuple[str | bytes, str | bytes]], origin: Origin) -> bytes:
    """Return the ``head`` of a :class:`~antiphon.transport.interface.Request`; ``host`` is added if it is not given.

    ``target`` is path and query as they are sent (percent-encoded). Raises :class:`~antiphon.errors.TransportMisuse` if
    a part cannot be written safely; the message never shows a value, because values may be credentials.
    """
    path = _encode_ascii(target, "the request target")
    if not _TARGET(path):
        raise TransportMisuse(
            "The request target must be a path that starts with '/', percent-encoded, without spaces, control"
            " characters or a fragment."
        )
    if not _TOKEN(_encode_ascii(method, "the method")):
        raise TransportMisuse("The request method is not a token (RFC 9110, 5.6.2).")
    fields = [_encode_field(name, value) for name, value in headers]
    hosts = sum(name == b"host" for name, _ in fields)
    if hosts > 1:
        raise TransportMisuse("A request has exactly one 'host' header; the headers name several.")
    if not hosts:
        fields.insert(0, (b"host", write_host(origin)))
    lines = [b"%b %b HTTP/1.1" % (method.encode("ascii"), path)]
    lines += [b"%b: %b" % field for field in fields]
    return b"\r\n".join(lines) + b"\r\n"


def write_host(origin: Origin) -> bytes:
    """Return the value of the ``host`` header for ``origin``; a port that the scheme implies is omitted."""
    name = origin.host or "localhost"
    if ":" in name:
        name = f"[{name}]"
    if not origin.path and origin.port != _DEFAULT_PORT.get(origin.scheme):
        name = f"{name}:{origin.port}"
    host = _encode_ascii(name, "the host")
    if not _VALUE(host) or b" " in host:
        raise TransportMisuse("The host of the origin has characters that no host has.")
    return host


def _encode_field(name: str | bytes, value: str | bytes) -> tuple[bytes, bytes]:
    field = _encode_ascii(name, "a header name").lower()
    if not _TOKEN(field):
        raise TransportMisuse(f"Header name {name!r} is not a token (RFC 9110, 5.6.2).")
    if field in _OURS:
        raise TransportMisuse(f"Header {name!r} belongs to the connection: the transport writes it, no caller does.")
    content = _encode_ascii(value, f"the value of header {name!r}").strip(b" \t")
    if not _VALUE(content):
        raise TransportMisuse(f"The value of header {name!r} has a line end or another control character.")
    return field, content


def _encode_ascii(value: str | bytes, what: str) -> bytes:
    if isinstance(value, bytes):
        return value
    try:
        return value.encode("ascii")
    except UnicodeEncodeError:
        pass
    raise TransportMisuse(f"Non-ASCII characters in {what}: encode them first.")
