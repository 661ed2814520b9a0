"""Everything in a request reaches a target of another wire, is refused by name, or is reported as dropped.

The requests are dense: every text in them has its own mark (§), which must be found somewhere in the provider's
request. Single fields are tried with values that a careless check takes for missing.
"""

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from antiphon.catalog.profiles import get_profile
from antiphon.errors import BadRequest
from antiphon.types import Origin, Target
from antiphon.wires.table import get_wire
from antiphon.wires.translation.choice import choose_translator

WIRES = ("chat", "responses", "messages", "generate", "converse")
PAIRS = [(caller, provider) for caller in WIRES for provider in WIRES if caller != provider]
MODELS = {
    "chat": "gpt-5",
    "responses": "gpt-5",
    "messages": "claude-sonnet-4-6",
    "generate": "gemini-3-pro",
    "converse": "anthropic.claude-sonnet-4-6",
}
IMAGE, DOCUMENT = "data:image/png;base64,", "data:application/pdf;base64,"
CACHED = {"cache_control": {"type": "ephemeral"}}
PIXEL = "iVBORw0KGgo§"
PDF = "JVBERi0x§"
ARGUMENTS = {"stadt": "§Zürich 東京"}
SCHEMA = {"type": "object", "properties": {"§city": {"type": "string", "description": "§told"}}, "required": ["§city"]}
ANSWER = SCHEMA | {"additionalProperties": False}
_NO_THOUGHT = ("none", {"type": "disabled"}, {"thinkingBudget": 0})
DEFAULTS: dict[tuple[str, str], tuple[Any, ...]] = {
    ("responses", "store"): (False,),
    ("generate", "service_tier"): ("auto",),
    ("converse", "service_tier"): ("auto",),
    **{(provider, "maxOutputTokens"): (0,) for provider in WIRES},  # Gemini's word for no limit
    **{
        (provider, field): _NO_THOUGHT
        for provider in ("messages", "converse")
        for field in ("reasoning_effort", "thinking", "thinkingConfig")
    },
}
"""Values that a target uses by default."""
DENSE: dict[str, dict[str, Any]] = {
    "chat": {
        "model": "m",
        "messages": [
            {"role": "system", "content": [{"type": "text", "text": "§be brief"} | CACHED]},
            {"role": "user", "name": "§anna", "content": [
                {"type": "text", "text": "§look"},
                {"type": "image_url", "image_url": {"url": IMAGE + PIXEL + "0", "detail": "high"}},
                {"type": "file", "file": {"filename": "§Report 7", "file_data": DOCUMENT + PDF + "1"}},
            ]},
            {"role": "assistant", "content": "§I look", "reasoning_content": "brooding", "annotations": [],
             "tool_calls": [
                 {"id": "call_1", "type": "function", "function": {"name": "see", "arguments": json.dumps(ARGUMENTS)}},
                 {"id": "call_2", "type": "function", "function": {"name": "hear", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "call_1", "content": "§fog"},
            {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "§wind"}]},
            {"role": "assistant", "refusal": "§I will not", "content": None},
            {"role": "user", "content": "§go on"},
        ],
        "tools": [
            {"type": "function", "function": {"name": "see", "description": "§sees", "parameters": SCHEMA}},
            {"type": "function", "function": {"name": "hear", "strict": False}},
        ],
        "response_format": {"type": "json_schema", "json_schema": {
            "name": "answer", "description": "§the form", "schema": ANSWER, "strict": True}},
        "stop": ["§stop"], "user": "u-1", "metadata": {"§key": "§value"}, "seed": 0, "temperature": 0, "top_p": 0.5,
        "presence_penalty": 0, "frequency_penalty": 0.25, "logit_bias": {"1": 2}, "store": False,
        "service_tier": "flex", "parallel_tool_calls": False, "verbosity": "low", "reasoning_effort": "low",
        "logprobs": False, "prompt_cache_key": "§cache", "safety_identifier": "§safe",
        "prediction": {"type": "content", "content": "§predicted"},
    },
    "responses": {
        "model": "m", "instructions": "§be brief",
        "input": [
            {"role": "developer", "content": "§developer"},
            {"role": "user", "content": [
                {"type": "input_text", "text": "§look"},
                {"type": "input_image", "image_url": IMAGE + PIXEL + "0", "detail": "high"},
                {"type": "input_file", "filename": "§Report 7", "file_data": DOCUMENT + PDF + "1"},
            ]},
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "brooding"}]},
            {"type": "message", "role": "assistant", "content": [
                {"type": "output_text", "text": "§I look", "annotations": [
                {"type": "url_citation", "url": "https://§", "title": "§heading", "start_index": 0, "end_index": 3}]}]},
            {"type": "function_call", "call_id": "call_1", "name": "see", "arguments": json.dumps(ARGUMENTS)},
            {"type": "function_call", "call_id": "call_2", "name": "hear", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "call_1", "output": [
                {"type": "input_text", "text": "§fog"},
                {"type": "input_image", "image_url": IMAGE + PIXEL + "2"}]},
            {"type": "function_call_output", "call_id": "call_2", "output": "§wind"},
            {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "§I will not"}]},
            {"role": "user", "content": "§go on"},
        ],
        "tools": [
            {"type": "function", "name": "see", "description": "§sees", "parameters": SCHEMA, "strict": False},
            {"type": "custom", "name": "hear", "description": "§hears"},
        ],
        "text": {"verbosity": "low", "format": {"type": "json_schema", "name": "answer", "description": "§the form",
                                                  "schema": ANSWER}},
        "user": "u-1", "metadata": {"§key": "§value"}, "temperature": 0, "parallel_tool_calls": False,
        "reasoning": {"effort": "low", "summary": "detailed"}, "prompt_cache_key": "§cache",
        "safety_identifier": "§safe", "max_tool_calls": 3, "truncation": "auto", "service_tier": "flex",
    },
    "messages": {
        "model": "m", "max_tokens": 4000,
        "system": [{"type": "text", "text": "§be brief", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "§look"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL + "0"}},
                {"type": "document", "title": "§Report 7", "context": "§context", "citations": {"enabled": True},
                 "source": {"type": "base64", "media_type": "application/pdf", "data": PDF + "1"}},
                {"type": "search_result", "source": "§source", "title": "§title",
                 "content": [{"type": "text", "text": "§found"}]},
            ]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "brooding", "signature": "sig"},
                {"type": "redacted_thinking", "data": "data"},
                {"type": "text", "text": "§I look", "citations": [{"type": "char_location", "cited_text": "§quote",
                 "document_index": 0, "document_title": "§heading", "start_char_index": 0, "end_char_index": 1}]},
                {"type": "tool_use", "id": "call_1", "name": "see", "input": ARGUMENTS,
                 "cache_control": {"type": "ephemeral"}},
                {"type": "tool_use", "id": "call_2", "name": "hear", "input": {}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "call_1", "is_error": True, "content": [
                    {"type": "text", "text": "§fog"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL + "2"}}]},
                {"type": "tool_result", "tool_use_id": "call_2", "content": "§wind"},
                {"type": "text", "text": "§go on"},
            ]},
        ],
        "tools": [
            {"name": "see", "description": "§sees", "input_schema": SCHEMA, "cache_control": {"type": "ephemeral"},
             "input_examples": [{"§city": "§example"}]},
            {"name": "hear", "input_schema": {"type": "object", "properties": {}}},
        ],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        "output_config": {"format": {"type": "json_schema", "schema": ANSWER}, "task_budget": {"total": 1}},
        "thinking": {"type": "enabled", "budget_tokens": 2000, "display": "summarized"},
        "metadata": {"user_id": "u-1", "other": "§other"}, "stop_sequences": ["§stop"], "top_k": 0,
        "service_tier": "standard_only", "container": "§container", "speed": "fast",
    },
    "generate": {
        "systemInstruction": {"parts": [{"text": "§be brief"}]},
        "contents": [
            {"role": "user", "parts": [
                {"text": "§look"},
                {"inlineData": {"mimeType": "image/png", "data": PIXEL + "0"},
                 "mediaResolution": {"level": "MEDIA_RESOLUTION_HIGH"}},
                {"inlineData": {"mimeType": "application/pdf", "data": PDF + "1", "displayName": "§Report 7"}},
            ]},
            {"role": "model", "parts": [
                {"text": "brooding", "thought": True, "thoughtSignature": "c2ln"},
                {"text": "§I look"},
                {"functionCall": {"id": "call_1", "name": "see", "args": ARGUMENTS}, "thoughtSignature": "c2ln"},
                {"functionCall": {"id": "call_2", "name": "hear", "args": {}}},
            ]},
            {"role": "user", "parts": [
                {"functionResponse": {"id": "call_1", "name": "see", "response": {"error": "§fog"},
                 "scheduling": "SILENT", "parts": [{"inlineData": {"mimeType": "image/png", "data": PIXEL + "2"}}]}},
                {"functionResponse": {"id": "call_2", "name": "hear", "response": {"wind": "§wind"}}},
            ]},
            {"role": "user", "parts": [{"text": "§go on"}]},
        ],
        "tools": [{"functionDeclarations": [
            {"name": "see", "description": "§sees", "parametersJsonSchema": SCHEMA, "behavior": "BLOCKING",
             "response": {"type": "STRING", "description": "§gives"}},
            {"name": "hear"}]}],
        "safetySettings": [{"category": "§category", "threshold": "OFF"}],
        "generationConfig": {
            "stopSequences": ["§stop"], "seed": 0, "temperature": 0, "topK": 0, "presencePenalty": 0,
            "frequencyPenalty": 0.25, "responseMimeType": "application/json", "responseJsonSchema": ANSWER,
            "thinkingConfig": {"thinkingBudget": 2000, "includeThoughts": True, "other": "§other"},
            "mediaResolution": "§media", "responseLogprobs": False, "logprobs": 0,
        },
        "labels": {"§key": "§value"}, "serviceTier": "flex",
    },
    "converse": {
        "system": [{"text": "§be brief"}, {"cachePoint": {"type": "default"}}],
        "messages": [
            {"role": "user", "content": [
                {"text": "§look"},
                {"image": {"format": "png", "source": {"bytes": PIXEL + "0"}}},
                {"document": {"format": "pdf", "name": "§Report 7", "source": {"bytes": PDF + "1"},
                              "context": "§context", "citations": {"enabled": True}}},
                {"searchResult": {"source": "§source", "title": "§title", "content": [{"text": "§found"}],
                                  "citations": {"enabled": False}}},
                {"cachePoint": {"type": "default"}},
            ]},
            {"role": "assistant", "content": [
                {"reasoningContent": {"reasoningText": {"text": "brooding", "signature": "sig"}}},
                {"citationsContent": {"content": [{"text": "§I look"}], "citations": [{"title": "§heading",
                    "sourceContent": [{"text": "§quote"}],
                    "location": {"documentChar": {"documentIndex": 0, "start": 0, "end": 1}}}]}},
                {"toolUse": {"toolUseId": "call_1", "name": "see", "input": ARGUMENTS}},
                {"toolUse": {"toolUseId": "call_2", "name": "hear", "input": {}}},
                {"cachePoint": {"type": "default"}},
            ]},
            {"role": "user", "content": [
                {"toolResult": {"toolUseId": "call_1", "status": "error", "content": [
                    {"text": "§fog"}, {"image": {"format": "png", "source": {"bytes": PIXEL + "2"}}}]}},
                {"toolResult": {"toolUseId": "call_2", "content": [{"json": {"wind": "§wind"}}]}},
                {"text": "§go on"},
            ]},
        ],
        "toolConfig": {"tools": [
            {"toolSpec": {"name": "see", "description": "§sees", "inputSchema": {"json": SCHEMA}}},
            {"cachePoint": {"type": "default"}},
            {"toolSpec": {"name": "hear", "inputSchema": {"json": {"type": "object", "properties": {}}}}}]},
        "inferenceConfig": {"maxTokens": 4000, "temperature": 0, "stopSequences": ["§stop"]},
        "outputConfig": {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {
            "name": "answer", "description": "§the form", "schema": json.dumps(ANSWER, ensure_ascii=False)}}}},
        "requestMetadata": {"key": "value-1"},
        "guardrailConfig": {"guardrailIdentifier": "§guard", "guardrailVersion": "1"},
        "performanceConfig": {"latency": "optimized"}, "serviceTier": {"type": "flex"},
        "additionalModelRequestFields": {"top_k": 0, "§more": 1},
        "additionalModelResponseFieldPaths": ["/§path"],
    },
}  # fmt: skip
"""Requests with every field of a wire; thinking (``brooding``) is shown only to the provider that made it."""


def translate(caller: str, provider: str, document: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
    has_model = caller not in ("generate", "converse")
    body = json.dumps(document).encode()
    envelope = get_wire(caller).peek(body, "" if has_model else "m", None if has_model else False)
    model = MODELS[provider]
    target = Target(
        f"p/{model}", "p", model, "k", provider, Origin("http", "x", 1), {provider: "/"}, profile=get_profile(model)
    )
    translator = choose_translator(get_wire(caller), envelope, target)
    encoded = translator.encode_request(body, target)
    return json.dumps(json.loads(encoded.bodies[0]), ensure_ascii=False), encoded.dropped


def iterate_marks(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield every text with a mark, also in text that is JSON, and its path."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from iterate_marks(inner, (*path, name))
            if "§" in name:
                yield name, path
    elif isinstance(value, list):
        for inner in value:
            yield from iterate_marks(inner, path)
    elif isinstance(value, str) and "§" in value:
        inner = json.loads(value) if value.startswith("{") else None
        yield from iterate_marks(inner, path) if inner is not None else iter([(value.rpartition("base64,")[2], path)])


def simplify(text: str) -> str:
    """Return a text with its base64 decoded, without characters that some wires do not allow in names."""
    for found in re.findall(r"[A-Za-z0-9+/]{16,}=*", text):
        try:
            text += base64.b64decode(found + "==").decode()
        except ValueError:
            continue
    return re.sub(r"[^\w]", "", text)


def is_reported(path: tuple[str, ...], dropped: tuple[str, ...]) -> bool:
    """Return whether a dropped name covers ``path``: the path begins with it, or contains its last word."""
    return any(".".join(path).startswith(name) or name.rpartition(".")[2] in path for name in dropped)


SIGNED_ALIKE = [("messages", "converse")]
"""Claude on Bedrock takes the signatures of the Messages API."""
TITLES = {("converse", "generate"): {"§title"}}
"""A search result is a document on other wires, whose name is dropped under that wire's word for it."""


@pytest.mark.parametrize(("caller", "provider"), PAIRS)
def test_every_text_of_a_dense_request_arrives_or_is_reported(caller: str, provider: str) -> None:
    body, dropped = translate(caller, provider, DENSE[caller])
    text = simplify(body)
    lost = {
        mark
        for mark, path in iterate_marks(DENSE[caller])
        if simplify(mark) not in text and not is_reported(path, dropped)
    }
    assert lost - TITLES.get((caller, provider), set()) == set(), dropped
    assert ("brooding" in text) == ((caller, provider) in SIGNED_ALIKE)
    assert body.count("iVBORw0KGgo") == json.dumps(DENSE[caller]).count("iVBORw0KGgo")


BASE: dict[str, dict[str, Any]] = {
    "chat": {"model": "m", "messages": [{"role": "user", "content": "x"}]},
    "responses": {"model": "m", "input": "x"},
    "messages": {"model": "m", "messages": [{"role": "user", "content": "x"}], "max_tokens": 9},
    "generate": {"contents": [{"parts": [{"text": "x"}]}]},
    "converse": {"messages": [{"role": "user", "content": [{"text": "x"}]}]},
}
NUMBERS = (0, 0.0, 0.25, 1)
FIELDS: dict[str, dict[str, tuple[Any, ...]]] = {
    "chat": {
        "temperature": NUMBERS, "top_p": NUMBERS, "seed": (0, 7), "presence_penalty": NUMBERS, "top_k": (0, 7),
        "frequency_penalty": NUMBERS, "logprobs": (True,), "max_tokens": (0, 7), "max_completion_tokens": (0, 7),
        "stop": ("a", ["a"], [""]), "metadata": ({"a": "b"},), "user": ("u",), "service_tier": ("auto", "flex"),
        "store": (True, False), "verbosity": ("low",), "logit_bias": ({}, {"1": 0}), "x": (0, False, "", [], {}),
        "reasoning_effort": ("none", "low", "high"), "response_format": ({"type": "json_object"},),
    },
    "responses": {
        "temperature": NUMBERS, "top_p": NUMBERS, "max_output_tokens": (0, 7), "metadata": ({"a": "b"},),
        "user": ("u",), "truncation": ("auto",), "service_tier": ("flex",), "max_tool_calls": (1,),
        "x": (0, False, "", [], {}), "reasoning": ({"effort": "low"},),
        "text": ({"format": {"type": "json_object"}}, {"verbosity": "low"}),
    },
    "messages": {
        "temperature": NUMBERS, "top_p": NUMBERS, "top_k": (0, 7), "stop_sequences": (["a"], [""]),
        "metadata": ({"user_id": "u"},), "service_tier": ("auto", "standard_only"), "x": (0, False, "", [], {}),
        "thinking": ({"type": "adaptive"}, {"type": "enabled", "budget_tokens": 2000}, {"type": "disabled"}),
        "output_config": ({"effort": "low"}, {"effort": "max"}),
    },
    "generate": {
        "generationConfig.temperature": NUMBERS, "generationConfig.topP": NUMBERS, "generationConfig.topK": (0, 7),
        "generationConfig.seed": (0, 7), "generationConfig.presencePenalty": NUMBERS,
        "generationConfig.frequencyPenalty": NUMBERS, "generationConfig.maxOutputTokens": (0, 7),
        "generationConfig.stopSequences": (["a"], [""]), "generationConfig.responseLogprobs": (True,),
        "generationConfig.responseMimeType": ("application/json",), "generationConfig.x": (0, False, "", [], {}),
        "generationConfig.thinkingConfig": ({"thinkingBudget": 0}, {"thinkingBudget": -1}, {"thinkingLevel": "low"}),
        "serviceTier": ("flex", "standard"), "x": (0, False, "", [], {}),
    },
    "converse": {
        "inferenceConfig.temperature": NUMBERS, "inferenceConfig.topP": NUMBERS, "inferenceConfig.maxTokens": (0, 7),
        "inferenceConfig.stopSequences": (["a"], [""]), "requestMetadata": ({"a": "b"},),
        "performanceConfig": ({"latency": "optimized"},), "serviceTier": ({"type": "flex"},),
        "additionalModelRequestFields.top_k": (0, 7), "additionalModelRequestFields.x": (0, False, "", [], {}),
    },
}  # fmt: skip
SINGLES = [
    (caller, provider, field, value)
    for caller, provider in PAIRS
    for field, values in FIELDS[caller].items()
    for value in values
]  # fmt: skip


@pytest.mark.parametrize(("caller", "provider", "field", "value"), SINGLES)
def test_a_field_with_any_value_arrives_or_is_reported(caller: str, provider: str, field: str, value: Any) -> None:
    document = json.loads(json.dumps(BASE[caller]))
    holder = document
    *above, last = field.split(".")
    for name in above:
        holder = holder.setdefault(name, {})
    holder[last] = value
    plain, _ = translate(caller, provider, BASE[caller])
    try:
        body, dropped = translate(caller, provider, document)
    except BadRequest as refused:
        assert (refused.param or "").split(".")[0] == field.split(".")[0]
        return
    if body != plain:
        return
    if value in DEFAULTS.get((provider, last), ()):
        return
    assert any(name == field or name.startswith(field + ".") or field.startswith(name + ".") for name in dropped), (
        dropped
    )
