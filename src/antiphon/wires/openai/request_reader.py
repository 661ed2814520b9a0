"""Reads a chat request into the neutral form (API reference, "Create chat completion")."""

from collections.abc import Callable
from typing import Any

from antiphon.errors import BadRequest
from antiphon.wires.openai.message_reader import check_string, read_messages
from antiphon.wires.openai.reply import WIRE
from antiphon.wires.translation.neutral import Format, Reasoning, Request, Tool, ToolChoice

_DEPRECATED = {"functions": "tools", "function_call": "tool_choice"}
_MODALITIES = ("text", "image", "audio")


def read_request(document: dict[str, Any], model: str, stream: bool) -> Request:
    """Read a body that the wire's ``peek`` has checked; raises :class:`BadRequest` that names the field."""
    fields: dict[str, Any] = {}
    extras: dict[str, Any] = {}
    for name, value in document.items():
        if value is None or name in _READ_APART:
            continue
        if name in _FIELDS:
            neutral_name, read = _FIELDS[name]
            fields[neutral_name] = value if read is None else read(value)
        else:
            extras[name] = value
    system, messages = read_messages(document["messages"])
    if (limit := document.get("max_completion_tokens")) is not None:
        fields["max_tokens"] = limit
    options, audio = document.get("stream_options"), document.get("audio")
    echo = {
        "include_usage": bool(options and options.get("include_usage")),
        "audio": _read_audio_format(audio) if audio else "",
    }
    return Request(model=model, messages=messages, system=system, stream=stream, echo=echo, extras=extras, **fields)


def _refuse_deprecated(name: str) -> Callable[[Any], None]:
    def refuse(value: Any) -> None:
        current = _DEPRECATED[name]
        raise BadRequest(
            f"`{name}` is the deprecated form of `{current}` and cannot be translated; use `{current}`.", param=name
        )

    return refuse


def _check(name: str, kinds: tuple[type, ...], description: str) -> Callable[[Any], Any]:
    """Return the reader of a field whose type ``peek`` does not check."""

    def check(value: Any) -> Any:
        if not isinstance(value, kinds):
            raise BadRequest(f"`{name}` must be {description}.", param=name)
        return value

    return check


def _read_tools(tools: list[dict[str, Any]]) -> tuple[Tool, ...]:
    return tuple(_read_tool(tool, f"tools[{index}]") for index, tool in enumerate(tools))


_read_effort_text = _check("reasoning_effort", (str,), "a string")


def _read_effort(value: Any) -> Reasoning | None:
    effort = _read_effort_text(value)
    return Reasoning(effort=effort) if effort else None


def _read_stop(value: Any) -> tuple[str, ...]:
    texts = (value,) if isinstance(value, str) else value or ()
    if not isinstance(texts, (list, tuple)) or not all(isinstance(text, str) for text in texts):
        raise BadRequest("`stop` must be a string or a list of strings.", param="stop")
    return tuple(texts)


def _read_modalities(value: Any) -> tuple[str, ...]:
    modalities = value or ()
    if not isinstance(modalities, (list, tuple)) or not all(modality in _MODALITIES for modality in modalities):
        raise BadRequest(f"`modalities` must be a list of {', '.join(_MODALITIES)}.", param="modalities")
    return tuple(modalities) if set(modalities) != {"text"} else ()


def _read_audio_format(audio: Any) -> str:
    return str(audio.get("format") or "") if isinstance(audio, dict) else ""


def _read_choice_count(value: int) -> int:
    if value < 1:
        raise BadRequest(f"`n` is {value}; it must be at least 1.", param="n")
    return value


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


def _read_tool_choice(choice: Any) -> ToolChoice:
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
    if kind == "text":
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


_FIELDS: dict[str, tuple[str, Callable[[Any], Any] | None]] = {
    "tools": ("tools", _read_tools),
    "tool_choice": ("tool_choice", _read_tool_choice),
    "parallel_tool_calls": ("parallel_tool_calls", None),
    "response_format": ("format", _read_format),
    "max_tokens": ("max_tokens", None),
    "temperature": ("temperature", None),
    "top_p": ("top_p", None),
    "top_k": ("top_k", _check("top_k", (int, float), "a number")),
    "stop": ("stop", _read_stop),
    "n": ("n", _read_choice_count),
    "seed": ("seed", None),
    "presence_penalty": ("presence_penalty", None),
    "frequency_penalty": ("frequency_penalty", None),
    "logprobs": ("logprobs", None),
    "top_logprobs": ("top_logprobs", _check("top_logprobs", (int,), "a whole number")),
    "reasoning_effort": ("reasoning", _read_effort),
    "user": ("user", None),
    "metadata": ("metadata", None),
    "modalities": ("modalities", _read_modalities),
    "service_tier": ("service_tier", _check("service_tier", (str,), "a string")),
    **{name: (current, _refuse_deprecated(name)) for name, current in _DEPRECATED.items()},
}
"""The caller's fields that the neutral form has: their names there and their readers, ``None`` for the value itself."""
_READ_APART = frozenset(("model", "messages", "stream", "stream_options", "max_completion_tokens"))
