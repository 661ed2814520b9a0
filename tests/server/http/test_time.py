"""Deadlines of heads, bodies, idle connections and clients that do not read, with short limits."""

import asyncio
import json
import time

import pytest

from antiphon.server.http.limits import Limits
from processes import PATIENCE

QUICK = Limits(head_time=0.3, body_time=0.3, idle_time=0.3, stall_time=0.3, linger_time=0.1)
GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"


async def _send_slowly(client, data: bytes, every: float = 0.05) -> None:
    for index in range(len(data)):
        await client.send(data[index : index + 1])
        await asyncio.sleep(every)


def test_defaults_are_the_promised_limits():
    limits = Limits()
    assert (limits.head_time, limits.body_time, limits.idle_time) == (10.0, 30.0, 75.0)
    assert (limits.head, limits.fields, limits.request_line) == (32 * 1024, 100, 8 * 1024)
    assert (limits.body, limits.write_buffer) == (32 * 1024**2, 64 * 1024)


@pytest.mark.parametrize("before", [b"", GET], ids=["first", "kept-alive"])
async def test_trickled_head_is_answered_408_and_closed(serve, before):
    async with serve(QUICK) as server:
        client = await server.connect()
        if before:
            await client.send(before)
            assert (await client.read_answer()).status == 200
        started = time.monotonic()
        trickle = asyncio.create_task(_send_slowly(client, GET[:-1] + b"x" * 100))
        answer = await client.read_answer()
        assert answer.status == 408
        assert 0.25 <= time.monotonic() - started < 5  # the head would take six seconds
        assert await client.is_closed()
        trickle.cancel()
        assert len(server.app.requests) == (1 if before else 0)


async def test_many_slow_heads_do_not_share_one_deadline(serve):
    async with serve(QUICK) as server:
        client = await server.connect()
        for _ in range(4):
            await client.send(GET[:20])
            await asyncio.sleep(0.15)
            await client.send(GET[20:])
            assert (await client.read_answer()).status == 200


async def test_silent_new_connection_is_closed(serve):
    async with serve(QUICK) as server:
        client = await server.connect()
        assert not await client.is_closed(0.2)
        assert await client.is_closed()


async def test_idle_kept_alive_connection_is_closed_without_an_answer(serve):
    async with serve(QUICK) as server:
        client = await server.connect()
        for _ in range(3):
            await client.send(GET)
            assert (await client.read_answer()).status == 200
            assert not await client.is_closed(0.2)
        assert await client.is_closed()


async def test_empty_lines_do_not_keep_a_connection(serve):
    async with serve(QUICK) as server:
        client = await server.connect()
        await client.send(GET)
        await client.read_answer()
        trickle = asyncio.create_task(_send_slowly(client, b"\r\n" * 50))
        assert await client.is_closed(4.0)  # sooner than the lines end
        trickle.cancel()


@pytest.mark.parametrize("framing", [b"Content-Length: 1000", b"Transfer-Encoding: chunked"])
async def test_trickled_body_is_answered_408_and_closed(serve, framing):
    async with serve(QUICK) as server:
        client = await server.connect()
        await client.send(b"POST /a HTTP/1.1\r\nHost: x\r\n" + framing + b"\r\n\r\n")
        body = b"1\r\nx\r\n" * 100 if b"chunked" in framing else b"x" * 1000
        trickle = asyncio.create_task(_send_slowly(client, body, 0.02))
        started = time.monotonic()
        answer = await client.read_answer()
        assert answer.status == 408
        assert json.loads(answer.body)["error"]["code"] == "request_timeout"
        assert 0.25 <= time.monotonic() - started < 10  # the body would take longer
        assert await client.is_closed()
        trickle.cancel()


async def test_late_head_after_a_running_request_is_refused_after_its_answer(serve):
    async with serve(QUICK) as server:
        release = asyncio.Event()

        async def hold_answer(request):
            await release.wait()
            await request.answer(b"first")

        server.app.handlers["/held"] = hold_answer
        client = await server.connect()
        await client.send(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\nGET /b HT")
        await asyncio.sleep(0.5)
        release.set()
        assert (await client.read_answer()).body == b"first"
        assert (await client.read_answer()).status == 408
        assert await client.is_closed()


async def test_a_running_request_has_no_deadline_here(serve):
    async with serve(QUICK) as server:

        async def answer_late(request):
            await asyncio.sleep(0.8)
            await request.answer(b"slow")

        server.app.handlers["/slow"] = answer_late
        client = await server.connect()
        await client.send(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await client.read_answer()).body == b"slow"


async def test_client_that_reads_nothing_is_disconnected(serve):
    async with serve(QUICK) as server:

        async def send_endlessly(request):
            request.exchange.start(200, [])
            while True:
                await request.send_part(b"x" * 16384)

        server.app.handlers["/endless"] = send_endlessly
        client = await server.connect(limit=1024)
        await client.send(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(PATIENCE):
            while not server.app.requests:
                await asyncio.sleep(0.01)
            await server.app.requests[0].done.wait()
        assert server.app.requests[0].cancelled


async def test_a_connection_has_one_timer(serve):
    async with serve() as server:
        client = await server.connect()
        loop, made = asyncio.get_running_loop(), 0
        connection = next(iter(server.server.connections))

        class Counting:
            def __getattr__(self, name):
                return getattr(loop, name)

            def call_at(self, *arguments):
                nonlocal made
                made += 1
                return loop.call_at(*arguments)

        connection.loop = Counting()
        for _ in range(50):
            await client.send(GET)
            await client.read_answer()
        assert made <= 1
