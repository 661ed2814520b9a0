"""A simulator as the provider and a gateway; after every case the gateway must be as it was before."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from processes import Gateway, Sim, allow, chat, wait_until

PROVIDER_KEY = "sk-provider-secret-0123456789"
TIMEOUTS = {"connect": 2, "first_output": 2, "idle": 1, "total": 20}


@pytest.fixture(scope="module")
def sim() -> Iterator[Sim]:
    sim = Sim()
    yield sim
    sim.stop()


@pytest.fixture(scope="module")
def gateway(sim: Sim, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    config = {
        "server": {"heartbeat": 0.4},
        "timeouts": TIMEOUTS,
        "providers": {"up": {"kind": "openai-compatible", "base_url": f"{sim.url}/v1", "api_key": PROVIDER_KEY}},
    }
    gateway = Gateway(tmp_path_factory.mktemp("gateway"), config)
    yield gateway
    assert gateway.stop() == 0


@pytest.fixture(autouse=True)
async def _as_before(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Check that the process lives and answers, logged no traceback and no secret, and has closed its connections."""
    yield
    if "gateway" not in request.fixturenames:
        return
    gateway: Gateway = request.getfixturevalue("gateway")
    probe = await asyncio.wait_for(chat(gateway, "sim/echo"), allow(1))
    assert probe.status == 200
    assert gateway.process.poll() is None
    assert "Traceback" not in gateway.output
    assert PROVIDER_KEY not in gateway.output
    assert gateway.output.count(gateway.key) <= 3  # the banner of the first start shows it
    await wait_until(lambda: gateway.count_connections() == 0, allow(5))
