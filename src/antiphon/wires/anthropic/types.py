"""A Messages request as typed values (API reference, "Create a Message": body parameters).

These are the members that translation reads. Any other member has no counterpart on other wires and is kept in
``extras``. Any other block exists on this wire only, and translation refuses it by its type.
"""

from typing import Any, Literal, TypeAlias

import msgspec

WIRE = "anthropic"
"""The name of this wire in neutral values."""

Cache: TypeAlias = dict[str, Any] | None


class TextBlock(msgspec.Struct, tag="text"):
    text: str
    cache_control: Cache = None
    citations: list[dict[str, Any]] | None = None


class Base64Source(msgspec.Struct, tag="base64"):
    data: str
    media_type: str


class UrlSource(msgspec.Struct, tag="url"):
    url: str


class FileSource(msgspec.Struct, tag="file"):
    file_id: str


class TextSource(msgspec.Struct, tag="text"):
    data: str
    media_type: str = "text/plain"


class ImageBlock(msgspec.Struct, tag="image"):
    source: Base64Source | UrlSource | FileSource
    cache_control: Cache = None


class BlockSource(msgspec.Struct, tag="content"):
    content: str | list[TextBlock | ImageBlock]


class CitationsConfig(msgspec.Struct):
    enabled: bool | None = None


class DocumentBlock(msgspec.Struct, tag="document"):
    source: Base64Source | TextSource | BlockSource | UrlSource | FileSource
    title: str | None = None
    context: str | None = None
    citations: CitationsConfig | None = None
    cache_control: Cache = None


class SearchResultBlock(msgspec.Struct, tag="search_result"):
    content: list[TextBlock]
    source: str
    title: str
    citations: CitationsConfig | None = None
    cache_control: Cache = None


class ThinkingBlock(msgspec.Struct, tag="thinking"):
    thinking: str
    signature: str = ""


class RedactedBlock(msgspec.Struct, tag="redacted_thinking"):
    data: str


class ToolUseBlock(msgspec.Struct, tag="tool_use"):
    id: str
    name: str
    input: dict[str, Any]
    cache_control: Cache = None


class ToolResultBlock(msgspec.Struct, tag="tool_result"):
    tool_use_id: str
    content: str | list[TextBlock | ImageBlock | DocumentBlock | SearchResultBlock] | None = None
    is_error: bool | None = None
    cache_control: Cache = None


Block: TypeAlias = (
    TextBlock
    | ImageBlock
    | DocumentBlock
    | SearchResultBlock
    | ThinkingBlock
    | RedactedBlock
    | ToolUseBlock
    | ToolResultBlock
)


class Message(msgspec.Struct):
    role: Literal["user", "assistant", "system"]
    content: str | list[Block]


class Adaptive(msgspec.Struct, tag="adaptive"):
    display: str | None = None


class Enabled(msgspec.Struct, tag="enabled"):
    budget_tokens: int
    display: str | None = None


class Disabled(msgspec.Struct, tag="disabled"):
    pass


class BetweenTools(msgspec.Struct, tag="between_tools"):
    pass


class JsonSchema(msgspec.Struct, tag="json_schema"):
    schema: dict[str, Any]


class OutputConfig(msgspec.Struct):
    effort: str | None = None
    format: JsonSchema | None = None


class ToolChoice(msgspec.Struct):
    type: Literal["auto", "any", "tool", "none"]
    name: str = ""
    disable_parallel_tool_use: bool | None = None


class CustomTool(msgspec.Struct):
    name: str
    input_schema: dict[str, Any]
    description: str = ""
    strict: bool | None = None
    cache_control: Cache = None


class Metadata(msgspec.Struct):
    user_id: str | None = None


class Request(msgspec.Struct):
    """The top-level members that have a counterpart in the neutral form."""

    model: str = ""
    messages: list[Any] = []
    max_tokens: int | None = None
    system: str | list[TextBlock] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: ToolChoice | None = None
    thinking: Adaptive | Enabled | Disabled | BetweenTools | None = None
    output_config: OutputConfig | None = None
    output_format: JsonSchema | None = None
    stop_sequences: list[str] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    metadata: Metadata | None = None
    service_tier: str | None = None
    stream: bool | None = None
    mcp_servers: list[dict[str, Any]] | None = None
    thread: dict[str, Any] | None = None


READ_FIELDS = frozenset(Request.__struct_fields__)
"""Top-level names that translation reads; all others are kept in ``extras``."""
