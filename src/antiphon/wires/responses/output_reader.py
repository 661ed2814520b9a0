"""Output items of a response, read into parts (API reference, "The response object": output)."""

from typing import Any, TypeAlias

import msgspec

from antiphon.errors import BadAnswer
from antiphon.wires.checks import DECODE_ERRORS
from antiphon.wires.responses.content import OutputText, RefusalText, read_output_content
from antiphon.wires.responses.encrypted_content import CallSignature
from antiphon.wires.responses.items import (
    CallItem,
    CustomCallItem,
    ImageItem,
    ReasoningItem,
    read_reasoning,
    write_custom_arguments,
)
from antiphon.wires.translation.media import guess_image_type
from antiphon.wires.translation.neutral import Image, Part, Refusal, Text, Thinking, ToolCall

ReadPart: TypeAlias = Part | CallSignature
_Tokens: TypeAlias = list[dict[str, Any]]
"""Collects the log probabilities of a whole answer, in the order of its texts."""

_CONTENTS = ("output_text", "refusal")


class ItemHead(msgspec.Struct):
    """The fields that every output item has; the others depend on its type."""

    type: str = ""
    id: str | None = None
    call_id: str | None = None
    name: str | None = None


class _Message(msgspec.Struct):
    content: list[OutputText | RefusalText]


decode_head = msgspec.json.Decoder(ItemHead).decode
_decode_content = msgspec.json.Decoder(OutputText | RefusalText).decode
_decode_message = msgspec.json.Decoder(_Message).decode
_decode_reasoning = msgspec.json.Decoder(ReasoningItem).decode
_decode_call = msgspec.json.Decoder(CallItem).decode
_decode_image = msgspec.json.Decoder(ImageItem).decode
_decode_custom_call = msgspec.json.Decoder(CustomCallItem).decode


def read_item(raw: bytes, tokens: _Tokens | None = None) -> list[ReadPart]:
    """Return the parts of one output item, none for the call of a provider's own tool.

    ``tokens`` takes the log probabilities of its texts. Raises :class:`BadAnswer` for an item that does not have the
    form of its type.
    """
    try:
        reader = _READERS.get(decode_head(raw).type)
        return reader(raw, tokens) if reader is not None else []
    except (*DECODE_ERRORS, ValueError) as error:
        raise BadAnswer(f"The provider's answer has an output item that is not of this wire: {error}.") from None


def read_content(raw: bytes) -> tuple[Text | Refusal, ...]:
    """Return the part of one content, none for a content of an unknown type; raises :class:`BadAnswer`."""
    try:
        if decode_head(raw).type not in _CONTENTS:
            return ()
        return (read_output_content(_decode_content(raw)),)
    except DECODE_ERRORS as error:
        raise BadAnswer(f"The provider's answer has a content that is not of this wire: {error}.") from None


def _read_message(raw: bytes, tokens: _Tokens | None) -> list[ReadPart]:
    contents = _decode_message(raw).content
    if tokens is not None:
        for content in contents:
            if isinstance(content, OutputText):
                tokens += content.logprobs or ()
    return [read_output_content(content) for content in contents]


def _read_reasoning(raw: bytes, tokens: _Tokens | None) -> list[ReadPart]:
    part = read_reasoning(_decode_reasoning(raw))
    if isinstance(part, Thinking) and not (part.text or part.signature or part.redacted):
        return []  # the provider gives neither its thinking nor a signature
    return [part]


def _read_call(raw: bytes, tokens: _Tokens | None) -> list[ReadPart]:
    call = _decode_call(raw)
    return [ToolCall(call.call_id, call.name, call.arguments or "{}")]


def _read_custom_call(raw: bytes, tokens: _Tokens | None) -> list[ReadPart]:
    call = _decode_custom_call(raw)
    return [ToolCall(call.call_id, call.name, write_custom_arguments(call.input))]


def _read_image(raw: bytes, tokens: _Tokens | None) -> list[ReadPart]:
    """Read an image of the model's image tool; without a result it failed, and the model says so in text."""
    data = _decode_image(raw).result
    return [Image(data=data, media_type=guess_image_type(data))] if data else []


_READERS: dict[str, Any] = {
    "image_generation_call": _read_image,
    "message": _read_message,
    "reasoning": _read_reasoning,
    "function_call": _read_call,
    "custom_tool_call": _read_custom_call,
}


def add_call_signatures(parts: list[ReadPart]) -> tuple[Part, ...]:
    """Return the parts with each call signature in its tool call."""
    signatures = {part.call: part.signature for part in parts if isinstance(part, CallSignature)}
    return tuple(
        msgspec.structs.replace(part, signature=signatures[part.id])
        if isinstance(part, ToolCall) and part.id in signatures
        else part
        for part in parts
        if not isinstance(part, CallSignature)
    )
