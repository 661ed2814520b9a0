import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import openai
import pytest

from antiphon.sim.server import SimServer


@pytest.fixture
async def sim() -> AsyncIterator[SimServer]:
    async with SimServer(seed=1) as server:
        yield server


@pytest.fixture
async def client(sim: SimServer) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=sim.url + "/v1", api_key="sk-sim", max_retries=0, timeout=10) as found:
        yield found


def request_bytes(body: dict[str, Any], keep: bool) -> bytes:
    data = json.dumps(body).encode()
    connection = "" if keep else "connection: close\r\n"
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: sim\r\n{connection}content-length: {len(data)}\r\n\r\n"
    return head.encode() + data


class Heard:
    """Everything a raw socket heard: the bytes, and how it ended: ``closed``, ``reset`` or ``silent``."""

    def __init__(self, data: bytes, ended: str) -> None:
        self.data, self.ended = data, ended
        self.head, _, self.body = data.partition(b"\r\n\r\n")
        self.status = int(data[9:12]) if len(data) > 12 else 0


@pytest.fixture
def hear(sim: SimServer) -> Callable[..., Awaitable[Heard]]:
    """Send a chat request on a socket of its own and listen until it ends.

    ``silent`` says that silence is expected; ``keep`` leaves the connection open after a sound answer, which is silence
    too.
    """

    async def hear(model: str, silent: bool = False, keep: bool = False, **fields: Any) -> Heard:
        patience = 0.5 if silent or keep else 10
        host, port = sim.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        body = {"model": model, "messages": [{"role": "user", "content": "Hello there"}], **fields}
        writer.write(request_bytes(body, keep))
        heard, ended = b"", "closed"
        try:
            while data := await asyncio.wait_for(reader.read(65536), patience):
                heard += data
        except TimeoutError:
            ended = "silent"
        except ConnectionResetError:
            ended = "reset"
        finally:
            writer.close()
        return Heard(heard, ended)

    return hear
