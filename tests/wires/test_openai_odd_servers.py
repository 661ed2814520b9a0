"""Servers of the chat wire that do it in their own way: nothing that they say is lost or run together."""

import json
from typing import Any

import pytest

from antiphon.errors import BadAnswer
from antiphon.wires.openai import Chat
from antiphon.wires.openai.codec import OpenAICodec
from antiphon.wires.openai.passthrough import ChatStream
from antiphon.wires.translation.neutral import BlockStart, Delta, Event, Finish, StreamError, Text, Thinking, ToolCall

DONE = b"data: [DONE]\n\n"


def frame(delta: Any = None, finish: Any = None, index: Any = 0, **members: Any) -> bytes:
    choices = [{"index": index, "delta": delta, "finish_reason": finish}]
    return b"data: " + json.dumps({"id": "a", "model": "m", "choices": choices, **members}).encode() + b"\n\n"


def events(*frames: bytes) -> list[Event]:
    reader = OpenAICodec().make_reader()
    return [event for frame in frames for event in reader.read(frame)]


def called(found: list[Event]) -> list[tuple[str, str, str]]:
    """Return id, name and arguments of each call."""
    calls: list[list[str]] = []
    for event in found:
        if isinstance(event, BlockStart):
            calls.append([event.id, event.name, ""])
        elif isinstance(event, Delta):
            calls[-1][2] += event.text
    return [(id, name, arguments) for id, name, arguments in calls]


def text(found: list[Event]) -> str:
    return "".join(event.text for event in found if isinstance(event, Delta))


def finishes(found: list[Event]) -> list[str]:
    return [event.reason for event in found if isinstance(event, Finish)]


def call(id: str | None, name: str | None, arguments: str | None, **more: Any) -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}, **more}


def test_a_finish_reason_that_is_empty_is_none() -> None:
    frames = frame({"content": "Hel"}, ""), frame({"content": "lo"}, ""), frame({}, "stop")
    found = events(*frames, DONE)
    assert (text(found), finishes(found)) == ("Hello", ["stop"])
    watch = ChatStream(Chat(), 1, False)
    for each in frames[:2]:
        watch.feed(each)
    assert not watch.complete


@pytest.mark.parametrize("counted", [{"index": 0}, {"index": None}, {}], ids=["zero", "null", "none"])
@pytest.mark.parametrize("apart", [True, False])
def test_calls_told_apart_by_their_ids_only(counted: dict[str, Any], apart: bool) -> None:
    one, other = call("a", "f", '{"x":1}', **counted), call("b", "g", "{}", **counted)
    frames = [frame({"tool_calls": [one]}), frame({"tool_calls": [other]})]
    if not apart:
        frames = [frame({"tool_calls": [one, other]})]
    assert called(events(*frames, frame({}, "tool_calls"))) == [("a", "f", '{"x":1}'), ("b", "g", "{}")]


@pytest.mark.parametrize(("id", "name"), [("a", "f"), ("", ""), (None, None), ("another", None)])
def test_a_call_that_goes_on(id: str | None, name: str | None) -> None:
    first, second = call("a", "f", '{"x"', index=0), call(id, name, ":1}", index=0)
    found = events(frame({"tool_calls": [first]}), frame({"tool_calls": [second]}), frame({}, "tool_calls"))
    assert called(found) == [("a", "f", '{"x":1}')]


def test_calls_without_ids_get_some() -> None:
    calls = [call(None, "f", "{}", index=0), call("", "f", "{}", index=1)]
    streamed = called(events(frame({"tool_calls": calls}), frame({}, "tool_calls")))
    choice = {"index": 0, "message": {"tool_calls": calls}, "finish_reason": "tool_calls"}
    parts = OpenAICodec().read_reply(json.dumps({"choices": [choice]}).encode()).choices[0].parts
    whole = [part.id for part in parts if isinstance(part, ToolCall)]
    ids = [id for id, _, _ in streamed] + whole
    assert len(set(ids)) == 4
    assert all(id.startswith("call_") for id in ids)


def test_thinking_among_the_parts_of_a_message() -> None:
    thought = [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}]
    found = events(frame({"content": thought}), frame({"content": "Hello"}), frame({}, "stop"))
    assert [event.kind for event in found if isinstance(event, BlockStart)] == ["thinking", "text"]
    assert text(found) == "HmHello"
    choice = {"message": {"content": [*thought, {"type": "text", "text": "Hello"}]}, "finish_reason": "stop"}
    reply = OpenAICodec().read_reply(json.dumps({"choices": [choice]}).encode())
    assert reply.choices[0].parts == (Thinking("Hm", wire="openai"), Text("Hello"))


def test_nulls_everywhere() -> None:
    delta = {"role": "assistant", "content": None, "tool_calls": None, "refusal": None}
    frames = frame(delta, None, None, id=None, model=None, usage=None), frame({"content": "Hello"}, "stop", None), DONE
    assert text(events(*frames)) == "Hello"
    watch = ChatStream(Chat(), 1, False)
    assert [watch.feed(each) for each in frames] == list(frames)
    assert watch.complete


def test_an_end_marker_without_a_finish_reason() -> None:
    assert finishes(events(frame({"content": "Hello"}), DONE)) == ["stop"]
    assert finishes(events(frame({"tool_calls": [call("a", "f", "{}", index=0)]}), DONE)) == ["tool_calls"]


@pytest.mark.parametrize(("code", "status"), [(429, 429), (503, 503), (42, 0), ("rate_limited", 0), (None, 0)])
def test_an_error_tells_its_status_by_its_code(code: Any, status: int) -> None:
    error = b"data: " + json.dumps({"error": {"message": "No.", "code": code}}).encode() + b"\n\n"
    assert events(error) == [StreamError("No.", status)]
    watch = ChatStream(Chat(), 1, False)
    watch.feed(error)
    assert watch.error is not None
    assert watch.error.status == (status or 502)


def test_an_end_before_anything_was_said_is_no_answer() -> None:
    with pytest.raises(BadAnswer, match="before it said anything"):
        events(DONE)


def test_an_answer_without_a_choice_is_none() -> None:
    body = b'{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":0}}'
    assert Chat().read_whole(body).output_bytes == 0
    with pytest.raises(BadAnswer, match="choice"):
        OpenAICodec().read_reply(body)
