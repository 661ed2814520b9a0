"""What LiteLLM sends to providers, and what becomes of their answers: URL, headers, signature, body, stream, errors."""

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from antiphon.errors import BadRequest, RateLimited, UpstreamStatus
from antiphon.transport import Request
from antiphon.transport.head import build_head
from antiphon.types import Origin
from antiphon.wires.aws.eventstream import encode, header_block
from longtail.conftest import Asker
from longtail.far import Far, Reply, Seen, events, reply

pytestmark = pytest.mark.asyncio(loop_scope="session")

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


def openai(seen: Seen) -> None:
    assert seen.target == "/v1/chat/completions"
    assert seen.headers["authorization"] == "Bearer sk-openai-secret-1"
    assert seen.body == {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Say it"}]}


def bare(seen: Seen) -> None:
    assert seen.target == "/v1/chat/completions"
    assert seen.headers["authorization"] == "Bearer sk-bare-secret-12"
    assert seen.body["model"] == "gpt-4o-mini"


def claude(seen: Seen) -> None:
    assert seen.target == "/v1/messages"
    assert seen.headers["x-api-key"] == "sk-ant-secret-123"
    assert "authorization" not in seen.headers
    assert seen.headers["anthropic-version"]
    assert seen.body["model"] == "claude-3-opus-20240229"
    assert seen.body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Say it"}]}]
    assert seen.body["max_tokens"] > 0


def azure(seen: Seen) -> None:
    assert seen.path == "/openai/deployments/my-deployment-name/chat/completions"
    assert seen.query == {"api-version": ["2024-02-15-preview"]}
    assert seen.headers["api-key"] == "azure-secret-1234"
    assert "authorization" not in seen.headers
    assert seen.body["messages"] == [{"role": "user", "content": "Say it"}]


def bedrock(seen: Seen) -> None:
    assert unquote(seen.path) == "/model/anthropic.claude-3-opus-20240229-v1:0/converse"
    assert seen.body["messages"] == [{"role": "user", "content": [{"text": "Say it"}]}]
    assert signature(seen) in seen.headers["authorization"]
    assert "Credential=AKIDEXAMPLE/" in seen.headers["authorization"]
    assert "/us-east-1/bedrock/aws4_request" in seen.headers["authorization"]


def signature(seen: Seen) -> str:
    """Return what botocore would sign this very request with."""
    authorization = seen.headers["authorization"]
    names = authorization.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    headers = {name: seen.headers[name] for name in names if name != "x-amz-date"}
    url = f"http://{seen.headers['host']}{seen.target}"
    request = AWSRequest("POST", url, data=seen.raw, headers=headers)
    request.context["timestamp"] = seen.headers["x-amz-date"]
    request.headers["X-Amz-Date"] = seen.headers["x-amz-date"]
    signer = SigV4Auth(Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), "bedrock", "us-east-1")
    return signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)


def ollama(seen: Seen) -> None:
    assert seen.target == "/api/generate"
    assert "authorization" not in seen.headers
    assert seen.body["model"] == "llama2"
    assert "Say it" in seen.body["prompt"]
    assert seen.body["stream"] is False


def watsonx(seen: Seen) -> None:
    assert seen.path == "/ml/v1/text/chat"
    assert seen.headers["authorization"] == "Bearer watsonx-secret-12"
    assert (seen.body["model_id"], seen.body["project_id"]) == ("ibm/granite-13b", "p-1")
    assert seen.body["messages"] == [{"role": "user", "content": "Say it"}]


CALLS: dict[str, tuple[str, Any, Callable[[Seen], None]]] = {
    "openai": ("openai/gpt-4o-mini", OPENAI, openai),
    "bare gpt": ("bare/gpt-4o-mini", OPENAI, bare),
    "bare claude": ("bare-claude/claude-3-opus-20240229", CLAUDE, claude),
    "azure": ("azure/my-deployment-name", OPENAI, azure),
    "bedrock": ("bedrock/anthropic.claude-3-opus-20240229-v1:0", CONVERSE, bedrock),
    "ollama": ("ollama/llama2", OLLAMA, ollama),
    "watsonx": ("watsonx/ibm/granite-13b", OPENAI, watsonx),
}


@pytest.mark.parametrize("name", CALLS)
async def test_a_call_reaches_its_provider_as_the_provider_wants_it(asker: Asker, fresh: Far, name: str):
    model, answer, check = CALLS[name]
    fresh.answers = lambda _: reply(answer)
    said = await asker.chat(model)
    check(fresh.last)
    assert len(fresh.seen) == 1
    (choice,) = said["choices"]
    assert choice["message"]["content"] == "Hi"
    assert choice["finish_reason"] == "stop"
    assert said["object"] == "chat.completion"
    assert {key: said["usage"][key] for key in USAGE} == USAGE


async def test_the_record_knows_target_and_usage(asker: Asker, fresh: Far):
    fresh.answers = lambda _: reply(OPENAI, x_request_id="req-7", x_ratelimit_remaining_requests="9", set_cookie="a=b")
    answer = await asker.answer("chat", "openai/gpt-4o-mini", messages=[{"role": "user", "content": "Say it"}])
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
STRANGE = {"frobnicate": {"a": [1, None]}, "repetition_penalty": 1.5}
STRANGE_AT = {
    "openai": lambda body: body,
    "azure": lambda body: body,
    "bare claude": lambda body: body,
    "bedrock": lambda body: body["additionalModelRequestFields"],
    "ollama": lambda body: body,
    "watsonx": lambda body: body,
}


@pytest.mark.parametrize("name", STRANGE_AT)
async def test_fields_nobody_knows_reach_the_provider_as_they_are(asker: Asker, fresh: Far, name: str):
    model, answer, _ = CALLS[name]
    fresh.answers = lambda _: reply(answer)
    await asker.chat(model, **STRANGE)
    at = STRANGE_AT[name](fresh.last.body)
    assert {key: at.get(key) for key in STRANGE} == STRANGE
    assert "extra_body" not in fresh.last.raw.decode()
    if name == "bedrock":
        assert signature(fresh.last) in fresh.last.headers["authorization"]


async def test_known_fields_are_translated(asker: Asker, fresh: Far):
    fresh.answers = lambda _: reply(OPENAI)
    await asker.chat("openai/gpt-4o-mini", **FIELDS)
    assert {key: fresh.last.body[key] for key in FIELDS} == FIELDS
    fresh.answers = lambda _: reply(CONVERSE)
    await asker.chat("bedrock/anthropic.claude-3-opus-20240229-v1:0", temperature=0, max_tokens=5, stop=["x"])
    assert fresh.last.body["inferenceConfig"] == {"temperature": 0, "maxTokens": 5, "stopSequences": ["x"]}


async def test_what_a_target_cannot_do_is_refused(asker: Asker, fresh: Far):
    with pytest.raises(UpstreamStatus) as caught:
        await asker.chat("bedrock/anthropic.claude-3-opus-20240229-v1:0", logit_bias={"1": 2})
    assert caught.value.status == 400
    assert "logit_bias" in caught.value.message
    assert b"UnsupportedParamsError" in caught.value.body
    assert fresh.seen == []


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
async def test_a_caller_cannot_steer_where_a_key_goes(asker: Asker, fresh: Far, name: str):
    model, answer, check = CALLS[name]
    fresh.answers = lambda _: reply(answer)
    said = await asker.chat(model, **STEERING)
    assert said["choices"][0]["message"]["content"] == "Hi"
    assert len(fresh.seen) == 1
    seen = fresh.last
    assert "x-evil" not in seen.headers
    assert "evil" not in "".join(seen.headers.values()).lower()
    # What is left of the body without the caller's own fields is the usual call: same URL, same key, same model.
    if name == "bedrock":
        assert signature(seen) in seen.headers["authorization"]
        assert "Credential=AKIDEXAMPLE/" in seen.headers["authorization"]
    elif name == "watsonx":
        assert seen.headers["authorization"] == "Bearer watsonx-secret-12"
    elif name == "openai":
        assert seen.headers["authorization"] == "Bearer sk-openai-secret-1"
        assert seen.body["model"] == "gpt-4o-mini"
    else:
        check(seen)


@pytest.mark.parametrize("name", ["bare claude", "bedrock", "ollama"])
async def test_an_image_address_is_not_fetched(asker: Asker, fresh: Far, name: str):
    model, answer, _ = CALLS[name]
    fresh.answers = lambda seen: reply(answer) if seen.method == "POST" else Reply(b"\x89PNG", 200)
    image = {"type": "image_url", "image_url": {"url": f"{fresh.url}/private.png"}}
    messages = [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, image]}]
    try:
        await asker.chat(model, messages=messages)
    except UpstreamStatus as error:
        assert error.status >= 400
    assert [seen.target for seen in fresh.seen if seen.method == "GET"] == []


# -- streams ----------------------------------------------------------------------------------------------------------


def piece(text: str | None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    delta = {} if text is None else {"role": "assistant", "content": text}
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices} | more


OPENAI_STREAM = events(piece("Hel"), piece("lo"), piece(None, "stop"), piece(None, choices=[], usage=USAGE))
CLAUDE_STREAM = events(
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


def converse_stream() -> Reply:
    parts = [
        ("messageStart", b'{"role":"assistant"}'),
        ("contentBlockDelta", b'{"contentBlockIndex":0,"delta":{"text":"Hel"}}'),
        ("contentBlockDelta", b'{"contentBlockIndex":0,"delta":{"text":"lo"}}'),
        ("contentBlockStop", b'{"contentBlockIndex":0}'),
        ("messageStop", b'{"stopReason":"end_turn"}'),
        ("metadata", b'{"usage":{"inputTokens":3,"outputTokens":1,"totalTokens":4},"metrics":{"latencyMs":1}}'),
    ]
    fields = {":content-type": "application/json", ":message-type": "event"}
    frames = [encode(header_block({**fields, ":event-type": kind}.items()), payload) for kind, payload in parts]
    return Reply(frames, headers={"content-type": "application/vnd.amazon.eventstream"})


STREAMS: dict[str, Reply] = {
    "openai": OPENAI_STREAM,
    "azure": OPENAI_STREAM,
    "watsonx": events(piece("Hel"), piece("lo"), piece("", "stop", usage=USAGE)),
    "bare claude": CLAUDE_STREAM,
    "bedrock": converse_stream(),
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
async def test_a_stream_arrives_in_the_wires_shape(asker: Asker, fresh: Far, name: str):
    model, _, _ = CALLS[name]
    fresh.answers = lambda _: STREAMS[name]
    frames = await asker.frames(model, stream_options={"include_usage": True})
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
        assert unquote(fresh.last.path).endswith(":0/converse-stream")
        assert signature(fresh.last) in fresh.last.headers["authorization"]


async def test_tool_calls_keep_their_arguments(asker: Asker, fresh: Far):
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
    used = [{"type": "tool_use", "id": "t1", "name": "f", "input": {"city": "Zürich"}}]
    fresh.answers = lambda _: reply(CLAUDE | {"content": used, "stop_reason": "tool_use"})
    said = await asker.chat("bare-claude/claude-3-opus-20240229", tools=tools, tool_choice="required")
    (call,) = said["choices"][0]["message"]["tool_calls"]
    assert (call["function"]["name"], call["id"]) == ("f", "t1")
    assert '"city"' in call["function"]["arguments"]
    assert said["choices"][0]["message"]["content"] is None
    assert said["choices"][0]["finish_reason"] == "tool_calls"
    assert fresh.last.body["tools"][0]["name"] == "f"
    assert fresh.last.body["tool_choice"]["type"] == "any"


async def test_an_error_before_the_first_chunk_has_its_own_status(asker: Asker, fresh: Far):
    fresh.answers = lambda _: reply({"error": {"message": "slow down", "type": "t", "code": "c"}}, 429, retry_after="7")
    with pytest.raises(RateLimited) as caught:
        await asker.frames("openai/gpt-4o-mini")
    assert caught.value.retry_after == 7


async def test_a_stream_that_breaks_is_admitted(asker: Asker, fresh: Far):
    broken = events(piece("Hel"), piece("lo"), done=False)
    fresh.answers = lambda _: broken._replace(cut=True, pause=0.05)
    frames = await asker.frames("openai/gpt-4o-mini")
    assert frames[-1] != "[DONE]"
    assert "error" in frames[-1]


async def test_a_caller_who_leaves_ends_the_providers_call(asker: Asker, fresh: Far):
    many = [piece("x") for _ in range(200)]
    fresh.answers = lambda _: events(*many, pause=0.1)
    messages = [{"role": "user", "content": "Say it"}]
    answer = await asker.answer("chat", "openai/gpt-4o-mini", messages=messages, stream=True)
    assert answer.stream is not None
    assert await answer.stream.next()
    assert fresh.open == 1
    answer.stream.close()
    await gone(fresh, 0.5)


async def gone(far: Far, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while far.open and loop.time() < until:
        await asyncio.sleep(0.01)
    assert far.open == 0


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
async def test_an_error_keeps_its_status_and_names_its_class(asker: Asker, fresh: Far, name: str):
    provider, status, code, kind = ERRORS[name]
    model, _, _ = CALLS[provider]
    fresh.answers = lambda _: reply({"error": {"message": "the provider says no", "type": "t"}}, status)
    with pytest.raises(UpstreamStatus) as caught:
        await asker.chat(model)
    assert caught.value.status == status
    error = json.loads(caught.value.body)["error"]
    assert "the provider says no" in error["message"]
    assert "Traceback" not in error["message"]
    assert error["type"] == kind
    assert code is None or error["code"] == code
    assert len(fresh.seen) == 1  # nothing below the gateway tries again


async def test_a_provider_that_is_not_there_is_502(asker: Asker, fresh: Far):
    fresh.answers = lambda _: Reply([], cut=True)
    with pytest.raises(UpstreamStatus) as caught:
        await asker.chat("watsonx/ibm/granite-13b")
    assert caught.value.status in (500, 502)
    assert caught.value.retryable


async def test_a_key_in_a_providers_message_is_covered(asker: Asker, fresh: Far):
    for name, secret in (("openai", "sk-openai-secret-1"), ("watsonx", "watsonx-secret-12")):
        fresh.answers = lambda _, secret=secret: reply({"error": {"message": f"wrong key {secret}!"}}, 401)
        with pytest.raises(UpstreamStatus) as caught:
            await asker.chat(CALLS[name][0])
        assert secret not in caught.value.body.decode() + caught.value.message
        assert "wrong key …!" in caught.value.message


async def test_a_model_of_nobody_is_refused_by_litellm(asker: Asker, fresh: Far):
    with pytest.raises(UpstreamStatus) as caught:
        await asker.chat("bare/nobody-knows")
    assert caught.value.status == 400
    assert "nobody-knows" in caught.value.message
    assert fresh.seen == []


async def test_a_wrong_request_is_refused_before_litellm(asker: Asker, fresh: Far):
    with pytest.raises(BadRequest):
        await asker.ask("chat", "openai/gpt-4o-mini", messages=7)
    assert fresh.seen == []


# -- other operations -------------------------------------------------------------------------------------------------


async def test_embeddings(asker: Asker, fresh: Far):
    data = [{"object": "embedding", "index": index, "embedding": [index, 0.5]} for index in range(2)]
    usage = {"prompt_tokens": 2, "total_tokens": 2}
    fresh.answers = lambda _: reply({"object": "list", "data": data, "model": "m", "usage": usage})
    said = await asker.ask("embeddings", "openai/text-embedding-3-small", input=["a", "b"], dimensions=2)
    assert fresh.last.target == "/v1/embeddings"
    assert fresh.last.body["input"] == ["a", "b"]
    assert fresh.last.body["dimensions"] == 2
    assert [each["embedding"] for each in said["data"]] == [[0, 0.5], [1, 0.5]]
    assert said["usage"]["prompt_tokens"] == 2


async def direct(asker: Asker, model: str, operation: str, body: bytes) -> tuple[int, dict[bytes, bytes], bytes]:
    """Call an operation at LiteLLM's process without a wire of the gateway in front."""
    target = asker.runtime.catalog.resolve(model).targets[0]
    headers: list[tuple[str, str]] = [("content-type", "application/json"), *target.headers]
    if target.credential is not None:
        headers.append(("authorization", f"Bearer {target.credential.reveal()}"))
    head = build_head("POST", target.urls[operation], headers, target.origin)
    transport = asker.runtime.transport(target.origin.scheme)
    response = await transport.send(Request(target.origin, head, body, target.origin), 5)
    try:
        return response.status, dict(response.headers), await response.read(1 << 24)
    finally:
        response.close()


async def test_rerank(asker: Asker, fresh: Far):
    results = [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]
    fresh.answers = lambda _: reply({"id": "r", "results": results, "meta": {"billed_units": {"search_units": 1}}})
    body = b'{"model":"x","query":"q","documents":["a","b"],"top_n":2,"oddity":1}'
    status, _, answer = await direct(asker, "cohere/rerank-v3.5", "rerank", body)
    assert status == 200, answer
    assert fresh.last.path == "/v2/rerank"
    assert fresh.last.headers["authorization"].lower() == "bearer cohere-secret-123"
    assert fresh.last.body["documents"] == ["a", "b"]
    assert json.loads(answer)["results"] == results


async def test_images(asker: Asker, fresh: Far):
    picture = base64.b64encode(b"picture").decode()
    fresh.answers = lambda _: reply({"created": 1, "data": [{"b64_json": picture}]})
    body = b'{"model":"x","prompt":"a cat","n":1,"size":"256x256"}'
    status, _, answer = await direct(asker, "openai/dall-e-2", "images", body)
    assert status == 200, answer
    assert fresh.last.target == "/v1/images/generations"
    assert (fresh.last.body["prompt"], fresh.last.body["size"]) == ("a cat", "256x256")
    assert json.loads(answer)["data"][0]["b64_json"] == picture


async def test_speech(asker: Asker, fresh: Far):
    sound = bytes(range(256)) * 1000
    fresh.answers = lambda _: Reply(sound, headers={"content-type": "audio/mpeg"})
    body = b'{"model":"x","input":"Hello","voice":"alloy","response_format":"mp3"}'
    status, headers, answer = await direct(asker, "openai/tts-1", "speech", body)
    assert status == 200, answer
    assert fresh.last.target == "/v1/audio/speech"
    assert (fresh.last.body["input"], fresh.last.body["voice"]) == ("Hello", "alloy")
    assert headers[b"content-type"] == b"audio/mpeg"
    assert answer == sound


async def test_usage_that_litellm_does_not_find_is_counted_by_us_and_says_so(asker: Asker, fresh: Far):
    fresh.answers = lambda _: events(piece("Hel"), piece("lo"), piece(None, "stop"))
    messages = [{"role": "user", "content": "Say it"}]
    answer = await asker.answer("chat", "openai/gpt-4o-mini", messages=messages, stream=True)
    assert answer.stream is not None
    while await answer.stream.next():
        pass
    assert answer.record is not None
    assert answer.record.usage is not None
    assert answer.record.usage.estimated
    assert answer.record.usage.output > 0


async def test_moderations(asker: Asker, fresh: Far):
    fresh.answers = lambda _: reply({"id": "m", "model": "o", "results": [{"flagged": False, "categories": {}}]})
    status, _, answer = await direct(
        asker, "openai/omni-moderation-latest", "moderations", b'{"model":"x","input":"a"}'
    )
    assert status == 200, answer
    assert fresh.last.target == "/v1/moderations"


@pytest.mark.parametrize("header", ["", "x-longtail-call: !\r\n", "x-longtail-call: bnVsbA==\r\n"])
async def test_a_call_without_what_the_gateway_writes_is_refused(asker: Asker, fresh: Far, header: str):
    origin = Origin("longtail", "litellm", 0)
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n" + header.encode()
    response = await asker.runtime.transport("longtail").send(Request(origin, head, b"{}"), 5)
    assert response.status == 400
    assert b"x-longtail-call" in await response.read(1 << 20)
    response.close()
    assert fresh.seen == []
