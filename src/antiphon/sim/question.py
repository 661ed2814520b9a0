"""What the simulator must know about a request for generation, whichever wire it came on."""

from typing import Any

import msgspec

from antiphon.sim.openai_requests import MEDIA_TOKENS, MESSAGE_TOKENS, ChatRequest, InvalidRequest, list_stops
from antiphon.sim.text import count_tokens
from antiphon.wires.translation.neutral import Audio, File, Image, Part, Request, Text, ToolCall, ToolResult


class Question(msgspec.Struct, kw_only=True):
    """The facts of one request. ``tools`` maps the name of each function to the schema of its arguments.

    ``forced_tool`` names the function that must be called; ``""`` forces a call but leaves the choice, ``None`` forces
    no call. ``schema`` is the schema that the answer must satisfy; ``{}`` means any JSON object, ``None`` plain text.
    """

    model: str
    message: str
    after_tool: bool
    prompt_tokens: int
    tools: dict[str, Any] = {}
    forced_tool: str | None = None
    schema: Any = None
    stop: tuple[str, ...] = ()
    max_tokens: int | None = None
    n: int | None = None


def read_chat_request(request: ChatRequest) -> Question:
    """Return the question of a chat request; raises :class:`InvalidRequest`."""
    if not request.messages:
        raise InvalidRequest("'messages' must not be empty.", "messages")
    return Question(
        model=request.model,
        message=_find_last_user_message(request),
        after_tool=request.messages[-1].role == "tool",
        prompt_tokens=MESSAGE_TOKENS + sum([item.count_tokens() for item in request.messages]),
        tools={tool.function.name: tool.function.parameters for tool in request.tools or () if tool.function},
        forced_tool=_read_chat_tool_choice(request.tool_choice),
        schema=_read_chat_format(request),
        stop=list_stops(request.stop),
        max_tokens=request.max_tokens if request.max_completion_tokens is None else request.max_completion_tokens,
        n=request.n,
    )


def _find_last_user_message(request: ChatRequest) -> str:
    for message in reversed(request.messages):
        if message.role == "user":
            return message.get_text()
    return request.messages[-1].get_text()


def _read_chat_tool_choice(choice: Any) -> str | None:
    if choice in (None, "none", "auto"):
        return None
    if not isinstance(choice, dict):
        return ""
    function = choice.get("function")
    name = function.get("name") if isinstance(function, dict) else ""
    return name if isinstance(name, str) else "?"


def _read_chat_format(request: ChatRequest) -> Any:
    form = request.response_format
    if form is None or form.type == "text":
        return None
    if form.type == "json_object":
        return {}
    if form.type != "json_schema" or form.json_schema is None:
        problem = "'response_format' must be text, json_object or json_schema with its schema."
        raise InvalidRequest(problem, "response_format")
    return form.json_schema.schema or {}


def read_neutral_request(request: Request) -> Question:
    """Return the question of a request on any other generation wire."""
    choice, form = request.tool_choice, request.format
    forced = choice is not None and choice.mode in ("required", "tool")
    return Question(
        model=request.model,
        message=_find_last_user_text(request),
        after_tool=any(isinstance(part, ToolResult) for message in request.messages[-1:] for part in message.parts),
        prompt_tokens=count_prompt_tokens(request),
        tools={tool.name: tool.schema for tool in request.tools if tool.builtin is None},
        forced_tool=(choice.names[0] if choice.names else "") if forced and choice is not None else None,
        schema=None if form is None else form.schema or {},
        stop=request.stop,
        max_tokens=request.max_tokens,
        n=request.n,
    )


def _find_last_user_text(request: Request) -> str:
    for message in reversed(request.messages):
        if message.role == "user" and not all(isinstance(part, ToolResult) for part in message.parts):
            return _join_text(message.parts)
    return _join_text(request.messages[-1].parts if request.messages else request.system)


def _join_text(parts: tuple[Part, ...]) -> str:
    return "".join([part.text for part in parts if isinstance(part, Text)])


def count_prompt_tokens(request: Request) -> int:
    """Return the size of the messages and the system prompt in tokens."""
    size = MESSAGE_TOKENS
    size += sum(MESSAGE_TOKENS + sum(map(_count_part_tokens, message.parts)) for message in request.messages)
    return size + (MESSAGE_TOKENS + count_tokens(_join_text(request.system)) if request.system else 0)


def _count_part_tokens(part: Part) -> int:
    if isinstance(part, Text):
        return count_tokens(part.text)
    if isinstance(part, (Image, File, Audio)):
        return MEDIA_TOKENS
    if isinstance(part, ToolResult):
        return sum(map(_count_part_tokens, part.parts))
    if isinstance(part, ToolCall):
        return count_tokens(part.name) + count_tokens(part.arguments)
    return count_tokens(part.text)
