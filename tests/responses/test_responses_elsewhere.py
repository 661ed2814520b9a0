"""Responses that their provider stores: only the key that created them reaches them, and they are billed once."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest

from processes import Gateway, run_cli, wait_until

PRICED = "openai/gpt-4o-mini"


class Owner:
    """A provider that stores responses, also in the background; it records every request for them."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, str, dict[str, Any]]] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.answer()

            def do_GET(self) -> None:
                self.answer()

            def do_DELETE(self) -> None:
                self.answer()

            def answer(self) -> None:
                assert self.headers["authorization"] == "Bearer their-key"
                size = int(self.headers.get("content-length") or 0)
                body = json.loads(self.rfile.read(size)) if size else {}
                owner.asked.append((self.command, self.path, body))
                status, kind, data = owner.respond(self.command, self.path, body)
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: Any) -> None:
                """Log nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def respond(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, str, bytes]:
        path, query = urlsplit(path).path.removeprefix("/v1/responses"), urlsplit(path).query
        if method == "POST" and not path:
            return self.create(body)
        name, _, what = path.removeprefix("/").partition("/")
        if name not in self.kept:
            return self.json({"error": {"message": f"No {name} here", "type": "invalid_request_error"}}, 404)
        if method == "DELETE":
            return self.json({**self.kept.pop(name), "deleted": True})
        if what == "cancel":
            self.kept[name]["status"] = "cancelled"
        if what == "input_items":
            return self.json({"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False})
        if "stream=true" in query:
            assert "starting_after=1" in query
            event = {"type": "response.completed", "response": self.kept[name], "sequence_number": 2}
            return 200, "text/event-stream", b"event: response.completed\ndata: %b\n\n" % json.dumps(event).encode()
        return self.json(self.kept[name])

    def create(self, body: dict[str, Any]) -> tuple[int, str, bytes]:
        previous = body.get("previous_response_id")
        if previous and previous not in self.kept:
            return self.json({"error": {"message": f"No {previous} here", "type": "invalid_request_error"}}, 400)
        name = f"resp_own{len(self.asked)}"
        said = [{"type": "output_text", "text": "Own", "annotations": []}]
        item = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": said}
        response = {
            "id": name, "object": "response", "created_at": 1, "status": "completed", "model": body["model"],
            "output": [item], "usage": {"input_tokens": 100, "output_tokens": 10, "total_tokens": 110},
            "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "background": bool(body.get("background")),
        }  # fmt: skip
        done = dict(response)
        if body.get("background"):
            response |= {"status": "queued", "output": [], "usage": None}
        if body.get("store") is not False:
            self.kept[name] = response
        if not body.get("stream"):
            return self.json(response)
        begun = {**response, "status": "in_progress", "output": [], "usage": None}
        events = [
            {"type": "response.created", "response": begun},
            {"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0, "content_index": 0,
             "delta": "Own", "logprobs": []},
            {"type": "response.completed", "response": done},
        ]  # fmt: skip
        frames = (
            b"event: %b\ndata: %b\n\n" % (event["type"].encode(), json.dumps({**event, "sequence_number": n}).encode())
            for n, event in enumerate(events)
        )
        return 200, "text/event-stream", b"".join(frames)

    def finish(self, name: str) -> None:
        """Let a background response end."""
        usage = {"input_tokens": 100, "output_tokens": 10, "total_tokens": 110}
        self.kept[name] |= {"status": "completed", "usage": usage}

    @staticmethod
    def json(document: dict[str, Any], status: int = 200) -> tuple[int, str, bytes]:
        return status, "application/json", json.dumps(document).encode()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="module")
def owners() -> Iterator[tuple[Owner, Owner]]:
    made = Owner(), Owner()
    yield made
    for each in made:
        each.close()


@pytest.fixture(scope="module")
def gateway(owners: tuple[Owner, Owner], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    own, two = ({"base_url": owner.url, "api_key": "their-key"} for owner in owners)
    config = {
        "providers": {
            "own": {"kind": "responses-compatible", **own},
            "two": {"kind": "responses-compatible", **two},
            "openai": own,
        },
        "models": {
            "both": {"targets": ["two/x"], "fallbacks": ["own/x"]},
            "mixed": {"targets": ["sim/echo"], "fallbacks": ["own/x"]},
        },
    }
    running = Gateway(tmp_path_factory.mktemp("elsewhere"), config)
    yield running
    assert running.stop() == 0
    assert "Traceback" not in running.output, running.output


@pytest.fixture(scope="module")
def client(gateway: Gateway) -> Iterator[openai.OpenAI]:
    with open_client(gateway) as made:
        yield made


def open_client(gateway: Gateway, key: str | None = None) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=key or gateway.key, max_retries=0, timeout=20)


@pytest.fixture
def own(owners: tuple[Owner, Owner]) -> Owner:
    return owners[0]


@pytest.mark.parametrize("stream", [False, True])
def test_retrieved_listed_and_deleted_at_the_provider(client: openai.OpenAI, own: Owner, stream: bool) -> None:
    made: Any = client.responses.create(model="own/x", input="Hi", stream=stream)
    name = list(made)[-1].response.id if stream else made.id
    assert client.responses.retrieve(name, include=["message.output_text.logprobs"]).output_text == "Own"
    assert own.asked[-1][:2] == ("GET", f"/v1/responses/{name}?include%5B%5D=message.output_text.logprobs")
    assert client.responses.input_items.list(name, limit=2).data == []
    assert own.asked[-1][:2] == ("GET", f"/v1/responses/{name}/input_items?limit=2")
    client.responses.delete(name)
    assert own.asked[-1][:2] == ("DELETE", f"/v1/responses/{name}")
    asked = len(own.asked)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(name)
    assert len(own.asked) == asked  # which is known here


def test_background_responses_of_the_provider(client: openai.OpenAI, own: Owner) -> None:
    begun = client.responses.create(model="own/x", input="Hi", background=True)
    assert (begun.status, own.asked[-1][2]["background"]) == ("queued", True)
    assert client.responses.retrieve(begun.id).status == "queued"
    assert client.responses.cancel(begun.id).status == "cancelled"
    assert own.asked[-1][:2] == ("POST", f"/v1/responses/{begun.id}/cancel")
    (event,) = client.responses.retrieve(begun.id, stream=True, starting_after=1)
    assert (event.type, event.sequence_number) == ("response.completed", 2)


def test_a_background_stream_can_be_left_at_once(client: openai.OpenAI, own: Owner) -> None:
    for _ in range(10):
        with client.responses.create(model="own/x", input="Hi", background=True, stream=True) as stream:
            name = next(iter(stream)).response.id
        assert client.responses.retrieve(name).id == name
        assert client.responses.cancel(name).status == "cancelled"


async def test_usage_is_in_the_ledger_once(gateway: Gateway, client: openai.OpenAI, own: Owner) -> None:
    begun = client.responses.create(model=PRICED, input="Hi", background=True)
    own.finish(begun.id)
    for _ in range(3):
        assert client.responses.retrieve(begun.id).status == "completed"
    whole = client.responses.create(model=PRICED, input="Hi")
    client.responses.retrieve(whole.id)
    streamed = list(client.responses.create(model=PRICED, input="Hi", background=True, stream=True))
    own.finish(streamed[0].response.id)
    client.responses.retrieve(streamed[0].response.id)

    def list_rows() -> list[dict[str, Any]]:
        return [row for row in gateway.list_records() if row["target"] == PRICED]

    await wait_until(lambda: len(list_rows()) == 8)
    assert [row["input"] or 0 for row in list_rows()] == [0, 100, 0, 0, 100, 0, 100, 0]
    costs = [row["cost"] for row in list_rows()]
    assert costs[4] > 0
    assert costs == [0, costs[4], 0, 0, costs[4], 0, costs[4], 0]


def test_another_key_finds_and_continues_nothing(gateway: Gateway, client: openai.OpenAI, own: Owner) -> None:
    secret = client.responses.create(model="own/x", input="Secret")
    made = json.loads(run_cli("keys", "create", "other", "--data", str(gateway.data), "--json").stdout)
    with open_client(gateway, made["key"]) as other:
        for _ in range(40):
            try:
                other.models.list()
                break
            except openai.AuthenticationError:
                threading.Event().wait(0.05)
        asked = len(own.asked)
        for ask in (other.responses.retrieve, other.responses.cancel, other.responses.delete):
            with pytest.raises(openai.NotFoundError):
                ask(secret.id)
        for model in ("own/x", "mixed", "sim/echo"):
            with pytest.raises(openai.BadRequestError) as caught:
                other.responses.create(model=model, input="Go on", previous_response_id=secret.id)
            assert caught.value.code == "previous_response_not_found"
        assert len(own.asked) == asked
    assert client.responses.retrieve(secret.id) == secret


def test_the_provider_that_stores_it_is_asked(client: openai.OpenAI, owners: tuple[Owner, Owner]) -> None:
    """Of two providers, a request continues at the one that stores the response it continues, and nowhere else."""
    own, two = owners
    first = client.responses.create(model="own/x", input="One")
    asked = len(two.asked)
    second = client.responses.create(model="both", input="Two", previous_response_id=first.id)
    assert (len(two.asked), second.id in own.kept) == (asked, True)
    for model in ("two/x", "sim/echo"):
        with pytest.raises(openai.BadRequestError) as caught:
            client.responses.create(model=model, input="Three", previous_response_id=second.id)
        assert caught.value.code == "previous_response_not_found"


def test_a_conversation_moves_to_a_provider_that_stores_responses(client: openai.OpenAI, own: Owner) -> None:
    first = client.responses.create(model="sim/echo", input="One")
    second = client.responses.create(model="own/x", input="Two", previous_response_id=first.id)
    sent = own.asked[-1][2]
    assert "previous_response_id" not in sent
    assert [item["content"][0]["text"] for item in sent["input"][:2]] == ["One", "One"]
    third = client.responses.create(model="own/x", input="Three", previous_response_id=second.id)
    assert (own.asked[-1][2]["previous_response_id"], third.output_text) == (second.id, "Own")


def test_only_targets_with_a_feature_get_its_requests(client: openai.OpenAI, own: Owner) -> None:
    for fields in ({"background": True}, {"conversation": "conv_1"}):
        client.responses.create(model="mixed", input="Hi", **fields)
        assert fields.items() <= own.asked[-1][2].items()
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model="sim/echo", input="Hi", conversation="conv_1")
    assert caught.value.param == "conversation"


def test_it_is_found_after_a_kill(owners: tuple[Owner, Owner], tmp_path: Path) -> None:
    config = {"providers": {"own": {"kind": "responses-compatible", "base_url": owners[0].url, "api_key": "their-key"}}}
    running = Gateway(tmp_path, config)
    try:
        with open_client(running) as client:
            whole = client.responses.create(model="own/x", input="Hi", background=True)
            running.kill()
        running = Gateway(tmp_path)
        with open_client(running) as client:
            assert client.responses.cancel(whole.id).status == "cancelled"
        running.stop()
        running = Gateway(tmp_path, {"providers": {}})
        with open_client(running) as client, pytest.raises(openai.NotFoundError):
            client.responses.retrieve(whole.id)
    finally:
        running.stop()
