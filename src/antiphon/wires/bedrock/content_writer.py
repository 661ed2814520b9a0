"""Neutral messages and parts written for Converse.

Converse requires alternating roles and content that is not empty: consecutive messages of one role become one message,
blank texts are left out, and tool results come first in their message. Reasoning is sent only to models that accept its
signature. A system message in the middle of a conversation stays there if the model allows it, and
joins the system prompt otherwise.
"""

import hashlib
import re
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from antiphon.errors import BadRequest
from antiphon.wires.bedrock import media
from antiphon.wires.bedrock.body_draft import BodyDraft
from antiphon.wires.bedrock.citations import write_citation
from antiphon.wires.checks import DECODE_ERRORS
from antiphon.wires.json_text import encode_json
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

Block = dict[str, Any]

WIRE = "bedrock"
_TOOL_ID = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")
_CACHE_TTLS = ("5m", "1h")
_decode = msgspec.json.Decoder().decode


class ContentWriter:
    """Collects the messages of a request; raises :class:`BadRequest` for a part that Converse does not have."""

    __slots__ = ("_document_names", "_draft", "messages", "system")

    def __init__(self, draft: BodyDraft) -> None:
        self._draft = draft
        self._document_names: set[str] = set()  # which must be unique in a request
        self.messages: list[dict[str, Any]] = []
        self.system: list[Block] = []

    def add(self, message: Message, path: str) -> None:
        """Add one message."""
        if message.name:
            self._draft.drop("name")
        blocks = self._write_parts(message.parts, path)
        if message.role == "system":
            self._add_system(blocks)
        elif blocks:
            self._add_turn(message.role, blocks)

    def _add_system(self, blocks: list[Block]) -> None:
        last = self.messages[-1]["role"] if self.messages else ""
        if blocks and self._draft.profile.system_turns and last == "user":
            self.messages.append({"role": "system", "content": blocks})
        else:
            self.system += blocks

    def _add_turn(self, role: str, blocks: list[Block]) -> None:
        if self.messages and self.messages[-1]["role"] == role:
            blocks = self.messages.pop()["content"] + blocks
        if role == "user" and any("toolResult" in block for block in blocks):
            blocks = _put_results_first(blocks)
        self.messages.append({"role": role, "content": blocks})

    def _write_parts(self, parts: Iterable[Part], path: str) -> list[Block]:
        blocks: list[Block] = []
        for index, part in enumerate(parts):
            block = _WRITERS[type(part)](self, part, f"{path}[{index}]")
            if block is None:
                continue
            blocks.append(block)
            if (mark := getattr(part, "cache", None)) is not None:
                blocks.append(write_cache_point(mark))
        return blocks

    def write_text(self, part: Text, path: str) -> Block | None:
        return write_text_block(part) if part.text.strip() else None

    def write_refusal(self, part: Refusal, path: str) -> Block | None:
        return {"text": part.text} if part.text.strip() else None

    def write_image(self, part: Image, path: str) -> Block:
        if part.detail not in ("", "auto"):
            self._draft.drop("detail")
        return media.write_image(part, path)

    def write_file(self, part: File, path: str) -> Block:
        return media.write_file(part, path, self._document_names)

    def write_audio(self, part: Audio, path: str) -> Block:
        return media.write_audio(part, path)

    def write_thinking(self, part: Thinking, path: str) -> Block | None:
        if part.redacted:
            return {"reasoningContent": {"redactedContent": part.redacted}} if part.wire == WIRE else None
        if part.wire != WIRE and not (part.signature and part.wire in self._draft.profile.signature_wires):
            return None
        # A block may come with a signature only; it must go back with its text, which is then empty.
        return write_reasoning_block(part.text, part.signature) if part.text or part.signature else None

    def write_tool_call(self, part: ToolCall, path: str) -> Block:
        return write_tool_use_block(make_tool_id(part.id), part)

    def write_tool_result(self, part: ToolResult, path: str) -> Block:
        if any(isinstance(item, Audio) for item in part.parts):
            raise BadRequest(f"`{path}` is a tool's result with audio, which this target does not take.", param=path)
        blocks = self._write_parts(part.parts, f"{path}.content")
        content = [block for block in blocks if "cachePoint" not in block]
        # Converse refuses a result without content or with a blank text.
        result: Block = {"toolUseId": make_tool_id(part.id), "content": content or [{"json": {}}]}
        if part.error:
            result["status"] = "error"
        return {"toolResult": result}


_WRITERS: dict[type, Callable[[ContentWriter, Any, str], Block | None]] = {
    Text: ContentWriter.write_text,
    Refusal: ContentWriter.write_refusal,
    Image: ContentWriter.write_image,
    File: ContentWriter.write_file,
    Audio: ContentWriter.write_audio,
    Thinking: ContentWriter.write_thinking,
    ToolCall: ContentWriter.write_tool_call,
    ToolResult: ContentWriter.write_tool_result,
}


def _put_results_first(blocks: list[Block]) -> list[Block]:
    """Return blocks with the tool results first; a cache point stays behind its block."""
    results: list[Block] = []
    others: list[Block] = []
    group = others
    for block in blocks:
        if "cachePoint" not in block:
            group = results if "toolResult" in block else others
        group.append(block)
    return results + others


def write_text_block(part: Text) -> Block:
    """Return a text block, with the citations of the text."""
    if not part.citations:
        return {"text": part.text}
    content = [{"text": part.text}] if part.text else []
    return {"citationsContent": {"content": content, "citations": [*map(write_citation, part.citations)]}}


def write_reasoning_block(text: str, signature: str) -> Block:
    """Return a block of reasoning."""
    block = {"text": text, "signature": signature} if signature else {"text": text}
    return {"reasoningContent": {"reasoningText": block}}


def write_tool_use_block(identifier: str, call: ToolCall) -> Block:
    """Return a tool call under an id; its arguments, which are text elsewhere, are a JSON object here."""
    return {"toolUse": {"toolUseId": identifier, "name": call.name, "input": _write_arguments(call.arguments)}}


def _write_arguments(text: str) -> msgspec.Raw:
    """Return arguments as a JSON object, unchanged; ``{}`` for none.

    A model can write anything: text that is no object becomes the member ``arguments``, so that the call is not lost.
    """
    if not text.strip():
        return msgspec.Raw(b"{}")
    try:
        if type(_decode(text)) is dict:
            return msgspec.Raw(text.encode())
    except (*DECODE_ERRORS, ValueError):
        pass
    return msgspec.Raw(encode_json({"arguments": text}))


def write_cache_point(mark: dict[str, Any]) -> Block:
    """Return a cache point for a part's cache mark; a lifetime that Converse does not know becomes the default."""
    point = {"type": "default"}
    if mark.get("ttl") in _CACHE_TTLS:
        point["ttl"] = mark["ttl"]
    return {"cachePoint": point}


def make_tool_id(identifier: str) -> str:
    """Return an id in the form that Converse allows: the same id, or a digest of it that never changes."""
    if _TOOL_ID.fullmatch(identifier):
        return identifier
    return "tool_" + hashlib.sha256(identifier.encode("utf-8", "replace")).hexdigest()[:40]
