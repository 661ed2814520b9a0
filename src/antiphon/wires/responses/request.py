"""Whole requests in both directions (API reference, "Create a model response")."""

from typing import Any

from antiphon.errors import BadRequest
from antiphon.types import Target
from antiphon.wires.responses.content import is_native
from antiphon.wires.responses.fields import Fields, FormatField, ReasoningField, encoded, typed
from antiphon.wires.responses.items import read_items, write_items
from antiphon.wires.responses.seal import WIRE
from antiphon.wires.responses.thread import Joined, unknown_previous
from antiphon.wires.responses.tools import (
    IMAGES,
    chooses_images,
    images_of,
    read_choice,
    read_tools,
    write_choice,
    write_tools,
)
from antiphon.wires.translation.codec import WrittenRequest
from antiphon.wires.translation.dropped_annotations import marks
from antiphon.wires.translation.neutral import Format, Message, Reasoning, Request, Text, Thinking
from antiphon.wires.translation.pseudonym import SHORT, opaque

_ENCRYPTED = "reasoning.encrypted_content"
_LOGPROBS = "message.output_text.logprobs"
_ECHOED = (
    "background", "instructions", "max_output_tokens", "max_tool_calls", "metadata", "parallel_tool_calls",
    "prompt_cache_key", "reasoning", "safety_identifier", "service_tier", "store", "temperature", "text",
    "tool_choice", "tools", "top_logprobs", "top_p", "truncation", "user",
)  # fmt: skip
_READ = frozenset(Fields.__struct_fields__)
_KEPT = ("max_tool_calls", "safety_identifier", "prompt_cache_key", "background")
"""Fields that have no place in the neutral form, and are not the gateway's own to honour as ``store`` is."""
_EXTRAS: dict[str, type] = {
    "background": bool,
    "context_management": list,
    "include": list,
    "max_tool_calls": int,
    "moderation": dict,
    "prompt_cache_key": str,
    "prompt_cache_options": dict,
    "prompt_cache_retention": str,
    "safety_identifier": str,
    "store": bool,
    "truncation": str,
}
"""Extras that mean here what they mean where they came from, and what they must be for it."""
_TUNING = ("stop", "seed", "top_k", "presence_penalty", "frequency_penalty")
"""What this wire has no field for, and does not change what is answered, only how."""
_EFFORTS = ((2048, "low"), (8192, "medium"))
"""Thinking budgets in tokens below which an effort is meant; above them all it is high."""
PLACES = {
    "conversation": "conversations are kept by OpenAI only; use previous_response_id",
    "prompt": "prompt templates are kept by OpenAI only; send the text itself",
}
"""Fields that name something in a provider's store, and what to do where there is none."""


def read_request(document: dict[str, Any], model: str, stream: bool) -> Request:
    """See :meth:`translation.codec.Codec.read_request`; ``previous_response_id`` must have been joined before."""
    fields = typed(document, Fields, "")
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
        logprobs=True if _LOGPROBS in include or fields.top_logprobs else None,
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
    for name, why in PLACES.items():
        if getattr(fields, name):
            raise BadRequest(f"`{name}` cannot be used with this model: {why}.", param=name)
    if fields.previous_response_id:
        raise unknown_previous(fields.previous_response_id)


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
    rest = [name for name in fields.include or () if name not in (_ENCRYPTED, _LOGPROBS)]
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
    if isinstance(given, Joined):
        echo["previous_response_id"] = given.previous
    return echo


def write_request(request: Request, target: Target) -> WrittenRequest:
    """See :meth:`translation.codec.Codec.write_request`."""
    if request.n > 1:
        problem = "`n` must be 1 for an OpenAI Responses target, which gives one answer to a request."
        raise BadRequest(problem, param="n")
    dropped = [name for name in _TUNING if getattr(request, name) not in (None, ())]
    body: dict[str, Any] = {"model": target.model, "input": write_items(request.messages)}
    if request.system:
        body["instructions"] = "\n\n".join(text.text for text in request.system)
    _write_tools(request, body)
    _write_modalities(request, body)
    _write_sampling(request, body)
    text = _write_text(request)
    if text:
        body["text"] = text
    _write_reasoning(request, body, dropped)
    _write_extras(request, body, dropped)
    dropped += marks(request, is_native)
    if any(message.name for message in request.messages):
        dropped.append("name")
    if not request.extras.get("background"):  # which works on what is stored
        body.setdefault("store", False)  # nobody asked this provider to keep it
    return WrittenRequest(encoded(body), tuple(dropped))


def _write_tools(request: Request, body: dict[str, Any]) -> None:
    if request.tools:
        body["tools"] = write_tools(request.tools)
    if request.tool_choice is not None and request.tools:
        body["tool_choice"] = write_choice(request.tool_choice, request.tools)
    if request.parallel_tool_calls is not None:
        body["parallel_tool_calls"] = request.parallel_tool_calls


def _write_modalities(request: Request, body: dict[str, Any]) -> None:
    """Ask for images, which this wire's models make with a tool; sound they do not make."""
    if "audio" in request.modalities:
        problem = "`modalities` asks for sound, which an OpenAI Responses target does not make."
        raise BadRequest(problem, param="modalities")
    if "image" in request.modalities:
        body["tools"] = [*body.get("tools", ()), {"type": IMAGES}]


def _write_sampling(request: Request, body: dict[str, Any]) -> None:
    fields = {
        "max_output_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "metadata": request.metadata,
        "user": opaque(request.user, SHORT) if request.user else None,
        "service_tier": request.service_tier or None,
        "stream": request.stream or None,
    }
    body.update((name, value) for name, value in fields.items() if value is not None)
    if request.logprobs:
        body["include"] = [_LOGPROBS]
        if request.top_logprobs is not None:
            body["top_logprobs"] = request.top_logprobs


def _write_text(request: Request) -> dict[str, Any]:
    text: dict[str, Any] = {}
    form = request.format
    if form is not None and form.kind == "json":
        text["format"] = {"type": "json_object"}
    elif form is not None:
        text["format"] = {"type": "json_schema", "name": form.name or "answer", "schema": form.schema or {}}
        if form.strict is not None:
            text["format"]["strict"] = form.strict
        if form.description:
            text["format"]["description"] = form.description
    if verbosity := request.extras.get("verbosity"):
        text["verbosity"] = verbosity
    return text


def _write_reasoning(request: Request, body: dict[str, Any], dropped: list[str]) -> None:
    """Write how much to think, and ask for the proof of it wherever some thinking is to be expected.

    Models that do not reason refuse to give encrypted content, so it is asked for only where reasoning was.
    """
    asked, wanted = request.reasoning, False
    if asked is not None and asked.budget == 0:
        dropped.append("reasoning")  # no word for "do not think" holds for every model
    elif asked is not None:
        if asked.adaptive and not asked.effort and asked.budget is None:
            dropped.append("reasoning")  # whether a model thinks is not said here, but by its choice
        reasoning = {"effort": asked.effort or _effort(asked.budget), "summary": asked.summary or None}
        reasoning |= {
            name.removeprefix("reasoning."): value
            for name, value in request.extras.items()
            if name.startswith("reasoning.")
        }
        if said := {name: value for name, value in reasoning.items() if value is not None}:
            body["reasoning"] = said
        wanted = asked.effort != "none"
    if wanted or any(_is_ours(part) for message in request.messages for part in message.parts):
        body["include"] = [*body.get("include", ()), _ENCRYPTED]


def _effort(budget: int | None) -> str | None:
    if budget is None or budget < 0:
        return None
    return next((effort for limit, effort in _EFFORTS if budget < limit), "high")


def _is_ours(part: Any) -> bool:
    return isinstance(part, Thinking) and part.wire == WIRE and bool(part.signature)


def _write_extras(request: Request, body: dict[str, Any], dropped: list[str]) -> None:
    for name, value in request.extras.items():
        kind = _EXTRAS.get(name)
        if name == "include" and isinstance(value, list):
            body["include"] = [*body.get("include", ()), *value]
        elif kind is not None and type(value) is kind:
            body[name] = value
        elif name != "verbosity" and not (name.startswith("reasoning.") and request.reasoning is not None):
            dropped.append(name)
