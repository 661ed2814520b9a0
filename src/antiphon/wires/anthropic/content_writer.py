"""Writes the messages of a request: neutral parts to content blocks."""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

from antiphon.errors import BadRequest
from antiphon.types import Profile
from antiphon.wires.anthropic import citations
from antiphon.wires.anthropic.types import WIRE
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

Dropped: TypeAlias = dict[str, None]
"""Names of fields that were left out, each once, in order."""

_IMAGES = frozenset(("image/jpeg", "image/png", "image/gif", "image/webp"))
_PDF = "application/pdf"
_TOOL_ID = re.compile(r"[a-zA-Z0-9_-]{1,256}")
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_DATA_URL = re.compile(r"data:([^;,]*)(?:;[^;,]*)*;base64,", re.IGNORECASE)


class ConversationWriter:
    """Gathers messages. Consecutive messages of one role become one; tool results come first in theirs."""

    __slots__ = ("_profile", "dropped", "messages", "system")

    def __init__(self, profile: Profile, system: tuple[Text, ...], dropped: Dropped) -> None:
        self._profile = profile
        self.dropped = dropped
        self.messages: list[dict[str, Any]] = []
        self.system = [block for text in system for block in _write_text(text, "", dropped)]

    def add(self, message: Message, path: str) -> None:
        """Add one message; raises :class:`BadRequest` for a part that this wire does not have."""
        if message.name:
            self.dropped["name"] = None
        blocks = [
            block
            for index, part in enumerate(message.parts)
            for block in write_part(part, f"{path}[{index}]", self.dropped)
        ]
        if message.role == "system":
            self._add_system(blocks, path)
        elif blocks:
            self._add_turn(message.role, blocks)

    def _add_system(self, blocks: list[dict[str, Any]], path: str) -> None:
        if any(block["type"] != "text" for block in blocks):
            raise BadRequest(f"`{path}` is a system message with more than text; say the rest as the user.", param=path)
        last = self.messages[-1]["role"] if self.messages else ""
        if blocks and self._profile.system_turns and last == "user":
            self.messages.append({"role": "system", "content": blocks})
        else:
            self.system += blocks

    def _add_turn(self, role: str, blocks: list[dict[str, Any]]) -> None:
        if self.messages and self.messages[-1]["role"] == role:
            blocks = self.messages.pop()["content"] + blocks
        if role == "user":
            # The API requires the results of a turn's tool calls before anything else (guide "Handle tool calls").
            blocks.sort(key=lambda block: block["type"] != "tool_result")
        self.messages.append({"role": role, "content": blocks})


def write_part(part: Part, path: str, dropped: Dropped) -> list[dict[str, Any]]:
    """Return the block of one part, or nothing if the part need not be sent."""
    return _WRITERS[type(part)](part, path, dropped)


def _add_cache(block: dict[str, Any], cache: dict[str, Any] | None) -> dict[str, Any]:
    if cache is not None:
        block["cache_control"] = cache
    return block


def _write_text(part: Text, path: str, dropped: Dropped) -> list[dict[str, Any]]:
    if not part.text.strip():  # the API refuses blank text
        return []
    block = _add_cache({"type": "text", "text": part.text}, part.cache)
    if own_citations := citations.list_own_citations(part):
        block["citations"] = own_citations
    if len(own_citations) < len(part.citations):
        dropped["citations"] = None
    return [block]


def _write_image(part: Image, path: str, dropped: Dropped) -> list[dict[str, Any]]:
    if part.detail not in ("", "auto"):
        dropped["detail"] = None
    data, media_type = part.data, part.media_type
    if part.url and (inline := _DATA_URL.match(part.url)):
        data, media_type = part.url[inline.end() :], inline[1]
    if data:
        media_type = media_type.lower().replace("image/jpg", "image/jpeg")
        if media_type not in _IMAGES:
            raise BadRequest(
                f"`{path}` is an image of type {media_type!r}; the model takes JPEG, PNG, GIF and WebP.", param=path
            )
        source = {"type": "base64", "media_type": media_type, "data": data}
    elif part.url:
        source = {"type": "url", "url": part.url}
    else:
        source = {"type": "file", "file_id": part.file_id}
    return [_add_cache({"type": "image", "source": source}, part.cache)]


def _write_file(part: File, path: str, dropped: Dropped) -> list[dict[str, Any]]:
    block: dict[str, Any] = {"type": "document", "source": _write_source(part, path)}
    if part.name:
        block["title"] = part.name
    if part.cite:
        block["citations"] = {"enabled": True}
    return [_add_cache(block, part.cache)]


def _write_source(part: File, path: str) -> dict[str, Any]:
    if part.text:
        return {"type": "text", "media_type": "text/plain", "data": part.text}
    data, media_type = part.data, part.media_type.lower()
    if inline := _DATA_URL.match(data or part.url):
        data, media_type = (data or part.url)[inline.end() :], inline[1].lower()
    if data:
        if media_type in (_PDF, ""):
            return {"type": "base64", "media_type": _PDF, "data": data}
        if media_type.startswith("text/") or media_type == "application/json":
            return {"type": "text", "media_type": "text/plain", "data": _decode_text(data, path)}
        raise BadRequest(f"`{path}` is a file of type {media_type!r}; the model takes PDF and plain text.", param=path)
    if part.url:
        return {"type": "url", "url": part.url}
    if part.file_id:
        return {"type": "file", "file_id": part.file_id}
    raise BadRequest(f"`{path}` is a file without content.", param=path)


def _decode_text(data: str, path: str) -> str:
    try:
        return base64.b64decode("".join(data.split()), validate=True).decode()
    except (binascii.Error, ValueError):
        raise BadRequest(f"`{path}` is a text file whose data is not UTF-8 in base64.", param=path) from None


def _refuse_audio(part: Audio, path: str, dropped: Dropped) -> list[dict[str, Any]]:
    raise BadRequest(f"`{path}` is audio, which the model's provider does not take; send its transcript.", param=path)


def _write_thinking(part: Thinking, path: str, dropped: Dropped) -> list[dict[str, Any]]:
    if part.wire != WIRE:  # this provider cannot verify it, and it is not part of the answer
        return []
    if part.redacted:
        return [{"type": "redacted_thinking", "data": part.redacted}]
    return [{"type": "thinking", "thinking": part.text, "signature": part.signature}] if part.signature else []


def _write_tool_call(part: ToolCall, path: str, dropped: Dropped) -> list[dict[str, Any]]:
    check_tool_name(part.name, path)
    arguments = write_tool_input(part.arguments)
    block = {"type": "tool_use", "id": write_tool_id(part.id), "name": part.name, "input": arguments}
    return [_add_cache(block, part.cache)]


def check_tool_name(name: str, path: str) -> None:
    """Raise :class:`BadRequest` for a tool's name with characters that this wire does not accept."""
    if not _TOOL_NAME.fullmatch(name):
        raise BadRequest(
            f"`{path}.name` is {name!r}; the model's provider takes 1 to 128 letters, digits, `_` and `-`.",
            param=f"{path}.name",
        )


def write_tool_id(identifier: str) -> str:
    """Return a tool call's id in the characters that this wire accepts; a call and its result get the same id."""
    if _TOOL_ID.fullmatch(identifier):
        return identifier
    return "toolu_" + hashlib.sha256(identifier.encode()).hexdigest()[:24]


def write_tool_input(arguments: str) -> msgspec.Raw:
    """Return a tool call's arguments as an object, unchanged.

    A model can write anything. Arguments that are no object are put under ``arguments``, so that the call is not lost.
    """
    if not arguments.strip():
        return msgspec.Raw(b"{}")
    try:
        if type(msgspec.json.decode(arguments)) is dict:
            return msgspec.Raw(arguments.encode())
    except (msgspec.DecodeError, RecursionError):
        pass
    return msgspec.Raw(msgspec.json.encode({"arguments": arguments}))


def _write_tool_result(part: ToolResult, path: str, dropped: Dropped) -> list[dict[str, Any]]:
    block: dict[str, Any] = {"type": "tool_result", "tool_use_id": write_tool_id(part.id)}
    inner = [block for item in part.parts for block in write_part(item, f"{path}.content", dropped)]
    if len(inner) == 1 and inner[0].keys() == {"type", "text"}:
        block["content"] = inner[0]["text"]
    elif inner:
        block["content"] = inner
    if part.error:
        block["is_error"] = True
    return [_add_cache(block, part.cache)]


def _write_refusal(part: Refusal, path: str, dropped: Dropped) -> list[dict[str, Any]]:
    return _write_text(Text(part.text), path, dropped)


_WRITERS: dict[type[Any], Callable[[Any, str, Dropped], list[dict[str, Any]]]] = {
    Text: _write_text,
    Image: _write_image,
    File: _write_file,
    Audio: _refuse_audio,
    Thinking: _write_thinking,
    ToolCall: _write_tool_call,
    ToolResult: _write_tool_result,
    Refusal: _write_refusal,
}
