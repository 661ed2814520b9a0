"""Whole answers, read and written, checked against the types of the official client."""

from typing import Any

import msgspec
import pytest
from anthropic.types import Message as Official

from antiphon.errors import BadAnswer
from antiphon.types import Usage
from antiphon.wires.translation.neutral import (
    Choice,
    Finish,
    Refusal,
    Reply,
    Request,
    Text,
    Thinking,
    ToolCall,
)

REQUEST = Request(model="smart", messages=())


def answer(*content: dict[str, Any], **members: Any) -> bytes:
    message = {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": "claude-opus-5-5",
        "content": content,
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 20},
        **members,
    }
    return msgspec.json.encode(message)


STOP, USAGE = Finish("stop"), Usage(input=1, output=2)


def reply(*parts: Any, finish: Finish = STOP, usage: Usage | None = USAGE) -> Reply:
    return Reply(id="r-1", model="m-1", choices=(Choice(parts, finish),), usage=usage)


@pytest.fixture
def written(codec: Any) -> Any:
    def make(given: Reply) -> Any:
        body = codec.write_reply(given, REQUEST)
        Official.model_validate(msgspec.json.decode(body), strict=False)
        return msgspec.json.decode(body)

    return make


def test_the_golden_answer(codec: Any) -> None:
    citation = {
        "type": "page_location",
        "cited_text": "Rain.",
        "document_index": 0,
        "document_title": "Report",
        "start_page_number": 1,
        "end_page_number": 2,
    }
    body = answer(
        {"type": "thinking", "thinking": "Hm.", "signature": "EqQB"},
        {"type": "redacted_thinking", "data": "EmwK"},
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "rain"}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
        {"type": "text", "text": "It rains.", "citations": [citation]},
        {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Zürich"}},
        {"type": "tool_use", "id": "toolu_2", "name": "now", "input": {}},
        stop_reason="tool_use",
        usage={
            "input_tokens": 10,
            "cache_creation_input_tokens": 5,
            "cache_read_input_tokens": 7,
            "output_tokens": 20,
            "output_tokens_details": {"thinking_tokens": 8},
        },
    )
    assert codec.read_reply(body) == Reply(
        id="msg_01",
        model="claude-opus-5-5",
        choices=(
            Choice(
                (
                    Thinking("Hm.", "EqQB", wire="anthropic"),
                    Thinking(redacted="EmwK", wire="anthropic"),
                    Text("It rains.", citations=(citation,)),
                    ToolCall("toolu_1", "weather", '{"city":"Zürich"}'),
                    ToolCall("toolu_2", "now", "{}"),
                ),
                Finish("tool_calls"),
            ),
        ),
        usage=Usage(input=10, cache_read=7, cache_write=5, output=12, reasoning=8),
    )


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", Finish("stop")),
        ("max_tokens", Finish("length")),
        ("model_context_window_exceeded", Finish("length")),
        ("tool_use", Finish("tool_calls")),
        ("pause_turn", Finish("pause")),
        ("refusal", Finish("refusal")),
        ("reason_of_tomorrow", Finish("stop")),
    ],
)
def test_every_stop_reason(codec: Any, reason: str, finish: Finish) -> None:
    assert codec.read_reply(answer(stop_reason=reason)).choices[0].finish == finish


def test_the_stop_sequence_is_kept(codec: Any, written: Any) -> None:
    read = codec.read_reply(answer(stop_reason="stop_sequence", stop_sequence="END"))
    assert read.choices[0].finish == Finish("stop", "END")
    again = written(read)
    assert (again["stop_reason"], again["stop_sequence"]) == ("stop_sequence", "END")


def test_a_refusal_is_explained(codec: Any, written: Any) -> None:
    details = {"type": "refusal", "category": "cyber", "explanation": "Not this."}
    read = codec.read_reply(answer(stop_reason="refusal", stop_details=details))
    assert read.choices[0] == Choice((Refusal("Not this."),), Finish("refusal"))
    again = written(read)
    assert (again["content"][0]["text"], again["stop_reason"]) == ("Not this.", "refusal")


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        ("stop", "end_turn"),
        ("length", "max_tokens"),
        ("tool_calls", "tool_use"),
        ("content_filter", "refusal"),
        ("refusal", "refusal"),
        ("pause", "pause_turn"),
    ],
)
def test_every_finish_is_written(written: Any, finish: Any, reason: str) -> None:
    assert written(reply(Text("x"), finish=Finish(finish)))["stop_reason"] == reason


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"{}",
        b'{"type":"error","error":{"type":"api_error","message":"Internal server error"}}',
        answer({"type": "tool_use", "id": "t", "name": "n", "input": [1]}),
        answer({"type": "tool_use", "id": "t", "name": "n", "input": None}),
        b'{"content":[1]}',
    ],
)
def test_bodies_that_are_no_answer(codec: Any, body: bytes) -> None:
    with pytest.raises(BadAnswer):
        codec.read_reply(body)


def test_the_golden_answer_is_written(written: Any) -> None:
    parts = (Text("Let me see."), ToolCall("call_1", "weather", '{"city":"Zürich"}'))
    usage = Usage(input=10, cache_read=7, cache_write=5, output=12, reasoning=8, audio_input=1)
    assert written(reply(*parts, finish=Finish("tool_calls"), usage=usage)) == {
        "id": "msg_r-1",
        "type": "message",
        "role": "assistant",
        "model": "m-1",
        "content": [
            {"type": "text", "text": "Let me see."},
            {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Zürich"}},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "stop_details": None,
        "usage": {
            "input_tokens": 11,
            "cache_creation_input_tokens": 5,
            "cache_read_input_tokens": 7,
            "cache_creation": {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 0},
            "output_tokens": 20,
            "output_tokens_details": {"thinking_tokens": 8},
            "service_tier": "standard",
            "server_tool_use": None,
        },
    }


def test_an_answer_without_id_gets_one(written: Any) -> None:
    body = written(Reply(id="", model="", choices=(Choice((), Finish("stop")),)))
    assert body["id"].startswith("msg")
    assert body["model"] == "smart"
    assert body["usage"]["output_tokens"] == 0


@pytest.mark.parametrize(
    "parts",
    [
        (Thinking("Hm.", "EqQB", wire="anthropic"), Text("x")),
        (Thinking(redacted="EmwK", wire="anthropic"), Text("x")),
        (Thinking("Hm.", "c2ln", wire="gemini"), Text("x")),
        (Thinking("Hm.", redacted="enc", id="rs_1", wire="responses"), Text("x")),
        (Thinking(redacted="enc", id="rs_1", wire="responses"), ToolCall("a", "f", '{"n":1.5}')),
        (Thinking("Unsigned."), Text("x")),
        (ToolCall("a", "f", "{}", "thought"), ToolCall("b", "f", "{}", "other"), ToolCall("c", "f")),
    ],
)
def test_thinking_and_signatures_survive_a_client(codec: Any, written: Any, parts: Any) -> None:
    body = written(reply(*parts))
    assert codec.read_reply(msgspec.json.encode(body)).choices[0].parts == parts
    turn = {"model": "smart", "messages": [{"role": body["role"], "content": body["content"]}]}
    assert codec.read_request(turn, "smart", False).messages[0].parts == parts


def test_empty_thinking_is_left_out(written: Any) -> None:
    body = written(reply(Thinking(), Thinking(wire="gemini"), Text(""), Text("x")))
    assert [block["type"] for block in body["content"]] == ["text"]


def test_a_web_page_is_cited(written: Any) -> None:
    citations = (
        {"type": "url_citation", "url_citation": {"url": "https://x", "title": "X", "start_index": 3, "end_index": 8}},
        {"type": "url_citation", "url": "https://y"},
        {"type": "container", "note": "no page, no document"},
    )
    body = written(reply(Text("It rains.", citations=citations)))
    assert body["content"][0]["citations"] == [
        {
            "type": "web_search_result_location",
            "url": "https://x",
            "title": "X",
            "cited_text": "rains",
            "encrypted_index": "",
        },
        {
            "type": "web_search_result_location",
            "url": "https://y",
            "title": None,
            "cited_text": "",
            "encrypted_index": "",
        },
    ]


def test_arguments_that_are_no_object_still_parse(written: Any) -> None:
    body = written(reply(ToolCall("a", "f", "[1, 2"), finish=Finish("tool_calls")))
    assert body["content"][0]["input"] == {"arguments": "[1, 2"}
