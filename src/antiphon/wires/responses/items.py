"""Items of a conversation that input and output share (API reference, "Input items").

Items are flat, and the neutral form is nested: a reasoning item, a message and two function calls in a row are one turn
of the assistant; function call outputs in a row are one turn of results.
"""

from typing import Literal, TypeAlias

import msgspec

from antiphon.wires.responses.content import Content
from antiphon.wires.responses.encrypted_content import WIRE, CallSignature, read_encrypted_content
from antiphon.wires.translation.neutral import Thinking

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


def read_reasoning(item: ReasoningItem) -> Thinking | CallSignature:
    """Return the content of a reasoning item; raises ``ValueError`` for damaged ``encrypted_content``."""
    content = item.encrypted_content or ""
    foreign = read_encrypted_content(content)
    if foreign is not None:
        return foreign
    texts = [part.text for part in item.summary or item.content or ()]
    return Thinking("\n\n".join(texts), content, id=item.id or "", wire=WIRE)


def write_custom_arguments(text: str) -> str:
    """Return a custom tool's free text as the arguments of the function that replaces the tool on other wires."""
    return '{"input":' + _encode(text).decode() + "}"


def read_custom_input(arguments: str) -> str:
    """Return the free text in such arguments; arguments of any other form are returned unchanged."""
    try:
        document = msgspec.json.decode(arguments)
    except (msgspec.MsgspecError, RecursionError):
        return arguments
    text = document.get("input") if type(document) is dict else None
    return text if type(text) is str else arguments
