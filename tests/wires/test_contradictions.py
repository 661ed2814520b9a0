"""Contradictory requests are refused on every pair of wires, and fields of one wire are reported as dropped."""

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
PAIRS = [(caller, provider) for caller in WIRES for provider in WIRES if caller != provider]


def translate(caller: str, provider: str, document: dict[str, Any]) -> tuple[bytes, tuple[str, ...]]:
    has_model = caller not in IN_PATH
    body = json.dumps(document).encode()
    envelope = get_wire(caller).peek(body, "" if has_model else "m", None if has_model else False)
    target = Target("p/m", "p", "m", "k", provider, Origin("http", "x", 1), {provider: "/"})
    translator = choose_translator(get_wire(caller), envelope, target)
    encoded = translator.encode_request(body, target)
    return encoded.bodies[0], encoded.dropped


@pytest.mark.parametrize("more", [CALLING, EFFORT, LIMIT], ids=["a call of no tool", "an unknown effort", "no tokens"])
@pytest.mark.parametrize(("caller", "provider"), PAIRS)
def test_contradictory_requests_are_refused(caller: str, provider: str, more: dict[str, Any]) -> None:
    translate(caller, provider, PLAIN[caller])
    with pytest.raises(BadRequest):
        translate(caller, provider, PLAIN[caller] | more[caller])


@pytest.mark.parametrize("schema", [{}, {"type": "object"}, {"additionalProperties": False}])
@pytest.mark.parametrize("provider", ["chat", "responses"])
def test_a_tool_schema_always_describes_an_object(provider: str, schema: dict[str, Any]) -> None:
    tool = {"name": "f", "input_schema": schema}
    (sent,) = json.loads(translate("messages", provider, PLAIN["messages"] | {"tools": [tool]})[0])["tools"]
    assert sent.get("function", sent)["parameters"] == {"type": "object", "properties": {}} | schema


def test_a_limit_of_zero_means_none_on_the_gemini_wire() -> None:
    document = PLAIN["generate"] | {"generationConfig": {"maxOutputTokens": 0}}
    assert "max_tokens" not in json.loads(translate("generate", "chat", document)[0])


UNKNOWN: dict[str, tuple[dict[str, Any], str]] = {
    "chat": ({"wibble": 1}, "wibble"),
    "responses": ({"wibble": 1}, "wibble"),
    "messages": ({"metadata": {"wibble": 1}}, "metadata.wibble"),
    "generate": ({"wibble": 1}, "wibble"),
    "converse": ({"wibble": 1}, "wibble"),
}


@pytest.mark.parametrize(("caller", "provider"), PAIRS)
def test_unknown_fields_are_reported_as_dropped(caller: str, provider: str) -> None:
    more, name = UNKNOWN[caller]
    assert name in translate(caller, provider, PLAIN[caller] | more)[1]


@pytest.mark.parametrize(
    "document",
    [
        {"contents": [{"parts": [{"text": "x", "inlineData": {"mimeType": "image/png", "data": "aGk="}}]}]},
        {**PLAIN["generate"], "generationConfig": {"responseSchema": {"type": "OBJECT"}}},
    ],
    ids=["two contents in one part", "a schema for plain text"],
)
@pytest.mark.parametrize("provider", [wire for wire in WIRES if wire != "generate"])
def test_requests_that_gemini_would_refuse_are_refused(provider: str, document: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        translate("generate", provider, document)
