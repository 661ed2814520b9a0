"""What a request of any wire must not ask, whatever the target; and what only one wire knows is told of, not lost."""

import json
from typing import Any

import pytest

from antiphon.errors import BadRequest
from antiphon.types import Origin, Target
from antiphon.wires.table import get_wire
from antiphon.wires.translation.choice import choose_translator

WIRES = ("chat", "responses", "messages", "generate", "converse")
IN_PATH = ("generate", "converse")
USER = [{"role": "user", "content": "x"}]
PLAIN: dict[str, dict[str, Any]] = {
    "chat": {"model": "m", "messages": USER},
    "responses": {"model": "m", "input": "x"},
    "messages": {"model": "m", "messages": USER, "max_tokens": 9},
    "generate": {"contents": [{"parts": [{"text": "x"}]}]},
    "converse": {"messages": [{"role": "user", "content": [{"text": "x"}]}]},
}
CALLING: dict[str, dict[str, Any]] = {
    "chat": {"tool_choice": "required"},
    "responses": {"tool_choice": {"type": "function", "name": "f"}},
    "messages": {"tool_choice": {"type": "any"}},
    "generate": {"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}},
    "converse": {"toolConfig": {"toolChoice": {"any": {}}}},
}
EFFORT: dict[str, dict[str, Any]] = {
    "chat": {"reasoning_effort": "most"},
    "responses": {"reasoning": {"effort": "most"}},
    "messages": {"output_config": {"effort": "most"}},
    "generate": {"generationConfig": {"thinkingConfig": {"thinkingLevel": "MOST"}}},
    "converse": {"outputConfig": {"effort": "most"}},
}
LIMIT: dict[str, dict[str, Any]] = {
    "chat": {"max_completion_tokens": 0},
    "responses": {"max_output_tokens": 0},
    "messages": {"max_tokens": 0},
    "generate": {"generationConfig": {"maxOutputTokens": -1}},
    "converse": {"inferenceConfig": {"maxTokens": 0}},
}
PAIRS = [(near, far) for near in WIRES for far in WIRES if near != far]


def translated(near: str, far: str, document: dict[str, Any]) -> tuple[bytes, tuple[str, ...]]:
    inside = near not in IN_PATH
    body = json.dumps(document).encode()
    envelope = get_wire(near).peek(body, "" if inside else "m", None if inside else False)
    target = Target("p/m", "p", "m", "k", far, Origin("http", "x", 1), {far: "/"})
    translator = choose_translator(get_wire(near), envelope, target)
    encoded = translator.encode_request(body, target)
    return encoded.bodies[0], encoded.dropped


@pytest.mark.parametrize("more", [CALLING, EFFORT, LIMIT], ids=["a call of no tool", "an unknown effort", "no tokens"])
@pytest.mark.parametrize(("near", "far"), PAIRS)
def test_what_no_target_could_take(near: str, far: str, more: dict[str, Any]) -> None:
    translated(near, far, PLAIN[near])
    with pytest.raises(BadRequest):
        translated(near, far, PLAIN[near] | more[near])


@pytest.mark.parametrize("schema", [{}, {"type": "object"}, {"additionalProperties": False}])
@pytest.mark.parametrize("far", ["chat", "responses"])
def test_a_schema_says_that_it_is_an_objects(far: str, schema: dict[str, Any]) -> None:
    tool = {"name": "f", "input_schema": schema}
    (sent,) = json.loads(translated("messages", far, PLAIN["messages"] | {"tools": [tool]})[0])["tools"]
    assert sent.get("function", sent)["parameters"] == {"type": "object", "properties": {}} | schema


def test_no_limit_of_gemini_is_none() -> None:
    document = PLAIN["generate"] | {"generationConfig": {"maxOutputTokens": 0}}
    assert "max_tokens" not in json.loads(translated("generate", "chat", document)[0])


UNKNOWN: dict[str, tuple[dict[str, Any], str]] = {
    "chat": ({"wibble": 1}, "wibble"),
    "responses": ({"wibble": 1}, "wibble"),
    "messages": ({"metadata": {"wibble": 1}}, "metadata.wibble"),
    "generate": ({"wibble": 1}, "wibble"),
    "converse": ({"wibble": 1}, "wibble"),
}


@pytest.mark.parametrize(("near", "far"), PAIRS)
def test_what_nobody_else_knows_is_told_of(near: str, far: str) -> None:
    more, name = UNKNOWN[near]
    assert name in translated(near, far, PLAIN[near] | more)[1]


@pytest.mark.parametrize(
    "document",
    [
        {"contents": [{"parts": [{"text": "x", "inlineData": {"mimeType": "image/png", "data": "aGk="}}]}]},
        {**PLAIN["generate"], "generationConfig": {"responseSchema": {"type": "OBJECT"}}},
    ],
    ids=["two contents in one part", "a schema for plain text"],
)
@pytest.mark.parametrize("far", [wire for wire in WIRES if wire != "generate"])
def test_what_gemini_refuses_itself(far: str, document: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        translated("generate", far, document)
