"""Writes the tools of a request and the choice among them."""

from typing import Any

from antiphon.errors import BadRequest
from antiphon.types import Profile
from antiphon.wires.anthropic.content_writer import Dropped, check_tool_name
from antiphon.wires.anthropic.types import WIRE
from antiphon.wires.translation.json_schema import fit_schema
from antiphon.wires.translation.neutral import Message, Request, Tool, ToolCall

_NO_ARGUMENTS: dict[str, Any] = {"type": "object", "properties": {}}
_NOT_AT_TOP = ("anyOf", "oneOf", "allOf")
_MODES = {"auto": "auto", "none": "none", "required": "any", "tool": "tool"}


def write_tools(request: Request, profile: Profile, dropped: Dropped) -> dict[str, Any]:
    """Return the members ``tools``, ``mcp_servers`` and ``tool_choice``, as far as they are needed."""
    choice = request.tool_choice
    # A choice among several named tools is the same as having only those.
    allowed = choice.names if choice is not None and choice.mode in ("auto", "required") else ()
    tools: list[dict[str, Any]] = []
    servers: list[dict[str, Any]] = []
    for index, tool in enumerate(request.tools):
        path = f"tools[{index}]"
        if tool.builtin is not None:
            definition = _write_builtin(tool, path)
            (servers if definition.get("type") == "url" else tools).append(definition)
        elif not allowed or tool.name in allowed:
            tools.append(_write_tool(tool, path, profile, dropped))
    members: dict[str, Any] = {"mcp_servers": servers} if servers else {}
    if tools:
        return {**members, "tools": tools, **_write_choice(request)}
    if choice is not None and choice.mode in ("required", "tool"):
        raise BadRequest("`tool_choice` wants a call of a tool, and the request has none.", param="tool_choice")
    return {**members, **_write_past_tools(request.messages)}


def _write_builtin(tool: Tool, path: str) -> dict[str, Any]:
    if tool.wire != WIRE:
        raise BadRequest(
            f"`{path}` is a built-in tool of another provider, which the provider of this model does not have. Leave "
            "it out, or give a function in its place.",
            param=path,
        )
    return dict(tool.builtin or {})


def _write_tool(tool: Tool, path: str, profile: Profile, dropped: Dropped) -> dict[str, Any]:
    check_tool_name(tool.name, path)
    schema = _write_schema(tool, path)
    definition: dict[str, Any] = {"name": tool.name}
    if tool.description:
        definition["description"] = tool.description
    if tool.strict:
        supported = fit_schema(schema) if profile.structured else None
        if supported is None or supported.unenforced:
            dropped["strict"] = None
        else:
            schema, definition["strict"] = supported.schema, True
    definition["input_schema"] = schema
    if tool.cache is not None:
        definition["cache_control"] = tool.cache
    return definition


def _write_schema(tool: Tool, path: str) -> dict[str, Any]:
    if not tool.schema:
        return _NO_ARGUMENTS
    for keyword in _NOT_AT_TOP:
        if keyword in tool.schema:
            field = f"{path}.parameters.{keyword}"
            raise BadRequest(
                f"`{field}`: the model's provider takes no `{keyword}` at the top of a tool's schema; give one object.",
                param=field,
            )
    kind = tool.schema.get("type", "object")
    if kind != "object":
        field = f"{path}.parameters.type"
        raise BadRequest(f"`{field}` is {kind!r}; a tool's arguments are one `object`.", param=field)
    return {"type": "object", **tool.schema}


def _write_choice(request: Request) -> dict[str, Any]:
    choice, is_single = request.tool_choice, request.parallel_tool_calls is False
    if choice is None and not is_single:
        return {}
    mode = _MODES[choice.mode] if choice is not None else "auto"
    tool_choice: dict[str, Any] = {"type": mode}
    if choice is not None and mode == "tool":
        tool_choice["name"] = choice.names[0]
    if request.parallel_tool_calls is not None and mode != "none":
        tool_choice["disable_parallel_tool_use"] = is_single
    return {"tool_choice": tool_choice}


def _write_past_tools(messages: tuple[Message, ...]) -> dict[str, Any]:
    """Return the tools that earlier turns called, not to be called again: the API requires their names."""
    names = {part.name: None for message in messages for part in message.parts if type(part) is ToolCall}
    if not names:
        return {}
    tools = [{"name": name, "input_schema": _NO_ARGUMENTS} for name in names]
    return {"tools": tools, "tool_choice": {"type": "none"}}
