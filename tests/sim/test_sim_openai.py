"""The official client against the standalone simulator."""

import base64
import json
import struct
from pathlib import Path

import openai
import pytest
from pydantic import BaseModel

from antiphon.sim.script_file import parse_script
from antiphon.sim.server import SimServer

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 2}},
            "required": ["city", "days"],
        },
    },
}

SCRIPT = """
rules:
  - match: "(?i)weather"
    tools:
      - {name: get_weather, arguments: {city: Tokyo, days: 3}}
      - {name: get_weather, arguments: {city: Ōsaka, days: 1}}
    reply: It is sunny.
  - exact: expensive
    reply: done
    usage: {prompt_tokens: 1000, completion_tokens: 20, cached_tokens: 600, reasoning_tokens: 5}
"""


def make_user_message(text: object) -> list[dict[str, object]]:
    return [{"role": "user", "content": text}]


async def test_chat(client: openai.AsyncOpenAI) -> None:
    reply = await client.chat.completions.create(model="sim/echo", messages=make_user_message("Hello, world"))
    assert reply.choices[0].message.content == "Hello, world"
    assert reply.choices[0].finish_reason == "stop"
    assert reply.model == "sim/echo"
    assert reply.object == "chat.completion"
    assert reply.id.startswith("chatcmpl-")
    assert reply.usage.completion_tokens == 3
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + 3
    assert reply.usage.prompt_tokens_details.cached_tokens == 0
    assert reply.usage.completion_tokens_details.reasoning_tokens == 0


async def test_chat_stream_gives_the_same_text_token_by_token(client: openai.AsyncOpenAI) -> None:
    text = "Ünïcödé 🎼 “quoted”\n\tlines and more of them"
    options = {"include_usage": True}
    stream = await client.chat.completions.create(
        model="echo", messages=make_user_message(text), stream=True, stream_options=options
    )
    chunks = [chunk async for chunk in stream]
    pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    assert "".join(pieces) == text
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == len(pieces)
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert len({chunk.id for chunk in chunks}) == 1


async def test_stream_gives_usage_only_on_request(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(model="echo", messages=make_user_message("Hello"), stream=True)
    chunks = [chunk async for chunk in stream]
    assert all(chunk.usage is None and chunk.choices for chunk in chunks)


async def test_several_choices(client: openai.AsyncOpenAI) -> None:
    reply = await client.chat.completions.create(model="echo", messages=make_user_message("Hello"), n=3)
    assert [(choice.index, choice.message.content) for choice in reply.choices] == [(i, "Hello") for i in range(3)]
    assert reply.usage.completion_tokens == 6
    stream = await client.chat.completions.create(model="echo", messages=make_user_message("Hello"), n=3, stream=True)
    texts = ["", "", ""]
    async for chunk in stream:
        texts[chunk.choices[0].index] += chunk.choices[0].delta.content or ""
    assert texts == ["Hello"] * 3


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
async def test_length_limit(client: openai.AsyncOpenAI, name: str) -> None:
    reply = await client.chat.completions.create(model="lorem-200", messages=make_user_message("go"), **{name: 7})
    assert reply.choices[0].finish_reason == "length"
    assert reply.usage.completion_tokens == 7


async def test_stop_sequence(client: openai.AsyncOpenAI) -> None:
    reply = await client.chat.completions.create(
        model="echo", messages=make_user_message("one, two, three"), stop=[", t"]
    )
    assert reply.choices[0].message.content == "one"
    assert reply.choices[0].finish_reason == "stop"


async def test_lorem_has_the_stated_length(client: openai.AsyncOpenAI) -> None:
    reply = await client.chat.completions.create(model="sim/lorem:tokens=200", messages=make_user_message("go"))
    assert reply.usage.completion_tokens == 200


async def test_logprobs(client: openai.AsyncOpenAI) -> None:
    reply = await client.chat.completions.create(model="echo", messages=make_user_message("Hello"), logprobs=True)
    assert [entry.token for entry in reply.choices[0].logprobs.content] == ["Hell", "o"]
    stream = await client.chat.completions.create(
        model="echo", messages=make_user_message("Hello"), logprobs=True, stream=True
    )
    parts = [chunk.choices[0].logprobs async for chunk in stream]
    assert [entry.token for part in parts if part for entry in part.content] == ["Hell", "o"]


async def test_many_turns_and_images(client: openai.AsyncOpenAI) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk=", "detail": "low"}}
    messages = [
        {"role": "system", "content": "You are an echo."},
        *make_user_message("first"),
        {"role": "assistant", "content": "first"},
        *make_user_message([{"type": "text", "text": "What is "}, image, {"type": "text", "text": "this?"}]),
    ]
    reply = await client.chat.completions.create(model="echo", messages=messages)
    assert reply.choices[0].message.content == "What is this?"
    assert reply.usage.prompt_tokens > 85


class Step(BaseModel):
    explanation: str
    confidence: float
    children: list["Step"]


class Plan(BaseModel):
    title: str
    steps: list[Step]
    priority: int
    done: bool
    note: str | None


async def test_parse_gets_json_that_fits_its_schema(client: openai.AsyncOpenAI) -> None:
    reply = await client.chat.completions.parse(
        model="echo", messages=make_user_message("Plan it"), response_format=Plan
    )
    plan = reply.choices[0].message.parsed
    assert isinstance(plan, Plan)
    assert plan.title == "Plan it"


async def test_parse_a_stream(client: openai.AsyncOpenAI) -> None:
    async with client.chat.completions.stream(
        model="echo", messages=make_user_message("Plan"), response_format=Plan
    ) as stream:
        final = await stream.get_final_completion()
    assert isinstance(final.choices[0].message.parsed, Plan)


async def test_json_object(client: openai.AsyncOpenAI) -> None:
    form = {"type": "json_object"}
    reply = await client.chat.completions.create(
        model="echo", messages=make_user_message('say "x"'), response_format=form
    )
    assert json.loads(reply.choices[0].message.content) == {"text": 'say "x"'}


async def test_forced_tool_call_fits_its_schema(client: openai.AsyncOpenAI) -> None:
    for choice in ("required", {"type": "function", "function": {"name": "get_weather"}}):
        reply = await client.chat.completions.create(
            model="echo", messages=make_user_message("Tokyo"), tools=[WEATHER], tool_choice=choice
        )
        (call,) = reply.choices[0].message.tool_calls
        assert reply.choices[0].finish_reason == "tool_calls"
        assert json.loads(call.function.arguments) == {"city": "Tokyo", "days": 2}


async def test_optional_tools_are_not_called(client: openai.AsyncOpenAI) -> None:
    reply = await client.chat.completions.create(model="echo", messages=make_user_message("Tokyo"), tools=[WEATHER])
    assert reply.choices[0].message.content == "Tokyo"


async def test_scripted_tool_conversation() -> None:
    async with (
        SimServer(parse_script(SCRIPT)) as sim,
        openai.AsyncOpenAI(base_url=sim.url + "/v1", api_key="x", max_retries=0) as client,
    ):
        messages = make_user_message("What's the weather?")
        reply = await client.chat.completions.create(model="sim/echo", messages=messages, tools=[WEATHER])
        calls = reply.choices[0].message.tool_calls
        assert [json.loads(call.function.arguments)["city"] for call in calls] == ["Tokyo", "Ōsaka"]
        assert len({call.id for call in calls}) == 2
        async with client.chat.completions.stream(model="sim/echo", messages=messages) as stream:
            streamed = (await stream.get_final_completion()).choices[0].message.tool_calls
        assert [call.function.arguments for call in streamed] == [call.function.arguments for call in calls]
        messages = [
            *messages,
            reply.choices[0].message.model_dump(exclude_none=True),
            *({"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in calls),
        ]
        reply = await client.chat.completions.create(model="sim/echo", messages=messages)
        assert reply.choices[0].message.content == "It is sunny."


async def test_scripted_usage() -> None:
    async with (
        SimServer(parse_script(SCRIPT)) as sim,
        openai.AsyncOpenAI(base_url=sim.url + "/v1", api_key="x", max_retries=0) as client,
    ):
        usage = (await client.chat.completions.create(model="echo", messages=make_user_message("expensive"))).usage
        assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (1000, 20, 1020)
        assert usage.prompt_tokens_details.cached_tokens == 600
        assert usage.completion_tokens_details.reasoning_tokens == 5


async def test_legacy_completions(client: openai.AsyncOpenAI) -> None:
    reply = await client.completions.create(model="echo", prompt="Once upon", n=2, logprobs=1)
    assert [choice.text for choice in reply.choices] == ["Once upon"] * 2
    assert reply.choices[0].logprobs.text_offset == [0, 4, 8]
    reply = await client.completions.create(model="lorem-3", prompt=["a:", "b:"], echo=True)
    assert [choice.text for choice in reply.choices] == ["a:Lorem ipsum ", "b:Lorem ipsum "]
    stream = await client.completions.create(model="echo", prompt=["Once upon", "a time"], stream=True)
    texts = ["", ""]
    finished = []
    async for chunk in stream:
        choice = chunk.choices[0]
        texts[choice.index] += choice.text
        finished += [choice.finish_reason] if choice.finish_reason else []
    assert texts == ["Once upon", "a time"]
    assert finished == ["stop", "stop"]


async def test_legacy_completion_of_tokens(client: openai.AsyncOpenAI) -> None:
    reply = await client.completions.create(model="lorem-2", prompt=[[1, 2, 3], [4]])
    assert len(reply.choices) == 2
    assert reply.usage.prompt_tokens == 4


async def test_embeddings_in_both_encodings(client: openai.AsyncOpenAI) -> None:
    # The client asks for base64 by default, and decodes it.
    plain = await client.embeddings.create(model="embed", input=["Hello", "world"], encoding_format="float")
    coded = await client.embeddings.create(model="embed", input=["Hello", "world"])
    assert [entry.embedding for entry in plain.data] == [entry.embedding for entry in coded.data]
    assert [entry.index for entry in plain.data] == [0, 1]
    assert len(plain.data[0].embedding) == 256
    assert sum(number * number for number in plain.data[0].embedding) == pytest.approx(1, abs=1e-6)
    assert plain.data[0].embedding != plain.data[1].embedding
    assert plain.usage.prompt_tokens == plain.usage.total_tokens == 4


async def test_base64_is_little_endian_floats(client: openai.AsyncOpenAI) -> None:
    plain = await client.embeddings.create(model="embed", input="Hello", encoding_format="float", dimensions=8)
    raw = await client.embeddings.with_raw_response.create(
        model="embed", input="Hello", encoding_format="base64", dimensions=8
    )
    text = json.loads(raw.http_response.content)["data"][0]["embedding"]
    assert list(struct.unpack("<8f", base64.b64decode(text))) == plain.data[0].embedding


async def test_fewer_dimensions_are_the_start_of_more(client: openai.AsyncOpenAI) -> None:
    few = (await client.embeddings.create(model="embed", input="Hello", dimensions=16)).data[0].embedding
    many = (await client.embeddings.create(model="sim/embed:dim=1536", input="Hello")).data[0].embedding
    assert len(few) == 16
    assert len(many) == 1536
    assert [number / few[0] for number in few] == pytest.approx([number / many[0] for number in many[:16]], rel=1e-4)


async def test_embeddings_of_tokens(client: openai.AsyncOpenAI) -> None:
    one = await client.embeddings.create(model="embed", input=[1, 2, 3])
    several = await client.embeddings.create(model="embed", input=[[1, 2, 3], [4]])
    assert one.data[0].embedding == several.data[0].embedding
    assert several.usage.prompt_tokens == 4


async def test_models(client: openai.AsyncOpenAI) -> None:
    names = [model.id async for model in client.models.list()]
    assert {"echo", "lorem", "fault-stall"} <= set(names)
    for name in (*names, "sim/echo:tps=5"):
        assert (await client.models.retrieve(name)).id == name
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve("gpt-4o")


async def test_unknown_model_error_names_the_known_ones(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="did you mean lorem") as caught:
        await client.chat.completions.create(model="sim/loren", messages=make_user_message("x"))
    assert caught.value.code == "model_not_found"
    assert caught.value.param == "model"


async def test_mirror_returns_the_exact_request(client: openai.AsyncOpenAI) -> None:
    extra = {"x_unknown": [1.5, {"é": None}]}
    raw = await client.chat.completions.with_raw_response.create(
        model="mirror", messages=make_user_message("Hello"), extra_body=extra
    )
    content = raw.parse().choices[0].message.content
    assert base64.b64decode(content) == raw.http_request.content
    assert b'"x_sim" : {"kept": [1.50, 1e2' in raw.http_response.content
    assert raw.headers["x-request-id"].startswith("req_")
    stream = await client.chat.completions.create(model="mirror", messages=make_user_message("Hello"), stream=True)
    text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
    assert json.loads(base64.b64decode(text))["stream"] is True


async def test_log_holds_no_secret_and_counts_tokens(sim: SimServer, client: openai.AsyncOpenAI) -> None:
    await client.chat.completions.create(model="lorem-9", messages=make_user_message("x"))
    await (await client.chat.completions.create(model="lorem-9", messages=make_user_message("x"), stream=True)).close()
    entry = sim.log.list_entries()[0]
    assert (entry.model, entry.operation, entry.status, entry.tokens) == ("lorem-9", "chat", 200, 9)
    assert entry.completed
    assert len(entry.authorization) == 16
    assert "sk-sim" not in str(entry)


def test_sync_client_against_a_script_file(tmp_path: Path) -> None:
    import subprocess
    import sys

    file = tmp_path / "script.yaml"
    file.write_text("rules:\n  - exact: ping\n    reply: pong\n")
    command = [sys.executable, "-m", "antiphon", "sim", "--script", str(file), "--tps", "500"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            url = process.stdout.readline().split()[-1]
            with openai.OpenAI(base_url=url, api_key="x", max_retries=0) as client:
                reply = client.chat.completions.create(model="sim/echo", messages=make_user_message("ping"))
                assert reply.choices[0].message.content == "pong"
        finally:
            process.terminate()
        assert process.wait(10) == 0
        assert process.stdout.read() == ""
