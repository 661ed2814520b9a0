"""The simulator itself: which requests it rejects, and that no request breaks it."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.sim.json_fabricator import fabricate_json
from antiphon.sim.response_plan import ResponsePlan
from antiphon.sim.simulator import Simulator

CHAT, COMPLETIONS, EMBEDDINGS = b"/v1/chat/completions", b"/v1/completions", b"/v1/embeddings"


def plan_response(body: Any, path: bytes = CHAT, method: bytes = b"POST") -> ResponsePlan:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Simulator(seed=1).plan_response(method, path, data, 1_700_000_000)


def read_body(answer: ResponsePlan) -> bytes:
    return b"".join([data for _, data, _ in answer.steps])


USER = [{"role": "user", "content": "Hello"}]


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        (CHAT, b"", None),
        (CHAT, b"{", None),
        (CHAT, b"[]", None),
        (CHAT, b"\xff", None),
        (CHAT, b'{"model":"\xff"}', None),
        (CHAT, b"[" * 100_000, None),
        (CHAT, {}, None),
        (CHAT, {"model": "echo"}, None),
        (CHAT, {"model": 5, "messages": USER}, None),
        (CHAT, {"model": "echo", "messages": "Hello"}, None),
        (CHAT, {"model": "echo", "messages": []}, "messages"),
        (CHAT, {"model": "echo", "messages": [{"role": "user", "content": 5}]}, None),
        (CHAT, {"model": "echo", "messages": USER, "n": 0}, "n"),
        (CHAT, {"model": "echo", "messages": USER, "n": 129}, "n"),
        (CHAT, {"model": "echo", "messages": USER, "stream": "yes"}, None),
        (CHAT, {"model": "echo", "messages": USER, "tool_choice": "required"}, "tool_choice"),
        (CHAT, {"model": "echo", "messages": USER, "response_format": {"type": "yaml"}}, "response_format"),
        (CHAT, {"model": "echo", "messages": USER, "response_format": {"type": "json_schema"}}, "response_format"),
        (COMPLETIONS, {"model": "echo", "prompt": []}, "prompt"),
        (COMPLETIONS, {"model": "echo", "prompt": ["a", 1]}, "prompt"),
        (COMPLETIONS, {"model": "echo", "prompt": "a", "n": -1}, "n"),
        (EMBEDDINGS, {"model": "echo"}, None),
        (EMBEDDINGS, {"model": "echo", "input": []}, "input"),
        (EMBEDDINGS, {"model": "echo", "input": [[]]}, "input"),
        (EMBEDDINGS, {"model": "echo", "input": ["a", [1]] * 2000}, "input"),
        (EMBEDDINGS, {"model": "echo", "input": "a", "dimensions": 0}, "dimensions"),
        (EMBEDDINGS, {"model": "echo", "input": "a", "dimensions": 10**30}, "dimensions"),
        (EMBEDDINGS, {"model": "echo", "input": "a", "encoding_format": "hex"}, "encoding_format"),
    ],
)
def test_bad_requests_are_rejected(path: bytes, body: Any, param: str | None) -> None:
    answer = plan_response(body, path)
    assert answer.status == 400
    error = json.loads(read_body(answer))["error"]
    assert error["type"] == "invalid_request_error"
    assert error["param"] == param
    assert error["message"]


def test_requests_for_huge_answers_are_rejected() -> None:
    message = [{"role": "user", "content": "x" * 2**20}]
    assert plan_response({"model": "echo", "messages": message, "n": 128}).status == 400
    assert plan_response({"model": "echo", "prompt": ["x" * 2**20] * 100, "echo": True}, COMPLETIONS).status == 400
    assert plan_response({"model": "mirror", "prompt": ["x" * 2**13] * 2000}, COMPLETIONS).status == 400
    assert plan_response({"model": "embed", "input": ["x"] * 2048, "dimensions": 8192}, EMBEDDINGS).status == 400
    assert plan_response({"model": "lorem:tokens=100000", "messages": USER, "n": 2, "logprobs": True}).status == 400


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (b"/v1/responses", {"model": "echo", "input": [{"role": "developer", "content": "Hello"}]}),
        (b"/v1/responses", {"model": "echo", "input": [{"role": "system", "content": "Hello"}]}),
        (CHAT, {"model": "echo", "messages": [{"role": "system", "content": "Hello"}]}),
    ],
)
def test_conversation_with_only_a_system_message(path: bytes, body: Any) -> None:
    answer = plan_response(body, path)
    assert answer.status == 200
    assert b"Hello" in read_body(answer)


def test_unknown_model() -> None:
    answer = plan_response({"model": "gpt-4o", "messages": USER})
    assert answer.status == 404
    error = json.loads(read_body(answer))["error"]
    assert (error["code"], error["param"]) == ("model_not_found", "model")
    assert "known: echo, fast, slow, lorem" in error["message"]


def test_request_is_checked_before_its_fault() -> None:
    assert plan_response({"model": "fault-500", "messages": []}).status == 400


def test_big_messages_are_counted_quickly() -> None:
    content = "x" * 10_000_000
    usage = json.loads(
        read_body(plan_response({"model": "lorem-1", "messages": [{"role": "user", "content": content}]}))
    )
    assert usage["usage"]["prompt_tokens"] == 3 + 3 + 2_500_000


LEAF = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12)
JSON = st.recursive(
    LEAF, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
)
MODELS = st.sampled_from(["echo", "lorem-5", "mirror", "embed", "fault-cut", "fault-429:retry=date", "nope"])
NUMBERS = st.none() | st.integers(-3, 5) | st.integers()
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "system", "assistant", "tool"]), "content": st.text(max_size=20) | JSON}
)
SCHEMA_KEYS = (
    "type properties items required enum const anyOf allOf oneOf $ref $defs minimum maximum minLength maxLength "
    "minItems maxItems multipleOf exclusiveMinimum exclusiveMaximum format prefixItems a"
)
SCHEMA_WORDS = "object array string integer number boolean null # #/properties/a #/$defs/a"
SCHEMA = st.recursive(
    LEAF | st.sampled_from(SCHEMA_WORDS.split(" ")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(SCHEMA_KEYS.split(" ")), inner, max_size=5)
    ),
    max_leaves=30,
)
STRUCTURED = {"name": st.just("x"), "schema": SCHEMA}
REQUEST = st.fixed_dictionaries(
    {"model": MODELS | JSON},
    optional={
        "messages": st.lists(MESSAGE, max_size=3) | JSON,
        "prompt": st.text(max_size=20) | st.lists(st.text(max_size=5) | st.integers()) | JSON,
        "input": st.text(max_size=20) | st.lists(st.text(max_size=5) | st.integers()) | JSON,
        "stream": st.booleans() | st.none() | JSON,
        "stream_options": st.fixed_dictionaries({"include_usage": st.booleans() | JSON}) | JSON,
        "n": NUMBERS,
        "max_tokens": NUMBERS,
        "stop": st.text(max_size=3) | st.lists(st.text(max_size=3), max_size=3) | JSON,
        "logprobs": st.booleans() | NUMBERS,
        "dimensions": NUMBERS,
        "tools": st.just([{"type": "function", "function": {"name": "f", "parameters": {}}}]) | JSON,
        "tool_choice": st.sampled_from(["required", "auto", {"function": {"name": "f"}}]) | JSON,
        "response_format": JSON
        | st.fixed_dictionaries({"type": st.just("json_schema"), "json_schema": st.fixed_dictionaries(STRUCTURED)}),
    },
)


def check_answer(answer: ResponsePlan) -> None:
    assert answer.status == 200 or 400 <= answer.status < 500
    if answer.status != 200:
        assert json.loads(read_body(answer))["error"]["message"]
    elif answer.length is not None and "fault" not in answer.model:
        json.loads(read_body(answer))
    else:
        for event in read_body(answer).split(b"\n\n"):
            if event.startswith(b"data: {") and event.endswith(b"}"):
                json.loads(event[6:])


@settings(max_examples=300, deadline=None)
@given(path=st.sampled_from([CHAT, COMPLETIONS, EMBEDDINGS]), body=JSON | REQUEST)
def test_no_json_breaks_the_simulator(path: bytes, body: Any) -> None:
    check_answer(plan_response(body, path))


@settings(max_examples=200, deadline=None)
@given(path=st.binary(max_size=30) | st.just(b"/v1/models/") | st.just(CHAT), body=st.binary(max_size=200))
def test_no_bytes_break_the_simulator(path: bytes, body: bytes) -> None:
    for method in (b"GET", b"POST"):
        check_answer(plan_response(body, path, method))


@settings(max_examples=300, deadline=None)
@given(schema=SCHEMA)
def test_no_schema_breaks_the_fabricator(schema: Any) -> None:
    json.loads(fabricate_json(schema, "text"))


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string", "maxLength": 3}, "tex"),
        ({"type": "string", "minLength": 6}, "text.."),
        ({"type": "string", "format": "date"}, "2024-01-01"),
        ({"enum": ["red", "green"]}, "red"),
        ({"const": None}, None),
        ({"type": ["integer", "null"], "minimum": 3}, 3),
        ({"type": "integer", "exclusiveMinimum": 3, "multipleOf": 5}, 5),
        ({"type": "integer", "maximum": -3}, -3),
        ({"type": "number", "exclusiveMinimum": 1, "exclusiveMaximum": 2}, 1.5),
        ({"type": "array", "items": {"type": "boolean"}, "minItems": 2}, [True, True]),
        ({"type": "array", "maxItems": 0}, []),
        ({"prefixItems": [{"const": 1}, {"const": "a"}], "type": "array"}, [1, "a"]),
        ({"anyOf": [{"type": "null"}, {"type": "string"}]}, None),
        ({"allOf": [{"properties": {"a": {"const": 1}}}, {"properties": {"b": {"const": 2}}}]}, {"a": 1, "b": 2}),
        (
            {"$defs": {"x": {"type": "string"}}, "type": "object", "properties": {"a": {"$ref": "#/$defs/x"}}},
            {"a": "text"},
        ),
    ],
)
def test_fabricated_values(schema: Any, expected: Any) -> None:
    assert json.loads(fabricate_json(schema, "text")) == expected


def test_recursive_schemas_end() -> None:
    node = {"type": "object", "properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}, "c": {"$ref": "#"}}}
    assert len(fabricate_json(node, "text")) < 100_000
    assert fabricate_json({"$ref": "#"}, "text")
    assert fabricate_json({"allOf": [{"$ref": "#"}, {"$ref": "#"}]}, "text")
    assert len(fabricate_json({**node, "required": ["a", "b", "c"]}, "text")) < 100_000
