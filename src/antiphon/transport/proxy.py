"""HTTPS_PROXY and NO_PROXY: which connections go through a proxy, and the tunnel through it.

Only ``https`` origins are tunnelled (by CONNECT). The traffic is encrypted, so the proxy sees a host and a port, and no
credential of a provider. A credential in the proxy's URL is sent only to the proxy.
"""

import asyncio
import base64
import ipaddress
import urllib.parse
from collections.abc import Mapping

import httptools

from antiphon.errors import ConnectFailed
from antiphon.types import Origin, Secret

_BLANK = b"\r\n\r\n"
_PORTS = {"http": 80, "https": 443}


class Proxy:
    """The address of a proxy, and the credential for it, if there is one."""

    __slots__ = ("authorization", "host", "port", "scheme")

    def __init__(self, scheme: str, host: str, port: int, authorization: Secret | None) -> None:
        self.scheme, self.host, self.port, self.authorization = scheme, host, port, authorization

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"


class ProxySettings:
    """The proxy variables of an environment, read once. Lower-case names take precedence, as in curl."""

    __slots__ = ("_exceptions", "_proxy", "_url")

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._url = Secret(environ.get("https_proxy") or environ.get("HTTPS_PROXY") or "")
        self._proxy: Proxy | None = None
        listed = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
        self._exceptions = tuple(entry.strip().lower() for entry in listed.split(",") if entry.strip())

    def find_proxy(self, origin: Origin) -> Proxy | None:
        """Return the proxy for ``origin``; raises ``ConnectFailed`` if the variable's URL cannot be used."""
        if origin.scheme != "https" or origin.path or not self._url or self._is_direct(origin):
            return None
        if self._proxy is None:
            self._proxy = _parse_url(self._url.reveal())
        return self._proxy

    def _is_direct(self, origin: Origin) -> bool:
        host = origin.host.lower().rstrip(".")
        return any(_is_match(entry, host, origin.port) for entry in self._exceptions)


class Tunnel(asyncio.Protocol):
    """Asks a proxy for a tunnel; when ``ready`` is done, all further bytes belong to the origin."""

    transport: asyncio.WriteTransport

    def __init__(self, proxy: Proxy, origin: Origin, limit: int, loop: asyncio.AbstractEventLoop) -> None:
        self.ready: asyncio.Future[None] = loop.create_future()
        self._proxy, self._origin, self._limit = proxy, origin, limit
        self._request = _connect_head(proxy, origin)
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if self.ready.done():
            return
        self._head += data
        end = self._head.find(_BLANK) + len(_BLANK)
        if end < len(_BLANK):
            if len(self._head) > self._limit:
                self._refuse(f"answered with a head of more than {self._limit} bytes")
        elif end != len(self._head):
            self._refuse("sent bytes before the tunnel was in use")
        else:
            self._judge(self._head)

    def connection_lost(self, exc: Exception | None) -> None:
        self._refuse("closed the connection before the tunnel was open")

    def _judge(self, head: bytes) -> None:
        parser = httptools.HttpResponseParser(self)
        try:
            parser.feed_data(head)
            status = parser.get_status_code()
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._refuse("did not answer in HTTP/1.1")
            return
        if 200 <= status <= 299:
            self.ready.set_result(None)
        else:
            self._refuse(f"answered with status {status}{_ADVICE.get(status, '')}")

    def _refuse(self, how: str) -> None:
        if not self.ready.done():
            self.ready.set_exception(
                ConnectFailed(f"No tunnel to {self._origin} through the proxy {self._proxy} (HTTPS_PROXY): it {how}.")
            )


_ADVICE = {
    403: ": it does not allow this host",
    407: ": it requires a user name and password, which belong in the URL in HTTPS_PROXY",
}


def _connect_head(proxy: Proxy, origin: Origin) -> bytes:
    host = f"[{origin.host}]" if ":" in origin.host else origin.host.encode("idna").decode("ascii")
    where = f"{host}:{origin.port}"
    lines = [f"CONNECT {where} HTTP/1.1", f"host: {where}"]
    if proxy.authorization is not None:
        lines.append(f"proxy-authorization: {proxy.authorization.reveal()}")
    return "\r\n".join(lines).encode("ascii") + _BLANK


def _parse_url(url: str) -> Proxy:
    try:
        parts = urllib.parse.urlsplit(url if "://" in url else f"http://{url}")
        port = parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError):
        port = 0
    if not port or not parts.hostname or parts.scheme not in _PORTS:
        raise ConnectFailed(
            "HTTPS_PROXY is not the URL of a proxy that can be used: http://host:port or https://… was expected."
        )
    authorization = None
    if parts.username is not None:
        pair = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        authorization = Secret("Basic " + base64.b64encode(pair.encode()).decode("ascii"))
    return Proxy(parts.scheme, parts.hostname, port, authorization)


def _is_match(entry: str, host: str, port: int) -> bool:
    """Return whether an entry of NO_PROXY (name, .suffix, address, network, each with optional port) names a host."""
    if entry == "*":
        return True
    if "/" in entry:
        return _in_network(entry, host)
    name, _, digits = entry.rpartition(":")
    if digits.isdigit() and (name.count(":") == 0 or name.endswith("]")):
        if int(digits) != port:
            return False
        entry = name
    entry = entry.strip("[]").lstrip("*").lstrip(".")
    return host == entry or host.endswith(f".{entry}")


def _in_network(entry: str, host: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False
