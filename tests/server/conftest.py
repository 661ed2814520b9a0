"""A gateway in its own process, with the simulator, and the official client."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import openai
import pytest

from processes import Gateway

CONFIG = {
    "models": {
        "gpt": "sim/echo",
        "meta/llama:free": {"targets": [{"model": "sim/echo"}], "aliases": ["llama3.2:3b"]},
        "broken": "sim/fault-cut-clean:after=3",
    }
}


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    running = Gateway(tmp_path_factory.mktemp("gateway"), CONFIG)
    try:
        yield running
    finally:
        assert running.stop() == 0, running.output
        assert "Traceback" not in running.output, running.output
        assert "ERROR" not in running.output, running.output


@pytest.fixture(scope="session")
def client(gateway: Gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0, timeout=20) as made:
        yield made


@pytest.fixture
async def aclient(gateway: Gateway) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0, timeout=20) as made:
        yield made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path
