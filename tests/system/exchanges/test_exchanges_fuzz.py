"""Any input of callers and providers of embeddings and counts gives an answer or one clean error."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from antiphon.errors import BadAnswer, CallError
from antiphon.types import Origin, Target, Usage
from antiphon.wires import get_wire
from antiphon.wires.table import COUNTERS, EMBEDDERS, get_caller_codec, get_provider_codec
from antiphon.wires.translation.embedding import EmbedRequest

TARGET = Target("p/m", "p", "gemini-embedding-2", "kind", "openai", Origin("http", "h", 80), {})
CALLER_EMBEDDERS = ("embeddings", "gemini_embed", "gemini_embed_batch")
WORDS = st.sampled_from(
    ("", "x", "ä", "user", "assistant", "system", "text", "float", "base64", "query", "RETRIEVAL_QUERY", "function")
)
KEYS = st.sampled_from(
    ("model", "input", "dimensions", "encoding_format", "input_type", "content", "parts", "text", "requests",
     "taskType", "outputDimensionality", "embedContentConfig", "title", "messages", "role", "system", "tools", "name",
     "contents", "generateContentRequest", "converse", "invokeModel", "instructions", "type", "input_schema",
     "toolConfig", "thinking")
)  # fmt: skip
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 10**25) | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)
TEXT = {"parts": [{"text": "x"}]}
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
SAMPLES: dict[str, dict[str, Any]] = {
    "embeddings": {"model": "m", "input": ["x"]},
    "gemini_embed": {"content": TEXT},
    "gemini_embed_batch": {"requests": [{"content": TEXT}]},
    "count_tokens": {"model": "m", "messages": [{"role": "user", "content": "x"}]},
    "input_tokens": {"model": "m", "input": "x"},
    "gemini_count_tokens": {"contents": [TEXT]},
    "bedrock_count_tokens": {"input": {"converse": {"messages": [{"role": "user", "content": [{"text": "x"}]}]}}},
}


@pytest.mark.parametrize("caller_wire", SAMPLES)
@UNHURRIED
@given(change=st.dictionaries(KEYS, VALUES, max_size=4))
def test_any_request_is_read_or_rejected(caller_wire: str, change: dict[str, Any]) -> None:
    body = json.dumps(SAMPLES[caller_wire] | change).encode()
    family = EMBEDDERS if caller_wire in EMBEDDERS else COUNTERS
    try:
        envelope = get_wire(caller_wire).peek(body, "m", False)
        get_wire(caller_wire).count_input_bytes(envelope)
        request = get_caller_codec(caller_wire).read_request(envelope.document, "m")
    except CallError:
        return
    for provider_wire in family:
        try:
            written = get_provider_codec(provider_wire).write_request(request, TARGET)
        except (CallError, OverflowError):  # integers beyond 64 bits
            continue
        assert all(isinstance(json.loads(each.body), dict) for each in written)


@pytest.mark.parametrize("provider_wire", [*EMBEDDERS, *COUNTERS])
@UNHURRIED
@given(answer=VALUES)
def test_any_answer_is_read_or_rejected(provider_wire: str, answer: Any) -> None:
    request = EmbedRequest(model="m", inputs=("x",), base64=True)
    caller_wire = "embeddings" if provider_wire in EMBEDDERS else "count_tokens"
    try:
        body = json.dumps(answer).encode()
        get_wire(provider_wire).read_whole(body)
        reply = get_provider_codec(provider_wire).read_reply([body], request)
    except BadAnswer:
        return
    assert json.loads(get_caller_codec(caller_wire).write_reply(reply, request, Usage()))


@pytest.mark.parametrize("operation", SAMPLES)
def test_the_samples_are_valid(operation: str) -> None:
    envelope = get_wire(operation).peek(json.dumps(SAMPLES[operation]).encode(), "m", False)
    assert get_caller_codec(operation).read_request(envelope.document, "m")
    assert set(CALLER_EMBEDDERS) | set(COUNTERS) == set(SAMPLES)
