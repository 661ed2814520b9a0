"""Faults of providers of any wire other than errors: missing or impossible usage, and silence."""

import asyncio
from typing import Any

import pytest

from processes import allow, post
from system.matrix.capabilities import BUCKETS
from system.matrix.questions import WIRES, Question, make_turns

HELLO = Question(make_turns("Say it"))


@pytest.mark.parametrize(
    "fault",
    [
        "fault-no-usage:tokens=3",
        *(f"fault-bad-usage:tokens=3:kind={kind}" for kind in ("negative", "huge", "text", "null")),
    ],
)
def test_the_gateway_estimates_impossible_usage(
    matrix: Any, caller_wire: str, target_wire: str, stream: bool, fault: str
) -> None:
    if caller_wire == target_wire:
        pytest.skip("the bytes are the provider's")
    caller = matrix.callers[caller_wire]
    answer = caller.ask(f"{target_wire}/{fault}", HELLO, caller.make_history(HELLO), stream)
    assert (answer.text, answer.finish) == ("Lorem ipsum ", "stop")
    assert all(0 <= count < 1000 for count in answer.usage.values())
    assert answer.usage["output"] == 3


@pytest.mark.parametrize("fault", ["fault-silence", "fault-stall:after=2", "fault-trickle:gap=0.2"])
async def test_silence_and_heartbeats_alone_time_out(matrix: Any, fault: str) -> None:
    """``idle`` and ``first_output`` are one second; pings, comments and empty deltas do not count as progress."""
    body: dict[str, Any] = {"messages": [{"role": "user", "content": "x"}], "stream": True}
    answers = await asyncio.gather(
        *(
            post(
                matrix.gateway.port,
                "/v1/chat/completions",
                {**body, "model": f"hasty-{target_wire}/{fault}"},
                matrix.gateway.key,
            )
            for target_wire in WIRES
        )
    )
    for target_wire, answer in zip(WIRES, answers, strict=True):
        assert answer.seconds < allow(2), target_wire
        assert answer.status == (200 if "stall" in fault else 504), target_wire
        assert b"timeout" in answer.body, target_wire
        assert b"[DONE]" not in answer.body, target_wire


async def test_the_ledger_has_every_bucket_of_the_wire(matrix: Any, target_wire: str) -> None:
    gateway = matrix.gateway
    body = {"model": f"{target_wire}/echo", "messages": [{"role": "user", "content": "costs"}]}
    row = await gateway.wait_for_record(await post(gateway.port, "/v1/chat/completions", body, gateway.key))
    whole = {"cache_read": 60, "cache_write": 10, "reasoning": 20}
    counts = {name: count if name in BUCKETS[target_wire] else 0 for name, count in whole.items()}
    assert {name: row[name] for name in counts} == counts
    assert row["input"] + row["cache_read"] + row["cache_write"] == 100
    assert (row["output"] + row["reasoning"], row["estimated"]) == (50, 0)
