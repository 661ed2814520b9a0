"""Golden invoices of the operations whose bodies pass unread: tokens, or the unit that is billed."""

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.errors import BadAnswer
from antiphon.types import Usage
from antiphon.wires.operations import get_operation_wire

DRAWN = {
    "input_tokens": 50,
    "output_tokens": 1105,
    "total_tokens": 1155,
    "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
}
INVOICES: dict[str, tuple[str, dict[str, Any], Usage | None]] = {
    "pictures by tokens": ("images", {"data": [{}], "usage": DRAWN},
                           Usage(input=10, image_input=40, image_output=1105)),
    "pictures with words": ("image_edits", {"data": [{}], "usage": {
        **DRAWN, "output_tokens_details": {"text_tokens": 5, "image_tokens": 1100}}},
                            Usage(input=10, image_input=40, output=5, image_output=1100)),
    "pictures by the piece": ("images", {"data": [{"url": "a"}, {"url": "b"}]}, Usage(images=2)),
    "pictures whose usage is null": ("image_variations", {"data": [{}], "usage": None}, Usage(images=1)),
    "drawings that another model wrote": ("images", {"data": [{}], "usage": DRAWN, "svg_usage": {"model": "x"}},
                                          Usage(input=10, image_input=40, image_output=1105, service_tier="svg")),
    "no picture": ("images", {"data": []}, None),
    "pictures that are no list": ("images", {"data": {}}, None),
    "audio by the second": ("transcriptions", {"text": "x", "usage": {"type": "duration", "seconds": 9}},
                            Usage(seconds=9)),
    "audio by a begun second": ("transcriptions", {"text": "x", "usage": {"type": "duration", "seconds": 8.01}},
                                Usage(seconds=9)),
    "audio by its length": ("translations", {"text": "x", "duration": "8.47"}, Usage(seconds=9, estimated=True)),
    "audio by its length beside tokens": ("transcriptions", {"text": "x", "usage": {
        "prompt_audio_seconds": 4, "prompt_tokens": 4, "completion_tokens": 27, "total_tokens": 31}},
                                          Usage(seconds=4)),
    "audio by tokens": ("transcriptions", {"text": "x", "duration": 3, "usage": {
        "type": "tokens", "input_tokens": 14, "output_tokens": 45, "total_tokens": 59,
        "input_token_details": {"text_tokens": 4, "audio_tokens": 10}}}, Usage(input=4, audio_input=10, output=45)),
    "audio of an unknown length": ("transcriptions", {"text": "x"}, None),
    "units of a reranker": ("rerank", {"results": [], "meta": {"billed_units": {"search_units": 3},
                                                               "tokens": {"input_tokens": 9}}}, Usage(searches=3)),
    "tokens of a reranker": ("rerank", {"results": [], "meta": {"tokens": {"input_tokens": 9, "output_tokens": 0}}},
                             Usage(input=9)),
    "tokens that are billed": ("rerank", {"results": [], "meta": {"billed_units": {"input_tokens": 8}}},
                               Usage(input=8)),
    "a reranker's total": ("rerank", {"data": [{}, {}], "usage": {"total_tokens": 31}}, Usage(input=31)),
    "a reranker that says nothing": ("rerank", {"results": []}, None),
    "moderation": ("moderations", {"results": []}, None),
}  # fmt: skip


@pytest.mark.parametrize(("operation", "answer", "expected"), INVOICES.values(), ids=INVOICES)
def test_invoices(operation: str, answer: dict[str, Any], expected: Usage | None) -> None:
    assert get_operation_wire(operation).read_whole(json.dumps(answer).encode()).usage == expected


@pytest.mark.parametrize(
    ("operation", "answer"),
    [
        ("transcriptions", b'{"usage":{"type":"duration","seconds":-1}}'),
        ("transcriptions", b'{"usage":{"type":"duration","seconds":1e300}}'),
        ("transcriptions", b'{"usage":{"type":"duration","seconds":true}}'),
        ("transcriptions", b'{"usage":{"type":"duration","seconds":"many"}}'),
        ("transcriptions", b'{"duration":"nan"}'),
        ("transcriptions", b'{"duration":"inf"}'),
        ("transcriptions", b'{"duration":-3}'),
        ("transcriptions", b'{"duration":[]}'),
        ("rerank", b'{"meta":{"billed_units":{"search_units":-2}}}'),
        ("rerank", b'{"meta":{"billed_units":{"search_units":99999999999}}}'),
        ("images", b'{"usage":{"input_tokens":5,"output_tokens":3,"output_tokens_details":{"text_tokens":9}}}'),
        ("images", b'{"usage":{"input_tokens":5,"output_tokens":-3}}'),
    ],
)
def test_impossible_usage_is_unknown(operation: str, answer: bytes) -> None:
    assert get_operation_wire(operation).read_whole(answer).usage is None


def test_speech_is_counted_by_the_characters_of_its_input() -> None:
    wire = get_operation_wire("speech")
    assert wire.estimate_request_usage(wire.peek('{"model":"m","input":"grüß 😀"}'.encode())) == Usage(
        characters=6, estimated=True
    )
    assert wire.estimate_request_usage(wire.peek(b'{"model":"m","input":["no text"]}')) is None
    other = get_operation_wire("images")
    assert other.estimate_request_usage(other.peek(b'{"model":"m","prompt":"x","input":"y"}')) is None


NUMBERS = st.one_of(st.integers(-5, 10**12), st.floats(allow_nan=False), st.none(), st.text(max_size=3), st.booleans())
NAMES = ("input_tokens", "output_tokens", "total_tokens", "seconds", "search_units", "prompt_audio_seconds", "duration")
COUNTS = st.dictionaries(st.sampled_from(NAMES), NUMBERS, max_size=4)
ANSWERS = st.fixed_dictionaries(
    {},
    optional={
        "usage": COUNTS | NUMBERS,
        "meta": st.fixed_dictionaries({}, optional={"tokens": COUNTS | NUMBERS, "billed_units": COUNTS | NUMBERS}),
        "data": st.lists(st.none(), max_size=3) | NUMBERS,
        "duration": NUMBERS,
    },
)


@settings(deadline=None)
@given(st.sampled_from(["images", "rerank", "speech", "transcriptions", "moderations"]), ANSWERS)
def test_any_answer_gives_possible_or_unknown_usage(operation: str, answer: dict[str, Any]) -> None:
    try:
        usage = get_operation_wire(operation).read_whole(json.dumps(answer).encode()).usage
    except BadAnswer:
        return
    if usage is not None:
        assert all(0 <= count <= 10**9 and not math.isnan(count) for count in usage.counts)
