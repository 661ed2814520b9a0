"""Reads the input items of a request into messages (API reference, "Input items")."""

from typing import Any, Literal

import msgspec

from antiphon.errors import BadRequest
from antiphon.wires.checks import read_fields
from antiphon.wires.responses.content import read_contents
from antiphon.wires.responses.encrypted_content import CallSignature
from antiphon.wires.responses.items import (
    CallItem,
    CustomCallItem,
    CustomResultItem,
    ImageItem,
    Item,
    MessageItem,
    ReasoningItem,
    ResultItem,
    read_reasoning,
    write_custom_arguments,
)
from antiphon.wires.translation.media import guess_image_type, read_markdown
from antiphon.wires.translation.neutral import Image, Message, Part, Text, ToolCall, ToolResult

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
    typed_items = read_fields(
        [_add_type(item, f"input[{index}]") for index, item in enumerate(items)], list[Item], "input"
    )
    for index, item in enumerate(typed_items):
        turns.add(item, f"input[{index}]")
    return turns.make_messages()


def _add_type(item: dict[str, Any], path: str) -> dict[str, Any]:
    """Return an item with its type, which messages may leave out; raises :class:`BadRequest`."""
    kind = item.get("type")
    if kind is None and "role" in item:
        return {**item, "type": "message"}
    if kind == "item_reference" or (kind is None and "id" in item):
        raise BadRequest(
            f"`{path}` refers to an item that is not stored in this conversation; send the item itself.",
            param=path,
            code="item_not_found",
        )
    if not isinstance(kind, str) or kind not in _TYPES:
        raise BadRequest(
            f"`{path}` is of type {kind!r}, which only a target with the OpenAI Responses wire can take; the others "
            f"take {', '.join(sorted(_TYPES))}.",
            param=path,
        )
    return item


class _Turns:
    """Collects the parts of items into turns."""

    def __init__(self) -> None:
        self._turns: list[tuple[str, list[Part]]] = []
        self._names: dict[str, str] = {}
        self._signatures: dict[str, str] = {}

    def add(self, item: Item, path: str) -> None:
        _ADDERS[type(item)](self, item, path)

    def add_message(self, item: MessageItem, path: str) -> None:
        role, parts = _ROLES[item.role], read_contents(item.content, f"{path}.content")
        if role == "assistant":
            self._get_turn(role).extend(_restore_media(part) for part in parts)
        else:
            self._turns.append((role, list(parts)))

    def add_reasoning(self, item: ReasoningItem, path: str) -> None:
        try:
            part = read_reasoning(item)
        except ValueError:
            path = f"{path}.encrypted_content"
            problem = f"`{path}` is damaged; send reasoning items back as they came, or leave them out."
            raise BadRequest(problem, param=path, code="invalid_encrypted_content") from None
        if isinstance(part, CallSignature):
            self._signatures[part.call] = part.signature
        else:
            self._get_turn("assistant").append(part)

    def add_call(self, item: CallItem, path: str) -> None:
        self._append_call(item.call_id, item.name, item.arguments or "{}")

    def add_custom_call(self, item: CustomCallItem, path: str) -> None:
        self._append_call(item.call_id, item.name, write_custom_arguments(item.input))

    def add_image(self, item: ImageItem, path: str) -> None:
        if not item.result:
            raise BadRequest(
                f"`{path}` refers to an image that another provider keeps; send the item with its `result`.", param=path
            )
        self._get_turn("assistant").append(Image(data=item.result, media_type=guess_image_type(item.result)))

    def add_result(self, item: ResultItem | CustomResultItem, path: str) -> None:
        parts: Any = read_contents(item.output, f"{path}.output")
        self._get_turn("results").append(ToolResult(item.call_id, parts, self._names.get(item.call_id, "")))

    def _append_call(self, call_id: str, name: str, arguments: str) -> None:
        self._names[call_id] = name
        self._get_turn("assistant").append(ToolCall(call_id, name, arguments))

    def _get_turn(self, kind: str) -> list[Part]:
        if not self._turns or self._turns[-1][0] != kind:
            self._turns.append((kind, []))
        return self._turns[-1][1]

    def make_messages(self) -> tuple[Message, ...]:
        return tuple(
            Message(_ROLES.get(kind, "user"), tuple(self._add_signature(part) for part in parts))
            for kind, parts in self._turns
        )

    def _add_signature(self, part: Part) -> Part:
        if isinstance(part, ToolCall) and (signature := self._signatures.get(part.id)):
            return msgspec.structs.replace(part, signature=signature)
        return part


_ADDERS: dict[type, Any] = {
    MessageItem: _Turns.add_message,
    ReasoningItem: _Turns.add_reasoning,
    CallItem: _Turns.add_call,
    ResultItem: _Turns.add_result,
    CustomCallItem: _Turns.add_custom_call,
    CustomResultItem: _Turns.add_result,
    ImageItem: _Turns.add_image,
}


def _restore_media(part: Part) -> Part:
    """Return the media that a text of an earlier answer describes, because this wire had no field for it."""
    return (read_markdown(part.text) or part) if isinstance(part, Text) else part
