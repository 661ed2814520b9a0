"""Servers that deviate from the chat wire: no part of their answers is lost or merged with another."""

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


def read_events(*frames: bytes) -> list[Event]:
    reader = OpenAICodec().make_reader()
    return [event for frame in frames for event in reader.read(frame)]


def list_calls(found: list[Event]) -> list[tuple[str, str, str]]:
    """Return id, name and arguments of each call."""
    calls: list[list[str]] = []
    for event in found:
        if isinstance(event, BlockStart):
            calls.append([event.id, event.name, ""])
        elif isinstance(event, Delta):
            calls[-1][2] += event.text
    return [(id, name, arguments) for id, name, arguments in calls]


def join_text(found: list[Event]) -> str:
    return "".join(event.text for event in found if isinstance(event, Delta))


def list_finishes(found: list[Event]) -> list[str]:
    return [event.reason for event in found if isinstance(event, Finish)]


def call(id: str | None, name: str | None, arguments: str | None, **more: Any) -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}, **more}


def test_an_empty_finish_reason_is_ignored() -> None:
    frames = frame({"content": "Hel"}, ""), frame({"content": "lo"}, ""), frame({}, "stop")
    found = read_events(*frames, DONE)
    assert (join_text(found), list_finishes(found)) == ("Hello", ["stop"])
    stream = ChatStream(Chat(), 1, False)
    for each in frames[:2]:
        stream.feed(each)
    assert not stream.complete


@pytest.mark.parametrize("counted", [{"index": 0}, {"index": None}, {}], ids=["zero", "null", "none"])
@pytest.mark.parametrize("apart", [True, False])
def test_calls_that_differ_only_by_id(counted: dict[str, Any], apart: bool) -> None:
    one, other = call("a", "f", '{"x":1}', **counted), call("b", "g", "{}", **counted)
    frames = [frame({"tool_calls": [one]}), frame({"tool_calls": [other]})]
    if not apart:
        frames = [frame({"tool_calls": [one, other]})]
    assert list_calls(read_events(*frames, frame({}, "tool_calls"))) == [("a", "f", '{"x":1}'), ("b", "g", "{}")]


@pytest.mark.parametrize(("id", "name"), [("a", "f"), ("", ""), (None, None), ("another", None)])
def test_a_call_that_continues(id: str | None, name: str | None) -> None:
    first, second = call("a", "f", '{"x"', index=0), call(id, name, ":1}", index=0)
    found = read_events(frame({"tool_calls": [first]}), frame({"tool_calls": [second]}), frame({}, "tool_calls"))
    assert list_calls(found) == [("a", "f", '{"x":1}')]


def test_calls_without_ids_get_some() -> None:
    calls = [call(None, "f", "{}", index=0), call("", "f", "{}", index=1)]
    streamed = list_calls(read_events(frame({"tool_calls": calls}), frame({}, "tool_calls")))
    choice = {"index": 0, "message": {"tool_calls": calls}, "finish_reason": "tool_calls"}
    parts = OpenAICodec().read_reply(json.dumps({"choices": [choice]}).encode()).choices[0].parts
    whole = [part.id for part in parts if isinstance(part, ToolCall)]
    ids = [id for id, _, _ in streamed] + whole
    assert len(set(ids)) == 4
    assert all(id.startswith("call_") for id in ids)


def test_thinking_in_the_parts_of_a_message() -> None:
    thought = [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}]
    found = read_events(frame({"content": thought}), frame({"content": "Hello"}), frame({}, "stop"))
    assert [event.kind for event in found if isinstance(event, BlockStart)] == ["thinking", "text"]
    assert join_text(found) == "HmHello"
    choice = {"message": {"content": [*thought, {"type": "text", "text": "Hello"}]}, "finish_reason": "stop"}
    reply = OpenAICodec().read_reply(json.dumps({"choices": [choice]}).encode())
    assert reply.choices[0].parts == (Thinking("Hm", wire="openai"), Text("Hello"))


def test_nulls_everywhere() -> None:
    delta = {"role": "assistant", "content": None, "tool_calls": None, "refusal": None}
    frames = frame(delta, None, None, id=None, model=None, usage=None), frame({"content": "Hello"}, "stop", None), DONE
    assert join_text(read_events(*frames)) == "Hello"
    stream = ChatStream(Chat(), 1, False)
    assert [stream.feed(each) for each in frames] == list(frames)
    assert stream.complete


def test_an_end_marker_without_a_finish_reason() -> None:
    assert list_finishes(read_events(frame({"content": "Hello"}), DONE)) == ["stop"]
    assert list_finishes(read_events(frame({"tool_calls": [call("a", "f", "{}", index=0)]}), DONE)) == ["tool_calls"]


@pytest.mark.parametrize(("code", "status"), [(429, 429), (503, 503), (42, 0), ("rate_limited", 0), (None, 0)])
def test_the_code_of_an_error_gives_its_status(code: Any, status: int) -> None:
    error = b"data: " + json.dumps({"error": {"message": "No.", "code": code}}).encode() + b"\n\n"
    assert read_events(error) == [StreamError("No.", status)]
    stream = ChatStream(Chat(), 1, False)
    stream.feed(error)
    assert stream.error is not None
    assert stream.error.status == (status or 502)


def test_an_end_marker_before_any_chunk_is_rejected() -> None:
    with pytest.raises(BadAnswer, match="before any output"):
        read_events(DONE)


def test_an_answer_without_a_choice_is_rejected() -> None:
    body = b'{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":0}}'
    assert Chat().read_whole(body).output_bytes == 0
    with pytest.raises(BadAnswer, match="choice"):
        OpenAICodec().read_reply(body)
