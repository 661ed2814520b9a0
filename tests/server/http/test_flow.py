"""Back-pressure: pipelined requests, unread answers, slow readers."""

import asyncio
import gc
import socket

import psutil

from antiphon.server.http.limits import Limits
from antiphon.server.http.parser import STEP
from processes import PATIENCE

GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
SHORTEST = b"GET / HTTP/1.1\r\nHost:a\r\n\r\n"


def _measure_memory() -> int:
    gc.collect()
    return psutil.Process().memory_info().rss


def _open_raw_client(port: int, receive_buffer: int = 4096) -> socket.socket:
    """Open a client that reads only when asked to."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    made.connect(("127.0.0.1", port))
    made.setblocking(False)
    return made


async def _push(client: socket.socket, data: bytes, seconds: float) -> int:
    """Return how many bytes the server took within a time."""
    loop, sent = asyncio.get_running_loop(), 0
    until = loop.time() + seconds
    while sent < len(data) and loop.time() < until:
        try:
            sent += client.send(data[sent : sent + 65536])
        except BlockingIOError:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0)
    return sent


async def _take_all(client: socket.socket, end: bytes, seconds: float = PATIENCE) -> bytes:
    loop, got = asyncio.get_running_loop(), bytearray()
    async with asyncio.timeout(seconds):
        while not got.endswith(end):
            data = await loop.sock_recv(client, 65536)
            assert data, "closed too early"
            got += data
    return bytes(got)


def test_a_step_holds_fewer_than_a_hundred_requests():
    assert STEP // len(SHORTEST) < 100


async def test_nine_megabytes_of_pipelined_requests_with_unread_answers_cost_no_memory(serve):
    async with serve() as server:
        with _open_raw_client(server.port) as client:
            data = GET * (9_000_000 // len(GET))
            before = _measure_memory()
            sent = await _push(client, data, 2.0)
            await asyncio.sleep(0.2)
            assert _measure_memory() - before < 8 * 1024**2
            # These bytes are in kernel buffers and in one read of the server; they are not requests yet.
            answered = len(server.app.requests)
            assert sent < 9_000_000
            assert answered * len(GET) < sent
            await asyncio.sleep(0.2)
            assert len(server.app.requests) == answered


async def test_at_most_a_hundred_requests_wait(serve):
    async with serve() as server:
        release = asyncio.Event()

        async def hold_answer(request):
            await release.wait()
            await request.answer(b"held")

        server.app.handlers["/held"] = hold_answer
        with _open_raw_client(server.port) as client:
            await _push(client, GET.replace(b"/a", b"/held") + SHORTEST * 5000 + GET.replace(b"/a", b"/last"), PATIENCE)
            await asyncio.sleep(0.1)
            connection = next(iter(server.server.connections))
            assert 0 < len(connection._queue) <= 100
            assert len(server.app.requests) == 1
            release.set()
            got = await _take_all(client, b"GET /last ")
            assert got.count(b"HTTP/1.1 200 OK\r\n") == 5002


async def test_answers_keep_the_order_of_their_requests(serve):
    async with serve() as server:

        async def answer_late(request):
            await asyncio.sleep(0.05)
            await request.answer(b"late")

        server.app.handlers["/late"] = answer_late
        client = await server.connect()
        requests = [b"/late" if index % 7 == 0 else b"/%d" % index for index in range(30)]
        await client.send(b"".join([GET.replace(b"/a", path) for path in requests]))
        answers = [(await client.read_answer()).body for _ in requests]
        assert answers == [b"late" if path == b"/late" else b"GET " + path + b" " for path in requests]


async def test_pipelined_bodies_behind_a_running_request_arrive_whole(serve):
    async with serve() as server:
        client = await server.connect()
        bodies = [bytes([65 + index]) * 50_000 for index in range(6)]
        requests = [
            b"POST /%d HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\n" % n + b for n, b in enumerate(bodies)
        ]
        sending = asyncio.create_task(client.send(b"".join(requests)))
        for index, body in enumerate(bodies):
            assert (await client.read_answer()).body == b"POST /%d " % index + body
        await sending


async def test_slow_readers_use_little_memory_and_stop_the_producer(serve):
    produced = 0
    async with serve() as server:

        async def send_endlessly(request):
            nonlocal produced
            request.exchange.start(200, [])
            while True:
                await request.send_part(b"x" * 4096)
                produced += 4096

        server.app.handlers["/endless"] = send_endlessly
        clients = [_open_raw_client(server.port) for _ in range(50)]
        try:
            before = _measure_memory()
            for client in clients:
                await _push(client, GET.replace(b"/a", b"/endless"), PATIENCE)
            await asyncio.sleep(0.7)
            held = produced
            await asyncio.sleep(0.3)
            assert produced == held, "production went on without a reader"
            assert held / len(clients) <= 256 * 1024
            assert (_measure_memory() - before) / len(clients) <= 256 * 1024
        finally:
            for client in clients:
                client.close()


async def test_a_reader_that_resumes_gets_everything(serve):
    async with serve() as server:
        parts = [b"%06d" % index * 500 for index in range(300)]

        async def send_parts(request):
            request.exchange.start(200, [])
            for part in parts:
                await request.send_part(part)
            request.exchange.finish()

        server.app.handlers["/long"] = send_parts
        client = await server.connect(limit=1024)
        await client.send(GET.replace(b"/a", b"/long"))
        await asyncio.sleep(0.3)
        assert (await client.read_answer()).body == b"".join(parts)


async def test_drain_returns_at_once_for_a_client_that_is_not_behind(serve):
    async with serve() as server:

        async def drain_early(request):
            await request.exchange.drain()
            request.exchange.start(200, [])
            await request.send_part(b"one")
            await request.exchange.drain()
            request.exchange.finish()

        server.app.handlers["/drain"] = drain_early
        client = await server.connect()
        await client.send(GET.replace(b"/a", b"/drain"))
        assert (await client.read_answer()).body == b"one"


async def test_a_body_is_read_in_parts_as_it_arrives(serve):
    async with serve() as server:
        parts = asyncio.Queue()

        async def read_parts(request):
            while part := await request.exchange.read_part():
                parts.put_nowait(part)
            assert await request.exchange.read_part() == b""
            await request.answer(b"read")

        server.app.handlers["/parts"] = read_parts
        client = await server.connect()
        for _ in range(2):
            await client.send(b"POST /parts HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n")
            for part in (b"ab", b"cdef"):
                await client.send(part)
                assert await asyncio.wait_for(parts.get(), PATIENCE) == part
            assert (await client.read_answer()).body == b"read"


async def test_unread_body_is_not_read_from_the_socket(serve):
    async with serve(Limits(body=64 * 1024**2)) as server:
        release = asyncio.Event()

        async def answer_later(request):
            await release.wait()
            await request.answer(b"%d" % len(await request.read()))

        server.app.handlers["/busy"] = answer_later
        with _open_raw_client(server.port) as client:
            size = 30_000_000
            before = _measure_memory()
            head = b"POST /busy HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size
            body = b"x" * size
            sent = await _push(client, head + body, 0.5)
            assert sent < size
            assert _measure_memory() - before < 2 * size + 8 * 1024**2  # the test itself has two copies
            assert next(iter(server.app.requests)).body == b""
            release.set()
            await _push(client, (head + body)[sent:], PATIENCE)
            assert b"\r\n\r\n30000000" in await _take_all(client, b"30000000")
