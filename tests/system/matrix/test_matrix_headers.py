"""The provider's limits in header fields, for callers of its own wire and of every other."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from processes import Gateway
from system.matrix.canned import Canned, CannedProvider

COMMON = (("set-cookie", "a=b"), ("retry-after", "7"))
LIMITS = {
    "chat": ("x-ratelimit-remaining-tokens", "9"),
    "messages": ("anthropic-ratelimit-requests-remaining", "9"),
}
FIELDS = {
    "chat": (LIMITS["chat"], ("x-request-id", "req_up"), ("openai-organization", "org"), *COMMON),
    "messages": (LIMITS["messages"], ("request-id", "req_up"), ("anthropic-organization-id", "org"), *COMMON),
}
ANSWERS: dict[str, Any] = {
    "chat": {"choices": [{"message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}]},
    "messages": {
        "id": "msg_1",
        "type": "message",
        "content": [{"type": "text", "text": "Hi"}],
        "stop_reason": "end_turn",
    },
}
STREAMS = {
    "chat": b'data: {"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n',
    "messages": b"".join(
        b"data: " + json.dumps(event).encode() + b"\n\n"
        for event in (
            {"type": "message_start", "message": {"id": "msg_1"}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
            {"type": "message_stop"},
        )
    ),
}
USER = [{"role": "user", "content": "x"}]
ASKED: dict[str, tuple[str, dict[str, Any], str]] = {
    "chat": ("/v1/chat/completions", {"messages": USER}, "x-request-id"),
    "responses": ("/v1/responses", {"input": "x", "store": False}, "x-request-id"),
    "messages": ("/v1/messages", {"messages": USER, "max_tokens": 9}, "request-id"),
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    provider = CannedProvider()
    kinds = {"chat": ("openai-compatible", "/v1"), "messages": ("anthropic", "")}
    providers = {
        name: {"kind": kind, "base_url": provider.url + path, "api_key": "k"} for name, (kind, path) in kinds.items()
    }
    for name in kinds:
        provider.answers[f"{name}-whole"] = Canned(json.dumps(ANSWERS[name]).encode(), headers=FIELDS[name])
        provider.answers[f"{name}-stream"] = Canned(STREAMS[name], headers=FIELDS[name], kind="text/event-stream")
        provider.answers[f"{name}-busy"] = Canned(b'{"error":{"message":"Slow."}}', 429, FIELDS[name])
    gateway = Gateway(tmp_path_factory.mktemp("headers"), {"providers": providers})
    yield gateway
    gateway.stop()
    provider.close()


@pytest.mark.parametrize("what", ["whole", "stream", "busy"])
@pytest.mark.parametrize("target_wire", LIMITS)
@pytest.mark.parametrize("caller_wire", ASKED)
def test_header_fields_of_a_provider(gateway: Gateway, caller_wire: str, target_wire: str, what: str) -> None:
    path, body, id_name = ASKED[caller_wire]
    headers = {"authorization": f"Bearer {gateway.key}"}
    document = {**body, "model": f"{target_wire}/{target_wire}-{what}", "stream": what == "stream"}
    answer = httpx.post(gateway.url + path, json=document, headers=headers)
    assert answer.status_code == (429 if what == "busy" else 200)
    limit, value = LIMITS[target_wire]
    assert answer.headers[limit] == value
    assert answer.headers.get("retry-after") == ("7" if what == "busy" else None)
    shown = {name for name in answer.headers if name in dict(FIELDS[target_wire])} - {limit, "retry-after"}
    if caller_wire == target_wire:
        assert answer.headers[id_name] == "req_up"
        assert not shown & {"set-cookie", "anthropic-organization-id", "openai-organization"}
    else:
        assert answer.headers[id_name] == answer.headers["x-antiphon-call-id"]
        assert shown <= {id_name}
