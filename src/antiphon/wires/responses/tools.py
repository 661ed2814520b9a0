"""``tools`` and ``tool_choice`` in both directions (API reference, "Create a model response": tools, tool_choice).

A custom tool takes free text. Other wires have no such tools, so it is read as a function with one string, ``input``. A
grammar, which OpenAI would enforce, becomes a sentence in its description. Calls of it in the answer are written as
calls of a custom tool again.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from antiphon.errors import BadRequest
from antiphon.wires.checks import read_fields
from antiphon.wires.responses.encrypted_content import WIRE
from antiphon.wires.translation.neutral import Tool, ToolChoice

_FREE_TEXT: dict[str, Any] = {
    "type": "object",
    "properties": {"input": {"type": "string", "description": "The tool's whole input, as free text."}},
    "required": ["input"],
    "additionalProperties": False,
}
_MODES = {"auto": ToolChoice("auto"), "none": ToolChoice("none"), "required": ToolChoice("required")}


class _Function(msgspec.Struct):
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class _Grammar(msgspec.Struct):
    type: str = "text"
    syntax: str | None = None
    definition: str | None = None


class _Custom(msgspec.Struct):
    name: str
    description: str | None = None
    format: _Grammar | None = None


class _Builtin(msgspec.Struct):
    type: str
    name: str | None = None
    server_label: str | None = None


class _Allowed(msgspec.Struct):
    mode: str
    tools: list[_Builtin]


IMAGE_TOOL = "image_generation"
"""The tool with which models of this wire make images; models of other wires are asked by ``modalities``."""


def split_image_tool(tools: list[dict[str, Any]]) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """Return the options of the image tool, ``None`` if it is not among the tools, and the other tools."""
    images = next((tool for tool in tools if tool.get("type") == IMAGE_TOOL), None)
    if images is None:
        return None, tools
    options = {name: value for name, value in images.items() if name != "type"}
    return options, [tool for tool in tools if tool.get("type") != IMAGE_TOOL]


def is_image_choice(choice: str | dict[str, Any]) -> bool:
    """Say whether a ``tool_choice`` demands the image tool."""
    return isinstance(choice, dict) and choice.get("type") == IMAGE_TOOL


def read_tools(tools: list[dict[str, Any]]) -> tuple[Tool, ...]:
    """Return the tools; raises :class:`BadRequest`."""
    return tuple(_choose_reader(tool)(tool, f"tools[{index}]") for index, tool in enumerate(tools))


def _choose_reader(tool: dict[str, Any]) -> Callable[[dict[str, Any], str], Tool]:
    kind = tool.get("type")
    return _READERS.get(kind, _read_builtin) if isinstance(kind, str) else _read_builtin


def _read_function(tool: dict[str, Any], path: str) -> Tool:
    function = read_fields(tool, _Function, path)
    return Tool(function.name, function.description or "", function.parameters, function.strict)


def _read_custom(tool: dict[str, Any], path: str) -> Tool:
    custom = read_fields(tool, _Custom, path)
    description = custom.description or ""
    if custom.format is not None and custom.format.definition:
        rule = f"`input` must match this {custom.format.syntax or ''} grammar:\n{custom.format.definition}"
        description = f"{description}\n\n{rule}" if description else rule
    return Tool(custom.name, description, _FREE_TEXT)


def _read_builtin(tool: dict[str, Any], path: str) -> Tool:
    return Tool(_get_name(read_fields(tool, _Builtin, path)), builtin=tool, wire=WIRE)


_READERS = {"function": _read_function, "custom": _read_custom}


def _get_name(tool: _Builtin) -> str:
    return tool.name or tool.server_label or tool.type


def list_custom_names(tools: Any) -> frozenset[str]:
    """Return the names of the custom tools in a caller's ``tools``."""
    return frozenset(tool["name"] for tool in tools or () if tool.get("type") == "custom")


def read_choice(choice: str | dict[str, Any], tools: tuple[Tool, ...]) -> tuple[ToolChoice, tuple[Tool, ...]]:
    """Return the choice and the tools that it allows; raises :class:`BadRequest`.

    ``allowed_tools`` with ``auto`` removes the other tools, because no other wire can restrict an ``auto``.
    """
    if isinstance(choice, str):
        if choice not in _MODES:
            raise _make_error(f"{choice!r} is none of none, auto, required")
        return _MODES[choice], tools
    if choice.get("type") != "allowed_tools":
        return ToolChoice("tool", (_get_name(read_fields(choice, _Builtin, "tool_choice")),)), tools
    restriction = read_fields(choice, _Allowed, "tool_choice")
    names = tuple(_get_name(tool) for tool in restriction.tools)
    if restriction.mode == "required":
        return ToolChoice("required", names), tools
    if restriction.mode != "auto":
        raise _make_error(f"the mode {restriction.mode!r} is neither auto nor required")
    return _MODES["auto"], tuple(tool for tool in tools if tool.name in names)


def _make_error(problem: str) -> BadRequest:
    return BadRequest(f"`tool_choice` is invalid: {problem}.", param="tool_choice")


def write_tools(tools: tuple[Tool, ...]) -> list[dict[str, Any]]:
    """Return the ``tools``; raises :class:`BadRequest` for a built-in tool of another wire's provider."""
    return [_write_tool(tool) for tool in tools]


def _write_tool(tool: Tool) -> dict[str, Any]:
    if tool.builtin is not None:
        if tool.wire != WIRE:
            raise BadRequest(
                f"The built-in tool {tool.name!r} exists on the {tool.wire} wire only; choose a model there, or "
                "declare a function.",
                param="tools",
            )
        return tool.builtin
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description or None,
        "parameters": tool.parameters,
        # A tool without `strict` is strict on this wire, but not on the others.
        "strict": bool(tool.strict),
    }


def write_choice(choice: ToolChoice, tools: tuple[Tool, ...]) -> str | dict[str, Any]:
    """Return the ``tool_choice``."""
    builtins = {tool.name: tool.builtin for tool in tools if tool.builtin is not None}
    if choice.mode == "tool" and choice.names:
        return _write_choice_entry(choice.names[0], builtins)
    if choice.names:
        entries = [_write_choice_entry(name, builtins) for name in choice.names]
        return {"type": "allowed_tools", "mode": "required", "tools": entries}
    return "required" if choice.mode == "tool" else choice.mode


def _write_choice_entry(name: str, builtins: dict[str, dict[str, Any]]) -> dict[str, Any]:
    builtin = builtins.get(name)
    if builtin is None:
        return {"type": "function", "name": name}
    return {key: builtin[key] for key in ("type", "server_label") if key in builtin}
