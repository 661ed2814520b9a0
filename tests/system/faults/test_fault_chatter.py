"""A provider that only sends comments, pings or half frames is treated like one that sends nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from processes import PATIENCE, Gateway, post

CHAT = (
    b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":%b}]}\n\n'
)
MESSAGE = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant",'
    b'"model":"m","content":[],"stop_reason":null,"usage":{"input_tokens":3,"output_tokens":1}}}\n\n'
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,'
    b'"content_block":{"type":"text","text":""}}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":"Hi"}}\n\n'
)
PING = b'event: ping\ndata: {"type": "ping"}\n\n'
CASES = {
    "comments": ("/v1/chat/completions", "openai-compatible", CHAT % b'{"content":"Hi"}', b": still here\n\n" * 50),
    "one frame that never ends": ("/v1/chat/completions", "openai-compatible", CHAT % b'{"content":"Hi"}', b":" * 50),
    "pings": ("/v1/messages", "anthropic", MESSAGE, PING * 20),
}


@asynccontextmanager
async def run_chatterer(begin: bytes, chatter: bytes) -> AsyncIterator[tuple[int, asyncio.Event]]:
    """Run a provider that streams ``begin``, then ``chatter`` without end; yield its port and an event for its end."""
    left = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + begin)
        try:
            while True:
                writer.write(chatter)
                await writer.drain()
                await asyncio.sleep(0)
        except ConnectionError:
            left.set()
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], left
    finally:
        server.close()


@pytest.mark.parametrize("case", CASES)
async def test_chatter_does_not_count_as_progress(tmp_path: Path, case: str) -> None:
    path, kind, begin, chatter = CASES[case]
    async with run_chatterer(begin, chatter) as (port, left):
        config = {
            "timeouts": {"idle": 1, "total": 120},
            "providers": {"up": {"kind": kind, "base_url": f"http://127.0.0.1:{port}", "api_key": "k"}},
        }
        gateway = Gateway(tmp_path, config)
        try:
            body = {"model": "up/m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}], "stream": True}
            answer = await asyncio.wait_for(post(gateway.port, path, body, gateway.key), PATIENCE)
            assert b"Hi" in answer.body
            assert b"(idle deadline)" in answer.body
            record = await gateway.wait_for_record(answer)
            assert (record["outcome"], record["error"]) == ("partial", "upstream_timeout")
            await asyncio.wait_for(left.wait(), PATIENCE)
        finally:
            assert gateway.stop() == 0
