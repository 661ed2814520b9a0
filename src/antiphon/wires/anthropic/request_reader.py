"""Reads a caller's request: a decoded body to the neutral form."""

from typing import Any, cast

import msgspec

from antiphon.errors import BadRequest, NotFound
from antiphon.wires.anthropic import types
from antiphon.wires.anthropic.content_reader import read_messages, read_text_block
from antiphon.wires.anthropic.types import WIRE
from antiphon.wires.checks import make_bad_request_from
from antiphon.wires.translation.neutral import Format, Reasoning, Request, Text, Tool, ToolChoice

_MODES = {"auto": "auto", "any": "required", "tool": "tool", "none": "none"}
_TIERS = {"standard_only": "default"}
_EFFORTS = {"max": "xhigh"}
_MEMBERS = {
    "metadata": ("user_id",),
    "output_config": ("effort", "format"),
    "thinking": ("type", "budget_tokens", "display"),
    "tool_choice": ("type", "name", "disable_parallel_tool_use"),
}
"""Objects of a request and the members that are read; all other members are reported under their path."""
_TOOL_EXTRAS = ("input_examples", "allowed_callers", "eager_input_streaming", "defer_loading")
"""Members of a tool that only this wire has; they are reported under their path."""


def read_request(document: dict[str, Any], model: str, stream: bool) -> Request:
    """See :meth:`translation.codec.Codec.read_request`.

    Also raises :class:`~antiphon.errors.NotFound`, for a message thread, which no other wire holds.
    """
    try:
        raw = msgspec.convert(document, types.Request)
    except msgspec.ValidationError as error:
        raise make_bad_request_from(str(error)) from None
    _refuse_thread(raw.thread)
    if document.get("compaction"):
        raise BadRequest(
            "A compaction request has no counterpart at the provider of this model. Leave `compaction` out, or call a "
            "model of a provider that speaks the Messages API.",
            param="compaction",
        )
    choice = raw.tool_choice
    return Request(
        model=model,
        messages=read_messages(raw.messages),
        system=_read_system(raw.system),
        tools=_read_tools(raw),
        tool_choice=_read_tool_choice(choice),
        parallel_tool_calls=None
        if choice is None or choice.disable_parallel_tool_use is None
        else not choice.disable_parallel_tool_use,
        format=_read_format(raw),
        max_tokens=raw.max_tokens,
        temperature=raw.temperature,
        top_p=raw.top_p,
        top_k=raw.top_k,
        stop=tuple(raw.stop_sequences or ()),
        reasoning=_read_reasoning(raw),
        user=(raw.metadata.user_id or "") if raw.metadata else "",
        service_tier=_TIERS.get(raw.service_tier or "", raw.service_tier or ""),
        stream=stream,
        extras=_read_extras(document, raw),
    )


def _refuse_thread(thread: dict[str, Any] | None) -> None:
    """Answer a message thread as the API does if it has none (guide "Message threads", "Errors").

    Clients know both errors: they continue without a thread, or replay the conversation.
    """
    if thread is None:
        return
    if thread.get("type") == "continue":
        raise NotFound(
            f"No usable thread state was found for `previous_message_id` {thread.get('previous_message_id')!r}: the "
            "model is served by a provider that holds no threads. Send the full conversation without `thread`.",
            code="thread_not_found",
            param="thread.previous_message_id",
        )
    raise BadRequest(
        "The model is served by a provider that holds no threads. Send the full conversation without `thread`.",
        code="thread_unsupported_request",
        param="thread",
    )


def _read_system(system: str | list[types.TextBlock] | None) -> tuple[Text, ...]:
    if not system:
        return ()
    if type(system) is str:
        return (Text(system),)
    return tuple(read_text_block(block) for block in cast(list[types.TextBlock], system))


def _read_tools(raw: types.Request) -> tuple[Tool, ...]:
    servers = (Tool(str(server.get("name", "")), builtin=server, wire=WIRE) for server in raw.mcp_servers or ())
    return (*(_read_tool(tool, index) for index, tool in enumerate(raw.tools or ())), *servers)


def _read_tool(tool: dict[str, Any], index: int) -> Tool:
    if tool.get("type") not in (None, "custom"):
        return Tool(str(tool.get("name", tool["type"])), builtin=tool, wire=WIRE)
    try:
        custom = msgspec.convert(tool, types.CustomTool)
    except msgspec.ValidationError as error:
        raise make_bad_request_from(str(error), f"tools[{index}]") from None
    return Tool(custom.name, custom.description, custom.input_schema, custom.strict, custom.cache_control)


def _read_tool_choice(choice: types.ToolChoice | None) -> ToolChoice | None:
    if choice is None:
        return None
    if choice.type == "tool" and not choice.name:
        raise BadRequest("`tool_choice.name` is missing; `tool` needs the name of one.", param="tool_choice.name")
    return ToolChoice(cast(Any, _MODES[choice.type]), (choice.name,) if choice.type == "tool" else ())


def _read_format(raw: types.Request) -> Format | None:
    format = raw.output_config.format if raw.output_config else None
    format = format or raw.output_format
    return Format("schema", format.schema, strict=True) if format else None


def _read_reasoning(raw: types.Request) -> Reasoning | None:
    effort = raw.output_config.effort if raw.output_config else None
    effort = _EFFORTS.get(effort or "", effort or "")
    match raw.thinking:
        case types.Disabled():
            return Reasoning(effort="none")
        case types.BetweenTools():
            return Reasoning(effort=effort or "minimal")
        case types.Adaptive(display=display):
            return Reasoning(effort=effort, adaptive=True, summary=_read_summary(display))
        case types.Enabled(budget_tokens=budget, display=display):
            return Reasoning(effort=effort, budget=budget, summary=_read_summary(display))
    return Reasoning(effort=effort) if effort else None


def _read_summary(display: str | None) -> str:
    return "auto" if display == "summarized" else ""


def _read_extras(document: dict[str, Any], raw: types.Request) -> dict[str, Any]:
    extras = {name: value for name, value in document.items() if name not in types.READ_FIELDS and value is not None}
    for field, read_members in _MEMBERS.items():
        members = document.get(field) or {}
        extras |= {
            f"{field}.{name}": value
            for name, value in members.items()
            if name not in read_members and value is not None
        }
    for tool in raw.tools or ():
        for name in _TOOL_EXTRAS:
            if tool.get("type") in (None, "custom") and tool.get(name):
                extras[f"tools.{name}"] = tool[name]
    return extras
