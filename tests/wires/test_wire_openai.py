"""The OpenAI wire as passthrough: reading requests, changing them for a target, observing streams and hiding usage."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.errors import BadAnswer, BadRequest, CallError, Unauthorized
from antiphon.types import Origin, Target, Usage
from antiphon.wires import get_wire
from antiphon.wires.openai import usage as usages
from antiphon.wires.sse import write_frame

CHAT = get_wire("chat")
MESSAGES = [{"role": "user", "content": "Hello"}]


def make_target(model: str = "upstream-model", *quirks: str) -> Target:
    return Target("p/" + model, "p", model, "kind", "openai", Origin("http", "h", 80), {}, quirks=frozenset(quirks))


def request(**fields: Any) -> bytes:
    return json.dumps({"model": "m", "messages": MESSAGES, **fields}).encode()


def make_chunk(**fields: Any) -> bytes:
    return write_frame(
        json.dumps({"id": "c", "object": "chat.completion.chunk", **fields}, separators=(",", ":")).encode()
    )


def make_delta(text: str | None = None, finish: str | None = None, index: int = 0, **more: Any) -> dict[str, Any]:
    content = {} if text is None else {"content": text}
    return {"index": index, "delta": {**content, **more}, "finish_reason": finish}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (request(model=3), "model"),
        (request(model=""), "model"),
        (request(model="a\nb"), "model"),
        (request(model="x" * 257), "model"),
        (b'{"messages":[{"role":"user"}]}', "model"),
        (b'{"model":"m"}', "messages"),
        (request(messages="hello"), "messages"),
        (request(messages=[]), "messages"),
        (request(messages=[{"content": "x"}]), "messages[0].role"),
        (request(messages=["x"]), "messages[0]"),
        (request(stream="yes"), "stream"),
        (request(stream_options=[]), "stream_options"),
        (request(temperature="hot"), "temperature"),
        (request(n=1.5), "n"),
        (request(tools={}), "tools"),
        (request(metadata="x"), "metadata"),
    ],
)
def test_wrong_types_name_the_field(body: bytes, param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        CHAT.peek(body)
    assert caught.value.param == param
    assert param in caught.value.message


@pytest.mark.parametrize(
    ("operation", "body", "param"),
    [
        ("completions", b'{"model":"m"}', "prompt"),
        ("completions", b'{"model":"m","prompt":7}', "prompt"),
        ("embeddings", b'{"model":"m"}', "input"),
        ("embeddings", b'{"model":"m","input":[]}', "input"),
        ("embeddings", b'{"model":"m","input":{"a":1}}', "input"),
        ("embeddings", b'{"model":"m","input":"x","dimensions":"8"}', "dimensions"),
    ],
)
def test_other_operations_name_their_missing_fields(operation: str, body: bytes, param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        get_wire(operation).peek(body)
    assert caught.value.param == param


def test_unknown_fields_and_null_values_pass_unread() -> None:
    body = request(new_field={"deep": [1, 2]}, temperature=None, stop=["a"], reasoning_effort="high")
    assert CHAT.encode(body, CHAT.peek(body), make_target("m")).body == body


def test_only_the_model_changes_for_a_target_with_another_name() -> None:
    body = b'{ "x" : 1.50, "model":"m" ,"messages":[{"role":"user","content":"\\u00e9\\/"}]}'
    assert CHAT.encode(body, CHAT.peek(body), make_target("org/née")).body == body.replace(b'"m"', '"org/née"'.encode())


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ("absent", {"include_usage": True}),
        (None, {"include_usage": True}),
        ({}, {"include_usage": True}),
        ({"include_usage": False, "include_obfuscation": False}, {"include_usage": True, "include_obfuscation": False}),
    ],
)
def test_usage_is_requested_if_the_caller_of_a_stream_did_not(options: Any, sent: dict[str, Any]) -> None:
    body = request(stream=True) if options == "absent" else request(stream=True, stream_options=options)
    encoded = CHAT.encode(body, CHAT.peek(body), make_target("m"))
    assert json.loads(encoded.body) == {**json.loads(body), "stream_options": sent}
    assert encoded.hides_usage


@pytest.mark.parametrize("body", [request(), request(stream=True, stream_options={"include_usage": True})])
def test_usage_is_left_alone_if_the_caller_decided(body: bytes) -> None:
    encoded = CHAT.encode(body, CHAT.peek(body), make_target("m"))
    assert encoded.body == body
    assert not encoded.hides_usage


def test_a_provider_without_stream_options_gets_none() -> None:
    body = request(stream=True)
    assert CHAT.encode(body, CHAT.peek(body), make_target("m", "no_stream_usage")).body == body


def make_stream(hides_usage: bool = False, n: int = 1) -> Any:
    return CHAT.start_stream(CHAT.peek(request(stream=True, n=n)), hides_usage)


@pytest.mark.parametrize(
    ("choice", "committed"),
    [
        (make_delta(role="assistant"), False),
        (make_delta(""), False),
        (make_delta("Hi"), True),
        (make_delta(reasoning_content="Hm"), True),
        (make_delta(reasoning="Hm"), True),
        (make_delta(refusal="No"), True),
        (make_delta("", images=[{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]), True),
        (make_delta(audio={"id": "audio_1", "data": "AA=="}), True),
        (make_delta(tool_calls=[{"index": 0, "id": "t", "function": {"name": "f", "arguments": ""}}]), True),
        (make_delta(finish="stop"), True),
    ],
)
def test_the_first_real_output_commits(choice: dict[str, Any], committed: bool) -> None:
    stream = make_stream()
    frame = make_chunk(choices=[choice])
    assert stream.feed(frame) == frame
    assert stream.committed is committed


def test_comments_do_not_commit_and_the_end_marker_does() -> None:
    stream = make_stream()
    assert stream.feed(b": keep-alive\n\n") == b": keep-alive\n\n"
    assert not stream.committed
    stream.feed(b"data: [DONE]\n\n")
    assert stream.committed
    assert stream.complete


def test_complete_needs_a_finish_reason_of_every_choice_or_the_end_marker() -> None:
    stream = make_stream(n=2)
    stream.feed(make_chunk(choices=[make_delta("a")]))
    stream.feed(make_chunk(choices=[make_delta(finish="stop")]))
    assert not stream.complete
    stream.feed(make_chunk(choices=[make_delta(finish="length", index=1)]))
    assert stream.complete


def test_usage_that_only_we_requested_is_hidden_and_kept() -> None:
    stream = make_stream(hides_usage=True)
    frame = make_chunk(choices=[make_delta('say "usage":null')], usage=None, after=1)
    assert stream.feed(frame) == frame.replace(b',"usage":null', b"")
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    assert stream.feed(make_chunk(choices=[], usage=usage)) == b""
    assert stream.usage == Usage(input=5, output=2)


def test_usage_that_the_caller_requested_passes() -> None:
    stream = make_stream()
    for frame in (
        make_chunk(choices=[make_delta("x")], usage=None),
        make_chunk(choices=[], usage={"prompt_tokens": 1}),
    ):
        assert stream.feed(frame) == frame


@pytest.mark.parametrize(
    "data", [b'{"error":{"message":"boom"}}', b'{"error":"boom"}', b'{"object":"error","message":"boom"}']
)
def test_an_error_object_is_an_error_in_streams_and_whole_answers(data: bytes) -> None:
    stream = make_stream()
    frame = write_frame(data)
    assert stream.feed(frame) == frame
    assert "boom" in stream.error.message
    with pytest.raises(BadAnswer, match="boom"):
        CHAT.read_whole(data)


@pytest.mark.parametrize(
    "body", [b"<html>busy</html>", b"", b"{}", b"[]", b'{"choices":null}', b'{"choices":[{', b"\xff"]
)
def test_an_invalid_answer_is_rejected(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        CHAT.read_whole(body)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14}, Usage(input=10, output=4)),
        (
            {
                "prompt_tokens": 100,
                "completion_tokens": 50,
                "total_tokens": 150,
                "prompt_tokens_details": {"cached_tokens": 60, "audio_tokens": 5},
                "completion_tokens_details": {"reasoning_tokens": 30, "audio_tokens": 4, "x": 1},
            },
            Usage(input=35, cache_read=60, audio_input=5, output=16, reasoning=30, audio_output=4),
        ),
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 4,
                "total_tokens": 34,
                "completion_tokens_details": {"reasoning_tokens": 20},
            },
            Usage(input=10, output=4, reasoning=20),
        ),
        ({"prompt_tokens": 8, "total_tokens": 8}, Usage(input=8)),
        (
            {
                "prompt_tokens": 100,
                "completion_tokens": 60,
                "total_tokens": 160,
                "prompt_tokens_details": {"cache_write_tokens": 70, "image_tokens": 10, "text_tokens": 90},
                "completion_tokens_details": {"image_tokens": 50, "rejected_prediction_tokens": 3},
            },
            Usage(input=20, cache_write=70, image_input=10, output=10, image_output=50),
        ),
        (
            {
                "prompt_tokens": 100,
                "total_tokens": 100,
                "prompt_tokens_details": {
                    "cache_write_tokens": 70,
                    "cache_write_tokens_details": {"ttl_12h_tokens": 30, "ttl_30m_tokens": 40},
                },
            },
            Usage(input=30, cache_write=40, cache_write_long=30),
        ),
        (
            {
                "prompt_tokens": 9,
                "prompt_tokens_details": {
                    "cache_write_tokens": 2,
                    "cache_write_tokens_details": {"ttl_12h_tokens": -1},
                },
            },
            None,
        ),
        ({"prompt_tokens": 9, "completion_tokens": 4, "completion_tokens_details": {"image_tokens": 5}}, None),
        ({"prompt_tokens": 8, "completion_tokens": 1, "prompt_tokens_details": None}, Usage(input=8, output=1)),
        ({"prompt_tokens": -1, "completion_tokens": 4}, None),
        ({"prompt_tokens": 10**12, "completion_tokens": 4}, None),
        ({"prompt_tokens": "many"}, None),
        ({"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 9}}, None),
        ({"completion_tokens": 4}, None),
        (None, None),
        ([], None),
    ],
)
def test_usage_becomes_disjoint_buckets_or_none(raw: Any, expected: Usage | None) -> None:
    found = usages.read_usage(json.dumps(raw).encode())
    assert found == expected
    if found is not None and isinstance(raw, dict) and "total_tokens" in raw:
        assert found.total == raw["total_tokens"]


@pytest.mark.parametrize(
    ("service_tier", "tier"),
    [
        ("default", ""), ("auto", ""), (None, ""), ("on_demand", ""), ("flex", "flex"), ("Priority", "priority"),
        ("a b", "unknown"), ("x" * 40, "unknown"), ({"a": 1}, "unknown"), (7, "7"),
    ],
)  # fmt: skip
def test_the_service_tier_is_part_of_the_usage(service_tier: Any, tier: str) -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    expected = Usage(input=5, output=2, service_tier=tier)
    whole = {"choices": [], "usage": usage, "service_tier": service_tier}
    assert CHAT.read_whole(json.dumps(whole).encode()).usage == expected
    stream = make_stream()
    stream.feed(make_chunk(choices=[make_delta("x")], usage=None, service_tier=service_tier))
    stream.feed(make_chunk(choices=[], usage=usage, service_tier=service_tier))
    assert stream.usage == expected


def test_errors_have_openais_shape() -> None:
    body = json.loads(CHAT.write_error_body(Unauthorized("Unknown key.")))
    assert body == {
        "error": {"message": "Unknown key.", "type": "authentication_error", "param": None, "code": "invalid_api_key"}
    }


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=80),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        [
                            "choices",
                            "delta",
                            "content",
                            "usage",
                            "error",
                            "finish_reason",
                            "index",
                            "tool_calls",
                            "function",
                            "text",
                        ]
                    ),
                    inner,
                    max_size=4,
                )
            ),
            max_leaves=10,
        ),
    )
)
def test_no_answer_crashes_the_decoders(answer: Any) -> None:
    data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    for read in (
        CHAT.read_whole,
        make_stream().feed,
        lambda data: make_stream().feed(write_frame(data.replace(b"\n", b" "))),
    ):
        try:
            read(data)
        except CallError as error:
            assert error.status == 502


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=60)
    | st.dictionaries(
        st.sampled_from(["model", "messages", "stream", "stream_options", "n"]),
        st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.just([{"role": "user"}]),
    ).map(lambda value: json.dumps(value).encode())
)
def test_no_request_crashes_the_wire(body: bytes) -> None:
    try:
        envelope = CHAT.peek(body)
    except BadRequest as error:
        assert error.status == 400
    else:
        CHAT.count_input_bytes(envelope)
        json.loads(CHAT.encode(body, envelope, make_target()).body)
