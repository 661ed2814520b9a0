"""LiteLLM, installed once and kept in the checkout, and a provider for it to call."""

import json
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from antiphon.config import load_config
from antiphon.engine.call import Answer
from antiphon.longtail.environment import Environment, LongtailError, get_environment, install, list_roots
from antiphon.runtime import Runtime
from antiphon.types import Caller
from environments import TOOLS, UNREACHABLE
from longtail.provider import RecordingProvider

SHARED_DATA = TOOLS / "longtail"
CALLER = Caller("key_test")
MESSAGES = [{"role": "user", "content": "Say it"}]


@pytest.fixture(scope="session")
def installed() -> Iterator[Environment]:
    """LiteLLM's environment; installing it the first time takes half a minute and a package registry."""
    before = os.environ.get("XDG_DATA_HOME")
    os.environ["XDG_DATA_HOME"] = str(SHARED_DATA)
    try:
        environment = get_environment(list_roots(None)[0])
        try:
            install(environment, print)
        except LongtailError as error:
            if UNREACHABLE.search(str(error)):
                pytest.skip(f"LiteLLM cannot be installed here: {str(error).splitlines()[-1]}")
            raise
        yield environment
    finally:
        if before is None:
            del os.environ["XDG_DATA_HOME"]
        else:
            os.environ["XDG_DATA_HOME"] = before


class RuntimeClient:
    """Calls a runtime of this process."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    async def answer(self, operation: str, model: str, **fields: Any) -> Answer:
        body = json.dumps({"model": model, **fields}).encode()
        return await self.runtime.ask(operation, body, CALLER)

    async def ask(self, operation: str, model: str, **fields: Any) -> Any:
        """Return the JSON of a whole answer."""
        answer = await self.answer(operation, model, **fields)
        assert answer.body is not None
        return json.loads(answer.body)

    async def chat(self, model: str, **fields: Any) -> Any:
        return await self.ask("chat", model, **({"messages": MESSAGES} | fields))

    async def start_stream(self, model: str, **fields: Any) -> Answer:
        """Return the answer of a streamed chat, once its first output has arrived."""
        return await self.answer("chat", model, **({"messages": MESSAGES} | fields), stream=True)

    async def stream(self, model: str, **fields: Any) -> list[Any]:
        """Return the events of a streamed chat; the last one is ``[DONE]`` unless the stream broke."""
        return await read_events(await self.start_stream(model, **fields))


async def read_events(answer: Answer) -> list[Any]:
    """Return the events of a streamed answer up to its end."""
    assert answer.stream is not None
    text = b""
    while data := await answer.stream.next():
        text += data
    events = [line.removeprefix("data: ") for line in text.decode().split("\n") if line.startswith("data: ")]
    return [event if event == "[DONE]" else json.loads(event) for event in events]


def make_runtime(folder: Path, config: Mapping[str, Any]) -> Runtime:
    """Return a runtime with a configuration, not started."""
    path = folder / "antiphon.yaml"
    path.write_text(json.dumps({"version": 1, "data": str(folder / "data"), **config}), "utf-8")
    return Runtime(load_config(str(path), {}))


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def shared_provider() -> AsyncIterator[RecordingProvider]:
    """A provider for the whole session."""
    provider = RecordingProvider()
    await provider.start()
    yield provider
    await provider.close()


@pytest.fixture
def provider(shared_provider: RecordingProvider) -> RecordingProvider:
    """The session's provider, with no requests recorded yet."""
    shared_provider.requests.clear()
    return shared_provider


def make_accounts(provider: RecordingProvider) -> dict[str, Any]:
    """Return the configuration of several providers that LiteLLM reaches, all at the test's provider."""
    url = provider.url
    return {
        "openai": {"via": "litellm", "base_url": f"{url}/v1", "api_key": "sk-openai-secret-1"},
        "bare": {"kind": "litellm", "base_url": f"{url}/v1", "api_key": "sk-bare-secret-12"},
        "bare-claude": {"kind": "litellm", "base_url": url, "api_key": "sk-ant-secret-123"},
        "azure": {
            "via": "litellm",
            "base_url": f"{url}/",
            "api_version": "2024-02-15-preview",
            "api_key": "azure-secret-1234",
        },
        "bedrock": {
            "via": "litellm",
            "params": {
                "aws_access_key_id": "AKIDEXAMPLE",
                "aws_secret_access_key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                "aws_region_name": "us-east-1",
                "aws_bedrock_runtime_endpoint": url,
            },
        },
        "ollama": {"via": "litellm", "base_url": url},
        "watsonx": {
            "via": "litellm",
            "base_url": url,
            "params": {"token": "watsonx-secret-12", "project_id": "p-1"},
        },
        "cohere": {"via": "litellm", "base_url": f"{url}/v2/rerank", "api_key": "cohere-secret-123"},
    }


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def client(
    installed: Environment, shared_provider: RecordingProvider, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RuntimeClient]:
    """A client of a runtime with one process of LiteLLM, for the whole session."""
    runtime = make_runtime(tmp_path_factory.mktemp("longtail"), {"providers": make_accounts(shared_provider)})
    await runtime.start()
    yield RuntimeClient(runtime)
    await runtime.close()
