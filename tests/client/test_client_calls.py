"""Calls in this process, through the engine, to simulated models: both clients, whole and streamed, and failures."""

import asyncio
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from antiphon import Antiphon, AsyncAntiphon, ConfigError, Embeddings, Event, Reply, errors

QUESTION = "Hello there, how are you?"


@pytest.fixture(params=["calling thread", "background thread"])
def client(config: str, request: pytest.FixtureRequest) -> Iterator[Antiphon]:
    with Antiphon(config=config) as client:
        client._loop_thread._is_shared = request.param == "background thread"
        yield client


async def test_chat_echoes(async_client: AsyncAntiphon) -> None:
    reply = await async_client.chat("sim/echo", QUESTION)
    assert isinstance(reply, Reply)
    assert reply.text == reply.choices[0].message.content == QUESTION
    assert reply.usage is not None
    assert reply.usage.prompt_tokens > 0
    assert reply.call_id.startswith("call_")
    assert (reply.target, reply.attempts, reply.finish_reason) == ("sim/echo", 1, "stop")
    assert reply.cost is None or isinstance(reply.cost, Decimal)


def test_the_synchronous_chat_echoes(client: Antiphon) -> None:
    reply = client.chat("sim/echo", QUESTION)
    assert (reply.text, reply.target, reply.attempts) == (QUESTION, "sim/echo", 1)


async def test_params_and_system_reach_the_provider_unchanged(async_client: AsyncAntiphon) -> None:
    import base64

    reply = await async_client.chat("sim/mirror", "x", system="s", temperature=0.5, x_unknown={"kept": [1, None]})
    sent = json.loads(base64.b64decode(reply.text))
    assert sent["messages"] == [{"role": "system", "content": "s"}, {"role": "user", "content": "x"}]
    assert (sent["temperature"], sent["x_unknown"]) == (0.5, {"kept": [1, None]})
    assert reply.x_sim.kept[-1] is None


async def test_an_object_as_content_is_sent_as_json_text_and_nothing_else_changes(async_client: AsyncAntiphon) -> None:
    import base64

    picture = [
        {"type": "text", "text": "See"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
    ]
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "user", "name": "ada", "content": {"task": "Prüfe", "ids": [1, None]}},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": {}},
        {"role": "user", "content": picture},
    ]
    reply = await async_client.chat("sim/mirror", messages)
    sent = json.loads(base64.b64decode(reply.text))["messages"]
    assert sent[0] == {"role": "user", "name": "ada", "content": '{"task":"Prüfe","ids":[1,null]}'}
    assert sent[1:2] + sent[3:] == messages[1:2] + messages[3:]
    assert sent[2]["content"] == "{}"
    assert messages[0]["content"] == {"task": "Prüfe", "ids": [1, None]}


async def test_a_stream_yields_text_in_pieces_and_has_the_call_information_at_its_end(
    async_client: AsyncAntiphon,
) -> None:
    stream = async_client.stream("sim/echo", QUESTION)
    assert (stream.text, stream.usage, stream.call_id) == ("", None, "")
    events = [event async for event in stream]
    assert len([event for event in events if event.text]) > 2
    assert "".join(event.text for event in events) == stream.text == QUESTION
    assert all(isinstance(event, Event) and json.loads(event.raw) == event.json() for event in events)
    assert stream.usage is not None
    assert stream.usage.total_tokens > 0
    assert (stream.finish_reason, stream.target, stream.attempts) == ("stop", "sim/echo", 1)
    assert stream.call_id.startswith("call_")
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


def test_a_synchronous_stream_is_the_same(client: Antiphon) -> None:
    with client.stream("sim/echo", QUESTION) as stream:
        pieces = [event.text for event in stream]
    assert "".join(pieces) == stream.text == QUESTION
    assert stream.usage is not None
    assert (stream.finish_reason, stream.target, stream.attempts) == ("stop", "sim/echo", 1)
    assert stream.call_id.startswith("call_")
    assert next(stream, None) is None


def test_the_tool_calls_of_a_stream_and_of_a_reply_are_the_same(client: Antiphon) -> None:
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
    asked = {"tools": [tool], "tool_choice": "required"}
    whole = client.chat("sim/echo", QUESTION, **asked).tool_calls[0].function
    pieces = [call for event in client.stream("sim/echo", QUESTION, **asked) for call in event.tool_calls]
    assert pieces[0].function.name == whole.name == "weather"
    assert "".join(piece.function.arguments or "" for piece in pieces) == whole.arguments


async def test_embeddings_are_the_same_in_both_encodings(async_client: AsyncAntiphon) -> None:
    plain = await async_client.embed("sim/embed", ["Hello", "world"], dimensions=8)
    packed = await async_client.embed("sim/embed", ["Hello", "world"], dimensions=8, encoding="base64")
    assert isinstance(plain, Embeddings)
    assert [len(vector) for vector in plain] == [8, 8]
    assert plain.usage is not None
    for left, right in zip(plain.vectors, packed.vectors, strict=True):
        assert left == pytest.approx(right, rel=1e-5)
    one = await async_client.embed("sim/embed", "Hello", dimensions=8)
    assert one.vectors == [plain.vectors[0]]


def test_synchronous_embeddings_have_vectors(client: Antiphon) -> None:
    assert len(client.embed("sim/embed", "Hello", dimensions=4).vectors[0]) == 4


def test_both_clients_list_the_same_models(client: Antiphon, config: str) -> None:
    async def list_names() -> list[str]:
        async with AsyncAntiphon(config=config) as other:
            return [card.id for card in await other.models()]

    names = [card.id for card in client.models()]
    assert "echo" in names
    assert names == asyncio.run(list_names())


def test_a_configured_name_is_answered_by_its_target(client: Antiphon) -> None:
    reply = client.chat("echo", QUESTION)
    assert (reply.text, reply.target) == (QUESTION, "sim/echo")


@pytest.mark.parametrize(
    ("model", "cls"),
    [
        ("sim/fault-429:after=7", errors.RateLimited),
        ("sim/fault-500", errors.UpstreamStatus),
        ("sim/fault-reset", errors.Disconnected),
        ("sim/fault-html", errors.BadAnswer),
        ("sim/fault-error-200", errors.UpstreamError),
        ("sim/fault-json", errors.BadAnswer),
        ("sim/fault-cut", errors.Truncated),
        ("nothing/like-this", errors.ModelNotFound),
    ],
)
def test_failures_are_typed(client: Antiphon, model: str, cls: type[errors.CallError]) -> None:
    with pytest.raises(cls) as whole:
        client.chat(model, QUESTION)
    with pytest.raises(cls) as streamed:
        list(client.stream(model, QUESTION))
    for raised in (whole.value, streamed.value):
        assert raised.message
        if isinstance(raised, errors.UpstreamError):
            assert raised.call_id.startswith("call_")
        if isinstance(raised, errors.RateLimited):
            assert (raised.status, raised.retry_after) == (429, 7.0)


@pytest.mark.parametrize(
    ("model", "cls"),
    [
        ("sim/fault-cut:after=3:tokens=9:tps=100", errors.Truncated),
        ("sim/fault-cut-clean:after=3:tokens=9:tps=100", errors.Truncated),
        ("sim/fault-json:after=3:tokens=9:tps=100", errors.BadAnswer),
        ("sim/fault-error-midstream:after=3:tokens=9:tps=100", errors.UpstreamError),
    ],
)
@pytest.mark.parametrize("kind", ["async", "sync"])
def test_a_broken_stream_yields_its_events_and_then_raises(
    config: str, kind: str, model: str, cls: type[errors.CallError]
) -> None:
    async def run() -> tuple[str, str, errors.CallError]:
        async with AsyncAntiphon(config=config) as client:
            stream = client.stream(model, "x")
            with pytest.raises(cls) as raised:
                pieces.extend([event.text async for event in stream])
            with pytest.raises(StopAsyncIteration):
                await anext(stream)
            return stream.text, stream.call_id, raised.value

    def run_synchronously() -> tuple[str, str, errors.CallError]:
        with Antiphon(config=config) as client, client.stream(model, "x") as stream:
            with pytest.raises(cls) as raised:
                pieces.extend(event.text for event in stream)
            assert next(stream, None) is None
            assert "".join(pieces) == stream.text
            return stream.text, stream.call_id, raised.value

    pieces: list[str] = []
    text, call_id, error = run_synchronously() if kind == "sync" else asyncio.run(run())
    assert text
    assert call_id.startswith("call_")
    assert error.call_id == call_id


def test_a_finish_reason_without_done_is_a_complete_answer(client: Antiphon) -> None:
    stream = client.stream("sim/fault-no-done:tokens=5", "x")
    assert "".join(event.text for event in stream) == stream.text != ""


def test_invalid_arguments_are_refused_before_a_request_is_sent(client: Antiphon) -> None:
    with pytest.raises(TypeError, match="stream"):
        client.chat("sim/echo", "x", stream=True)
    with pytest.raises(TypeError, match="list of messages"):
        client.stream("sim/echo", {"role": "user"})  # type: ignore[arg-type]
    with pytest.raises(errors.BadRequest):
        client.chat("sim/echo", "lone \ud800 surrogate")
    with pytest.raises(errors.BadRequest):
        client.chat("sim/echo", [])


@pytest.mark.parametrize("make", [Antiphon, AsyncAntiphon])
def test_constructors_refuse_what_does_not_fit_together(make: type, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="api_key"):
        make(api_key="k")
    with pytest.raises(TypeError, match="config and data"):
        make(base_url="http://127.0.0.1:1", config="x.yaml", data="d")
    for url in ("ftp://host", "127.0.0.1:7777", "http://", "http://user:pass@host", "http://host:99999", "http://h/?q"):
        with pytest.raises(ValueError, match="base_url"):
            make(base_url=url)
    with pytest.raises(ConfigError):
        make(config=str(tmp_path / "missing.yaml"))
    bad = tmp_path / "bad.yaml"
    bad.write_text("version: 1\nmodles: {}\n")
    with pytest.raises(ConfigError, match="models"):
        make(config=str(bad))


def test_nothing_is_written_without_data(client: Antiphon, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    client.chat("sim/echo", "x")
    list(client.stream("sim/echo", "x"))
    client.close()
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("where", ["argument", "file"])
def test_data_switches_the_ledger_on(tmp_path: Path, where: str) -> None:
    data = tmp_path / "ledger"
    path = tmp_path / "with.yaml"
    path.write_text("version: 1\n" + (f"data: {data}\n" if where == "file" else ""))
    with Antiphon(config=str(path), data=str(data) if where == "argument" else None) as client:
        ids = {client.chat("sim/echo", "x").call_id}
        stream = client.stream("sim/echo", "y")
        list(stream)
        ids.add(stream.call_id)
        forgotten = client.stream("sim/lorem-500:tps=100", "z")
        next(forgotten)
        ids.add(forgotten.call_id)
    assert (data / "antiphon.db").exists()
    import sqlite3

    with sqlite3.connect(data / "antiphon.db") as database:
        tables = [name for (name,) in database.execute("select name from sqlite_master where type = 'table'")]
        rows = {str(row) for table in tables for row in database.execute(f'select * from "{table}"')}
    database.close()
    assert all(any(call_id in row for row in rows) for call_id in ids)
