"""A gateway in its own process, strict providers behind it, and the official client."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import openai
import pytest

from processes import PATIENCE, Gateway, run_cli
from server.operations.provider import Provider


@pytest.fixture(scope="session")
def provider_server() -> Iterator[Provider]:
    running = Provider()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def gateway(provider_server: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    config = {
        "server": {"body_limit": "64MiB"},
        "providers": {
            "far": {"kind": "openai", "base_url": provider_server.url, "api_key": "far-key"},
            "ranks": {"kind": "jina", "base_url": provider_server.url, "api_key": "rank-key"},
        },
        "models": {
            "ears": "far/whisper-1",
            "painter": {"targets": ["far/painter"], "price": {"images": 0.04}},
            "ranker": {"targets": ["ranks/ranker"], "price": {"searches": 0.0025}},
            "speaker": {"targets": ["far/speaker"], "price": {"characters": 0.00001}},
            "writer": {"targets": ["far/writer"], "price": {"input": 2, "output": 8}},
            "twice": {"targets": ["far/first", "far/second"]},
        },
    }
    running = Gateway(tmp_path_factory.mktemp("house"), config)
    try:
        yield running
    finally:
        assert running.stop() == 0, running.output
        assert "Traceback" not in running.output, running.output
        assert "ERROR" not in running.output, running.output


@pytest.fixture
def provider(provider_server: Provider) -> Iterator[Provider]:
    provider_server.clear()
    yield provider_server
    assert not provider_server.faults, provider_server.faults


@pytest.fixture(scope="session")
def client(gateway: Gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0, timeout=60) as made:
        yield made


@pytest.fixture(scope="session")
def limited(gateway: Gateway) -> str:
    """A key for one model."""
    done = run_cli("keys", "create", "ears only", "--model", "ears", "--data", str(gateway.data), "--json")
    key: str = json.loads(done.stdout)["key"]
    until = time.monotonic() + PATIENCE
    while not _is_known(gateway, key):
        assert time.monotonic() < until
        time.sleep(0.05)
    return key


def _is_known(gateway: Gateway, key: str) -> bool:
    request = urllib.request.Request(f"{gateway.url}/v1/models", headers={"authorization": f"Bearer {key}"})
    try:
        urllib.request.urlopen(request, timeout=PATIENCE).close()
    except urllib.error.HTTPError as error:
        error.close()
        return False
    return True
