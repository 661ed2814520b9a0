"""Input and output items to messages of parts, and back (API reference, "Input items", "The response object": output).

Items are flat where the neutral form nests: a reasoning item, a message and two function calls in a row are one turn
of the assistant; function call outputs in a row are one turn of results.
"""

from typing import Any, Literal, TypeAlias

import msgspec

from antiphon.errors import BadRequest
from antiphon.wires.responses.content import (
    Content,
    OutputText,
    RefusalText,
    is_native,
    read_contents,
    write_content,
)
from antiphon.wires.responses.encrypted_content import WIRE, CallMark, unseal
from antiphon.wires.responses.types import convert_field
from antiphon.wires.translation.media import image_type, moved, read_text
from antiphon.wires.translation.neutral import (
    Audio,
    Image,
    Message,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)

_encode = msgspec.json.Encoder().encode


class SummaryText(msgspec.Struct, tag="summary_text"):
    text: str


class ReasoningText(msgspec.Struct, tag="reasoning_text"):
    text: str


class MessageItem(msgspec.Struct, tag="message", omit_defaults=True):
    role: Literal["user", "assistant", "system", "developer"]
    content: str | list[Content]


class ReasoningItem(msgspec.Struct, tag="reasoning", omit_defaults=True):
    id: str | None = None
    summary: list[SummaryText] | None = None
    content: list[ReasoningText] | None = None
    encrypted_content: str | None = None


class CallItem(msgspec.Struct, tag="function_call", omit_defaults=True):
    call_id: str
    name: str
    arguments: str


class ResultItem(msgspec.Struct, tag="function_call_output", omit_defaults=True):
    call_id: str
    output: str | list[Content]


class CustomCallItem(msgspec.Struct, tag="custom_tool_call"):
    call_id: str
    name: str
    input: str


class CustomResultItem(msgspec.Struct, tag="custom_tool_call_output"):
    call_id: str
    output: str | list[Content]


class ImageItem(msgspec.Struct, tag="image_generation_call"):
    result: str | None = None


Item: TypeAlias = MessageItem | ReasoningItem | CallItem | ResultItem | CustomCallItem | CustomResultItem | ImageItem
_TYPES = frozenset(kind.__struct_config__.tag for kind in Item.__args__)
_ROLES: dict[str, Literal["system", "user", "assistant"]] = {
    "user": "user",
    "assistant": "assistant",
    "system": "system",
    "developer": "system",
}


def read_items(items: list[dict[str, Any]]) -> tuple[Message, ...]:
    """Return the turns of a request's ``input`` list; raises :class:`BadRequest`."""
    turns = _Turns()
    read = convert_field([_tagged(item, f"input[{i}]") for i, item in enumerate(items)], list[Item], "input")
    for i, item in enumerate(read):
        turns.add(item, f"input[{i}]")
    return turns.messages()


def _tagged(item: dict[str, Any], at: str) -> dict[str, Any]:
    """Return an item that says its type, which messages need not do."""
    kind = item.get("type")
    if kind is None and "role" in item:
        return {**item, "type": "message"}
    if kind == "item_reference" or (kind is None and "id" in item):
        raise BadRequest(
            f"`{at}` refers to an item that is not stored in this conversation; send the item itself.",
            param=at,
            code="item_not_found",
        )
    if not isinstance(kind, str) or kind not in _TYPES:
        raise BadRequest(
            f"`{at}` is of type {kind!r}, which only a target with the OpenAI Responses wire can take; the others take "
            f"{', '.join(sorted(_TYPES))}.",
            param=at,
        )
    return item


class _Turns:
    """Collects parts into turns."""

    def __init__(self) -> None:
        self._turns: list[tuple[str, list[Part]]] = []
        self._names: dict[str, str] = {}
        self._marks: dict[str, str] = {}

    def add(self, item: Item, at: str) -> None:
        _ADDERS[type(item)](self, item, at)

    def message(self, item: MessageItem, at: str) -> None:
        role, parts = _ROLES[item.role], read_contents(item.content, f"{at}.content")
        if role == "assistant":
            self._turn(role).extend(_as_shown(part) for part in parts)
        else:
            self._turns.append((role, list(parts)))

    def reasoning(self, item: ReasoningItem, at: str) -> None:
        try:
            thinking = read_reasoning(item)
        except ValueError:
            at = f"{at}.encrypted_content"
            problem = f"`{at}` is damaged; send reasoning items back as they came, or leave them out."
            raise BadRequest(problem, param=at, code="invalid_encrypted_content") from None
        if isinstance(thinking, CallMark):
            self._marks[thinking.call] = thinking.signature
        else:
            self._turn("assistant").append(thinking)

    def call(self, item: CallItem, at: str) -> None:
        self._call(item.call_id, item.name, item.arguments or "{}")

    def custom_call(self, item: CustomCallItem, at: str) -> None:
        self._call(item.call_id, item.name, custom_arguments(item.input))

    def image(self, item: ImageItem, at: str) -> None:
        if not item.result:
            raise BadRequest(
                f"`{at}` refers to an image that another provider keeps; send the item with its `result`.", param=at
            )
        self._turn("assistant").append(Image(data=item.result, media_type=image_type(item.result)))

    def result(self, item: ResultItem | CustomResultItem, at: str) -> None:
        parts: Any = read_contents(item.output, f"{at}.output")
        self._turn("results").append(ToolResult(item.call_id, parts, self._names.get(item.call_id, "")))

    def _call(self, call_id: str, name: str, arguments: str) -> None:
        self._names[call_id] = name
        self._turn("assistant").append(ToolCall(call_id, name, arguments))

    def _turn(self, kind: str) -> list[Part]:
        if not self._turns or self._turns[-1][0] != kind:
            self._turns.append((kind, []))
        return self._turns[-1][1]

    def messages(self) -> tuple[Message, ...]:
        return tuple(
            Message(_ROLES.get(kind, "user"), tuple(self._signed(part) for part in parts))
            for kind, parts in self._turns
        )

    def _signed(self, part: Part) -> Part:
        if isinstance(part, ToolCall) and (signature := self._marks.get(part.id)):
            return msgspec.structs.replace(part, signature=signature)
        return part


_ADDERS: dict[type, Any] = {
    MessageItem: _Turns.message,
    ReasoningItem: _Turns.reasoning,
    CallItem: _Turns.call,
    ResultItem: _Turns.result,
    CustomCallItem: _Turns.custom_call,
    CustomResultItem: _Turns.result,
    ImageItem: _Turns.image,
}


def _as_shown(part: Part) -> Part:
    """Return what a text of an earlier answer stands for: an image or a sound that this wire had no place for."""
    return (read_text(part.text) or part) if isinstance(part, Text) else part


def read_reasoning(item: ReasoningItem) -> Thinking | CallMark:
    """Return what a reasoning item stands for; raises ``ValueError`` for a damaged seal."""
    content = item.encrypted_content or ""
    sealed = unseal(content)
    if sealed is not None:
        return sealed
    texts = [part.text for part in item.summary or item.content or ()]
    return Thinking("\n\n".join(texts), content, id=item.id or "", wire=WIRE)


def custom_arguments(text: str) -> str:
    """Return a custom tool's free text as the arguments of the function that stands for it on other wires."""
    return '{"input":' + _encode(text).decode() + "}"


def custom_input(arguments: str) -> str:
    """Return the free text out of such arguments; what is not of that form is the text itself."""
    try:
        document = msgspec.json.decode(arguments)
    except (msgspec.MsgspecError, RecursionError):
        return arguments
    text = document.get("input") if type(document) is dict else None
    return text if type(text) is str else arguments


def write_items(messages: tuple[Message, ...]) -> list[Item]:
    """Return the ``input`` items for a conversation; raises :class:`BadRequest`, naming ``messages[i]``."""
    items: list[Item] = []
    for i, message in enumerate(moved(messages)):
        write = _write_assistant if message.role == "assistant" else _write_other
        write(message, f"messages[{i}]", items)
    return items


def _write_other(message: Message, at: str, items: list[Item]) -> None:
    role: Any = "developer" if message.role == "system" else message.role
    contents: list[Content] = []
    for i, part in enumerate(message.parts):
        if isinstance(part, ToolResult):
            items.append(_write_result(part, f"{at}.content[{i}]"))
        elif not isinstance(part, Thinking):
            contents.append(write_content(part, f"{at}.content[{i}]"))
    if contents:
        items.append(MessageItem(role, contents))


def _write_assistant(message: Message, at: str, items: list[Item]) -> None:
    for i, part in enumerate(message.parts):
        if isinstance(part, Text | Refusal):
            _say(items, part)
        elif isinstance(part, ToolCall):
            items.append(CallItem(part.id, part.name, part.arguments))
        elif isinstance(part, Thinking):
            # Without its encrypted content the provider looks for the item by its id, in a store it may not be in.
            if part.wire == WIRE and part.signature:
                summary = [SummaryText(part.text)] if part.text else []
                items.append(ReasoningItem(part.id or None, summary, None, part.signature))
        else:
            place = f"{at}.content[{i}]"
            kind = type(part).__name__
            raise BadRequest(
                f"`{place}`: an assistant's turn cannot hold {kind} for an OpenAI Responses target.", param=place
            )


def _say(items: list[Item], part: Text | Refusal) -> None:
    content: Content
    if isinstance(part, Refusal):
        content = RefusalText(part.text)
    else:
        content = OutputText(part.text, [cited for cited in part.citations if is_native(cited)])
    last = items[-1] if items else None
    if isinstance(last, MessageItem) and last.role == "assistant" and type(last.content) is list:
        last.content.append(content)
    else:
        items.append(MessageItem("assistant", [content]))


def _write_result(result: ToolResult, at: str) -> ResultItem:
    """Return a tool's result. The wire has no field for a failure: it is said in words, unless the text says so."""
    parts = result.parts
    if any(isinstance(part, Audio) for part in parts):
        raise BadRequest(
            f"`{at}` is a tool's result with sound, which an OpenAI Responses target does not take.", param=at
        )
    if result.error:
        first = parts[0].text if parts and isinstance(parts[0], Text) else ""
        if not first.lower().startswith("error"):
            parts = (Text(f"Error: {first}"), *parts[1:]) if first else (Text("Error"), *parts)
    if all(isinstance(part, Text) for part in parts):
        return ResultItem(result.id, "\n".join(part.text for part in parts if isinstance(part, Text)))
    return ResultItem(result.id, [write_content(part, f"{at}.content[{i}]") for i, part in enumerate(parts)])
