"""Writes the neutral form as a chat request (API reference, "Create chat completion").

A thinking budget becomes the nearest effort, because this wire has no budgets. If the caller's wire describes voice and
format of audio differently, Antiphon chooses them.
"""

from typing import Any

import msgspec

from antiphon.errors import BadRequest
from antiphon.types import Target
from antiphon.wires.openai.message_writer import add_signatures, write_messages
from antiphon.wires.openai.reply import WIRE
from antiphon.wires.translation.codec import WrittenRequest
from antiphon.wires.translation.dropped_annotations import list_dropped_annotations
from antiphon.wires.translation.neutral import Format, Reasoning, Request, Tool, ToolChoice
from antiphon.wires.translation.pseudonym import SHORT, pseudonymize

_EFFORTS = ((1024, "low"), (8192, "medium"))
"""The largest thinking budget in tokens for an effort; any larger budget is ``high``."""
_VOICE = "alloy"
_SAME_NAME = (
    "temperature",
    "top_p",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "logprobs",
    "top_logprobs",
    "metadata",
    "parallel_tool_calls",
)
"""Fields that have the same name and meaning in the neutral form."""


def write_request(request: Request, target: Target) -> WrittenRequest:
    """See :meth:`translation.codec.Codec.write_request`."""
    dropped: list[str] = list(request.extras)
    body: dict[str, Any] = {"model": target.model, "messages": write_messages(request)}
    if "thought_signatures" in target.quirks:
        add_signatures(body["messages"], request)
    body |= {name: value for name in _SAME_NAME if (value := getattr(request, name)) is not None}
    if request.max_tokens is not None:
        body["max_completion_tokens" if "max_completion_tokens" in target.quirks else "max_tokens"] = request.max_tokens
    if request.stop:
        body["stop"] = list(request.stop)
    if request.n > 1:
        body["n"] = request.n
    if request.tools:
        body["tools"] = [_write_tool(tool) for tool in request.tools]
    if request.tool_choice is not None:
        body["tool_choice"] = _write_tool_choice(request.tool_choice)
    if request.format is not None:
        body["response_format"] = _write_format(request.format)
    if request.reasoning is not None:
        if effort := _choose_effort(request.reasoning):
            body["reasoning_effort"] = effort
        elif request.reasoning.adaptive:  # this wire cannot let the model decide whether to think
            dropped.append("reasoning")
    if request.modalities:
        body["modalities"] = list(request.modalities)
        if "audio" in request.modalities:
            body["audio"] = {"voice": _VOICE, "format": "pcm16" if request.stream else "wav"}
    if request.user:
        body["user"] = pseudonymize(request.user, SHORT)
    if request.service_tier:
        body["service_tier"] = request.service_tier
    if request.stream:
        body["stream"] = True
        if "no_stream_usage" not in target.quirks:
            body["stream_options"] = {"include_usage": True}
    if request.top_k is not None:
        dropped.append("top_k")
    dropped += list_dropped_annotations(request)  # this wire caches by itself
    return WrittenRequest(msgspec.json.encode(body), tuple(dict.fromkeys(dropped)))


def _write_tool(tool: Tool) -> dict[str, Any]:
    if tool.builtin is not None:
        if tool.wire == WIRE:
            return tool.builtin
        raise BadRequest(f"The built-in tool {tool.name!r} exists only at its own provider.", param="tools")
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = tool.parameters
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def _write_tool_choice(choice: ToolChoice) -> Any:
    if choice.mode == "tool":
        return {"type": "function", "function": {"name": choice.names[0]}}
    if choice.names:
        tools = [{"type": "function", "function": {"name": name}} for name in choice.names]
        return {"type": "allowed_tools", "allowed_tools": {"mode": choice.mode, "tools": tools}}
    return choice.mode


def _write_format(format: Format) -> dict[str, Any]:
    if format.kind == "json":
        return {"type": "json_object"}
    schema: dict[str, Any] = {"name": format.name or "answer", "schema": format.schema or {}}
    if format.strict is not None:
        schema["strict"] = format.strict
    if format.description:
        schema["description"] = format.description
    return {"type": "json_schema", "json_schema": schema}


def _choose_effort(reasoning: Reasoning) -> str:
    if reasoning.effort or reasoning.budget is None:
        return reasoning.effort
    return next((effort for budget, effort in _EFFORTS if reasoning.budget <= budget), "high")
