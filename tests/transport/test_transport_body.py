"""Bodies: content codings, caps, back-pressure both ways, and bounded memory for hostile sizes."""

import asyncio
import gzip
import socket
import tracemalloc
import zlib
from collections.abc import Callable, Iterator

import pytest

from antiphon.errors import BadAnswer, Disconnected, Truncated
from transport.conftest import Client
from transport.misbehaving import (
    Peer,
    Server,
    answer_with,
    turn,
    wait_until,
    write_chunked_answer,
    write_close_answer,
    write_length_answer,
)

TEXT = b"".join(b'data: {"n": %d}\n\n' % number for number in range(500))
MIB = 1024 * 1024


def compress_raw(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


CODED = {
    "gzip": (b"gzip", gzip.compress(TEXT, mtime=0)),
    "x-gzip": (b"X-GZip", gzip.compress(TEXT, mtime=0)),
    "two members": (b"gzip", gzip.compress(TEXT[:1000]) + gzip.compress(TEXT[1000:])),
    "deflate": (b"deflate", zlib.compress(TEXT)),
    "bare deflate": (b"deflate", compress_raw(TEXT)),
    "identity": (b"identity", TEXT),
}


@pytest.mark.parametrize("step", [1, 7, 1 << 20])
@pytest.mark.parametrize("case", CODED)
async def test_content_codings_are_decoded_for_any_split(client: Client, case: str, step: int) -> None:
    coding, coded = CODED[case]
    coded = coded if step > 1 or case != "identity" else coded[:300]
    answer = write_length_answer(coded, b"Content-Encoding: " + coding, b"X-Kept: yes")
    pieces = [answer[at : at + step] for at in range(0, len(answer), step)]
    async with Server(answer_with(pieces)) as server:
        response = await client.send(server.origin)
        assert await response.read(MIB) == (TEXT if case != "identity" else coded)
        names = [name for name, _ in response.headers]
        assert names == ([b"x-kept"] if case != "identity" else [b"content-length", b"content-encoding", b"x-kept"])
        response.close()
        await client.ask(server.origin)
        assert len(server.peers) == 1


@pytest.mark.parametrize("coding", [b"br", b"zstd", b"gzip, gzip", b"gzip\r\nContent-Encoding: gzip", b"compress"])
async def test_any_other_coding_is_refused(client: Client, coding: bytes) -> None:
    async with Server(answer_with(write_length_answer(b"x", b"Content-Encoding: " + coding))) as server:
        with pytest.raises(BadAnswer, match="content encoding"):
            await client.ask(server.origin)


@pytest.mark.parametrize(
    ("coding", "coded", "error"),
    [
        (b"gzip", b"no gzip at all", BadAnswer),
        (b"gzip", gzip.compress(TEXT, mtime=0)[:-1], Truncated),
        (b"gzip", gzip.compress(TEXT, mtime=0)[:5], Truncated),
        (b"gzip", gzip.compress(TEXT, mtime=0)[:-4] + b"\0\0\0\0", BadAnswer),
        (b"gzip", gzip.compress(TEXT, mtime=0) + b"garbage", BadAnswer),
        (b"deflate", zlib.compress(TEXT)[:1], Truncated),
        (b"deflate", zlib.compress(TEXT)[:-1], Truncated),
        (b"deflate", zlib.compress(TEXT) + b"x", BadAnswer),
    ],
)
async def test_a_broken_coding_is_reported(client: Client, coding: bytes, coded: bytes, error: type[Exception]) -> None:
    async with Server(answer_with(write_length_answer(coded, b"Content-Encoding: " + coding))) as server:
        with pytest.raises(error):
            await client.ask(server.origin)
        await server.peers[0].gone.wait()


async def test_an_empty_coded_body_is_empty(client: Client) -> None:
    async with Server(answer_with(write_length_answer(b"", b"Content-Encoding: gzip"))) as server:
        assert await client.ask(server.origin) == b""


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("reader", ["chunk", "read"])
async def test_a_bomb_is_capped_in_size_and_memory(make_client: Callable[..., Client], reader: str) -> None:
    cap = 4 * MIB
    bomb = gzip.compress(bytes(200 * MIB), compresslevel=1)
    client = make_client(decoded_cap=cap)
    async with Server(answer_with(write_length_answer(bomb, b"Content-Encoding: gzip"))) as server:
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        response = await client.send(server.origin)
        total = 0
        with pytest.raises(BadAnswer, match="decodes to more than"):
            if reader == "read":
                await response.read(1 << 30)
            while piece := await response.read_chunk():
                total += len(piece)
        assert total <= cap
        assert tracemalloc.get_traced_memory()[1] - before <= 2 * cap
        await server.peers[0].gone.wait()


async def test_a_bomb_does_not_block_the_loop(client: Client) -> None:
    bomb = gzip.compress(bytes(32 * MIB), compresslevel=9)
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with Server(answer_with(write_length_answer(bomb, b"Content-Encoding: gzip"))) as server:
        response = await client.send(server.origin)
        await wait_until(lambda: response.ended)
        task = asyncio.ensure_future(count_turns())
        before = turns
        assert len(await response.read(1 << 30)) == 32 * MIB
        assert turns - before >= 25
        task.cancel()


async def test_read_is_capped(client: Client) -> None:
    endless = [write_chunked_answer(*[b"z" * 100] * 10)[:-5]]
    async with Server(
        answer_with(write_length_answer(b"x" * 1000), write_chunked_answer(*[b"y" * 100] * 10), endless)
    ) as server:
        assert await client.ask(server.origin, cap=1000) == b"x" * 1000
        assert await client.ask(server.origin, cap=1000) == b"y" * 1000
        for _ in range(2):  # the endless one, on whose connection nothing follows; the first, on a new one
            with pytest.raises(BadAnswer, match="longer than 999 bytes"):
                await client.ask(server.origin, cap=999)
        await server.peers[0].gone.wait()


@pytest.mark.usefixtures("traced")
async def test_a_million_tiny_chunks(client: Client) -> None:
    block = b"2\r\nab\r\n" * 10_000

    async def serve(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(100):
            await peer.send(block)
        await peer.send(b"0\r\n\r\n")
        await peer.receive()

    async with Server(serve) as server:
        response = await client.send(server.origin)
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        total = 0
        while piece := await response.read_chunk():
            total += len(piece)
        assert total == 2_000_000
        assert tracemalloc.get_traced_memory()[1] - before < 2 * MIB


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("chunks", [b"", b"2\r\nab\r\n", b"10000\r\n" + b"x" * 65536 + b"\r\n"])
async def test_a_slow_reader_stops_the_sender(client: Client, chunks: bytes) -> None:
    sent = 0

    async def serve(peer: Peer) -> None:
        nonlocal sent
        await peer.read_request()
        kind = b"Transfer-Encoding: chunked" if chunks else b"Content-Length: 67108864"
        await peer.send(b"HTTP/1.1 200 OK\r\n" + kind + b"\r\n\r\n")
        block = chunks * (65536 // len(chunks) + 1) if chunks else b"z" * 65536
        while sent < 64 * MIB:
            await peer.send(block)
            sent += len(block)
        await peer.send(b"0\r\n\r\n" if chunks else b"")
        await peer.receive()

    async with Server(serve) as server:
        server.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        response = await client.send(server.origin)
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        last = -1
        while sent != last:  # until the sender is stuck
            last = sent
            await asyncio.sleep(0.05)
        assert 0 < sent < 32 * MIB  # what the kernel's buffers hold, and no more
        assert response.size <= 128 * 1024 + 64 * 1024
        held = tracemalloc.get_traced_memory()[0] - before
        assert held <= 256 * 1024
        first = await response.read_chunk()
        assert first is not None
        assert len(first) <= 192 * 1024
        if not chunks:
            total = len(first)
            while piece := await response.read_chunk():
                total += len(piece)
            assert total == 64 * MIB
            assert tracemalloc.get_traced_memory()[1] - before <= 2 * MIB
        response.close()


@pytest.mark.usefixtures("traced")
async def test_a_long_body_is_written_as_it_is_read(client: Client) -> None:
    body = b"b" * (32 * MIB)
    gate = asyncio.Event()
    received = 0

    async def serve(peer: Peer) -> None:
        nonlocal received
        while received < len(body):
            piece = await peer.receive()
            received += len(piece)
            peer.seen.clear()
            if received > MIB:
                await gate.wait()
        await peer.send(write_length_answer(b"done"))
        await peer.receive()

    async with Server(serve) as server:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        task = asyncio.ensure_future(client.ask(server.origin, body))
        await wait_until(lambda: received > MIB)
        await asyncio.sleep(0.1)  # what would be read ahead is read now
        assert received < 16 * MIB
        assert tracemalloc.get_traced_memory()[1] - before < 2 * MIB
        gate.set()
        assert await task == b"done"


@pytest.mark.parametrize("status", [b"413 Too Large", b"200 OK"])
async def test_an_answer_before_the_whole_body_was_written(client: Client, status: bytes) -> None:
    async def serve(peer: Peer) -> None:
        if peer.number:
            await peer.read_request()
        else:
            await peer.receive()
        await peer.send(write_length_answer(b"early", status=status))
        await peer.gone.wait() if peer.number == 0 else await peer.receive()

    async with Server(serve) as server:
        response = await client.send(server.origin, b"b" * (16 * MIB))
        assert response.status == int(status[:3])
        assert await response.read(100) == b"early"
        response.close()
        assert await client.ask(server.origin) == b"early"
        assert len(server.peers) == 2


async def test_an_early_head_does_not_stop_the_body(client: Client) -> None:
    body = b"b" * (16 * MIB)
    received = 0

    async def serve(peer: Peer) -> None:
        nonlocal received
        received += len(await peer.receive())
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
        await turn(20)
        while received < len(body):
            received += len(await peer.receive())
            peer.seen.clear()
        await peer.send(b"1\r\ny\r\n0\r\n\r\n")
        await peer.receive()

    async with Server(serve) as server:
        assert await client.ask(server.origin, body) == b"xy"


async def test_a_server_that_leaves_in_the_middle_of_the_body_is_reported(client: Client) -> None:
    async def serve(peer: Peer) -> None:
        await peer.receive()
        peer.reset()

    async with Server(serve) as server:
        with pytest.raises(Disconnected):
            await client.ask(server.origin, b"b" * (16 * MIB))
        assert len(server.peers) == 1


async def test_read_chunk_returns_everything_received_so_far(client: Client) -> None:
    gate = asyncio.Event()

    async def serve(peer: Peer) -> None:
        await peer.read_request()
        await peer.send_pieces([write_chunked_answer()[:-5] + b"1\r\na\r\n", b"1\r\nb\r\n", b"1\r\n"])
        await gate.wait()
        await peer.send_pieces([b"c\r\n", b"0\r\n\r\n"])
        await peer.receive()

    async with Server(serve) as server:
        response = await client.send(server.origin)
        await wait_until(lambda: response.size == 2)
        assert await response.read_chunk() == b"ab"
        waiting = asyncio.ensure_future(response.read_chunk())
        await turn()
        assert not waiting.done()
        response.nudge()
        assert await waiting is None
        response.nudge()  # nobody waits: without effect
        gate.set()
        assert await response.read_chunk() == b"c"
        assert await response.read_chunk() == b""
        assert await response.read_chunk() == b""
        response.close()
        response.close()


async def test_chunks_that_arrive_while_the_reader_waits_go_to_on_chunk(client: Client) -> None:
    taken: list[bytes] = []
    gates = [asyncio.Event() for _ in range(3)]

    def take(chunk: bytes) -> bool:
        taken.append(chunk)
        return chunk != b"stop"

    async def serve(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(write_chunked_answer()[:-5] + b"1\r\na\r\n")
        for gate, data in zip(gates, (b"1\r\nb\r\n", b"4\r\nstop\r\n", b"1\r\nc\r\n0\r\n\r\n"), strict=True):
            await gate.wait()
            await peer.send(data)
        await peer.receive()

    async with Server(serve) as server:
        response = await client.send(server.origin)
        await wait_until(lambda: response.size == 1)
        assert await response.read_chunk(take) == b"a", "what is there already is returned"
        waiting = asyncio.ensure_future(response.read_chunk(take))
        gates[0].set()
        await wait_until(lambda: taken == [b"b"])
        await turn()
        assert not waiting.done()
        gates[1].set()
        assert await waiting is None
        assert taken == [b"b", b"stop"]
        waiting = asyncio.ensure_future(response.read_chunk(take))
        await turn()
        gates[2].set()
        assert await waiting == b"c", "the last bytes are returned, because the reader has to see the end"
        assert await response.read_chunk(take) == b""
        assert taken == [b"b", b"stop"]


@pytest.mark.parametrize("error", [BadAnswer("no such chunk"), KeyError("no such chunk")], ids=["refusal", "fault"])
async def test_read_chunk_raises_what_on_chunk_raises(client: Client, error: Exception) -> None:
    gate = asyncio.Event()

    def take(chunk: bytes) -> bool:
        raise error

    async def serve(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(write_chunked_answer()[:-5])
        await gate.wait()
        await peer.send(b"1\r\na\r\n")
        await peer.receive()

    async with Server(serve) as server:
        response = await client.send(server.origin)
        waiting = asyncio.ensure_future(response.read_chunk(take))
        await turn()
        gate.set()
        with pytest.raises(type(error), match="no such chunk"):
            await waiting
        response.close()


async def test_a_nudge_does_not_interrupt_read(client: Client) -> None:
    gate = asyncio.Event()

    async def serve(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(write_length_answer(b"ab")[:-1])
        await gate.wait()
        await peer.send(b"b")
        await peer.receive()

    async with Server(serve) as server:
        response = await client.send(server.origin)
        reading = asyncio.ensure_future(response.read(10))
        await turn(10)
        response.nudge()
        await turn()
        gate.set()
        assert await reading == b"ab"


async def test_bytes_received_before_a_break_are_returned_first(client: Client) -> None:
    async with Server(answer_with(write_length_answer(b"abc")[:-1], then=Peer.close)) as server:
        response = await client.send(server.origin)
        await wait_until(lambda: response.error is not None)
        assert await response.read_chunk() == b"ab"
        for _ in range(2):
            with pytest.raises(Truncated):
                await response.read_chunk()


async def test_a_closed_answer_never_looks_complete(client: Client) -> None:
    async with Server(answer_with([write_close_answer(b"a")])) as server:
        response = await client.send(server.origin)
        response.close()
        with pytest.raises(Truncated):
            await response.read_chunk()
        await server.peers[0].gone.wait()
