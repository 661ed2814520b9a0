"""``kill -9`` under open streams: every answered call is in the ledger exactly once, and the next start is fast."""

import asyncio
import os
import random
import time
from collections import Counter
from pathlib import Path

import pytest

from processes import PATIENCE, Gateway, Sim, allow, post, run_cli, wait_until

KILLS = 200 if os.environ.get("ANTIPHON_CAMPAIGN") else int(os.environ.get("ANTIPHON_KILLS", "6"))
STREAMS = 50
DONE = b"data: [DONE]\n\n"


async def call_until_stopped(gateway: Gateway, answered: Counter[str], models: list[str], stop: asyncio.Event) -> None:
    """Call in a loop, and note the id of each call whose whole answer arrived."""
    while not stop.is_set():
        model = random.choice(models)
        stream = model != "up/echo"
        body = {"model": model, "messages": [{"role": "user", "content": "one two three four"}], "stream": stream}
        try:
            answer = await post(gateway.port, "/v1/chat/completions", body, gateway.key)
        except OSError:
            return
        complete = DONE in answer.body if stream else answer.whole
        if answer.status == 200 and complete:
            answered[answer.headers["x-antiphon-call-id"]] += 1
        elif not stop.is_set() and answer.status not in (0, 200):
            raise AssertionError(answer)


@pytest.mark.slow
@pytest.mark.timeout(1800)  # the campaign kills two hundred times
@pytest.mark.parametrize("durability", ["process", "disk"])
async def test_no_answered_call_is_lost_or_doubled(sim: Sim, tmp_path: Path, durability: str) -> None:
    config = {
        "durability": durability,
        "providers": {"up": {"kind": "openai-compatible", "base_url": f"{sim.url}/v1", "api_key": "x"}},
    }
    models = ["up/echo:tps=20", "up/echo:tps=100", "up/lorem:tokens=200:tps=1000", "up/echo"]
    answered: Counter[str] = Counter()
    slowest = 0.0  # compared with what is allowed at the time
    kills = KILLS if durability == "process" else max(2, KILLS // 4)
    for _ in range(kills):
        gateway = Gateway(tmp_path, config)
        slowest = max(slowest, gateway.ready_after / allow(3.0))
        stop = asyncio.Event()
        callers = [asyncio.create_task(call_until_stopped(gateway, answered, models, stop)) for _ in range(STREAMS)]
        before = answered.total()
        await asyncio.sleep(random.uniform(0.2, 1.2))
        await wait_until(lambda: answered.total() > before + 20)  # noqa: B023 - awaited at once
        stop.set()
        await asyncio.to_thread(gateway.kill)
        await asyncio.gather(*callers)
    verified = run_cli("usage", "verify", "--data", str(tmp_path / "data"))
    assert verified.returncode == 0, verified.stdout
    await asyncio.to_thread(run_cli, "usage", "--data", str(tmp_path / "data"))  # files what the last kill left
    rows = Counter(row["id"] for row in gateway.list_records())
    lost = [call for call in answered if rows[call] == 0]
    print(f"{durability}: {kills} kills, {len(answered)} answered, {len(rows)} recorded")
    print(f"slowest start: {slowest:.0%} of what is allowed")
    assert len(answered) > 20 * kills
    assert lost == []
    assert max(rows.values()) == 1
    assert slowest <= 1.0


async def test_a_stopped_gateway_leaves_everything_in_the_ledger(sim: Sim, tmp_path: Path) -> None:
    config = {"providers": {"up": {"kind": "openai-compatible", "base_url": f"{sim.url}/v1", "api_key": "x"}}}
    gateway = Gateway(tmp_path, config)
    started = time.monotonic()
    answers = await asyncio.gather(
        *(post(gateway.port, "/v1/chat/completions", make_chat_body(), gateway.key) for _ in range(20))
    )
    assert gateway.stop() == 0
    assert time.monotonic() - started < PATIENCE
    recorded = {row["id"] for row in gateway.list_records()}
    assert recorded == {answer.headers["x-antiphon-call-id"] for answer in answers}


def make_chat_body() -> dict[str, object]:
    return {"model": "up/echo", "messages": [{"role": "user", "content": "hello"}]}
