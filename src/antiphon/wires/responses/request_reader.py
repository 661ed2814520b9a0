"""A Responses request into the neutral form (API reference, "Create a model response")."""

from typing import Any

from antiphon.errors import BadRequest
from antiphon.wires.responses.history import PROVIDER_STATE_FIELDS, JoinedInput, make_previous_not_found
from antiphon.wires.responses.items import read_items
from antiphon.wires.responses.tools import (
    chooses_images,
    images_of,
    read_choice,
    read_tools,
)
from antiphon.wires.responses.types import Fields, FormatField, ReasoningField, convert_field
from antiphon.wires.translation.neutral import Format, Message, Reasoning, Request, Text

ENCRYPTED = "reasoning.encrypted_content"
LOGPROBS = "message.output_text.logprobs"
_ECHOED = (
    "background", "instructions", "max_output_tokens", "max_tool_calls", "metadata", "parallel_tool_calls",
    "prompt_cache_key", "reasoning", "safety_identifier", "service_tier", "store", "temperature", "text",
    "tool_choice", "tools", "top_logprobs", "top_p", "truncation", "user",
)  # fmt: skip
_READ = frozenset(Fields.__struct_fields__)
_KEPT = ("max_tool_calls", "safety_identifier", "prompt_cache_key", "background")
"""Fields that have no place in the neutral form, and are not the gateway's own to honour as ``store`` is."""


def read_request(document: dict[str, Any], model: str, stream: bool) -> Request:
    """See :meth:`translation.codec.Codec.read_request`; ``previous_response_id`` must have been joined before."""
    fields = convert_field(document, Fields, "")
    _refuse_absent_state(fields)
    images, given = images_of(fields.tools or [])
    tools = read_tools(given)
    choice = None
    if fields.tool_choice is not None and not chooses_images(fields.tool_choice):
        choice, tools = read_choice(fields.tool_choice, tools)
    system, messages = _conversation(fields)
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
        modalities=("text", "image") if images is not None else (),
        user=fields.user or "",
        metadata=fields.metadata or None,
        service_tier=fields.service_tier or "",
        stream=stream,
        extras=_extras(document, fields)
        | {f"tools.image_generation.{name}": value for name, value in (images or {}).items()},
        echo=echoed(document),
    )


def _refuse_absent_state(fields: Fields) -> None:
    for name, why in PROVIDER_STATE_FIELDS.items():
        if getattr(fields, name):
            raise BadRequest(f"`{name}` cannot be used with this model: {why}.", param=name)
    if fields.previous_response_id:
        raise make_previous_not_found(fields.previous_response_id)


def _conversation(fields: Fields) -> tuple[tuple[Text, ...], tuple[Message, ...]]:
    """Return what is said before the conversation begins, and the conversation."""
    given = fields.input or []
    messages = (Message("user", (Text(given),)),) if isinstance(given, str) else read_items(given)
    system = [Text(fields.instructions)] if fields.instructions else []
    start = 0
    for message in messages:
        if message.role != "system" or not all(isinstance(part, Text) for part in message.parts):
            break
        system += [part for part in message.parts if isinstance(part, Text)]
        start += 1
    return tuple(system), messages[start:]


def _read_format(form: FormatField | None) -> Format | None:
    if form is None or form.type == "text":
        return None
    if form.type == "json_object":
        return Format("json")
    if form.type != "json_schema" or form.schema is None:
        problem = "`text.format` must be of type text, json_object, or json_schema with a `schema`."
        raise BadRequest(problem, param="text.format")
    return Format("schema", form.schema, form.name or "", form.strict, form.description or "")


def _read_reasoning(field: ReasoningField | None) -> Reasoning | None:
    if field is None or not (field.effort or field.summary or field.generate_summary):
        return None
    return Reasoning(field.effort or "", summary=field.summary or field.generate_summary or "")


def _extras(document: dict[str, Any], fields: Fields) -> dict[str, Any]:
    extras = {name: value for name, value in document.items() if name not in _READ and value is not None}
    extras |= {name: document[name] for name in _KEPT if document.get(name)}
    rest = [name for name in fields.include or () if name not in (ENCRYPTED, LOGPROBS)]
    if rest:
        extras["include"] = rest
    if fields.stream_options and fields.stream_options.get("include_obfuscation"):
        extras["stream_options"] = fields.stream_options
    if fields.truncation not in (None, "disabled"):
        extras["truncation"] = fields.truncation
    if fields.text is not None and fields.text.verbosity:
        extras["verbosity"] = fields.text.verbosity  # as the chat wire calls it
    for name, value in (document.get("reasoning") or {}).items():
        if value is not None and name not in ReasoningField.__struct_fields__:
            extras[f"reasoning.{name}"] = value
    return extras


def echoed(document: dict[str, Any]) -> dict[str, Any]:
    """Return what a response repeats of its request."""
    echo = {name: document[name] for name in _ECHOED if document.get(name) is not None}
    given = document.get("input")
    if isinstance(given, JoinedInput):
        echo["previous_response_id"] = given.previous
    return echo
