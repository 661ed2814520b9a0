"""Ways to an origin: addresses that refuse or hang, Unix sockets, proxies, and the error if there is no way."""

import asyncio
import gc
import os
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from antiphon.errors import ConnectFailed, UpstreamTimeout
from antiphon.transport import happy_eyeballs as eyeballs
from antiphon.transport.connection import Connection
from antiphon.transport.connector import Connector
from antiphon.transport.limits import Limits
from antiphon.transport.proxy import ProxySettings
from antiphon.types import Origin
from transport.conftest import Authority, Client
from transport.misbehaving import Server, answer_with, write_length_answer
from transport.secure import Proxy, TlsServer, read_request

MakeClient = Callable[..., Client]
OK = write_length_answer(b"ok")


def find_refusing_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


@asynccontextmanager
async def open_hanging_port() -> AsyncIterator[int]:
    """Open a port whose backlog is full, so that another connection is never answered."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0), backlog=0) as sock:
        port = sock.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        await asyncio.sleep(0.05)
        assert loop.is_running()
        yield port
        for filler in fillers:
            filler.close()


def make_addresses(*ports: int) -> list[eyeballs.Address]:
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in ports]


async def test_a_refused_connection_is_reported(client: Client) -> None:
    origin = Origin("http", "127.0.0.1", find_refusing_port())
    with pytest.raises(ConnectFailed, match=f"{origin}.*refused"):
        await client.ask(origin)
    with pytest.raises(ConnectFailed):
        await client.transport.warm(origin, 3)


@pytest.mark.parametrize("host", ["a" * 64 + ".test", "a..b", "no host", "127.0.0.1.nowhere.invalid"])
async def test_a_host_that_does_not_exist_is_reported(client: Client, host: str) -> None:
    with pytest.raises(ConnectFailed, match="was not found"):
        await client.transport.warm(Origin("http", host, 80), 1)


async def test_a_connect_that_hangs_ends_at_its_deadline(client: Client) -> None:
    async with open_hanging_port() as port:
        with pytest.raises(UpstreamTimeout) as caught:
            await client.send(Origin("http", "127.0.0.1", port), timeout=0.15)
        assert caught.value.phase == "connect"
        assert caught.value.status == 504


async def test_closing_ends_a_connect_under_way(client: Client) -> None:
    async with open_hanging_port() as port:
        task = asyncio.ensure_future(client.send(Origin("http", "127.0.0.1", port)))
        await asyncio.sleep(0.05)
        await client.transport.close()
        with pytest.raises(ConnectFailed, match="closed"):
            await task


async def test_cancelling_ends_a_connect_under_way(client: Client) -> None:
    async with open_hanging_port() as port:
        task = asyncio.ensure_future(client.send(Origin("http", "127.0.0.1", port)))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_one_address_refuses_and_the_next_is_used_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eyeballs, "_HEAD_START_SECONDS", 3600.0)  # is not waited for after a refusal
    loop = asyncio.get_running_loop()
    async with Server(answer_with(OK)) as server:
        sock = await eyeballs.race(loop, make_addresses(find_refusing_port(), find_refusing_port(), server.origin.port))
        assert sock.getpeername()[1] == server.origin.port
        sock.close()


async def test_one_address_hangs_and_the_next_is_used() -> None:
    loop = asyncio.get_running_loop()
    async with open_hanging_port() as port, Server(answer_with(OK)) as server:
        before = asyncio.all_tasks()
        sock = await eyeballs.race(loop, make_addresses(port, server.origin.port, port))
        assert sock.getpeername()[1] == server.origin.port
        assert {task.get_coro().__name__ for task in asyncio.all_tasks() - before} <= {"_run"}  # the server's own
        sock.close()


async def test_the_first_reason_is_reported_if_every_address_fails() -> None:
    loop = asyncio.get_running_loop()
    unreachable: eyeballs.Address = (socket.AF_UNIX, socket.SOCK_STREAM, 0, "", ("no such", 1))
    with pytest.raises(ConnectionRefusedError):
        await eyeballs.race(loop, make_addresses(find_refusing_port(), find_refusing_port()))
    with pytest.raises(OSError, match=r"."):
        await eyeballs.race(loop, [*make_addresses(find_refusing_port()), unreachable][::-1][1:])


async def test_a_host_with_one_dead_address_is_reached(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Server(answer_with(OK)) as server:
        found = make_addresses(find_refusing_port(), server.origin.port)

        async def resolve(*_: object) -> list[eyeballs.Address]:
            return found

        monkeypatch.setattr(eyeballs, "_resolve_host", resolve)
        assert await client.ask(Origin("http", "provider.test", 80)) == b"ok"


def test_address_families_alternate() -> None:
    six: list[eyeballs.Address] = [(socket.AF_INET6, 1, 6, "", (name, 1, 0, 0)) for name in ("::1", "::2", "::3")]
    four = make_addresses(1)
    assert eyeballs.interleave([*six, *four]) == [six[0], four[0], six[1], six[2]]
    assert eyeballs.interleave([*four, *six]) == [four[0], *six]


async def test_sockets_send_at_once_and_keep_alive() -> None:
    async with Server(answer_with(OK)) as server:
        with await eyeballs.open_socket("127.0.0.1", server.origin.port) as sock:
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


async def test_a_unix_socket_is_an_origin(client: Client, tmp_path: Path) -> None:
    async with Server(answer_with(OK), path=str(tmp_path / "s")) as server:
        for _ in range(2):
            assert await client.ask(server.origin) == b"ok"
        assert len(server.peers) == 1
        assert b"host: localhost\r\n" in server.peers[0].seen
    with pytest.raises(ConnectFailed, match=r"No connection to unix:///"):
        await client.ask(Origin("http", "localhost", 0, str(tmp_path / "absent")))


def serve_ok(sock: socket.socket) -> None:
    while read_request(sock):
        sock.sendall(OK)


async def test_https_goes_through_the_proxy_which_reads_nothing(make_client: MakeClient, authority: Authority) -> None:
    with TlsServer(authority.good, serve_ok, host="provider.test") as server:
        async with Proxy() as proxy:
            environ = {"HTTPS_PROXY": f"http://us%65r:p%40ss@127.0.0.1:{proxy.port}"}
            client = make_client(ca_file=authority.file, environ=environ)
            for _ in range(2):
                assert await client.ask(server.origin, b"private") == b"ok"
            where = b"provider.test:%d" % server.origin.port
            assert proxy.heads == [
                b"CONNECT %b HTTP/1.1\r\nhost: %b\r\nproxy-authorization: Basic dXNlcjpwQHNz\r\n\r\n" % (where, where)
            ]
            assert b"private" not in proxy.passed
            assert b"proxy-authorization" not in server.plain.lower()
            assert server.plain.count(b"private") == 2
            await client.transport.close()


async def test_a_proxy_may_be_reached_over_tls(make_client: MakeClient, authority: Authority) -> None:
    with TlsServer(authority.good, serve_ok) as server:
        async with Proxy(context=authority.good) as proxy:
            client = make_client(ca_file=authority.file, environ={"https_proxy": f"https://127.0.0.1:{proxy.port}"})
            assert await client.ask(server.origin) == b"ok"
            assert len(proxy.heads) == 1
            await client.transport.close()


@pytest.mark.parametrize("case", ["expired", "wrong host", "self-signed"])
async def test_a_bad_certificate_is_refused_behind_a_proxy_too(
    make_client: MakeClient, authority: Authority, case: str
) -> None:
    with TlsServer(authority.bad[case], serve_ok) as server:
        async with Proxy() as proxy:
            client = make_client(ca_file=authority.file, environ={"HTTPS_PROXY": f"127.0.0.1:{proxy.port}"})
            with pytest.raises(ConnectFailed, match="certificate"):
                await client.ask(server.origin)
    assert server.plain == b""


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", "407: it requires a user name"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "403"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere.test/\r\n\r\n", "302"),
        (b"SSH-2.0-x\r\n\r\n", "did not answer in HTTP"),
        (b"HTTP/1.1 200 OK\r\nA: " + b"a" * 100_000, "more than 32768 bytes"),
        (b"HTTP/1.1 200 OK\r\n\r\nsurprise", "bytes before the tunnel"),
        (b"HTTP/1.1 2", "closed the connection"),
    ],
)
async def test_a_proxy_that_opens_no_tunnel_is_reported(
    make_client: MakeClient, authority: Authority, answer: bytes, reason: str
) -> None:
    with TlsServer(authority.good, serve_ok) as server:
        async with Proxy(answer, close=True) as proxy:
            environ = {"HTTPS_PROXY": f"http://user:secret-word@127.0.0.1:{proxy.port}"}
            client = make_client(ca_file=authority.file, environ=environ)
            with pytest.raises(ConnectFailed, match=reason) as caught:
                await client.ask(server.origin)
            assert "secret-word" not in caught.value.message
            assert proxy.passed == b""
        assert server.connections == 0


async def test_a_silent_proxy_ends_at_the_connect_deadline(make_client: MakeClient, authority: Authority) -> None:
    async with Proxy(b"") as proxy:
        client = make_client(environ={"HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}"})
        with pytest.raises(UpstreamTimeout):
            await client.send(Origin("https", "provider.test", 443), timeout=0.1)
        await proxy.left.wait()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("socks5://user:secret-word@127.0.0.1:1", "http://host:port"),
        ("http://user:secret-word@127.0.0.1:port", "http://host:port"),
        ("http://", "http://host:port"),
        ("http://user:secret-word@[::1", "http://host:port"),
        ("http://user:secret-word@127.0.0.1:REFUSING", "No connection to the proxy"),
    ],
)
async def test_an_unusable_proxy_is_reported_without_its_credential(
    make_client: MakeClient, url: str, reason: str
) -> None:
    client = make_client(environ={"HTTPS_PROXY": url.replace("REFUSING", str(find_refusing_port()))})
    with pytest.raises(ConnectFailed, match=reason) as caught:
        await client.ask(Origin("https", "provider.test", 443))
    assert "secret-word" not in caught.value.message


@pytest.mark.parametrize(
    ("listed", "host", "direct"),
    [
        ("", "api.provider.test", False),
        ("*", "api.provider.test", True),
        ("provider.test", "api.provider.test", True),
        ("provider.test", "provider.test", True),
        (".provider.test", "api.provider.test", True),
        ("*.provider.test", "api.provider.test", True),
        ("API.Provider.TEST", "api.provider.test", True),
        ("provider.test", "notprovider.test", False),
        ("other.test, api.provider.test ,", "api.provider.test", True),
        ("api.provider.test:443", "api.provider.test", True),
        ("api.provider.test:8443", "api.provider.test", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.0.0.0/8", "api.provider.test", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("::1", "::1", True),
        ("[::1]:443", "::1", True),
        ("fd00::/8", "fd12::1", True),
        ("api.provider.test", "api.provider.test.", True),
    ],
)
def test_no_proxy_lists_the_hosts_that_are_reached_directly(listed: str, host: str, direct: bool) -> None:
    proxies = ProxySettings({"HTTPS_PROXY": "http://proxy.test:3128", "NO_PROXY": listed})
    assert (proxies.find_proxy(Origin("https", host, 443)) is None) is direct


def test_only_https_goes_through_the_proxy() -> None:
    proxies = ProxySettings({"HTTPS_PROXY": "http://proxy.test:3128"})
    assert proxies.find_proxy(Origin("http", "api.provider.test", 80)) is None
    assert proxies.find_proxy(Origin("https", "api.provider.test", 443, "/run/socket")) is None
    assert str(proxies.find_proxy(Origin("https", "api.provider.test", 443))) == "http://proxy.test:3128"
    assert ProxySettings({}).find_proxy(Origin("https", "api.provider.test", 443)) is None


class Owner:
    """Keeps nothing."""

    def on_open(self, connection: Connection) -> None: ...

    def put(self, connection: Connection) -> None: ...

    def drop(self, connection: Connection) -> None: ...

    def on_close(self, connection: Connection) -> None: ...


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_connection_that_is_reset_at_once_is_closed_once(scheme: str) -> None:
    """Its descriptor may belong to another socket soon: then nobody may close it."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        origin = Origin(scheme, *listener.getsockname())

        def make() -> Connection:
            peer, _ = listener.accept()
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.close()
            return Connection(origin, Owner(), Limits(), memoryview(bytearray(1 << 16)), loop)

        counts = []
        connector = Connector(None, {}, 1 << 16)
        for _ in range(5):
            with suppress(ConnectFailed):
                await connector.connect(origin, make, 5.0)
                assert scheme == "http", "there was no handshake"
            others = [socket.socket() for _ in range(4)]
            gc.collect()
            await asyncio.sleep(0.01)
            for other in others:
                os.fstat(other.fileno())
                other.close()
            counts.append(len(list(Path("/dev/fd").iterdir())))
        assert counts[-1] == counts[0]
