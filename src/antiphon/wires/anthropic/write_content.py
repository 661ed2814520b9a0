"""A neutral conversation, to the messages of a request."""

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
from antiphon.wires.anthropic.read_content import WIRE
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
"""Names of what was left out, each once, in order."""

_IMAGES = frozenset(("image/jpeg", "image/png", "image/gif", "image/webp"))
_PDF = "application/pdf"
_TOOL_ID = re.compile(r"[a-zA-Z0-9_-]{1,256}")
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_DATA_URL = re.compile(r"data:([^;,]*)(?:;[^;,]*)*;base64,", re.IGNORECASE)


class Turns:
    """Gathers messages: neighbours of one role become one, results of tools come first in theirs."""

    __slots__ = ("_profile", "dropped", "messages", "system")

    def __init__(self, profile: Profile, system: tuple[Text, ...], dropped: Dropped) -> None:
        self._profile = profile
        self.dropped = dropped
        self.messages: list[dict[str, Any]] = []
        self.system = [block for text in system for block in _text(text, "", dropped)]

    def add(self, message: Message, path: str) -> None:
        """Take one message; raises :class:`BadRequest` for a part that this wire cannot carry."""
        if message.name:
            self.dropped["name"] = None
        blocks = [
            block
            for place, part in enumerate(message.parts)
            for block in block_of(part, f"{path}[{place}]", self.dropped)
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
            # The API wants the results of a turn's tool calls before anything else (guide "Handle tool calls").
            blocks.sort(key=lambda block: block["type"] != "tool_result")
        self.messages.append({"role": role, "content": blocks})


def block_of(part: Part, path: str, dropped: Dropped) -> list[dict[str, Any]]:
    """Return the blocks of one part: one, or none for what need not be sent."""
    return _WRITERS[type(part)](part, path, dropped)


def _with(block: dict[str, Any], cache: dict[str, Any] | None) -> dict[str, Any]:
    if cache is not None:
        block["cache_control"] = cache
    return block


def _text(part: Text, path: str, dropped: Dropped) -> list[dict[str, Any]]:
    if not part.text.strip():  # the API refuses blank text
        return []
    block = _with({"type": "text", "text": part.text}, part.cache)
    if cited := citations.own(part):
        block["citations"] = cited
    if len(cited) < len(part.citations):
        dropped["citations"] = None
    return [block]


def _image(part: Image, path: str, dropped: Dropped) -> list[dict[str, Any]]:
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
    return [_with({"type": "image", "source": source}, part.cache)]


def _file(part: File, path: str, dropped: Dropped) -> list[dict[str, Any]]:
    block: dict[str, Any] = {"type": "document", "source": _source(part, path)}
    if part.name:
        block["title"] = part.name
    if part.cite:
        block["citations"] = {"enabled": True}
    return [_with(block, part.cache)]


def _source(part: File, path: str) -> dict[str, Any]:
    if part.text:
        return {"type": "text", "media_type": "text/plain", "data": part.text}
    data, media_type = part.data, part.media_type.lower()
    if inline := _DATA_URL.match(data or part.url):
        data, media_type = (data or part.url)[inline.end() :], inline[1].lower()
    if data:
        if media_type in (_PDF, ""):
            return {"type": "base64", "media_type": _PDF, "data": data}
        if media_type.startswith("text/") or media_type == "application/json":
            return {"type": "text", "media_type": "text/plain", "data": _decoded(data, path)}
        raise BadRequest(f"`{path}` is a file of type {media_type!r}; the model takes PDF and plain text.", param=path)
    if part.url:
        return {"type": "url", "url": part.url}
    if part.file_id:
        return {"type": "file", "file_id": part.file_id}
    raise BadRequest(f"`{path}` is a file without content.", param=path)


def _decoded(data: str, path: str) -> str:
    try:
        return base64.b64decode("".join(data.split()), validate=True).decode()
    except (binascii.Error, ValueError):
        raise BadRequest(f"`{path}` is a text file whose data is not UTF-8 in base64.", param=path) from None


def _audio(part: Audio, path: str, dropped: Dropped) -> list[dict[str, Any]]:
    raise BadRequest(f"`{path}` is audio, which the model's provider does not take; send its transcript.", param=path)


def _thinking(part: Thinking, path: str, dropped: Dropped) -> list[dict[str, Any]]:
    if part.wire != WIRE:  # nobody here can prove it, and it is no answer
        return []
    if part.redacted:
        return [{"type": "redacted_thinking", "data": part.redacted}]
    return [{"type": "thinking", "thinking": part.text, "signature": part.signature}] if part.signature else []


def _tool_call(part: ToolCall, path: str, dropped: Dropped) -> list[dict[str, Any]]:
    check_name(part.name, path)
    block = {"type": "tool_use", "id": tool_id(part.id), "name": part.name, "input": input_of(part.arguments)}
    return [_with(block, part.cache)]


def check_name(name: str, path: str) -> None:
    """Raise where a tool's name has characters that this wire does not take."""
    if not _TOOL_NAME.fullmatch(name):
        raise BadRequest(
            f"`{path}.name` is {name!r}; the model's provider takes 1 to 128 letters, digits, `_` and `-`.",
            param=f"{path}.name",
        )


def tool_id(known: str) -> str:
    """Return a tool call's id in the characters this wire takes; a call and its result get the same."""
    if _TOOL_ID.fullmatch(known):
        return known
    return "toolu_" + hashlib.sha256(known.encode()).hexdigest()[:24]


def input_of(arguments: str) -> msgspec.Raw:
    """Return a tool call's arguments as an object, as they came.

    What is no object (a model can write anything) stands under ``arguments``, so that the call is not lost.
    """
    if not arguments.strip():
        return msgspec.Raw(b"{}")
    try:
        if type(msgspec.json.decode(arguments)) is dict:
            return msgspec.Raw(arguments.encode())
    except (msgspec.DecodeError, RecursionError):
        pass
    return msgspec.Raw(msgspec.json.encode({"arguments": arguments}))


def _tool_result(part: ToolResult, path: str, dropped: Dropped) -> list[dict[str, Any]]:
    block: dict[str, Any] = {"type": "tool_result", "tool_use_id": tool_id(part.id)}
    inner = [block for item in part.parts for block in block_of(item, f"{path}.content", dropped)]
    if len(inner) == 1 and inner[0].keys() == {"type", "text"}:
        block["content"] = inner[0]["text"]
    elif inner:
        block["content"] = inner
    if part.error:
        block["is_error"] = True
    return [_with(block, part.cache)]


def _refusal(part: Refusal, path: str, dropped: Dropped) -> list[dict[str, Any]]:
    return _text(Text(part.text), path, dropped)


_WRITERS: dict[type[Any], Callable[[Any, str, Dropped], list[dict[str, Any]]]] = {
    Text: _text,
    Image: _image,
    File: _file,
    Audio: _audio,
    Thinking: _thinking,
    ToolCall: _tool_call,
    ToolResult: _tool_result,
    Refusal: _refusal,
}
