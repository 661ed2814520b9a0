"""Reads the credential of a request; with ``auth: open``, checks that no foreign web page sent the request."""

import re
from collections.abc import Sequence
from ipaddress import ip_address

from antiphon.errors import BadRequest, Forbidden, Unauthorized
from antiphon.types import Caller

Fields = Sequence[tuple[bytes, bytes]]

OPEN = Caller(key_id="", name="open")
"""The caller of every request with ``auth: open``, and of routes that need nothing."""

_CREDENTIALS = frozenset((b"authorization", b"api-key", b"x-api-key", b"x-goog-api-key", b"proxy-authorization"))
_ORIGIN = re.compile(r"https?://(.+)", re.IGNORECASE)
_HOW = "send one header field: Authorization: Bearer <key>"
_IN_URL = re.compile(rb"(?:^|&)(?:key|api[-_]?key|access_token)=")
_PLAIN = frozenset((b"api-key", b"x-api-key", b"x-goog-api-key"))
"""Header fields in which the clients of other wires send their key, without a scheme."""


def read_credential(fields: Fields, query: bytes = b"") -> bytes:
    """Return the key of a request: a bearer token, or the value of a header field that another wire's clients use.

    Raises :class:`~antiphon.errors.Unauthorized` if there is no credential, and :class:`~antiphon.errors.BadRequest` if
    there are several: a proxy and this server could then see two different callers.
    """
    found = [field for field in fields if field[0] in _CREDENTIALS]
    if len(found) > 1:
        raise BadRequest(f"The request carries {len(found)} credentials; {_HOW}.", code="several_credentials")
    if found and found[0][0] in _PLAIN and (token := found[0][1].strip(b" \t")):
        return token
    if not found or found[0][0] != b"authorization":
        where = " in its header, and one in a URL ends up in logs" if _IN_URL.search(query) else ""
        raise Unauthorized(f"The request carries no key{where}; {_HOW}.", code="missing_api_key")
    scheme, _, token = found[0][1].strip(b" \t").partition(b" ")
    token = token.lstrip(b" ")
    if scheme.lower() != b"bearer" or not token:
        raise Unauthorized(f"The Authorization header field is not a bearer token; {_HOW}.", code="missing_api_key")
    return token


def check_local(fields: Fields, port: int) -> None:
    """Check that no foreign web page can have sent a request: its Host is this machine and port, its Origin is local.

    Raises :class:`~antiphon.errors.Forbidden`. A page whose name was made to resolve to 127.0.0.1 still sends its own
    name as Host, and a page of another site sends its own Origin.
    """
    host = origin = None
    for name, value in fields:
        if name == b"host":
            host = value.strip(b" \t").decode("latin-1")
        elif name == b"origin":
            origin = value.strip(b" \t").decode("latin-1")
    hostname, found = split_port(host or "")
    if not is_loopback(hostname) or (found or "80") != str(port):
        raise Forbidden(
            f"With auth: open, the Host must be this machine's loopback address and port {port}.",
            code="host_not_allowed",
        )
    if origin is not None and not _is_local_origin(origin):
        raise Forbidden("With auth: open, only web pages of this machine may call.", code="origin_not_allowed")


def is_loopback(host: str) -> bool:
    """Return whether a name or address, with or without brackets, is a loopback address."""
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if bare.lower() == "localhost":
        return True
    try:
        return ip_address(bare).is_loopback
    except ValueError:
        return False


def split_port(host: str) -> tuple[str, str]:
    """Return the name and the port of a Host value; the port is empty if there is none."""
    if host.startswith("[") or host.count(":") == 1:
        name, _, port = host.rpartition(":")
        if name and not port.endswith("]"):
            return name, port
    return host, ""


def _is_local_origin(origin: str) -> bool:
    match = _ORIGIN.fullmatch(origin)
    return match is not None and is_loopback(split_port(match[1])[0])
