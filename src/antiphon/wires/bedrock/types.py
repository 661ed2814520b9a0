"""Types of a Converse request and its parts, as far as they are read (API reference, "Converse": Request Body)."""

from typing import Any, Literal

import msgspec


class _WireType(msgspec.Struct, rename="camel"):
    """Fields have the names of the wire, in camel case there; members without a field are ignored."""


class PlainText(_WireType):
    text: str


class S3Location(_WireType):
    uri: str


class Source(_WireType):
    bytes: str | None = None
    s3_location: S3Location | None = None
    text: str | None = None
    content: list[PlainText] | None = None


class Switch(_WireType):
    enabled: bool = False


class Media(_WireType):
    source: Source
    format: str = ""
    name: str = ""
    context: str | None = None
    citations: Switch | None = None


class MediaError(_WireType):
    message: str = ""


class AnswerMedia(_WireType):
    """Media of an answer: the source, or an error in its place."""

    source: Source | None = None
    format: str = ""
    error: MediaError | None = None


class ToolUse(_WireType):
    tool_use_id: str
    name: str
    input: Any = None
    type: str | None = None


class SearchResult(_WireType):
    source: str
    title: str
    content: list[PlainText]
    citations: Switch | None = None


class ResultBlock(_WireType):
    json: Any = msgspec.UNSET
    text: str | None = None
    image: Media | None = None
    document: Media | None = None
    video: Media | None = None
    search_result: SearchResult | None = None


class ToolResult(_WireType):
    tool_use_id: str
    content: list[ResultBlock]
    status: str | None = None
    type: str | None = None


class ReasoningText(_WireType):
    text: str = ""
    signature: str | None = None


class Reasoning(_WireType):
    reasoning_text: ReasoningText | None = None
    redacted_content: str | None = None


class CachePoint(_WireType):
    type: str = "default"
    ttl: str | None = None


class GuardContent(_WireType):
    text: PlainText | None = None
    image: Media | None = None


class CitationsContent(_WireType):
    content: list[PlainText] = []
    citations: list[dict[str, Any]] = []


class Block(_WireType):
    """A union: exactly one member is set."""

    text: str | None = None
    image: Media | None = None
    document: Media | None = None
    video: Media | None = None
    audio: Media | None = None
    tool_use: ToolUse | None = None
    tool_result: ToolResult | None = None
    guard_content: GuardContent | None = None
    cache_point: CachePoint | None = None
    reasoning_content: Reasoning | None = None
    citations_content: CitationsContent | None = None
    search_result: SearchResult | None = None


class Message(_WireType):
    role: Literal["user", "assistant", "system"]
    content: list[Block]


class InferenceConfig(_WireType):
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop_sequences: list[str] | None = None


class InputSchema(_WireType):
    json: dict[str, Any]


class ToolSpec(_WireType):
    name: str
    input_schema: InputSchema
    description: str = ""
    strict: bool | None = None


class Tool(_WireType):
    """A union: exactly one member is set."""

    tool_spec: ToolSpec | None = None
    system_tool: dict[str, Any] | None = None
    cache_point: CachePoint | None = None


class SpecificTool(_WireType):
    name: str


class ToolChoice(_WireType):
    """A union: exactly one member is set."""

    auto: dict[str, Any] | None = None
    any: dict[str, Any] | None = None
    tool: SpecificTool | None = None


class ToolConfig(_WireType):
    tools: list[Tool] = []
    tool_choice: ToolChoice | None = None


class JsonSchema(_WireType):
    schema: str
    name: str = ""
    description: str = ""


class Structure(_WireType):
    json_schema: JsonSchema


class TextFormat(_WireType):
    structure: Structure


class OutputConfig(_WireType):
    text_format: TextFormat | None = None
    effort: str | None = None


class ServiceTier(_WireType):
    type: str


class ConverseRequest(_WireType):
    messages: list[Message] = []
    system: list[Block] = []
    inference_config: InferenceConfig | None = None
    tool_config: ToolConfig | None = None
    output_config: OutputConfig | None = None
    request_metadata: dict[str, str] | None = None
    service_tier: ServiceTier | None = None
    additional_model_request_fields: dict[str, Any] | None = None


READ_FIELDS = frozenset(field.encode_name for field in msgspec.structs.fields(ConverseRequest))
"""Top-level members that are read; all others are kept in ``extras``."""
OWN_FIELDS = ("guardrailConfig", "performanceConfig", "promptVariables", "additionalModelResponseFieldPaths")
"""Top-level members that only this wire has. They are kept in ``extras``, like the members of
``additionalModelRequestFields`` that are not read."""
