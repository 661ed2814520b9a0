"""What a provider of any wire does wrong beside errors: usage that is missing or impossible, and silence."""

import asyncio
from typing import Any

import pytest

from living import allow, post
from system.matrix.asking import WIRES, Ask, said
from system.matrix.capabilities import BUCKETS

HELLO = Ask(said("Say it"))


@pytest.mark.parametrize(
    "fault",
    [
        "fault-no-usage:tokens=3",
        *(f"fault-bad-usage:tokens=3:kind={kind}" for kind in ("negative", "huge", "text", "null")),
    ],
)
def test_usage_that_cannot_be_is_counted_by_the_gateway(
    house: Any, near: str, far: str, stream: bool, fault: str
) -> None:
    if near == far:
        pytest.skip("the bytes are the provider's")
    caller = house.callers[near]
    seen = caller.ask(f"{far}/{fault}", HELLO, caller.history(HELLO), stream)
    assert (seen.text, seen.finish) == ("Lorem ipsum ", "stop")
    assert all(0 <= count < 1000 for count in seen.usage.values())
    assert seen.usage["output"] == 3


@pytest.mark.parametrize("fault", ["fault-silence", "fault-stall:after=2", "fault-trickle:gap=0.2"])
async def test_silence_and_signs_of_life_alone_run_into_a_deadline(house: Any, fault: str) -> None:
    """``idle`` and ``first_output`` are one second here; pings, comments and empty deltas are no progress."""
    body: dict[str, Any] = {"messages": [{"role": "user", "content": "x"}], "stream": True}
    answers = await asyncio.gather(
        *(
            post(
                house.gateway.port, "/v1/chat/completions", {**body, "model": f"hasty-{far}/{fault}"}, house.gateway.key
            )
            for far in WIRES
        )
    )
    for far, answer in zip(WIRES, answers, strict=True):
        assert answer.seconds < allow(2), far
        assert answer.status == (200 if "stall" in fault else 504), far
        assert b"timeout" in answer.body, far
        assert b"[DONE]" not in answer.body, far


async def test_the_ledger_has_every_bucket_that_a_wire_tells(house: Any, far: str) -> None:
    gateway = house.gateway
    body = {"model": f"{far}/echo", "messages": [{"role": "user", "content": "costs"}]}
    row = await gateway.record(await post(gateway.port, "/v1/chat/completions", body, gateway.key))
    whole = {"cache_read": 60, "cache_write": 10, "reasoning": 20}
    told = {name: count if name in BUCKETS[far] else 0 for name, count in whole.items()}
    assert {name: row[name] for name in told} == told
    assert row["input"] + row["cache_read"] + row["cache_write"] == 100
    assert (row["output"] + row["reasoning"], row["estimated"]) == (50, 0)
