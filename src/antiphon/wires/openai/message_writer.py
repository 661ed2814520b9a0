"""Writes the conversation of a request as chat messages (API reference, "Create chat completion": messages).

This wire lacks some fields. Thinking of other wires is left out, because providers of this wire cannot use it. A tool's
error is stated in its text. Images in a tool's result or in an earlier answer move to the user's next message.
"""

from typing import Any

from antiphon.errors import BadRequest
from antiphon.wires.openai.media import AUDIO_FORMATS
from antiphon.wires.openai.reply import WIRE
from antiphon.wires.translation.media import move_media_to_user
from antiphon.wires.translation.neutral import (
    Audio,
    File,
    Image,
    Message,
    Part,
    Refusal,
    Request,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)


def write_messages(request: Request) -> list[dict[str, Any]]:
    """Return the ``messages``; raises :class:`BadRequest` for a part that this wire cannot take."""
    messages: list[dict[str, Any]] = []
    if request.system:
        messages.append({"role": "system", "content": _write_content(request.system)})
    for message in _merge_results(move_media_to_user(request.messages)):
        messages += _WRITERS[message.role](message)
    return messages


def add_signatures(messages: list[dict[str, Any]], request: Request) -> None:
    """Add thought signatures to calls, for servers of Gemini's models; no other server knows them."""
    parts = (part for message in request.messages for part in message.parts)
    signatures = {part.id: part.signature for part in parts if isinstance(part, ToolCall) and part.signature}
    for call in (call for message in messages for call in message.get("tool_calls") or ()):
        if call["id"] in signatures:
            call["extra_content"] = {"google": {"thought_signature": signatures[call["id"]]}}


def _merge_results(messages: tuple[Message, ...]) -> list[Message]:
    """Join the results of one turn's calls into one message: this wire allows no other message between them."""
    turns: list[Message] = []
    for message in messages:
        last = turns[-1] if turns else None
        if last is not None and _has_results(last) and _has_results(message):
            turns[-1] = Message("user", last.parts + message.parts)
        else:
            turns.append(message)
    return turns


def _has_results(message: Message) -> bool:
    return message.role == "user" and any(isinstance(part, ToolResult) for part in message.parts)


def _write_system_message(message: Message) -> list[dict[str, Any]]:
    return [{"role": "system", "content": _write_content(message.parts)}]


def _write_user_message(message: Message) -> list[dict[str, Any]]:
    turns: list[dict[str, Any]] = []
    user_parts: list[Part] = []
    for part in message.parts:
        if isinstance(part, ToolResult):
            text = "\n".join(item.text for item in part.parts if isinstance(item, Text))
            user_parts += [item for item in part.parts if not isinstance(item, Text)]
            if part.error and not text.lower().startswith("error"):
                text = f"Error: {text}"
            turns.append({"role": "tool", "tool_call_id": part.id, "content": text})
        else:
            user_parts.append(part)
    if user_parts or not turns:
        turn: dict[str, Any] = {"role": "user", "content": _write_content(tuple(user_parts))}
        turns.append(turn | ({"name": message.name} if message.name else {}))
    return turns


def _write_assistant_message(message: Message) -> list[dict[str, Any]]:
    turn: dict[str, Any] = {"role": "assistant", "content": None}
    texts = tuple(part for part in message.parts if isinstance(part, Text))
    if texts:
        turn["content"] = _write_content(texts)
    refusals = [part.text for part in message.parts if isinstance(part, Refusal)]
    if refusals:
        turn["refusal"] = "".join(refusals)
    if calls := [_write_call(part) for part in message.parts if isinstance(part, ToolCall)]:
        turn["tool_calls"] = calls
    elif turn["content"] is None and not refusals:
        turn["content"] = ""
    thinking = [part.text for part in message.parts if isinstance(part, Thinking) and part.wire == WIRE]
    if reasoning := "".join(thinking):
        turn["reasoning_content"] = reasoning
    return [turn]


_WRITERS = {"system": _write_system_message, "user": _write_user_message, "assistant": _write_assistant_message}


def _write_call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _write_content(parts: tuple[Part, ...]) -> Any:
    if len(parts) == 1 and isinstance(parts[0], Text):
        return parts[0].text
    return [_write_part(part) for part in parts]


def _write_part(part: Part) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    if isinstance(part, Image) and not part.file_id:
        url = part.url or f"data:{part.media_type};base64,{part.data}"
        return {"type": "image_url", "image_url": {"url": url} | ({"detail": part.detail} if part.detail else {})}
    if isinstance(part, Audio) and part.data:
        return {
            "type": "input_audio",
            "input_audio": {"data": part.data, "format": _write_audio_format(part.media_type)},
        }
    if isinstance(part, File):
        return _write_file(part)
    raise BadRequest(f"The target's wire cannot take this {type(part).__name__.lower()} part.", param="messages")


def _write_audio_format(media_type: str) -> str:
    kind = media_type.partition(";")[0].lower()
    return AUDIO_FORMATS.get(kind, kind.rpartition("/")[2])


def _write_file(part: File) -> dict[str, Any]:
    if part.text:
        title = f"{part.name}:\n" if part.name else ""
        return {"type": "text", "text": title + part.text}
    if part.file_id:
        return {"type": "file", "file": {"file_id": part.file_id}}
    if not part.data:
        raise BadRequest(
            "The target's wire takes documents as data, not by URL; send the document itself.", param="messages"
        )
    data = f"data:{part.media_type or 'application/pdf'};base64,{part.data}"
    return {"type": "file", "file": {"filename": part.name or "document.pdf", "file_data": data}}
