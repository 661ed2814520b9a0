"""Which connections are used again, which are dropped, and the one retry."""

import asyncio
import gc
import os
from collections.abc import Callable

import psutil
import pytest

from antiphon.errors import BadAnswer, ConnectFailed, Disconnected, TransportMisuse, Truncated
from antiphon.transport.http import HttpTransport
from transport.conftest import Client
from transport.misbehaving import Peer, Server, answer_with, turn, wait_until, write_chunked_answer, write_length_answer

OK = write_length_answer(b"ok")


def list_sockets() -> set[tuple[object, object]]:
    """Return both addresses of every TCP socket of this process."""
    return {(found.laddr, found.raddr) for found in psutil.Process(os.getpid()).net_connections("tcp")}


async def test_one_connection_serves_calls_in_turn(client: Client) -> None:
    async with Server(answer_with(OK)) as server:
        for _ in range(5):
            assert await client.ask(server.origin) == b"ok"
        assert len(server.peers) == 1


async def test_an_answer_is_complete_once_its_bytes_are_read(client: Client) -> None:
    async with Server(answer_with(write_chunked_answer(b"ok"))) as server:
        for _ in range(3):
            response = await client.send(server.origin)
            assert await response.read_chunk() == b"ok"
            await wait_until(lambda: response.ended)  # noqa: B023 - awaited at once
            response.close()  # the end is there, though nobody asked for it
        assert len(server.peers) == 1


@pytest.mark.parametrize("split", [False, True], ids=["at once", "in pieces"])
async def test_reading_a_whole_answer_releases_its_connection(client: Client, split: bool) -> None:
    async with Server(answer_with([OK[:-1], OK[-1:]] if split else OK)) as server:
        for _ in range(3):
            response = await client.send(server.origin)
            assert await response.read(10) == b"ok"
        assert len(server.peers) == 1


async def test_closing_a_half_read_answer_closes_its_connection(client: Client) -> None:
    async with Server(answer_with([OK[:-1]])) as server:
        response = await client.send(server.origin)
        response.close()
        await server.peers[0].gone.wait()


async def test_closing_an_unread_answer_closes_its_connection(client: Client) -> None:
    async with Server(answer_with(OK)) as server:
        response = await client.send(server.origin)
        await wait_until(lambda: response.ended)
        response.close()
        await server.peers[0].gone.wait()


async def test_the_newest_idle_connection_is_used_first(client: Client) -> None:
    used: list[int] = []

    async def serve(peer: Peer) -> None:
        while await peer.read_request():
            used.append(peer.number)
            await peer.send(OK)

    async with Server(serve) as server:
        responses = [await client.send(server.origin) for _ in range(3)]
        for number in (1, 0, 2):
            await responses[number].read(10)
        used.clear()
        responses = [await client.send(server.origin) for _ in range(3)]
        assert used == [2, 0, 1]
        for response in responses:
            response.close()


async def test_idle_connections_expire(make_client: Callable[..., Client]) -> None:
    client = make_client(pool_idle=0.1)
    async with Server(answer_with(OK)) as server:
        await client.transport.warm(server.origin, 3)
        assert len(server.peers) == 3
        await client.ask(server.origin)
        await asyncio.sleep(0.06)
        await client.ask(server.origin)
        await asyncio.gather(*[peer.gone.wait() for peer in server.peers])
        expired = len(server.peers)
        await client.ask(server.origin)
        assert len(server.peers) == expired + 1


async def test_no_more_idle_connections_than_the_pool_holds(make_client: Callable[..., Client]) -> None:
    client = make_client(pool_size=2)
    async with Server(answer_with(OK)) as server:
        responses = await asyncio.gather(*[client.send(server.origin) for _ in range(5)])
        for response in responses:
            assert await response.read(10) == b"ok"
            response.close()
        await wait_until(lambda: sum(peer.gone.is_set() for peer in server.peers) == 3)
        await client.transport.warm(server.origin, 9)
        assert len(server.peers) == 5


async def test_connections_opened_in_advance_are_used(client: Client) -> None:
    async with Server(answer_with(OK)) as server:
        await client.transport.warm(server.origin, 4)
        await client.transport.warm(server.origin, 4)
        assert len(server.peers) == 4
        assert all(not peer.seen for peer in server.peers)
        await asyncio.gather(*[client.ask(server.origin) for _ in range(4)])
        assert len(server.peers) == 4


@pytest.mark.parametrize("end", [Peer.close, Peer.shut_down_sending, Peer.reset])
async def test_a_connection_the_server_closed_is_dropped_at_once(client: Client, end: Callable[[Peer], None]) -> None:
    async with Server(answer_with(OK, OK, then=end)) as server:
        for _ in range(3):
            for _ in range(2):
                assert await client.ask(server.origin) == b"ok"
            await wait_until(lambda: not client.transport._pools[server.origin].idle)
        assert len(server.peers) == 3


@pytest.mark.parametrize("noise", [b"\r\n", b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n", b"?"])
async def test_bytes_on_an_idle_connection_close_it(client: Client, noise: bytes) -> None:
    async with Server(answer_with(OK)) as server:
        await client.ask(server.origin)
        await server.peers[0].send(noise)
        await server.peers[0].gone.wait()
        assert await client.ask(server.origin) == b"ok"
        assert len(server.peers) == 2


def serve_then_break(answers: int, end: Callable[[Peer], None], also_fresh: bool = False) -> Callable[[Peer], object]:
    """Answer that many requests of the first connection, then read one more and end without a byte."""

    async def serve(peer: Peer) -> None:
        for number in range(100):
            if not await peer.read_request():
                return
            if number == answers and (peer.number == 0 or also_fresh):
                end(peer)
                await peer.receive() if end is Peer.shut_down_sending else None
                return
            await peer.send(OK)

    return serve


@pytest.mark.parametrize("size", [2, 300_000])
@pytest.mark.parametrize("end", [Peer.close, Peer.shut_down_sending, Peer.reset])
async def test_a_request_on_a_stale_connection_is_retried_once(
    client: Client, end: Callable[[Peer], None], size: int
) -> None:
    async with Server(serve_then_break(1, end)) as server:
        assert await client.ask(server.origin) == b"ok"
        assert await client.ask(server.origin, b"x" * size) == b"ok"
        assert len(server.peers) == 2


@pytest.mark.parametrize("end", [Peer.close, Peer.reset])
async def test_a_request_on_a_fresh_connection_is_never_retried(client: Client, end: Callable[[Peer], None]) -> None:
    async with Server(serve_then_break(0, end)) as server:
        with pytest.raises(Disconnected):
            await client.ask(server.origin)
        assert len(server.peers) == 1


async def test_there_is_only_one_retry(client: Client) -> None:
    calls = 0

    async def serve(peer: Peer) -> None:
        nonlocal calls
        while await peer.read_request():
            calls += 1
            if calls > 3:
                return
            await peer.send(OK)

    async with Server(serve) as server:
        responses = [await client.send(server.origin) for _ in range(3)]
        for response in responses:
            await response.read(10)
        with pytest.raises(Disconnected):
            await client.ask(server.origin)
        assert calls == 5  # one stale, one fresh; the two other idle connections are not tried
        assert len(server.peers) == 4


@pytest.mark.parametrize("first", [b"H", b"HTTP/1.1 100 Continue\r\n\r\n"])
async def test_no_retry_after_a_first_byte(client: Client, first: bytes) -> None:
    async with Server(answer_with(OK, first, then=Peer.close)) as server:
        await client.ask(server.origin)
        with pytest.raises(Disconnected):
            await client.ask(server.origin)
        assert len(server.peers) == 1


async def test_no_retry_once_the_server_may_have_done_the_work(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("antiphon.transport.connection._STALE_SECONDS", 0.0)
    async with Server(serve_then_break(1, Peer.close)) as server:
        await client.ask(server.origin)
        with pytest.raises(Disconnected):
            await client.ask(server.origin)
        assert len(server.peers) == 1


async def test_a_server_that_closes_on_accept_is_reported(client: Client) -> None:
    async def serve(peer: Peer) -> None:
        peer.reset()

    async with Server(serve) as server:
        for _ in range(5):
            with pytest.raises(Disconnected):
                await client.ask(server.origin)


@pytest.mark.parametrize("where", ["head", "body", "upload"])
async def test_cancelling_closes_the_connection_promptly(client: Client, where: str) -> None:
    arrived, cancelled = asyncio.Event(), asyncio.Event()

    async def serve(peer: Peer) -> None:
        await (peer.receive() if where == "upload" else peer.read_request())
        arrived.set()
        if where == "upload":
            await cancelled.wait()  # until then the client cannot write more than the buffers take
        if where == "body":
            await peer.send(OK[:-1])
        while await peer.receive():
            pass

    async with Server(serve) as server:
        size = 32 << 20 if where == "upload" else 2
        task = asyncio.ensure_future(client.ask(server.origin, b"x" * size))
        await arrived.wait()
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        cancelled.set()
        await server.peers[0].gone.wait()


async def test_cancelling_read_chunk_closes_the_connection_promptly(client: Client) -> None:
    async with Server(answer_with([OK[:-2]])) as server:
        response = await client.send(server.origin)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(response.read_chunk(), 0.01)
        await server.peers[0].gone.wait()


async def test_a_second_reader_of_an_answer_is_an_error(client: Client) -> None:
    async with Server(answer_with([OK[:-2]])) as server:
        response = await client.send(server.origin)
        first = asyncio.ensure_future(response.read_chunk())
        await turn()
        with pytest.raises(RuntimeError, match="one reader"):
            await response.read_chunk()
        first.cancel()


async def test_closing_the_transport_leaves_no_socket(client: Client) -> None:
    before = list_sockets()
    async with Server(answer_with([OK[:-1]])) as server:
        idle = Client()
        responses = [await idle.send(server.origin) for _ in range(3)]
        assert await responses[0].read_chunk() == b"o"
        waiting = asyncio.ensure_future(responses[0].read_chunk())
        async with Server(answer_with(OK)) as other, Server(answer_with([b""])) as silent:
            await idle.ask(other.origin)
            unanswered = asyncio.ensure_future(idle.send(silent.origin))
            await wait_until(lambda: silent.peers and silent.peers[0].seen)
            pools = list(idle.transport._pools.values())
            await idle.transport.close()
            assert not any(pool._open for pool in pools)
            await idle.transport.close()
            with pytest.raises(Truncated):
                await waiting
            with pytest.raises(Disconnected, match="the transport was closed"):
                await unanswered
            await asyncio.gather(*[peer.gone.wait() for peer in (*server.peers, *other.peers, *silent.peers)])
        with pytest.raises(TransportMisuse, match="closed"):
            await idle.send(server.origin)
        gc.collect()
    assert list_sockets() - before == set()  # what other tests left may be gone by now


async def test_no_call_begins_while_the_transport_closes(client: Client) -> None:
    async with Server(answer_with(OK)) as server:
        await client.ask(server.origin)
        closing = asyncio.ensure_future(client.transport.close())
        await asyncio.sleep(0)
        with pytest.raises((ConnectFailed, Disconnected), match="closed"):
            await client.send(server.origin)
        await closing
        assert len(server.peers) == 1


async def test_many_calls_at_once(client: Client) -> None:
    async def serve(peer: Peer) -> None:
        while request := await peer.read_request():
            await peer.send(write_length_answer(request.partition(b"\r\n\r\n")[2]))

    async with Server(serve) as server:
        for _ in range(3):
            bodies = [b"%d" % number * (number % 50) for number in range(200)]
            assert await asyncio.gather(*[client.ask(server.origin, body) for body in bodies]) == bodies
        assert len(server.peers) == 200


def test_a_transport_belongs_to_one_loop() -> None:
    async def use(transport: HttpTransport) -> None:
        client.transport = transport
        async with Server(answer_with(OK)) as server:
            await client.ask(server.origin)

    client = Client()
    transport = client.transport
    with asyncio.Runner() as runner:
        runner.run(use(transport))
        with asyncio.Runner() as other, pytest.raises(TransportMisuse, match="another event loop"):
            other.run(use(transport))
        runner.run(transport.close())


async def test_an_error_answer_does_not_harm_the_next_call(client: Client) -> None:
    async with Server(answer_with(OK, b"nonsense\r\n\r\n")) as server:
        assert await client.ask(server.origin) == b"ok"
        with pytest.raises(BadAnswer):
            await client.ask(server.origin)
        assert await client.ask(server.origin) == b"ok"
        assert len(server.peers) == 2
