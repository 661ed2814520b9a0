"""What the brain must know of a request for generation, whichever wire it came on."""

from typing import Any

import msgspec

from antiphon.sim import text
from antiphon.sim.requests import ChatRequest, Refused
from antiphon.wires.translation.neutral import Audio, File, Image, Part, Request, Text, ToolCall, ToolResult

_FRAME = 3
"""Tokens for the frame of a message, and of a conversation."""
_MEDIA = 85
"""Tokens for a part that is not text."""


class Asked(msgspec.Struct, kw_only=True):
    """The facts of one request. ``tools`` maps the name of each function to the schema of its arguments.

    ``must_call`` names the function that has to be called, ``""`` leaves the choice, ``None`` asks for no call.
    ``form`` is the schema that the answer must satisfy, ``{}`` for any JSON object. ``prompt`` counts the tokens that
    came in.
    """

    model: str
    message: str
    after_tool: bool
    prompt: int
    tools: dict[str, Any] = {}
    must_call: str | None = None
    form: Any = None
    stop: tuple[str, ...] = ()
    most: int | None = None
    copies: int | None = None
    stream: bool = False


def of_chat(request: ChatRequest) -> Asked:
    """Return what a chat request asks; raises :class:`Refused`."""
    if not request.messages:
        raise Refused("'messages' must not be empty.", "messages")
    stop = request.stop
    return Asked(
        model=request.model,
        message=_last_user_message(request),
        after_tool=request.messages[-1].role == "tool",
        prompt=_FRAME + sum([item.tokens() for item in request.messages]),
        tools={tool.function.name: tool.function.parameters for tool in request.tools or () if tool.function},
        must_call=_chat_choice(request.tool_choice),
        form=_chat_form(request),
        stop=(stop,) if isinstance(stop, str) else tuple(stop or ()),
        most=request.max_tokens if request.max_completion_tokens is None else request.max_completion_tokens,
        copies=request.n,
        stream=bool(request.stream),
    )


def _last_user_message(request: ChatRequest) -> str:
    for message in reversed(request.messages):
        if message.role == "user":
            return message.words()
    return request.messages[-1].words()


def _chat_choice(choice: Any) -> str | None:
    if choice in (None, "none", "auto"):
        return None
    if not isinstance(choice, dict):
        return ""
    named = choice.get("function")
    name = named.get("name") if isinstance(named, dict) else ""
    return name if isinstance(name, str) else "?"


def _chat_form(request: ChatRequest) -> Any:
    form = request.response_format
    if form is None or form.type == "text":
        return None
    if form.type == "json_object":
        return {}
    if form.type != "json_schema" or form.json_schema is None:
        raise Refused("'response_format' must be text, json_object or json_schema with its schema.", "response_format")
    return form.json_schema.schema or {}


def of_request(request: Request) -> Asked:
    """Return what a request of any other generation wire asks."""
    choice, form = request.tool_choice, request.format
    must = choice is not None and choice.mode in ("required", "tool")
    return Asked(
        model=request.model,
        message=_last_words(request),
        after_tool=any(isinstance(part, ToolResult) for message in request.messages[-1:] for part in message.parts),
        prompt=tokens(request),
        tools={tool.name: tool.schema for tool in request.tools if tool.builtin is None},
        must_call=(choice.names[0] if choice.names else "") if must and choice is not None else None,
        form=None if form is None else form.schema or {},
        stop=request.stop,
        most=request.max_tokens,
        copies=request.n,
        stream=request.stream,
    )


def _last_words(request: Request) -> str:
    for message in reversed(request.messages):
        if message.role == "user" and not all(isinstance(part, ToolResult) for part in message.parts):
            return words(message.parts)
    return words(request.messages[-1].parts if request.messages else request.system)


def words(parts: tuple[Part, ...]) -> str:
    """Return the text among parts, joined."""
    return "".join([part.text for part in parts if isinstance(part, Text)])


def tokens(request: Request) -> int:
    """Return the size of what came in, in tokens."""
    size = _FRAME + sum(_FRAME + sum(map(_part_tokens, message.parts)) for message in request.messages)
    return size + (_FRAME + text.count(words(request.system)) if request.system else 0)


def _part_tokens(part: Part) -> int:
    if isinstance(part, Text):
        return text.count(part.text)
    if isinstance(part, Image | File | Audio):
        return _MEDIA
    if isinstance(part, ToolResult):
        return sum(map(_part_tokens, part.parts))
    if isinstance(part, ToolCall):
        return text.count(part.name) + text.count(part.arguments)
    return text.count(part.text)
