"""Reads a Responses request into the neutral form (API reference, "Create a model response")."""

from typing import Any

from antiphon.errors import BadRequest
from antiphon.wires.checks import read_fields
from antiphon.wires.responses.history import PROVIDER_STATE_FIELDS, JoinedInput, make_previous_not_found
from antiphon.wires.responses.input_reader import read_items
from antiphon.wires.responses.tools import is_image_choice, read_choice, read_tools, split_image_tool
from antiphon.wires.responses.types import Fields, FormatField, ReasoningField
from antiphon.wires.translation.neutral import Format, Message, Reasoning, Request, Text

ENCRYPTED_REASONING = "reasoning.encrypted_content"
LOGPROBS = "message.output_text.logprobs"
"""Values of ``include``."""
_ECHO_FIELDS = (
    "background", "instructions", "max_output_tokens", "max_tool_calls", "metadata", "parallel_tool_calls",
    "prompt_cache_key", "reasoning", "safety_identifier", "service_tier", "store", "temperature", "text",
    "tool_choice", "tools", "top_logprobs", "top_p", "truncation", "user",
)  # fmt: skip
"""Fields that a response repeats."""
_READ_FIELDS = frozenset(Fields.__struct_fields__)
_UNTRANSLATED_FIELDS = ("max_tool_calls", "safety_identifier", "prompt_cache_key", "background")
"""Declared fields that have no neutral form. ``store`` is not among them, because the gateway itself handles it."""


def read_request(document: dict[str, Any], model: str, stream: bool) -> Request:
    """See :meth:`translation.codec.Codec.read_request`; the history must have been joined before."""
    fields = read_fields(document, Fields)
    _check_no_provider_state(document)
    image_options, other_tools = split_image_tool(fields.tools or [])
    tools = read_tools(other_tools)
    choice = None
    if fields.tool_choice is not None and not is_image_choice(fields.tool_choice):
        choice, tools = read_choice(fields.tool_choice, tools)
    system, messages = _read_conversation(fields)
    include = fields.include or []
    return Request(
        model=model,
        messages=messages,
        system=system,
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=fields.parallel_tool_calls,
        format=_read_format(fields.text.format if fields.text else None),
        max_tokens=fields.max_output_tokens,
        temperature=fields.temperature,
        top_p=fields.top_p,
        logprobs=True if LOGPROBS in include or fields.top_logprobs else None,
        top_logprobs=fields.top_logprobs,
        reasoning=_read_reasoning(fields.reasoning),
        modalities=("text", "image") if image_options is not None else (),
        user=fields.user or "",
        metadata=fields.metadata or None,
        service_tier=fields.service_tier or "",
        stream=stream,
        extras=_read_extras(document, fields)
        | {f"tools.image_generation.{name}": value for name, value in (image_options or {}).items()},
        echo=make_echo(document),
    )


def _check_no_provider_state(document: dict[str, Any]) -> None:
    """Raise :class:`BadRequest` for a field that refers to state that no target of the request has."""
    for name, reason in PROVIDER_STATE_FIELDS.items():
        if document.get(name):
            raise BadRequest(f"`{name}` cannot be used with this model: {reason}.", param=name)
    if previous := document.get("previous_response_id"):
        raise make_previous_not_found(previous)


def _read_conversation(fields: Fields) -> tuple[tuple[Text, ...], tuple[Message, ...]]:
    """Return the system prompt and the conversation."""
    value = fields.input or []
    messages = (Message("user", (Text(value),)),) if isinstance(value, str) else read_items(value)
    system = [Text(fields.instructions)] if fields.instructions else []
    start = 0
    for message in messages:
        if message.role != "system" or not all(isinstance(part, Text) for part in message.parts):
            break
        system += [part for part in message.parts if isinstance(part, Text)]
        start += 1
    return tuple(system), messages[start:]


def _read_format(field: FormatField | None) -> Format | None:
    if field is None or field.type == "text":
        return None
    if field.type == "json_object":
        return Format("json")
    if field.type != "json_schema" or field.schema is None:
        problem = "`text.format` must be of type text, json_object, or json_schema with a `schema`."
        raise BadRequest(problem, param="text.format")
    return Format("schema", field.schema, field.name or "", field.strict, field.description or "")


def _read_reasoning(field: ReasoningField | None) -> Reasoning | None:
    if field is None or not (field.effort or field.summary or field.generate_summary):
        return None
    return Reasoning(field.effort or "", summary=field.summary or field.generate_summary or "")


def _read_extras(document: dict[str, Any], fields: Fields) -> dict[str, Any]:
    extras = {name: value for name, value in document.items() if name not in _READ_FIELDS and value is not None}
    extras |= {name: document[name] for name in _UNTRANSLATED_FIELDS if document.get(name)}
    include = [name for name in fields.include or () if name not in (ENCRYPTED_REASONING, LOGPROBS)]
    if include:
        extras["include"] = include
    if fields.stream_options and fields.stream_options.get("include_obfuscation"):
        extras["stream_options"] = fields.stream_options
    if fields.truncation not in (None, "disabled"):
        extras["truncation"] = fields.truncation
    if fields.text is not None and fields.text.verbosity:
        extras["verbosity"] = fields.text.verbosity  # its name on the chat wire
    for name, value in (document.get("reasoning") or {}).items():
        if value is not None and name not in ReasoningField.__struct_fields__:
            extras[f"reasoning.{name}"] = value
    return extras


def make_echo(document: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a request that its response repeats."""
    echo = {name: document[name] for name in _ECHO_FIELDS if document.get(name) is not None}
    items = document.get("input")
    if isinstance(items, JoinedInput):
        echo["previous_response_id"] = items.previous
    return echo
