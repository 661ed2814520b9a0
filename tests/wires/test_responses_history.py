"""Conversations by ``previous_response_id``: storing, joining and listing their items."""

import json
from typing import Any

import pytest

from antiphon.errors import BadRequest
from antiphon.wires.responses import History, ResponsesCodec, Turn
from antiphon.wires.responses.history import make_response_not_found, may_store, write_deletion

CODEC = ResponsesCodec()


def make_answer(response_id: str, *output: dict[str, Any]) -> bytes:
    return json.dumps({"id": response_id, "object": "response", "output": output}).encode()


def make_message(item_id: str, text: str) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"type": "message", "id": item_id, "status": "completed", "role": "assistant", "content": content}


def make_turns() -> list[Turn]:
    first = History().make_turn({"input": "One"}, make_answer("resp_1", make_message("msg_a", "Uno")))
    call = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{}"}
    document = {"input": [{"role": "assistant", "content": "x"}], "previous_response_id": "resp_1"}
    second = History([first]).make_turn(document, make_answer("resp_2", call))
    return [first, second]


def test_a_stored_turn_is_decoded_again() -> None:
    for turn in make_turns():
        again = Turn.decode(turn.encode())
        assert (again.id, again.previous) == (turn.id, turn.previous)
        assert (again.input, again.response) == (turn.input, turn.response)
    assert [turn.previous for turn in make_turns()] == ["", "resp_1"]


def test_stored_items_have_a_type_an_id_and_listed_content() -> None:
    first, second = make_turns()
    (item,) = first.input
    assert item.pop("id").startswith("msg_")
    assert item == {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "One"}]}
    assert second.input[0]["content"] == [{"type": "output_text", "text": "x"}]
    result = {"type": "function_call_output", "call_id": "c1", "output": "y", "big": 2**70}
    third = History(make_turns()).make_turn({"input": [result]}, make_answer("resp_3"))
    assert third.input[0]["id"].startswith("fco_")
    assert Turn.decode(third.encode()).input[0]["big"] == 2**70


def test_join() -> None:
    document = {
        "model": "m",
        "input": [{"type": "function_call_output", "call_id": "c1", "output": "y"}],
        "previous_response_id": "resp_2",
        "instructions": "New.",
    }
    joined = History(make_turns()).join(document)
    assert document["previous_response_id"] == "resp_2"
    assert "previous_response_id" not in joined
    request = CODEC.read_request(joined, "m", False)
    assert [message.role for message in request.messages] == ["user", "assistant", "user"]
    assert request.echo["previous_response_id"] == "resp_2"
    assert request.system[0].text == "New."
    assert History().join({"model": "m", "input": "Hi"})["input"] == [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
    ]


def test_references() -> None:
    history = History(make_turns())
    reference = {"type": "item_reference", "id": "msg_a"}
    assert history.join({"input": [reference]})["input"][-1] == make_message("msg_a", "Uno")
    assert history.join({"input": [{"id": "msg_a"}]})["input"][-1] == make_message("msg_a", "Uno")
    assert history.make_turn({"input": [reference]}, make_answer("resp_3")).input == [make_message("msg_a", "Uno")]
    with pytest.raises(BadRequest) as caught:
        history.join({"input": [{"type": "item_reference", "id": "msg_z"}]})
    assert (caught.value.code, caught.value.param) == ("item_not_found", "input[0]")


def test_pages() -> None:
    history = History(make_turns())
    whole = json.loads(history.write_page(order="asc"))
    texts = [item["content"][0]["text"] for item in whole["data"]]
    assert texts == ["One", "Uno", "x"]  # the input of the last answer, without the answer itself
    assert (whole["first_id"], whole["last_id"]) == (whole["data"][0]["id"], whole["data"][-1]["id"])
    assert not whole["has_more"]
    newest = json.loads(history.write_page(limit=1))
    assert (newest["data"], newest["has_more"]) == (whole["data"][-1:], True)
    rest = json.loads(history.write_page(after=newest["last_id"]))
    assert (rest["data"], rest["has_more"]) == (whole["data"][1::-1], False)
    empty = json.loads(history.write_page(after=whole["first_id"]))
    assert (empty["data"], empty["first_id"], empty["last_id"]) == ([], None, None)


@pytest.mark.parametrize(
    ("options", "param"),
    [({"order": "up"}, "order"), ({"limit": 0}, "limit"), ({"limit": 101}, "limit"), ({"after": "msg_z"}, "after")],
)
def test_invalid_pages_are_rejected(options: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        History(make_turns()).write_page(**options)
    assert caught.value.param == param


def test_may_store_and_the_answers_about_stored_responses() -> None:
    assert may_store({})
    assert may_store({"store": None})
    assert not may_store({"store": False})
    assert json.loads(write_deletion("resp_1")) == {"id": "resp_1", "object": "response", "deleted": True}
    assert make_response_not_found("resp_1").status == 404
