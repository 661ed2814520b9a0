"""Items that are only named by their id, without ``previous_response_id``, as some clients do in every turn."""

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from processes import PATIENCE, Gateway, Sim, run_cli

SCRIPT = r"""
rules:
  - exact: weather
    thinking: I should look.
    tools:
      - {name: get_weather, arguments: {city: "Zürich"}}
    reply: It is sunny.
"""
TOOL: Any = {"type": "function", "name": "get_weather", "parameters": {"type": "object"}, "strict": False}
ASK = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "weather"}]}


@pytest.fixture(scope="module")
def sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sim]:
    script = tmp_path_factory.mktemp("script") / "script.yaml"
    script.write_text(SCRIPT, encoding="utf-8")
    sim = Sim("--script", str(script), "--record")
    yield sim
    sim.stop()


@pytest.fixture
def gateway(sim: Sim, tmp_path: Path) -> Iterator[Gateway]:
    providers = {
        "chat": {"kind": "openai-compatible", "base_url": f"{sim.url}/v1"},
        "messages": {"kind": "anthropic", "base_url": sim.url, "api_key": "k"},
        "own": {"kind": "responses-compatible", "base_url": f"{sim.url}/v1"},
    }
    models = {"either": {"targets": ["chat/echo"], "fallbacks": ["own/echo"]}}
    sim.clear()
    gateway = Gateway(tmp_path, {"providers": providers, "models": models})
    yield gateway
    gateway.stop()
    assert "Traceback" not in gateway.output


def open_client(gateway: Gateway, key: str = "") -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=key or gateway.key, max_retries=0)


def read_last_request(sim: Sim) -> Any:
    return json.loads(base64.b64decode(sim.list_served()[-1]["body"]))


def accepts_key(gateway: Gateway, key: str) -> bool:
    """Return whether the gateway knows a key, which takes a second at most."""
    with open_client(gateway, key) as asked:
        try:
            return bool(asked.models.list().data)
        except openai.AuthenticationError:
            return False


def refer_to(first: Any) -> list[Any]:
    """Return the input of a client that expects the server to know its items."""
    (call,) = [item for item in first.output if item.type == "function_call"]
    references = [{"type": "item_reference", "id": item.id} for item in first.output]
    return [ASK, *references, {"type": "function_call_output", "call_id": call.call_id, "output": "20 degrees"}]


@pytest.mark.parametrize("model", ["chat/echo", "messages/echo", "either"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_tool_loop_by_references(gateway: Gateway, sim: Sim, model: str, stream: bool) -> None:
    with open_client(gateway) as asked:
        if stream:
            with asked.responses.create(model=model, input=[ASK], tools=[TOOL], stream=True) as events:
                *_, last = events
            assert last.type == "response.completed"
            first: Any = last.response
        else:
            first = asked.responses.create(model=model, input=[ASK], tools=[TOOL])
        assert [item.type for item in first.output] == ["reasoning", "function_call"]
        gateway.kill()
        again = Gateway(gateway.folder)
        try:
            second = open_client(again).responses.create(model=model, input=refer_to(first), tools=[TOOL])
        finally:
            assert again.stop() == 0
    assert second.output_text == "It is sunny."
    roles = [message["role"] for message in read_last_request(sim)["messages"]]
    assert roles == ["user", "assistant", "user" if model.startswith("messages") else "tool"]
    assert "Zürich" in json.dumps(read_last_request(sim)["messages"][1], ensure_ascii=False)


def test_items_belong_to_their_key_and_are_deleted_with_their_response(gateway: Gateway) -> None:
    other = json.loads(run_cli("keys", "create", "other", "--data", str(gateway.data), "--json").stdout)["key"]
    until = time.monotonic() + PATIENCE
    while not accepts_key(gateway, other):
        assert time.monotonic() < until

    def check_refused(asked: openai.OpenAI, items: list[Any]) -> None:
        with pytest.raises(openai.BadRequestError) as caught:
            asked.responses.create(model="chat/echo", input=items)
        assert (caught.value.code, caught.value.param) == ("item_not_found", "input[1]")

    with open_client(gateway) as asked:
        first = asked.responses.create(model="chat/echo", input=[ASK], tools=[TOOL])
        with open_client(gateway, other) as stranger:
            check_refused(stranger, refer_to(first))
        asked.responses.delete(first.id)
        check_refused(asked, refer_to(first))
        unkept = asked.responses.create(model="chat/echo", input=[ASK], tools=[TOOL], store=False)
        check_refused(asked, refer_to(unkept))
        check_refused(asked, [ASK, {"type": "item_reference", "id": "msg_of_nobody"}])


def test_a_provider_that_stores_responses_gets_unknown_ids(gateway: Gateway, sim: Sim) -> None:
    unknown: Any = [ASK, {"type": "item_reference", "id": "msg_of_theirs"}]
    with open_client(gateway) as asked:
        for model in ("own/echo", "either"):
            with pytest.raises(openai.BadRequestError) as caught:  # the simulator's own words
                asked.responses.create(model=model, input=unknown)
            assert "`input[1]` refers to an item" in caught.value.message
        first = asked.responses.create(model="chat/echo", input="Hello")
        known: Any = [{"type": "item_reference", "id": first.output[0].id}, ASK]
        asked.responses.create(model="own/echo", input=known)
    assert read_last_request(sim)["input"][0]["content"][0]["text"] == first.output_text
