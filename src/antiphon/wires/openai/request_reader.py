"""An OpenAI chat request into the neutral form (API reference, "Create chat completion")."""

from typing import Any

import msgspec

from antiphon.errors import BadRequest
from antiphon.wires.openai.media import data_url, read_audio, read_images
from antiphon.wires.openai.reply import WIRE, signature_of
from antiphon.wires.translation.neutral import (
    Audio,
    File,
    Format,
    Image,
    Message,
    Part,
    Reasoning,
    Refusal,
    Request,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)

_KNOWN = frozenset(
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
"""What passes ``peek`` unread, because a provider of this wire looks at it itself."""
_MODALITIES = ("text", "image", "audio")


def read_request(document: dict[str, Any], model: str, stream: bool) -> Request:
    """Read a body that the wire's ``peek`` has checked; raises :class:`BadRequest` naming the field."""
    for old, new in (("functions", "tools"), ("function_call", "tool_choice")):
        if document.get(old) is not None:
            raise BadRequest(
                f"`{old}` is the deprecated form of `{new}` and cannot be translated; use `{new}`.", param=old
            )
    for name, (kinds, expected) in _TYPES.items():
        if not isinstance(document.get(name), kinds):
            raise BadRequest(f"`{name}` must be {expected}.", param=name)
    system, messages = _messages(document["messages"])
    limit, effort = document.get("max_completion_tokens"), document.get("reasoning_effort")
    return Request(
        model=model,
        messages=messages,
        system=system,
        tools=tuple(_tool(tool, f"tools[{i}]") for i, tool in enumerate(document.get("tools") or ())),
        tool_choice=_tool_choice(document.get("tool_choice")),
        parallel_tool_calls=document.get("parallel_tool_calls"),
        format=_format(document.get("response_format")),
        max_tokens=document.get("max_tokens") if limit is None else limit,
        temperature=document.get("temperature"),
        top_p=document.get("top_p"),
        top_k=document.get("top_k"),
        stop=_stop(document.get("stop")),
        n=_choices(document.get("n")),
        seed=document.get("seed"),
        presence_penalty=document.get("presence_penalty"),
        frequency_penalty=document.get("frequency_penalty"),
        logprobs=document.get("logprobs"),
        top_logprobs=document.get("top_logprobs"),
        reasoning=Reasoning(effort=effort) if effort else None,
        user=document.get("user") or "",
        metadata=document.get("metadata"),
        modalities=_modalities(document.get("modalities")),
        service_tier=document.get("service_tier") or "",
        stream=stream,
        echo={
            "include_usage": bool((document.get("stream_options") or {}).get("include_usage")),
            "audio": _sound_format(document.get("audio")),
        },
        extras={name: value for name, value in document.items() if name not in _KNOWN and value is not None},
    )


def _stop(value: Any) -> tuple[str, ...]:
    texts = (value,) if isinstance(value, str) else value or ()
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        raise BadRequest("`stop` must be a string or a list of strings.", param="stop")
    return tuple(texts)


def _modalities(value: Any) -> tuple[str, ...]:
    words = value or ()
    if not isinstance(words, list | tuple) or not all(word in _MODALITIES for word in words):
        raise BadRequest(f"`modalities` must be a list of {', '.join(_MODALITIES)}.", param="modalities")
    return tuple(words) if set(words) != {"text"} else ()


def _sound_format(audio: Any) -> str:
    return str(audio.get("format") or "") if isinstance(audio, dict) else ""


def _choices(value: int | None) -> int:
    if value is not None and value < 1:
        raise BadRequest(f"`n` is {value}; it must be from 1 on.", param="n")
    return value or 1


def _messages(messages: list[dict[str, Any]]) -> tuple[tuple[Text, ...], tuple[Message, ...]]:
    system: list[Text] = []
    turns: list[Message] = []
    for i, message in enumerate(messages):
        where = f"messages[{i}]"
        read = _ROLES.get(message["role"])
        if read is None:
            known = ", ".join(sorted(_ROLES))
            raise BadRequest(f"`{where}.role` is {message['role']!r}; expected one of {known}.", param=f"{where}.role")
        turn = read(message, where)
        if turn.role == "system" and not turns:
            system += [part for part in turn.parts if isinstance(part, Text)]
        elif _continues(turns, turn):
            turns[-1] = Message("user", turns[-1].parts + turn.parts)
        else:
            turns.append(turn)
    return tuple(system), tuple(turns)


def _continues(turns: list[Message], turn: Message) -> bool:
    """Results of parallel tool calls come one by one and belong to one turn, with the user's next words."""
    return bool(turns) and turn.role == turns[-1].role == "user" and isinstance(turns[-1].parts[-1], ToolResult)


def _system(message: dict[str, Any], where: str) -> Message:
    parts = _content(message.get("content"), where)
    if not all(isinstance(part, Text) for part in parts):
        raise BadRequest(f"`{where}.content` of a system message must be text.", param=f"{where}.content")
    return Message("system", parts)


def _user(message: dict[str, Any], where: str) -> Message:
    return Message("user", _content(message.get("content"), where), _word(message, "name", where))


def _assistant(message: dict[str, Any], where: str) -> Message:
    parts: list[Part] = list(_thinking(message))
    if message.get("content") is not None:
        parts += _content(message["content"], where)
    parts += read_images(message.get("images"))
    if message.get("audio"):
        if (sound := read_audio(message["audio"])) is None:
            raise BadRequest(
                f"`{where}.audio` refers to sound kept by another provider; send its text.", param=f"{where}.audio"
            )
        parts.append(sound)
    if refusal := _word(message, "refusal", where):
        parts.append(Refusal(refusal))
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list):
        raise BadRequest(f"`{where}.tool_calls` must be a list of calls.", param=f"{where}.tool_calls")
    parts += [_tool_call(call, f"{where}.tool_calls[{i}]") for i, call in enumerate(calls)]
    return Message("assistant", tuple(parts), _word(message, "name", where))


def _word(holder: dict[str, Any], name: str, where: str) -> str:
    """Return an optional text; raises :class:`BadRequest` naming the field where it is anything else."""
    value = holder.get(name)
    if not isinstance(value, str | None):
        raise BadRequest(f"`{where}.{name}` must be a string.", param=f"{where}.{name}")
    return value or ""


def _thinking(message: dict[str, Any]) -> list[Thinking]:
    """Read ``thinking_blocks``, in which signed reasoning travels through this wire, or plain ``reasoning_content``."""
    blocks = message.get("thinking_blocks")
    if isinstance(blocks, list):
        return [
            Thinking(
                text=str(block.get("thinking") or ""),
                signature=str(block.get("signature") or ""),
                redacted=str(block.get("data") or ""),
                id=str(block.get("id") or ""),
                wire=str(block.get("wire") or "anthropic"),
            )
            for block in blocks
            if isinstance(block, dict)
        ]
    text = message.get("reasoning_content") or message.get("reasoning")
    return [Thinking(text=text, wire=WIRE)] if isinstance(text, str) else []


def _tool_call(call: Any, where: str) -> ToolCall:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise BadRequest(
            f"`{where}` must be a function call with a name; no other kind can be translated.", param=where
        )
    arguments = _word(function, "arguments", f"{where}.function")
    signature = signature_of(call.get("extra_content"))
    return ToolCall(_word(call, "id", where), function["name"], arguments or "{}", signature)


def _tool_message(message: dict[str, Any], where: str) -> Message:
    call = message.get("tool_call_id")
    if not isinstance(call, str):
        raise BadRequest(f"`{where}.tool_call_id` must name the call this answers.", param=f"{where}.tool_call_id")
    parts = _content(message.get("content"), where)
    allowed = tuple(part for part in parts if isinstance(part, Text | Image | File))
    return Message("user", (ToolResult(call, allowed, str(message.get("name") or "")),))


_ROLES = {
    "system": _system,
    "developer": _system,
    "user": _user,
    "assistant": _assistant,
    "tool": _tool_message,
}


def _content(content: Any, where: str) -> tuple[Part, ...]:
    """Read a message's content; a JSON object in its place is sent as its JSON text."""
    if isinstance(content, str):
        return (Text(content),)
    if isinstance(content, list):
        return tuple(_part(part, f"{where}.content[{i}]") for i, part in enumerate(content))
    if isinstance(content, dict):
        return (Text(msgspec.json.encode(content).decode()),)
    raise BadRequest(f"`{where}.content` must be text or a list of parts.", param=f"{where}.content")


def _part(part: Any, where: str) -> Part:
    if isinstance(part, str):
        return Text(part)
    kind = part.get("type") if isinstance(part, dict) else None
    read = _PARTS.get(str(kind))
    if read is None:
        raise BadRequest(
            f"`{where}.type` is {kind!r}, which cannot be translated; expected one of {', '.join(_PARTS)}.",
            param=f"{where}.type",
        )
    try:
        return read(part)
    except (KeyError, TypeError, AttributeError):
        raise BadRequest(f"`{where}` is not a complete part of type {kind!r}.", param=where) from None


def _text(part: dict[str, Any]) -> Part:
    return Text(_string(part["text"]), _cache(part))


def _image(part: dict[str, Any]) -> Part:
    image = part["image_url"]
    source, detail = (image, "") if isinstance(image, str) else (image["url"], image.get("detail") or "")
    media_type, data = data_url(source)
    return Image("" if data else _string(source), data, media_type, "", _string(detail), _cache(part))


def _audio(part: dict[str, Any]) -> Part:
    return Audio(_string(part["input_audio"]["data"]), "audio/" + _string(part["input_audio"]["format"]))


def _file(part: dict[str, Any]) -> Part:
    file = part["file"]
    given = _string(file.get("file_data") or "")
    media_type, data = data_url(given)
    return File(
        data=data or given,
        media_type=media_type or "application/pdf",
        file_id=_string(file.get("file_id") or ""),
        name=_string(file.get("filename") or ""),
        cache=_cache(part),
    )


def _refusal(part: dict[str, Any]) -> Part:
    return Refusal(_string(part["refusal"]))


_PARTS = {"text": _text, "image_url": _image, "input_audio": _audio, "file": _file, "refusal": _refusal}


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a string")
    return value


def _cache(part: dict[str, Any]) -> dict[str, Any] | None:
    mark = part.get("cache_control")
    if not isinstance(mark, dict | None):
        raise TypeError("not an object")
    return mark


def _tool(tool: dict[str, Any], where: str) -> Tool:
    function = tool.get("function")
    if tool.get("type") != "function" or not isinstance(function, dict):
        if not isinstance(kind := tool.get("type"), str) or kind == "function":
            raise BadRequest(f"`{where}` must have a `type`, and a `function` where that is its type.", param=where)
        return Tool(kind, builtin=tool, wire=WIRE)
    if not isinstance(function.get("name"), str):
        raise BadRequest(f"`{where}.function.name` must be a string.", param=f"{where}.function.name")
    schema = function.get("parameters")
    if schema is not None and not isinstance(schema, dict):
        raise BadRequest(f"`{where}.function.parameters` must be a JSON Schema.", param=f"{where}.function.parameters")
    return Tool(
        function["name"],
        str(function.get("description") or ""),
        schema,
        function.get("strict"),
        tool.get("cache_control") or function.get("cache_control"),
    )


def _tool_choice(choice: Any) -> ToolChoice | None:
    if choice is None:
        return None
    if choice in ("auto", "none", "required"):
        return ToolChoice(choice)
    try:
        if choice["type"] == "function":
            return ToolChoice("tool", (_string(choice["function"]["name"]),))
        if choice["type"] == "allowed_tools":
            allowed = choice["allowed_tools"]
            return ToolChoice(allowed["mode"], tuple(_string(tool["function"]["name"]) for tool in allowed["tools"]))
    except (KeyError, TypeError):
        pass
    raise BadRequest(
        "`tool_choice` must be auto, none, required, a function by name, or allowed_tools.", param="tool_choice"
    )


def _format(value: Any) -> Format | None:
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
