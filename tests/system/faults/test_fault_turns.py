"""A provider that sends a thousand frames at once does not block other tasks of the gateway."""

import asyncio
import json
from pathlib import Path

import pytest

from antiphon.config import load_config
from antiphon.engine.upstream import FRAMES_AT_ONCE
from antiphon.runtime import Runtime
from antiphon.types import Caller

FRAMES = 1000
CHUNK = b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[%b]}\n\n'
OUTPUT = b"".join(CHUNK % (b'{"index":0,"delta":{"content":"%d "}}' % number) for number in range(FRAMES))
LAST = CHUNK % b'{"index":0,"delta":{},"finish_reason":"stop"}' + b"data: [DONE]\n\n"


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + OUTPUT + LAST)
    writer.close()


@pytest.mark.parametrize("operation", ["chat", "messages"])
async def test_other_tasks_run_between_frames(tmp_path: Path, operation: str) -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    config = {
        "version": 1,
        "providers": {"up": {"kind": "openai-compatible", "base_url": f"http://127.0.0.1:{port}/v1"}},
    }
    path = tmp_path / "antiphon.yaml"
    path.write_text(json.dumps(config), "utf-8")
    runtime = Runtime(load_config(str(path), {}))
    await runtime.start()
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    body = {"model": "up/m", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "x"}]}
    try:
        answer = await runtime.ask(operation, json.dumps(body).encode(), Caller("key"))
        stream = answer.stream
        assert stream is not None
        ticking = asyncio.ensure_future(count_turns())
        text = b""
        most = 0
        while data := await stream.next():
            text += data
            most = max(most, data.count(b"\n\n"))
        ticking.cancel()
    finally:
        await runtime.close()
        server.close()
    assert all(b'"%d "' % number in text for number in range(FRAMES))
    assert turns >= FRAMES / FRAMES_AT_ONCE - 2  # the first ones arrived before the other task ran
    assert most <= 2 * FRAMES_AT_ONCE
