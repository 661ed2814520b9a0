"""The shape of a Converse request, as far as it is read (API reference, "Converse": Request Body)."""

from typing import Any, Literal

import msgspec


class _Shape(msgspec.Struct, rename="camel"):
    """Members are named as on the wire, in camel case; members that are not named are not read."""


class Plain(_Shape):
    text: str


class Place(_Shape):
    uri: str


class Source(_Shape):
    bytes: str | None = None
    s3_location: Place | None = None
    text: str | None = None
    content: list[Plain] | None = None


class Switch(_Shape):
    enabled: bool = False


class Media(_Shape):
    source: Source
    format: str = ""
    name: str = ""
    context: str | None = None
    citations: Switch | None = None


class Fault(_Shape):
    message: str = ""


class Shown(_Shape):
    """Media of an answer: the source, or the error that there is in its place."""

    source: Source | None = None
    format: str = ""
    error: Fault | None = None


class ToolUse(_Shape):
    tool_use_id: str
    name: str
    input: Any = None
    type: str | None = None


class SearchResult(_Shape):
    source: str
    title: str
    content: list[Plain]
    citations: Switch | None = None


class ResultBlock(_Shape):
    json: Any = msgspec.UNSET
    text: str | None = None
    image: Media | None = None
    document: Media | None = None
    video: Media | None = None
    search_result: SearchResult | None = None


class ToolResult(_Shape):
    tool_use_id: str
    content: list[ResultBlock]
    status: str | None = None
    type: str | None = None


class ReasoningText(_Shape):
    text: str = ""
    signature: str | None = None


class Reasoning(_Shape):
    reasoning_text: ReasoningText | None = None
    redacted_content: str | None = None


class CachePoint(_Shape):
    type: str = "default"
    ttl: str | None = None


class Guard(_Shape):
    text: Plain | None = None
    image: Media | None = None


class CitationsContent(_Shape):
    content: list[Plain] = []
    citations: list[dict[str, Any]] = []


class Block(_Shape):
    """A union: exactly one member is set."""

    text: str | None = None
    image: Media | None = None
    document: Media | None = None
    video: Media | None = None
    audio: Media | None = None
    tool_use: ToolUse | None = None
    tool_result: ToolResult | None = None
    guard_content: Guard | None = None
    cache_point: CachePoint | None = None
    reasoning_content: Reasoning | None = None
    citations_content: CitationsContent | None = None
    search_result: SearchResult | None = None


class Message(_Shape):
    role: Literal["user", "assistant", "system"]
    content: list[Block]


class InferenceConfig(_Shape):
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop_sequences: list[str] | None = None


class Schema(_Shape):
    json: dict[str, Any]


class ToolSpec(_Shape):
    name: str
    input_schema: Schema
    description: str = ""
    strict: bool | None = None


class Tool(_Shape):
    """A union: exactly one member is set."""

    tool_spec: ToolSpec | None = None
    system_tool: dict[str, Any] | None = None
    cache_point: CachePoint | None = None


class Named(_Shape):
    name: str


class ToolChoice(_Shape):
    """A union: exactly one member is set."""

    auto: dict[str, Any] | None = None
    any: dict[str, Any] | None = None
    tool: Named | None = None


class ToolConfig(_Shape):
    tools: list[Tool] = []
    tool_choice: ToolChoice | None = None


class JsonSchema(_Shape):
    schema: str
    name: str = ""
    description: str = ""


class Structure(_Shape):
    json_schema: JsonSchema


class TextFormat(_Shape):
    structure: Structure


class OutputConfig(_Shape):
    text_format: TextFormat | None = None
    effort: str | None = None


class Tier(_Shape):
    type: str


class Converse(_Shape):
    messages: list[Message] = []
    system: list[Block] = []
    inference_config: InferenceConfig | None = None
    tool_config: ToolConfig | None = None
    output_config: OutputConfig | None = None
    request_metadata: dict[str, str] | None = None
    service_tier: Tier | None = None
    additional_model_request_fields: dict[str, Any] | None = None


READ = frozenset(field.encode_name for field in msgspec.structs.fields(Converse))
"""Top-level members that are read; any other travels in ``extras``."""
OWN_FIELDS = ("guardrailConfig", "performanceConfig", "promptVariables", "additionalModelResponseFieldPaths")
"""Top-level members that no other wire has; they travel in ``extras``, as does what is left of
``additionalModelRequestFields``."""
