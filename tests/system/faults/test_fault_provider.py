"""The provider misbehaves: every fault ends in a complete answer or an explicit error, and in one true record."""

import asyncio
import json
import time
from typing import Any

import pytest
from openai import AsyncOpenAI

from processes import Answer, Gateway, Sim, allow, chat, wait_until

DONE = b"data: [DONE]\n\n"


def get_error(answer: Answer) -> dict[str, Any]:
    """Return the error with which a stream ended, which must be its last frame."""
    frames = [frame for frame in answer.body.split(b"\n\n") if frame and not frame.startswith(b":")]
    error: dict[str, Any] = json.loads(frames[-1].removeprefix(b"data: "))["error"]
    return error


REFUSED = {  # fault: status the caller sees, error code, seconds it may take at most
    "fault-429": (429, "rate_limit_exceeded", 1.0),
    "fault-500": (500, "sim_failed", 1.0),
    "fault-503": (503, "sim_failed", 1.0),
    "fault-529": (529, "sim_failed", 1.0),
    "fault-400": (400, "sim_refused", 1.0),
    "fault-reset": (502, "upstream_disconnected", 1.0),
    "fault-silence": (504, "upstream_timeout", 2.5),
    "fault-html": (502, "upstream_bad_answer", 1.0),
    "fault-error-200": (502, "upstream_bad_answer", 1.0),
    "fault-preamble-error": (502, "upstream_bad_answer", 1.0),
    "fault-trickle": (504, "upstream_timeout", 2.5),
    "fault-204": (502, "upstream_bad_answer", 1.0),
    "fault-redirect": (502, "upstream_bad_answer", 1.0),
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("fault", REFUSED)
async def test_faults_before_any_output_are_errors_with_a_status(gateway: Gateway, fault: str, stream: bool) -> None:
    status, code, seconds = REFUSED[fault]
    answer = await chat(gateway, f"up/{fault}", stream=stream)
    assert answer.status == status, answer
    assert answer.json["error"]["code"] == code
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.seconds <= allow(seconds)
    record = await gateway.wait_for_record(answer)
    assert (record["outcome"], record["status"]) == ("error", status)


@pytest.mark.parametrize("fault", ["fault-cut", "fault-length", "fault-json", "fault-half-close", "fault-stall"])
async def test_broken_whole_answers_are_never_shown(gateway: Gateway, fault: str) -> None:
    answer = await chat(gateway, f"up/{fault}")
    assert answer.status in (502, 504)
    assert answer.json["error"]["code"].startswith("upstream_")
    assert (await gateway.wait_for_record(answer))["outcome"] == "error"


ADMITTED = {  # fault after output: error code
    "fault-cut:tps=50": "upstream_truncated",
    "fault-cut-clean:tps=50": "upstream_truncated",
    "fault-half-close:tps=50": "upstream_truncated",
    "fault-stall:tps=50": "upstream_timeout",
    "fault-json:tps=50": "upstream_bad_answer",
    "fault-error-midstream:tps=50": "sim_broken",
    "fault-cut:tps=50:reset=1": "upstream_truncated",
}


@pytest.mark.parametrize("fault", ADMITTED)
async def test_faults_after_output_are_admitted_and_recorded(gateway: Gateway, sim: Sim, fault: str) -> None:
    answer = await chat(gateway, f"up/{fault}", stream=True)
    assert answer.status == 200
    assert answer.whole
    assert DONE not in answer.body
    assert b'"content":"Lore"' in answer.body
    assert get_error(answer)["code"] == ADMITTED[fault]
    assert answer.seconds <= allow(2.0)
    record = await gateway.wait_for_record(answer)
    assert record["outcome"] == "partial"
    assert record["output"] > 0
    assert record["estimated"]
    await wait_until(lambda: sim.count_open() <= 1, allow(0.5))


async def test_a_stall_is_noticed_in_time_and_the_provider_is_released(gateway: Gateway, sim: Sim) -> None:
    answer = await chat(gateway, "up/fault-stall", stream=True)
    assert 1.0 <= answer.seconds <= allow(1.5)
    assert b": keep-alive\n\n" in answer.body  # the caller was not left in silence
    served = sim.list_served()[-1]
    assert served["ended"] == "left"
    assert served["closed_after"] <= allow(1.0 + 0.5 + 0.1)


async def test_the_official_client_raises_on_a_broken_stream(gateway: Gateway) -> None:
    async with AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0) as client:
        stream = await client.chat.completions.create(
            model="up/fault-cut-clean:tps=50", messages=[{"role": "user", "content": "x"}], stream=True
        )
        with pytest.raises(Exception, match="cut short"):
            async for _ in stream:
                pass


@pytest.mark.parametrize("fault", ["fault-no-done", "fault-no-done:eol=crlf", "fault-no-done:bom=1:comments=1"])
async def test_a_finish_reason_without_the_end_marker_is_complete(gateway: Gateway, fault: str) -> None:
    answer = await chat(gateway, f"up/{fault}", stream=True)
    assert answer.whole
    assert answer.body.endswith(DONE)
    record = await gateway.wait_for_record(answer)
    assert (record["outcome"], record["estimated"]) == ("success", 0)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    "fault", ["fault-no-usage", *(f"fault-bad-usage:kind={kind}" for kind in ("negative", "huge", "nan", "text"))]
)
async def test_missing_or_impossible_usage_is_estimated(gateway: Gateway, fault: str, stream: bool) -> None:
    answer = await chat(gateway, f"up/{fault}", stream=stream)
    if answer.status == 502:  # NaN is no JSON, so the answer that holds it is none
        assert "nan" in fault
        return
    record = await gateway.wait_for_record(answer)
    assert record["estimated"]
    assert 0 < record["output"] < 1000
    assert record["cost"] is None or record["cost"] >= 0


@pytest.mark.parametrize("retry", ["0", "5", "date", "past", "far", "garbage", "none"])
async def test_a_valid_retry_after_is_passed_on(gateway: Gateway, retry: str) -> None:
    answer = await chat(gateway, f"up/fault-429:retry={retry}")
    assert answer.status == 429
    retry_after = answer.headers.get("retry-after")
    expected = {"0": "0", "5": "5", "past": "0", "far": "3600", "garbage": None, "none": None}
    if retry == "date":
        assert 1 <= int(retry_after or "-1") <= 6
    else:
        assert retry_after == expected[retry]


async def test_a_redirect_is_not_followed_and_takes_no_credential_along(gateway: Gateway, sim: Sim) -> None:
    before = len(sim.list_served())
    await chat(gateway, "up/fault-redirect")
    assert len(sim.list_served()) == before + 1


@pytest.mark.parametrize("style", ["", ":split=1", ":split=7", ":eol=crlf", ":eol=cr", ":comments=1:bom=1"])
async def test_every_legal_framing_gives_the_same_text(gateway: Gateway, style: str) -> None:
    answer = await chat(gateway, f"up/echo{style}", stream=True)
    assert answer.status == 200
    assert b"[DONE]" in answer.body
    text = ""
    for line in answer.body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"):
        if line.startswith(b"data: {"):
            for choice in json.loads(line[6:])["choices"]:
                text += choice["delta"].get("content") or ""
    assert text == "Say it"


async def test_an_answer_cut_at_every_byte_is_complete_or_an_explicit_error(gateway: Gateway, sim: Sim) -> None:
    model = "fault-cut-at:tokens=3"
    whole = await chat(gateway, f"up/{model}:bytes=1000000", stream=True)
    assert whole.body.endswith(DONE)
    length = sim.list_served()[-1]["bytes"]
    assert length > 500

    async def cut(at: int) -> bytes:
        answer = await chat(gateway, f"up/{model}:bytes={at}", stream=True)
        if answer.status != 200:
            assert answer.status == 502, (at, answer)
            return b"refused"
        assert answer.whole, at
        if answer.body.endswith(DONE):
            assert b'"finish_reason":"stop"' in answer.body, at
            return b"complete"
        assert get_error(answer)["code"] == "upstream_truncated", at
        return b"admitted"

    step = 1
    seen = set()
    for start in range(0, length, 32):
        seen.update(await asyncio.gather(*(cut(at) for at in range(start, min(start + 32, length), step))))
    assert seen == {b"refused", b"complete", b"admitted"}


async def test_a_silent_target_is_tried_only_once(gateway: Gateway, sim: Sim) -> None:
    before = len(sim.list_served())
    started = time.monotonic()
    answer = await chat(gateway, "up/fault-silence", stream=True)
    assert 1.5 <= time.monotonic() - started <= allow(2.5)
    assert answer.headers["x-antiphon-call-id"]
    assert len(sim.list_served()) == before + 1
