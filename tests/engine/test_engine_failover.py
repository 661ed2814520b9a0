"""One loop over targets: deadlines of the call and of an attempt, what is recorded, what moves on."""

import asyncio
from typing import Any

import pytest

from antiphon.clock import make_id, monotonic, read_time_us
from antiphon.engine.attempt import Attempt
from antiphon.engine.call import Call
from antiphon.engine.generation import Generation
from antiphon.engine.outcome import Committed, Failed
from antiphon.errors import UpstreamTimeout
from antiphon.routing import make_plan
from antiphon.types import Outcome
from antiphon.wires import get_wire
from engine.conftest import CALLER, Provider, ask, write_request
from processes import PATIENCE


async def hang(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


def configure(first: Provider, second: Provider, **timeouts: float) -> dict[str, Any]:
    return {
        "providers": {
            "first": {"kind": "openai-compatible", "base_url": first.url, "timeouts": timeouts},
            "second": {"kind": "openai-compatible", "base_url": second.url},
        },
        "models": {"m": {"targets": ["first/a"], "fallbacks": ["second/b"]}},
    }


async def test_a_targets_total_ends_its_attempt_and_not_the_call(start_runtime: Any, providers: Any) -> None:
    first, second = providers
    first.answer = hang
    runtime = await start_runtime(configure(first, second, total=0.3))
    answer = await ask(runtime)
    assert answer.record is not None
    assert [(each.target, each.outcome) for each in answer.record.attempts] == [
        ("first/a", Outcome.ERROR),
        ("second/b", Outcome.SUCCESS),
    ]
    assert answer.record.attempts[0].error == UpstreamTimeout.code


async def test_the_call_ends_with_its_own_total(start_runtime: Any, providers: Any) -> None:
    first, second = providers
    first.answer = second.answer = hang
    config = configure(first, second)
    config["timeouts"] = {"total": 0.4, "first_output": 0.3}
    runtime = await start_runtime(config)
    with pytest.raises(UpstreamTimeout) as caught:
        await ask(runtime)
    assert caught.value.attempts == 2
    assert caught.value.phase == "total"  # the second attempt had what the first one left


async def test_attempts_of_one_call_can_run_side_by_side(start_runtime: Any, providers: Any) -> None:
    """An attempt returns a value and writes nowhere, so two of one call cannot disturb each other."""
    first, second = providers
    refused = asyncio.Event()

    async def refuse(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n")
        refused.set()

    async def reply_after_the_refusal(writer: asyncio.StreamWriter) -> None:
        await refused.wait()
        await first.send_reply(writer)

    first.answer, second.answer = reply_after_the_refusal, refuse
    runtime = await start_runtime(configure(first, second))
    wire, body = get_wire("chat"), write_request("m")
    call = Call(
        make_id("call"), read_time_us(), monotonic(), "chat", wire, wire.peek(body), body, CALLER, runtime.services,
        Generation(),
    )  # fmt: skip
    loop = asyncio.get_running_loop()
    due = loop.time() + PATIENCE
    attempts = [
        Attempt(call, candidate.target, loop, due) for candidate in make_plan(runtime.catalog.resolve("m")).candidates
    ]
    committed, failed = await asyncio.gather(*(attempt.run() for attempt in attempts))
    assert isinstance(committed, Committed)
    assert (committed.target.name, committed.status) == ("first/a", 200)
    assert isinstance(failed, Failed)
    assert (failed.target.name, failed.status, failed.sent) == ("second/b", 503, True)
