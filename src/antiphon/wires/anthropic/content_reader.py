"""Reads a caller's messages: content blocks to neutral parts."""

import re
from collections.abc import Callable
from typing import Any, cast, get_args

import msgspec

from antiphon.errors import BadRequest
from antiphon.wires.anthropic import types
from antiphon.wires.anthropic.types import WIRE
from antiphon.wires.checks import make_bad_request_from
from antiphon.wires.translation.foreign_signatures import unpack_signature
from antiphon.wires.translation.media import read_markdown
from antiphon.wires.translation.neutral import File, Image, Message, Part, Text, Thinking, ToolCall, ToolResult

_UNKNOWN_BLOCK = re.compile(r"Invalid value (?P<type>'.*') - at `\$(?P<path>.*content\[\d+\])\.type`", re.DOTALL)

_encode = msgspec.json.Encoder().encode


def read_messages(raw: list[Any]) -> tuple[Message, ...]:
    """Return the conversation; raises :class:`BadRequest` with the path of a block that has no counterpart."""
    try:
        messages = msgspec.convert(raw, list[types.Message])
    except msgspec.ValidationError as error:
        raise _make_error(str(error)) from None
    return tuple(_read_message(message, f"messages[{index}]") for index, message in enumerate(messages))


def _make_error(problem: str) -> BadRequest:
    block = _UNKNOWN_BLOCK.fullmatch(problem)
    if block is None:
        return make_bad_request_from(problem, "messages")
    path = f"messages{block['path']}"
    return BadRequest(
        f"`{path}` is a block of type {block['type']}, which only this wire carries, and the model is served by "
        "another. Leave it out, or call a model of a provider that speaks the Messages API.",
        param=path,
    )


_FORBIDDEN: dict[str, tuple[type[Any], ...]] = {
    "user": (types.ToolUseBlock, types.ThinkingBlock, types.RedactedBlock),
    "assistant": (types.ToolResultBlock,),
    "system": tuple(kind for kind in get_args(types.Block) if kind is not types.TextBlock),
}
"""Role to the blocks that its messages cannot hold."""


def _check_blocks(message: types.Message, path: str) -> None:
    for index, block in enumerate(message.content):
        if type(block) in _FORBIDDEN[message.role]:
            block_path = f"{path}.content[{index}]"
            kind = cast(Any, block).__struct_config__.tag
            raise BadRequest(
                f"`{block_path}` is a {kind} block, which a {message.role} message cannot hold.", param=block_path
            )


def _read_message(message: types.Message, path: str) -> Message:
    content = message.content
    if type(content) is str:
        return Message(message.role, (Text(content),))
    _check_blocks(message, path)
    blocks = cast(list[types.Block], content)
    signatures = _read_call_signatures(blocks)
    parts: list[Part] = []
    for block in blocks:
        if type(block) is types.ToolUseBlock:
            parts.append(_read_tool_call(block, signatures))
        elif type(block) is types.TextBlock and (media := read_markdown(block.text)) and message.role == "assistant":
            parts.append(media)
        else:
            parts += read_block(block)
    return Message(message.role, tuple(parts))


def _read_call_signatures(blocks: list[types.Block]) -> dict[str, str]:
    """Return the thought signatures of tool calls, which Antiphon put into thinking blocks, by the call's id."""
    foreign_signatures = (unpack_signature(block.signature) for block in blocks if type(block) is types.ThinkingBlock)
    return {item.call: item.signature for item in foreign_signatures if item is not None and item.call}


def _read_tool_call(block: types.ToolUseBlock, signatures: dict[str, str]) -> ToolCall:
    return ToolCall(
        block.id, block.name, _encode(block.input).decode(), signatures.get(block.id, ""), block.cache_control
    )


def read_block(block: types.Block) -> list[Part]:
    """Return the parts of one block; most blocks are one part."""
    return _READERS[type(block)](block)


def read_text_block(block: types.TextBlock) -> Text:
    """Return the text of a block."""
    return Text(block.text, block.cache_control, tuple(block.citations or ()))


def _read_text(block: types.TextBlock) -> list[Part]:
    return [read_text_block(block)]


def _read_image(block: types.ImageBlock) -> list[Part]:
    source, cache = block.source, block.cache_control
    if type(source) is types.UrlSource:
        return [Image(url=source.url, cache=cache)]
    if type(source) is types.FileSource:
        return [Image(file_id=source.file_id, cache=cache)]
    inline = cast(types.Base64Source, source)
    return [Image(data=inline.data, media_type=inline.media_type, cache=cache)]


def _read_document(block: types.DocumentBlock) -> list[Part]:
    parts: list[Part] = [Text(block.context)] if block.context else []
    source = block.source
    common: dict[str, Any] = {
        "name": block.title or "",
        "cite": bool(block.citations and block.citations.enabled),
        "cache": block.cache_control,
    }
    match source:
        case types.UrlSource():
            parts.append(File(url=source.url, **common))
        case types.FileSource():
            parts.append(File(file_id=source.file_id, **common))
        case types.TextSource():
            parts.append(File(text=source.data, media_type=source.media_type, **common))
        case types.Base64Source():
            parts.append(File(data=source.data, media_type=source.media_type, **common))
        case types.BlockSource():
            parts += _read_block_source(source.content, common)
    return parts


def _read_block_source(content: str | list[types.TextBlock | types.ImageBlock], common: dict[str, Any]) -> list[Part]:
    """Return a document of blocks: one file with all text, then the images."""
    if type(content) is str:
        return [File(text=content, media_type="text/plain", **common)]
    blocks = cast(list[types.TextBlock | types.ImageBlock], content)
    texts = [block.text for block in blocks if type(block) is types.TextBlock]
    parts: list[Part] = [File(text="\n\n".join(texts), media_type="text/plain", **common)] if texts else []
    for block in blocks:
        if type(block) is types.ImageBlock:
            parts += _read_image(block)
    return parts


def _read_search_result(block: types.SearchResultBlock) -> list[Part]:
    """Return a search result as a document that begins with its source, for which no other wire has a field."""
    text = "\n\n".join((f"Source: {block.source}", *(part.text for part in block.content)))
    cite = bool(block.citations and block.citations.enabled)
    return [File(text=text, media_type="text/plain", name=block.title, cite=cite, cache=block.cache_control)]


def _read_thinking_block(block: types.ThinkingBlock) -> list[Part]:
    return read_thinking(block.thinking, block.signature)


def read_thinking(text: str, signature: str) -> list[Part]:
    """Return thinking with the wire that made it; nothing if the block only carries a tool call's signature."""
    foreign = unpack_signature(signature)
    if foreign is None:
        return [Thinking(text, signature, wire=WIRE)]
    if foreign.call:
        return []
    return [Thinking(text, foreign.signature, foreign.redacted, foreign.id, foreign.wire)]


def _read_redacted(block: types.RedactedBlock) -> list[Part]:
    return [Thinking(redacted=block.data, wire=WIRE)]


def _read_tool_result(block: types.ToolResultBlock) -> list[Part]:
    content = block.content
    parts: list[Part] = []
    if type(content) is str:
        parts.append(Text(content))
    else:
        for part in cast(list[Any], content or ()):
            parts += read_block(part)
    inner = cast(tuple[Text | Image | File, ...], tuple(parts))
    return [ToolResult(block.tool_use_id, inner, error=bool(block.is_error), cache=block.cache_control)]


_READERS: dict[type[Any], Callable[[Any], list[Part]]] = {
    types.TextBlock: _read_text,
    types.ImageBlock: _read_image,
    types.DocumentBlock: _read_document,
    types.SearchResultBlock: _read_search_result,
    types.ThinkingBlock: _read_thinking_block,
    types.RedactedBlock: _read_redacted,
    types.ToolResultBlock: _read_tool_result,
}
