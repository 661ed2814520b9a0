"""Streams: golden transcripts, and properties of every stream."""

import json
from typing import Any

import msgspec
import pytest
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import RawMessageStreamEvent
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from antiphon.errors import BadAnswer, Truncated
from antiphon.types import Usage
from antiphon.wires.anthropic import AnthropicCodec
from antiphon.wires.sse import SSESplitter
from antiphon.wires.translation.neutral import (
    Annotation,
    BlockStart,
    BlockStop,
    Delta,
    Event,
    Finish,
    Request,
    Start,
    StreamEnd,
    StreamError,
    UsageUpdate,
)

CODEC = AnthropicCodec()
REQUEST = Request(model="smart", messages=())
OFFICIAL: Any = TypeAdapter(RawMessageStreamEvent)

GOLDEN = [
    {
        "type": "message_start",
        "message": {
            "id": "msg_014p7gG3wDgGV9EUtLvnow3U",
            "type": "message",
            "role": "assistant",
            "model": "claude-opus-5-5",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {
                "input_tokens": 472,
                "cache_creation_input_tokens": 30,
                "cache_read_input_tokens": 20,
                "output_tokens": 2,
            },
        },
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "A tool "}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "knows."}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "EqQB"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "redacted_thinking", "data": "EmwK"}},
    {"type": "content_block_stop", "index": 1},
    {
        "type": "content_block_start",
        "index": 2,
        "content_block": {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}},
    },
    {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": '{"q'}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": '":1}'}},
    {"type": "content_block_stop", "index": 2},
    {
        "type": "content_block_start",
        "index": 3,
        "content_block": {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [{"type": "x"}]},
    },
    {"type": "content_block_stop", "index": 3},
    {"type": "content_block_start", "index": 4, "content_block": {"type": "text", "text": "", "citations": []}},
    {
        "type": "content_block_delta",
        "index": 4,
        "delta": {
            "type": "citations_delta",
            "citation": {
                "type": "web_search_result_location",
                "url": "https://x",
                "title": "X",
                "encrypted_index": "Eo8B",
                "cited_text": "rain",
            },
        },
    },
    {"type": "content_block_delta", "index": 4, "delta": {"type": "text_delta", "text": "It rains in Zürich."}},
    {"type": "content_block_stop", "index": 4},
    {
        "type": "content_block_start",
        "index": 5,
        "content_block": {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}},
    },
    {"type": "content_block_delta", "index": 5, "delta": {"type": "input_json_delta", "partial_json": ""}},
    {"type": "content_block_delta", "index": 5, "delta": {"type": "input_json_delta", "partial_json": '{"city": "Zü'}},
    {"type": "content_block_delta", "index": 5, "delta": {"type": "input_json_delta", "partial_json": 'rich"}'}},
    {"type": "content_block_stop", "index": 5},
    {
        "type": "content_block_start",
        "index": 6,
        "content_block": {"type": "tool_use", "id": "toolu_2", "name": "now", "input": {}},
    },
    {"type": "content_block_stop", "index": 6},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use", "stop_sequence": None},
        "usage": {"output_tokens": 89, "output_tokens_details": {"thinking_tokens": 40}},
    },
    {"type": "message_stop"},
]

GOLDEN_EVENTS = [
    Start(
        "msg_014p7gG3wDgGV9EUtLvnow3U",
        "claude-opus-5-5",
        Usage(input=472, cache_write=30, cache_read=20, output=2),
    ),
    BlockStart(0, "thinking"),
    Delta(0, "A tool "),
    Delta(0, "knows."),
    Annotation(0, "EqQB", wire="anthropic"),
    BlockStop(0),
    BlockStart(1, "thinking"),
    Annotation(1, redacted="EmwK", wire="anthropic"),
    BlockStop(1),
    BlockStart(2, "text"),
    Annotation(
        2,
        citation={
            "type": "web_search_result_location",
            "url": "https://x",
            "title": "X",
            "encrypted_index": "Eo8B",
            "cited_text": "rain",
        },
    ),
    Delta(2, "It rains in Zürich."),
    BlockStop(2),
    BlockStart(3, "tool", "toolu_1", "weather"),
    Delta(3, '{"city": "Zü'),
    Delta(3, 'rich"}'),
    BlockStop(3),
    BlockStart(4, "tool", "toolu_2", "now"),
    Delta(4, "{}"),
    BlockStop(4),
    Finish("tool_calls"),
    UsageUpdate(Usage(input=472, cache_write=30, cache_read=20, output=49, reasoning=40)),
    StreamEnd(),
]


def write_stream(events: list[Event]) -> bytes:
    writer = CODEC.make_writer(REQUEST)
    return b"".join(writer.write(event) for event in events)


def read_documents(data: bytes) -> list[dict[str, Any]]:
    """Return the data of every frame after checking that event names agree with their types."""
    splitter = SSESplitter()
    frames = splitter.feed(data)
    assert not splitter.rest
    found = []
    for frame in frames:
        name, line = frame.decode().removesuffix("\n\n").split("\n")
        document = json.loads(line.removeprefix("data: "))
        assert name == f"event: {document['type']}"
        found.append(document)
    return found


def read_final_message(data: bytes) -> Any:
    """Return the message that the official client reads from a stream; its types validate every event."""
    snapshot, buffers = None, {}
    for document in read_documents(data):
        if document["type"] not in ("ping", "error"):
            event = OFFICIAL.validate_python(document)
            snapshot = accumulate_event(event=event, current_snapshot=snapshot, json_bufs=buffers)
    return snapshot


def test_the_golden_transcript_is_read(stream: Any, read_stream: Any) -> None:
    assert read_stream(stream(*GOLDEN)) == GOLDEN_EVENTS


def test_the_golden_transcript_is_written() -> None:
    found = read_documents(write_stream(GOLDEN_EVENTS))
    assert [document["type"] for document in found[:2]] == ["message_start", "ping"]
    assert found[0]["message"]["usage"] == {
        "input_tokens": 472,
        "cache_creation_input_tokens": 30,
        "cache_read_input_tokens": 20,
        "cache_creation": {"ephemeral_5m_input_tokens": 30, "ephemeral_1h_input_tokens": 0},
        "output_tokens": 2,
        "service_tier": "standard",
        "server_tool_use": None,
    }
    assert [document["index"] for document in found if document["type"] == "content_block_start"] == [0, 1, 2, 3, 4]
    assert found[-2:] == [
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use", "stop_sequence": None, "stop_details": None},
            "usage": {
                "input_tokens": 472,
                "cache_creation_input_tokens": 30,
                "cache_read_input_tokens": 20,
                "output_tokens": 89,
                "output_tokens_details": {"thinking_tokens": 40},
            },
        },
        {"type": "message_stop"},
    ]


def test_the_official_client_reads_what_is_written() -> None:
    message = read_final_message(write_stream(GOLDEN_EVENTS))
    thinking, redacted, text, weather, now = message.content
    assert (thinking.thinking, thinking.signature, redacted.data) == ("A tool knows.", "EqQB", "EmwK")
    assert (text.text, text.citations[0].url) == ("It rains in Zürich.", "https://x")
    assert (weather.id, weather.name, weather.input, now.input) == ("toolu_1", "weather", {"city": "Zürich"}, {})
    assert (message.stop_reason, message.usage.output_tokens_details.thinking_tokens) == ("tool_use", 40)


def test_usage_after_the_finish_is_written() -> None:
    """Other wires send no usage at the start and all of it last."""
    used = Usage(input=9, cache_read=1, output=4, reasoning=2)
    events = [
        Start("", "", None),
        BlockStart(0, "text"),
        Delta(0, "Hi"),
        BlockStop(0),
        Finish("stop"),
        UsageUpdate(used),
        StreamEnd(),
    ]
    message = read_final_message(write_stream(events))
    assert (message.usage.input_tokens, message.usage.cache_read_input_tokens, message.usage.output_tokens) == (9, 1, 6)
    assert (message.model, message.id[:3]) == ("smart", "msg")


def test_a_block_left_open_is_closed_at_the_end() -> None:
    events = [Start("m", "m"), BlockStart(0, "text"), Delta(0, "Hi"), Finish("length"), StreamEnd()]
    types = [document["type"] for document in read_documents(write_stream(events))]
    assert types[-3:] == ["content_block_stop", "message_delta", "message_stop"]


def test_only_the_first_choice_is_written() -> None:
    events = [
        Start("m", "m"),
        BlockStart(0, "text"),
        BlockStart(0, "text", choice=1),
        Delta(0, "A"),
        Delta(0, "B", choice=1),
        BlockStop(0, choice=1),
        Finish("length", choice=1),
        BlockStop(0),
        Finish("stop"),
        StreamEnd(),
    ]
    message = read_final_message(write_stream(events))
    assert ([block.text for block in message.content], message.stop_reason) == (["A"], "end_turn")


def test_a_stream_without_finish_is_never_complete() -> None:
    found = read_documents(
        write_stream([Start("m", "m"), BlockStart(0, "text"), Delta(0, "Hi"), BlockStop(0), StreamEnd()])
    )
    assert found[-1]["type"] == "error"
    assert "message_stop" not in [document["type"] for document in found]


def test_a_failure_ends_everything() -> None:
    writer = CODEC.make_writer(REQUEST)
    writer.write(Start("m", "m"))
    frame = writer.write(StreamError("Overloaded", 529))
    assert read_documents(frame)[0]["error"]["type"] == "overloaded_error"
    assert writer.write(Finish("stop")) + writer.write(StreamEnd()) == b""
    assert read_documents(CODEC.make_writer(REQUEST).fail(Truncated("Cut.")))[0]["error"]["message"] == "Cut."


def test_a_refusal_block_is_text() -> None:
    events = [Start("m", "m"), BlockStart(0, "refusal"), Delta(0, "No."), BlockStop(0), Finish("refusal"), StreamEnd()]
    message = read_final_message(write_stream(events))
    assert (message.content[0].text, message.stop_reason) == ("No.", "refusal")


def test_thinking_of_another_wire_survives_a_client() -> None:
    events: list[Event] = [
        Start("m", "m"),
        BlockStart(0, "thinking", "rs_1"),
        Delta(0, "Hm."),
        Annotation(0, redacted="enc", wire="responses"),
        BlockStop(0),
        BlockStart(1, "tool", "t1", "now"),
        Annotation(1, "thought", wire="gemini"),
        BlockStop(1),
        BlockStart(2, "tool", "t2", "now"),
        Delta(2, '{"a":1}'),
        Annotation(2, "late", wire="gemini"),
        BlockStop(2),
        Finish("tool_calls"),
        StreamEnd(),
    ]
    message = read_final_message(write_stream(events))
    turn = {"role": "assistant", "content": [block.to_dict() for block in message.content]}
    thinking, first, second = CODEC.read_request({"messages": [turn]}, "smart", False).messages[0].parts
    assert (thinking.text, thinking.redacted, thinking.id, thinking.wire) == ("Hm.", "enc", "rs_1", "responses")
    assert (first.id, first.signature, first.arguments) == ("t1", "thought", "{}")
    assert (second.id, second.signature, second.arguments) == ("t2", "late", '{"a":1}')


def test_a_web_citation_of_another_wire_is_written() -> None:
    cited = Annotation(0, citation={"type": "url_citation", "url": "https://x", "title": "X"})
    events = [Start("m", "m"), BlockStart(0, "text"), Delta(0, "A"), cited, BlockStop(0), Finish("stop"), StreamEnd()]
    assert read_final_message(write_stream(events)).content[0].citations[0].url == "https://x"


def test_a_compatible_server_may_put_contents_into_the_opening(stream: Any, read_stream: Any) -> None:
    events = read_stream(
        stream(
            GOLDEN[0],
            GOLDEN[0],
            {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "Hm"}},
            {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": "Hi"}},
            {"type": "content_block_stop", "index": 1},
            {
                "type": "content_block_start",
                "index": 2,
                "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}},
            },
        )
    )
    assert events[1:] == [
        BlockStart(0, "thinking"),
        Delta(0, "Hm"),
        BlockStop(0),
        BlockStart(1, "text"),
        Delta(1, "Hi"),
        BlockStop(1),
        BlockStart(2, "tool", "t", "f"),
        Delta(2, '{"a":1}'),
        BlockStop(2),
    ]


def test_a_refusal_in_a_stream_is_explained(stream: Any, read_stream: Any) -> None:
    delta = {"stop_reason": "refusal", "stop_details": {"type": "refusal", "explanation": "Not this."}}
    events = read_stream(stream(GOLDEN[0], {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 1}}))
    assert events[1:5] == [BlockStart(0, "refusal"), Delta(0, "Not this."), BlockStop(0), Finish("refusal")]


def test_a_stream_without_its_end_marker_ends(stream: Any, read_stream: Any) -> None:
    assert read_stream(stream(*GOLDEN[:-1])) == GOLDEN_EVENTS
    assert read_stream(stream(*GOLDEN[:4])) == [*GOLDEN_EVENTS[:3], BlockStop(0)]


def test_an_error_ends_the_stream(stream: Any, read_stream: Any) -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    assert read_stream(stream(error, *GOLDEN)) == [StreamError("Overloaded", 529)]


@pytest.mark.parametrize(
    "frame",
    [
        b'data: {"type":"content_block_stop","index":0}\n\n',
        b'data: {"type":"message_start"}\n\n',
        b"data: <html>\n\n",
    ],
)
def test_forbidden_events_are_refused(frame: bytes) -> None:
    with pytest.raises(BadAnswer):
        CODEC.make_reader().read(frame)


@pytest.mark.parametrize("index", [-1, 0, 1])
def test_a_delta_of_a_block_that_is_not_open_is_an_error(stream: Any, read_stream: Any, index: int) -> None:
    piece = {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": "Hi"}}
    with pytest.raises(BadAnswer, match=f"block {index}, which is not open"):
        read_stream(stream(GOLDEN[0], piece))
    opened = {"type": "content_block_start", "index": 2, "content_block": {"type": "text", "text": ""}}
    with pytest.raises(BadAnswer, match=f"block {index}, which is not open"):
        read_stream(stream(GOLDEN[0], opened, piece))


def test_a_tool_call_whose_input_is_no_object() -> None:
    reader = CODEC.make_reader()
    reader.read(b"data: " + msgspec.json.encode(GOLDEN[0]) + b"\n\n")
    opening = b'{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","input":[]}}'
    with pytest.raises(BadAnswer):
        reader.read(b"data: " + opening + b"\n\n")


# Properties of every stream.

texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
names = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=8)
counts = st.integers(0, 10**6)


@st.composite
def draw_arguments(draw: st.DrawFn) -> list[str]:
    """Draw the JSON of an object in pieces."""
    text = json.dumps(draw(st.dictionaries(names, st.one_of(texts, counts, st.none()), max_size=3)))
    cuts = sorted(draw(st.lists(st.integers(1, len(text) - 1), max_size=3, unique=True)))
    return [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@st.composite
def draw_block(draw: st.DrawFn, index: int) -> list[Event]:
    kind = draw(st.sampled_from(("text", "thinking", "redacted", "tool", "call")))
    if kind == "tool":
        opened: list[Event] = [BlockStart(index, "tool", f"t{index}", draw(names))]
        if draw(st.booleans()):
            opened.append(Annotation(index, draw(texts), wire="gemini"))
        return [*opened, *(Delta(index, text) for text in draw(draw_arguments())), BlockStop(index)]
    if kind == "call":
        return [BlockStart(index, "tool", f"t{index}", draw(names)), Delta(index, "{}"), BlockStop(index)]
    if kind == "redacted":
        return [
            BlockStart(index, "thinking"),
            Annotation(index, redacted=draw(texts), wire="anthropic"),
            BlockStop(index),
        ]
    deltas: list[Event] = [Delta(index, text) for text in draw(st.lists(texts, min_size=1, max_size=4))]
    if kind == "text":
        return [BlockStart(index, "text"), *deltas, BlockStop(index)]
    signed = draw(st.sampled_from(("anthropic", "gemini", "")))
    annotations: list[Event] = [Annotation(index, draw(texts), wire=signed)] if signed else []
    return [BlockStart(index, "thinking"), *deltas, *annotations, BlockStop(index)]


usages = st.builds(Usage, **dict.fromkeys(("input", "cache_read", "cache_write", "output", "reasoning"), counts))


@st.composite
def draw_stream(draw: st.DrawFn) -> list[Event]:
    """Draw events in the order that the neutral form promises."""
    events: list[Event] = [Start("msg_1", "m", draw(usages))]
    for index in range(draw(st.integers(0, 4))):
        events += draw(draw_block(index))
    sequence = draw(st.sampled_from(("", "END")))
    reason = "stop" if sequence else draw(st.sampled_from(("stop", "length", "refusal")))
    return [*events, Finish(reason, sequence), UsageUpdate(draw(usages)), StreamEnd()]


@given(draw_stream())
@settings(max_examples=150, deadline=None)
def test_a_written_stream_reads_back(events: list[Event]) -> None:
    data = write_stream(events)
    splitter, reader = SSESplitter(), CODEC.make_reader()
    found = [event for frame in splitter.feed(data) for event in reader.read(frame)] + reader.close()
    start = found[0]
    assert isinstance(start, Start)
    assert found == events


@given(draw_stream())
@settings(max_examples=150, deadline=None)
def test_every_stream_is_well_formed(events: list[Event]) -> None:
    found = read_documents(write_stream(events))
    types = [document["type"] for document in found]
    assert types.count("message_start") == types.count("message_delta") == types.count("message_stop") == 1
    assert (types[0], types[-2], types[-1]) == ("message_start", "message_delta", "message_stop")
    opened, at, pieces = -1, None, {}
    for document in found:
        match document["type"]:
            case "content_block_start":
                assert at is None
                assert document["index"] == opened + 1
                opened = at = document["index"]
                if document["content_block"]["type"] == "tool_use":
                    pieces[at] = ""
            case "content_block_delta":
                assert document["index"] == at
                if at in pieces:
                    pieces[at] += document["delta"]["partial_json"]
            case "content_block_stop":
                assert document["index"] == at
                at = None
    assert at is None
    sent = "".join(event.text for event in events if isinstance(event, Delta))
    assert all(isinstance(json.loads(text), dict) and text in sent for text in pieces.values())
    assert read_final_message(write_stream(events)) is not None


@given(draw_stream(), st.data())
@settings(max_examples=60, deadline=None)
def test_any_split_reads_the_same(events: list[Event], data: st.DataObject) -> None:
    whole = write_stream(events)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=20)))
    splitter, reader = SSESplitter(), CODEC.make_reader()
    found: list[Event] = []
    for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        for frame in splitter.feed(whole[start:end]):
            found += reader.read(frame)
    assert found + reader.close() == events
