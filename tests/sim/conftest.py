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
    async with openai.AsyncOpenAI(base_url=sim.url + "/v1", api_key="sk-sim", max_retries=0, timeout=10) as client:
        yield client


def write_request(body: dict[str, Any], keep: bool) -> bytes:
    data = json.dumps(body).encode()
    connection = "" if keep else "connection: close\r\n"
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: sim\r\n{connection}content-length: {len(data)}\r\n\r\n"
    return head.encode() + data


class RawResponse:
    """Everything a raw socket received: the bytes, and how it ended (``closed``, ``reset`` or ``silent``)."""

    def __init__(self, data: bytes, ended: str) -> None:
        self.data, self.ended = data, ended
        self.head, _, self.body = data.partition(b"\r\n\r\n")
        self.status = int(data[9:12]) if len(data) > 12 else 0


@pytest.fixture
def fetch_raw(sim: SimServer) -> Callable[..., Awaitable[RawResponse]]:
    """Send a chat request on a new socket and read until it ends.

    ``silent`` says that silence is expected; ``keep`` leaves the connection open after a complete answer, which is
    silence too.
    """

    async def fetch_raw(model: str, silent: bool = False, keep: bool = False, **fields: Any) -> RawResponse:
        patience = 0.5 if silent or keep else 10
        host, port = sim.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        body = {"model": model, "messages": [{"role": "user", "content": "Hello there"}], **fields}
        writer.write(write_request(body, keep))
        received, ended = b"", "closed"
        try:
            while data := await asyncio.wait_for(reader.read(65536), patience):
                received += data
        except TimeoutError:
            ended = "silent"
        except ConnectionResetError:
            ended = "reset"
        finally:
            writer.close()
        return RawResponse(received, ended)

    return fetch_raw
