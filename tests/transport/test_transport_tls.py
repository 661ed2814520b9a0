"""TLS is always verified, its end differs from a cut, and nothing is sent if a certificate is refused."""

import asyncio
import ssl
from collections.abc import Callable

import pytest

from antiphon.errors import ConnectFailed, Truncated, UpstreamTimeout
from transport.conftest import Authority, Client
from transport.misbehaving import Peer, Server, wait_until, write_close_answer, write_length_answer
from transport.secure import TlsServer, cut, end_in_order, read_request

MakeClient = Callable[..., Client]


def answer_with(answer: bytes, end: Callable[[ssl.SSLSocket], None] | None = None) -> Callable[[ssl.SSLSocket], None]:
    def serve(sock: ssl.SSLSocket) -> None:
        while read_request(sock):
            sock.sendall(answer)
            if end is not None:
                end(sock)
                return

    return serve


@pytest.mark.parametrize(
    ("case", "reason"),
    [("expired", "expired"), ("wrong host", "127.0.0.1"), ("self-signed", "self.signed|unable to get local issuer")],
)
async def test_a_bad_certificate_is_refused_before_a_byte_is_sent(
    make_client: MakeClient, authority: Authority, case: str, reason: str
) -> None:
    client = make_client(ca_file=authority.file)
    with TlsServer(authority.bad[case], answer_with(write_length_answer(b"x"))) as server:
        with pytest.raises(ConnectFailed, match=reason) as caught:
            await client.ask(server.origin)
        assert str(server.origin) in caught.value.message
    assert server.connections == 1
    assert server.plain == b""


async def test_a_private_authority_is_not_trusted_by_default(client: Client, authority: Authority) -> None:
    serve = answer_with(write_length_answer(b"x"))
    with TlsServer(authority.good, serve) as server, pytest.raises(ConnectFailed, match="CA file"):
        await client.ask(server.origin)
    assert server.plain == b""


async def test_a_private_authority_is_trusted_if_configured_and_connections_are_kept(
    make_client: MakeClient, authority: Authority
) -> None:
    client = make_client(ca_file=authority.file)
    with TlsServer(authority.good, answer_with(write_length_answer(b"x"))) as server:
        for _ in range(3):
            assert await client.ask(server.origin, b"a body") == b"x"
        assert server.connections == 1
        assert server.plain.count(b"a body") == 3
        await client.transport.close()


async def test_a_private_authority_is_trusted_beside_those_of_the_system(
    make_client: MakeClient,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    system = Authority(tmp_path_factory.mktemp("system"))
    monkeypatch.setenv("SSL_CERT_FILE", system.file)
    client = make_client(ca_file=authority.file)
    for trusted in (system, authority):
        with TlsServer(trusted.good, answer_with(write_length_answer(b"x"))) as server:
            assert await client.ask(server.origin) == b"x"


@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_a_ca_file_that_cannot_be_used_is_named(
    make_client: MakeClient, authority: Authority, tmp_path_factory: pytest.TempPathFactory, content: str | None
) -> None:
    path = tmp_path_factory.mktemp("ca") / "own-ca.pem"
    if content is not None:
        path.write_text(content)
    client = make_client(ca_file=str(path))
    serve = answer_with(write_length_answer(b"x"))
    with TlsServer(authority.good, serve) as server, pytest.raises(ConnectFailed, match=r"own-ca\.pem"):
        await client.ask(server.origin)
    assert server.plain == b""


async def test_a_server_without_tls_is_reported(client: Client) -> None:
    async def serve(peer: Peer) -> None:
        await peer.receive()
        await peer.send(write_length_answer(b"x"))

    async with Server(serve) as server:
        origin = type(server.origin)("https", "127.0.0.1", server.origin.port)
        with pytest.raises(ConnectFailed, match="TLS"):
            await client.ask(origin)
        assert b"POST" not in server.peers[0].seen


async def test_a_server_that_leaves_during_the_handshake_is_reported(client: Client) -> None:
    async def serve(peer: Peer) -> None:
        await peer.receive()
        peer.reset()

    async with Server(serve) as server:
        with pytest.raises(ConnectFailed, match=f"127.0.0.1:{server.origin.port}"):
            await client.ask(type(server.origin)("https", "127.0.0.1", server.origin.port))


async def test_a_silent_handshake_ends_at_the_connect_deadline(client: Client) -> None:
    async def serve(peer: Peer) -> None:
        if peer.number == 0:
            await peer.receive()
            peer.reset()
            return
        while await peer.receive():
            pass

    async with Server(serve) as server:
        origin = type(server.origin)("https", "127.0.0.1", server.origin.port)
        with pytest.raises(ConnectFailed):
            await client.ask(origin)  # loads the certificate authorities, which may take longer than the deadline below
        with pytest.raises(UpstreamTimeout) as caught:
            await client.send(origin, timeout=0.1)
        assert caught.value.phase == "connect"
        await wait_until(lambda: len(server.peers) == 2 and server.peers[1].gone.is_set())


@pytest.mark.parametrize("size", [3, 100_000])
async def test_only_close_notify_completes_a_body_without_a_length(
    make_client: MakeClient, authority: Authority, size: int
) -> None:
    client = make_client(ca_file=authority.file)
    body = b"x" * size
    with TlsServer(authority.good, answer_with(write_close_answer(body), end_in_order)) as server:
        assert await client.ask(server.origin) == body
    with TlsServer(authority.good, answer_with(write_close_answer(body), cut)) as server, pytest.raises(Truncated):
        await client.ask(server.origin)


@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.parametrize("end", [cut, end_in_order])
@pytest.mark.parametrize("size", [200_000, 400_000])
async def test_a_whole_answer_is_read_although_the_server_has_left(
    make_client: MakeClient, authority: Authority, size: int, end: Callable[[ssl.SSLSocket], None], direct: bool
) -> None:
    client = make_client(ca_file=authority.file)
    body = bytes(range(256)) * (size // 256)
    with TlsServer(authority.good, answer_with(write_length_answer(body, b"Connection: close"), end)) as server:
        response = await client.send(server.origin)
        await asyncio.sleep(0.1)  # reading stops, the rest waits in the TLS layer, the server leaves
        got = bytearray()

        def take(piece: bytes) -> bool:
            got.extend(piece)
            return True

        while piece := await response.read_chunk(take if direct else None):
            got += piece
        assert got == body


async def test_back_pressure_works_through_tls(make_client: MakeClient, authority: Authority) -> None:
    client = make_client(ca_file=authority.file)
    sent = 0

    def serve(sock: ssl.SSLSocket) -> None:
        nonlocal sent
        read_request(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 33554432\r\n\r\n")
        for _ in range(512):
            sock.sendall(bytes(65536))
            sent += 65536
        sock.recv(1)

    with TlsServer(authority.good, serve) as server:
        response = await client.send(server.origin)
        last = -1
        while sent != last:
            last = sent
            await asyncio.sleep(0.1)
        assert sent < 24 << 20
        assert response.size <= 192 * 1024
        assert len(await response.read(1 << 30)) == 32 << 20
        response.close()
        await client.transport.close()


async def test_a_long_body_goes_through_tls(make_client: MakeClient, authority: Authority) -> None:
    client = make_client(ca_file=authority.file)
    received = 0

    def serve(sock: ssl.SSLSocket) -> None:
        nonlocal received
        while received < 8 << 20:
            received += len(sock.recv(65536))
        sock.sendall(write_length_answer(b"done"))
        sock.recv(1)

    with TlsServer(authority.good, serve) as server:
        assert await client.ask(server.origin, bytes(8 << 20)) == b"done"
        await client.transport.close()
