"""Tools and the tool choice written for Converse (API reference, "ToolConfiguration").

Converse has no choice *none*. If the conversation has no tool calls, the tools are left out, which means the same.
Otherwise Converse requires the tools to be named: they stay (or are named from the calls), and the choice is dropped.
"""

import re
from typing import Any

from antiphon.errors import BadRequest
from antiphon.wires.bedrock.body_draft import BodyDraft
from antiphon.wires.bedrock.content_writer import WIRE, write_cache_point
from antiphon.wires.translation.json_schema import fit_schema
from antiphon.wires.translation.neutral import Request, Tool, ToolCall, ToolChoice

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_NO_ARGUMENTS = {"type": "object", "properties": {}}


def write_tools(draft: BodyDraft, request: Request) -> None:
    """Write ``toolConfig``; raises :class:`BadRequest` for a tool that Converse does not have."""
    choice = request.tool_choice
    tools = request.tools
    forbidden = not tools or (choice is not None and choice.mode == "none")
    if forbidden:
        call_names = {
            part.name: None for message in request.messages for part in message.parts if type(part) is ToolCall
        }
        if not call_names:
            return
        tools = tools or tuple(Tool(name) for name in call_names)
        draft.drop("tool_choice")
    elif choice is not None and choice.mode == "required" and choice.names:
        tools = tuple(tool for tool in tools if tool.name in choice.names)
    entries: list[dict[str, Any]] = []
    for index, tool in enumerate(tools):
        entries.append(_write_tool(draft, tool, f"tools[{index}]"))
        if tool.cache is not None:
            entries.append(write_cache_point(tool.cache))
    if not entries:
        return
    draft.body["toolConfig"] = {"tools": entries}
    if choice is not None and not forbidden:
        draft.body["toolConfig"]["toolChoice"] = _write_choice(choice)
    if request.parallel_tool_calls is False:
        draft.drop("parallel_tool_calls")


def _write_choice(choice: ToolChoice) -> dict[str, Any]:
    if choice.mode == "tool":
        return {"tool": {"name": choice.names[0]}}
    return {"auto": {}} if choice.mode == "auto" else {"any": {}}


def _write_tool(draft: BodyDraft, tool: Tool, path: str) -> dict[str, Any]:
    if tool.builtin is not None:
        if tool.wire != WIRE:
            raise BadRequest(
                f"`{path}` is a built-in tool of another provider, which the provider of this model does not have. "
                "Leave it out, or give a function in its place.",
                param=path,
            )
        return tool.builtin
    if not _NAME.fullmatch(tool.name):
        raise BadRequest(
            f"`{path}.name` is {tool.name!r}; the model's provider takes 1 to 64 letters, digits, `_` and `-`.",
            param=f"{path}.name",
        )
    spec: dict[str, Any] = {"name": tool.name}
    if tool.description:
        spec["description"] = tool.description
    schema = _write_schema(tool, path)
    if tool.strict:
        supported = fit_schema(schema) if draft.profile.structured else None
        if supported is None or supported.unenforced:
            draft.drop("strict")
        else:
            schema, spec["strict"] = supported.schema, True
    spec["inputSchema"] = {"json": schema}
    return {"toolSpec": spec}


def _write_schema(tool: Tool, path: str) -> dict[str, Any]:
    if not tool.schema:
        return _NO_ARGUMENTS
    kind = tool.schema.get("type", "object")
    if kind != "object":
        field = f"{path}.parameters.type"
        raise BadRequest(f"`{field}` is {kind!r}; a tool's arguments are one `object`.", param=field)
    return {"type": "object", **tool.schema}
