"""Converse answers and streams, to and from the neutral form; botocore's own parser reads our output."""

import base64
import contextlib
import json
from itertools import pairwise

import botocore.session
import msgspec
import pytest
from botocore.eventstream import EventStreamBuffer
from botocore.parsers import create_parser
from hypothesis import given
from hypothesis import strategies as st

from antiphon.errors import BadAnswer, RateLimited, Truncated
from antiphon.types import Usage
from antiphon.wires.aws.eventstream import MessageReader, encode_headers, encode_message
from antiphon.wires.bedrock import BedrockCodec, citations, frames
from antiphon.wires.translation.foreign_signatures import ForeignSignature, pack_signature
from antiphon.wires.translation.media import write_markdown
from antiphon.wires.translation.neutral import (
    Annotation,
    Audio,
    BlockStart,
    BlockStop,
    Choice,
    Delta,
    Finish,
    Image,
    Media,
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

CODEC = BedrockCodec()
REQUEST = Request(model="m", messages=(Message("user", (Text("Hi"),)),))
SERVICE = botocore.session.get_session().get_service_model("bedrock-runtime")
USED = {
    "inputTokens": 30,
    "outputTokens": 8,
    "totalTokens": 138,
    "cacheReadInputTokens": 100,
    "cacheWriteInputTokens": 0,
}
USAGE = Usage(input=30, cache_read=100, output=8)


def write_answer(*blocks, stop_reason="end_turn", **more):
    return msgspec.json.encode(
        {
            "output": {"message": {"role": "assistant", "content": list(blocks)}},
            "stopReason": stop_reason,
            "usage": USED,
            "metrics": {"latencyMs": 712},
            **more,
        }
    )


def make_reply(*parts, finish=None, usage=USAGE):
    return Reply(id="", model="", choices=(Choice(parts, finish or Finish("stop")),), usage=usage)


def parse_with_botocore(body):
    parser = create_parser("rest-json")
    parsed = parser.parse(
        {"status_code": 200, "headers": {}, "body": body}, SERVICE.operation_model("Converse").output_shape
    )
    parsed.pop("ResponseMetadata")
    return parsed


# --- whole answers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("block", "part"),
    [
        ({"text": "Hello"}, Text("Hello")),
        ({"toolUse": {"toolUseId": "t", "name": "f", "input": {}}}, ToolCall("t", "f")),
        (
            {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "sig"}}},
            Thinking("hm", "sig", wire="bedrock"),
        ),
        ({"reasoningContent": {"redactedContent": "QUJD"}}, Thinking(redacted="QUJD", wire="bedrock")),
        (
            {"citationsContent": {"content": [{"text": "so"}], "citations": [
                {"title": "D", "sourceContent": [{"text": "x"}],
                 "location": {"documentChar": {"documentIndex": 0, "start": 1, "end": 2}}}]}},
            Text("so", citations=({"type": "char_location", "cited_text": "x", "document_index": 0,
                                   "start_char_index": 1, "end_char_index": 2, "document_title": "D"},)),
        ),
        ({"image": {"format": "png", "source": {"bytes": "QUJD"}}}, Image(data="QUJD", media_type="image/png")),
    ],
)  # fmt: skip
def test_a_block_of_an_answer_is_the_same_part_both_ways(block, part):
    called = type(part) is ToolCall
    finish, stop_reason = (Finish("tool_calls"), "tool_use") if called else (Finish("stop"), "end_turn")
    assert CODEC.read_reply(write_answer(block, stop_reason=stop_reason)) == make_reply(part, finish=finish)
    written = msgspec.json.decode(CODEC.write_reply(make_reply(part, finish=finish), REQUEST))
    assert written == msgspec.json.decode(write_answer(block, stop_reason=stop_reason, metrics={"latencyMs": 0}))


def test_tool_arguments_stay_unchanged():
    body = (
        b'{"output":{"message":{"content":[{"toolUse":{"toolUseId":"t","name":"f","input":{ "n" : 1.0, "b":%d }}}]}},'
        % (10**30)
        + b'"stopReason":"tool_use"}'
    )
    (part,) = CODEC.read_reply(body).choices[0].parts
    assert part.arguments == '{ "n" : 1.0, "b":%d }' % 10**30  # noqa: UP031
    assert part.arguments.encode() in CODEC.write_reply(make_reply(part), REQUEST)


@pytest.mark.parametrize(
    ("stop_reason", "called", "finish"),
    [
        ("end_turn", False, Finish("stop")),
        ("end_turn", True, Finish("tool_calls")),
        ("tool_use", True, Finish("tool_calls")),
        ("tool_use", False, Finish("stop")),
        ("max_tokens", True, Finish("length")),
        ("model_context_window_exceeded", False, Finish("length")),
        ("stop_sequence", False, Finish("stop")),
        ("guardrail_intervened", False, Finish("content_filter")),
        ("content_filtered", False, Finish("content_filter")),
        ("something_new", False, Finish("stop")),
    ],
)
def test_each_stop_reason_becomes_a_neutral_finish(stop_reason, called, finish):
    blocks = [{"toolUse": {"toolUseId": "t", "name": "f", "input": {}}}] if called else [{"text": "x"}]
    assert CODEC.read_reply(write_answer(*blocks, stop_reason=stop_reason)).choices[0].finish == finish


def test_the_stop_sequence_is_read_and_written():
    body = write_answer(
        {"text": "x"}, stop_reason="stop_sequence", additionalModelResponseFields={"stop_sequence": "END"}
    )
    got = CODEC.read_reply(body)
    assert got.choices[0].finish == Finish("stop", "END")
    assert parse_with_botocore(CODEC.write_reply(got, REQUEST))["additionalModelResponseFields"] == {
        "stop_sequence": "END"
    }


@pytest.mark.parametrize("stop_reason", ["malformed_model_output", "malformed_tool_use"])
def test_malformed_output_is_a_bad_answer(stop_reason):
    with pytest.raises(BadAnswer, match=stop_reason):
        CODEC.read_reply(write_answer({"text": "x"}, stop_reason=stop_reason))


def test_calls_of_tools_that_the_provider_ran_are_left_out():
    body = write_answer(
        {"toolUse": {"toolUseId": "t", "name": "nova_grounding", "input": {}, "type": "server_tool_use"}},
        {"toolResult": {"toolUseId": "t", "content": [], "type": "nova_grounding_result"}},
        {"text": "found"},
    )
    assert CODEC.read_reply(body) == make_reply(Text("found"))


@pytest.mark.parametrize(
    ("reason", "stop_reason"),
    [("stop", "end_turn"), ("length", "max_tokens"), ("tool_calls", "tool_use"), ("content_filter", "content_filtered"),
     ("refusal", "content_filtered"), ("pause", "end_turn")],
)  # fmt: skip
def test_botocore_reads_a_written_answer(reason, stop_reason):
    parsed = parse_with_botocore(
        CODEC.write_reply(
            make_reply(
                Thinking("hm", "own", wire="gemini"),
                Text("grüß"),
                Text(""),
                Refusal("no"),
                ToolCall("t", "f", '{"a":'),
                ToolCall("u", "g", "{}", signature="proof"),
                finish=Finish(reason),
                usage=Usage(
                    input=1,
                    audio_input=2,
                    cache_read=4,
                    cache_write=3,
                    cache_write_long=5,
                    output=16,
                    reasoning=32,
                ),
            ),
            REQUEST,
        )
    )
    assert parsed["stopReason"] == stop_reason
    assert parsed["usage"] == {
        "inputTokens": 3, "outputTokens": 48, "totalTokens": 63, "cacheReadInputTokens": 4, "cacheWriteInputTokens": 8,
        "cacheDetails": [{"ttl": "1h", "inputTokens": 5}, {"ttl": "5m", "inputTokens": 3}],
    }  # fmt: skip
    assert parsed["metrics"] == {"latencyMs": 0}
    assert parsed["output"]["message"]["content"] == [
        {
            "reasoningContent": {
                "reasoningText": {"text": "hm", "signature": pack_signature(ForeignSignature("gemini", "own"))}
            }
        },
        {"text": "grüß"},
        {"text": "no"},
        {"toolUse": {"toolUseId": "t", "name": "f", "input": {"arguments": '{"a":'}}},
        {"toolUse": {"toolUseId": "u", "name": "g", "input": {}}},
        {"reasoningContent": {"reasoningText": {"text": "", "signature": pack_signature(
            ForeignSignature(signature="proof", call="u"))}}},
    ]  # fmt: skip


@pytest.mark.parametrize("part", [Image(url="https://example.org/a.png"), Audio(data="AA==", media_type="audio/midi")])
def test_media_without_a_block_are_written_as_text(part):
    written = msgspec.json.decode(CODEC.write_reply(make_reply(part), REQUEST))
    assert written["output"]["message"]["content"] == [{"text": write_markdown(part)}]


def test_audio_has_a_block():
    written = CODEC.write_reply(make_reply(Audio(data="AA==", media_type="audio/wav")), REQUEST)
    assert msgspec.json.decode(written)["output"]["message"]["content"] == [
        {"audio": {"format": "wav", "source": {"bytes": "AA=="}}}
    ]


PLACES = [
    ({"documentChunk": {"documentIndex": 2, "start": 0, "end": 1}},
     {"type": "content_block_location", "document_index": 2, "start_block_index": 0, "end_block_index": 1}),
    ({"searchResultLocation": {"searchResultIndex": 1, "start": 0, "end": 1}},
     {"type": "search_result_location", "search_result_index": 1, "start_block_index": 0, "end_block_index": 1}),
    ({"web": {"url": "https://a"}}, {"type": "web_search_result_location", "url": "https://a"}),
]  # fmt: skip


@pytest.mark.parametrize(("location", "neutral"), PLACES)
def test_citations_both_ways(location, neutral):
    citation = {"title": "T", "source": "S", "sourceContent": [{"text": "x"}], "location": location}
    title = "document_title" if "document_index" in neutral else "title"
    read = citations.read_citation(citation)
    assert read == {**neutral, title: "T", "source": "S", "cited_text": "x"}
    assert citations.write_citation(read) == citation


shapes = st.none() | st.just("x") | st.just([{"text": 1}, 2]) | st.just({"web": 1}) | st.just({})
members = st.sampled_from(["title", "source", "sourceContent", "location", "type", "url"])


@given(st.dictionaries(members, shapes, max_size=5))
def test_citations_of_any_shape_are_read_and_written(citation):
    assert type(citations.read_citation(citation)["type"]) is str
    citations.write_citation(citation)


def test_missing_usage_is_written_as_zeros():
    assert (
        parse_with_botocore(CODEC.write_reply(make_reply(Text("x"), usage=None), REQUEST))["usage"]["totalTokens"] == 0
    )


# --- streams ---------------------------------------------------------------------------------------------------------


def write_delta(index, **kind):
    return frames.write_event(frames.BLOCK_DELTA, {"contentBlockIndex": index, "delta": kind, "p": "abcdefghijkl"})


def write_tool_start(index, identifier, name, **more):
    start = {"toolUse": {"toolUseId": identifier, "name": name, **more}}
    return frames.write_event(frames.BLOCK_START, {"contentBlockIndex": index, "start": start})


def write_block_stop(index):
    return frames.write_event(frames.BLOCK_STOP, {"contentBlockIndex": index})


BEGIN = frames.write_event(frames.MESSAGE_START, {"role": "assistant", "p": "abc"})
META = frames.write_event(frames.METADATA, {"usage": USED, "metrics": {"latencyMs": 900}, "trace": {}})


def write_message_stop(reason="end_turn", **more):
    return frames.write_event(frames.MESSAGE_STOP, {"stopReason": reason, **more})


def read_events(*sent, reader=None):
    reader = reader or CODEC.make_reader()
    return [event for frame in sent for event in reader.read(frame)] + reader.close()


# Thinking, text and two tool calls, as Claude streams them: text and reasoning have no contentBlockStart.
GOLDEN = [
    BEGIN,
    write_delta(0, reasoningContent={"text": "Let me"}),
    write_delta(0, reasoningContent={"text": " see."}),
    write_delta(0, reasoningContent={"signature": "EqQB"}),
    write_block_stop(0),
    write_delta(1, reasoningContent={"redactedContent": "QUJD"}),
    write_block_stop(1),
    write_delta(2, text="I will "),
    write_delta(2, text="look.😀"),
    write_block_stop(2),
    write_tool_start(3, "tooluse_1", "get_weather"),
    write_delta(3, toolUse={"input": ""}),
    write_delta(3, toolUse={"input": '{"city"'}),
    write_delta(3, toolUse={"input": ':"Zürich"}'}),
    write_block_stop(3),
    write_tool_start(4, "tooluse_2", "now"),
    write_block_stop(4),
    write_message_stop("tool_use"),
    META,
]
EVENTS = [
    Start("", ""),
    BlockStart(0, "thinking"),
    Delta(0, "Let me"),
    Delta(0, " see."),
    Annotation(0, signature="EqQB", wire="bedrock"),
    BlockStop(0),
    BlockStart(1, "thinking"),
    Annotation(1, redacted="QUJD", wire="bedrock"),
    BlockStop(1),
    BlockStart(2, "text"),
    Delta(2, "I will "),
    Delta(2, "look.😀"),
    BlockStop(2),
    BlockStart(3, "tool", "tooluse_1", "get_weather"),
    Delta(3, '{"city"'),
    Delta(3, ':"Zürich"}'),
    BlockStop(3),
    BlockStart(4, "tool", "tooluse_2", "now"),
    Delta(4, "{}"),
    BlockStop(4),
    Finish("tool_calls"),
    UsageUpdate(USAGE),
    StreamEnd(),
]


def test_a_stream_is_read_as_neutral_events():
    assert read_events(*GOLDEN) == EVENTS


def test_a_stream_is_written_as_the_provider_writes_it():
    writer = CODEC.make_writer(REQUEST)
    written = b"".join(writer.write(event) for event in EVENTS)
    reader = MessageReader()
    got = [reader.read(frame) for frame in CODEC.make_splitter().feed(written)]
    kinds = [message.get_text(":event-type") for message in got]
    assert kinds[:3] == ["messageStart", "contentBlockDelta", "contentBlockDelta"]
    assert kinds[-2:] == ["messageStop", "metadata"]
    assert kinds.count("contentBlockStart") == 2  # of the tools
    assert {message.get_text(":content-type") for message in got} == {"application/json"}
    assert read_events(*CODEC.make_splitter().feed(written)) == EVENTS


def parse_stream_with_botocore(data):
    parser = create_parser("rest-json")
    shape = SERVICE.operation_model("ConverseStream").output_shape.members["stream"]
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    return [parser._event_stream_parser.parse(event.to_response_dict(), shape) for event in buffer]


def test_botocore_reads_a_written_stream():
    writer = CODEC.make_writer(REQUEST)
    got = parse_stream_with_botocore(b"".join(writer.write(event) for event in EVENTS))
    assert [next(iter(event)) for event in got].count("contentBlockStop") == 5
    assert got[0] == {"messageStart": {"role": "assistant"}}
    text = "".join(event["contentBlockDelta"]["delta"].get("text", "") for event in got if "contentBlockDelta" in event)
    assert text == "I will look.😀"
    redacted = [event["contentBlockDelta"]["delta"] for event in got if "contentBlockDelta" in event][3]
    assert redacted == {"reasoningContent": {"redactedContent": b"ABC"}}
    assert got[-1]["metadata"]["usage"] == USED


def test_a_stream_with_usage_before_the_finish_ends_with_it():
    writer = CODEC.make_writer(REQUEST)
    written = [
        writer.write(event)
        for event in (
            Start("id", "m", Usage(input=9)),
            UsageUpdate(USAGE),
            Finish("stop", "END"),
            StreamEnd(),
            StreamEnd(),
        )
    ]
    assert written[1] == written[4] == b""
    got = parse_stream_with_botocore(b"".join(written))
    assert got[1] == {
        "messageStop": {"stopReason": "stop_sequence", "additionalModelResponseFields": {"stop_sequence": "END"}}
    }
    assert got[2]["metadata"]["usage"] == USED


def test_a_citation_is_written_and_read():
    location = {"type": "page_location", "cited_text": "x", "document_index": 1, "start_page_number": 2,
                "end_page_number": 3, "document_title": "D"}  # fmt: skip
    events = [Start("", ""), BlockStart(0, "text"), Delta(0, "so"),
              Annotation(0, citation=location, wire="bedrock"), BlockStop(0),
              Finish("stop"), StreamEnd()]  # fmt: skip
    writer = CODEC.make_writer(REQUEST)
    written = b"".join(writer.write(event) for event in events)
    cited = parse_stream_with_botocore(written)[2]["contentBlockDelta"]["delta"]["citation"]
    assert cited["location"] == {"documentPage": {"documentIndex": 1, "start": 2, "end": 3}}
    assert [
        event for event in read_events(*CODEC.make_splitter().feed(written)) if type(event) is not UsageUpdate
    ] == events


def test_signatures_of_other_wires_travel_in_a_stream():
    events = [
        Start("", ""),
        BlockStart(0, "thinking"),
        Delta(0, "hm"),
        Annotation(0, signature="own", wire="gemini"),
        Annotation(0, redacted="sealed", wire="gemini"),
        BlockStop(0),
        BlockStart(1, "tool", "t", "f"),
        Delta(1, "{}"),
        Annotation(1, signature="proof", wire="gemini"),
        BlockStop(1),
        Finish("tool_calls"),
        StreamEnd(),
    ]
    writer = CODEC.make_writer(REQUEST)
    got = parse_stream_with_botocore(b"".join(writer.write(event) for event in events))
    deltas = [event["contentBlockDelta"] for event in got if "contentBlockDelta" in event]
    assert [(one["contentBlockIndex"], one["delta"]) for one in deltas] == [
        (0, {"reasoningContent": {"text": "hm"}}),
        (0, {"reasoningContent": {"signature": pack_signature(ForeignSignature("gemini", "own", "sealed"))}}),
        (1, {"toolUse": {"input": "{}"}}),
        (2, {"reasoningContent": {"signature": pack_signature(ForeignSignature("gemini", "proof", id="t", call="t"))}}),
    ]
    stops = [event["contentBlockStop"]["contentBlockIndex"] for event in got if "contentBlockStop" in event]
    assert stops == [0, 1, 2]


def test_unsigned_thinking_is_marked_so_that_no_provider_receives_it():
    writer = CODEC.make_writer(REQUEST)
    events = [Start("", ""), BlockStart(0, "thinking"), Delta(0, "hm"), BlockStop(0), Finish("stop"), StreamEnd()]
    got = parse_stream_with_botocore(b"".join(writer.write(event) for event in events))
    assert got[2]["contentBlockDelta"]["delta"] == {
        "reasoningContent": {"signature": pack_signature(ForeignSignature())}
    }


def test_a_refusal_is_text_and_further_choices_are_left_out():
    writer = CODEC.make_writer(REQUEST)
    written = b"".join(
        writer.write(event)
        for event in (BlockStart(0, "refusal"), Delta(0, "no"), BlockStart(0, "text", choice=1),
                      Delta(0, "b", choice=1),
                      BlockStop(0, choice=1), Finish("stop", choice=1), BlockStop(0), Finish("refusal"))
    )  # fmt: skip
    got = parse_stream_with_botocore(written)
    assert [next(iter(event)) for event in got] == ["contentBlockDelta", "contentBlockStop", "messageStop"]
    assert got[0]["contentBlockDelta"]["delta"] == {"text": "no"}


def test_a_block_without_content_takes_no_number():
    writer = CODEC.make_writer(REQUEST)
    written = b"".join(
        writer.write(event)
        for event in (BlockStart(0, "text"), BlockStop(0), BlockStart(1, "text"), Delta(1, "x"), BlockStop(1))
    )
    assert parse_stream_with_botocore(written)[0]["contentBlockDelta"]["contentBlockIndex"] == 0


@pytest.mark.parametrize(
    ("name", "status"),
    [("throttlingException", 429), ("validationException", 400), ("internalServerException", 500),
     ("serviceUnavailableException", 503), ("modelStreamErrorException", 502), ("unknownException", 502)],
)  # fmt: skip
def test_an_exception_frame_is_a_stream_error(name, status):
    assert read_events(frames.write_exception(name, "too many")) == [StreamError(f"{name}: too many", status)]


def test_a_broken_stream_ends_with_an_exception_frame():
    writer = CODEC.make_writer(REQUEST)
    for written, name in (
        (writer.fail(Truncated("cut short")), "modelStreamErrorException"),
        (writer.fail(RateLimited("cut short", status=429, body=b"", headers=())), "throttlingException"),
        (writer.write(StreamError("cut short", 400)), "validationException"),
        (writer.write(StreamError("cut short")), "modelStreamErrorException"),
    ):
        buffer = EventStreamBuffer()
        buffer.add_data(written)
        (event,) = buffer
        parsed = event.to_response_dict()
        assert parsed["status_code"] == 400  # which makes the client raise
        assert parsed["headers"][":exception-type"] == name
        assert json.loads(parsed["body"]) == {"message": "cut short"}


@pytest.mark.parametrize(
    "sent",
    [
        [write_delta(0, toolUse={"input": "{}"})],  # input without the tool
        [write_delta(0, text="a"), write_delta(0, toolUse={"input": "{}"})],  # two kinds in one block
        [write_tool_start(0, "t", "f"), write_delta(0, text="a")],
        [write_delta(1, text="a"), write_block_stop(1), write_delta(0, text="b")],  # back to a closed block
        [write_delta(0, text="a"), write_delta(1, text="b"), write_delta(0, text="c")],
        [write_message_stop(), write_delta(0, text="a")],  # content after the end
        [write_message_stop("malformed_tool_use")],
        [write_message_stop(), write_message_stop()],
        [frames.write_event(frames.BLOCK_DELTA, {"delta": {"text": "a"}})],
        [frames.write_event(frames.BLOCK_DELTA, {"contentBlockIndex": 0, "delta": {"text": 1}})],
        [encode_message(frames.BLOCK_DELTA, b"{")],
        [encode_message(frames.BLOCK_DELTA, b"[" * 9999)],
        [b"data: hello\n\n"],
    ],
)  # fmt: skip
def test_events_in_a_forbidden_order_are_a_bad_answer(sent):
    with pytest.raises(BadAnswer):
        read_events(BEGIN, *sent)


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        (
            [{"source": {"bytes": "QUJD"}}, {"source": {"bytes": "REVG"}}],
            [Media(0, Image("", "QUJDREVG", "image/png"))],
        ),
        ([{"error": {"message": "Not that."}}], [BlockStart(0, "text"), Delta(0, "Not that."), BlockStop(0)]),
        ([], []),
    ],
    ids=["in pieces", "an error", "nothing"],
)
def test_an_image_in_a_stream_is_one_event_when_it_is_whole(pieces, expected):
    begin = frames.write_event(frames.BLOCK_START, {"contentBlockIndex": 0, "start": {"image": {"format": "png"}}})
    events = read_events(
        BEGIN,
        begin,
        *(write_delta(0, image=piece) for piece in pieces),
        write_block_stop(0),
        write_delta(1, text="x"),
        write_block_stop(1),
        write_message_stop(),
    )
    at = len(expected)
    assert events[1 : 1 + at] == expected
    assert [event.text for event in events[1 + at :] if isinstance(event, Delta)] == ["x"]


@pytest.mark.parametrize(
    "sent", [[write_delta(0, text="a")], [write_tool_start(0, "t", "f")], [write_message_stop()], [BEGIN, BEGIN]]
)
def test_a_message_begins_once_and_first(sent):
    with pytest.raises(BadAnswer):
        read_events(*sent)


def test_empty_and_unknown_and_provider_blocks_are_skipped():
    news = encode_message(encode_headers([(":event-type", "news"), (":message-type", "event")]), b"{}")
    server = write_tool_start(0, "t", "nova_grounding", type="server_tool_use")
    result = frames.write_event(
        frames.BLOCK_START, {"contentBlockIndex": 1, "start": {"toolResult": {"toolUseId": "t"}}}
    )
    assert read_events(
        BEGIN, news, server, write_delta(0, toolUse={"input": "{}"}), write_block_stop(0), result,
        write_delta(1, toolResult=[{"text": "x"}]), write_block_stop(1), write_block_stop(2), write_delta(3, text=""),
        write_delta(3, text="a"), write_delta(3, text=""), write_delta(4, text="b"), write_message_stop("tool_use"),
        META,
    ) == [
        Start("", ""), BlockStart(0, "text"), Delta(0, "a"), BlockStop(0), BlockStart(1, "text"),
        Delta(1, "b"), BlockStop(1), Finish("stop"), UsageUpdate(USAGE), StreamEnd(),
    ]  # fmt: skip


def test_a_stream_without_usage_ends():
    assert read_events(BEGIN, write_delta(0, text="a"), write_message_stop())[-2:] == [Finish("stop"), StreamEnd()]
    assert read_events(*GOLDEN).count(StreamEnd()) == 1


def test_a_stream_cut_short_has_no_finish_and_no_end():
    reader = CODEC.make_reader()
    got = read_events(BEGIN, write_delta(0, text="a"), reader=reader)
    assert got == [Start("", ""), BlockStart(0, "text"), Delta(0, "a"), BlockStop(0)]
    assert reader.close() == []


# --- properties ------------------------------------------------------------------------------------------------------

pieces = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=6)
names = st.from_regex(r"\A[a-zA-Z0-9_-]{1,12}\Z")


def cut_text(text, places):
    marks = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[a:b] for a, b in pairwise(marks) if a < b]


texts = st.lists(pieces, min_size=1, max_size=3).map(lambda deltas: ("text", "", "", deltas, []))
thoughts = st.tuples(st.lists(pieces, min_size=1, max_size=3), pieces).map(
    lambda drawn: ("thinking", "", "", drawn[0], [Annotation(0, signature=drawn[1], wire="bedrock")])
)
redacted = st.binary(min_size=1, max_size=9).map(
    lambda data: ("thinking", "", "", [], [Annotation(0, redacted=base64.b64encode(data).decode(), wire="bedrock")])
)
calls = st.tuples(
    names,
    names,
    st.dictionaries(pieces, pieces | st.integers(-9, 9) | st.none(), max_size=3),
    st.lists(st.integers(0, 99), max_size=3),
).map(lambda drawn: ("tool", drawn[0], drawn[1], cut_text(json.dumps(drawn[2], ensure_ascii=False), drawn[3]), []))
_BUCKETS = ("input", "cache_read", "cache_write", "cache_write_long", "output")
usages = st.builds(Usage, **dict.fromkeys(_BUCKETS, st.integers(0, 9)))


@st.composite
def make_streams(draw):
    made = [Start("", "")]
    blocks = draw(st.lists(texts | thoughts | redacted | calls, max_size=5))
    for index, (kind, identifier, name, deltas, marks) in enumerate(blocks):
        made.append(BlockStart(index, kind, identifier, name))
        made += [Delta(index, text) for text in deltas]
        made += [msgspec.structs.replace(mark, index=index) for mark in marks]
        made.append(BlockStop(index))
    called = any(kind == "tool" for kind, *_ in blocks)
    made.append(Finish(draw(st.sampled_from(["tool_calls" if called else "stop", "length", "content_filter"]))))
    return [*made, UsageUpdate(draw(usages)), StreamEnd()]


@given(make_streams(), st.lists(st.integers(0, 3000), max_size=8))
def test_a_written_stream_is_read_back_over_any_split(events, cuts):
    writer = CODEC.make_writer(REQUEST)
    data = b"".join(writer.write(event) for event in events)
    places = [0, *sorted(min(place, len(data)) for place in cuts), len(data)]
    splitter, reader = CODEC.make_splitter(), CODEC.make_reader()
    got = [event for a, b in pairwise(places) for frame in splitter.feed(data[a:b]) for event in reader.read(frame)]
    assert got + reader.close() == events
    assert not splitter.rest
    parse_stream_with_botocore(data)


kinds = st.sampled_from([frames.MESSAGE_START, frames.BLOCK_START, frames.BLOCK_DELTA, frames.BLOCK_STOP,
                         frames.MESSAGE_STOP, frames.METADATA])  # fmt: skip
payloads = st.fixed_dictionaries(
    {},
    optional={
        "contentBlockIndex": st.integers(0, 3),
        "start": st.sampled_from([{}, {"toolUse": {"toolUseId": "t", "name": "f"}}, {"toolResult": {}}]),
        "delta": st.sampled_from(
            [{}, {"text": "a"}, {"text": ""}, {"toolUse": {"input": "{}"}}, {"reasoningContent": {"text": "a"}},
             {"reasoningContent": {}}, {"reasoningContent": {"signature": "s"}}, {"citation": {}}]
        ),
        "stopReason": st.sampled_from(["end_turn", "tool_use", "x", "malformed_tool_use"]),
        "usage": st.sampled_from([{}, None, USED, {"inputTokens": -1, "outputTokens": 2}]),
    },
)  # fmt: skip


@given(st.lists(st.tuples(kinds, payloads), max_size=12))
def test_blocks_open_once_close_once_and_in_order_for_any_input(sent):
    reader = CODEC.make_reader()
    got = reader.read(BEGIN)
    with contextlib.suppress(BadAnswer):
        for block, payload in sent:
            got += reader.read(frames.write_event(block, payload))
    got += reader.close()
    assert [type(event) for event in got].count(Start) == 1
    assert [type(event) for event in got].count(Finish) <= 1
    is_open, following = None, 0
    for event in got:
        if type(event) is BlockStart:
            assert is_open is None
            assert event.index == following
            is_open, following = event.index, following + 1
        elif type(event) in (Delta, Annotation):
            assert event.index == is_open
        elif type(event) is BlockStop:
            assert event.index == is_open
            is_open = None
        elif type(event) is Finish:
            assert is_open is None
    assert is_open is None


@given(st.binary(max_size=60), kinds)
def test_random_bytes_only_raise_bad_answer(data, block):
    for attempt in (CODEC.read_reply, CODEC.make_reader().read, CODEC.make_splitter().feed):
        with contextlib.suppress(BadAnswer):
            attempt(data)
    with contextlib.suppress(BadAnswer):
        CODEC.make_reader().read(encode_message(block, data))
    with contextlib.suppress(BadAnswer):
        CODEC.make_reader().read(encode_message(data, b"{}"))
