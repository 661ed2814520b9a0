"""Messages and token counting as pass-through: checks of requests, unchanged bytes, reading of answers."""

from typing import Any

import msgspec
import pytest

from antiphon.errors import (
    BadAnswer,
    BadRequest,
    CallError,
    ModelNotFound,
    RateLimited,
    TooLarge,
    Truncated,
    Unauthorized,
    Unavailable,
    UpstreamStatus,
    UpstreamTimeout,
)
from antiphon.types import Usage
from antiphon.wires.anthropic import CountTokens, Messages
from antiphon.wires.json_text import encode_json
from antiphon.wires.translation.foreign_signatures import ForeignSignature, pack_signature

MESSAGES, COUNT = Messages(), CountTokens()


def make_body(**members: Any) -> bytes:
    request = {"model": "smart", "max_tokens": 64, "messages": [{"role": "user", "content": "Hello"}], **members}
    return encode_json({name: value for name, value in request.items() if value is not ...})


def test_peek_reads_model_and_stream() -> None:
    envelope = MESSAGES.peek(make_body(stream=True))
    assert (envelope.model, envelope.stream, envelope.choices, envelope.wants_usage) == ("smart", True, 1, True)
    assert not MESSAGES.peek(make_body()).stream


def test_peek_takes_model_and_stream_from_the_path() -> None:
    envelope = MESSAGES.peek(make_body(model=...), model="claude-opus-5-5@default", stream=True)
    assert (envelope.model, envelope.stream) == ("claude-opus-5-5@default", True)


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": ...}, "messages"),
        ({"messages": "Hello"}, "messages"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": 1, "content": "x"}]}, "messages[0].role"),
        ({"max_tokens": ...}, "max_tokens"),
        ({"max_tokens": "64"}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"model": ...}, "model"),
        ({"model": ""}, "model"),
        ({"model": "a\nb"}, "model"),
        ({"model": "m" * 257}, "model"),
        ({"stream": "yes"}, "stream"),
        ({"system": 1}, "system"),
        ({"temperature": "hot"}, "temperature"),
        ({"tools": {}}, "tools"),
        ({"thinking": "hard"}, "thinking"),
        ({"thread": "create"}, "thread"),
        ({"stop_sequences": [1]}, "stop_sequences[0]"),
        ({"metadata": []}, "metadata"),
    ],
)
def test_peek_names_the_wrong_field(members: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        MESSAGES.peek(make_body(**members))
    assert caught.value.param == param
    assert param in caught.value.message


def test_peek_is_strict_about_json() -> None:
    for broken in (b"", b"{", b"[]", b'{"model":"a","model":"b"}', b'{"max_tokens":NaN}', b'{"a":"\\ud800"}', b"\xff"):
        with pytest.raises(BadRequest):
            MESSAGES.peek(broken)


def test_encode_replaces_the_model_and_nothing_else(target: Any) -> None:
    sent = (
        b'{ "model":"smart","max_tokens": 64,\n "betas_of_tomorrow": {"x": 1.50},'
        b'"messages":[{"role":"user","content":[{"type":"text","text":"\\u00e9 \\"model\\":\\"smart\\""}]}]}'
    )
    encoded = MESSAGES.encode(sent, MESSAGES.peek(sent), target("claude-opus-5-5"))
    assert encoded.body == sent.replace(b'"model":"smart",', b'"model":"claude-opus-5-5",', 1)
    same = sent.replace(b'"smart",', b'"claude-opus-5-5",', 1)
    assert MESSAGES.encode(same, MESSAGES.peek(same), target("claude-opus-5-5")).body is same


def test_encode_leaves_a_body_without_model_unchanged(target: Any) -> None:
    sent = make_body(model=..., anthropic_version="vertex-2023-10-16")
    assert MESSAGES.encode(sent, MESSAGES.peek(sent, model="smart"), target()).body is sent


def test_encode_for_a_host_with_the_model_in_its_path(target: Any) -> None:
    host = msgspec.structs.replace(target(), quirks=frozenset(("model_in_path",)))
    sent = make_body(stream=True)
    encoded = msgspec.json.decode(MESSAGES.encode(sent, MESSAGES.peek(sent), host).body)
    assert encoded == {
        "max_tokens": 64,
        "messages": [{"role": "user", "content": "Hello"}],
        "stream": True,
        "anthropic_version": "vertex-2023-10-16",
    }


def test_integers_of_any_size_pass(target: Any) -> None:
    tools = [{"name": "now", "input_schema": {"maximum": 10**30}}]
    envelope = MESSAGES.peek(make_body(tools=tools))
    assert MESSAGES.count_input_bytes(envelope) > 30
    host = msgspec.structs.replace(target(), quirks=frozenset(("model_in_path",)))
    assert msgspec.json.decode(MESSAGES.encode(make_body(), envelope, host).body)["tools"] == tools


def test_encode_keeps_threads_and_server_tools(target: Any) -> None:
    sent = make_body(
        model="claude-opus-5-5",
        thread={"type": "continue", "previous_message_id": "msg_1"},
        tools=[{"type": "web_search_20260318", "name": "web_search"}],
        temperature=0.5,
    )
    assert MESSAGES.encode(sent, MESSAGES.peek(sent), target("claude-opus-5-5")).body is sent


def test_encode_removes_thinking_of_another_wire(target: Any) -> None:
    foreign = {"type": "thinking", "thinking": "Hm.", "signature": pack_signature(ForeignSignature("gemini", "sig"))}
    own = {"type": "thinking", "thinking": "So.", "signature": "EqQB"}
    text = {"type": "text", "text": "Yes."}
    sent = make_body(
        messages=[
            {"role": "user", "content": "A?"},
            {"role": "assistant", "content": [foreign, own, text]},
            {"role": "assistant", "content": [foreign]},
            {"role": "user", "content": "B?"},
        ]
    )
    encoded = msgspec.json.decode(MESSAGES.encode(sent, MESSAGES.peek(sent), target()).body)
    assert encoded["messages"] == [
        {"role": "user", "content": "A?"},
        {"role": "assistant", "content": [own, text]},
        {"role": "user", "content": "B?"},
    ]


def test_a_carried_signature_inside_a_text_stays(target: Any) -> None:
    sent = make_body(model="claude-opus-5-5", messages=[{"role": "user", "content": "antiphon_ is a mark"}])
    assert MESSAGES.encode(sent, MESSAGES.peek(sent), target("claude-opus-5-5")).body is sent


def test_forwarded_and_required_headers() -> None:
    assert {b"anthropic-version", b"anthropic-beta"} == MESSAGES.forwarded_headers
    assert MESSAGES.required_headers == ((b"anthropic-version", b"2023-06-01"),)
    assert MESSAGES.request_id_header == b"request-id"


def test_a_heartbeat_is_a_ping() -> None:
    watch = watch_frames(MESSAGES.heartbeat)
    assert not watch.committed
    assert MESSAGES.make_splitter().feed(MESSAGES.heartbeat) == [MESSAGES.heartbeat]


WHOLE = {
    "id": "msg_01",
    "type": "message",
    "role": "assistant",
    "model": "claude-opus-5-5",
    "content": [
        {"type": "thinking", "thinking": "12345", "signature": "EqQB"},
        {"type": "text", "text": "é"},
        {"type": "tool_use", "id": "toolu_1", "name": "now", "input": {"zone": "UTC"}},
        {"type": "invented_block", "text": {"not": "a string"}},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {"input_tokens": 10, "output_tokens": 20},
}


def test_read_whole_returns_the_usage_or_else_the_output_size() -> None:
    assert MESSAGES.read_whole(msgspec.json.encode(WHOLE)).usage == Usage(input=10, output=20)
    whole = MESSAGES.read_whole(msgspec.json.encode({**WHOLE, "usage": None}))
    assert whole.usage is None
    assert whole.output_bytes == 5 + 2 + len("now") + len('{"zone":"UTC"}')


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>busy</html>",
        b"",
        b"[]",
        b'{"type":"message"}',
        b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}',
        b'{"error":"Overloaded"}',
        b'{"content":{}}',
        b"\xff\xfe",
    ],
)
def test_read_whole_refuses_bodies_that_are_no_answer(answer: bytes) -> None:
    with pytest.raises(BadAnswer):
        MESSAGES.read_whole(answer)


def test_an_error_with_status_200_has_the_providers_message() -> None:
    with pytest.raises(BadAnswer, match="Overloaded"):
        MESSAGES.read_whole(b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}')


START = {
    "type": "message_start",
    "message": {**WHOLE, "content": [], "usage": {"input_tokens": 25, "output_tokens": 1}},
}
OPEN_TEXT = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
GROW_TEXT = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}}
STOP_TEXT = {"type": "content_block_stop", "index": 0}
DELTA = {
    "type": "message_delta",
    "delta": {"stop_reason": "end_turn", "stop_sequence": None},
    "usage": {"output_tokens": 15},
}
STOP = {"type": "message_stop"}
PING = {"type": "ping"}


def watch_frames(*frames: bytes) -> Any:
    watch = MESSAGES.start_stream(MESSAGES.peek(make_body(stream=True)), False)
    for frame in frames:
        assert watch.feed(frame) is frame
    return watch


def test_a_stream_commits_at_the_first_output(stream: Any) -> None:
    watch = watch_frames(stream(START), stream(PING), b": comment\n\n", stream(OPEN_TEXT))
    assert not watch.committed
    watch.feed(stream(GROW_TEXT))
    assert watch.committed
    assert not watch.complete


@pytest.mark.parametrize(
    "first",
    [
        {"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "id": "t", "name": "now"}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "redacted_thinking", "data": "x"}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "server_tool_use", "id": "s"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Hm"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": "{"}},
        {"type": "message_delta", "delta": {"stop_reason": "refusal"}, "usage": {"output_tokens": 0}},
    ],
)
def test_a_stream_commits_at_any_real_output(stream: Any, first: dict[str, Any]) -> None:
    assert watch_frames(stream(START), stream(first)).committed


def test_a_whole_stream(stream: Any) -> None:
    watch = watch_frames(*map(stream, (START, PING, OPEN_TEXT, GROW_TEXT, STOP_TEXT, DELTA)))
    assert watch.complete
    assert not watch.ended
    watch.feed(stream(STOP))
    assert watch.ended
    assert (watch.usage, watch.output_bytes, watch.error) == (Usage(input=25, output=15), 2, None)


def test_a_stream_reads_frames_in_any_legal_form(stream: Any) -> None:
    watch = watch_frames(
        b"data: " + msgspec.json.encode(START) + b"\n\n",
        b"event: content_block_delta\r\ndata: " + msgspec.json.encode(GROW_TEXT) + b"\r\n\r\n",
        b'event: message_delta\ndata: {"type":"message_delta",\ndata: "delta":{"stop_reason":"end_turn"}}\n\n',
        b"data: [DONE]\n\n",
    )
    assert (watch.output_bytes, watch.complete, watch.ended) == (2, True, False)


def test_a_stream_passes_unknown_events(stream: Any) -> None:
    watch = watch_frames(
        stream({"type": "event_of_tomorrow", "message": "text", "delta": 5}),
        stream({"type": "content_block_delta", "index": 0, "delta": {"type": "new_delta", "text": {"a": 1}}}),
        stream({**START, "message": {**WHOLE, "usage": {"input_tokens": 1, "new_tokens": [2]}}}),
    )
    assert not watch.committed


def test_a_stream_estimates_its_output_before_the_end(stream: Any) -> None:
    watch = watch_frames(stream(START), stream(OPEN_TEXT), *[stream(GROW_TEXT)] * 6)
    assert watch.usage == Usage(input=25, output=3, estimated=True)
    assert watch_frames(stream(OPEN_TEXT)).usage is None


@pytest.mark.parametrize(("kind", "status"), [("overloaded_error", 529), ("rate_limit_error", 429), ("new_error", 502)])
def test_a_stream_reports_an_error(stream: Any, kind: str, status: int) -> None:
    watch = watch_frames(stream(START), stream({"type": "error", "error": {"type": kind, "message": "No."}}))
    assert watch.error is not None
    assert (watch.error.status, "No." in watch.error.message) == (status, True)


@pytest.mark.parametrize(
    "frame",
    [b"data: {\n\n", b'data: {"type":"message_start","message":"no"}\n\n', b"data: 1\n\n", b"data: \xff\n\n"],
)
def test_a_stream_refuses_frames_of_other_wires(frame: bytes) -> None:
    with pytest.raises(BadAnswer):
        watch_frames(frame)


def test_end_frame_ends_a_stream(stream: Any) -> None:
    assert watch_frames(Messages.end_frame).ended
    assert stream(STOP) == Messages.end_frame


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BadRequest("x"), "invalid_request_error"),
        (Unauthorized("x"), "authentication_error"),
        (CallError("x", status=402), "billing_error"),
        (CallError("x", status=403), "permission_error"),
        (ModelNotFound("x"), "not_found_error"),
        (TooLarge("x"), "request_too_large"),
        (BadRequest("x", status=422), "invalid_request_error"),
        (CallError("x"), "api_error"),
        (BadAnswer("x"), "api_error"),
        (Unavailable("x"), "overloaded_error"),
        (UpstreamTimeout("x", phase="idle"), "timeout_error"),
        (UpstreamStatus("x", status=529, body=b"", headers=()), "overloaded_error"),
        (RateLimited("x", status=429, body=b"{}", headers=()), "rate_limit_error"),
        (CallError("x", status=599), "api_error"),
    ],
)
def test_errors_have_the_form_of_the_wire(error: CallError, kind: str) -> None:
    error.call_id = "call_1"
    assert msgspec.json.decode(MESSAGES.write_error_body(error)) == {
        "type": "error",
        "error": {"type": kind, "message": "x", "details": {"error_code": error.code}},
        "request_id": "call_1",
    }


def test_a_providers_error_object_is_kept() -> None:
    error_object = {"type": "not_found_error", "message": "Gone.", "details": {"error_code": "thread_not_found"}}
    error = UpstreamStatus(
        "x", status=404, body=msgspec.json.encode({"type": "error", "error": error_object}), headers=()
    )
    assert msgspec.json.decode(MESSAGES.write_error_body(error)) == {
        "type": "error",
        "error": error_object,
        "request_id": None,
    }


def test_the_error_frame_is_an_error_event() -> None:
    frame = MESSAGES.write_error_frame(Truncated("Cut."))
    assert frame.startswith(b'event: error\ndata: {"type":"error"')
    assert frame.endswith(b"\n\n")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b'{"type":"error","error":{"type":"billing_error","message":"No credit."}}', "No credit."),
        (b'{"error":"plain"}', "plain"),
        (b"<html>", "'<html>'"),
        (b'{"error":{"code":7}}', "{'code': 7}"),
        (b"[1]", "'[1]'"),
    ],
)
def test_the_providers_message_is_read(answer: bytes, message: str) -> None:
    assert MESSAGES.read_error_message(answer) == message


def test_count_tokens_needs_no_limit_and_costs_nothing() -> None:
    envelope = COUNT.peek(make_body(max_tokens=...))
    assert not envelope.stream
    whole = COUNT.read_whole(b'{"input_tokens":2095}')
    assert (whole.usage, whole.output_bytes) == (Usage(), 0)


@pytest.mark.parametrize("answer", [b"{}", b'{"input_tokens":"12"}', b'{"type":"error","error":{"message":"no"}}'])
def test_count_tokens_refuses_answers_without_a_count(answer: bytes) -> None:
    with pytest.raises(BadAnswer):
        COUNT.read_whole(answer)


def test_input_bytes_include_text_tools_and_images_but_no_base64() -> None:
    plain = COUNT.count_input_bytes(
        COUNT.peek(make_body(messages=[{"role": "user", "content": "x" * 400}], system="y" * 40))
    )
    assert plain == 440
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 1_000_000}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "z" * 80}, image]}
    size = COUNT.count_input_bytes(COUNT.peek(make_body(messages=[{"role": "user", "content": [image, result]}])))
    assert size == 2 * 1600 * 4 + 80
    tools = [{"name": "now", "input_schema": {"type": "object"}}]
    assert COUNT.count_input_bytes(COUNT.peek(make_body(tools=tools))) > 40
