"""The top-level fields of a Responses request, typed (API reference, "Create a model response"), and what is said
where a type is wrong.

Only what the gateway must know is typed deeply; tools and input items pass unread where wire and target agree.
"""

from typing import Any, TypeVar

import msgspec

from antiphon.wires.checks import bad_request_from

T = TypeVar("T")


class ReasoningField(msgspec.Struct):
    """``reasoning``; ``generate_summary`` is the older name of ``summary``."""

    effort: str | None = None
    summary: str | None = None
    generate_summary: str | None = None


class FormatField(msgspec.Struct):
    """``text.format``: text, json_object or json_schema."""

    type: str
    name: str | None = None
    schema: dict[str, Any] | None = None
    strict: bool | None = None
    description: str | None = None


class TextField(msgspec.Struct):
    """``text``."""

    format: FormatField | None = None
    verbosity: str | None = None


class Fields(msgspec.Struct, kw_only=True):
    """A request body; a field that is not here travels unread."""

    model: str
    input: str | list[dict[str, Any]] | None = None
    instructions: str | None = None
    stream: bool | None = None
    stream_options: dict[str, Any] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    text: TextField | None = None
    reasoning: ReasoningField | None = None
    max_output_tokens: int | None = None
    max_tool_calls: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_logprobs: int | None = None
    include: list[str] | None = None
    truncation: str | None = None
    store: bool | None = None
    background: bool | None = None
    previous_response_id: str | None = None
    conversation: str | dict[str, Any] | None = None
    prompt: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    service_tier: str | None = None


def convert_field(value: Any, kind: type[T], at: str) -> T:
    """Return decoded JSON as ``kind``; raises :class:`BadRequest` that names the field below ``at``."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise bad_request_from(str(error), at) from None
