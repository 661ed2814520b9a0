"""Every field of a Responses request that OpenAI's client has: it passes on the same wire; on any other wire it is
translated, rejected by name, or reported as dropped. No field is lost silently."""

import json
from typing import Any, get_type_hints

import pytest
from openai.types.responses.response_create_params import (
    ResponseCreateParamsNonStreaming,
    ResponseCreateParamsStreaming,
)

from antiphon.errors import BadRequest
from antiphon.types import Origin, Target
from antiphon.wires import get_wire
from antiphon.wires.translation.choice import choose_translator

FIELDS = {**get_type_hints(ResponseCreateParamsNonStreaming), **get_type_hints(ResponseCreateParamsStreaming)}
TOOL = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": False}
SAMPLES: dict[str, Any] = {
    "access_programs": {"cyber": "standard"},
    "background": True,
    "context_management": [{"type": "compaction", "compact_threshold": 1000}],
    "conversation": "conv_1",
    "image": {"context_compression": "enabled"},
    "include": ["file_search_call.results"],
    "input": "Another",
    "instructions": "Be brief.",
    "max_output_tokens": 77,
    "max_tool_calls": 3,
    "metadata": {"k": "v"},
    "model": "another",
    "moderation": {"model": "omni-moderation-latest"},
    "parallel_tool_calls": False,
    "previous_response_id": "resp_1",
    "prompt": {"id": "pmpt_1"},
    "prompt_cache_key": "key",
    "prompt_cache_options": {"mode": "explicit"},
    "prompt_cache_retention": "24h",
    "reasoning": {"effort": "low", "summary": "auto"},
    "safety_identifier": "someone",
    "service_tier": "flex",
    "store": False,
    "stream": True,
    "stream_options": {"include_obfuscation": True},
    "temperature": 0.3,
    "text": {"verbosity": "low", "format": {"type": "json_object"}},
    "tool_choice": "required",
    "tools": [TOOL, {**TOOL, "name": "g"}],
    "top_logprobs": 2,
    "top_p": 0.7,
    "truncation": "auto",
    "user": "someone",
}
"""A value for each field that differs from its default."""
OURS = {"store", "background", "model", "stream"}
"""Fields that the gateway acts on itself: storage, background, the target and, where the path says so, streaming."""
TARGETS = {"chat": "openai", "messages": "anthropic", "generate": "gemini", "converse": "bedrock"}


def make_target(operation: str) -> Target:
    return Target("p/up", "p", "up", "k", TARGETS.get(operation, ""), Origin("http", "h", 1), {operation: "/x"})


def translate_fields(operation: str, **fields: Any) -> tuple[Any, tuple[str, ...]]:
    """Return a target's request for these fields, and the names reported as dropped."""
    wire, up = get_wire("responses"), make_target(operation)
    body = json.dumps({"model": "m", "input": "Hi", "tools": [TOOL], **fields}).encode()
    translator = choose_translator(wire, wire.peek(body), up)
    encoded = translator.encode_request(body, up)
    return json.loads(encoded.bodies[0]), encoded.dropped


def test_every_field_has_a_sample() -> None:
    assert set(SAMPLES) == set(FIELDS)


@pytest.mark.parametrize("field", sorted(SAMPLES))
def test_a_field_passes_on_the_same_wire(field: str) -> None:
    given = {field: SAMPLES[field]}
    got, dropped = translate_fields("responses", **given)
    assert dropped == ()
    assert got[field] == ("up" if field == "model" else SAMPLES[field])


@pytest.mark.parametrize("operation", sorted(TARGETS))
@pytest.mark.parametrize("field", sorted(SAMPLES))
def test_a_field_is_translated_rejected_or_reported_on_another_wire(operation: str, field: str) -> None:
    plain, nothing = translate_fields(operation)
    assert nothing == ()
    try:
        got, dropped = translate_fields(operation, **{field: SAMPLES[field]})
    except BadRequest as refused:
        assert (refused.param or "").split(".")[0] == field
        return
    if got == plain and field not in OURS:
        assert any(name == field or name.startswith(f"{field}.") for name in dropped), f"{field} is lost: {dropped}"
    else:
        assert field in OURS or got != plain


PARTS: dict[str, tuple[str, Any]] = {
    "text.verbosity": ("text", {"verbosity": "low"}),
    "text.format": ("text", {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}}),
    "reasoning.effort": ("reasoning", {"effort": "low"}),
    "reasoning.context": ("reasoning", {"effort": "low", "context": "all_turns"}),
    "include": ("include", ["message.output_text.logprobs"]),
}
"""``reasoning.summary`` is missing, because any thinking that a target shows is written as a summary."""


@pytest.mark.parametrize("operation", sorted(TARGETS))
@pytest.mark.parametrize("part", sorted(PARTS))
def test_a_nested_field_is_translated_rejected_or_reported(operation: str, part: str) -> None:
    field, value = PARTS[part]
    rest = {"effort": "low"} if field == "reasoning" and part != "reasoning.effort" else None
    plain, _ = translate_fields(operation, **({field: rest} if rest else {}))
    try:
        got, dropped = translate_fields(operation, **{field: value})
    except BadRequest as refused:
        assert field in (refused.param or "")
        return
    assert got != plain or any(name.startswith(field) for name in dropped), f"{part} is lost: {dropped}"
