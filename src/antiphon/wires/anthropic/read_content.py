"""A caller's messages, from content blocks to neutral parts."""

import re
from collections.abc import Callable
from typing import Any, cast, get_args

import msgspec

from antiphon.errors import BadRequest
from antiphon.wires.anthropic import shape
from antiphon.wires.anthropic.typed import misshapen
from antiphon.wires.translation.foreign_signatures import unpack
from antiphon.wires.translation.media import read_text
from antiphon.wires.translation.neutral import File, Image, Message, Part, Text, Thinking, ToolCall, ToolResult

WIRE = "anthropic"

_UNKNOWN_BLOCK = re.compile(r"Invalid value (?P<type>'.*') - at `\$(?P<path>.*content\[\d+\])\.type`", re.DOTALL)

_encode = msgspec.json.Encoder().encode


def messages_of(raw: list[Any]) -> tuple[Message, ...]:
    """Return the conversation; raises :class:`BadRequest` with the path of what has no counterpart."""
    try:
        messages = msgspec.convert(raw, list[shape.Message])
    except msgspec.ValidationError as error:
        raise _unreadable(str(error)) from None
    return tuple(_message(message, f"messages[{place}]") for place, message in enumerate(messages))


def _unreadable(problem: str) -> BadRequest:
    block = _UNKNOWN_BLOCK.fullmatch(problem)
    if block is None:
        return misshapen(problem, "messages")
    path = f"messages{block['path']}"
    return BadRequest(
        f"`{path}` is a block of type {block['type']}, which only this wire carries, and the model is served by "
        "another. Leave it out, or call a model of a provider that speaks the Messages API.",
        param=path,
    )


_NOT_IN: dict[str, tuple[type[Any], ...]] = {
    "user": (shape.ToolUseBlock, shape.ThinkingBlock, shape.RedactedBlock),
    "assistant": (shape.ToolResultBlock,),
    "system": tuple(kind for kind in get_args(shape.Block) if kind is not shape.TextBlock),
}
"""Whose turn cannot hold which blocks."""


def _check_place(message: shape.Message, path: str) -> None:
    for place, block in enumerate(message.content):
        if type(block) in _NOT_IN[message.role]:
            where = f"{path}.content[{place}]"
            kind = cast(Any, block).__struct_config__.tag
            raise BadRequest(f"`{where}` is a {kind} block, which a {message.role} message cannot hold.", param=where)


def _message(message: shape.Message, path: str) -> Message:
    content = message.content
    if type(content) is str:
        return Message(message.role, (Text(content),))
    _check_place(message, path)
    blocks = cast(list[shape.Block], content)
    signatures = _call_signatures(blocks)
    parts: list[Part] = []
    for block in blocks:
        if type(block) is shape.ToolUseBlock:
            parts.append(_tool_call(block, signatures))
        elif type(block) is shape.TextBlock and (shown := read_text(block.text)) and message.role == "assistant":
            parts.append(shown)
        else:
            parts += parts_of(block)
    return Message(message.role, tuple(parts))


def _call_signatures(blocks: list[shape.Block]) -> dict[str, str]:
    """Return the thought signatures of tool calls that blocks of ours carry, by the call's id."""
    carried = (unpack(block.signature) for block in blocks if type(block) is shape.ThinkingBlock)
    return {item.call: item.signature for item in carried if item is not None and item.call}


def _tool_call(block: shape.ToolUseBlock, signatures: dict[str, str]) -> ToolCall:
    return ToolCall(
        block.id, block.name, _encode(block.input).decode(), signatures.get(block.id, ""), block.cache_control
    )


def parts_of(block: shape.Block) -> list[Part]:
    """Return the parts of one block; most are one part."""
    return _READERS[type(block)](block)


def text_of(block: shape.TextBlock) -> Text:
    """Return a text block as text."""
    return Text(block.text, block.cache_control, tuple(block.citations or ()))


def _text(block: shape.TextBlock) -> list[Part]:
    return [text_of(block)]


def _image(block: shape.ImageBlock) -> list[Part]:
    source, cache = block.source, block.cache_control
    if type(source) is shape.UrlSource:
        return [Image(url=source.url, cache=cache)]
    if type(source) is shape.FileSource:
        return [Image(file_id=source.file_id, cache=cache)]
    inline = cast(shape.Base64Source, source)
    return [Image(data=inline.data, media_type=inline.media_type, cache=cache)]


def _document(block: shape.DocumentBlock) -> list[Part]:
    about: list[Part] = [Text(block.context)] if block.context else []
    source = block.source
    common: dict[str, Any] = {
        "name": block.title or "",
        "cite": bool(block.citations and block.citations.enabled),
        "cache": block.cache_control,
    }
    match source:
        case shape.UrlSource():
            about.append(File(url=source.url, **common))
        case shape.FileSource():
            about.append(File(file_id=source.file_id, **common))
        case shape.TextSource():
            about.append(File(text=source.data, media_type=source.media_type, **common))
        case shape.Base64Source():
            about.append(File(data=source.data, media_type=source.media_type, **common))
        case shape.BlockSource():
            about += _of_blocks(source.content, common)
    return about


def _of_blocks(content: str | list[shape.TextBlock | shape.ImageBlock], common: dict[str, Any]) -> list[Part]:
    """Return a document of blocks: text as one file, with its images after it."""
    if type(content) is str:
        return [File(text=content, media_type="text/plain", **common)]
    blocks = cast(list[shape.TextBlock | shape.ImageBlock], content)
    texts = [block.text for block in blocks if type(block) is shape.TextBlock]
    parts: list[Part] = [File(text="\n\n".join(texts), media_type="text/plain", **common)] if texts else []
    for block in blocks:
        if type(block) is shape.ImageBlock:
            parts += _image(block)
    return parts


def _search_result(block: shape.SearchResultBlock) -> list[Part]:
    """Return a search result as a document that begins with where it is from; no other wire has a place for that."""
    text = "\n\n".join((f"Source: {block.source}", *(part.text for part in block.content)))
    cite = bool(block.citations and block.citations.enabled)
    return [File(text=text, media_type="text/plain", name=block.title, cite=cite, cache=block.cache_control)]


def _thinking(block: shape.ThinkingBlock) -> list[Part]:
    return thinking_of(block.thinking, block.signature)


def thinking_of(text: str, signature: str) -> list[Part]:
    """Return thinking with the wire that made it; none where the block only carries a tool call's signature."""
    carried = unpack(signature)
    if carried is None:
        return [Thinking(text, signature, wire=WIRE)]
    if carried.call:
        return []
    return [Thinking(text, carried.signature, carried.redacted, carried.id, carried.wire)]


def _redacted(block: shape.RedactedBlock) -> list[Part]:
    return [Thinking(redacted=block.data, wire=WIRE)]


def _tool_result(block: shape.ToolResultBlock) -> list[Part]:
    content = block.content
    parts: list[Part] = []
    if type(content) is str:
        parts.append(Text(content))
    else:
        for part in cast(list[Any], content or ()):
            parts += parts_of(part)
    kept = cast(tuple[Text | Image | File, ...], tuple(parts))
    return [ToolResult(block.tool_use_id, kept, error=bool(block.is_error), cache=block.cache_control)]


_READERS: dict[type[Any], Callable[[Any], list[Part]]] = {
    shape.TextBlock: _text,
    shape.ImageBlock: _image,
    shape.DocumentBlock: _document,
    shape.SearchResultBlock: _search_result,
    shape.ThinkingBlock: _thinking,
    shape.RedactedBlock: _redacted,
    shape.ToolResultBlock: _tool_result,
}
