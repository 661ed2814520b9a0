"""Streamed bodies: framing, back-pressure, each way to end the exchange, and nothing sent twice."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from antiphon.errors import BadRequest, Disconnected, TransportMisuse
from antiphon.transport.interface import Request
from antiphon.transport.request_head import build_head
from antiphon.transport.response import HttpResponse
from antiphon.types import Origin
from transport.conftest import Client
from transport.misbehaving import Peer, Server, turn, wait_until, write_length_answer

MIB = 1024 * 1024


class Pieces:
    """A source that counts the bytes that were read from it."""

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


async def test_a_body_of_unknown_length_is_chunked(client: Client) -> None:
    async def serve(peer: Peer) -> None:
        await read_until(peer, b"0\r\n\r\n")
        await peer.send(write_length_answer(b"done"))

    async with Server(serve) as server:
        response = await send(client, server.origin, Pieces(b"abc", b"", b"x" * 17))
        assert await response.read(100) == b"done"
        head, _, body = server.peers[0].seen.partition(b"\r\n\r\n")
        assert head.endswith(b"\r\ntransfer-encoding: chunked")
        assert b"content-length" not in head
        assert body == b"3\r\nabc\r\n11\r\n" + b"x" * 17 + b"\r\n0\r\n\r\n"


async def test_a_known_length_is_announced(client: Client) -> None:
    async def serve(peer: Peer) -> None:
        await read_until(peer, b"abcdef")
        await peer.send(write_length_answer(b"done"))

    async with Server(serve) as server:
        response = await send(client, server.origin, Pieces(b"abc", b"def"), 6)
        assert await response.read(100) == b"done"
        assert server.peers[0].seen.endswith(b"content-length: 6\r\n\r\nabcdef")


@pytest.mark.parametrize("length", [5, 7])
async def test_a_body_of_another_length_than_announced_breaks_off(client: Client, length: int) -> None:
    async def serve(peer: Peer) -> None:
        while await peer.receive():
            pass

    async with Server(serve) as server:
        with pytest.raises(TransportMisuse, match="announced"):
            await send(client, server.origin, Pieces(b"abc", b"def"), length)
        await server.peers[0].gone.wait()
        assert server.peers[0].seen.endswith(b"\r\n\r\nabc" if length == 5 else b"\r\n\r\nabcdef")


async def test_an_error_of_the_source_is_raised_and_closes_the_connection(client: Client) -> None:
    async def serve(peer: Peer) -> None:
        while await peer.receive():
            pass

    async with Server(serve) as server:
        with pytest.raises(BadRequest, match="too much"):
            await send(client, server.origin, Pieces(b"abc", BadRequest("too much")))
        await server.peers[0].gone.wait()
        assert b"0\r\n\r\n" not in server.peers[0].seen


async def test_a_server_that_does_not_read_stops_the_source(client: Client) -> None:
    release = asyncio.Event()

    async def serve(peer: Peer) -> None:
        await release.wait()
        await read_until(peer, b"0\r\n\r\n")
        await peer.send(write_length_answer(b"done"))

    source = Pieces(*[b"x" * 65536] * 640)
    async with Server(serve) as server:
        sending = asyncio.create_task(send(client, server.origin, source))
        await wait_until(lambda: source.taken > MIB)
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
    async def serve(peer: Peer) -> None:
        await read_until(peer, b"abc\r\n")
        await peer.send(write_length_answer(b"no").replace(b"200 OK", status))
        while await peer.receive():
            pass

    async with Server(serve) as server:
        response = await send(client, server.origin, Waiting(b"abc"))
        assert response.status == int(status[:3])
        assert await response.read(100) == b"no"
        response.close()
        await server.peers[0].gone.wait()


async def test_cancelling_an_upload_closes_the_connection(client: Client) -> None:
    async def serve(peer: Peer) -> None:
        while await peer.receive():
            pass

    async with Server(serve) as server:
        sending = asyncio.create_task(send(client, server.origin, Waiting(b"abc")))
        await wait_until(lambda: server.peers and server.peers[0].seen.endswith(b"abc\r\n"))
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await server.peers[0].gone.wait()


async def test_a_broken_upload_is_not_sent_again(client: Client) -> None:
    async def serve(peer: Peer) -> None:
        if peer.number == 0:
            await peer.read_request()
            await peer.send(write_length_answer(b"first"))
        await read_until(peer, b"abc\r\n")
        peer.reset()

    async with Server(serve) as server:
        assert await client.ask(server.origin) == b"first"
        await turn()
        with pytest.raises(Disconnected):
            await send(client, server.origin, Waiting(b"abc"))
        assert len(server.peers) == 2
        assert b"abc" not in server.peers[0].seen, "a kept connection was used, which the server may have closed"


async def test_the_connection_is_kept_after_a_whole_upload(client: Client) -> None:
    async def serve(peer: Peer) -> None:
        await read_until(peer, b"0\r\n\r\n")
        await peer.send(write_length_answer(b"done"))
        await peer.read_request()
        await peer.send(write_length_answer(b"again"))
        await peer.receive()

    async with Server(serve) as server:
        response = await send(client, server.origin, Pieces(b"abc"))
        await response.read(100)
        assert await client.ask(server.origin) == b"again"
        assert len(server.peers) == 1
