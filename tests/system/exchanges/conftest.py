"""A gateway whose providers speak one wire each, strict providers behind it, and official clients in front."""

from collections.abc import Iterator

import anthropic
import openai
import pytest
from google import genai
from google.genai import types

from processes import Gateway
from server.operations.provider import Provider


@pytest.fixture(scope="session")
def provider_server() -> Iterator[Provider]:
    running = Provider()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def gateway(provider_server: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    root = provider_server.url.removesuffix("/v1")
    config = {
        "providers": {
            "oai": {"kind": "openai", "base_url": f"{root}/v1", "api_key": "oai-key"},
            "gem": {"kind": "gemini", "base_url": f"{root}/v1beta", "api_key": "gem-key"},
            "claude": {"kind": "anthropic", "base_url": root, "api_key": "claude-key"},
            "rock": {"kind": "bedrock", "base_url": root, "api_key": "rock-key", "region": "us-east-1"},
            "signed": {
                "kind": "bedrock",
                "base_url": root,
                "access_key": "AKID",
                "secret_key": "secret",
                "region": "us-east-1",
            },
            "vert": {"kind": "vertex-express", "base_url": f"{root}/v1", "api_key": "vert-key"},
            "cloud": {"kind": "vertex", "base_url": f"{root}/v1", "api_key": "cloud-key", "project": "p"},
            "plain": {"kind": "openai-compatible", "base_url": f"{root}/v1", "api_key": "plain-key"},
        },
        "models": {"vectors": {"targets": ["oai/text-embedding-3-small", "gem/gemini-embedding-001"]}},
    }
    running = Gateway(tmp_path_factory.mktemp("exchanges"), config)
    try:
        yield running
    finally:
        assert running.stop() == 0, running.output
        assert "Traceback" not in running.output, running.output


@pytest.fixture
def provider(provider_server: Provider) -> Iterator[Provider]:
    provider_server.clear()
    yield provider_server
    assert not provider_server.faults, provider_server.faults


@pytest.fixture(scope="session")
def client(gateway: Gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0, timeout=30) as made:
        yield made


@pytest.fixture(scope="session")
def google(gateway: Gateway) -> Iterator[genai.Client]:
    once = types.HttpRetryOptions(attempts=1)
    options = types.HttpOptions(base_url=gateway.url, retry_options=once)
    with genai.Client(api_key=gateway.key, http_options=options) as made:
        yield made


@pytest.fixture(scope="session")
def claude(gateway: Gateway) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0, timeout=30) as made:
        yield made
