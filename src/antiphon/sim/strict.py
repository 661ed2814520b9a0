"""What providers refuse in the body of a request, beyond wrong types: pairs of calls and results, signatures, fields.

Sources: the guides on tool use and extended thinking of the Messages API, "Converse" of the Bedrock API, "Function
calling" and "Thought signatures" of the Gemini API, "Function calling" of the Responses API.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

from antiphon.errors import BadRequest
from antiphon.sim.translated import sign
from antiphon.wires.translation.neutral import File, Image, Message, Request, Thinking, ToolCall, ToolResult

Document = dict[str, Any]

_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
_MESSAGES_FIELDS = frozenset((
    "model", "messages", "max_tokens", "system", "tools", "tool_choice", "stream", "stop_sequences", "temperature",
    "top_p", "top_k", "metadata", "thinking", "service_tier", "container", "context_management", "mcp_servers",
    "output_config", "output_format", "cache_control", "inference_geo", "thread", "fallbacks", "speed",
))  # fmt: skip
_GENERATE_FIELDS = frozenset((
    "contents", "systemInstruction", "system_instruction", "tools", "toolConfig", "tool_config", "safetySettings",
    "safety_settings", "generationConfig", "generation_config", "cachedContent", "cached_content", "model",
    "serviceTier", "service_tier", "store", "labels",
))  # fmt: skip
_LETTERS = str.maketrans("-_", "+/")
_UNSIGNED = ("skip_thought_signature_validator", "context_engineering_is_the_way_to_go")
"""Signatures by which the Gemini API lets calls of other models pass (guide "Thought signatures")."""


def check(operation: str, document: Document, request: Request, wire: str) -> None:
    """Raise :class:`BadRequest` for a body that the provider of this operation refuses."""
    for rule in _RULES[operation]:
        rule(document, request, wire)


def _turns(request: Request) -> Iterable[tuple[int, Message]]:
    return enumerate(request.messages)


def _calls(message: Message) -> list[str]:
    return [part.id for part in message.parts if isinstance(part, ToolCall)]


def _results(message: Message) -> list[str]:
    return [part.id for part in message.parts if isinstance(part, ToolResult)]


def _paired(document: Document, request: Request, wire: str) -> None:
    """Each call is answered in the next turn, and only calls are."""
    owed: list[str] = []
    for number, message in _turns(request):
        if message.role == "system":
            continue
        given = _results(message)
        if missing := [name for name in owed if name not in given]:
            raise BadRequest(f"messages.{number}: calls without a result right after them: {', '.join(missing)}")
        if strange := [name for name in given if name not in owed]:
            raise BadRequest(f"messages.{number}: results without a call right before them: {', '.join(strange)}")
        owed = _calls(message)
    if owed:
        raise BadRequest(f"The conversation ends in calls without a result: {', '.join(owed)}")


def _signed(document: Document, request: Request, wire: str) -> None:
    """Thinking that comes back is what the simulator said, with its own signature."""
    for number, message in _turns(request):
        for part in message.parts:
            if not isinstance(part, Thinking) or part.redacted:
                continue
            if part.wire != wire or ((part.signature or part.text) and part.signature != sign(part.text)):
                raise BadRequest(f"messages.{number}: Invalid `signature` in `thinking` block")


def _sealed(document: Document, request: Request, wire: str) -> None:
    """Reasoning that comes back encrypted is the simulator's own; without it, nothing is checked."""
    for number, message in _turns(request):
        for part in message.parts:
            if isinstance(part, Thinking) and part.signature and part.signature != sign(part.text):
                raise BadRequest(f"input.{number}: the encrypted content could not be verified")


def _call_signed(document: Document, request: Request, wire: str) -> None:
    """A signature is base64 and, on a call, the simulator's own or one of those that pass for other models' calls."""
    for number, message in _turns(request):
        for part in message.parts:
            proof = getattr(part, "signature", "")
            if not proof or proof in _UNSIGNED:
                continue
            what = part.name if isinstance(part, ToolCall) else getattr(part, "text", "")
            # The official clients return the base64 of bytes in its URL-safe letters.
            if isinstance(part, ToolCall | Thinking) and proof.translate(_LETTERS) != sign(what):
                raise BadRequest(f"contents[{number}]: Thought signature is not valid")


def _alternating(document: Document, request: Request, wire: str) -> None:
    roles = [message.get("role") for message in document.get("messages") or ()]
    if roles and roles[0] != "user":
        raise BadRequest("A conversation must start with a user message.")
    if any(one == other for one, other in pairwise(roles)):
        raise BadRequest("The roles of a conversation must alternate between user and assistant.")


def _tools_stated(document: Document, request: Request, wire: str) -> None:
    used = any(_calls(message) or _results(message) for message in request.messages)
    if used and not (document.get("toolConfig") or {}).get("tools"):
        raise BadRequest("The toolConfig field must be defined when using toolUse and toolResult content blocks.")


def _no_blank(document: Document, request: Request, wire: str) -> None:
    for number, message in enumerate(document.get("messages") or ()):
        if any(not block.get("text", "x").strip() for block in message["content"]):
            raise BadRequest(f"messages.{number}: The text field in the ContentBlock object is blank.")
        if not message["content"]:
            raise BadRequest(f"messages.{number}: The content field is empty.")


def _no_empty_text(document: Document, request: Request, wire: str) -> None:
    for number, message in enumerate(document["messages"]):
        blocks = message["content"] if isinstance(message["content"], list) else [{"text": message["content"]}]
        if any(block.get("text", "x") == "" for block in blocks):
            raise BadRequest(f"messages.{number}: text content blocks must be non-empty")


def _media(document: Document, request: Request, wire: str) -> None:
    for _, message in _turns(request):
        for part in message.parts:
            inner = part.parts if isinstance(part, ToolResult) else (part,)
            for each in inner:
                if isinstance(each, Image | File) and each.data:
                    _base64(each.data)


def _base64(data: str) -> None:
    try:
        base64.b64decode(data, validate=True)
    except binascii.Error:
        raise BadRequest("Could not decode media: its data is not base64.") from None


def _tools_named(document: Document, request: Request, wire: str) -> None:
    names = [tool.name for tool in request.tools if tool.builtin is None]
    if wrong := [name for name in names if not _NAME.fullmatch(name)]:
        raise BadRequest(f"Tool names must match {_NAME.pattern}: {wrong[0]!r}")
    if len(set(names)) < len(names):
        raise BadRequest("Tool names must be unique.")


def _only(known: frozenset[str]) -> Callable[[Document, Request, str], None]:
    def rule(document: Document, request: Request, wire: str) -> None:
        if strange := [name for name in document if name not in known]:
            raise BadRequest(f"{strange[0]}: Extra inputs are not permitted", param=strange[0])

    return rule


def _some_output(document: Document, request: Request, wire: str) -> None:
    if document["max_tokens"] < 1:
        raise BadRequest("max_tokens: must be greater than or equal to 1", param="max_tokens")


_COMMON = (_tools_named, _media)
_RULES: dict[str, tuple[Callable[[Document, Request, str], None], ...]] = {
    "messages": (_only(_MESSAGES_FIELDS), _some_output, _no_empty_text, _paired, _signed, *_COMMON),
    "responses": (_paired, _sealed, *_COMMON),
    "generate": (_only(_GENERATE_FIELDS), _paired, _call_signed, *_COMMON),
    "converse": (_alternating, _no_blank, _tools_stated, _paired, _signed, *_COMMON),
}
