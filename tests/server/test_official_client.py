"""The official ``openai`` client against the running gateway: its requests are served, and it can read the answers."""

import asyncio
import base64
import json
import struct

import openai
import pytest
from pydantic import BaseModel

HELLO = [{"role": "user", "content": "Hello there"}]


def test_chat(client):
    answer = client.chat.completions.create(model="sim/echo", messages=HELLO)
    assert answer.choices[0].message.content == "Hello there"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0


async def test_chat_async(aclient):
    answers = await asyncio.gather(
        *[
            aclient.chat.completions.create(model="gpt", messages=[{"role": "user", "content": f"number {index}"}])
            for index in range(40)
        ]
    )
    assert [answer.choices[0].message.content for answer in answers] == [f"number {index}" for index in range(40)]


def test_stream(client):
    with client.chat.completions.create(model="sim/echo", messages=HELLO, stream=True) as stream:
        chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Hello there"
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(chunk.usage is None for chunk in chunks)


def test_stream_with_usage(client):
    stream = client.chat.completions.create(
        model="sim/echo", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    last = list(stream)[-1]
    assert last.choices == []
    assert last.usage.total_tokens > 0


async def test_stream_async(aclient):
    stream = await aclient.chat.completions.create(model="sim/echo", messages=HELLO, stream=True)
    text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])
    assert text == "Hello there"


def test_stream_helper(client):
    with client.chat.completions.stream(model="sim/echo", messages=HELLO) as stream:
        for _ in stream:
            pass
        assert stream.get_final_completion().choices[0].message.content == "Hello there"


def test_raw_response_headers(client):
    raw = client.chat.completions.with_raw_response.create(model="gpt", messages=HELLO)
    assert raw.headers["x-antiphon-call-id"].startswith("call_")
    assert raw.headers["x-antiphon-target"] == "sim/echo"
    assert raw.headers["x-antiphon-attempts"] == "1"
    assert float(raw.headers["x-antiphon-cost"]) > 0
    assert "upstream;dur=" in raw.headers["server-timing"]
    assert raw.headers["content-type"].startswith("application/json")
    assert raw.parse().choices[0].message.content == "Hello there"


def test_raw_stream_headers(client):
    with client.chat.completions.with_streaming_response.create(model="gpt", messages=HELLO, stream=True) as raw:
        assert raw.headers["content-type"].startswith("text/event-stream")
        assert raw.headers["cache-control"] == "no-cache"
        assert raw.headers["x-accel-buffering"] == "no"
        assert raw.headers["x-antiphon-call-id"].startswith("call_")
        assert "content-length" not in raw.headers
        lines = [line for line in raw.iter_lines() if line]
    assert lines[-1] == "data: [DONE]"


def test_parse_structured_output(client):
    class City(BaseModel):
        name: str
        people: int

    answer = client.chat.completions.parse(model="sim/echo", messages=HELLO, response_format=City)
    assert isinstance(answer.choices[0].message.parsed, City)


def test_tools(client):
    tool = {
        "type": "function",
        "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
    }
    answer = client.chat.completions.create(
        model="sim/echo",
        messages=HELLO,
        tools=[tool],
        tool_choice={"type": "function", "function": {"name": "weather"}},
    )
    call = answer.choices[0].message.tool_calls[0]
    assert call.function.name == "weather"
    assert isinstance(json.loads(call.function.arguments), dict)


def test_legacy_completions(client):
    answer = client.completions.create(model="sim/echo", prompt="Once upon")
    assert "Once upon" in answer.choices[0].text
    stream = client.completions.create(model="sim/echo", prompt="Once upon", stream=True)
    assert "Once upon" in "".join(chunk.choices[0].text for chunk in stream if chunk.choices)


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_embeddings(client, encoding):
    answer = client.embeddings.create(model="sim/embed", input=["a", "b"], dimensions=8, encoding_format=encoding)
    vectors = [item.embedding for item in answer.data]
    if encoding == "base64":
        vectors = [list(struct.unpack("<8f", base64.b64decode(vector))) for vector in vectors]
    assert [len(vector) for vector in vectors] == [8, 8]
    assert vectors[0] != vectors[1]


def test_embeddings_with_the_default_encoding(client):
    assert len(client.embeddings.create(model="sim/embed", input="a").data[0].embedding) > 0


def test_models(client):
    listed = {model.id: model for model in client.models.list()}
    assert {"gpt", "meta/llama:free", "sim/echo"} <= set(listed)
    for name in ("gpt", "meta/llama:free", "llama3.2:3b", "sim/echo"):
        model = client.models.retrieve(name)
        assert (model.id, model.object) == (name, "model")
        assert isinstance(model.created, int)
        assert isinstance(model.owned_by, str)


def test_unknown_model(client):
    with pytest.raises(openai.NotFoundError, match="sim/echo") as caught:
        client.chat.completions.create(model="sym/echo", messages=HELLO)
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nothing-of-the-kind")


def test_unknown_key(gateway):
    with (
        openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="ap-unknown", max_retries=0) as stranger,
        pytest.raises(openai.AuthenticationError) as caught,
    ):
        stranger.models.list()
    assert caught.value.code == "invalid_api_key"
    assert caught.value.response.headers["www-authenticate"].startswith("Bearer")


def test_bad_request(client):
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model=7, messages=HELLO)


def test_provider_status_is_kept(client):
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="sim/fault-429:after=7", messages=HELLO)
    assert caught.value.code == "rate_limit_exceeded"
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.response.headers["x-antiphon-call-id"].startswith("call_")
    with pytest.raises(openai.InternalServerError):
        client.chat.completions.create(model="sim/fault-500", messages=HELLO)


def test_broken_stream_is_an_error_and_not_an_end(client):
    stream = client.chat.completions.create(model="broken", messages=HELLO, stream=True)
    with pytest.raises(openai.APIError):
        list(stream)


def test_unknown_fields_reach_the_target_and_come_back(client):
    raw = client.chat.completions.with_raw_response.create(
        model="sim/echo", messages=HELLO, extra_body={"x_unknown": {"deep": [1.50, None]}}
    )
    assert raw.http_response.status_code == 200
