"""Bodies that are streamed: framing, back-pressure, who ends the exchange and how, and nothing sent twice."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from antiphon.errors import BadRequest, Disconnected, TransportMisuse
from antiphon.transport.interface import Request
from antiphon.transport.request_head import build_head
from antiphon.transport.response import HttpResponse
from antiphon.types import Origin
from transport.conftest import Client
from transport.misbehaving import Peer, Server, length_answer, turn, until

MIB = 1024 * 1024


class Pieces:
    """A source that says how far it was read."""

    def __init__(self, *pieces: bytes | BaseException) -> None:
        self.left = list(pieces)
        self.taken = 0

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self.left:
            raise StopAsyncIteration
        piece = self.left.pop(0)
        if isinstance(piece, BaseException):
            raise piece
        self.taken += len(piece)
        return piece


class Waiting(Pieces):
    """A source that never has another piece."""

    async def __anext__(self) -> bytes:
        if self.left:
            return await super().__anext__()
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]


async def send(client: Client, origin: Origin, source: AsyncIterator[bytes], length: int | None = None) -> HttpResponse:
    head = build_head("POST", "/up", [], origin)
    return await client.transport.send(Request(origin, head, b"", origin, source, length), 5.0)


async def read_until(peer: Peer, end: bytes) -> None:
    while not peer.seen.endswith(end):
        assert await peer.receive()


async def test_chunked_where_the_length_is_not_known(client: Client) -> None:
    async def script(peer: Peer) -> None:
        await read_until(peer, b"0\r\n\r\n")
        await peer.send(length_answer(b"done"))

    async with Server(script) as server:
        response = await send(client, server.origin, Pieces(b"abc", b"", b"x" * 17))
        assert await response.read(100) == b"done"
        head, _, body = server.peers[0].seen.partition(b"\r\n\r\n")
        assert head.endswith(b"\r\ntransfer-encoding: chunked")
        assert b"content-length" not in head
        assert body == b"3\r\nabc\r\n11\r\n" + b"x" * 17 + b"\r\n0\r\n\r\n"


async def test_a_known_length_is_announced(client: Client) -> None:
    async def script(peer: Peer) -> None:
        await read_until(peer, b"abcdef")
        await peer.send(length_answer(b"done"))

    async with Server(script) as server:
        response = await send(client, server.origin, Pieces(b"abc", b"def"), 6)
        assert await response.read(100) == b"done"
        assert server.peers[0].seen.endswith(b"content-length: 6\r\n\r\nabcdef")


@pytest.mark.parametrize("length", [5, 7])
async def test_another_length_than_announced_breaks_off(client: Client, length: int) -> None:
    async def script(peer: Peer) -> None:
        while await peer.receive():
            pass

    async with Server(script) as server:
        with pytest.raises(TransportMisuse, match="announced"):
            await send(client, server.origin, Pieces(b"abc", b"def"), length)
        await server.peers[0].gone.wait()
        assert server.peers[0].seen.endswith(b"\r\n\r\nabc" if length == 5 else b"\r\n\r\nabcdef")


async def test_what_the_source_raises_comes_out_and_closes(client: Client) -> None:
    async def script(peer: Peer) -> None:
        while await peer.receive():
            pass

    async with Server(script) as server:
        with pytest.raises(BadRequest, match="too much"):
            await send(client, server.origin, Pieces(b"abc", BadRequest("too much")))
        await server.peers[0].gone.wait()
        assert b"0\r\n\r\n" not in server.peers[0].seen


async def test_a_server_that_does_not_read_is_waited_for(client: Client) -> None:
    release = asyncio.Event()

    async def script(peer: Peer) -> None:
        await release.wait()
        await read_until(peer, b"0\r\n\r\n")
        await peer.send(length_answer(b"done"))

    source = Pieces(*[b"x" * 65536] * 640)
    async with Server(script) as server:
        sending = asyncio.create_task(send(client, server.origin, source))
        await until(lambda: source.taken > MIB)
        before = -1
        while before != source.taken:
            before = source.taken
            await asyncio.sleep(0.05)
        assert source.taken < 20 * MIB, "a body was read ahead of its reader"
        release.set()
        assert await (await sending).read(100) == b"done"
        assert source.taken == 40 * MIB


@pytest.mark.parametrize("status", [b"413 Too Large", b"307 Elsewhere", b"500 Oops"])
async def test_an_early_refusal_ends_the_upload(client: Client, status: bytes) -> None:
    async def script(peer: Peer) -> None:
        await read_until(peer, b"abc\r\n")
        await peer.send(length_answer(b"no").replace(b"200 OK", status))
        while await peer.receive():
            pass

    async with Server(script) as server:
        response = await send(client, server.origin, Waiting(b"abc"))
        assert response.status == int(status[:3])
        assert await response.read(100) == b"no"
        response.close()
        await server.peers[0].gone.wait()


async def test_leaving_closes_the_connection(client: Client) -> None:
    async def script(peer: Peer) -> None:
        while await peer.receive():
            pass

    async with Server(script) as server:
        sending = asyncio.create_task(send(client, server.origin, Waiting(b"abc")))
        await until(lambda: server.peers and server.peers[0].seen.endswith(b"abc\r\n"))
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await server.peers[0].gone.wait()


async def test_a_broken_upload_is_not_sent_again(client: Client) -> None:
    async def script(peer: Peer) -> None:
        if peer.number == 0:
            await peer.request()
            await peer.send(length_answer(b"first"))
        await read_until(peer, b"abc\r\n")
        peer.reset()

    async with Server(script) as server:
        assert await client.ask(server.origin) == b"first"
        await turn()
        with pytest.raises(Disconnected):
            await send(client, server.origin, Waiting(b"abc"))
        assert len(server.peers) == 2
        assert b"abc" not in server.peers[0].seen, "a kept connection was used, which the server may have closed"


async def test_the_connection_is_kept_after_a_whole_upload(client: Client) -> None:
    async def script(peer: Peer) -> None:
        await read_until(peer, b"0\r\n\r\n")
        await peer.send(length_answer(b"done"))
        await peer.request()
        await peer.send(length_answer(b"again"))
        await peer.receive()

    async with Server(script) as server:
        response = await send(client, server.origin, Pieces(b"abc"))
        await response.read(100)
        assert await client.ask(server.origin) == b"again"
        assert len(server.peers) == 1
