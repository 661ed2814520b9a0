"""Output items of a response, read into parts (API reference, "The response object": output)."""

from typing import Any, TypeAlias

import msgspec

from antiphon.errors import BadAnswer
from antiphon.wires.responses.content import OutputText, RefusalText
from antiphon.wires.responses.encrypted_content import CallMark
from antiphon.wires.responses.items import (
    CallItem,
    CustomCallItem,
    ImageItem,
    ReasoningItem,
    custom_arguments,
    read_reasoning,
)
from antiphon.wires.translation.media import image_type
from antiphon.wires.translation.neutral import Image, Part, Refusal, Text, Thinking, ToolCall

Found: TypeAlias = Part | CallMark


_CONTENTS = ("output_text", "refusal")


class ItemHead(msgspec.Struct):
    """What every output item has; the rest depends on its type."""

    type: str = ""
    id: str | None = None
    call_id: str | None = None
    name: str | None = None


class _Message(msgspec.Struct):
    content: list[OutputText | RefusalText]


class Log(msgspec.Struct):
    """Log probabilities of a whole answer, in the order of its texts."""

    tokens: list[dict[str, Any]]


head = msgspec.json.Decoder(ItemHead).decode
_content = msgspec.json.Decoder(OutputText | RefusalText).decode
_message = msgspec.json.Decoder(_Message).decode
_reasoning = msgspec.json.Decoder(ReasoningItem).decode
_call = msgspec.json.Decoder(CallItem).decode
_image = msgspec.json.Decoder(ImageItem).decode
_custom = msgspec.json.Decoder(CustomCallItem).decode


def read_item(raw: bytes, log: Log | None = None) -> list[Found]:
    """Return the parts of one output item, none for what a provider's own tool did.

    Raises :class:`BadAnswer` for an item that is not of its type's shape.
    """
    try:
        reader = _READERS.get(head(raw).type)
        return reader(raw, log) if reader is not None else []
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise BadAnswer(f"The provider's answer has an output item that is not of this wire: {error}.") from None


def read_content(raw: bytes) -> tuple[Text | Refusal, ...]:
    """Return the part that a content is, none for a content of another kind; raises :class:`BadAnswer`."""
    try:
        return (_part(_content(raw)),) if head(raw).type in _CONTENTS else ()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadAnswer(f"The provider's answer has a content that is not of this wire: {error}.") from None


def _part(content: OutputText | RefusalText) -> Text | Refusal:
    if isinstance(content, RefusalText):
        return Refusal(content.refusal)
    return Text(content.text, citations=tuple(cited for cited in content.annotations or () if "type" in cited))


def _read_message(raw: bytes, log: Log | None) -> list[Found]:
    contents = _message(raw).content
    if log is not None:
        log.tokens += [token for content in contents for token in getattr(content, "logprobs", None) or ()]
    return [_part(content) for content in contents]


def _read_reasoning(raw: bytes, log: Log | None) -> list[Found]:
    found = read_reasoning(_reasoning(raw))
    if isinstance(found, Thinking) and not (found.text or found.signature or found.redacted):
        return []  # the provider shows neither its thinking nor a proof of it
    return [found]


def _read_call(raw: bytes, log: Log | None) -> list[Found]:
    call = _call(raw)
    return [ToolCall(call.call_id, call.name, call.arguments or "{}")]


def _read_custom(raw: bytes, log: Log | None) -> list[Found]:
    call = _custom(raw)
    return [ToolCall(call.call_id, call.name, custom_arguments(call.input))]


def _read_image(raw: bytes, log: Log | None) -> list[Found]:
    """Read an image that the model's own tool made; one without a result failed, which the model tells in words."""
    data = _image(raw).result
    return [read_image(data)] if data else []


def read_image(result: str) -> Image:
    """Return the image of a finished call."""
    return Image(data=result, media_type=image_type(result))


_READERS: dict[str, Any] = {
    "image_generation_call": _read_image,
    "message": _read_message,
    "reasoning": _read_reasoning,
    "function_call": _read_call,
    "custom_tool_call": _read_custom,
}


def signed(found: list[Found]) -> tuple[Part, ...]:
    """Return the parts, each tool call with the signature that a mark holds for it."""
    marks = {mark.call: mark.signature for mark in found if isinstance(mark, CallMark)}
    return tuple(
        msgspec.structs.replace(part, signature=marks[part.id])
        if isinstance(part, ToolCall) and part.id in marks
        else part
        for part in found
        if not isinstance(part, CallMark)
    )
