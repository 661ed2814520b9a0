"""Answers of the Responses wire: whole and streamed, read and written, for any order of events and any split."""

import json
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from antiphon.errors import BadAnswer
from antiphon.types import Usage
from antiphon.wires.responses import ResponsesCodec
from antiphon.wires.sse import SSESplitter, read_data
from antiphon.wires.translation.neutral import (
    Annotation,
    BlockStart,
    BlockStop,
    Choice,
    Delta,
    Event,
    Finish,
    Message,
    Refusal,
    Reply,
    Request,
    Start,
    StreamEnd,
    StreamError,
    Text,
    Thinking,
    ToolCall,
    UsageUpdate,
)

CODEC = ResponsesCodec()
REQUEST = Request(model="m", messages=(Message("user", (Text("Hi"),)),))
URL_CITATION = {"type": "url_citation", "url": "https://h", "title": "T", "start_index": 0, "end_index": 2}
EVENTS: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


def write_frames(*events: dict[str, Any]) -> list[bytes]:
    return [
        b"event: %b\ndata: %b\n\n" % (str(event.get("type")).encode(), json.dumps(event).encode()) for event in events
    ]


def read(all_frames: Iterable[bytes]) -> list[Event]:
    reader = CODEC.make_reader()
    return [event for frame in all_frames for event in reader.read(frame)] + reader.close()


def write_stream(events: Iterable[Event], request: Request = REQUEST) -> bytes:
    writer = CODEC.make_writer(request)
    return b"".join(writer.write(event) for event in events)


def decode_stream(stream: bytes) -> list[dict[str, Any]]:
    return [json.loads(read_data(frame) or b"") for frame in SSESplitter().feed(stream)]


# Whole answers


def make_response(*output: dict[str, Any], **more: Any) -> bytes:
    return json.dumps(
        {
            "id": "resp_1",
            "object": "response",
            "created_at": 1741476542,
            "status": "completed",
            "error": None,
            "incomplete_details": None,
            "model": "gpt-x",
            "output": output,
            "usage": {
                "input_tokens": 328,
                "input_tokens_details": {"cached_tokens": 128},
                "output_tokens": 52,
                "output_tokens_details": {"reasoning_tokens": 32},
                "total_tokens": 380,
            },
            **more,
        }
    ).encode()


def make_message(*contents: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "type": "message",
        "id": "msg_1",
        "status": "completed",
        "role": "assistant",
        "content": contents,
        **more,
    }


def make_text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "output_text", "text": words, "annotations": [], **more}


def test_read_a_whole_answer() -> None:
    token = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []}
    body = make_response(
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "A"}, {"type": "summary_text", "text": "B"}],
            "encrypted_content": "gAAAA",
        },
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {}},
        make_message(make_text("Hi", annotations=[URL_CITATION], logprobs=[token])),
        {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "look", "arguments": '{"a":"ü"}'},
        {"type": "function_call", "id": "fc_2", "call_id": "c2", "name": "now", "arguments": ""},
    )
    parts = (
        Thinking("A\n\nB", "gAAAA", id="rs_1", wire="responses"),
        Text("Hi", citations=(URL_CITATION,)),
        ToolCall("c1", "look", '{"a":"ü"}'),
        ToolCall("c2", "now", "{}"),
    )
    assert CODEC.read_reply(body) == Reply(
        id="resp_1",
        model="gpt-x",
        choices=(Choice(parts, Finish("tool_calls"), {"content": [token]}),),
        usage=Usage(input=200, cache_read=128, output=20, reasoning=32, searches=1),
        created=1741476542,
    )


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({}, "stop"),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "length"),
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, "content_filter"),
        ({"status": "incomplete"}, "length"),
    ],
)
def test_finish_reasons(more: dict[str, Any], reason: str) -> None:
    reply = CODEC.read_reply(make_response(make_message(make_text("x")), **more))
    assert reply.choices[0].finish == Finish(reason)  # type: ignore[arg-type]


def test_a_refusal() -> None:
    reply = CODEC.read_reply(make_response(make_message({"type": "refusal", "refusal": "No."})))
    assert reply.choices == (Choice((Refusal("No."),), Finish("refusal")),)


def test_an_empty_reasoning_item_is_left_out() -> None:
    reply = CODEC.read_reply(
        make_response({"type": "reasoning", "id": "rs_1", "summary": []}, make_message(make_text("x")))
    )
    assert reply.choices[0].parts == (Text("x"),)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"[]",
        b'{"object":"response"}',
        b'{"error":{"message":"no","code":"server_error"}}',
        b'{"error":"no","output":[]}',
        make_response(status="failed", error={"code": "server_error", "message": "no"}),
        make_response({"type": "message", "content": 3}),
        make_response({"type": "function_call", "name": "x"}),
        make_response({"type": "reasoning", "encrypted_content": "antiphon.1.x"}),
        make_response("x"),  # type: ignore[arg-type]
        b'{"output":[\xff]}',
        b"[" * 5000,
    ],
)
def test_an_invalid_answer_is_rejected(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        CODEC.read_reply(body)


TOKENS = ({"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []},)
REPLY = Reply(
    id="resp_1",
    model="gpt-x",
    choices=(
        Choice(
            (
                Thinking("Hm", "c2ln", wire="anthropic"),
                Thinking(redacted="ZW5j", wire="anthropic"),
                Text("Hi", citations=(URL_CITATION,)),
                Text(" there"),
                ToolCall("c1", "look", '{"a":1}', "thought"),
                ToolCall("c2", "now"),
            ),
            Finish("tool_calls"),
            {"content": list(TOKENS)},
        ),
    ),
    usage=Usage(input=200, cache_read=128, cache_write=7, audio_input=3, output=20, reasoning=32, audio_output=1),
    created=1741476542,
)


def test_write_a_whole_answer() -> None:
    body = CODEC.write_reply(REPLY, REQUEST)
    answer = json.loads(body)
    assert [item["type"] for item in answer["output"]] == [
        "reasoning",
        "reasoning",
        "message",
        "function_call",
        "reasoning",
        "function_call",
    ]
    assert [item["id"] for item in answer["output"]] == ["rs_100", "rs_101", "msg_102", "fc_103", "rs_104", "fc_105"]
    assert answer["output"][2]["content"] == [
        {"type": "output_text", "text": "Hi", "annotations": [URL_CITATION], "logprobs": list(TOKENS)},
        {"type": "output_text", "text": " there", "annotations": [], "logprobs": []},
    ]
    assert (answer["id"], answer["created_at"], answer["status"]) == ("resp_1", 1741476542, "completed")
    assert answer["usage"]["input_tokens"] == 338
    assert answer["usage"]["total_tokens"] == 391
    assert Response.model_validate(answer, strict=True).output_text == "Hi there"
    assert CODEC.read_reply(body) == REPLY


def test_echo() -> None:
    document = {
        "model": "alias",
        "input": "Hi",
        "instructions": "Be brief.",
        "tools": [{"type": "function", "name": "a", "parameters": None, "defer_loading": True}],
        "tool_choice": "auto",
        "text": {"verbosity": "low"},
        "reasoning": {"effort": "low"},
        "metadata": {"a": "b"},
        "store": False,
        "max_output_tokens": 99,
        "user": None,
    }
    answer = json.loads(CODEC.write_reply(REPLY, CODEC.read_request(document, "alias", False)))
    for name in ("instructions", "tools", "tool_choice", "metadata", "store", "max_output_tokens", "user"):
        assert answer[name] == document[name]
    assert answer["text"] == {"format": {"type": "text"}, "verbosity": "low"}
    assert answer["reasoning"] == {"effort": "low", "summary": None}
    assert answer["model"] == "gpt-x"


def test_ids_have_this_wires_prefix_and_are_unique() -> None:
    reply = msgspec.structs.replace(REPLY, id="msg_01abc")
    one, two = (json.loads(CODEC.write_reply(reply, REQUEST)) for _ in range(2))
    assert one["id"].startswith("resp_")
    assert one["id"] != two["id"]
    assert not {item["id"] for item in one["output"]} & {item["id"] for item in two["output"]}


@pytest.mark.parametrize(
    ("finish", "refused", "status", "details"),
    [
        ("stop", False, "completed", None),
        ("tool_calls", False, "completed", None),
        ("length", False, "incomplete", {"reason": "max_output_tokens"}),
        ("content_filter", False, "incomplete", {"reason": "content_filter"}),
        ("refusal", True, "completed", None),
        ("refusal", False, "incomplete", {"reason": "content_filter"}),
        ("pause", False, "incomplete", None),
    ],
)
def test_status(finish: Any, refused: bool, status: str, details: Any) -> None:
    part: Any = Refusal("No.") if refused else Text("Well")
    reply = Reply(id="x", model="m", choices=(Choice((part,), Finish(finish)),))
    answer = json.loads(CODEC.write_reply(reply, REQUEST))
    assert (answer["status"], answer["incomplete_details"]) == (status, details)
    assert answer["output"][0]["status"] == status
    assert (answer["completed_at"] is None) == (status != "completed")


@pytest.mark.parametrize(
    ("cited", "expected"),
    [
        (
            {"type": "web_search_result_location", "url": "https://h", "title": "T", "cited_text": "x"},
            {"type": "url_citation", "url": "https://h", "title": "T", "start_index": 0, "end_index": 5},
        ),
        (
            {"type": "char_location", "document_title": "D", "cited_text": "x", "start_char_index": 3},
            {"type": "file_citation", "file_id": "", "filename": "D", "index": 5, "start_char_index": 3},
        ),
        (URL_CITATION, URL_CITATION),
    ],
)
def test_citations(cited: dict[str, Any], expected: dict[str, Any]) -> None:
    events = [BlockStart(0, "text"), Delta(0, "He"), Annotation(0, citation=cited), Delta(0, "llo"), BlockStop(0)]
    written = decode_stream(write_stream([Start("resp_1", "m"), *events, Finish("stop"), StreamEnd()]))
    (added,) = (event for event in written if event["type"] == "response.output_text.annotation.added")
    assert expected.items() <= added["annotation"].items()
    assert (added["item_id"], added["content_index"], added["annotation_index"]) == ("msg_100", 0, 0)
    assert written[-1]["response"]["output"][0]["content"][0]["annotations"] == [added["annotation"]]
    EVENTS.validate_python(added)


# Streams

CREATED = {"type": "response.created", "sequence_number": 0, "response": {"id": "resp_1", "model": "gpt-x"}}


def make_event(kind: str, index: int = 0, **more: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", "item_id": "x", "output_index": index, **more}


def make_completed(*output: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "response.completed", "response": json.loads(make_response(*output, **more))}


USAGE = UsageUpdate(Usage(input=200, cache_read=128, output=20, reasoning=32))


def test_read_openais_own_stream() -> None:
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA"}
    call = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "look", "arguments": ""}
    token = {"token": "Hi", "logprob": -0.5, "top_logprobs": []}
    events = read(
        write_frames(
            CREATED,
            {**CREATED, "type": "response.in_progress"},
            make_event("output_item.added", item={"type": "reasoning", "id": "rs_1", "summary": []}),
            make_event("reasoning_summary_part.added", summary_index=0, part={"type": "summary_text", "text": ""}),
            make_event("reasoning_summary_text.delta", summary_index=0, delta="A", obfuscation="zz"),
            make_event("reasoning_summary_text.done", summary_index=0, text="A"),
            make_event("reasoning_summary_text.delta", summary_index=1, delta="B"),
            make_event("output_item.done", item=reasoning),
            make_event("output_item.added", 1, item=make_message()),
            make_event("content_part.added", 1, content_index=0, part=make_text("")),
            make_event("output_text.delta", 1, content_index=0, delta="Hi", logprobs=[token]),
            make_event("output_text.annotation.added", 1, content_index=0, annotation_index=0, annotation=URL_CITATION),
            make_event("output_text.done", 1, content_index=0, text="Hi"),
            make_event("content_part.done", 1, content_index=0, part=make_text("Hi", annotations=[URL_CITATION])),
            make_event("output_item.done", 1, item=make_message(make_text("Hi", annotations=[URL_CITATION]))),
            make_event("output_item.added", 2, item=call),
            make_event("function_call_arguments.delta", 2, delta='{"a"'),
            make_event("function_call_arguments.delta", 2, delta=":1}"),
            make_event("function_call_arguments.done", 2, arguments='{"a":1}'),
            make_event("output_item.done", 2, item={**call, "arguments": '{"a":1}'}),
            make_completed(
                reasoning, make_message(make_text("Hi", annotations=[URL_CITATION])), {**call, "arguments": '{"a":1}'}
            ),
        )
    )
    assert events == [
        Start("resp_1", "gpt-x"),
        BlockStart(0, "thinking", id="rs_1"),
        Delta(0, "A"),
        Delta(0, "\n\n"),
        Delta(0, "B"),
        Annotation(0, signature="gAAAA", wire="responses"),
        BlockStop(0),
        BlockStart(1, "text"),
        Delta(1, "Hi", (token,)),
        Annotation(1, citation=URL_CITATION),
        BlockStop(1),
        BlockStart(2, "tool", id="c1", name="look"),
        Delta(2, '{"a"'),
        Delta(2, ":1}"),
        BlockStop(2),
        USAGE,
        Finish("tool_calls"),
        StreamEnd(),
    ]


def test_content_that_was_not_streamed_is_added() -> None:
    """Some servers leave events out: they send only finished items, half a text, or the terminal event."""
    call = {"type": "function_call", "call_id": "c1", "name": "look", "arguments": '{"a":1}'}
    thought = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "A"}]}
    item = make_message(make_text("Hello", annotations=[URL_CITATION]))
    events = read(
        write_frames(
            CREATED,
            make_event("output_item.done", 0, item=thought),
            make_event("output_text.delta", 1, content_index=0, delta="Hel"),
            make_event("output_item.done", 1, item=item),
            make_completed(thought, item, call),
        )
    )
    assert events == [
        Start("resp_1", "gpt-x"),
        BlockStart(0, "thinking", id="rs_1"),
        Delta(0, "A"),
        BlockStop(0),
        BlockStart(1, "text"),
        Delta(1, "Hel"),
        Delta(1, "lo"),
        Annotation(1, citation=URL_CITATION),
        BlockStop(1),
        BlockStart(2, "tool", id="c1", name="look"),
        Delta(2, '{"a":1}'),
        BlockStop(2),
        USAGE,
        Finish("tool_calls"),
        StreamEnd(),
    ]


def test_interleaved_items_are_read_one_after_the_other() -> None:
    def call(index: int, arguments: str) -> dict[str, Any]:
        return {"type": "function_call", "call_id": f"c{index}", "name": "look", "arguments": arguments}

    events = read(
        write_frames(
            CREATED,
            make_event("output_item.added", 0, item=call(0, "")),
            make_event("output_item.added", 1, item=call(1, "")),
            make_event("function_call_arguments.delta", 1, delta="[1"),
            make_event("function_call_arguments.delta", 0, delta="[0]"),
            make_event("output_item.done", 0, item=call(0, "[0]")),
            make_event("function_call_arguments.delta", 1, delta="]"),
            make_event("output_item.done", 1, item=call(1, "[1]")),
            make_completed(call(0, "[0]"), call(1, "[1]")),
        )
    )
    assert events[1:-3] == [
        BlockStart(0, "tool", id="c0", name="look"),
        Delta(0, "[0]"),
        BlockStop(0),
        BlockStart(1, "tool", id="c1", name="look"),
        Delta(1, "[1"),
        Delta(1, "]"),
        BlockStop(1),
    ]


def test_open_reasoning_text_and_custom_calls() -> None:
    item = {"type": "custom_tool_call", "call_id": "c1", "name": "patch", "input": ""}
    done = {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "A"}]}
    events = read(
        write_frames(
            CREATED,
            make_event("output_item.added", 0, item={"type": "reasoning", "id": "rs_1"}),
            make_event("reasoning_text.delta", 0, content_index=0, delta="A"),
            make_event("output_item.done", 0, item=done),
            make_event("output_item.added", 1, item=item),
            make_event("custom_tool_call_input.delta", 1, delta='say "'),
            make_event("custom_tool_call_input.delta", 1, delta='ü"\n'),
            make_event("custom_tool_call_input.done", 1, input='say "ü"\n'),
            make_event("output_item.done", 1, item={**item, "input": 'say "ü"\n'}),
            make_completed(),
        )
    )
    assert events[1:4] == [BlockStart(0, "thinking", id="rs_1"), Delta(0, "A"), BlockStop(0)]
    arguments = "".join(event.text for event in events if isinstance(event, Delta) and event.index == 1)
    assert json.loads(arguments) == {"input": 'say "ü"\n'}


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (
            {
                "type": "response.failed",
                "response": {"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "slow"}},
            },
            StreamError("slow", 429),
        ),
        ({"type": "response.failed", "response": {}}, StreamError("the response failed")),
        ({"type": "error", "code": "server_error", "message": "no", "param": None}, StreamError("no", 500)),
        (
            {"type": "error", "error": {"type": "too_many", "code": "insufficient_quota", "message": "no"}},
            StreamError("no", 429),
        ),
        ({"error": {"message": "odd"}}, StreamError("odd")),
        ({"error": "odd"}, StreamError("odd")),
    ],
)
def test_errors_inside_a_stream(event: dict[str, Any], expected: StreamError) -> None:
    assert read(write_frames(CREATED, event, make_completed()))[1:] == [expected]


def test_an_incomplete_response() -> None:
    event = make_completed(status="incomplete", incomplete_details={"reason": "max_output_tokens"})
    events = read(write_frames(CREATED, {**event, "type": "response.incomplete"}))
    assert events[-2:] == [Finish("length"), StreamEnd()]


def test_a_stream_without_its_terminal_event_has_no_finish() -> None:
    events = read(write_frames(CREATED, make_event("output_text.delta", content_index=0, delta="Hel")))
    assert events == [Start("resp_1", "gpt-x"), BlockStart(0, "text"), Delta(0, "Hel")]


def test_comments_and_unknown_events_are_ignored() -> None:
    odd = [b": ping\n\n", b"event: x\n\n", b"data: [DONE]\n\n"]
    odd += write_frames(
        make_event("shell_call_output_content.delta", delta={"stdout": "x"}), {"type": "response.new_thing"}
    )
    assert read(odd) == []


@pytest.mark.parametrize(
    "frame",
    [
        b"data: {\n\n",
        b"data: []\n\n",
        b"data: \xff\n\n",
        b'data: {"type":3}\n\n',
        b'data: {"type":"response.completed"}\n\n',
        b'data: {"type":"response.output_item.done","output_index":0,"item":{"type":"message"}}\n\n',
        b'data: {"type":"response.output_item.added","output_index":"x"}\n\n',
        b'data: {"type":"response.output_item.added"}\n\n',
        b"data: " + b'{"item":' + b"[" * 3000 + b"]" * 3000 + b"}\n\n",
    ],
)
def test_frames_of_another_wire_are_rejected(frame: bytes) -> None:
    with pytest.raises(BadAnswer):
        CODEC.make_reader().read(frame)


TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)
WORDS = st.text("abc_", min_size=1, max_size=5)
PIECES = st.lists(TEXTS, min_size=1, max_size=4)


def make_text_block(index: int, pieces: list[str], citation: bool) -> list[Event]:
    marks = [Annotation(index, citation=URL_CITATION)] if citation else []
    return [BlockStart(index, "text"), *(Delta(index, piece) for piece in pieces), *marks, BlockStop(index)]


def make_refusal_block(index: int, pieces: list[str], _: bool) -> list[Event]:
    return [BlockStart(index, "refusal"), *(Delta(index, piece) for piece in pieces), BlockStop(index)]


def make_tool_block(index: int, pieces: list[str], signed: bool) -> list[Event]:
    arguments = json.dumps(pieces, ensure_ascii=False)
    middle = len(arguments) // 2
    deltas = [Delta(index, arguments[:middle]), Delta(index, arguments[middle:])]
    marks = [Annotation(index, signature="thought")] if signed else []
    return [BlockStart(index, "tool", id=f"call_{index}", name=pieces[0]), *deltas, *marks, BlockStop(index)]


def make_thinking_block(index: int, pieces: list[str], signed: bool) -> list[Event]:
    wire = "anthropic" if len(pieces) % 2 else "responses"
    marks = [Annotation(index, signature="sig", wire=wire)] if signed else []
    return [BlockStart(index, "thinking"), *(Delta(index, piece) for piece in pieces), *marks, BlockStop(index)]


BLOCKS = st.lists(
    st.tuples(
        st.sampled_from([make_text_block, make_refusal_block, make_tool_block, make_thinking_block]),
        PIECES,
        st.booleans(),
    ),
    max_size=5,
)
FINISHES = st.sampled_from(["stop", "length", "content_filter"])


def make_stream(blocks: Any, reason: Any) -> list[Event]:
    events: list[Event] = [Start("resp_1", "m")]
    for index, (make, pieces, flag) in enumerate(blocks):
        events += make(index, pieces, flag)
    return [*events, Finish(reason), UsageUpdate(Usage(input=3, output=4)), StreamEnd()]


def normalize(events: list[Event]) -> list[Event]:
    """Return events so that equal answers compare equal.

    The wire has its own ids for thinking, the finish follows from the blocks, and usage comes before it.
    """
    kinds = [event.kind for event in events if isinstance(event, BlockStart)]
    implied: Any = "tool_calls" if "tool" in kinds else "refusal" if "refusal" in kinds else "stop"
    normal: list[Event] = []
    for event in events:
        if isinstance(event, BlockStart) and event.kind == "thinking":
            event = BlockStart(event.index, "thinking")
        elif isinstance(event, Finish) and event.reason in ("stop", "tool_calls", "refusal"):
            event = Finish(implied)
        normal.append(event)
    return sorted(normal, key=lambda event: isinstance(event, Finish | StreamEnd) + isinstance(event, StreamEnd))


@given(BLOCKS, FINISHES)
def test_a_written_stream_is_read_back(blocks: Any, reason: Any) -> None:
    events = make_stream(blocks, reason)
    assert normalize(read(SSESplitter().feed(write_stream(events)))) == normalize(events)


@given(BLOCKS, FINISHES, st.lists(st.integers(1, 60), min_size=1, max_size=30))
def test_any_split_of_the_bytes_gives_the_same_events(blocks: Any, reason: Any, sizes: list[int]) -> None:
    stream = write_stream(make_stream(blocks, reason))
    splitter, reader, found, at, turn = CODEC.make_splitter(), CODEC.make_reader(), [], 0, 0
    while at < len(stream):
        size = sizes[turn % len(sizes)]
        found += [event for frame in splitter.feed(stream[at : at + size]) for event in reader.read(frame)]
        at, turn = at + size, turn + 1
    assert not splitter.rest
    assert found == read(SSESplitter().feed(stream))


@given(BLOCKS, FINISHES)
def test_invariants_of_a_written_stream(blocks: Any, reason: Any) -> None:
    """Numbers have no gap, start and end occur once, each item and part opens and closes once, and ids agree."""
    written = decode_stream(write_stream(make_stream(blocks, reason)))
    for event in written:
        EVENTS.validate_python(event)
    kinds = [event["type"] for event in written]
    assert [event["sequence_number"] for event in written] == list(range(len(written)))
    assert kinds[:2] == ["response.created", "response.in_progress"]
    terminal = {"length": "response.incomplete", "content_filter": "response.incomplete"}.get(
        reason, "response.completed"
    )
    assert kinds[-1] == terminal
    assert kinds.count(terminal) == 1
    final = written[-1]["response"]
    assert final["usage"]["total_tokens"] == 7
    items = [event for event in written if event["type"] == "response.output_item.done"]
    assert [event["item"] for event in items] == final["output"]
    opened: dict[int, str] = {}
    texts: dict[tuple[int, int], str] = {}
    for event in written:
        kind = event["type"].removeprefix("response.")
        if kind == "output_item.added":
            assert event["output_index"] == len(opened)
            opened[event["output_index"]] = event["item"]["id"]
        elif kind == "output_item.done":
            assert event["item"]["id"] == opened[event["output_index"]]
            assert event["item"]["status"] != "in_progress"
        elif "item_id" in event:
            assert event["item_id"] == opened[event["output_index"]]
            key = event["output_index"], event.get("content_index", event.get("summary_index", 0))
            if kind.endswith(".delta"):
                texts[key] = texts.get(key, "") + event["delta"]
            elif kind.endswith("text.done"):
                assert event["text"] == texts[key]
            elif kind == "refusal.done":
                assert event["refusal"] == texts[key]
            elif kind == "function_call_arguments.done":
                assert event["arguments"] == texts[key]
                json.loads(event["arguments"])
    count = kinds.count
    assert count("response.output_item.added") == count("response.output_item.done") == len(opened)
    assert count("response.content_part.added") == count("response.content_part.done")
    assert count("response.reasoning_summary_part.added") == count("response.reasoning_summary_part.done")


@given(BLOCKS, FINISHES)
def test_a_whole_answer_equals_the_end_of_its_stream(blocks: Any, reason: Any) -> None:
    events = make_stream(blocks, reason)
    final = decode_stream(write_stream(events))[-1]["response"]
    reply = CODEC.read_reply(json.dumps(final).encode())
    again = json.loads(CODEC.write_reply(reply, REQUEST))
    assert [item["type"] for item in again["output"]] == [item["type"] for item in final["output"]]
    assert again["usage"] == final["usage"]
    assert again["incomplete_details"] == final["incomplete_details"]


def test_events_of_a_second_choice_and_after_the_end_are_left_out() -> None:
    writer = CODEC.make_writer(REQUEST)
    events: list[Event] = [
        Start("resp_1", "m"),
        BlockStart(0, "text"),
        Delta(0, "a"),
        BlockStop(0),
        BlockStart(0, "text", choice=1),
        Delta(0, "b", choice=1),
        BlockStop(0, choice=1),
        Finish("stop"),
        Finish("length", choice=1),
        StreamEnd(),
    ]
    final = decode_stream(b"".join(writer.write(event) for event in events))[-1]
    assert final["type"] == "response.completed"
    assert [item["content"][0]["text"] for item in final["response"]["output"]] == ["a"]
    assert writer.write(StreamEnd()) == b""


def test_an_error_event_ends_the_stream_with_a_failed_response() -> None:
    written = decode_stream(write_stream([Start("resp_1", "m"), StreamError("no", 429)]))
    assert [event["type"] for event in written[-2:]] == ["error", "response.failed"]
    assert written[-2]["error"]["message"] == written[-2]["message"] == "no"
    assert written[-1]["response"]["error"] == {"code": "rate_limit_exceeded", "message": "no"}
    assert [event["sequence_number"] for event in written] == list(range(len(written)))


KEYS = st.sampled_from(
    [
        "type",
        "id",
        "call_id",
        "name",
        "content",
        "text",
        "summary",
        "arguments",
        "refusal",
        "annotations",
        "encrypted_content",
        "output",
        "usage",
        "status",
        "error",
        "model",
        "incomplete_details",
        "input",
        "logprobs",
    ]
)
JSON = st.recursive(
    st.one_of(st.none(), st.integers(), st.just(2**70), TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=10,
)
ITEMS = st.builds(
    lambda kind, rest: {**rest, "type": kind},
    st.sampled_from(["message", "reasoning", "function_call", "custom_tool_call", "output_text", "refusal"]),
    st.dictionaries(KEYS, JSON, max_size=4),
)
ODD = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            [
                "response.created",
                "response.completed",
                "response.failed",
                "error",
                "response.output_item.added",
                "response.output_item.done",
                "response.content_part.added",
                "response.content_part.done",
                "response.output_text.delta",
                "response.output_text.done",
                "response.output_text.annotation.added",
                "response.refusal.delta",
                "response.refusal.done",
                "response.function_call_arguments.delta",
                "response.function_call_arguments.done",
                "response.custom_tool_call_input.delta",
                "response.custom_tool_call_input.done",
                "response.reasoning_summary_text.delta",
                "response.reasoning_text.delta",
            ]
        )
    },
    optional={
        "output_index": st.integers(0, 2),
        "content_index": st.integers(0, 1),
        "delta": TEXTS | JSON,
        "text": TEXTS | JSON,
        "arguments": TEXTS | JSON,
        "input": TEXTS | JSON,
        "item": ITEMS | JSON,
        "part": ITEMS | JSON,
        "annotation": JSON,
        "logprobs": JSON,
        "error": JSON,
        "response": st.fixed_dictionaries({}, optional={"output": st.lists(ITEMS | JSON, max_size=2), "usage": JSON}),
    },
)


@settings(max_examples=400)
@given(st.lists(ODD, max_size=8))
def test_any_events_are_read_in_order_or_rejected(events: list[dict[str, Any]]) -> None:
    """Any input gives one clean error, or blocks that open, grow and close one at a time and can be written."""
    reader, writer, found = CODEC.make_reader(), CODEC.make_writer(REQUEST), []
    try:
        for frame in write_frames(*events):
            found += reader.read(frame)
    except BadAnswer:
        return
    current = None
    for number, event in enumerate(found):
        writer.write(event)
        assert isinstance(event, Start) == (number == 0) or isinstance(event, StreamError)
        if isinstance(event, BlockStart):
            assert current is None
            current = event.index
        elif isinstance(event, Delta | Annotation | BlockStop):
            assert event.index == current
            current = None if isinstance(event, BlockStop) else current
        elif isinstance(event, Finish):
            assert current is None


@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_read_or_rejected(body: bytes) -> None:
    try:
        reply = CODEC.read_reply(body)
    except BadAnswer as error:
        assert error.message
    else:
        assert json.loads(CODEC.write_reply(reply, REQUEST))["object"] == "response"


@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_an_unfinished_response_is_rejected(status: str) -> None:
    body = {"id": "resp_1", "object": "response", "status": status, "model": "m", "output": []}
    with pytest.raises(BadAnswer, match=f"still '{status}'"):
        ResponsesCodec().read_reply(msgspec.json.encode(body))
