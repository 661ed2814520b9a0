"""Conversations by ``previous_response_id`` at targets that store none: joined, stored, private, durable, deleted."""

import asyncio
import json
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import openai
import pytest

from processes import Gateway, post, run_cli

LIMIT = 4 * 1024 * 1024


def split(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The parts in which a message is streamed."""
    text = message.get("content") or ""
    yield {**message, "content": text[:1]}
    for start in range(1, len(text), 65536):
        yield {"content": text[start : start + 65536]}


class Far:
    """A provider that records its requests: chat at ``/v1``, stored Responses at ``/own/v1``."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        far = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                far.asked.append(body)
                own = self.path.startswith("/own")
                kind = "text/event-stream" if body.get("stream") else "application/json"
                answer = far.response(body) if own else far.chat(body)
                self.send_response(200)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: Any) -> None:
                """Log nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def chat(self, body: dict[str, Any]) -> bytes:
        text = "x" * (LIMIT + 1) if body["model"] == "big" else f"Answer {len(self.asked)}"
        base = {"id": "chatcmpl-1", "created": 1, "model": body["model"]}
        message: dict[str, Any] = {"role": "assistant", "content": text}
        finish = "stop"
        if body.get("tools"):
            call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Rom"}'}}
            message, finish = {"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls"
        usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
        if not body.get("stream"):
            choice = {"index": 0, "message": message, "finish_reason": finish}
            return json.dumps({**base, "object": "chat.completion", "choices": [choice], "usage": usage}).encode()
        base["object"] = "chat.completion.chunk"
        chunks: list[dict[str, Any]] = [
            *({**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in split(message)),
            {**base, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]},
            {**base, "choices": [], "usage": usage},
        ]
        return b"".join(b"data: %b\n\n" % json.dumps(chunk).encode() for chunk in chunks) + b"data: [DONE]\n\n"

    def response(self, body: dict[str, Any]) -> bytes:
        said = [{"type": "output_text", "text": "Own", "annotations": []}]
        item = {"type": "message", "id": "msg_own", "role": "assistant", "status": "completed", "content": said}
        usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
        return json.dumps(
            {"id": "resp_own", "object": "response", "created_at": 1, "status": "completed", "model": body["model"],
             "output": [item], "usage": usage, "parallel_tool_calls": True, "tool_choice": "auto", "tools": []}
        ).encode()  # fmt: skip

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture(scope="module")
def far() -> Iterator[Far]:
    made = Far()
    yield made
    made.close()


def make_config(far: Far) -> dict[str, Any]:
    return {
        "providers": {
            "far": {"kind": "openai-compatible", "base_url": f"{far.url}/v1"},
            "own": {"kind": "responses-compatible", "base_url": f"{far.url}/own/v1"},
        },
        "models": {
            "m": "far/small",
            "both": {"targets": ["own/thing"], "fallbacks": ["far/small"]},
            "either": {"targets": ["far/small"], "fallbacks": ["own/thing"]},
        },
    }


@pytest.fixture(scope="module")
def gateway(far: Far, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    running = Gateway(tmp_path_factory.mktemp("kept"), make_config(far))
    yield running
    assert running.stop() == 0
    assert "Traceback" not in running.output, running.output


def open_client(gateway: Gateway, key: str | None = None) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=key or gateway.key, max_retries=0, timeout=20)


@pytest.fixture
def client(gateway: Gateway) -> Iterator[openai.OpenAI]:
    with open_client(gateway) as made:
        yield made


def list_messages(body: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return the role and the text of each message that a chat target received."""
    return [(message["role"], _read_text(message.get("content"))) for message in body["messages"]]


def _read_text(content: Any) -> Any:
    return "".join(part["text"] for part in content) if isinstance(content, list) else content


def test_a_conversation_whole_and_streamed(client: openai.OpenAI, far: Far) -> None:
    first = client.responses.create(model="m", input="One", instructions="Be brief.")
    with client.responses.stream(model="m", input="Two", previous_response_id=first.id) as stream:
        second = stream.get_final_response()
    third = client.responses.create(model="m", input="Three", previous_response_id=second.id)
    # Instructions are of one request; the API reference says that they do not carry over.
    assert list_messages(far.asked[-1]) == [
        ("user", "One"),
        ("assistant", first.output_text),
        ("user", "Two"),
        ("assistant", second.output_text),
        ("user", "Three"),
    ]
    assert "previous_response_id" not in far.asked[-1]
    assert (first.previous_response_id, second.previous_response_id) == (None, first.id)
    assert third.previous_response_id == second.id


def test_two_responses_continue_one(client: openai.OpenAI, far: Far) -> None:
    first = client.responses.create(model="m", input="One")
    client.responses.create(model="m", input="Left", previous_response_id=first.id)
    client.responses.create(model="m", input="Right", previous_response_id=first.id)
    assert [text for _, text in list_messages(far.asked[-1])] == ["One", first.output_text, "Right"]


def test_tools_across_turns(client: openai.OpenAI, far: Far) -> None:
    tool = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}, "strict": False}
    first = client.responses.create(model="m", input="Weather?", tools=[tool])
    (call,) = first.output
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "Sunny"}
    client.responses.create(model="m", input=[result], previous_response_id=first.id)
    messages = far.asked[-1]["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool"]
    assert json.loads(messages[1]["tool_calls"][0]["function"]["arguments"]) == {"city": "Rom"}
    assert (messages[2]["tool_call_id"], _read_text(messages[2]["content"])) == ("c1", "Sunny")


def test_shown_listed_and_deleted(client: openai.OpenAI) -> None:
    first = client.responses.create(model="m", input="One", metadata={"k": "v"})
    second = client.responses.create(model="m", input="Two", previous_response_id=first.id)
    assert client.responses.retrieve(first.id) == first
    assert client.responses.retrieve(second.id).output_text == second.output_text
    listed = list(client.responses.input_items.list(second.id, order="asc", limit=1))
    assert [item.content[0].text for item in listed] == ["One", first.output_text, "Two"]
    newest = client.responses.input_items.list(second.id, limit=1)
    assert newest.data[0].content[0].text == "Two"
    assert newest.has_more
    client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError, match=first.id):
        client.responses.retrieve(first.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.delete(first.id)
    assert client.responses.retrieve(second.id).id == second.id
    with pytest.raises(openai.NotFoundError, match=first.id):
        client.responses.input_items.list(second.id)
    with pytest.raises(openai.BadRequestError, match=first.id) as caught:
        client.responses.create(model="m", input="Three", previous_response_id=second.id)
    assert caught.value.code == "previous_response_not_found"


@pytest.mark.parametrize("model", ["m", "sim/echo"])
def test_replayed_with_the_same_numbers(client: openai.OpenAI, model: str) -> None:
    first = list(client.responses.create(model=model, input="One two three", stream=True))
    name = first[-1].response.id
    again = list(client.responses.retrieve(name, stream=True))
    shapes = [[(event.type, event.sequence_number, getattr(event, "delta", None)) for event in each]
              for each in (first, again)]  # fmt: skip
    assert shapes[0] == shapes[1]
    assert again[-1].response == first[-1].response
    middle = len(first) // 2
    rest = list(client.responses.retrieve(name, stream=True, starting_after=middle))
    assert [event.sequence_number for event in rest] == list(range(middle + 1, len(first)))
    whole = client.responses.create(model=model, input="One")
    with client.responses.stream(response_id=whole.id) as helped:
        assert helped.get_final_response().output_text == whole.output_text


def test_not_stored(client: openai.OpenAI) -> None:
    for stream in (False, True):
        answer = client.responses.create(model="m", input="One", store=False, stream=stream)
        response = next(event for event in answer if event.type == "response.completed").response if stream else answer
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(response.id)
        with pytest.raises(openai.BadRequestError):
            client.responses.create(model="m", input="Two", previous_response_id=response.id)


async def test_an_unknown_id(gateway: Gateway, far: Far) -> None:
    before = len(far.asked)
    body = {"model": "m", "input": "Hello", "previous_response_id": "resp_none"}
    for stream in (False, True):
        answer = await post(gateway.port, "/v1/responses", {**body, "stream": stream}, gateway.key)
        assert answer.status == 400
        error = answer.json["error"]
        assert (error["type"], error["code"]) == ("invalid_request_error", "previous_response_not_found")
        assert error["param"] == "previous_response_id"
        assert "resp_none" in error["message"]
        assert "x-antiphon-call-id" not in answer.headers  # nothing was recorded
    assert len(far.asked) == before


def test_another_key_sees_nothing(gateway: Gateway, client: openai.OpenAI) -> None:
    made = json.loads(run_cli("keys", "create", "other", "--data", str(gateway.data), "--json").stdout)
    mine = client.responses.create(model="m", input="Mine")
    with open_client(gateway, made["key"]) as other:
        theirs = _create_when_accepted(other)
        for ask in (other.responses.retrieve, other.responses.delete, other.responses.input_items.list):
            with pytest.raises(openai.NotFoundError):
                ask(mine.id)
        with pytest.raises(openai.BadRequestError) as caught:
            other.responses.create(model="m", input="Two", previous_response_id=mine.id)
        assert caught.value.code == "previous_response_not_found"
        assert other.responses.retrieve(theirs.id) == theirs
    assert client.responses.retrieve(mine.id) == mine
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(theirs.id)


def _create_when_accepted(other: openai.OpenAI) -> Any:
    """Repeat a request until the new key is valid, which takes less than a second."""
    for attempt in range(40):
        try:
            return other.responses.create(model="m", input="Theirs")
        except openai.AuthenticationError:
            if attempt == 39:
                raise
            threading.Event().wait(0.05)
    raise AssertionError


async def test_a_response_that_is_too_large_is_answered_and_not_stored(gateway: Gateway, client: openai.OpenAI) -> None:
    body = {"model": "far/big", "input": "Much"}
    whole = await post(gateway.port, "/v1/responses", body, gateway.key)
    assert whole.status == 200
    assert whole.headers["x-antiphon-not-stored"] == "larger than 4 MiB"
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(whole.json["id"])
    streamed = await post(gateway.port, "/v1/responses", {**body, "stream": True}, gateway.key)
    assert b": not stored: larger than 4 MiB\n\n" in streamed.body
    assert b"response.completed" in streamed.body
    small = await post(gateway.port, "/v1/responses", {"model": "m", "input": "Little"}, gateway.key)
    assert "x-antiphon-not-stored" not in small.headers


def test_a_target_that_stores_responses_gets_the_request_unchanged(client: openai.OpenAI, far: Far) -> None:
    client.responses.create(model="own/thing", input="Hello", previous_response_id="resp_theirs", store=True)
    assert far.asked[-1]["previous_response_id"] == "resp_theirs"
    assert far.asked[-1]["store"] is True


def test_a_target_that_speaks_responses_and_stores_none(client: openai.OpenAI) -> None:
    first = client.responses.create(model="sim/echo", input="One")
    with client.responses.stream(model="sim/echo", input="Two", previous_response_id=first.id) as stream:
        second = stream.get_final_response()
    assert (first.output_text, second.output_text) == ("One", "Two")
    assert second.usage.input_tokens > first.usage.input_tokens
    listed = client.responses.input_items.list(second.id, order="asc")
    assert [item.content[0].text for item in listed] == ["One", "One", "Two"]
    assert client.responses.retrieve(second.id).output_text == "Two"
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model="sim/echo", input="Two", previous_response_id="resp_none")
    assert caught.value.code == "previous_response_not_found"


@pytest.mark.parametrize("model", ["both", "either"])
def test_targets_of_both_kinds(client: openai.OpenAI, far: Far, model: str) -> None:
    """Any target can continue an id that is stored here; only targets that store responses can know another id."""
    first = client.responses.create(model="m", input="One")
    client.responses.create(model=model, input="Two", previous_response_id=first.id)
    sent = far.asked[-1]
    if model == "both":
        assert "previous_response_id" not in sent
        assert [item["content"][0]["text"] for item in sent["input"][:2]] == ["One", first.output_text]
    else:
        assert [text for _, text in list_messages(sent)] == ["One", first.output_text, "Two"]
    answer = client.responses.create(model=model, input="Two", previous_response_id="resp_theirs")
    assert far.asked[-1]["previous_response_id"] == "resp_theirs"
    assert answer.id == "resp_own"


async def test_paths_below_a_response(gateway: Gateway, client: openai.OpenAI) -> None:
    made = client.responses.create(model="m", input="One")
    for path in ("/x", "/", "/input_items/", "/input_items/x"):
        with pytest.raises(openai.NotFoundError):
            client.get(f"/responses/{made.id}{path}", cast_to=object)
    with pytest.raises(openai.NotFoundError):
        client.delete(f"/responses/{made.id}/input_items", cast_to=object)
    for query in ("limit=0", "limit=101", "limit=x", "order=up", "after=none", "limit=1&limit=2"):
        with pytest.raises(openai.BadRequestError):
            client.get(f"/responses/{made.id}/input_items?{query}", cast_to=object)
    for query in ("stream=true&starting_after=x", "stream=true&starting_after=-1", "stream=true&stream=true"):
        with pytest.raises(openai.BadRequestError):
            client.get(f"/responses/{made.id}?{query}", cast_to=object)
    for method, path in (("POST", ""), ("POST", "/input_items"), ("GET", "/cancel")):
        with pytest.raises(openai.APIStatusError) as caught:
            (client.get if method == "GET" else client.post)(f"/responses/{made.id}{path}", cast_to=object)
        assert caught.value.status_code in (404, 405)


def test_stored_responses_survive_a_restart_and_a_kill(far: Far, tmp_path: Path) -> None:
    running = Gateway(tmp_path, make_config(far))
    try:
        with open_client(running) as client:
            first = client.responses.create(model="m", input="One")
        assert running.stop() == 0
        running = Gateway(tmp_path)
        with open_client(running) as client:
            assert client.responses.retrieve(first.id) == first
            with client.responses.create(model="m", input="Two", previous_response_id=first.id, stream=True) as stream:
                second = next(event.response for event in stream if event.type == "response.completed")
                running.kill()
        running = Gateway(tmp_path)
        with open_client(running) as client:
            client.responses.create(model="m", input="Three", previous_response_id=second.id)
        assert [text for _, text in list_messages(far.asked[-1])][::2] == ["One", "Two", "Three"]
    finally:
        running.stop()


def test_many_at_once_are_all_stored(gateway: Gateway, client: openai.OpenAI) -> None:
    def talk(number: int) -> list[str]:
        first = client.responses.create(model="m", input=f"First {number}")
        second = client.responses.create(model="m", input=f"Second {number}", previous_response_id=first.id)
        items = client.responses.input_items.list(second.id, order="asc")
        return [item.content[0].text for item in items][::2]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(talk, range(40))) == [[f"First {n}", f"Second {n}"] for n in range(40)]


async def test_a_locked_database_delays_no_other_call(far: Far, tmp_path: Path) -> None:
    running = Gateway(tmp_path, make_config(far))
    database = sqlite3.connect(running.data / "antiphon.db", isolation_level=None)
    try:
        database.execute("BEGIN IMMEDIATE")
        kept = asyncio.create_task(post(running.port, "/v1/responses", {"model": "m", "input": "x"}, running.key))
        for _ in range(20):
            answer = await post(
                running.port, "/v1/responses", {"model": "m", "input": "x", "store": False}, running.key
            )
            assert answer.status == 200
        assert not kept.done()
        database.execute("ROLLBACK")
        answer = await kept
        assert answer.status == 200
        with open_client(running) as client:
            assert client.responses.retrieve(answer.json["id"]).id == answer.json["id"]
    finally:
        database.close()
        running.stop()
