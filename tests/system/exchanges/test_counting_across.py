"""Counting tokens on every pair of wires, with the official clients and providers that check each request."""

import json
from typing import Any

import anthropic
import boto3
import openai
import pytest
from botocore import UNSIGNED
from botocore.config import Config

from processes import Gateway, post, wait_until
from server.operations.provider import answer_json

TOOL = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CLAUDE = "POST /v1/messages/count_tokens"
GEMINI = "POST /v1beta/models/up:countTokens"
OPENAI = "POST /v1/responses/input_tokens"
BEDROCK = "POST /model/up/count-tokens"
ANSWERS = {
    CLAUDE: {"input_tokens": 41},
    GEMINI: {"totalTokens": 42},
    OPENAI: {"object": "response.input_tokens", "input_tokens": 43},
    BEDROCK: {"inputTokens": 44},
}


@pytest.fixture(scope="session")
def bedrock(gateway: Gateway) -> Any:
    config = Config(retries={"total_max_attempts": 1}, read_timeout=30, signature_version=UNSIGNED)
    made = boto3.client("bedrock-runtime", region_name="us-east-1", endpoint_url=gateway.url, config=config)

    def add_key(request: Any, **_: Any) -> None:
        request.headers["authorization"] = f"Bearer {gateway.key}"

    made.meta.events.register("before-send.bedrock-runtime.*", add_key)
    return made


@pytest.fixture
def counters(provider):
    for route, answer in ANSWERS.items():
        provider.routes[route] = answer_json(answer)
    return provider


def count_with_anthropic(client: anthropic.Anthropic, model: str) -> Any:
    return client.messages.with_raw_response.count_tokens(
        model=model,
        system="be brief",
        messages=[{"role": "user", "content": "Weather in Oslo?"}],
        tools=[{"name": "weather", "description": "tells", "input_schema": TOOL}],
        tool_choice={"type": "auto"},
    )


def count_with_openai(client: openai.OpenAI, model: str) -> Any:
    return client.responses.input_tokens.with_raw_response.count(
        model=model,
        instructions="be brief",
        input="Weather in Oslo?",
        tools=[{"type": "function", "name": "weather", "description": "tells", "parameters": TOOL, "strict": False}],
    )


SENT_TO_CLAUDE = {
    "model": "up",
    "messages": [{"role": "user", "content": "Weather in Oslo?"}],
    "system": "be brief",
    "tools": [{"name": "weather", "description": "tells", "input_schema": TOOL}],
}
SENT_TO_GEMINI = {
    "generateContentRequest": {
        "model": "models/up",
        "contents": [{"role": "user", "parts": [{"text": "Weather in Oslo?"}]}],
        "systemInstruction": {"parts": [{"text": "be brief"}]},
        "tools": [
            {"functionDeclarations": [{"name": "weather", "description": "tells", "parametersJsonSchema": TOOL}]}
        ],
    }
}
SENT_TO_BEDROCK = {
    "input": {
        "converse": {
            "messages": [{"role": "user", "content": [{"text": "Weather in Oslo?"}]}],
            "system": [{"text": "be brief"}],
            "toolConfig": {
                "tools": [{"toolSpec": {"name": "weather", "description": "tells", "inputSchema": {"json": TOOL}}}]
            },
        }
    }
}


def test_anthropic_s_client_counts_on_every_wire(counters, claude):
    counts = {}
    for name in ("claude", "gem", "oai", "rock"):
        raw = count_with_anthropic(claude, f"{name}/up")
        assert "x-antiphon-estimated" not in raw.headers
        assert raw.headers["x-antiphon-cost"] == "0"
        counts[name] = raw.parse().input_tokens
    assert counts == {"claude": 41, "gem": 42, "oai": 43, "rock": 44}
    same, gemini, responses, converse = counters.seen
    assert same.json == {**SENT_TO_CLAUDE, "tool_choice": {"type": "auto"}}
    calling = {"toolConfig": {"functionCallingConfig": {"mode": "AUTO"}}}
    inner = {**SENT_TO_GEMINI["generateContentRequest"], **calling}
    assert gemini.json == {"generateContentRequest": inner}
    assert responses.json["input"][0]["content"] in (
        "Weather in Oslo?",
        [{"type": "input_text", "text": "Weather in Oslo?"}],
    )
    assert responses.json["model"] == "up"
    assert responses.json["instructions"] == "be brief"
    assert "store" not in responses.json
    assert "max_output_tokens" not in responses.json
    assert "stream" not in responses.json
    bare = SENT_TO_BEDROCK["input"]["converse"]
    chosen = {**bare["toolConfig"], "toolChoice": {"auto": {}}}
    assert converse.json == {"input": {"converse": {**bare, "toolConfig": chosen}}}


def test_openai_s_client_counts_on_every_wire(counters, client):
    counts = {}
    for name in ("oai", "claude", "gem", "rock"):
        parsed = count_with_openai(client, f"{name}/up").parse()
        assert parsed.object == "response.input_tokens"
        counts[name] = parsed.input_tokens
    assert counts == {"claude": 41, "gem": 42, "oai": 43, "rock": 44}
    _, messages, gemini, converse = (seen.json for seen in counters.seen)
    assert messages == SENT_TO_CLAUDE
    assert gemini == SENT_TO_GEMINI
    assert converse == SENT_TO_BEDROCK


def test_google_s_client_counts_on_every_wire(counters, google):
    counts = {}
    for name in ("gem", "claude", "oai", "rock"):
        counts[name] = google.models.count_tokens(model=f"{name}/up", contents="Weather in Oslo?").total_tokens
    assert counts == {"claude": 41, "gem": 42, "oai": 43, "rock": 44}
    assert counters.seen[1].json == {key: SENT_TO_CLAUDE[key] for key in ("model", "messages")}


async def test_gemini_s_whole_request_is_counted(gateway, counters):
    inner = {
        "model": "models/x",
        "contents": [{"role": "user", "parts": [{"text": "Weather in Oslo?"}]}],
        "system_instruction": {"parts": [{"text": "be brief"}]},
    }
    body = {"generate_content_request": inner}
    got = await post(gateway.port, "/v1beta/models/claude%2Fup:countTokens", body, gateway.key)
    assert got.json == {"totalTokens": 41}
    assert counters.last.json == {key: SENT_TO_CLAUDE[key] for key in ("model", "messages", "system")}


def test_aws_s_client_counts_on_every_wire(counters, bedrock):
    counts = {}
    for name in ("rock", "claude", "gem", "oai"):
        answer = bedrock.count_tokens(modelId=f"{name}/up", input=SENT_TO_BEDROCK["input"])
        counts[name] = answer["inputTokens"]
    assert counts == {"claude": 41, "gem": 42, "oai": 43, "rock": 44}
    assert counters.seen[0].json == SENT_TO_BEDROCK
    assert counters.seen[1].json == SENT_TO_CLAUDE
    with pytest.raises(bedrock.exceptions.ValidationException, match="invokeModel"):
        bedrock.count_tokens(modelId="claude/up", input={"invokeModel": {"body": b"{}"}})
    answer = bedrock.count_tokens(modelId="rock/up", input={"invokeModel": {"body": b"{}"}})
    assert answer["inputTokens"] == 44


def test_vertex_counts_without_a_wrapper(counters, client):
    counters.routes["POST /v1/publishers/google/models/up:countTokens"] = answer_json({"totalTokens": 45})
    assert count_with_openai(client, "vert/up").parse().input_tokens == 45
    inner = SENT_TO_GEMINI["generateContentRequest"]
    assert counters.last.json == {key: inner[key] for key in ("contents", "systemInstruction", "tools")}


async def test_without_a_counter_the_gateway_estimates_and_says_so(gateway, provider, client, claude, google):
    raw = count_with_openai(client, "plain/up")
    assert raw.headers["x-antiphon-estimated"] == "true"
    assert 20 < raw.parse().input_tokens < 60
    raw = count_with_anthropic(claude, "plain/up")
    assert raw.headers["x-antiphon-estimated"] == "true"
    assert 20 < raw.parse().input_tokens < 60
    counted = google.models.count_tokens(model="plain/up", contents="12345678")
    assert counted.total_tokens == 2
    assert counted.sdk_http_response.headers["x-antiphon-estimated"] == "true"
    body = {"input": {"converse": {"messages": [{"role": "user", "content": [{"text": "12345678"}]}]}}}
    got = await post(gateway.port, "/model/plain%2Fup/count-tokens", body, gateway.key)
    assert (got.json, got.headers["x-antiphon-estimated"]) == ({"inputTokens": 2}, "true")
    assert provider.seen == []


async def test_a_server_without_its_counter_is_replaced_by_an_estimate(gateway, provider, claude):
    raw = count_with_anthropic(claude, "oai/up")
    assert raw.headers["x-antiphon-estimated"] == "true"
    assert [seen.target for seen in provider.seen] == ["/v1/responses/input_tokens"]
    call = raw.headers["x-antiphon-call-id"]
    await wait_until(lambda: [row for row in gateway.list_records() if row["id"] == call])
    (row,) = [row for row in gateway.list_records() if row["id"] == call]
    assert (row["outcome"], row["target"], row["cost"], row["estimated"]) == ("success", "oai/up", 0, 1)


def test_a_stored_conversation_is_counted_as_a_whole(gateway, provider, client):
    chat = {
        "id": "c", "object": "chat.completion", "created": 1, "model": "up",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "y" * 400}}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }  # fmt: skip
    provider.routes["POST /v1/chat/completions"] = answer_json(chat)
    first = client.responses.create(model="plain/up", input="x" * 400)
    count = client.responses.input_tokens.count(model="plain/up", previous_response_id=first.id, input="z" * 40)
    assert count.input_tokens == 210
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.input_tokens.count(model="plain/up", previous_response_id="resp_unknown", input="z")
    assert caught.value.code == "previous_response_not_found"
    provider.routes[CLAUDE] = answer_json(ANSWERS[CLAUDE])
    count = client.responses.input_tokens.count(model="claude/up", previous_response_id=first.id, input="z")
    assert count.input_tokens == 41
    roles = [message["role"] for message in provider.last.json["messages"]]
    assert roles == ["user", "assistant", "user"]
    provider.routes[OPENAI] = answer_json(ANSWERS[OPENAI])
    client.responses.input_tokens.count(model="oai/up", previous_response_id="resp_theirs", input="z")
    assert provider.last.json["previous_response_id"] == "resp_theirs"


async def test_errors_have_the_caller_s_shape(gateway, provider, client, claude):
    refused = {"error": {"code": 400, "message": "no such thing", "status": "INVALID_ARGUMENT"}}
    provider.routes[GEMINI] = answer_json(refused, status=400)
    with pytest.raises(anthropic.BadRequestError, match="no such thing") as caught:
        count_with_anthropic(claude, "gem/up")
    assert caught.value.body["error"]["type"] == "invalid_request_error"
    with pytest.raises(openai.NotFoundError):
        count_with_openai(client, "nobody/up")
    with pytest.raises(openai.BadRequestError, match="stream"):
        client.responses.input_tokens.count(model="oai/up", input="x", extra_body={"stream": True})
    for path, wrong in (
        ("/v1/messages/count_tokens", {"model": "oai/up", "messages": []}),
        ("/v1/responses/input_tokens", {"input": "x"}),
        ("/v1beta/models/oai%2Fup:countTokens", {"contents": 3}),
        ("/model/oai%2Fup/count-tokens", {"input": {"converse": {}, "invokeModel": {}}}),
        ("/model/oai%2Fup/count-tokens", {"input": {"converse": {"messages": 3}}}),
        ("/model/oai%2Fup/count-tokens", {"input": 3}),
    ):
        got = await post(gateway.port, path, wrong, gateway.key)
        assert got.status == 400, (path, got.body)
    provider.routes[GEMINI] = answer_json({"totalTokens": "many"})
    got = await post(gateway.port, "/v1/responses/input_tokens", {"model": "gem/up", "input": "x"}, gateway.key)
    assert (got.status, json.loads(got.body)["error"]["type"]) == (502, "upstream_error")
