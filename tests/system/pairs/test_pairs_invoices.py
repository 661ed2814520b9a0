"""Golden invoices: the cost of each wire's usage, to the last picodollar, for every caller, whole and streamed."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from antiphon.wires.table import CODECS
from processes import Gateway, post
from server.operations.provider import Exchange, Provider
from system.pairs.caller_requests import REQUESTS
from system.pairs.provider_answers import EVENTS, FRAME_WRITERS, REPLIES
from system.pairs.translation import MODELS, write_caller_body

PRICE = {
    "input": 3,
    "cache_read": 0.3,
    "cache_write": 3.75,
    "cache_write_long": 6,
    "audio_input": 32,
    "audio_cache_read": 2,
    "image_input": 5,
    "output": 15,
    "reasoning": 12,
    "audio_output": 64,
    "image_output": 30,
    "searches": 0.01,
}
"""Dollars per million tokens, and for a search."""
KINDS: dict[str, dict[str, str]] = {
    "chat": {"kind": "openai-compatible", "base_url": "/v1"},
    "responses": {"kind": "responses-compatible", "base_url": "/v1"},
    "messages": {"kind": "anthropic", "base_url": "", "api_key": "k"},
    "generate": {"kind": "gemini", "base_url": "/v1beta", "api_key": "k"},
    "converse": {"kind": "bedrock", "base_url": "", "api_key": "k", "region": "us-east-1"},
}
CONTENT_TYPES = dict.fromkeys(CODECS, "text/event-stream") | {"converse": "application/vnd.amazon.eventstream"}


def make_details(**tokens: int) -> list[dict[str, Any]]:
    return [{"modality": modality, "tokenCount": count} for modality, count in tokens.items()]


INVOICES: dict[str, list[tuple[dict[str, Any], str]]] = {
    "chat": [
        (  # 450 × 3 + 400 × 0.3 + 100 × 3.75 + 50 × 32 + 270 × 15 + 200 × 12 + 30 × 64
            {
                "prompt_tokens": 1000,
                "completion_tokens": 500,
                "total_tokens": 1500,
                "prompt_tokens_details": {"cached_tokens": 400, "cache_write_tokens": 100, "audio_tokens": 50},
                "completion_tokens_details": {"reasoning_tokens": 200, "audio_tokens": 30},
            },
            "0.011815",
        ),
        # Reasoning beside the completion, as the total says: 10 × 3 + 5 × 15 + 7 × 12
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "total_tokens": 22,
                "completion_tokens_details": {"reasoning_tokens": 7},
            },
            "0.000189",
        ),
        ({"prompt_tokens": 1, "completion_tokens": 0, "total_tokens": 1}, "0.000003"),
        (  # pictures on both sides: 10 × 3 + 20 × 5 + 5 × 15 + 100 × 30
            {
                "prompt_tokens": 30,
                "completion_tokens": 105,
                "total_tokens": 135,
                "prompt_tokens_details": {"image_tokens": 20},
                "completion_tokens_details": {"image_tokens": 100},
            },
            "0.003205",
        ),
    ],
    "responses": [
        (  # 500 × 3 + 400 × 0.3 + 100 × 3.75 + 300 × 15 + 200 × 12
            {
                "input_tokens": 1000,
                "input_tokens_details": {"cached_tokens": 400, "cache_write_tokens": 100},
                "output_tokens": 500,
                "output_tokens_details": {"reasoning_tokens": 200},
                "total_tokens": 1500,
            },
            "0.008895",
        ),
        ({"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}, "0.000105"),
        (  # written for half an hour and for twelve hours: 10 × 3 + 30 × 3.75 + 60 × 6 + 5 × 15
            {
                "input_tokens": 100,
                "input_tokens_details": {
                    "cached_tokens": 0,
                    "cache_write_tokens": 90,
                    "cache_write_tokens_details": {"ttl_30m_tokens": 30, "ttl_12h_tokens": 60},
                },
                "output_tokens": 5,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": 105,
            },
            "0.0005775",
        ),
    ],
    "messages": [
        (  # the same tokens: `input_tokens` does not include cached ones
            {
                "input_tokens": 500,
                "cache_creation_input_tokens": 100,
                "cache_read_input_tokens": 400,
                "output_tokens": 500,
                "output_tokens_details": {"thinking_tokens": 200},
            },
            "0.008895",
        ),
        ({"input_tokens": 10, "output_tokens": 5}, "0.000105"),
        (  # for five minutes and for an hour, two searches: 10 × 3 + 30 × 3.75 + 60 × 6 + 5 × 15 + 2 × 10,000
            {
                "input_tokens": 10,
                "cache_creation_input_tokens": 90,
                "cache_creation": {"ephemeral_5m_input_tokens": 30, "ephemeral_1h_input_tokens": 60},
                "cache_read_input_tokens": 0,
                "output_tokens": 5,
                "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 0},
            },
            "0.0205775",
        ),
    ],
    "generate": [
        (  # 450 × 3 + 400 × 0.3 + 50 × 32 + 100 × 5 + 300 × 15 + 200 × 12
            {
                "promptTokenCount": 1000,
                "cachedContentTokenCount": 400,
                "candidatesTokenCount": 300,
                "thoughtsTokenCount": 200,
                "totalTokenCount": 1500,
                "promptTokensDetails": make_details(TEXT=850, AUDIO=50, IMAGE=100),
            },
            "0.01047",
        ),
        # The results of the provider's own tools are input too: 110 × 3 + 5 × 15
        (
            {
                "promptTokenCount": 10,
                "toolUsePromptTokenCount": 100,
                "candidatesTokenCount": 5,
                "totalTokenCount": 115,
            },
            "0.000405",
        ),
        (  # cached text and audio, an image in the answer: 100 × 3 + 200 × 0.3 + 500 × 2 + 5 × 15 + 100 × 30
            {
                "promptTokenCount": 800,
                "cachedContentTokenCount": 700,
                "candidatesTokenCount": 105,
                "totalTokenCount": 905,
                "promptTokensDetails": make_details(TEXT=300, AUDIO=500),
                "cacheTokensDetails": make_details(TEXT=200, AUDIO=500),
                "candidatesTokensDetails": make_details(TEXT=5, IMAGE=100),
            },
            "0.004435",
        ),
    ],
    "converse": [
        (  # 500 × 3 + 400 × 0.3 + 100 × 3.75 + 500 × 15: reasoning is not counted separately
            {
                "inputTokens": 500,
                "cacheReadInputTokens": 400,
                "cacheWriteInputTokens": 100,
                "outputTokens": 500,
                "totalTokens": 1500,
            },
            "0.009495",
        ),
        ({"inputTokens": 10, "outputTokens": 5, "totalTokens": 15}, "0.000105"),
        (  # written for five minutes and for an hour: 10 × 3 + 30 × 3.75 + 60 × 6 + 5 × 15
            {
                "inputTokens": 10,
                "cacheReadInputTokens": 0,
                "cacheWriteInputTokens": 90,
                "cacheDetails": [{"ttl": "1h", "inputTokens": 60}, {"ttl": "5m", "inputTokens": 30}],
                "outputTokens": 5,
                "totalTokens": 105,
            },
            "0.0005775",
        ),
    ],
}
"""Operation to a provider's usage and its cost in dollars, added up by hand."""
CASES = [(target, number) for target, invoices in INVOICES.items() for number in range(len(invoices))]


def make_answer(target: str, usage: dict[str, Any]) -> bytes:
    member = "usageMetadata" if target == "generate" else "usage"
    return json.dumps({**REPLIES[target], member: usage}).encode()


def make_stream(target: str, usage: dict[str, Any]) -> bytes:
    events = copy.deepcopy(EVENTS[target])
    if target == "chat":
        events[-1]["usage"] = usage
    elif target == "responses":
        events[-1]["response"]["usage"] = usage
    elif target == "messages":
        events[0]["message"]["usage"] = {**usage, "output_tokens": 1}
        events[-2]["usage"] = usage
    elif target == "generate":
        events[-1]["usageMetadata"] = usage
    else:
        events[-1][1]["usage"] = usage
    return b"".join(map(FRAME_WRITERS[target], events)) + (b"data: [DONE]\n\n" if target == "chat" else b"")


def make_responder(target: str, usage: dict[str, Any]) -> Any:
    """Return a handler that answers with a stream if the path or the body asks for one."""

    async def answer(exchange: Exchange) -> None:
        await exchange.read()
        if "stream" in exchange.target.lower() or exchange.json.get("stream"):
            await exchange.answer(make_stream(target, usage), CONTENT_TYPES[target])
        else:
            await exchange.answer(make_answer(target, usage))

    return answer


PATHS = {
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
    "messages": "/v1/messages",
    "generate": "/v1beta/models/{}:generateContent",
    "generate.stream": "/v1beta/models/{}:streamGenerateContent?alt=sse",
    "converse": "/model/{}/converse",
    "converse.stream": "/model/{}/converse-stream",
}
"""Operation, or operation as a stream if it has its own path; the gateway and the providers have the same paths."""


def make_path(operation: str, stream: bool, model: str) -> str:
    return PATHS.get(f"{operation}.stream" if stream else operation, PATHS[operation]).format(model)


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    running = Provider()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def gateway(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    base = provider.url.removesuffix("/v1")
    providers = {target: {**kind, "base_url": base + kind["base_url"]} for target, kind in KINDS.items()}
    models = {f"at-{target}": {"targets": [f"{target}/{MODELS[target]}"], "price": PRICE} for target in CODECS}
    running = Gateway(tmp_path_factory.mktemp("invoices"), {"providers": providers, "models": models})
    yield running
    assert running.stop() == 0
    assert "Traceback" not in running.output, running.output


@pytest.mark.parametrize(("target", "number"), CASES)
async def test_an_invoice(gateway: Gateway, provider: Provider, target: str, number: int) -> None:
    usage, dollars = INVOICES[target][number]
    model = MODELS[target].replace(":", "%3A")
    paths = [make_path(target, stream, model).partition("?")[0] for stream in (False, True)]
    provider.routes = dict.fromkeys([f"POST {path}" for path in paths], make_responder(target, usage))
    answered = []
    for caller in CODECS:
        for stream in (False, True):
            body = write_caller_body(caller, {**REQUESTS[caller], "model": f"at-{target}"}, stream)
            answer = await post(gateway.port, make_path(caller, stream, f"at-{target}"), body, gateway.key)
            assert (answer.status, answer.whole) == (200, True), answer.body
            assert stream or answer.headers["x-antiphon-cost"] == dollars
            answered.append((caller, stream, answer))
    for caller, stream, answer in answered:  # records reach the database together
        record = await gateway.wait_for_record(answer)
        assert (record["cost"], record["estimated"]) == (round(float(dollars) * 10**12), 0), (caller, stream)
