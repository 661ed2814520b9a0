"""Connects to an origin: TCP, Unix socket, TLS, a tunnel through a proxy. Every failure is one error that says where.

TLS is always verified: the chain against the system's trust and a CA file if there is one, and the name against the
origin's host. It cannot be switched off.
"""

import asyncio
import os
import socket
import ssl
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from antiphon.errors import ConnectFailed, UpstreamTimeout
from antiphon.transport.connection import Connection
from antiphon.transport.happy_eyeballs import open_socket
from antiphon.transport.proxy import Proxy, ProxySettings, Tunnel
from antiphon.types import Origin

P = TypeVar("P", bound=asyncio.BaseProtocol)

_TLS_CLOSE_SECONDS = 2.0
"""Seconds that a TLS peer has to answer our ``close_notify``."""


class Connector:
    """Opens connections. The TLS context is made for the first ``https`` origin and kept."""

    __slots__ = ("_ca_file", "_context", "_head_limit", "_proxies")

    def __init__(self, ca_file: str | None, environ: Mapping[str, str] | None, head_limit: int) -> None:
        self._ca_file = ca_file
        self._context: ssl.SSLContext | None = None
        self._proxies = ProxySettings(os.environ if environ is None else environ)
        self._head_limit = head_limit

    async def connect(self, origin: Origin, make: Callable[[], Connection], timeout: float) -> Connection:
        """Return a connection that is ready for a request.

        Raises :class:`~antiphon.errors.ConnectFailed`, or :class:`~antiphon.errors.UpstreamTimeout` (phase ``connect``)
        after ``timeout`` seconds, which cover everything: look-up, TCP, proxy, TLS.
        """
        deadline = asyncio.timeout(timeout)
        try:
            async with deadline:
                return await self._open(origin, make)
        except ssl.SSLCertVerificationError as error:
            raise ConnectFailed(
                f"The certificate of {origin} was refused: {error.verify_message.rstrip('.')}. Nothing was sent. If"
                " your own authority signed it, name that authority's certificate as the CA file."
            ) from None
        except ssl.SSLError as error:
            raise ConnectFailed(f"No TLS with {origin}: {error.reason or error}. Nothing was sent.") from None
        except UnicodeError:
            raise ConnectFailed(f"The host of {origin} was not found: it is not a host name.") from None
        except socket.gaierror as error:
            raise ConnectFailed(f"The host of {origin} was not found: {error.strerror or error}.") from None
        except OSError as error:
            if isinstance(error, TimeoutError) and deadline.expired():
                raise UpstreamTimeout(
                    f"No connection to {origin} within {timeout:g} s (connect deadline).", phase="connect"
                ) from None
            raise ConnectFailed(f"No connection to {origin}: {_describe_error(error)}.") from None

    async def _open(self, origin: Origin, make: Callable[[], Connection]) -> Connection:
        loop = asyncio.get_running_loop()
        tls = self._make_tls_options(origin)
        if origin.path:
            _, connection = await loop.create_unix_connection(make, origin.path, **tls)
            return connection
        proxy = self._proxies.find_proxy(origin)
        if proxy is not None:
            return await self._open_tunnel(loop, origin, proxy, make)
        sock = await open_socket(origin.host, origin.port)
        return await _wrap_socket(loop, sock, make, tls)

    async def _open_tunnel(
        self, loop: asyncio.AbstractEventLoop, origin: Origin, proxy: Proxy, make: Callable[[], Connection]
    ) -> Connection:
        try:
            sock = await open_socket(proxy.host, proxy.port)
        except OSError as error:
            raise ConnectFailed(
                f"No connection to the proxy {proxy} (HTTPS_PROXY): {_describe_error(error)}."
            ) from None
        outer = self._make_tls_options(Origin(proxy.scheme, proxy.host, proxy.port))
        tunnel = await _wrap_socket(loop, sock, lambda: Tunnel(proxy, origin, self._head_limit, loop), outer)
        try:
            await tunnel.ready
            connection = make()
            inner = self._make_tls_options(origin)
            transport = await loop.start_tls(tunnel.transport, connection, inner.pop("ssl"), **inner)
        except BaseException:
            tunnel.transport.abort()
            raise
        assert transport is not None
        connection.connection_made(transport)
        return connection

    def _make_tls_options(self, origin: Origin) -> dict[str, Any]:
        """Return the arguments of ``create_connection`` for the scheme of ``origin``."""
        if origin.scheme != "https":
            return {}
        if self._context is None:
            self._context = self._make_context()
        return {"ssl": self._context, "server_hostname": origin.host, "ssl_shutdown_timeout": _TLS_CLOSE_SECONDS}

    def _make_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.set_alpn_protocols(["http/1.1"])
        if self._ca_file is not None:
            try:
                context.load_verify_locations(self._ca_file)
            except OSError as error:
                reason = _describe_error(error)
                raise ConnectFailed(
                    f"The CA file {self._ca_file} cannot be used: {reason}. PEM certificates were expected."
                ) from None
        return context


async def _wrap_socket(
    loop: asyncio.AbstractEventLoop, sock: socket.socket, make: Callable[[], P], tls: dict[str, Any]
) -> P:
    inode = os.fstat(sock.fileno()).st_ino
    try:
        _, protocol = await loop.create_connection(make, sock=sock, **tls)
    except BaseException:
        _release(sock, inode)
        sock.close()
        raise
    _release(sock, inode)
    return protocol


def _release(sock: socket.socket, inode: int) -> None:
    """Forget the descriptor of a socket that the loop has closed, so that nobody closes it again.

    If the peer resets the connection before uvloop has attached the socket to its transport, uvloop closes only the
    descriptor. The socket would close it again later, when the descriptor may belong to another connection.
    """
    try:
        if os.fstat(sock.fileno()).st_ino == inode:
            return
    except OSError:
        pass
    sock.detach()


def _describe_error(error: OSError) -> str:
    if error.errno is not None and error.errno > 0:  # a resolver's numbers are negative
        return os.strerror(error.errno)
    return error.strerror or str(error) or type(error).__name__
