"""Messages and parts of the neutral form as Converse has them.

Converse wants roles that alternate and content that is not empty: messages of one role in a row become one, and blank
texts are left out. Results of tools come first in theirs. Reasoning is sent only to models that can check its
signature. System messages in the middle of a conversation keep their place where the model knows such, and join the
system prompt elsewhere.
"""

import hashlib
import re
from collections.abc import Callable, Iterable
from typing import Any

from antiphon.errors import BadRequest
from antiphon.wires.bedrock import citations, media
from antiphon.wires.bedrock.draft import Draft
from antiphon.wires.bedrock.jsontext import raw_object
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
_TTLS = ("5m", "1h")


class Turns:
    """Gathers messages; raises :class:`~antiphon.errors.BadRequest` for a part that Converse cannot have."""

    __slots__ = ("_draft", "_names", "messages", "system")

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._names: set[str] = set()  # of documents, which must differ all over a request
        self.messages: list[dict[str, Any]] = []
        self.system: list[Block] = []

    def add(self, message: Message, where: str) -> None:
        """Take one message."""
        if message.name:
            self._draft.drop("name")
        blocks = self._blocks(message.parts, where)
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
            blocks = _results_first(blocks)
        self.messages.append({"role": role, "content": blocks})

    def _blocks(self, parts: Iterable[Part], where: str) -> list[Block]:
        blocks: list[Block] = []
        for at, part in enumerate(parts):
            made = _WRITERS[type(part)](self, part, f"{where}[{at}]")
            if made is None:
                continue
            blocks.append(made)
            if (mark := getattr(part, "cache", None)) is not None:
                blocks.append(cache_point(mark))
        return blocks

    def text(self, part: Text, where: str) -> Block | None:
        return cited(part) if part.text.strip() else None

    def refusal(self, part: Refusal, where: str) -> Block | None:
        return {"text": part.text} if part.text.strip() else None

    def image(self, part: Image, where: str) -> Block:
        if part.detail not in ("", "auto"):
            self._draft.drop("detail")
        return media.image(part, where)

    def file(self, part: File, where: str) -> Block:
        return media.file(part, where, self._names)

    def sound(self, part: Audio, where: str) -> Block:
        return media.sound(part, where)

    def thinking(self, part: Thinking, where: str) -> Block | None:
        if part.redacted:
            return {"reasoningContent": {"redactedContent": part.redacted}} if part.wire == WIRE else None
        if part.wire != WIRE and not (part.signature and part.wire in self._draft.profile.signature_wires):
            return None
        # A block may come with a signature alone; it must go back with its text, which is then empty.
        return thought(part.text, part.signature) if part.text or part.signature else None

    def tool_call(self, part: ToolCall, where: str) -> Block:
        return {"toolUse": {"toolUseId": tool_id(part.id), "name": part.name, "input": raw_object(part.arguments)}}

    def tool_result(self, part: ToolResult, where: str) -> Block:
        if any(isinstance(item, Audio) for item in part.parts):
            raise BadRequest(f"`{where}` is a tool's result with sound, which this target does not take.", param=where)
        # A result without content is refused, and so is a blank text.
        content = [block for block in self._blocks(part.parts, f"{where}.content") if "cachePoint" not in block]
        result: Block = {"toolUseId": tool_id(part.id), "content": content or [{"json": {}}]}
        if part.error:
            result["status"] = "error"
        return {"toolResult": result}


_WRITERS: dict[type, Callable[[Turns, Any, str], Block | None]] = {
    Text: Turns.text,
    Refusal: Turns.refusal,
    Image: Turns.image,
    File: Turns.file,
    Audio: Turns.sound,
    Thinking: Turns.thinking,
    ToolCall: Turns.tool_call,
    ToolResult: Turns.tool_result,
}


def _results_first(blocks: list[Block]) -> list[Block]:
    """Return blocks with the results of tools first; a cache point stays behind the block it stands behind."""
    results: list[Block] = []
    others: list[Block] = []
    place = others
    for block in blocks:
        if "cachePoint" not in block:
            place = results if "toolResult" in block else others
        place.append(block)
    return results + others


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
