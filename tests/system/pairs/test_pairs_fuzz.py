"""Any input to any decoder of any pair of wires gives a result that the caller's wire allows, or one clean error."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from antiphon.errors import BadAnswer, BadRequest
from antiphon.types import Usage
from antiphon.wires import find_translation, get_wire
from antiphon.wires.table import CODECS, WIRES
from system.pairs.caller_requests import REQUESTS
from system.pairs.mutations import draw_mutation
from system.pairs.provider_answers import EVENTS, FRAME_WRITERS, REPLIES, STREAMS
from system.pairs.translation import (
    MODEL_IN_PATH,
    TARGET_ONLY,
    TranslatedCall,
    translate_request,
    translate_stream,
    write_caller_body,
)

MESSAGES, RESPONSES, GENERATE = REQUESTS["messages"], REQUESTS["responses"], REQUESTS["generate"]
_TEXT_PART = {"parts": [{"text": "a"}, {"text": "b"}]}
REQUESTS_BY_WIRE: dict[str, Any] = {
    **REQUESTS,
    "completions": {"model": "m", "prompt": ["a", [1, 2]], "max_tokens": 5, "stop": ["x"], "logprobs": 2},
    "embeddings": {"model": "m", "input": ["a", "b"], "dimensions": 4, "encoding_format": "base64", "user": "u"},
    "count_tokens": {name: MESSAGES[name] for name in ("model", "system", "messages", "tools", "thinking")},
    "input_tokens": {name: RESPONSES[name] for name in ("model", "instructions", "input", "tools", "reasoning")},
    "gemini_count_tokens": {"generateContentRequest": {"model": "models/m", **GENERATE}},
    "bedrock_count_tokens": {"input": {"converse": REQUESTS["converse"]}},
    "gemini_embed": {"model": "models/m", "content": _TEXT_PART, "taskType": "CLUSTERING", "outputDimensionality": 4},
    "gemini_embed_batch": {"requests": [{"model": "models/m", "content": _TEXT_PART, "title": "t"}] * 2},
}
ANSWERS_BY_WIRE: dict[str, Any] = {
    **REPLIES,
    "completions": {
        "id": "cmpl-1",
        "object": "text_completion",
        "created": 1700000000,
        "model": "m",
        "choices": [{"index": 0, "text": "a", "logprobs": None, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    },
    "embeddings": {
        "object": "list",
        "model": "m",
        "data": [{"object": "embedding", "index": number, "embedding": [0.5, 1, -2.0, 0]} for number in range(2)],
        "usage": {"prompt_tokens": 2, "total_tokens": 2},
    },
    "count_tokens": {"input_tokens": 3},
    "input_tokens": {"object": "response.input_tokens", "input_tokens": 3},
    "gemini_count_tokens": {"totalTokens": 3, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 3}]},
    "bedrock_count_tokens": {"inputTokens": 3},
    "gemini_embed": {"embedding": {"values": [0.5, 1.0]}},
    "gemini_embed_batch": {"embeddings": [{"values": [0.5, 1.0]}, {"values": [1, 2]}]},
    "vertex_predict": {
        "predictions": [{"embeddings": {"values": [0.5, 1], "statistics": {"token_count": 2, "truncated": False}}}] * 2
    },
    "titan_embed": {"embedding": [0.5, 1.0], "inputTextTokenCount": 2, "embeddingsByType": {}},
    "nova_embed": {"embeddings": [{"embeddingType": "TEXT", "embedding": [0.5, 1.0]}]},
    "cohere_embed": {"id": "1", "texts": ["a", "b"], "embeddings": {"float": [[0.5, 1.0], [1, 2]]}},
}
PAIRS = [
    (caller, target)
    for caller in REQUESTS_BY_WIRE
    for target in WIRES
    if caller == target or find_translation(caller, (target,))
]
FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
every_pair = pytest.mark.parametrize(("caller", "target"), PAIRS)


def check_usage(usage: Usage | None) -> None:
    """Fail if a count of tokens is negative."""
    assert usage is None or all(not isinstance(count, int) or count >= 0 for count in structs.astuple(usage))


def translate_sample(caller: str, target: str, stream: bool) -> TranslatedCall:
    return translate_request(caller, target, write_caller_body(caller, REQUESTS_BY_WIRE[caller], stream), stream)[0]


def test_every_wire_has_samples() -> None:
    assert set(WIRES) == set(ANSWERS_BY_WIRE)
    assert set(REQUESTS_BY_WIRE) == set(WIRES) - TARGET_ONLY
    assert set(EVENTS) == set(CODECS)


@every_pair
@FUZZ
@given(data=st.data())
def test_a_request(caller: str, target: str, data: st.DataObject) -> None:
    body = json.dumps(data.draw(draw_mutation(REQUESTS_BY_WIRE[caller]))).encode()
    try:
        _, sent = translate_request(caller, target, body, data.draw(st.booleans()))
    except BadRequest as error:
        assert 400 <= error.status < 500
        assert json.loads(get_wire(caller).write_error_body(error))
    else:
        if caller != target and target not in TARGET_ONLY:
            # We accept what we write ourselves.
            get_wire(target).peek(
                sent, "m" if target in MODEL_IN_PATH else "", False if target in MODEL_IN_PATH else None
            )


@every_pair
@FUZZ
@given(data=st.data())
def test_an_answer(caller: str, target: str, data: st.DataObject) -> None:
    body = json.dumps(data.draw(draw_mutation(ANSWERS_BY_WIRE[target]))).encode()
    call = translate_sample(caller, target, False)
    try:
        answer, written = call.read_whole(body)
    except BadAnswer:
        return
    assert answer.output_bytes >= 0
    check_usage(answer.usage)
    get_wire(caller).read_whole(written)
    assert isinstance(get_wire(target).read_error_message(body), str)


@pytest.mark.parametrize(("caller", "target"), [(caller, target) for caller in CODECS for target in CODECS])
@FUZZ
@given(data=st.data())
def test_a_stream(caller: str, target: str, data: st.DataObject) -> None:
    events = data.draw(draw_mutation(EVENTS[target], most=2))
    written = translate_stream(
        translate_sample(caller, target, True),
        [write_frame(target, event) for event in events if write_frame(target, event)],
    )
    if caller != target:
        check_stream(caller, written)


def write_frame(target: str, event: Any) -> bytes:
    try:
        return bytes(FRAME_WRITERS[target](event))
    except (TypeError, ValueError, AttributeError):
        return b""  # after the change the event is none of this wire


def check_stream(caller: str, written: bytes) -> None:
    """Fail if the frames are not a stream of the caller's wire."""
    wire, keyed = get_wire(caller), caller in MODEL_IN_PATH
    envelope = wire.peek(
        write_caller_body(caller, REQUESTS_BY_WIRE[caller], True), "m" if keyed else "", True if keyed else None
    )
    splitter, stream = wire.make_splitter(), wire.start_stream(envelope, False)
    for frame in splitter.feed(written):
        stream.feed(frame)
    assert not splitter.rest
    assert stream.complete or stream.error is not None


@pytest.mark.parametrize("operation", CODECS)
@FUZZ
@given(data=st.data())
def test_bytes_that_are_not_a_stream(operation: str, data: st.DataObject) -> None:
    """Bytes that are changed and split anywhere go into the splitter and everything after it."""
    raw = bytearray(STREAMS[operation])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        end = data.draw(st.sampled_from([at, at + 1, at + 9]))
        raw[at:end] = data.draw(st.one_of(st.binary(max_size=6), st.sampled_from([b"\n\n", b"\r", b"\x00" * 12])))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=5)))
    chunks = [bytes(raw[a:b]) for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    wire = get_wire(operation)
    for caller in CODECS:
        splitter = wire.make_splitter()
        try:
            frames = [frame for chunk in chunks for frame in splitter.feed(chunk)]
        except BadAnswer:
            continue
        translate_stream(translate_sample(caller, operation, True), frames)


@pytest.mark.parametrize("operation", WIRES)
@FUZZ
@given(body=st.binary(max_size=80))
def test_bytes_that_are_not_a_document(operation: str, body: bytes) -> None:
    wire = get_wire(operation)
    for read in (lambda: wire.peek(body, "m", None), lambda: wire.read_whole(body)):
        try:
            read()
        except (BadRequest, BadAnswer):
            continue
    assert isinstance(wire.read_error_message(body), str)
