"""Request heads: the request line and header lines, checked once, so that no value can smuggle a second request.

A head is built when the configuration or a call brings new values, and then written as it is; nothing on the way to the
socket looks at it again but for its line ends.
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
"""Fields of the connection or of the framing: the transport's own to write (RFC 9110, 7.6.1)."""

_DEFAULT_PORT = {"http": 80, "https": 443}


def build_head(method: str, target: str, headers: Iterable[tuple[str | bytes, str | bytes]], origin: Origin) -> bytes:
    """Return the ``head`` of a :class:`~antiphon.transport.seam.Request`, with ``host`` added where it is not given.

    ``target`` is path and query as they go on the wire (percent-encoded). Raises
    :class:`~antiphon.errors.TransportMisuse` where a part cannot be written safely; the message never shows a value,
    because values may be credentials.
    """
    path = _wire(target, "the request target")
    if not _TARGET(path):
        raise TransportMisuse(
            "The request target must be a path that starts with '/', percent-encoded, without spaces, control"
            " characters or a fragment."
        )
    if not _TOKEN(_wire(method, "the method")):
        raise TransportMisuse("The request method is not a token (RFC 9110, 5.6.2).")
    fields = [_field(name, value) for name, value in headers]
    hosts = sum(name == b"host" for name, _ in fields)
    if hosts > 1:
        raise TransportMisuse("A request has exactly one 'host' header; the headers name several.")
    if not hosts:
        fields.insert(0, (b"host", host_of(origin)))
    lines = [b"%b %b HTTP/1.1" % (method.encode("ascii"), path)]
    lines += [b"%b: %b" % field for field in fields]
    return b"\r\n".join(lines) + b"\r\n"


def host_of(origin: Origin) -> bytes:
    """Return the value of the ``host`` header for ``origin``; a port that the scheme implies is left out."""
    name = origin.host or "localhost"
    if ":" in name:
        name = f"[{name}]"
    if not origin.path and origin.port != _DEFAULT_PORT.get(origin.scheme):
        name = f"{name}:{origin.port}"
    host = _wire(name, "the host")
    if not _VALUE(host) or b" " in host:
        raise TransportMisuse("The host of the origin has characters that no host has.")
    return host


def _field(name: str | bytes, value: str | bytes) -> tuple[bytes, bytes]:
    field = _wire(name, "a header name").lower()
    if not _TOKEN(field):
        raise TransportMisuse(f"Header name {name!r} is not a token (RFC 9110, 5.6.2).")
    if field in _OURS:
        raise TransportMisuse(f"Header {name!r} belongs to the connection: the transport writes it, no caller does.")
    content = _wire(value, f"the value of header {name!r}").strip(b" \t")
    if not _VALUE(content):
        raise TransportMisuse(f"The value of header {name!r} has a line end or another control character.")
    return field, content


def _wire(value: str | bytes, what: str) -> bytes:
    if isinstance(value, bytes):
        return value
    try:
        return value.encode("ascii")
    except UnicodeEncodeError:
        pass
    raise TransportMisuse(f"Non-ASCII characters in {what}: encode them first.")
