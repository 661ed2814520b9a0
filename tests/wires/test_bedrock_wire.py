"""Converse passed through: checks of the body, counts, the end of an answer, and the form of errors."""

import contextlib
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.catalog.kinds import load_kinds
from antiphon.catalog.kinds.kind import fill_template
from antiphon.catalog.profiles import get_profile
from antiphon.errors import (
    BadAnswer,
    BadRequest,
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
from antiphon.wires.aws.eventstream import MessageReader, encode_headers, encode_message
from antiphon.wires.bedrock import Converse, frames
from antiphon.wires.translation.foreign_signatures import ForeignSignature, pack_signature

MODEL = "anthropic.claude-sonnet-4-5-20250929-v1:0"
WIRE = Converse()
HELLO = b'{"messages":[{"role":"user","content":[{"text":"Hello"}]}],"newMember":{"a":1}}'


def make_target(model=MODEL, **more):
    return Target(
        f"aws/{model}",
        "aws",
        model,
        "bedrock",
        "bedrock",
        Origin("https", "h", 443),
        {},
        profile=get_profile(model),
        **more,
    )


def write_event(block, payload):
    return frames.write_event(block, payload)


def write_delta(**kind):
    return write_event(frames.BLOCK_DELTA, {"contentBlockIndex": 0, "delta": kind, "p": "abcdef"})


STOP = write_event(frames.MESSAGE_STOP, {"stopReason": "end_turn"})
META = write_event(
    frames.METADATA,
    {"usage": {"inputTokens": 11, "outputTokens": 7, "totalTokens": 18}, "metrics": {"latencyMs": 431}},
)


def test_peek_reads_model_and_stream_from_the_path():
    envelope = WIRE.peek(HELLO, MODEL, True)
    assert (envelope.model, envelope.stream, envelope.choices) == (MODEL, True, 1)
    assert not WIRE.peek(HELLO, MODEL, False).stream
    assert WIRE.peek(b'{"promptVariables":{"a":{"text":"b"}}}', "arn:aws:bedrock:us-east-1:1:prompt/ABCDEFGHIJ")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"{}", "messages"),
        (b'{"messages":[]}', "messages"),
        (b'{"messages":"hi"}', "messages"),
        (b'{"messages":[{"role":"user"}]}', "messages[0].content"),
        (b'{"messages":[{"role":"user","content":"hi"}]}', "messages[0].content"),
        (
            b'{"messages":[{"role":"user","content":[]}],"inferenceConfig":{"maxTokens":"9"}}',
            "inferenceConfig.maxTokens",
        ),
        (b'{"messages":[{"role":"user","content":[]}],"system":"be brief"}', "system"),
        (b'{"messages":[{"role":"user","content":[]}],"toolConfig":{"tools":{}}}', "toolConfig.tools"),
        (b'{"messages":[{"role":"user","content":[]}],"requestMetadata":{"a":1}}', "requestMetadata[...]"),
    ],
)
def test_a_member_of_a_wrong_type_is_named(body, param):
    with pytest.raises(BadRequest) as caught:
        WIRE.peek(body, MODEL, False)
    assert caught.value.param == param


@pytest.mark.parametrize("model", ["", "x" * 2049, "a\nb"])
def test_an_invalid_model_id_is_refused(model):
    with pytest.raises(BadRequest) as caught:
        WIRE.peek(HELLO, model, False)
    assert caught.value.param == "modelId"


@pytest.mark.parametrize("body", [b"[1]", b"{", b'{"messages":[],"messages":[]}', b"\xff"])
def test_a_body_that_is_no_json_object_is_refused(body):
    with pytest.raises(BadRequest):
        WIRE.peek(body, MODEL, False)


def test_encode_keeps_every_byte():
    for stream in (True, False):
        assert WIRE.encode(HELLO, WIRE.peek(HELLO, "alias", stream), make_target()).body is HELLO


def test_encode_removes_the_signatures_of_other_wires():
    signature = pack_signature(ForeignSignature("gemini", "secret-proof", call="c1"))
    native = {"reasoningContent": {"reasoningText": {"text": "mine", "signature": "sig"}}}
    foreign = {"reasoningContent": {"reasoningText": {"text": "", "signature": signature}}}
    document = {
        "messages": [
            {"role": "user", "content": [{"text": f"do you know {signature}?"}]},
            {"role": "assistant", "content": [native, foreign, {"text": "yes"}]},
            {"role": "assistant", "content": [foreign]},
        ],
        "system": [{"text": "s"}],
    }
    body = msgspec.json.encode(document)
    sent = msgspec.json.decode(WIRE.encode(body, WIRE.peek(body, MODEL, False), make_target()).body)
    assert sent["messages"] == [document["messages"][0], {"role": "assistant", "content": [native, {"text": "yes"}]}]
    assert sent["system"] == document["system"]


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (MODEL, "/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse"),
        (
            "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abc",
            "/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A123456789012%3Aapplication-inference-profile%2Fabc/converse",
        ),
        ("../../etc", "/model/..%2F..%2Fetc/converse"),
    ],
)
def test_a_model_id_is_one_segment_of_the_path(model, expected):
    paths = load_kinds()["bedrock"].operations
    assert fill_template(paths["converse"], {"model": model}) == expected
    assert fill_template(paths["converse.stream"], {"model": model}) == expected + "-stream"


# Golden invoices. The user guide's formula is input = inputTokens + cacheReadInputTokens + cacheWriteInputTokens. The
# second and third were measured on one prompt of 3,621 tokens, without and with a cache point.
INVOICES = [
    ({"inputTokens": 30, "outputTokens": 628, "totalTokens": 658}, Usage(input=30, output=628)),
    ({"inputTokens": 3621, "outputTokens": 40, "totalTokens": 3661, "cacheReadInputTokens": 0,
      "cacheWriteInputTokens": 0}, Usage(input=3621, output=40)),
    ({"inputTokens": 562, "outputTokens": 40, "totalTokens": 3661, "cacheReadInputTokens": 3059,
      "cacheWriteInputTokens": 0}, Usage(input=562, cache_read=3059, output=40)),
    ({"inputTokens": 723, "outputTokens": 5, "totalTokens": 3187, "cacheWriteInputTokens": 2459,
      "cacheDetails": [{"ttl": "1h", "inputTokens": 2459}]}, Usage(input=723, cache_write_long=2459, output=5)),
    ({"inputTokens": 3, "outputTokens": 5, "totalTokens": 3008, "cacheWriteInputTokens": 3000,
      "cacheDetails": [{"ttl": "1h", "inputTokens": 1000}, {"ttl": "5m", "inputTokens": 2000}]},
     Usage(input=3, cache_write=2000, cache_write_long=1000, output=5)),
    ({"inputTokens": 1, "outputTokens": 0, "totalTokens": 1, "cacheReadInputTokens": None}, Usage(input=1)),
]  # fmt: skip


def write_answer(usage=None, content=({"text": "Hi"},)):
    document = {"output": {"message": {"role": "assistant", "content": list(content)}}, "stopReason": "end_turn"}
    return msgspec.json.encode(document if usage is None else document | {"usage": usage})


@pytest.mark.parametrize(("counts", "expected"), INVOICES)
def test_usage_becomes_disjoint_buckets(counts, expected):
    assert WIRE.read_whole(write_answer(counts)).usage == expected
    stream = WIRE.start_stream(WIRE.peek(HELLO, MODEL, True), False)
    stream.feed(STOP)
    stream.feed(write_event(frames.METADATA, {"usage": counts, "metrics": {"latencyMs": 1}}))
    assert stream.usage == expected


def make_long_detail(count):
    return {"ttl": "1h", "inputTokens": count}


def test_the_service_tier_and_the_latency_are_read():
    counts = {"inputTokens": 3, "outputTokens": 5, "totalTokens": 8}
    metadata = {"usage": counts, "serviceTier": {"type": "flex"}, "performanceConfig": {"latency": "standard"}}
    whole = msgspec.json.decode(write_answer(counts)) | metadata
    assert WIRE.read_whole(msgspec.json.encode(whole)).usage == Usage(input=3, output=5, service_tier="flex")
    stream = WIRE.start_stream(WIRE.peek(HELLO, MODEL, True), False)
    stream.feed(STOP)
    metadata["performanceConfig"] = {"latency": "optimized"}
    stream.feed(write_event(frames.METADATA, {**metadata, "metrics": {"latencyMs": 1}}))
    assert stream.usage == Usage(input=3, output=5, service_tier="flex+optimized")
    whole["serviceTier"] = {"type": "default"}
    assert WIRE.read_whole(msgspec.json.encode(whole)).usage == Usage(input=3, output=5)


def test_the_cost_is_exact_to_the_picodollar():
    price = Price(
        "v", input=3_000_000, cache_read=300_000, cache_write=3_750_000, cache_write_long=6_000_000, output=15_000_000
    )
    usage = WIRE.read_whole(
        write_answer({"inputTokens": 562, "outputTokens": 40, "totalTokens": 3761, "cacheReadInputTokens": 3059,
                "cacheWriteInputTokens": 100,
                "cacheDetails": [{"ttl": "1h", "inputTokens": 30}, {"ttl": "5m", "inputTokens": 70}]})
    ).usage  # fmt: skip
    assert usage.total == 3761
    cost = 562 * 3_000_000 + 3059 * 300_000 + 70 * 3_750_000 + 30 * 6_000_000 + 40 * 15_000_000
    assert price.compute_cost(usage) == cost


@pytest.mark.parametrize(
    "counts",
    [
        None,
        {},
        {"inputTokens": -1, "outputTokens": 1},
        {"inputTokens": 10**10, "outputTokens": 1},
        {"inputTokens": "9"},
        {"inputTokens": 9, "outputTokens": 1, "cacheWriteInputTokens": 5, "cacheDetails": [make_long_detail(6)]},
        {"inputTokens": 9, "outputTokens": 1, "cacheWriteInputTokens": 5, "cacheDetails": [make_long_detail(-6)]},
        [],
    ],
)
def test_impossible_usage_is_none(counts):
    assert WIRE.read_whole(write_answer(counts)).usage is None


def test_the_output_bytes_of_an_answer_without_usage_are_counted():
    content = [
        {"reasoningContent": {"reasoningText": {"text": "abc", "signature": "s"}}},
        {"text": "grüß"},
        {"citationsContent": {"content": [{"text": "de"}], "citations": []}},
        {"toolUse": {"toolUseId": "t", "name": "now", "input": {}}},
        {"somethingNew": {}},
    ]
    assert WIRE.read_whole(write_answer(content=content)).output_bytes == 3 + 6 + 2 + 3 + 2


@pytest.mark.parametrize(
    "body",
    [b"<html>", b"", b"{}", b"[]", b'{"message":"Too many requests"}', b'{"output":{}}', b"\xff", b"[" * 5000,
     b'{"Output":{"__type":"com.amazon.coral.service#UnknownOperationException"},"Version":"1.0"}'],
)  # fmt: skip
def test_a_body_that_is_no_answer_is_refused(body):
    with pytest.raises(BadAnswer):
        WIRE.read_whole(body)


def start_stream():
    return WIRE.start_stream(WIRE.peek(HELLO, MODEL, True), False)


@pytest.mark.parametrize(
    ("first", "commits"),
    [
        (write_event(frames.MESSAGE_START, {"role": "assistant"}), False),
        (write_event(frames.BLOCK_STOP, {"contentBlockIndex": 0}), False),
        (write_delta(text=""), False),
        (write_delta(reasoningContent={"signature": "abc"}), False),
        (write_event(encode_headers([(":event-type", "news"), (":message-type", "event")]), {"a": 1}), False),
        (write_delta(text="H"), True),
        (write_delta(reasoningContent={"text": "hm"}), True),
        (write_delta(reasoningContent={"redactedContent": "QUJD"}), True),
        (
            write_event(
                frames.BLOCK_START, {"contentBlockIndex": 0, "start": {"toolUse": {"toolUseId": "t", "name": "f"}}}
            ),
            True,
        ),
        (STOP, True),
    ],
)
def test_the_first_real_output_commits(first, commits):
    stream = start_stream()
    assert stream.feed(first) == first
    assert stream.committed is commits


def test_a_stream_is_complete_at_message_stop_and_ended_at_metadata():
    stream = start_stream()
    states = []
    for frame in (write_event(frames.MESSAGE_START, {"role": "assistant"}), write_delta(text="Hello"), STOP, META):
        assert stream.feed(frame) == frame
        states.append((stream.complete, stream.ended))
    assert states == [(False, False), (False, False), (True, False), (True, True)]
    assert (stream.usage, stream.output_bytes, stream.error) == (Usage(input=11, output=7), 5, None)


@pytest.mark.parametrize(
    ("name", "kind", "status", "retryable"),
    [
        ("throttlingException", RateLimited, 429, True),
        ("modelStreamErrorException", BadAnswer, 502, True),
        ("internalServerException", UpstreamStatus, 500, True),
        ("serviceUnavailableException", UpstreamStatus, 503, True),
        ("validationException", UpstreamStatus, 400, False),
        ("somethingNewException", BadAnswer, 502, True),
    ],
)
def test_an_exception_frame_is_an_error(name, kind, status, retryable):
    stream = start_stream()
    frame = frames.write_exception(name, "the reason")
    assert stream.feed(frame) == frame
    assert type(stream.error) is kind
    assert (stream.error.status, stream.error.retryable) == (status, retryable)
    assert "the reason" in stream.error.message
    assert name in stream.error.message


def test_an_unmodeled_error_frame_is_an_error():
    block = encode_headers([(":message-type", "error"), (":error-code", "InternalError"), (":error-message", "oh no")])
    stream = start_stream()
    stream.feed(encode_message(block, b""))
    assert type(stream.error) is BadAnswer
    assert stream.error.message == "The provider reported an error: InternalError: oh no"


ERRORS = [
    (BadRequest("m"), 400, "ValidationException", "validationException"),
    (Unauthorized("m"), 401, "UnrecognizedClientException", "validationException"),
    (Forbidden("m"), 403, "AccessDeniedException", "validationException"),
    (ModelNotFound("m"), 404, "ResourceNotFoundException", "validationException"),
    (TooLarge("m"), 413, "ValidationException", "validationException"),
    (RateLimited("m", status=429, body=b"", headers=()), 429, "ThrottlingException", "throttlingException"),
    (UpstreamStatus("m", status=500, body=b"", headers=()), 500, "InternalServerException", "internalServerException"),
    (Truncated("m"), 502, "InternalServerException", "modelStreamErrorException"),
    (Unavailable("m"), 503, "ServiceUnavailableException", "serviceUnavailableException"),
    (UpstreamTimeout("m", phase="idle"), 504, "ModelTimeoutException", "modelStreamErrorException"),
    (UpstreamStatus("m", status=529, body=b"", headers=()), 529, "ServiceUnavailableException",
     "serviceUnavailableException"),
    (UpstreamStatus("m", status=424, body=b"", headers=()), 424, "ModelErrorException", "modelStreamErrorException"),
    (UpstreamStatus("m", status=418, body=b"", headers=()), 418, "ValidationException", "validationException"),
    (UpstreamStatus("m", status=599, body=b"", headers=()), 599, "InternalServerException",
     "modelStreamErrorException"),
]  # fmt: skip


@pytest.mark.parametrize(("error", "status", "name", "in_stream"), ERRORS)
def test_every_error_has_the_form_of_this_wire(error, status, name, in_stream):
    assert error.status == status
    assert msgspec.json.decode(WIRE.write_error_body(error)) == {"message": "m", "__type": name}
    assert WIRE.list_error_headers(error) == [(b"x-amzn-errortype", name.encode())]
    message = MessageReader().read(WIRE.write_error_frame(error))
    assert (message.get_text(":message-type"), message.get_text(":exception-type")) == ("exception", in_stream)
    assert msgspec.json.decode(message.payload) == {"message": "m"}


def test_a_providers_own_error_keeps_its_type_and_message():
    headers = [(b"x-amzn-errortype", b"ModelNotReadyException:http://internal.amazon.com/coral/")]
    error = RateLimited("ours", status=429, body=b'{"message":"wait a little"}', headers=headers)
    assert msgspec.json.decode(WIRE.write_error_body(error)) == {
        "message": "wait a little",
        "__type": "ModelNotReadyException",
    }
    assert WIRE.list_error_headers(error) == []  # the provider's own header is passed on


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"message":"no access"}', "no access"),
        (b'{"Message":"no access"}', "no access"),
        (b"<html>", "'<html>'"),
        (b"{}", "'{}'"),
        (b'{"message":1}', "'{\"message\":1}'"),
    ],
)
def test_the_message_of_a_providers_error_is_read(body, expected):
    assert WIRE.read_error_message(body) == expected


def test_the_input_bytes_are_counted():
    body = msgspec.json.encode(
        {
            "messages": [
                {"role": "user", "content": [{"text": "abc"}, {"image": {}}]},
                {"role": "user", "content": [{"toolResult": {"toolUseId": "t", "content": [{"text": "de"}]}}]},
            ],
            "system": [{"text": "fghi"}],
            "toolConfig": {"tools": [{"a": 1}]},
        }
    )
    envelope = WIRE.peek(body, MODEL, False)
    assert WIRE.count_input_bytes(envelope) == 3 + 2 + 4 + len(b'{"tools":[{"a":1}]}')


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
members = st.sampled_from(["messages", "role", "content", "text", "output", "message", "stopReason", "usage", "toolUse",
                           "delta", "contentBlockIndex", "start", "reasoningContent", "inputTokens"])  # fmt: skip
shaped = st.recursive(
    st.text(max_size=3) | st.integers(-1, 3) | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(members, inner, max_size=4),
    max_leaves=10,
)


@given(shaped | json_values)
def test_random_json_only_raises_bad_request_or_bad_answer(value):
    body = json.dumps(value).encode()
    with contextlib.suppress(BadRequest):
        WIRE.count_input_bytes(WIRE.peek(body, MODEL, False))
    for attempt in (WIRE.read_whole, WIRE.read_error_message):
        with contextlib.suppress(BadAnswer):
            attempt(body)
    for block in (frames.BLOCK_DELTA, frames.BLOCK_START, frames.MESSAGE_STOP, frames.METADATA, b""):
        with contextlib.suppress(BadAnswer):
            start_stream().feed(encode_message(block, body))
