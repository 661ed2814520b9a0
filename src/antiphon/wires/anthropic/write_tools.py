"""Neutral tools and the choice among them, to a request."""

from typing import Any

from antiphon.errors import BadRequest
from antiphon.types import Profile
from antiphon.wires.anthropic.read_content import WIRE
from antiphon.wires.anthropic.write_content import Dropped, check_name
from antiphon.wires.claude.schema import fit
from antiphon.wires.translation.neutral import Message, Request, Tool, ToolCall

_NO_ARGUMENTS: dict[str, Any] = {"type": "object", "properties": {}}
_NOT_AT_TOP = ("anyOf", "oneOf", "allOf")
_MODES = {"auto": "auto", "none": "none", "required": "any", "tool": "tool"}


def write_tools(request: Request, profile: Profile, dropped: Dropped) -> dict[str, Any]:
    """Return the members ``tools``, ``mcp_servers`` and ``tool_choice``, those that are needed."""
    choice = request.tool_choice
    # A choice that names several tools is the same as having only those.
    only = choice.names if choice is not None and choice.mode in ("auto", "required") else ()
    tools: list[dict[str, Any]] = []
    servers: list[dict[str, Any]] = []
    for place, tool in enumerate(request.tools):
        if tool.builtin is not None:
            _builtin(tool, f"tools[{place}]", tools, servers)
        elif not only or tool.name in only:
            tools.append(_tool(tool, f"tools[{place}]", profile, dropped))
    members: dict[str, Any] = {"mcp_servers": servers} if servers else {}
    if tools:
        return {**members, "tools": tools, **_choice(request)}
    if choice is not None and choice.mode in ("required", "tool"):
        raise BadRequest("`tool_choice` wants a call of a tool, and the request has none.", param="tool_choice")
    return {**members, **_of_the_past(request.messages)}


def _builtin(tool: Tool, path: str, tools: list[dict[str, Any]], servers: list[dict[str, Any]]) -> None:
    if tool.wire != WIRE:
        raise BadRequest(
            f"`{path}` is a built-in tool of another provider, which the provider of this model does not have. Leave "
            "it out, or give a function in its place.",
            param=path,
        )
    known = dict(tool.builtin or {})
    (servers if known.get("type") == "url" else tools).append(known)


def _tool(tool: Tool, path: str, profile: Profile, dropped: Dropped) -> dict[str, Any]:
    check_name(tool.name, path)
    schema = _schema(tool, path)
    written: dict[str, Any] = {"name": tool.name}
    if tool.description:
        written["description"] = tool.description
    if tool.strict:
        fitted = fit(schema) if profile.structured else None
        if fitted is None or fitted.told:
            dropped["strict"] = None
        else:
            schema, written["strict"] = fitted.schema, True
    written["input_schema"] = schema
    if tool.cache is not None:
        written["cache_control"] = tool.cache
    return written


def _schema(tool: Tool, path: str) -> dict[str, Any]:
    if not tool.schema:
        return _NO_ARGUMENTS
    for keyword in _NOT_AT_TOP:
        if keyword in tool.schema:
            where = f"{path}.parameters.{keyword}"
            raise BadRequest(
                f"`{where}`: the model's provider takes no `{keyword}` at the top of a tool's schema; give one object.",
                param=where,
            )
    kind = tool.schema.get("type", "object")
    if kind != "object":
        where = f"{path}.parameters.type"
        raise BadRequest(f"`{where}` is {kind!r}; a tool's arguments are one `object`.", param=where)
    return {"type": "object", **tool.schema}


def _choice(request: Request) -> dict[str, Any]:
    choice, single = request.tool_choice, request.parallel_tool_calls is False
    if choice is None and not single:
        return {}
    mode = _MODES[choice.mode] if choice is not None else "auto"
    written: dict[str, Any] = {"type": mode}
    if choice is not None and mode == "tool":
        written["name"] = choice.names[0]
    if request.parallel_tool_calls is not None and mode != "none":
        written["disable_parallel_tool_use"] = single
    return {"tool_choice": written}


def _of_the_past(messages: tuple[Message, ...]) -> dict[str, Any]:
    """Return tools that earlier turns called, not to be called again: a conversation with calls has to name them."""
    called = {part.name: None for message in messages for part in message.parts if type(part) is ToolCall}
    if not called:
        return {}
    tools = [{"name": name, "input_schema": _NO_ARGUMENTS} for name in called]
    return {"tools": tools, "tool_choice": {"type": "none"}}
