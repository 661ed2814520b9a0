"""How long a streamed body may take: regular pieces are enough, silence is not."""

import asyncio
import json
from contextlib import suppress

from antiphon.errors import CallError
from antiphon.server.errors import make_error_answer
from antiphon.server.http.connection import HttpServer
from antiphon.server.http.exchange import Exchange
from antiphon.server.http.limits import Limits
from antiphon.server.http.listener import Listener, listen
from antiphon.wires import get_wire
from processes import PATIENCE

SECONDS = 0.4


async def answer_with_body(exchange: Exchange) -> None:
    """Read the body; under /streamed, piece by piece."""
    exchange.streamed = exchange.head.path == b"/streamed"
    body = b""
    try:
        while part := await exchange.read_part():
            body += part
        status, headers = 200, []
    except CallError as error:
        status, headers, body = make_error_answer(error, get_wire("chat"))
    await exchange.answer(status, headers, body)


async def upload(path: str, pieces: int, then: float = 0.0) -> tuple[int, bytes]:
    """Send a body of 8 bytes in ``pieces`` pieces, with a third of the time for a body between them."""
    listener = Listener(HttpServer(answer_with_body, Limits(body_time=SECONDS)), listen("127.0.0.1", 0))
    await listener.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    try:
        writer.write(f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 8\r\nconnection: close\r\n\r\n".encode())
        for _ in range(pieces):
            writer.write(b"x")
            await asyncio.sleep(SECONDS / 3)
        head, _, body = (await asyncio.wait_for(reader.read(), PATIENCE)).partition(b"\r\n\r\n")
        return int(head.split()[1]), body
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        await listener.stop(0, asyncio.Event())


async def test_a_slow_body_that_keeps_arriving_is_read() -> None:
    assert await upload("/streamed", 8) == (200, b"x" * 8)


async def test_a_slow_body_that_is_buffered_times_out() -> None:
    status, body = await upload("/held", 8)
    assert (status, json.loads(body)["error"]["code"]) == (408, "request_timeout")


async def test_a_streamed_body_that_stalls_times_out() -> None:
    status, body = await upload("/streamed", 5)
    assert (status, json.loads(body)["error"]["code"]) == (408, "request_timeout")
