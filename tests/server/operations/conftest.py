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
def far() -> Iterator[Provider]:
    running = Provider()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def house(far: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    config = {
        "server": {"body_limit": "64MiB"},
        "providers": {
            "far": {"kind": "openai", "base_url": far.url, "api_key": "far-key"},
            "ranks": {"kind": "jina", "base_url": far.url, "api_key": "rank-key"},
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
def provider(far: Provider) -> Iterator[Provider]:
    far.clear()
    yield far
    assert not far.faults, far.faults


@pytest.fixture(scope="session")
def client(house: Gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{house.url}/v1", api_key=house.key, max_retries=0, timeout=60) as made:
        yield made


@pytest.fixture(scope="session")
def limited(house: Gateway) -> str:
    """A key for one model."""
    done = run_cli("keys", "create", "ears only", "--model", "ears", "--data", str(house.data), "--json")
    key: str = json.loads(done.stdout)["key"]
    until = time.monotonic() + PATIENCE
    while not _known(house, key):
        assert time.monotonic() < until
        time.sleep(0.05)
    return key


def _known(house: Gateway, key: str) -> bool:
    request = urllib.request.Request(f"{house.url}/v1/models", headers={"authorization": f"Bearer {key}"})
    try:
        urllib.request.urlopen(request, timeout=PATIENCE).close()
    except urllib.error.HTTPError as error:
        error.close()
        return False
    return True
