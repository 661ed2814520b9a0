"""Reads a chat request into the neutral form (API reference, "Create chat completion")."""

from typing import Any

from antiphon.errors import BadRequest
from antiphon.wires.openai.message_reader import check_string, read_messages
from antiphon.wires.openai.reply import WIRE
from antiphon.wires.translation.neutral import Format, Reasoning, Request, Tool, ToolChoice

_KNOWN_FIELDS = frozenset(
    (
        "model", "messages", "stream", "stream_options", "tools", "tool_choice", "parallel_tool_calls",
        "response_format", "max_tokens", "max_completion_tokens", "temperature", "top_p", "top_k", "stop", "n", "seed",
        "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs", "reasoning_effort", "user", "metadata",
        "service_tier", "functions", "function_call", "modalities",
    )
)  # fmt: skip
_TYPES: dict[str, tuple[Any, str]] = {
    "reasoning_effort": (str | None, "a string"),
    "service_tier": (str | None, "a string"),
    "top_k": (int | float | None, "a number"),
    "top_logprobs": (int | None, "a whole number"),
}
"""Fields whose type ``peek`` does not check, with the type and its description."""
_MODALITIES = ("text", "image", "audio")


def read_request(document: dict[str, Any], model: str, stream: bool) -> Request:
    """Read a body that the wire's ``peek`` has checked; raises :class:`BadRequest` that names the field."""
    for deprecated, current in (("functions", "tools"), ("function_call", "tool_choice")):
        if document.get(deprecated) is not None:
            raise BadRequest(
                f"`{deprecated}` is the deprecated form of `{current}` and cannot be translated; use `{current}`.",
                param=deprecated,
            )
    for name, (kinds, description) in _TYPES.items():
        if not isinstance(document.get(name), kinds):
            raise BadRequest(f"`{name}` must be {description}.", param=name)
    system, messages = read_messages(document["messages"])
    limit, effort = document.get("max_completion_tokens"), document.get("reasoning_effort")
    return Request(
        model=model,
        messages=messages,
        system=system,
        tools=tuple(_read_tool(tool, f"tools[{index}]") for index, tool in enumerate(document.get("tools") or ())),
        tool_choice=_read_tool_choice(document.get("tool_choice")),
        parallel_tool_calls=document.get("parallel_tool_calls"),
        format=_read_format(document.get("response_format")),
        max_tokens=document.get("max_tokens") if limit is None else limit,
        temperature=document.get("temperature"),
        top_p=document.get("top_p"),
        top_k=document.get("top_k"),
        stop=_read_stop(document.get("stop")),
        n=_read_choice_count(document.get("n")),
        seed=document.get("seed"),
        presence_penalty=document.get("presence_penalty"),
        frequency_penalty=document.get("frequency_penalty"),
        logprobs=document.get("logprobs"),
        top_logprobs=document.get("top_logprobs"),
        reasoning=Reasoning(effort=effort) if effort else None,
        user=document.get("user") or "",
        metadata=document.get("metadata"),
        modalities=_read_modalities(document.get("modalities")),
        service_tier=document.get("service_tier") or "",
        stream=stream,
        echo={
            "include_usage": bool((document.get("stream_options") or {}).get("include_usage")),
            "audio": _read_audio_format(document.get("audio")),
        },
        extras={name: value for name, value in document.items() if name not in _KNOWN_FIELDS and value is not None},
    )


def _read_stop(value: Any) -> tuple[str, ...]:
    texts = (value,) if isinstance(value, str) else value or ()
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        raise BadRequest("`stop` must be a string or a list of strings.", param="stop")
    return tuple(texts)


def _read_modalities(value: Any) -> tuple[str, ...]:
    modalities = value or ()
    if not isinstance(modalities, list | tuple) or not all(modality in _MODALITIES for modality in modalities):
        raise BadRequest(f"`modalities` must be a list of {', '.join(_MODALITIES)}.", param="modalities")
    return tuple(modalities) if set(modalities) != {"text"} else ()


def _read_audio_format(audio: Any) -> str:
    return str(audio.get("format") or "") if isinstance(audio, dict) else ""


def _read_choice_count(value: int | None) -> int:
    if value is not None and value < 1:
        raise BadRequest(f"`n` is {value}; it must be at least 1.", param="n")
    return value or 1


def _read_tool(tool: dict[str, Any], path: str) -> Tool:
    function = tool.get("function")
    if tool.get("type") != "function" or not isinstance(function, dict):
        if not isinstance(kind := tool.get("type"), str) or kind == "function":
            raise BadRequest(f"`{path}` must have a `type`, and a `function` if that is its type.", param=path)
        return Tool(kind, builtin=tool, wire=WIRE)
    if not isinstance(function.get("name"), str):
        raise BadRequest(f"`{path}.function.name` must be a string.", param=f"{path}.function.name")
    schema = function.get("parameters")
    if schema is not None and not isinstance(schema, dict):
        raise BadRequest(f"`{path}.function.parameters` must be a JSON Schema.", param=f"{path}.function.parameters")
    return Tool(
        function["name"],
        str(function.get("description") or ""),
        schema,
        function.get("strict"),
        tool.get("cache_control") or function.get("cache_control"),
    )


def _read_tool_choice(choice: Any) -> ToolChoice | None:
    if choice is None:
        return None
    if choice in ("auto", "none", "required"):
        return ToolChoice(choice)
    try:
        if choice["type"] == "function":
            return ToolChoice("tool", (check_string(choice["function"]["name"]),))
        if choice["type"] == "allowed_tools":
            restriction = choice["allowed_tools"]
            return ToolChoice(
                restriction["mode"], tuple(check_string(tool["function"]["name"]) for tool in restriction["tools"])
            )
    except (KeyError, TypeError):
        pass
    raise BadRequest(
        "`tool_choice` must be auto, none, required, a function by name, or allowed_tools.", param="tool_choice"
    )


def _read_format(value: Any) -> Format | None:
    kind = value.get("type") if isinstance(value, dict) else None
    if value is None or kind == "text":
        return None
    if kind == "json_object":
        return Format("json")
    schema = value.get("json_schema")
    if kind != "json_schema" or not isinstance(schema, dict):
        raise BadRequest("`response_format` must be text, json_object or json_schema.", param="response_format")
    if not isinstance(schema.get("schema") or {}, dict):
        raise BadRequest(
            "`response_format.json_schema.schema` must be a JSON Schema object.",
            param="response_format.json_schema.schema",
        )
    return Format(
        "schema",
        schema.get("schema") or {},
        str(schema.get("name") or ""),
        schema.get("strict"),
        str(schema.get("description") or ""),
    )
