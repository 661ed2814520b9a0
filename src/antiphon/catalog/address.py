"""Base URLs: the address of a provider, and the path prefix of its API."""

from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

import msgspec

from antiphon.types import Origin

SCHEMES: Mapping[str, int] = {"http": 80, "https": 443}
"""Schemes that a configuration may use, with their default ports; ``unix`` is HTTP over a socket file."""


class Address(msgspec.Struct, frozen=True):
    """An origin and the path prefix of its API (``""`` or ``/…`` without a trailing slash)."""

    origin: Origin
    prefix: str = ""

    def __str__(self) -> str:
        if self.origin.path:
            return f"unix://{self.origin.path}" + (f":{self.prefix}" if self.prefix else "")
        host = f"[{self.origin.host}]" if ":" in self.origin.host else self.origin.host
        port = "" if self.origin.port == SCHEMES.get(self.origin.scheme, 0) else f":{self.origin.port}"
        return f"{self.origin.scheme}://{host}{port}{self.prefix}"


def parse_address(text: str, schemes: Mapping[str, int] | None = SCHEMES) -> Address:
    """Return the address in ``text``; raises ``ValueError`` with the problem, which never repeats a credential.

    ``unix:///run/x.sock`` is a socket file, ``unix:///run/x.sock:/v1`` one with a path prefix. ``schemes`` ``None``
    allows any scheme, for the catalog's own rows.
    """
    if not text:
        raise ValueError("is empty")
    if any(ord(char) <= 32 or ord(char) == 127 for char in text):
        raise ValueError("contains a space or a control character")
    if not text.isascii():
        raise ValueError("contains characters outside ASCII; write an international host in its xn-- form")
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError as error:
        raise ValueError(f"is not a URL ({error})") from None
    if url.scheme == "unix" and schemes is not None:
        return _parse_socket(url)
    if schemes is not None and url.scheme not in schemes:
        raise ValueError("must start with http://, https:// or unix://")
    if url.username is not None or url.password is not None:
        raise ValueError("contains a credential; put it into api_key or headers instead")
    if url.query or url.fragment or "?" in text or "#" in text:
        raise ValueError("contains a query or a fragment; an address ends with its path")
    if not url.hostname:
        raise ValueError("names no host")
    if port == 0:
        raise ValueError("names port 0")
    default = (schemes or SCHEMES).get(url.scheme, 0)
    return Address(Origin(url.scheme, url.hostname, port or default), url.path.rstrip("/"))


def _parse_socket(url: SplitResult) -> Address:
    if url.netloc or not url.path.startswith("/"):
        raise ValueError("must have the form unix:///path/to.sock, with three slashes")
    if url.query or url.fragment:
        raise ValueError("contains a query or a fragment; an address ends with its path")
    path, colon, prefix = url.path.partition(":")
    if colon and not prefix.startswith("/"):
        raise ValueError("has a colon that is not followed by a path such as :/v1")
    return Address(Origin("http", "localhost", 80, path), prefix.rstrip("/"))


def is_loopback(host: str) -> bool:
    """Say whether a server bound to ``host`` can only be reached from this machine."""
    return host.lower() == "localhost" or host == "::1" or _is_loopback_v4(host)


def _is_loopback_v4(host: str) -> bool:
    parts = host.split(".")
    return len(parts) == 4 and parts[0] == "127" and all(part.isdigit() and int(part) < 256 for part in parts)
