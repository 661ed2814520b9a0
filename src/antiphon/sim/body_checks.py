"""What each provider rejects in the body of a request, beyond wrong types: calls and results, signatures, fields.

Sources: the guides on tool use and extended thinking of the Messages API, "Converse" of the Bedrock API, "Function
calling" and "Thought signatures" of the Gemini API, "Function calling" of the Responses API.
"""

import base64
import binascii
import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from antiphon.errors import BadRequest
from antiphon.sim.codec_answer import sign
from antiphon.wires.translation.neutral import File, Image, Message, Request, Thinking, ToolCall, ToolResult

Document = dict[str, Any]
Check = Callable[[Document, Request, str], None]

_TOOL_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
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
_FROM_URL_SAFE = str.maketrans("-_", "+/")
_FOREIGN_CALL_SIGNATURES = ("skip_thought_signature_validator", "context_engineering_is_the_way_to_go")
"""Signatures with which the Gemini API accepts calls of other models (guide "Thought signatures")."""


def check_body(operation: str, document: Document, request: Request, wire: str) -> None:
    """Raise :class:`BadRequest` for a body that the provider of this operation rejects."""
    for check in _CHECKS[operation]:
        check(document, request, wire)


def _list_calls(message: Message) -> list[str]:
    return [part.id for part in message.parts if isinstance(part, ToolCall)]


def _list_results(message: Message) -> list[str]:
    return [part.id for part in message.parts if isinstance(part, ToolResult)]


def _check_call_results(document: Document, request: Request, wire: str) -> None:
    """Each call must have its result in the next turn, and each result must have a call in the turn before."""
    calls: list[str] = []
    for number, message in enumerate(request.messages):
        if message.role == "system":
            continue
        results = _list_results(message)
        if missing := [name for name in calls if name not in results]:
            raise BadRequest(f"messages.{number}: calls without a result right after them: {', '.join(missing)}")
        if unknown := [name for name in results if name not in calls]:
            raise BadRequest(f"messages.{number}: results without a call right before them: {', '.join(unknown)}")
        calls = _list_calls(message)
    if calls:
        raise BadRequest(f"The conversation ends in calls without a result: {', '.join(calls)}")


def _check_thinking_signatures(document: Document, request: Request, wire: str) -> None:
    """Thinking in the history must be the simulator's own, with its own signature."""
    for number, message in enumerate(request.messages):
        for part in message.parts:
            if not isinstance(part, Thinking) or part.redacted:
                continue
            if part.wire != wire or ((part.signature or part.text) and part.signature != sign(part.text)):
                raise BadRequest(f"messages.{number}: Invalid `signature` in `thinking` block")


def _check_encrypted_reasoning(document: Document, request: Request, wire: str) -> None:
    """Encrypted reasoning in the history must be the simulator's own; reasoning without it is not checked."""
    for number, message in enumerate(request.messages):
        for part in message.parts:
            if isinstance(part, Thinking) and part.signature and part.signature != sign(part.text):
                raise BadRequest(f"input.{number}: the encrypted content could not be verified")


def _check_thought_signatures(document: Document, request: Request, wire: str) -> None:
    """A signature on a call or on thinking must be the simulator's own, or one that allows calls of other models."""
    for number, message in enumerate(request.messages):
        for part in message.parts:
            if not isinstance(part, (ToolCall, Thinking)):
                continue
            if not part.signature or part.signature in _FOREIGN_CALL_SIGNATURES:
                continue
            text = part.name if isinstance(part, ToolCall) else part.text
            # The official clients send the base64 of bytes in its URL-safe alphabet.
            if part.signature.translate(_FROM_URL_SAFE) != sign(text):
                raise BadRequest(f"contents[{number}]: Thought signature is not valid")


def _check_roles_alternate(document: Document, request: Request, wire: str) -> None:
    roles = [message.get("role") for message in document.get("messages") or ()]
    if roles and roles[0] != "user":
        raise BadRequest("A conversation must start with a user message.")
    if any(role == next_role for role, next_role in pairwise(roles)):
        raise BadRequest("The roles of a conversation must alternate between user and assistant.")


def _check_tool_config(document: Document, request: Request, wire: str) -> None:
    uses_tools = any(_list_calls(message) or _list_results(message) for message in request.messages)
    if uses_tools and not (document.get("toolConfig") or {}).get("tools"):
        raise BadRequest("The toolConfig field must be defined when using toolUse and toolResult content blocks.")


def _check_no_blank_text(document: Document, request: Request, wire: str) -> None:
    for number, message in enumerate(document.get("messages") or ()):
        if any(not block.get("text", "x").strip() for block in message["content"]):
            raise BadRequest(f"messages.{number}: The text field in the ContentBlock object is blank.")
        if not message["content"]:
            raise BadRequest(f"messages.{number}: The content field is empty.")


def _check_no_empty_text(document: Document, request: Request, wire: str) -> None:
    for number, message in enumerate(document["messages"]):
        blocks = message["content"] if isinstance(message["content"], list) else [{"text": message["content"]}]
        if any(block.get("text", "x") == "" for block in blocks):
            raise BadRequest(f"messages.{number}: text content blocks must be non-empty")


def _check_media(document: Document, request: Request, wire: str) -> None:
    for message in request.messages:
        for part in message.parts:
            for item in part.parts if isinstance(part, ToolResult) else (part,):
                if isinstance(item, (Image, File)) and item.data:
                    _check_base64(item.data)


def _check_base64(data: str) -> None:
    try:
        base64.b64decode(data, validate=True)
    except binascii.Error:
        raise BadRequest("Could not decode media: its data is not base64.") from None


def _check_tool_names(document: Document, request: Request, wire: str) -> None:
    names = [tool.name for tool in request.tools if tool.builtin is None]
    if wrong := [name for name in names if not _TOOL_NAME.fullmatch(name)]:
        raise BadRequest(f"Tool names must match {_TOOL_NAME.pattern}: {wrong[0]!r}")
    if len(set(names)) < len(names):
        raise BadRequest("Tool names must be unique.")


def _make_field_check(known: frozenset[str]) -> Check:
    def check_fields(document: Document, request: Request, wire: str) -> None:
        if unknown := [name for name in document if name not in known]:
            raise BadRequest(f"{unknown[0]}: Extra inputs are not permitted", param=unknown[0])

    return check_fields


def _check_max_tokens(document: Document, request: Request, wire: str) -> None:
    if document["max_tokens"] < 1:
        raise BadRequest("max_tokens: must be greater than or equal to 1", param="max_tokens")


_COMMON: tuple[Check, ...] = (_check_tool_names, _check_media)
_CHECKS: dict[str, tuple[Check, ...]] = {
    "messages": (
        _make_field_check(_MESSAGES_FIELDS),
        _check_max_tokens,
        _check_no_empty_text,
        _check_call_results,
        _check_thinking_signatures,
        *_COMMON,
    ),
    "responses": (_check_call_results, _check_encrypted_reasoning, *_COMMON),
    "generate": (_make_field_check(_GENERATE_FIELDS), _check_call_results, _check_thought_signatures, *_COMMON),
    "converse": (
        _check_roles_alternate,
        _check_no_blank_text,
        _check_tool_config,
        _check_call_results,
        _check_thinking_signatures,
        *_COMMON,
    ),
}
