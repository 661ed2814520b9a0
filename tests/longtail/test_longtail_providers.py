"""The requests that LiteLLM sends to providers, and their answers: URL, headers, signature, body, stream, errors."""

import asyncio
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from antiphon.errors import BadRequest, RateLimited, UpstreamStatus
from antiphon.wires.aws.eventstream import encode_headers, encode_message
from longtail.conftest import RuntimeClient
from longtail.provider import ReceivedRequest, RecordingProvider, Reply, make_reply, make_stream
from processes import wait_until

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(400)]  # the first one installs LiteLLM

USAGE = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
OPENAI = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4o-mini",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
    "usage": USAGE,
}
CLAUDE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-3-opus-20240229",
    "content": [{"type": "text", "text": "Hi"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 3, "output_tokens": 1},
}
CONVERSE = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Hi"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 3, "outputTokens": 1, "totalTokens": 4},
    "metrics": {"latencyMs": 1},
}
OLLAMA = {"model": "llama2", "created_at": "2024-01-01T00:00:00Z", "response": "Hi", "done": True}
OLLAMA |= {"prompt_eval_count": 3, "eval_count": 1}


def check_openai(request: ReceivedRequest) -> None:
    assert request.target == "/v1/chat/completions"
    assert request.headers["authorization"] == "Bearer sk-openai-secret-1"
    assert request.body == {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Say it"}]}


def check_bare(request: ReceivedRequest) -> None:
    assert request.target == "/v1/chat/completions"
    assert request.headers["authorization"] == "Bearer sk-bare-secret-12"
    assert request.body["model"] == "gpt-4o-mini"


def check_claude(request: ReceivedRequest) -> None:
    assert request.target == "/v1/messages"
    assert request.headers["x-api-key"] == "sk-ant-secret-123"
    assert "authorization" not in request.headers
    assert request.headers["anthropic-version"]
    assert request.body["model"] == "claude-3-opus-20240229"
    assert request.body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Say it"}]}]
    assert request.body["max_tokens"] > 0


def check_azure(request: ReceivedRequest) -> None:
    assert request.path == "/openai/deployments/my-deployment-name/chat/completions"
    assert request.query == {"api-version": ["2024-02-15-preview"]}
    assert request.headers["api-key"] == "azure-secret-1234"
    assert "authorization" not in request.headers
    assert request.body["messages"] == [{"role": "user", "content": "Say it"}]


def check_bedrock(request: ReceivedRequest) -> None:
    assert unquote(request.path) == "/model/anthropic.claude-3-opus-20240229-v1:0/converse"
    assert request.body["messages"] == [{"role": "user", "content": [{"text": "Say it"}]}]
    assert compute_signature(request) in request.headers["authorization"]
    assert "Credential=AKIDEXAMPLE/" in request.headers["authorization"]
    assert "/us-east-1/bedrock/aws4_request" in request.headers["authorization"]


def compute_signature(request: ReceivedRequest) -> str:
    """Return botocore's signature of this request."""
    authorization = request.headers["authorization"]
    names = authorization.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    headers = {name: request.headers[name] for name in names if name != "x-amz-date"}
    url = f"http://{request.headers['host']}{request.target}"
    signed = AWSRequest("POST", url, data=request.raw, headers=headers)
    signed.context["timestamp"] = request.headers["x-amz-date"]
    signed.headers["X-Amz-Date"] = request.headers["x-amz-date"]
    signer = SigV4Auth(Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), "bedrock", "us-east-1")
    return signer.signature(signer.string_to_sign(signed, signer.canonical_request(signed)), signed)


def check_ollama(request: ReceivedRequest) -> None:
    assert request.target == "/api/generate"
    assert "authorization" not in request.headers
    assert request.body["model"] == "llama2"
    assert "Say it" in request.body["prompt"]
    assert request.body["stream"] is False


def check_watsonx(request: ReceivedRequest) -> None:
    assert request.path == "/ml/v1/text/chat"
    assert request.headers["authorization"] == "Bearer watsonx-secret-12"
    assert (request.body["model_id"], request.body["project_id"]) == ("ibm/granite-13b", "p-1")
    assert request.body["messages"] == [{"role": "user", "content": "Say it"}]


CALLS: dict[str, tuple[str, Any, Callable[[ReceivedRequest], None]]] = {
    "openai": ("openai/gpt-4o-mini", OPENAI, check_openai),
    "bare gpt": ("bare/gpt-4o-mini", OPENAI, check_bare),
    "bare claude": ("bare-claude/claude-3-opus-20240229", CLAUDE, check_claude),
    "azure": ("azure/my-deployment-name", OPENAI, check_azure),
    "bedrock": ("bedrock/anthropic.claude-3-opus-20240229-v1:0", CONVERSE, check_bedrock),
    "ollama": ("ollama/llama2", OLLAMA, check_ollama),
    "watsonx": ("watsonx/ibm/granite-13b", OPENAI, check_watsonx),
}


@pytest.mark.parametrize("name", CALLS)
async def test_a_call_has_the_form_that_its_provider_requires(
    client: RuntimeClient, provider: RecordingProvider, name: str
):
    model, answer, check = CALLS[name]
    provider.choose_reply = lambda _: make_reply(answer)
    document = await client.chat(model)
    check(provider.last)
    assert len(provider.requests) == 1
    (choice,) = document["choices"]
    assert choice["message"]["content"] == "Hi"
    assert choice["finish_reason"] == "stop"
    assert document["object"] == "chat.completion"
    assert {key: document["usage"][key] for key in USAGE} == USAGE


async def test_the_record_has_target_and_usage(client: RuntimeClient, provider: RecordingProvider):
    provider.choose_reply = lambda _: make_reply(
        OPENAI, x_request_id="req-7", x_ratelimit_remaining_requests="9", set_cookie="a=b"
    )
    answer = await client.answer("chat", "openai/gpt-4o-mini", messages=[{"role": "user", "content": "Say it"}])
    assert answer.record is not None
    assert answer.record.target == "openai/gpt-4o-mini"
    assert answer.record.usage is not None
    assert (answer.record.usage.input, answer.record.usage.output) == (3, 1)
    assert answer.record.usage.estimated is False
    headers = dict(answer.headers)
    assert headers[b"x-request-id"] == b"req-7"
    assert headers[b"x-ratelimit-remaining-requests"] == b"9"
    assert b"set-cookie" not in headers


FIELDS = {"temperature": 0, "max_tokens": 5, "stop": ["x"], "seed": 7}
UNKNOWN = {"frobnicate": {"a": [1, None]}, "repetition_penalty": 1.5}
FIND_UNKNOWN = {
    "openai": lambda body: body,
    "azure": lambda body: body,
    "bare claude": lambda body: body,
    "bedrock": lambda body: body["additionalModelRequestFields"],
    "ollama": lambda body: body,
    "watsonx": lambda body: body,
}


@pytest.mark.parametrize("name", FIND_UNKNOWN)
async def test_unknown_fields_reach_the_provider_unchanged(
    client: RuntimeClient, provider: RecordingProvider, name: str
):
    model, answer, _ = CALLS[name]
    provider.choose_reply = lambda _: make_reply(answer)
    await client.chat(model, **UNKNOWN)
    fields = FIND_UNKNOWN[name](provider.last.body)
    assert {key: fields.get(key) for key in UNKNOWN} == UNKNOWN
    assert "extra_body" not in provider.last.raw.decode()
    if name == "bedrock":
        assert compute_signature(provider.last) in provider.last.headers["authorization"]


async def test_known_fields_are_translated(client: RuntimeClient, provider: RecordingProvider):
    provider.choose_reply = lambda _: make_reply(OPENAI)
    await client.chat("openai/gpt-4o-mini", **FIELDS)
    assert {key: provider.last.body[key] for key in FIELDS} == FIELDS
    provider.choose_reply = lambda _: make_reply(CONVERSE)
    await client.chat("bedrock/anthropic.claude-3-opus-20240229-v1:0", temperature=0, max_tokens=5, stop=["x"])
    assert provider.last.body["inferenceConfig"] == {"temperature": 0, "maxTokens": 5, "stopSequences": ["x"]}


async def test_unsupported_parameters_are_rejected(client: RuntimeClient, provider: RecordingProvider):
    with pytest.raises(UpstreamStatus) as caught:
        await client.chat("bedrock/anthropic.claude-3-opus-20240229-v1:0", logit_bias={"1": 2})
    assert caught.value.status == 400
    assert "logit_bias" in caught.value.message
    assert b"UnsupportedParamsError" in caught.value.body
    assert provider.requests == []


STEERING = {
    "api_base": "http://127.0.0.1:1/v1",
    "base_url": "http://127.0.0.1:1/v1",
    "api_key": "stolen",
    "custom_llm_provider": "ollama",
    "extra_headers": {"x-evil": "1"},
    "headers": {"x-evil": "1"},
    "mock_response": "mocked",
    "fallbacks": ["openai/other"],
    "aws_bedrock_runtime_endpoint": "http://127.0.0.1:1",
    "aws_access_key_id": "AKIDEVIL",
    "organization": "evil",
    "num_retries": 5,
    "caching": True,
    "extra_body": {"model": "other"},
}


@pytest.mark.parametrize("name", ["openai", "azure", "bare claude", "bedrock", "watsonx"])
async def test_a_caller_cannot_steer_where_a_key_goes(client: RuntimeClient, provider: RecordingProvider, name: str):
    model, answer, check = CALLS[name]
    provider.choose_reply = lambda _: make_reply(answer)
    document = await client.chat(model, **STEERING)
    assert document["choices"][0]["message"]["content"] == "Hi"
    assert len(provider.requests) == 1
    request = provider.last
    assert "x-evil" not in request.headers
    assert "evil" not in "".join(request.headers.values()).lower()
    # Apart from the caller's own fields the call is the usual one: same URL, same key, same model.
    if name == "bedrock":
        assert compute_signature(request) in request.headers["authorization"]
        assert "Credential=AKIDEXAMPLE/" in request.headers["authorization"]
    elif name == "watsonx":
        assert request.headers["authorization"] == "Bearer watsonx-secret-12"
    elif name == "openai":
        assert request.headers["authorization"] == "Bearer sk-openai-secret-1"
        assert request.body["model"] == "gpt-4o-mini"
    else:
        check(request)


@pytest.mark.parametrize("name", ["bare claude", "bedrock", "ollama"])
async def test_an_image_address_is_not_fetched(client: RuntimeClient, provider: RecordingProvider, name: str):
    model, answer, _ = CALLS[name]
    provider.choose_reply = lambda request: make_reply(answer) if request.method == "POST" else Reply(b"\x89PNG", 200)
    image = {"type": "image_url", "image_url": {"url": f"{provider.url}/private.png"}}
    messages = [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, image]}]
    try:
        await client.chat(model, messages=messages)
    except UpstreamStatus as error:
        assert error.status >= 400
    assert [request.target for request in provider.requests if request.method == "GET"] == []


# -- streams ----------------------------------------------------------------------------------------------------------


def make_chunk(text: str | None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    delta = {} if text is None else {"role": "assistant", "content": text}
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices} | more


OPENAI_STREAM = make_stream(
    make_chunk("Hel"), make_chunk("lo"), make_chunk(None, "stop"), make_chunk(None, choices=[], usage=USAGE)
)
CLAUDE_STREAM = make_stream(
    {"type": "message_start", "message": CLAUDE | {"content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lo"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
    {"type": "message_stop"},
    named=True,
    done=False,
)


def make_converse_stream() -> Reply:
    parts = [
        ("messageStart", b'{"role":"assistant"}'),
        ("contentBlockDelta", b'{"contentBlockIndex":0,"delta":{"text":"Hel"}}'),
        ("contentBlockDelta", b'{"contentBlockIndex":0,"delta":{"text":"lo"}}'),
        ("contentBlockStop", b'{"contentBlockIndex":0}'),
        ("messageStop", b'{"stopReason":"end_turn"}'),
        ("metadata", b'{"usage":{"inputTokens":3,"outputTokens":1,"totalTokens":4},"metrics":{"latencyMs":1}}'),
    ]
    fields = {":content-type": "application/json", ":message-type": "event"}
    frames = [
        encode_message(encode_headers({**fields, ":event-type": kind}.items()), payload) for kind, payload in parts
    ]
    return Reply(frames, headers={"content-type": "application/vnd.amazon.eventstream"})


STREAMS: dict[str, Reply] = {
    "openai": OPENAI_STREAM,
    "azure": OPENAI_STREAM,
    "watsonx": make_stream(make_chunk("Hel"), make_chunk("lo"), make_chunk("", "stop", usage=USAGE)),
    "bare claude": CLAUDE_STREAM,
    "bedrock": make_converse_stream(),
    "ollama": Reply(
        [
            b'{"model":"llama2","created_at":"2024-01-01T00:00:00Z","response":"Hel","done":false}\n',
            b'{"model":"llama2","created_at":"2024-01-01T00:00:00Z","response":"lo","done":false}\n',
            b'{"model":"llama2","created_at":"2024-01-01T00:00:00Z","response":"","done":true,'
            b'"prompt_eval_count":3,"eval_count":1}\n',
        ],
        headers={"content-type": "application/x-ndjson"},
    ),
}


@pytest.mark.parametrize("name", STREAMS)
async def test_a_stream_has_the_shape_of_the_wire(client: RuntimeClient, provider: RecordingProvider, name: str):
    model, _, _ = CALLS[name]
    provider.choose_reply = lambda _: STREAMS[name]
    frames = await client.stream(model, stream_options={"include_usage": True})
    assert frames[-1] == "[DONE]"
    chunks = frames[:-1]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    text = [choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"]]
    assert "".join(text) == "Hello"
    finishes = [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"]]
    assert [finish for finish in finishes if finish] == ["stop"]
    (usage,) = [chunk["usage"] for chunk in chunks if chunk.get("usage")]
    assert {key: usage[key] for key in USAGE} == USAGE
    if name == "bedrock":
        assert unquote(provider.last.path).endswith(":0/converse-stream")
        assert compute_signature(provider.last) in provider.last.headers["authorization"]


async def test_tool_calls_keep_their_arguments(client: RuntimeClient, provider: RecordingProvider):
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
    used = [{"type": "tool_use", "id": "t1", "name": "f", "input": {"city": "Zürich"}}]
    provider.choose_reply = lambda _: make_reply(CLAUDE | {"content": used, "stop_reason": "tool_use"})
    document = await client.chat("bare-claude/claude-3-opus-20240229", tools=tools, tool_choice="required")
    (call,) = document["choices"][0]["message"]["tool_calls"]
    assert (call["function"]["name"], call["id"]) == ("f", "t1")
    assert '"city"' in call["function"]["arguments"]
    assert document["choices"][0]["message"]["content"] is None
    assert document["choices"][0]["finish_reason"] == "tool_calls"
    assert provider.last.body["tools"][0]["name"] == "f"
    assert provider.last.body["tool_choice"]["type"] == "any"


async def test_an_error_before_the_first_chunk_has_its_own_status(client: RuntimeClient, provider: RecordingProvider):
    provider.choose_reply = lambda _: make_reply(
        {"error": {"message": "slow down", "type": "t", "code": "c"}}, 429, retry_after="7"
    )
    with pytest.raises(RateLimited) as caught:
        await client.stream("openai/gpt-4o-mini")
    assert caught.value.retry_after == 7


async def test_a_stream_that_breaks_ends_in_an_error(client: RuntimeClient, provider: RecordingProvider):
    broken = make_stream(make_chunk("Hel"), make_chunk("lo"), done=False)
    provider.choose_reply = lambda _: broken._replace(cut=True)
    frames = await client.stream("openai/gpt-4o-mini")
    assert frames[-1] != "[DONE]"
    assert "error" in frames[-1]


async def test_when_a_caller_leaves_the_providers_call_ends(client: RuntimeClient, provider: RecordingProvider):
    provider.choose_reply = lambda _: make_stream(make_chunk("x"), make_chunk("x"), hold=asyncio.Event())
    answer = await client.start_stream("openai/gpt-4o-mini")
    assert answer.stream is not None
    assert await answer.stream.next()
    assert provider.open_requests == 1
    answer.stream.close()
    await wait_until(lambda: provider.open_requests == 0, 60)


async def test_missing_usage_is_estimated_by_the_gateway_and_marked(client: RuntimeClient, provider: RecordingProvider):
    provider.choose_reply = lambda _: make_stream(make_chunk("Hel"), make_chunk("lo"), make_chunk(None, "stop"))
    messages = [{"role": "user", "content": "Say it"}]
    answer = await client.answer("chat", "openai/gpt-4o-mini", messages=messages, stream=True)
    assert answer.stream is not None
    while await answer.stream.next():
        pass
    assert answer.record is not None
    assert answer.record.usage is not None
    assert answer.record.usage.estimated
    assert answer.record.usage.output > 0


# -- errors -----------------------------------------------------------------------------------------------------------

ERRORS = {
    "key": ("openai", 401, "AuthenticationError", "authentication_error"),
    "forbidden": ("openai", 403, None, "permission_error"),
    "no such model": ("azure", 404, "NotFoundError", "invalid_request_error"),
    "bad request": ("bare claude", 400, "BadRequestError", "invalid_request_error"),
    "too many": ("bedrock", 429, "RateLimitError", "rate_limit_error"),
    "broken": ("ollama", 500, None, "api_error"),
    "away": ("watsonx", 503, "ServiceUnavailableError", "service_unavailable_error"),
    "overloaded": ("bare claude", 529, None, "api_error"),
}


@pytest.mark.parametrize("name", ERRORS)
async def test_an_error_keeps_its_status_and_names_its_class(
    client: RuntimeClient, provider: RecordingProvider, name: str
):
    call, status, code, kind = ERRORS[name]
    model, _, _ = CALLS[call]
    provider.choose_reply = lambda _: make_reply({"error": {"message": "the provider says no", "type": "t"}}, status)
    with pytest.raises(UpstreamStatus) as caught:
        await client.chat(model)
    assert caught.value.status == status
    error = json.loads(caught.value.body)["error"]
    assert "the provider says no" in error["message"]
    assert "Traceback" not in error["message"]
    assert error["type"] == kind
    assert code is None or error["code"] == code
    assert len(provider.requests) == 1  # nothing below the gateway tries again


async def test_an_unreachable_provider_is_502(client: RuntimeClient, provider: RecordingProvider):
    provider.choose_reply = lambda _: Reply([], cut=True)
    with pytest.raises(UpstreamStatus) as caught:
        await client.chat("watsonx/ibm/granite-13b")
    assert caught.value.status in (500, 502)
    assert caught.value.retryable


async def test_a_key_in_a_providers_message_is_hidden(client: RuntimeClient, provider: RecordingProvider):
    for name, secret in (("openai", "sk-openai-secret-1"), ("watsonx", "watsonx-secret-12")):
        provider.choose_reply = lambda _, secret=secret: make_reply({"error": {"message": f"wrong key {secret}!"}}, 401)
        with pytest.raises(UpstreamStatus) as caught:
            await client.chat(CALLS[name][0])
        assert secret not in caught.value.body.decode() + caught.value.message
        assert "wrong key …!" in caught.value.message


async def test_litellm_rejects_an_unknown_model(client: RuntimeClient, provider: RecordingProvider):
    with pytest.raises(UpstreamStatus) as caught:
        await client.chat("bare/nobody-knows")
    assert caught.value.status == 400
    assert "nobody-knows" in caught.value.message
    assert provider.requests == []


async def test_an_invalid_request_is_rejected_before_litellm(client: RuntimeClient, provider: RecordingProvider):
    with pytest.raises(BadRequest):
        await client.ask("chat", "openai/gpt-4o-mini", messages=7)
    assert provider.requests == []
