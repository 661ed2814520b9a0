"""A caller's request: the spellings that this wire accepts, and the typed values.

Protobuf's JSON mapping accepts every field in lowerCamelCase and in its original snake_case, and numbers as strings.
This wire's servers also accept one value in place of a list (``"parts": {"text": …}`` is in their own examples). This
module turns all of these into one standard form. It leaves the caller's data alone: arguments, responses, and property
names of schemas.
"""

import math
import re
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from antiphon.errors import BadRequest
from antiphon.wires.checks import read_fields

_OPAQUE = frozenset(
    ("args", "response", "parametersJsonSchema", "responseJsonSchema", "labels", "partMetadata", "default", "example",
     "enum")
)  # fmt: skip
"""Fields whose value is the caller's data."""
_MAPS = frozenset(("properties", "defs", "$defs"))
"""Fields whose value maps the caller's names to objects of this wire."""
_LISTS = frozenset(
    ("contents", "parts", "tools", "functionDeclarations", "stopSequences", "safetySettings", "allowedFunctionNames",
     "responseModalities", "requests")
)  # fmt: skip
T = TypeVar("T")

_SNAKE = re.compile(r"_([a-z0-9])")
_SNAKE_KEY = re.compile(rb'"[a-z0-9$]+_[a-z0-9_]+"\s*:')


class _Field(msgspec.Struct, rename="camel"):
    pass


class Blob(_Field):
    mime_type: str = ""
    data: str = ""
    display_name: str = ""


class FileData(_Field):
    mime_type: str = ""
    file_uri: str = ""
    display_name: str = ""


class FunctionCall(_Field):
    name: str
    id: str = ""
    args: dict[str, Any] | None = None


class ResponsePart(_Field):
    inline_data: Blob | None = None
    file_data: FileData | None = None


class FunctionResponse(_Field):
    name: str
    id: str = ""
    response: dict[str, Any] | None = None
    parts: list[ResponsePart] | None = None
    scheduling: str | None = None
    will_continue: bool | None = None


class Part(_Field):
    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    inline_data: Blob | None = None
    file_data: FileData | None = None
    function_call: FunctionCall | None = None
    function_response: FunctionResponse | None = None
    executable_code: dict[str, Any] | None = None
    code_execution_result: dict[str, Any] | None = None
    tool_call: dict[str, Any] | None = None
    tool_response: dict[str, Any] | None = None
    video_metadata: dict[str, Any] | None = None
    media_resolution: Any = None


class Content(_Field):
    parts: list[Part] | None = None
    role: str | None = None


class FunctionDeclaration(_Field):
    name: str
    description: str = ""
    parameters: dict[str, Any] | None = None
    parameters_json_schema: Any = None


class FunctionCallingConfig(_Field):
    mode: str = ""
    allowed_function_names: list[str] | None = None


class ToolConfig(_Field):
    function_calling_config: FunctionCallingConfig | None = None


class ThinkingConfig(_Field):
    thinking_budget: int | None = None
    thinking_level: str = ""
    include_thoughts: bool | None = None


class GenerationConfig(_Field):
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    candidate_count: int | None = None
    max_output_tokens: int | None = None
    stop_sequences: list[str] | None = None
    response_mime_type: str = ""
    response_schema: dict[str, Any] | None = None
    response_json_schema: Any = None
    thinking_config: ThinkingConfig | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    response_logprobs: bool | None = None
    logprobs: int | None = None
    response_modalities: list[str] | None = None

    def __post_init__(self) -> None:
        for name in ("temperature", "top_p", "presence_penalty", "frequency_penalty"):
            if (value := getattr(self, name)) is not None and not math.isfinite(value):
                raise ValueError(f"`{name}` must be a finite number")
        if self.candidate_count is not None and not 0 <= self.candidate_count <= 128:
            raise ValueError("`candidateCount` must be a small positive number")


class GenerateRequest(_Field, kw_only=True):
    contents: list[Content]
    system_instruction: Content | None = None
    tools: list[dict[str, Any]] | None = None
    tool_config: ToolConfig | None = None
    generation_config: GenerationConfig | None = None
    safety_settings: list[dict[str, Any]] | None = None
    cached_content: str = ""
    service_tier: str = ""

    def __post_init__(self) -> None:
        if not self.contents:
            raise ValueError("`contents` must hold at least one content")


def read_generate_request(body: bytes, document: dict[str, Any]) -> GenerateRequest:
    """Return a checked body as typed values; raises :class:`~antiphon.errors.BadRequest`."""
    if b"_" not in body or _SNAKE_KEY.search(body) is None:
        try:
            return msgspec.convert(document, GenerateRequest, strict=False)
        except msgspec.ValidationError:
            pass  # the caller may have sent one value in place of a list; the standard form has the list
    return read_lenient_fields(to_standard_form(document), GenerateRequest)


def read_lenient_fields(value: Any, kind: type[T], path: str = "") -> T:
    """See :func:`antiphon.wires.checks.read_fields`; on this wire, numbers and booleans may be written as strings."""
    return read_fields(value, kind, path, strict=False)


def to_standard_form(value: Any) -> Any:
    """Return a decoded body in the standard form; raises :class:`BadRequest` for a field given twice."""
    if type(value) is list:
        return [to_standard_form(item) if type(item) is dict or type(item) is list else item for item in value]
    if type(value) is not dict:
        return value
    result: dict[str, Any] = {}
    for key, item in value.items():
        if item is None:
            continue
        name = _to_camel_case(key) if "_" in key else key
        if name in result:
            raise BadRequest(f"The field {name!r} stands twice, in both spellings; send one.", param=name)
        if name in _LISTS and type(item) in (dict, str):
            item = [item]
        if name in _OPAQUE or not (type(item) is dict or type(item) is list):
            result[name] = item
        elif name in _MAPS and type(item) is dict:
            result[name] = {property_name: to_standard_form(schema) for property_name, schema in item.items()}
        else:
            result[name] = to_standard_form(item)
    return result


@lru_cache(maxsize=512)
def _to_camel_case(key: str) -> str:
    return _SNAKE.sub(lambda match: match[1].upper(), key)
