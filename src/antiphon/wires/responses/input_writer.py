"""Writes a conversation as the input items of a request (API reference, "Input items")."""

from typing import Any

from antiphon.errors import BadRequest
from antiphon.wires.responses.content import Content, OutputText, RefusalText, is_native, write_content
from antiphon.wires.responses.encrypted_content import WIRE
from antiphon.wires.responses.items import CallItem, Item, MessageItem, ReasoningItem, ResultItem, SummaryText
from antiphon.wires.translation.media import move_media_to_user
from antiphon.wires.translation.neutral import Audio, Message, Refusal, Text, Thinking, ToolCall, ToolResult


def write_items(messages: tuple[Message, ...]) -> list[Item]:
    """Return the ``input`` items for a conversation; raises :class:`BadRequest`, naming ``messages[i]``."""
    items: list[Item] = []
    for index, message in enumerate(move_media_to_user(messages)):
        write = _write_assistant if message.role == "assistant" else _write_user_or_system
        write(message, f"messages[{index}]", items)
    return items


def _write_user_or_system(message: Message, path: str, items: list[Item]) -> None:
    role: Any = "developer" if message.role == "system" else message.role
    contents: list[Content] = []
    for index, part in enumerate(message.parts):
        if isinstance(part, ToolResult):
            items.append(_write_result(part, f"{path}.content[{index}]"))
        elif not isinstance(part, Thinking):
            contents.append(write_content(part, f"{path}.content[{index}]"))
    if contents:
        items.append(MessageItem(role, contents))


def _write_assistant(message: Message, path: str, items: list[Item]) -> None:
    for index, part in enumerate(message.parts):
        if isinstance(part, (Text, Refusal)):
            _add_text(items, part)
        elif isinstance(part, ToolCall):
            items.append(CallItem(part.id, part.name, part.arguments))
        elif isinstance(part, Thinking):
            # Without encrypted content the provider would look for the item by its id in its store.
            if part.wire == WIRE and part.signature:
                summary = [SummaryText(part.text)] if part.text else []
                items.append(ReasoningItem(part.id or None, summary, None, part.signature))
        else:
            path = f"{path}.content[{index}]"
            kind = type(part).__name__
            raise BadRequest(
                f"`{path}`: an assistant's turn cannot hold {kind} for an OpenAI Responses target.", param=path
            )


def _add_text(items: list[Item], part: Text | Refusal) -> None:
    content: Content
    if isinstance(part, Refusal):
        content = RefusalText(part.text)
    else:
        content = OutputText(part.text, [citation for citation in part.citations if is_native(citation)])
    last = items[-1] if items else None
    if isinstance(last, MessageItem) and last.role == "assistant" and type(last.content) is list:
        last.content.append(content)
    else:
        items.append(MessageItem("assistant", [content]))


def _write_result(result: ToolResult, path: str) -> ResultItem:
    """Return a tool's result. The wire has no field for an error: the text states it, unless it already does."""
    parts = result.parts
    if any(isinstance(part, Audio) for part in parts):
        raise BadRequest(
            f"`{path}` is a tool's result with audio, which an OpenAI Responses target does not take.", param=path
        )
    if result.error:
        first = parts[0].text if parts and isinstance(parts[0], Text) else ""
        if not first.lower().startswith("error"):
            parts = (Text(f"Error: {first}"), *parts[1:]) if first else (Text("Error"), *parts)
    if all(isinstance(part, Text) for part in parts):
        return ResultItem(result.id, "\n".join(part.text for part in parts if isinstance(part, Text)))
    return ResultItem(result.id, [write_content(part, f"{path}.content[{index}]") for index, part in enumerate(parts)])
