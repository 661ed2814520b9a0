"""Runtimes in this process, in front of providers that the test scripts."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from antiphon.config import load_config
from antiphon.engine.call import Answer
from antiphon.runtime import Runtime
from antiphon.types import Caller

CALLER = Caller("key")
REPLY = {
    "id": "c", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
}  # fmt: skip


def frame(text: str = "", finish: str | None = None) -> bytes:
    """Return one chunk of a chat stream."""
    delta = {"content": text} if text else {}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    data = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return b"data: %b\n\n" % json.dumps(data).encode()


class Provider:
    """A chat provider on a real socket; ``answer`` writes what a test wants, and ``asked`` holds the bodies."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answer: Callable[[asyncio.StreamWriter], Awaitable[None]] = self.send_reply
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()

    async def send_reply(self, writer: asyncio.StreamWriter) -> None:
        body = json.dumps(REPLY).encode()
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body
        )

    async def begin_stream(self, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                self.asked.append(json.loads(await reader.readexactly(length)))
                await self.answer(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@pytest.fixture
async def providers() -> AsyncIterator[list[Provider]]:
    """Two providers."""
    made = [Provider(), Provider()]
    for provider in made:
        await provider.start()
    yield made
    for provider in made:
        await provider.close()


@pytest.fixture
async def start_runtime(tmp_path: Path) -> AsyncIterator[Callable[[dict[str, Any]], Awaitable[Runtime]]]:
    """Start runtimes with a configuration each; they are closed at the end."""
    started: list[Runtime] = []

    async def start(config: dict[str, Any]) -> Runtime:
        runtime = Runtime(load(tmp_path, config))
        await runtime.start()
        started.append(runtime)
        return runtime

    yield start
    for runtime in started:
        await runtime.close()


def load(folder: Path, config: dict[str, Any]) -> Any:
    """Return the catalog of a configuration."""
    path = folder / "antiphon.yaml"
    path.write_text(json.dumps({"version": 1, **config}), "utf-8")
    return load_config(str(path), {})


async def ask(runtime: Runtime, model: str = "m", **fields: Any) -> Answer:
    """Ask for a chat completion."""
    return await runtime.ask("chat", write_request(model, **fields), CALLER)


def write_request(model: str, **fields: Any) -> bytes:
    """Return the body of a short chat request."""
    return json.dumps({"model": model, "messages": [{"role": "user", "content": "Hi"}], **fields}).encode()
