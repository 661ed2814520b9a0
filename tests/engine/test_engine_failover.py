"""One loop over targets: deadlines of the call and of an attempt, what is recorded, what moves on."""

import asyncio
from typing import Any

import pytest

from antiphon.engine.attempt import Attempt
from antiphon.engine.outcome import Committed, Failed
from antiphon.errors import UpstreamTimeout
from antiphon.routing import make_plan
from antiphon.types import Outcome
from engine.conftest import Provider, ask


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
    from antiphon.engine import pipeline
    from antiphon.engine.call import Call

    first, second = providers
    runtime = await start_runtime(configure(first, second))
    seen: list[Call] = []

    async def keep(call: Call) -> Any:
        seen.append(call)
        return await run(call)

    run = pipeline.run
    pipeline.run = keep  # the call as the runtime makes it
    try:
        await ask(runtime)
    finally:
        pipeline.run = run
    (call,) = seen
    second.answer = refuse
    plan = make_plan(runtime.catalog.resolve("m"))
    due = asyncio.get_running_loop().time() + 5

    async def run_attempt(target: Any) -> Committed | Failed:
        return await Attempt(call, target, due).run()

    outcomes = await asyncio.gather(*(run_attempt(candidate.target) for candidate in plan.candidates))
    assert isinstance(outcomes[0], Committed)
    assert isinstance(outcomes[1], Failed)
    assert (outcomes[1].status, outcomes[1].sent) == (503, True)


async def refuse(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n")
