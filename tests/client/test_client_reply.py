"""Replies, events and embeddings: OpenAI's form, no field lost, malformed answers refused."""

import base64
import copy
import json
import pickle
from array import array
from decimal import Decimal

import pytest

from antiphon import BadAnswer, Embeddings, Event, Reply, View
from antiphon.client.call_info import read_call_info
from antiphon.client.request import write_chat_body, write_embeddings_body

BODY = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1700000000,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "Hello",
                "reasoning_content": "hm",
                "x_signature": {"kid": [1, {"deep": True}]},
                "tool_calls": [
                    {"id": "t1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}, "x_more": 1}
                ],
            },
            "finish_reason": "tool_calls",
        }
    ],
    "usage": {
        "prompt_tokens": 3,
        "completion_tokens": 4,
        "total_tokens": 7,
        "prompt_tokens_details": {"cached_tokens": 1},
    },
    "x_vendor": {"region": "eu"},
}
HEADERS = [
    (b"x-antiphon-call-id", b"call_1"),
    (b"x-antiphon-target", b"p/m"),
    (b"x-antiphon-attempts", b"2"),
    (b"x-antiphon-cost", b"0.000123"),
]


def make_reply(**changes: object) -> Reply:
    return Reply(json.dumps({**BODY, **changes}).encode(), HEADERS)


def make_message(**fields: object) -> Reply:
    return make_reply(choices=[{"index": 0, "message": fields, "finish_reason": "stop"}])


def test_a_reply_has_the_fields_of_openai_and_of_antiphon() -> None:
    answer = make_reply()
    assert answer.choices[0].message.content == answer.text == "Hello"
    assert answer.choices[0].message.tool_calls[0].function.arguments == '{"a":1}'
    assert answer.tool_calls == answer.choices[0].message.tool_calls
    assert answer.usage.prompt_tokens == 3
    assert answer.usage.prompt_tokens_details.cached_tokens == 1
    assert answer.finish_reason == "tool_calls"
    assert answer.reasoning == "hm"
    assert (answer.call_id, answer.target, answer.attempts, answer.cost) == ("call_1", "p/m", 2, Decimal("0.000123"))
    assert json.loads(answer.raw) == answer.json() == BODY


def test_unknown_fields_are_reachable_at_every_level() -> None:
    answer = make_reply()
    assert answer.x_vendor.region == "eu"
    assert answer["x_vendor"]["region"] == "eu"
    assert answer.choices[0].message.x_signature.kid[1] == {"deep": True}
    assert answer.choices[0].message.tool_calls[0].x_more == 1
    assert "x_vendor" in answer
    assert answer.get("nothing", 5) == 5
    assert dict(answer.x_vendor) == {"region": "eu"}


def test_a_missing_declared_field_is_none_and_any_other_name_is_an_error() -> None:
    answer = make_reply()
    assert answer.system_fingerprint is None
    assert answer.choices[0].message.refusal is None
    with pytest.raises(AttributeError, match=r"'mesage'.*finish_reason, index, message"):
        _ = answer.choices[0].mesage
    with pytest.raises(KeyError):
        answer["system_fingerprint"]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"content": None, "tool_calls": []}, ""),
        ({}, ""),
        ({"content": ""}, ""),
        ({"content": [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}]}, "ab"),
    ],
)
def test_the_text_of_messages_of_every_form_is_read(fields: dict[str, object], text: str) -> None:
    assert make_message(**fields).text == text


def test_the_text_is_that_of_the_choice_with_index_zero() -> None:
    choices = [{"index": 1, "message": {"content": "one"}}, {"index": 0, "message": {"content": "zero"}}]
    assert make_reply(choices=choices).text == "zero"
    assert make_reply(choices=[]).text == ""
    assert make_reply(choices=[]).finish_reason is None


def test_a_message_of_a_reply_can_be_sent_again_without_losing_a_field() -> None:
    answer = make_reply()
    turns = [{"role": "user", "content": "x"}, answer.choices[0].message]
    sent = json.loads(write_chat_body("m", turns, "be kind", {}))
    assert sent["messages"][0] == {"role": "system", "content": "be kind"}
    assert sent["messages"][2] == BODY["choices"][0]["message"]  # type: ignore[index]


def test_dumps_have_the_names_of_openai_and_are_copies() -> None:
    answer = make_message(content=None, role="assistant")
    dumped = answer.choices[0].message.model_dump(exclude_none=True)
    assert dumped == {"role": "assistant"}
    whole = answer.model_dump()
    whole["choices"][0]["message"]["role"] = "changed"
    assert answer.choices[0].message.role == "assistant"
    assert json.loads(answer.model_dump_json(indent=2)) == answer.json()
    assert "\n  " in answer.model_dump_json(indent=2)


def test_replies_survive_copying_and_pickling() -> None:
    answer = make_reply()
    for again in (copy.copy(answer), copy.deepcopy(answer), pickle.loads(pickle.dumps(answer))):
        assert again == answer
        assert (again.text, again.cost, again.raw) == (answer.text, answer.cost, answer.raw)
    event = Event(b'{"choices":[]}', {"choices": []})
    assert pickle.loads(pickle.dumps(event)) == event
    assert pickle.loads(pickle.dumps(View({"a": 1}))).a == 1


@pytest.mark.parametrize(
    "raw",
    [b"", b"<html>", b"[]", b'"x"', b"{}", b'{"choices":{}}', b'{"choices":["x"]}', b'{"a":"\xff"}', b"[" * 10**5],
)
def test_an_unusable_reply_is_a_bad_answer(raw: bytes) -> None:
    with pytest.raises(BadAnswer):
        Reply(raw, HEADERS)


def make_event(**fields: object) -> Event:
    data = {"choices": [{"index": 0, **fields}]}
    return Event(json.dumps(data).encode(), data)


def test_events_have_the_parts_that_they_add() -> None:
    assert make_event(delta={"content": "a"}).text == "a"
    assert make_event(delta={"reasoning": "r"}).reasoning == "r"
    assert make_event(delta={"reasoning_content": "r"}).reasoning == "r"
    assert make_event(delta={}, finish_reason="stop").finish_reason == "stop"
    piece = make_event(delta={"tool_calls": [{"index": 0, "function": {"arguments": '{"'}}]})
    assert piece.tool_calls[0].function.arguments == '{"'
    assert (piece.text, piece.finish_reason, piece.usage) == ("", None, None)
    last = Event(b"", {"choices": [], "usage": {"total_tokens": 5}})
    assert (last.text, last.usage.total_tokens, last.tool_calls) == ("", 5, [])
    assert make_event(delta={"content": "a"}).choices[0].delta.content == "a"


def test_events_of_other_choices_are_not_mixed_into_the_text() -> None:
    data = {"choices": [{"index": 1, "delta": {"content": "other"}, "finish_reason": "stop"}]}
    event = Event(b"", data)
    assert (event.text, event.finish_reason) == ("", None)
    assert event.choices[0].delta.content == "other"


@pytest.mark.parametrize("data", [{"choices": ["x"]}, {"choices": 5}, {"choices": [{"delta": "x"}]}])
def test_malformed_events_are_bad_answers(data: dict[str, object]) -> None:
    with pytest.raises(BadAnswer):
        Event(json.dumps(data).encode(), data)


def make_embeddings(*rows: object) -> Embeddings:
    data = [{"object": "embedding", "index": index, "embedding": row} for index, row in enumerate(rows)]
    body = {"object": "list", "data": data[::-1], "model": "m", "usage": {"prompt_tokens": 2, "total_tokens": 2}}
    return Embeddings(json.dumps(body).encode(), HEADERS)


def test_embeddings_are_float_lists_in_the_order_of_the_input() -> None:
    found = make_embeddings([1, 0.5], [0.25, -1.0])
    assert found.vectors == [[1.0, 0.5], [0.25, -1.0]]
    assert all(type(number) is float for vector in found for number in vector)
    assert (len(found), found[1], list(found)) == (2, [0.25, -1.0], found.vectors)
    assert found.data[0].embedding == [0.25, -1.0]  # unchanged, by index
    assert found.usage.prompt_tokens == 2
    assert found.cost == Decimal("0.000123")
    assert "2 vectors of 2 dimensions" in repr(found)


def test_base64_embeddings_decode_to_the_same_lists() -> None:
    packed = base64.b64encode(array("f", [1.0, 0.5]).tobytes()).decode()
    assert make_embeddings(packed).vectors == [[1.0, 0.5]]
    assert make_embeddings(packed).data[0].embedding == packed
    again = pickle.loads(pickle.dumps(make_embeddings(packed)))
    assert again.vectors == [[1.0, 0.5]]


@pytest.mark.parametrize("row", ["!", "AAA=", [None], {"a": 1}])
def test_malformed_embeddings_are_bad_answers(row: object) -> None:
    with pytest.raises(BadAnswer):
        make_embeddings(row)


def test_bodies_keep_parameters_unchanged_and_refuse_invalid_ones() -> None:
    sent = json.loads(write_chat_body("m", "hi", None, {"temperature": 0, "x_new": {"a": [1]}}, stream=True))
    assert sent == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0,
        "x_new": {"a": [1]},
    }
    own = json.loads(write_chat_body("m", "hi", None, {"stream_options": {"include_usage": False}}, stream=True))
    assert own["stream_options"] == {"include_usage": False}
    assert json.loads(write_embeddings_body("e", ["a"], 8, "base64", {"user": "u"})) == {
        "model": "e", "input": ["a"], "encoding_format": "base64", "dimensions": 8, "user": "u",
    }  # fmt: skip
    with pytest.raises(TypeError, match="stream"):
        write_chat_body("m", "hi", None, {"stream": True})
    with pytest.raises(TypeError, match="list of messages, not dict"):
        write_chat_body("m", {"role": "user"}, None, {})  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="object"):
        write_chat_body("m", "hi", None, {"x": object()})


def test_call_information_is_read_from_headers_and_invalid_values_are_unknown() -> None:
    info = read_call_info(
        [(b"x-antiphon-cost", b"0.0000315"), (b"x-antiphon-attempts", b"3"), (b"x-antiphon-target", b"a/b")]
    )
    assert (info.cost, info.attempts, info.target, info.call_id) == (Decimal("0.0000315"), 3, "a/b", "")
    other = read_call_info([(b"x-antiphon-cost", b"cheap"), (b"x-antiphon-attempts", b"many")])
    assert (other.cost, other.attempts) == (None, 1)
    assert read_call_info([(b"x-antiphon-cost", b"0")]).cost == 0
