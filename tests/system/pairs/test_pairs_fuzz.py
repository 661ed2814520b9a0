"""Anything into every decoder of every pair of wires: a result that the caller's wire allows, or one clean error."""

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
from system.pairs.answered import EVENTS, FRAMED, REPLIES, STREAMS
from system.pairs.asked import REQUESTS
from system.pairs.changed import changed
from system.pairs.crossing import FAR_ONLY, KEYED, Crossing, asking, crossing, passed

MESSAGES, RESPONSES, GENERATE = REQUESTS["messages"], REQUESTS["responses"], REQUESTS["generate"]
_TEXT_PART = {"parts": [{"text": "a"}, {"text": "b"}]}
ASKED: dict[str, Any] = {
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
ANSWERED: dict[str, Any] = {
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
PAIRS = [(near, far) for near in ASKED for far in WIRES if near == far or find_translation(near, (far,))]
FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
every_pair = pytest.mark.parametrize(("near", "far"), PAIRS)


def sound(usage: Usage | None) -> None:
    """Fail where a count of tokens is negative."""
    assert usage is None or all(not isinstance(count, int) or count >= 0 for count in structs.astuple(usage))


def a_way(near: str, far: str, stream: bool) -> Crossing:
    return crossing(near, far, asking(near, ASKED[near], stream), stream)[0]


def test_every_wire_is_here() -> None:
    assert set(WIRES) == set(ANSWERED)
    assert set(ASKED) == set(WIRES) - FAR_ONLY
    assert set(EVENTS) == set(CODECS)


@every_pair
@FUZZ
@given(data=st.data())
def test_a_request(near: str, far: str, data: st.DataObject) -> None:
    body = json.dumps(data.draw(changed(ASKED[near]))).encode()
    try:
        _, sent = crossing(near, far, body, data.draw(st.booleans()))
    except BadRequest as error:
        assert 400 <= error.status < 500
        assert json.loads(get_wire(near).write_error_body(error))
    else:
        if near != far and far not in FAR_ONLY:
            # What we write ourselves is what we would take.
            get_wire(far).peek(sent, "m" if far in KEYED else "", False if far in KEYED else None)


@every_pair
@FUZZ
@given(data=st.data())
def test_an_answer(near: str, far: str, data: st.DataObject) -> None:
    body = json.dumps(data.draw(changed(ANSWERED[far]))).encode()
    way = a_way(near, far, False)
    try:
        found, shown = way.read_whole(body)
    except BadAnswer:
        return
    assert found.output_bytes >= 0
    sound(found.usage)
    get_wire(near).read_whole(shown)
    assert isinstance(get_wire(far).read_error_message(body), str)


@pytest.mark.parametrize(("near", "far"), [(near, far) for near in CODECS for far in CODECS])
@FUZZ
@given(data=st.data())
def test_a_stream(near: str, far: str, data: st.DataObject) -> None:
    events = data.draw(changed(EVENTS[far], most=2))
    shown = passed(a_way(near, far, True), [framed(far, event) for event in events if framed(far, event)])
    if near != far:
        allowed(near, shown)


def framed(far: str, event: Any) -> bytes:
    try:
        return bytes(FRAMED[far](event))
    except (TypeError, ValueError, AttributeError):
        return b""  # the change left no frame of this wire


def allowed(near: str, shown: bytes) -> None:
    """Fail where what is shown is not a stream of the caller's wire."""
    wire, keyed = get_wire(near), near in KEYED
    envelope = wire.peek(asking(near, ASKED[near], True), "m" if keyed else "", True if keyed else None)
    splitter, watch = wire.make_splitter(), wire.start_stream(envelope, False)
    for frame in splitter.feed(shown):
        watch.feed(frame)
    assert not splitter.rest
    assert watch.complete or watch.error is not None


@pytest.mark.parametrize("operation", CODECS)
@FUZZ
@given(data=st.data())
def test_bytes_that_are_no_stream(operation: str, data: st.DataObject) -> None:
    """Bytes changed anywhere, cut anywhere, into the splitter and all behind it."""
    raw = bytearray(STREAMS[operation])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        end = data.draw(st.sampled_from([at, at + 1, at + 9]))
        raw[at:end] = data.draw(st.one_of(st.binary(max_size=6), st.sampled_from([b"\n\n", b"\r", b"\x00" * 12])))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=5)))
    chunks = [bytes(raw[a:b]) for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    wire = get_wire(operation)
    for near in CODECS:
        splitter = wire.make_splitter()
        try:
            frames = [frame for chunk in chunks for frame in splitter.feed(chunk)]
        except BadAnswer:
            continue
        passed(a_way(near, operation, True), frames)


@pytest.mark.parametrize("operation", WIRES)
@FUZZ
@given(body=st.binary(max_size=80))
def test_bytes_that_are_no_document(operation: str, body: bytes) -> None:
    wire = get_wire(operation)
    for read in (lambda: wire.peek(body, "m", None), lambda: wire.read_whole(body)):
        try:
            read()
        except (BadRequest, BadAnswer):
            continue
    assert isinstance(wire.read_error_message(body), str)
