"""Reads the messages of a chat request (API reference, "Create chat completion": messages)."""

from typing import Any

import msgspec

from antiphon.errors import BadRequest
from antiphon.wires.openai.media import read_audio, read_images, split_data_url
from antiphon.wires.openai.reply import WIRE
from antiphon.wires.openai.signatures import read_signature
from antiphon.wires.translation.neutral import (
    Audio,
    File,
    Image,
    Message,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)


def read_messages(messages: list[dict[str, Any]]) -> tuple[tuple[Text, ...], tuple[Message, ...]]:
    """Return the system prompt and the conversation; raises :class:`BadRequest` that names the field."""
    system: list[Text] = []
    turns: list[Message] = []
    for index, message in enumerate(messages):
        path = f"messages[{index}]"
        reader = _ROLES.get(message["role"])
        if reader is None:
            roles = ", ".join(sorted(_ROLES))
            raise BadRequest(f"`{path}.role` is {message['role']!r}; expected one of {roles}.", param=f"{path}.role")
        turn = reader(message, path)
        if turn.role == "system" and not turns:
            system += [part for part in turn.parts if isinstance(part, Text)]
        elif _is_continuation(turns, turn):
            turns[-1] = Message("user", turns[-1].parts + turn.parts)
        else:
            turns.append(turn)
    return tuple(system), tuple(turns)


def _is_continuation(turns: list[Message], turn: Message) -> bool:
    """Say whether a turn continues the previous one.

    Results of parallel tool calls are separate messages. Together with the user's next message they form one turn.
    """
    return bool(turns) and turn.role == turns[-1].role == "user" and isinstance(turns[-1].parts[-1], ToolResult)


def _read_system_message(message: dict[str, Any], path: str) -> Message:
    parts = _read_content(message.get("content"), path)
    if not all(isinstance(part, Text) for part in parts):
        raise BadRequest(f"`{path}.content` of a system message must be text.", param=f"{path}.content")
    return Message("system", parts)


def _read_user_message(message: dict[str, Any], path: str) -> Message:
    return Message("user", _read_content(message.get("content"), path), _read_string(message, "name", path))


def _read_assistant_message(message: dict[str, Any], path: str) -> Message:
    parts: list[Part] = list(_read_thinking(message))
    if message.get("content") is not None:
        parts += _read_content(message["content"], path)
    parts += read_images(message.get("images"))
    if message.get("audio"):
        if (audio := read_audio(message["audio"])) is None:
            raise BadRequest(
                f"`{path}.audio` refers to audio that another provider stores; send its text.", param=f"{path}.audio"
            )
        parts.append(audio)
    if refusal := _read_string(message, "refusal", path):
        parts.append(Refusal(refusal))
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list):
        raise BadRequest(f"`{path}.tool_calls` must be a list of calls.", param=f"{path}.tool_calls")
    parts += [_read_call(call, f"{path}.tool_calls[{index}]") for index, call in enumerate(calls)]
    return Message("assistant", tuple(parts), _read_string(message, "name", path))


def _read_string(holder: dict[str, Any], name: str, path: str) -> str:
    """Return an optional string; raises :class:`BadRequest` for any other type."""
    value = holder.get(name)
    if value is not None and not isinstance(value, str):
        raise BadRequest(f"`{path}.{name}` must be a string.", param=f"{path}.{name}")
    return value or ""


def _read_thinking(message: dict[str, Any]) -> list[Thinking]:
    """Read ``thinking_blocks``, which hold signed thinking on this wire, or otherwise plain ``reasoning_content``."""
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


def _read_call(call: Any, path: str) -> ToolCall:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise BadRequest(f"`{path}` must be a function call with a name; no other kind can be translated.", param=path)
    arguments = _read_string(function, "arguments", f"{path}.function")
    signature = read_signature(call.get("extra_content"))
    return ToolCall(_read_string(call, "id", path), function["name"], arguments or "{}", signature)


def _read_tool_message(message: dict[str, Any], path: str) -> Message:
    call = message.get("tool_call_id")
    if not isinstance(call, str):
        raise BadRequest(f"`{path}.tool_call_id` must name the call this answers.", param=f"{path}.tool_call_id")
    parts = _read_content(message.get("content"), path)
    result_parts = tuple(part for part in parts if isinstance(part, (Text, Image, File)))
    return Message("user", (ToolResult(call, result_parts, str(message.get("name") or "")),))


_ROLES = {
    "system": _read_system_message,
    "developer": _read_system_message,
    "user": _read_user_message,
    "assistant": _read_assistant_message,
    "tool": _read_tool_message,
}


def _read_content(content: Any, path: str) -> tuple[Part, ...]:
    """Read a message's content; a JSON object becomes its JSON text."""
    if isinstance(content, str):
        return (Text(content),)
    if isinstance(content, list):
        return tuple(_read_part(part, f"{path}.content[{index}]") for index, part in enumerate(content))
    if isinstance(content, dict):
        return (Text(msgspec.json.encode(content).decode()),)
    raise BadRequest(f"`{path}.content` must be text or a list of parts.", param=f"{path}.content")


def _read_part(part: Any, path: str) -> Part:
    if isinstance(part, str):
        return Text(part)
    kind = part.get("type") if isinstance(part, dict) else None
    reader = _PARTS.get(str(kind))
    if reader is None:
        raise BadRequest(
            f"`{path}.type` is {kind!r}, which cannot be translated; expected one of {', '.join(_PARTS)}.",
            param=f"{path}.type",
        )
    try:
        return reader(part)
    except (KeyError, TypeError, AttributeError):
        raise BadRequest(f"`{path}` is not a complete part of type {kind!r}.", param=path) from None


def _read_text_part(part: dict[str, Any]) -> Part:
    return Text(check_string(part["text"]), _read_cache_control(part))


def _read_image_part(part: dict[str, Any]) -> Part:
    image = part["image_url"]
    source, detail = (image, "") if isinstance(image, str) else (image["url"], image.get("detail") or "")
    media_type, data = split_data_url(source)
    return Image(
        "" if data else check_string(source), data, media_type, "", check_string(detail), _read_cache_control(part)
    )


def _read_audio_part(part: dict[str, Any]) -> Part:
    return Audio(check_string(part["input_audio"]["data"]), "audio/" + check_string(part["input_audio"]["format"]))


def _read_file_part(part: dict[str, Any]) -> Part:
    file = part["file"]
    file_data = check_string(file.get("file_data") or "")
    media_type, data = split_data_url(file_data)
    return File(
        data=data or file_data,
        media_type=media_type or "application/pdf",
        file_id=check_string(file.get("file_id") or ""),
        name=check_string(file.get("filename") or ""),
        cache=_read_cache_control(part),
    )


def _read_refusal_part(part: dict[str, Any]) -> Part:
    return Refusal(check_string(part["refusal"]))


_PARTS = {
    "text": _read_text_part,
    "image_url": _read_image_part,
    "input_audio": _read_audio_part,
    "file": _read_file_part,
    "refusal": _read_refusal_part,
}


def check_string(value: Any) -> str:
    """Return a string; raises ``TypeError`` for any other type."""
    if not isinstance(value, str):
        raise TypeError("not a string")
    return value


def _read_cache_control(part: dict[str, Any]) -> dict[str, Any] | None:
    cache_control = part.get("cache_control")
    if cache_control is not None and not isinstance(cache_control, dict):
        raise TypeError("not an object")
    return cache_control
