"""The service tier that a provider states decides the cost, wherever it is stated, whole and in a stream."""

import asyncio
import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from processes import Gateway, post
from server.operations.provider import Exchange, Provider

COUNTS = {"promptTokenCount": 1000, "candidatesTokenCount": 100, "totalTokenCount": 1100}
GEMINI = {"candidates": [{"content": {"role": "model", "parts": [{"text": "hi"}]}, "finishReason": "STOP"}],
          "usageMetadata": COUNTS}  # fmt: skip
CHAT = {"id": "c", "object": "chat.completion", "created": 1, "model": "m",
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}}  # fmt: skip
WRITTEN = {"cache_creation_input_tokens": 300, "cache_read_input_tokens": 0,
           "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200}}  # fmt: skip


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    running = Provider()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def gateway(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    address = f"http://127.0.0.1:{provider.port}"
    providers = {
        "gemini": {"base_url": f"{address}/v1beta", "api_key": "k"},
        "openai": {"base_url": provider.url, "api_key": "k"},
        "anthropic": {"base_url": address, "api_key": "k"},
    }
    running = Gateway(tmp_path_factory.mktemp("tiers"), {"providers": providers})
    yield running
    assert running.stop() == 0
    assert "Traceback" not in running.output, running.output


def make_answer(body: Any, kind: str = "application/json", **headers: str) -> Any:
    async def answer(exchange: Exchange) -> None:
        await exchange.read()
        await exchange.answer(body if isinstance(body, bytes) else json.dumps(body).encode(), kind, **headers)

    return answer


def write_events(*values: Any) -> bytes:
    return b"".join(b"data: " + json.dumps(value).encode() + b"\n\n" for value in values)


@pytest.mark.parametrize(
    ("tier", "recorded", "cost"),
    [
        ("standard", "", 1000 * 300_000 + 100 * 2_500_000),
        ("flex", "flex", 1000 * 150_000 + 100 * 1_250_000),
        ("priority", "priority", 1000 * 540_000 + 100 * 4_500_000),
        ("x y", "unknown", None),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("caller", ["generate", "chat"])
async def test_gemini_states_the_tier_in_a_header(
    gateway: Gateway, provider: Provider, caller: str, stream: bool, tier: str, recorded: str, cost: int | None
) -> None:
    method = "streamGenerateContent" if stream else "generateContent"
    path = f"/v1beta/models/gemini-2.5-flash:{method}"
    body, kind = (write_events(GEMINI), "text/event-stream") if stream else (GEMINI, "application/json")
    provider.routes[f"POST {path}"] = make_answer(body, kind, x_gemini_service_tier=tier)
    request: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "x"}]}]}
    caller_path = f"/v1beta/models/gemini/gemini-2.5-flash:{method}" + ("?alt=sse" if stream else "")
    if caller == "chat":
        caller_path, request = "/v1/chat/completions", {"model": "gemini/gemini-2.5-flash", "stream": stream,
                                             "messages": [{"role": "user", "content": "x"}]}  # fmt: skip
    row = await gateway.wait_for_record(await post(gateway.port, caller_path, request, gateway.key))
    assert (row["outcome"], row["service_tier"] or "", row["cost"]) == ("success", recorded, cost)


@pytest.mark.parametrize("stream", [False, True])
async def test_openai_states_the_tier_beside_the_counts(gateway: Gateway, provider: Provider, stream: bool) -> None:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}
    whole: Any = {**CHAT, "choices": [choice], "service_tier": "flex"}
    delta = {**choice, "delta": {"content": "hi"}}
    chunks = write_events({**CHAT, "usage": None, "choices": [delta], "service_tier": "flex"},
                    {**CHAT, "choices": [], "service_tier": "flex"}) + b"data: [DONE]\n\n"  # fmt: skip
    body, kind = (chunks, "text/event-stream") if stream else (whole, "application/json")
    provider.routes["POST /v1/chat/completions"] = make_answer(body, kind)
    request = {"model": "openai/gpt-5.5", "stream": stream, "messages": [{"role": "user", "content": "x"}]}
    got = await post(gateway.port, "/v1/chat/completions", request, gateway.key)
    row = await gateway.wait_for_record(got)
    assert (row["service_tier"], row["cost"]) == ("flex", 1000 * 2_500_000 + 100 * 15_000_000)
    assert got.headers.get("x-antiphon-cost") == (None if stream else "0.004")


async def test_a_one_hour_cache_and_a_search_are_billed(gateway: Gateway, provider: Provider) -> None:
    """This call once cost too little: a one-hour cache had the price of five minutes, and a search was free."""
    usage = {"input_tokens": 10, "output_tokens": 20, **WRITTEN, "server_tool_use": {"web_search_requests": 2}}
    message = {"id": "m", "type": "message", "role": "assistant", "model": "claude-opus-4-6", "stop_reason": "end_turn",
               "stop_sequence": None, "content": [{"type": "text", "text": "hi"}], "usage": usage}  # fmt: skip
    provider.routes["POST /v1/messages"] = make_answer(message)
    for caller_path in ("/v1/messages", "/v1/chat/completions"):
        request = {
            "model": "anthropic/claude-opus-4-6",
            "max_tokens": 9,
            "messages": [{"role": "user", "content": "x"}],
        }
        got = await post(gateway.port, caller_path, request, gateway.key)
        row = await gateway.wait_for_record(got)
        assert (row["cache_write"], row["cache_write_long"], row["searches"]) == (100, 200, 2)
        assert row["cost"] == 10 * 5_000_000 + 100 * 6_250_000 + 200 * 10_000_000 + 20 * 25_000_000 + 2 * 10**10
        assert got.headers["x-antiphon-cost"] == "0.023175"
    metrics_request = urllib.request.Request(
        f"{gateway.url}/metrics", headers={"authorization": f"Bearer {gateway.key}"}
    )
    metrics = await asyncio.to_thread(lambda: urllib.request.urlopen(metrics_request).read())
    labels = b'model="anthropic/claude-opus-4-6",operation="messages",target="anthropic/claude-opus-4-6"'
    assert b"antiphon_units_total{" + labels + b',unit="searches"} 2.0' in metrics
    assert b"antiphon_tokens_total{" + labels + b',type="cache_write_long"} 200.0' in metrics
