"""Messages and parts of the neutral form as Converse has them.

Converse wants roles that alternate and content that is not empty: messages of one role in a row become one, and empty
texts are left out. Reasoning is sent only to models that can check its signature (see ``families``).
"""

import hashlib
import re
from collections.abc import Callable, Iterable
from typing import Any

from antiphon.errors import BadRequest
from antiphon.wires.bedrock import citations, media
from antiphon.wires.bedrock.families import Family
from antiphon.wires.bedrock.jsontext import raw_object
from antiphon.wires.neutral import Audio, File, Image, Message, Part, Refusal, Text, Thinking, ToolCall, ToolResult

Block = dict[str, Any]

_TOOL_ID = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")
_TTLS = ("5m", "1h")
WIRE = "bedrock"


class MessageWriter:
    """Writes the messages of one request; document names must differ all over it."""

    def __init__(self, family: Family) -> None:
        self._family = family
        self._names: set[str] = set()

    def messages(self, messages: Iterable[Message]) -> list[dict[str, Any]]:
        """Return Converse's messages; raises :class:`BadRequest` for a part the target cannot have."""
        written: list[dict[str, Any]] = []
        for at, message in enumerate(messages):
            blocks = self._blocks(message.parts, f"messages.{at}.content")
            if not blocks:
                continue
            if written and written[-1]["role"] == message.role:
                written[-1]["content"] += blocks
            else:
                written.append({"role": message.role, "content": blocks})
        return written

    def _blocks(self, parts: Iterable[Part], where: str) -> list[Block]:
        blocks: list[Block] = []
        for at, part in enumerate(parts):
            made = _WRITERS[type(part)](self, part, f"{where}.{at}")
            if made is None:
                continue
            blocks.append(made)
            if (mark := getattr(part, "cache", None)) is not None:
                blocks.append(cache_point(mark))
        return blocks

    def text(self, part: Text, where: str) -> Block | None:
        return cited(part) if part.text else None

    def refusal(self, part: Refusal, where: str) -> Block | None:
        return {"text": part.text} if part.text else None

    def image(self, part: Image, where: str) -> Block:
        return media.image(part, where)

    def file(self, part: File, where: str) -> Block:
        return media.file(part, where, self._names)

    def sound(self, part: Audio, where: str) -> Block:
        return media.sound(part, where)

    def thinking(self, part: Thinking, where: str) -> Block | None:
        if part.redacted:
            return {"reasoningContent": {"redactedContent": part.redacted}} if part.wire == WIRE else None
        if part.wire not in self._family.signed_by or not (part.signature or part.wire == WIRE):
            return None
        # A block may come with a signature alone; it must go back with its text, which is then empty.
        return thought(part.text, part.signature) if part.text or part.signature else None

    def tool_call(self, part: ToolCall, where: str) -> Block:
        tool_input = raw_object(part.arguments, where)
        return {"toolUse": {"toolUseId": tool_id(part.id), "name": part.name, "input": tool_input}}

    def tool_result(self, part: ToolResult, where: str) -> Block:
        # A result without content is refused, and so is an empty text.
        content = [block for block in self._blocks(part.parts, where) if "cachePoint" not in block] or [{"json": {}}]
        result: Block = {"toolUseId": tool_id(part.id), "content": content}
        if part.error:
            result["status"] = "error"
        return {"toolResult": result}


_WRITERS: dict[type, Callable[[MessageWriter, Any, str], Block | None]] = {
    Text: MessageWriter.text,
    Refusal: MessageWriter.refusal,
    Image: MessageWriter.image,
    File: MessageWriter.file,
    Audio: MessageWriter.sound,
    Thinking: MessageWriter.thinking,
    ToolCall: MessageWriter.tool_call,
    ToolResult: MessageWriter.tool_result,
}


def cited(part: Text) -> Block:
    """Return a text, with its citations where it has any."""
    if not part.citations:
        return {"text": part.text}
    content = [{"text": part.text}] if part.text else []
    return {"citationsContent": {"content": content, "citations": citations.write_all(part.citations)}}


def thought(text: str, signature: str) -> Block:
    """Return a block of reasoning."""
    block = {"text": text, "signature": signature} if signature else {"text": text}
    return {"reasoningContent": {"reasoningText": block}}


def cache_point(mark: dict[str, Any]) -> Block:
    """Return a cache point for a part's cache mark; a lifetime that Converse does not know is the default one."""
    point = {"type": "default"}
    if mark.get("ttl") in _TTLS:
        point["ttl"] = mark["ttl"]
    return {"cachePoint": point}


def tool_id(identifier: str) -> str:
    """Return a tool use id of the form Converse allows: the same one, or always the same digest of it."""
    if _TOOL_ID.fullmatch(identifier):
        return identifier
    return "tool_" + hashlib.sha256(identifier.encode("utf-8", "replace")).hexdigest()[:40]


def check_tool_name(name: str, where: str) -> str:
    """Return a tool's name; raises :class:`BadRequest` where Converse does not allow it."""
    if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name):
        raise BadRequest(
            f"The tool name {name!r} must be 1 to 64 letters, digits, `_` or `-` for this target.", param=where
        )
    return name
