"""The simulator as a provider of each wire, called by the official client of that wire."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import anthropic
import boto3
import botocore.config
import botocore.exceptions
import httpx
import openai
import pytest
from google import genai
from google.genai import errors as genai_errors
from google.genai import types

from antiphon.sim.script_file import parse_script
from antiphon.sim.server import SimServer

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:botocore"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:google"),
]

SCRIPT = """
rules:
  - exact: weather
    thinking: I should look.
    tools:
      - {name: get_weather, arguments: {city: "Zürich"}}
      - {name: now}
    reply: It is sunny.
    usage: {prompt_tokens: 100, completion_tokens: 50, cached_tokens: 60, cache_write_tokens: 10, reasoning_tokens: 20}
  - exact: "no"
    reply: I will not.
    finish: refusal
"""
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
TIMEOUT = 20


@pytest.fixture
async def sim() -> AsyncIterator[SimServer]:
    async with SimServer(parse_script(SCRIPT), seed=1, record=True) as server:
        yield server


@pytest.fixture
async def anthropic_client(sim: SimServer) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(base_url=sim.url, api_key="k", max_retries=0, timeout=TIMEOUT) as client:
        yield client


@pytest.fixture
async def openai_client(sim: SimServer) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=sim.url + "/v1", api_key="k", max_retries=0, timeout=TIMEOUT) as client:
        yield client


@pytest.fixture
async def gemini(sim: SimServer) -> AsyncIterator[Any]:
    client = genai.Client(api_key="k", http_options=types.HttpOptions(base_url=sim.url))
    yield client.aio
    await client.aio.aclose()
    client.close()


@pytest.fixture
def bedrock(sim: SimServer) -> Iterator[Any]:
    config = botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=TIMEOUT)
    keys = {"aws_access_key_id": "AKID", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
    client = boto3.client("bedrock-runtime", endpoint_url=sim.url, config=config, **keys)
    yield client
    client.close()


def make_user_message(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


def make_turn(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"text": text}]}]


async def converse(bedrock: Any, stream: bool = False, **fields: Any) -> Any:
    def call() -> Any:
        if not stream:
            return bedrock.converse(**fields)
        with contextlib.closing(bedrock.converse_stream(**fields)["stream"]) as events:
            return list(events)

    return await asyncio.to_thread(call)


# Messages -------------------------------------------------------------------------------------------------------------


async def test_messages_tools_and_thinking_over_a_turn(anthropic_client: anthropic.AsyncAnthropic) -> None:
    tools: Any = [{"name": "get_weather", "input_schema": SCHEMA}, {"name": "now", "input_schema": {"type": "object"}}]
    fields: Any = {"model": "echo", "max_tokens": 500, "tools": tools}
    first = await anthropic_client.messages.create(messages=make_user_message("weather"), **fields)  # type: ignore[arg-type]
    async with anthropic_client.messages.stream(messages=make_user_message("weather"), **fields) as stream:  # type: ignore[arg-type]
        streamed = await stream.get_final_message()
    for message in (first, streamed):
        assert [block.type for block in message.content] == ["thinking", "tool_use", "tool_use"]
        assert message.stop_reason == "tool_use"
        assert message.content[1].input == {"city": "Zürich"}
        assert message.content[2].input == {}
        used = message.usage
        assert (used.input_tokens, used.cache_read_input_tokens, used.cache_creation_input_tokens) == (30, 60, 10)
        assert (used.output_tokens, used.output_tokens_details.thinking_tokens) == (50, 20)
    results = [{"type": "tool_result", "tool_use_id": block.id, "content": "ok"} for block in first.content[1:]]
    back: Any = [{"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
    last = await anthropic_client.messages.create(messages=make_user_message("weather") + back, **fields)
    assert last.content[-1].text == "It is sunny."


@pytest.mark.parametrize(
    "corrupt",
    [
        lambda blocks, results: blocks[0].__setattr__("signature", "forged"),
        lambda blocks, results: results.pop(),
        lambda blocks, results: results[0].__setitem__("tool_use_id", "toolu_unknown"),
    ],
)
async def test_messages_rejects_broken_turns(
    anthropic_client: anthropic.AsyncAnthropic, corrupt: Callable[[Any, Any], object]
) -> None:
    tools: Any = [{"name": "get_weather", "input_schema": SCHEMA}, {"name": "now", "input_schema": {"type": "object"}}]
    fields: Any = {"model": "echo", "max_tokens": 500, "tools": tools}
    first = await anthropic_client.messages.create(messages=make_user_message("weather"), **fields)  # type: ignore[arg-type]
    results = [{"type": "tool_result", "tool_use_id": block.id, "content": "ok"} for block in first.content[1:]]
    corrupt(first.content, results)
    back: Any = [{"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
    with pytest.raises(anthropic.BadRequestError):
        await anthropic_client.messages.create(messages=make_user_message("weather") + back, **fields)


async def test_messages_images_choice_refusal_and_count(anthropic_client: anthropic.AsyncAnthropic) -> None:
    image: Any = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
    seen: Any = [{"role": "user", "content": [image, {"type": "text", "text": "Look"}]}]
    tool: Any = {"name": "f", "input_schema": SCHEMA}
    called = await anthropic_client.messages.create(
        model="echo", max_tokens=50, messages=seen, tools=[tool], tool_choice={"type": "tool", "name": "f"}
    )
    assert called.content[0].input == {"city": "Look"}
    refused = await anthropic_client.messages.create(model="echo", max_tokens=50, messages=make_user_message("no"))  # type: ignore[arg-type]
    assert (refused.stop_reason, refused.content[0].text) == ("refusal", "I will not.")
    stopped = await anthropic_client.messages.create(
        model="echo",
        max_tokens=50,
        messages=make_user_message("one two"),  # type: ignore[arg-type]
        stop_sequences=[" two"],
    )
    assert (stopped.stop_reason, stopped.stop_sequence, stopped.content[0].text) == ("stop_sequence", " two", "one")
    short = await anthropic_client.messages.create(model="lorem", max_tokens=2, messages=make_user_message("x"))  # type: ignore[arg-type]
    assert (short.stop_reason, short.usage.output_tokens) == ("max_tokens", 2)
    counted = await anthropic_client.messages.count_tokens(model="echo", messages=make_user_message("12345678"))  # type: ignore[arg-type]
    assert counted.input_tokens == 3 + 3 + 2


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, {}, 401),
        ({"x-api-key": "k"}, {}, 400),
        ({"authorization": "Bearer k", "anthropic-version": "lately"}, {}, 400),
        ({"x-api-key": "k", "anthropic-version": "2023-06-01"}, {"max_tokens": None}, 400),
        ({"x-api-key": "k", "anthropic-version": "2023-06-01"}, {"frequency_penalty": 1}, 400),
        ({"x-api-key": "k", "anthropic-version": "2023-06-01"}, {"messages": [{"role": "robot", "content": "x"}]}, 400),
        ({"x-api-key": "k", "anthropic-version": "2023-06-01"}, {"model": "nobody"}, 404),
        ({"x-api-key": "k", "anthropic-version": "2023-06-01"}, {}, 200),
    ],
)
async def test_messages_headers_and_fields(sim: SimServer, headers: Any, body: Any, status: int) -> None:
    sent = {"model": "echo", "max_tokens": 5, "messages": make_user_message("x"), **body}
    async with httpx.AsyncClient() as client:
        answer = await client.post(sim.url + "/v1/messages", json=sent, headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.json()["type"] == ("message" if status == 200 else "error")
    assert answer.headers["request-id"].startswith("req_")


# Responses ------------------------------------------------------------------------------------------------------------


async def test_responses_tools_and_reasoning_over_a_turn(openai_client: openai.AsyncOpenAI) -> None:
    tool: Any = {"type": "function", "name": "get_weather", "parameters": SCHEMA, "strict": False}
    fields: Any = {"model": "echo", "tools": [tool, {**tool, "name": "now"}]}
    first = await openai_client.responses.create(input="weather", **fields)
    async with openai_client.responses.stream(input="weather", **fields) as stream:
        streamed = await stream.get_final_response()
    for response in (first, streamed):
        assert [item.type for item in response.output] == ["reasoning", "function_call", "function_call"]
        assert response.output[1].arguments == '{"city":"Zürich"}'
        assert response.usage.input_tokens_details.cached_tokens == 60
        assert (response.usage.input_tokens, response.usage.output_tokens) == (100, 50)
    results = [{"type": "function_call_output", "call_id": item.call_id, "output": "ok"} for item in first.output[1:]]
    history: Any = [{"role": "user", "content": "weather"}, *[item.model_dump() for item in first.output], *results]
    last = await openai_client.responses.create(input=history, **fields)
    assert last.output_text == "It is sunny."
    with pytest.raises(openai.BadRequestError):
        await openai_client.responses.create(input=history[:-1], **fields)


# Gemini ---------------------------------------------------------------------------------------------------------------


async def test_gemini_tools_and_thoughts_over_a_turn(gemini: Any) -> None:
    tools = [
        types.Tool(
            function_declarations=[
                types.FunctionDeclaration(name="get_weather", parameters_json_schema=SCHEMA),
                types.FunctionDeclaration(name="now"),
            ]
        )
    ]
    config = types.GenerateContentConfig(
        tools=tools, automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True)
    )
    first = await gemini.models.generate_content(model="echo", contents="weather", config=config)
    parts = first.candidates[0].content.parts
    assert [(part.thought, bool(part.function_call), bool(part.thought_signature)) for part in parts] == [
        (True, False, False),
        (None, True, True),
        (None, True, False),
    ]
    assert parts[1].function_call.args == {"city": "Zürich"}
    assert (first.usage_metadata.thoughts_token_count, first.usage_metadata.cached_content_token_count) == (20, 60)
    results = [
        types.Part(function_response=types.FunctionResponse(id=call.id, name=call.name, response={"output": "ok"}))
        for call in first.function_calls
    ]
    history = [types.UserContent("weather"), first.candidates[0].content, types.UserContent(results)]
    last = await gemini.models.generate_content(model="echo", contents=history, config=config)
    assert last.text == "It is sunny."
    chunks = [chunk async for chunk in await gemini.models.generate_content_stream(model="echo", contents="12345678")]
    assert "".join(chunk.text or "" for chunk in chunks) == "12345678"
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP


async def test_gemini_counts_and_embeds(gemini: Any) -> None:
    assert (await gemini.models.count_tokens(model="echo", contents="12345678")).total_tokens == 8
    found = await gemini.models.embed_content(model="embed:dim=4", contents=["a", "b"])
    assert [len(each.values) for each in found.embeddings] in ([4, 4], [4])


async def test_gemini_requires_a_key(sim: SimServer) -> None:
    async with httpx.AsyncClient() as client:
        url = sim.url + "/v1beta/models/echo:generateContent"
        body = {"contents": [{"parts": [{"text": "x"}]}]}
        assert (await client.post(url, json=body)).json()["error"]["status"] == "PERMISSION_DENIED"
        assert (await client.post(url, json=body, headers={"x-goog-api-key": "k"})).status_code == 200
        assert (await client.post(url, json={}, headers={"x-goog-api-key": "k"})).status_code == 400


# Bedrock --------------------------------------------------------------------------------------------------------------


async def test_converse_tools_and_reasoning_over_a_turn(bedrock: Any) -> None:
    specs = [{"toolSpec": {"name": name, "inputSchema": {"json": SCHEMA}}} for name in ("get_weather", "now")]
    fields = {"modelId": "sim/echo", "toolConfig": {"tools": specs}}
    first = await converse(bedrock, messages=make_turn("weather"), **fields)
    content = first["output"]["message"]["content"]
    assert [next(iter(block)) for block in content] == ["reasoningContent", "toolUse", "toolUse"]
    assert content[1]["toolUse"]["input"] == {"city": "Zürich"}
    assert (first["usage"]["cacheReadInputTokens"], first["usage"]["cacheWriteInputTokens"]) == (60, 10)
    results = [
        {"toolResult": {"toolUseId": block["toolUse"]["toolUseId"], "content": [{"text": "ok"}]}}
        for block in content[1:]
    ]
    history = [*make_turn("weather"), first["output"]["message"], {"role": "user", "content": results}]
    last = await converse(bedrock, messages=history, **fields)
    assert last["output"]["message"]["content"][-1]["text"] == "It is sunny."
    with pytest.raises(botocore.exceptions.ClientError, match="toolConfig"):
        await converse(bedrock, messages=history, modelId="sim/echo")
    events = await converse(bedrock, True, messages=make_turn("12345678"), modelId="sim/echo")
    assert [next(iter(event)) for event in events][-2:] == ["messageStop", "metadata"]


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("", 403),
        ("Bearer k", 200),
        ("AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/bedrock/aws4_request, Signature=00", 403),
        (
            "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/bedrock/aws4_request, "
            f"SignedHeaders=host;x-amz-date, Signature={'0' * 64}",
            403,  # names a header that was not sent
        ),
    ],
)
async def test_converse_requires_a_token_or_a_signature(sim: SimServer, authorization: str, status: int) -> None:
    async with httpx.AsyncClient() as client:
        headers = {"authorization": authorization} if authorization else {}
        url = sim.url + "/model/sim%2Fecho/converse"
        answer = await client.post(url, json={"messages": make_turn("x")}, headers=headers)
    assert answer.status_code == status
    assert status == 200 or answer.headers["x-amzn-errortype"] == "AccessDeniedException"


# Faults ---------------------------------------------------------------------------------------------------------------


async def call_wire(
    wire: str, model: str, stream: bool, anthropic_client: Any, openai_client: Any, gemini: Any, bedrock: Any
) -> Any:
    if wire == "messages":
        fields: Any = {"model": model, "max_tokens": 100, "messages": make_user_message("Say it")}
        answer = await anthropic_client.messages.create(stream=stream, **fields)
        return [event async for event in answer] if stream else answer
    if wire == "responses":
        answer = await openai_client.responses.create(model=model, input="Say it", stream=stream)
        return [event async for event in answer] if stream else answer
    if wire == "generate":
        if stream:
            answer = await gemini.models.generate_content_stream(model=model, contents="Say it")
            return [event async for event in answer]
        return await gemini.models.generate_content(model=model, contents="Say it")
    return await converse(bedrock, stream, modelId=model, messages=make_turn("Say it"))


ERRORS: dict[str, tuple[type[Exception], ...]] = {
    "messages": (anthropic.APIStatusError,),
    "responses": (openai.APIError,),
    "generate": (genai_errors.APIError,),
    "converse": (botocore.exceptions.ClientError,),
}


def get_status(error: Any) -> int:
    if isinstance(error, botocore.exceptions.ClientError):
        return int(error.response["ResponseMetadata"]["HTTPStatusCode"])
    return int(getattr(error, "status_code", None) or error.code)


@pytest.mark.parametrize("wire", list(ERRORS))
@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503, 529])
async def test_statuses(
    wire: str, status: int, anthropic_client: Any, openai_client: Any, gemini: Any, bedrock: Any
) -> None:
    with pytest.raises(ERRORS[wire]) as caught:
        await call_wire(wire, f"fault-{status}", False, anthropic_client, openai_client, gemini, bedrock)
    assert get_status(caught.value) == status


@pytest.mark.parametrize("wire", list(ERRORS))
async def test_errors_in_the_middle_of_a_stream(
    wire: str, anthropic_client: Any, openai_client: Any, gemini: Any, bedrock: Any
) -> None:
    with pytest.raises(Exception, match="The simulated provider broke") as caught:
        await call_wire(wire, "fault-error-midstream", True, anthropic_client, openai_client, gemini, bedrock)
    kinds = (*ERRORS[wire], botocore.exceptions.EventStreamError)
    assert isinstance(caught.value, kinds)


@pytest.mark.parametrize(
    ("wire", "fault"),
    [
        (wire, fault)
        for wire in ERRORS
        for fault in ("fault-cut", "fault-reset", "fault-json")
        if (wire, fault) != ("converse", "fault-json")  # its client accepts any payload as a message
    ],
)
async def test_broken_streams_raise(
    wire: str, fault: str, anthropic_client: Any, openai_client: Any, gemini: Any, bedrock: Any
) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - each client raises its own error
        await call_wire(wire, fault, True, anthropic_client, openai_client, gemini, bedrock)
    assert not isinstance(caught.value, AssertionError | TypeError | AttributeError)


@pytest.mark.parametrize("wire", list(ERRORS))
async def test_the_log_records_requests_and_answers(
    sim: SimServer, wire: str, anthropic_client: Any, openai_client: Any, gemini: Any, bedrock: Any
) -> None:
    await call_wire(wire, "echo:thinking=3", True, anthropic_client, openai_client, gemini, bedrock)
    (entry,) = sim.log.list_entries()
    assert b"Say it" in entry.body
    assert b"Say " in entry.answer
    assert (entry.operation, entry.model, entry.completed) == (wire, "echo:thinking=3", True)
    assert entry.authorization
    assert not {"authorization", "x-api-key", "x-goog-api-key"} & entry.headers.keys()
