"""Answers that are released before their end: the connection is kept if the end comes soon, and closed otherwise."""

import asyncio
import time

import pytest

from transport.conftest import Client
from transport.misbehaving import Peer, Server, turn, wait_until

HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
FIRST = HEAD + b"6\r\n[DONE]\r\n"
END = b"0\r\n\r\n"


async def test_the_connection_is_kept_when_the_end_follows(client: Client) -> None:
    may_end = asyncio.Event()

    async def serve(peer: Peer) -> None:
        while await peer.read_request():
            await peer.send(FIRST)
            await may_end.wait()
            await peer.send(b"3\r\nmor\r\n" + END)

    async with Server(serve) as server:
        for _ in range(3):
            may_end.clear()
            response = await client.send(server.origin)
            assert await response.read_chunk() == b"[DONE]"
            response.finish()
            may_end.set()
            await wait_until(lambda: response.ended)  # noqa: B023 - awaited at once
        assert len(server.peers) == 1


async def test_the_connection_is_kept_when_the_end_has_arrived_already(client: Client) -> None:
    async def serve(peer: Peer) -> None:
        while await peer.read_request():
            await peer.send(FIRST + END)

    async with Server(serve) as server:
        for _ in range(3):
            response = await client.send(server.origin)
            assert await response.read_chunk() == b"[DONE]"
            await turn()
            response.finish()
        assert len(server.peers) == 1


async def test_unread_bytes_before_the_end_keep_the_connection(client: Client) -> None:
    go_on = asyncio.Event()

    async def serve(peer: Peer) -> None:
        while await peer.read_request():
            await peer.send(FIRST)
            await go_on.wait()
            await peer.send(b"3\r\nmor\r\n" + END)

    async with Server(serve) as server:
        for _ in range(3):
            go_on.clear()
            response = await client.send(server.origin)
            assert await response.read_chunk() == b"[DONE]"
            go_on.set()
            await wait_until(lambda: response.ended)  # noqa: B023 - awaited at once
            response.finish()
        assert len(server.peers) == 1


async def test_the_connection_is_closed_when_the_end_does_not_come(client: Client) -> None:
    async def serve(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(FIRST)
        await peer.receive()

    async with Server(serve) as server:
        response = await client.send(server.origin)
        await response.read_chunk()
        finished = time.monotonic()
        response.finish()
        await server.peers[0].gone.wait()
        assert time.monotonic() - finished >= 0.9, "the end is waited for"


async def test_the_connection_is_closed_when_data_follows_instead_of_the_end(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("antiphon.transport.response._END_SECONDS", 3600.0)

    async def serve(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(FIRST)
        try:
            while True:
                await peer.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        except OSError:
            peer.gone.set()

    async with Server(serve) as server:
        response = await client.send(server.origin)
        await response.read_chunk()
        response.finish()
        await server.peers[0].gone.wait()


async def test_closing_after_finishing_closes_at_once(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("antiphon.transport.response._END_SECONDS", 3600.0)

    async def serve(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(FIRST)
        await peer.receive()

    async with Server(serve) as server:
        response = await client.send(server.origin)
        await response.read_chunk()
        response.finish()
        response.close()
        await server.peers[0].gone.wait()
