"""LiteLLM, installed once and kept in the checkout, and a provider for it to call."""

import json
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from antiphon.config import load_config
from antiphon.engine.call import Answer
from antiphon.longtail.environment import Environment, LongtailError, environment, install, roots
from antiphon.runtime import Runtime
from antiphon.types import Caller
from environments import TOOLS, UNREACHABLE
from longtail.far import Far

SHARED = TOOLS / "longtail"
CALLER = Caller("key_test")


@pytest.fixture(scope="session")
def installed() -> Iterator[Environment]:
    """LiteLLM's environment; the first time this takes half a minute and a package registry."""
    before = os.environ.get("XDG_DATA_HOME")
    os.environ["XDG_DATA_HOME"] = str(SHARED)
    try:
        wanted = environment(roots(None)[0])
        try:
            install(wanted, print)
        except LongtailError as error:
            if UNREACHABLE.search(str(error)):
                pytest.skip(f"LiteLLM cannot be installed here: {str(error).splitlines()[-1]}")
            raise
        yield wanted
    finally:
        if before is None:
            del os.environ["XDG_DATA_HOME"]
        else:
            os.environ["XDG_DATA_HOME"] = before


class Asker:
    """A runtime of our own, asked in process."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    async def answer(self, operation: str, model: str, **fields: Any) -> Answer:
        body = json.dumps({"model": model, **fields}).encode()
        return await self.runtime.ask(operation, body, CALLER)

    async def ask(self, operation: str, model: str, **fields: Any) -> Any:
        answer = await self.answer(operation, model, **fields)
        assert answer.body is not None
        return json.loads(answer.body)

    async def chat(self, model: str, **fields: Any) -> Any:
        return await self.ask("chat", model, **({"messages": [{"role": "user", "content": "Say it"}]} | fields))

    async def frames(self, model: str, **fields: Any) -> list[Any]:
        """Return what a stream said; the last entry is ``[DONE]`` where it said that."""
        messages = [{"role": "user", "content": "Say it"}]
        answer = await self.answer("chat", model, **({"messages": messages} | fields), stream=True)
        assert answer.stream is not None
        text = b""
        while data := await answer.stream.next():
            text += data
        found = [line.removeprefix("data: ") for line in text.decode().split("\n") if line.startswith("data: ")]
        return [each if each == "[DONE]" else json.loads(each) for each in found]


def configured(folder: Path, config: Mapping[str, Any]) -> Runtime:
    """Return a runtime over a configuration, not started."""
    path = folder / "antiphon.yaml"
    path.write_text(json.dumps({"version": 1, "data": str(folder / "data"), **config}), "utf-8")
    return Runtime(load_config(str(path), {}))


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def far() -> AsyncIterator[Far]:
    """A provider for the whole session."""
    far = Far()
    await far.start()
    yield far
    await far.close()


@pytest.fixture
def fresh(far: Far) -> Far:
    """The same provider, with nothing seen yet."""
    far.seen.clear()
    return far


@pytest.fixture(scope="session")
def accounts() -> Callable[[Far], dict[str, Any]]:
    """The providers of the six endpoints, and others, at a provider of ours."""

    def providers(far: Far) -> dict[str, Any]:
        url = far.url
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

    return providers


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def asker(
    installed: Environment,
    far: Far,
    accounts: Callable[[Far], dict[str, Any]],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Asker]:
    """A runtime with one process of LiteLLM, for the whole session."""
    runtime = configured(tmp_path_factory.mktemp("longtail"), {"providers": accounts(far)})
    await runtime.start()
    yield Asker(runtime)
    await runtime.close()
