"""The Responses wire as passthrough: checking and changing requests, observing answers."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon import types
from antiphon.errors import (
    BadAnswer,
    BadRequest,
    CallError,
    Forbidden,
    ModelNotFound,
    RateLimited,
    TooLarge,
    Truncated,
    Unauthorized,
    Unavailable,
    UpstreamStatus,
    UpstreamTimeout,
)
from antiphon.types import Origin, Price, Target, Usage
from antiphon.wires.responses import Responses
from antiphon.wires.responses import usage as usages
from antiphon.wires.responses.encrypted_content import write_thinking
from antiphon.wires.sse import SSESplitter, read_data
from antiphon.wires.translation.neutral import Thinking

WIRE = Responses()


def make_target(model: str = "up") -> Target:
    return Target("p/" + model, "p", model, "kind", "responses", Origin("http", "h", 80), {})


def make_body(**fields: Any) -> bytes:
    return json.dumps({"model": "m", "input": "Hi", **fields}).encode()


def frame(**event: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (str(event.get("type")).encode(), json.dumps(event).encode())


@pytest.mark.parametrize(
    ("sent", "param"),
    [
        (b'{"input":"x"}', "model"),
        (make_body(model=3), "model"),
        (make_body(model=""), "model"),
        (make_body(model="a\nb"), "model"),
        (make_body(model="x" * 257), "model"),
        (b'{"model":"m"}', "input"),
        (make_body(input=[]), "input"),
        (make_body(input=""), "input"),
        (make_body(input=3), "input"),
        (make_body(input=["x"]), "input[0]"),
        (make_body(instructions=["x"]), "instructions"),
        (make_body(stream="yes"), "stream"),
        (make_body(temperature="hot"), "temperature"),
        (make_body(max_output_tokens=1.5), "max_output_tokens"),
        (make_body(tools={}), "tools"),
        (make_body(tools=["x"]), "tools[0]"),
        (make_body(tool_choice=3), "tool_choice"),
        (make_body(metadata="x"), "metadata"),
        (make_body(text={"format": {}}), "text.format.type"),
        (make_body(reasoning={"effort": 3}), "reasoning.effort"),
        (make_body(previous_response_id=3), "previous_response_id"),
        (make_body(include="x"), "include"),
    ],
)
def test_wrong_types_name_the_field(sent: bytes, param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        WIRE.peek(sent)
    assert caught.value.param == param


@pytest.mark.parametrize("sent", [b"", b"[]", b'{"model":"m","model":"n","input":"x"}', b'{"model":NaN}', b"\xff"])
def test_unusable_json_is_rejected(sent: bytes) -> None:
    with pytest.raises(BadRequest):
        WIRE.peek(sent)


@pytest.mark.parametrize(
    "fields",
    [
        {"input": None, "previous_response_id": "resp_1"},
        {"input": None, "conversation": "conv_1"},
        {"input": None, "prompt": {"id": "pmpt_1"}},
        {"input": [{"type": "some_day"}], "tools": [{"type": "some_day"}], "new": {"x": 1}, "reasoning": {"new": 1}},
    ],
)
def test_unknown_fields_pass(fields: dict[str, Any]) -> None:
    envelope = WIRE.peek(make_body(**fields, stream=True))
    assert (envelope.model, envelope.stream, envelope.choices) == ("m", True, 1)


def test_only_the_model_changes() -> None:
    sent = b'{ "input" : "\\"model\\":\\"m\\"" ,"model":  "m","zz":[1.0, 2e3] , "metadata":{"model":"m"}}\n'
    envelope = WIRE.peek(sent)
    assert WIRE.encode(sent, envelope, make_target("m")).body == sent
    encoded = WIRE.encode(sent, envelope, make_target("up")).body
    assert encoded == sent.replace(b'"model":  "m"', b'"model":  "up"')


def test_foreign_signed_reasoning_is_removed() -> None:
    foreign = {
        "type": "reasoning",
        "id": "rs_1",
        "encrypted_content": write_thinking(Thinking("A", "s", wire="anthropic")),
    }
    own = {"type": "reasoning", "id": "rs_2", "encrypted_content": "gAAAA"}
    own_message = {"role": "user", "content": "the word antiphon.1. itself", "big": 2**70}
    sent = make_body(input=[own_message, foreign, own])
    encoded = WIRE.encode(sent, WIRE.peek(sent), make_target()).body
    assert json.loads(encoded) == {"model": "up", "input": [own_message, own]}
    for quoted in (make_body(input="antiphon.1."), make_body(input=[own_message, own])):
        assert WIRE.encode(quoted, WIRE.peek(quoted), make_target("m")).body == quoted


INVOICES = [
    # API reference, "The response object": a simple answer, one with a cached prompt, one with reasoning.
    (
        {"input_tokens": 36, "output_tokens": 87, "total_tokens": 123},
        Usage(input=36, output=87),
        36 * 5 + 87 * 40,
    ),
    (
        {
            "input_tokens": 2006,
            "input_tokens_details": {"cached_tokens": 1920, "cache_write_tokens": 0},
            "output_tokens": 300,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 2306,
        },
        Usage(input=86, cache_read=1920, output=300),
        86 * 5 + 1920 * 1 + 300 * 40,
    ),
    (
        {
            "input_tokens": 2000,
            "input_tokens_details": {"cached_tokens": 500, "cache_write_tokens": 1000},
            "output_tokens": 1186,
            "output_tokens_details": {"reasoning_tokens": 1024},
            "total_tokens": 3186,
        },
        Usage(input=500, cache_read=500, cache_write=1000, output=162, reasoning=1024),
        500 * 5 + 500 * 1 + 1000 * 6 + 1186 * 40,
    ),
    (
        {
            "input_tokens": 2000,
            "input_tokens_details": {
                "cached_tokens": 0,
                "cache_write_tokens": 1000,
                "cache_write_tokens_details": {"ttl_12h_tokens": 600, "ttl_30m_tokens": 400},
            },
            "output_tokens": 10,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 2010,
        },
        Usage(input=1000, cache_write=400, cache_write_long=600, output=10),
        1000 * 5 + 400 * 6 + 600 * 10 + 10 * 40,
    ),
]


@pytest.mark.parametrize(("raw", "buckets", "cost"), INVOICES)
def test_golden_invoices(raw: dict[str, Any], buckets: Usage, cost: int) -> None:
    answer = json.dumps({"object": "response", "output": [], "usage": raw}).encode()
    assert WIRE.read_whole(answer).usage == buckets
    assert buckets.total == raw["total_tokens"]
    price = Price("v", input=5, cache_read=1, cache_write=6, cache_write_long=10, output=40, reasoning=40)
    assert price.compute_cost(buckets) == cost
    again = usages.write_usage(buckets)
    assert again is not None
    assert usages.read_usage(json.dumps(again).encode()) == buckets
    assert {name: again[name] for name in raw if not name.endswith("details")} == {
        name: value for name, value in raw.items() if not name.endswith("details")
    }


@pytest.mark.parametrize(
    "raw",
    [
        b"null",
        b"3",
        b"{}",
        b'{"input_tokens":-1}',
        b'{"input_tokens":1,"input_tokens_details":{"cached_tokens":2}}',
        b'{"input_tokens":9,"input_tokens_details":{"cache_write_tokens":2,'
        b'"cache_write_tokens_details":{"ttl_12h_tokens":3,"ttl_30m_tokens":0}}}',
        b'{"input_tokens":9,"input_tokens_details":{"cache_write_tokens":2,'
        b'"cache_write_tokens_details":{"ttl_12h_tokens":-3,"ttl_30m_tokens":5}}}',
        b'{"input_tokens":1,"output_tokens":1,"output_tokens_details":{"reasoning_tokens":2}}',
        b'{"input_tokens":99999999999}',
        b'{"input_tokens":1e400}',
        b'{"input_tokens":"\xff"}',
    ],
)
def test_impossible_usage_is_ignored(raw: bytes) -> None:
    assert usages.read_usage(raw) is None


BUCKETS = st.integers(0, 1_000_000)


@given(st.builds(Usage, **{name: BUCKETS for name in types.BUCKETS if name != "audio_cache_read"}))
def test_written_usage_is_read_back(usage: Usage) -> None:
    again = usages.write_usage(usage)
    assert again is not None
    assert again["total_tokens"] == usage.total
    assert usages.read_usage(json.dumps(again).encode()) == usage


SEARCHED = [
    {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "x"}},
    {"type": "web_search_call", "id": "ws_2", "status": "completed", "action": {"type": "open_page", "url": "u"}},
    {"type": "web_search_call", "id": "ws_3", "status": "completed"},
    {"type": "function_call", "name": "web_search_call", "arguments": "{}"},
    {"type": "message", "content": [{"type": "output_text", "text": '"web_search_call"'}]},
]


def test_searches_and_the_service_tier_are_part_of_the_usage() -> None:
    body = {"object": "response", "output": SEARCHED, "usage": INVOICES[0][0], "service_tier": "flex"}
    expected = Usage(input=36, output=87, searches=2, service_tier="flex")
    assert WIRE.read_whole(json.dumps(body).encode()).usage == expected
    stream = WIRE.start_stream(WIRE.peek(b'{"model":"m","input":"x","stream":true}'), False)
    event = json.dumps({"type": "response.completed", "sequence_number": 1, "response": body})
    stream.feed(f"event: response.completed\ndata: {event}\n\n".encode())
    assert stream.usage == expected
    flex = Price("v", input=2, output=20, searches=10**10)
    assert Price("v", input=5, output=40, tiers={"flex": flex}).compute_cost(expected) == 36 * 2 + 87 * 20 + 2 * 10**10
    assert Price("v", input=5, output=40, searches=1, tiers={}).compute_cost(expected) is None


def test_a_whole_answer() -> None:
    output = [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "ab"}]},
        {"type": "message", "content": [{"type": "output_text", "text": "über"}, {"type": "refusal", "refusal": "no"}]},
        {"type": "function_call", "name": "f", "arguments": "{}"},
        {"type": "some_day", "content": 3},
    ]
    whole = WIRE.read_whole(json.dumps({"object": "response", "status": "completed", "output": output}).encode())
    assert whole.output_bytes == 2 + 5 + 2 + 3
    assert whole.usage is None
    queued = WIRE.read_whole(b'{"object":"response","status":"queued","output":[]}')
    assert queued.output_bytes == 0


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        (b"<html>", "not valid JSON"),
        (b'{"object":"list","data":[]}', "without `output`"),
        (b'{"error":{"message":"broke","code":"server_error"}}', "broke"),
        (b'{"status":"failed","output":[],"error":{"code":"server_error","message":"broke"}}', "broke"),
        (b'{"status":"failed","output":[]}', "failed"),
        (b'{"object":"error","message":"broke"}', "broke"),
    ],
)
def test_an_error_with_status_200_is_rejected(answer: bytes, match: str) -> None:
    with pytest.raises(BadAnswer, match=match):
        WIRE.read_whole(answer)


CREATED = frame(type="response.created", response={"id": "resp_1", "status": "in_progress", "output": []})
PREAMBLE = [
    CREATED,
    b": ping\n\n",
    frame(type="response.queued", response={}),
    frame(type="response.in_progress", response={}),
    frame(type="response.output_item.added", item={"type": "reasoning", "id": "rs_1", "summary": []}),
    frame(type="response.reasoning_summary_part.added", part={"type": "summary_text", "text": ""}),
    frame(type="response.output_item.added", item={"type": "message", "content": []}),
    frame(type="response.content_part.added", part={"type": "output_text", "text": ""}),
]
DONE = frame(
    type="response.completed",
    response={"id": "resp_1", "status": "completed", "output": [], "usage": {"input_tokens": 3, "output_tokens": 4}},
)


@pytest.mark.parametrize(
    ("event", "size"),
    [
        (frame(type="response.output_text.delta", delta="über"), 5),
        (frame(type="response.reasoning_summary_text.delta", delta="x"), 1),
        (frame(type="response.function_call_arguments.delta", delta="{"), 1),
        (frame(type="response.refusal.delta", delta="No"), 2),
        (frame(type="response.output_item.added", item={"type": "function_call", "name": "f"}), 0),
        (frame(type="response.output_item.added", item={"type": "web_search_call"}), 0),
        (frame(type="response.web_search_call.searching"), 0),
        (frame(type="response.shell_call_output_content.delta", delta={"stdout": "x"}), 0),
        (DONE, 0),
        (frame(type="response.incomplete", response={"output": []}), 0),
    ],
)
def test_the_first_real_output_commits(event: bytes, size: int) -> None:
    stream = WIRE.start_stream(WIRE.peek(make_body(stream=True)), False)
    for preamble in PREAMBLE:
        assert stream.feed(preamble) == preamble
        assert not stream.committed
    assert stream.feed(event) == event
    assert stream.committed
    assert stream.output_bytes == size


def test_the_terminal_event_is_the_end() -> None:
    stream = WIRE.start_stream(WIRE.peek(make_body(stream=True)), False)
    for passed in (*PREAMBLE, frame(type="response.output_text.delta", delta="Hi")):
        stream.feed(passed)
    assert not stream.complete
    assert stream.feed(DONE) == DONE
    assert stream.ended
    assert stream.complete
    assert stream.usage == Usage(input=3, output=4)
    assert json.loads(stream.response)["id"] == "resp_1"
    assert WIRE.end_frame == b""


def decode_events(frames: bytes) -> list[dict[str, Any]]:
    """Return the events in some frames."""
    return [json.loads(read_data(each) or b"") for each in SSESplitter().feed(frames)]


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (frame(type="response.failed", response={"status": "failed", "error": {"code": "x", "message": "no"}}), "no"),
        (frame(type="response.failed", response={}), "the response failed"),
        (frame(type="error", code="server_error", message="no", param=None), "no"),
        (frame(type="error", error={"type": "x", "code": "y", "message": "no"}), "no"),
        (b'data: {"error":{"message":"no"}}\n\n', "no"),
        (b'data: {"error":"no"}\n\n', "no"),
    ],
)
def test_an_error_inside_the_stream(event: bytes, words: str) -> None:
    """In any form of a provider: the caller gets what official clients raise, and the failed response as the end."""
    stream = WIRE.start_stream(WIRE.peek(make_body(stream=True)), False)
    stream.feed(CREATED)
    passed = stream.feed(event)
    assert stream.error is not None
    assert stream.error.message.endswith(words)
    assert not stream.complete
    events = decode_events(passed + stream.fail(stream.error))
    assert [each.get("type", "error") for each in events] == ["error", "response.failed"]
    problem = events[0]["error"]
    assert words in (problem, problem["message"] if isinstance(problem, dict) else None)
    assert stream.fail(stream.error) == b""


@pytest.mark.parametrize("nested", [True, False])
def test_a_providers_error_passes_unchanged_if_clients_raise_it(nested: bool) -> None:
    problem = {"type": "t", "code": "c", "message": "no", "param": None}
    event = frame(**({"error": problem} if nested else problem) | {"type": "error", "sequence_number": 7})
    stream = WIRE.start_stream(WIRE.peek(make_body(stream=True)), False)
    stream.feed(CREATED)
    passed = stream.feed(event)
    assert (passed == event) is nested
    assert stream.error is not None
    first, last = decode_events(passed + stream.fail(stream.error))
    assert (first["sequence_number"], last["sequence_number"]) == (7, 8)
    assert first["error"]["code"] == last["response"]["error"]["code"] == "c"
    assert last["response"]["error"]["message"] == "no"


def test_a_failed_response_follows_its_error() -> None:
    stream = WIRE.start_stream(WIRE.peek(make_body(stream=True)), False)
    response = {"id": "resp_1", "status": "failed", "error": {"code": "server_error", "message": "no"}, "own": 2**70}
    first, last = decode_events(
        stream.feed(frame(type="response.failed", sequence_number=4, response=response, mine=1))
    )
    assert (first["type"], first["sequence_number"], first["error"]["message"]) == ("error", 4, "no")
    assert last == {"type": "response.failed", "sequence_number": 5, "response": response, "mine": 1}


def test_a_break_continues_the_numbering_and_keeps_the_output() -> None:
    stream = WIRE.start_stream(WIRE.peek(make_body(stream=True)), False)
    begun = {"id": "resp_1", "model": "m", "status": "in_progress", "output": []}
    item = {"type": "message", "id": "msg_1", "content": []}
    stream.feed(frame(type="response.created", response=begun, sequence_number=0))
    stream.feed(frame(type="response.output_text.delta", delta="Hel", sequence_number=5))
    stream.feed(frame(type="response.output_item.done", item=item, sequence_number=6))
    first, last = decode_events(stream.fail(Truncated("Cut.")))
    assert (first["sequence_number"], last["sequence_number"]) == (7, 8)
    assert first["error"]["message"] == "Cut."
    assert last["type"] == "response.failed"
    error = {"code": "server_error", "message": "Cut."}
    assert last["response"] == {**begun, "status": "failed", "output": [item], "error": error}
    assert stream.cuts == [3]


def test_a_background_response_is_answered_as_soon_as_it_is_accepted() -> None:
    stream = WIRE.start_stream(WIRE.peek(make_body(stream=True, background=True)), False)
    assert stream.feed(CREATED) == CREATED
    assert stream.committed
    assert stream.usage == Usage()
    (event,) = decode_events(stream.fail(Truncated("Cut.")))  # the stream broke, the response did not
    assert (event["type"], event["sequence_number"]) == ("error", 1)


@pytest.mark.parametrize(
    "event", [b"data: {\n\n", b"data: 3\n\n", b"data: \xff\n\n", b'data: {"type":"response.completed"}\n\n']
)
def test_frames_of_another_wire_are_rejected(event: bytes) -> None:
    with pytest.raises(BadAnswer):
        WIRE.start_stream(WIRE.peek(make_body(stream=True)), False).feed(event)


@settings(max_examples=200)
@given(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(
                ["response.completed", "response.failed", "error", "response.output_item.added", "x"]
            )
        },
        optional={
            name: st.none() | st.integers() | st.text(max_size=3) | st.dictionaries(st.text("ab"), st.integers())
            for name in ("delta", "item", "response", "error", "code", "message", "output_index")
        },
    )
)
def test_any_event_is_observed_or_rejected(event: dict[str, Any]) -> None:
    stream = WIRE.start_stream(WIRE.peek(make_body(stream=True)), False)
    try:
        assert stream.feed(frame(**event))
    except BadAnswer as error:
        assert error.message


def test_frames_are_split_and_heartbeats_are_not_events() -> None:
    splitter, stream = WIRE.make_splitter(), WIRE.start_stream(WIRE.peek(make_body(stream=True)), False)
    assert splitter.feed(CREATED + WIRE.heartbeat + DONE[:10]) == [CREATED, WIRE.heartbeat]
    assert splitter.feed(DONE[10:]) == [DONE]
    assert stream.feed(WIRE.heartbeat) == WIRE.heartbeat
    assert not stream.committed


def test_input_is_counted() -> None:
    items = [
        {"role": "user", "content": "über"},
        {"role": "user", "content": [{"type": "input_text", "text": "abc"}, {"type": "input_image", "image_url": "x"}]},
        {"type": "function_call", "arguments": "{}"},
        {"type": "function_call_output", "output": "abcd"},
        {"type": "custom_tool_call", "input": "ab"},
    ]
    assert WIRE.count_input_bytes(WIRE.peek(make_body(input=items, instructions="x"))) == 1 + 5 + 3 + 2 + 4 + 2
    tools = [{"type": "function", "name": "f", "parameters": {"maximum": 2**70}}]
    assert WIRE.count_input_bytes(WIRE.peek(make_body(tools=tools))) > 2 + len(str(2**70))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BadRequest("x", param="input"), "invalid_request_error"),
        (Unauthorized("x"), "authentication_error"),
        (Forbidden("x"), "permission_error"),
        (ModelNotFound("x", param="model"), "invalid_request_error"),
        (TooLarge("x"), "invalid_request_error"),
        (RateLimited("x", status=429, body=b"", headers=()), "rate_limit_error"),
        (UpstreamStatus("x", status=529, body=b"", headers=()), "upstream_error"),
        (Unavailable("x"), "service_unavailable_error"),
        (UpstreamTimeout("x", phase="idle"), "timeout_error"),
        (Truncated("x"), "upstream_error"),
    ],
)
def test_errors_in_openais_shape(error: CallError, kind: str) -> None:
    error_object = json.loads(WIRE.write_error_body(error))["error"]
    assert error_object == {"message": "x", "type": kind, "param": error.param, "code": error.code}
    event = json.loads(read_data(WIRE.write_error_frame(error)) or b"")
    assert event == {
        "type": "error",
        "code": error.code,
        "message": "x",
        "param": error.param,
        "error": error_object,
        "sequence_number": 0,
    }


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b'{"error":{"message":"no such thing","type":"x"}}', "no such thing"),
        (b'{"error":"plain"}', "plain"),
        (b'{"object":"error","message":"vllm"}', "vllm"),
        (b"<html>", "'<html>'"),
        (b"{}", "'{}'"),
        (b"x" * 300, "'" + "x" * 200 + "'…"),
    ],
)
def test_the_message_of_a_providers_error(answer: bytes, words: str) -> None:
    assert WIRE.read_error_message(answer) == words
