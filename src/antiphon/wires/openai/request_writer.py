"""The neutral form into an OpenAI chat request, for a target that speaks this wire.

Rules for what the wire lacks: reasoning of other wires stays behind (it means nothing here); a budget of thinking
becomes the nearest effort; an error of a tool is told in its text; images a tool gave, and those an earlier answer
held, follow in the user's next words; sound is asked for in a voice and a form of our choice, where the caller's wire
has other words for them.
"""

from typing import Any

import msgspec

from antiphon.errors import BadRequest
from antiphon.types import Target
from antiphon.wires.openai.media import FORMATS
from antiphon.wires.openai.reply import WIRE
from antiphon.wires.translation.codec import WrittenRequest
from antiphon.wires.translation.dropped_annotations import marks
from antiphon.wires.translation.media import moved
from antiphon.wires.translation.neutral import (
    Audio,
    File,
    Format,
    Image,
    Message,
    Part,
    Reasoning,
    Refusal,
    Request,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from antiphon.wires.translation.pseudonym import SHORT, opaque

_EFFORTS = ((1024, "low"), (8192, "medium"))
"""Tokens of thinking up to which an effort is the nearest; more is ``high``."""
_VOICE = "alloy"
_PLAIN = (
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


def write_request(request: Request, target: Target) -> WrittenRequest:
    """See :meth:`translation.codec.Codec.request`."""
    dropped: list[str] = list(request.extras)
    body: dict[str, Any] = {"model": target.model, "messages": _messages(request, dropped)}
    if "thought_signatures" in target.quirks:
        _sign(body["messages"], request)
    body |= {name: value for name in _PLAIN if (value := getattr(request, name)) is not None}
    if request.max_tokens is not None:
        body["max_completion_tokens" if "max_completion_tokens" in target.quirks else "max_tokens"] = request.max_tokens
    if request.stop:
        body["stop"] = list(request.stop)
    if request.n > 1:
        body["n"] = request.n
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
    if request.tool_choice is not None:
        body["tool_choice"] = _tool_choice(request.tool_choice)
    if request.format is not None:
        body["response_format"] = _format(request.format)
    if request.reasoning is not None:
        if effort := _effort(request.reasoning):
            body["reasoning_effort"] = effort
        elif request.reasoning.adaptive:  # how much to think is the model's choice here, whether it does is not
            dropped.append("reasoning")
    if request.modalities:
        body["modalities"] = list(request.modalities)
        if "audio" in request.modalities:
            body["audio"] = {"voice": _VOICE, "format": "pcm16" if request.stream else "wav"}
    if request.user:
        body["user"] = opaque(request.user, SHORT)
    if request.service_tier:
        body["service_tier"] = request.service_tier
    if request.stream:
        body["stream"] = True
        if "no_stream_usage" not in target.quirks:
            body["stream_options"] = {"include_usage": True}
    if request.top_k is not None:
        dropped.append("top_k")
    dropped += marks(request)  # this wire caches by itself
    return WrittenRequest(msgspec.json.encode(body), tuple(dict.fromkeys(dropped)))


def _messages(request: Request, dropped: list[str]) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    if request.system:
        messages.append({"role": "system", "content": _content(request.system, dropped)})
    for message in _grouped(moved(request.messages)):
        messages += _WRITERS[message.role](message, dropped)
    return messages


def _sign(messages: list[dict[str, Any]], request: Request) -> None:
    """Give calls their thought signatures, which only a server of Gemini's models knows."""
    parts = (part for message in request.messages for part in message.parts)
    signatures = {part.id: part.signature for part in parts if isinstance(part, ToolCall) and part.signature}
    for call in (call for message in messages for call in message.get("tool_calls") or ()):
        if call["id"] in signatures:
            call["extra_content"] = {"google": {"thought_signature": signatures[call["id"]]}}


def _grouped(messages: tuple[Message, ...]) -> list[Message]:
    """Return messages with the results of one turn's calls in one of them: nothing may stand between those here."""
    turns: list[Message] = []
    for message in messages:
        last = turns[-1] if turns else None
        if last is not None and _has_results(last) and _has_results(message):
            turns[-1] = Message("user", last.parts + message.parts)
        else:
            turns.append(message)
    return turns


def _has_results(message: Message) -> bool:
    return message.role == "user" and any(isinstance(part, ToolResult) for part in message.parts)


def _system(message: Message, dropped: list[str]) -> list[dict[str, Any]]:
    return [{"role": "system", "content": _content(message.parts, dropped)}]


def _user(message: Message, dropped: list[str]) -> list[dict[str, Any]]:
    written: list[dict[str, Any]] = []
    rest: list[Part] = []
    for part in message.parts:
        if isinstance(part, ToolResult):
            text = "\n".join(item.text for item in part.parts if isinstance(item, Text))
            rest += [item for item in part.parts if not isinstance(item, Text)]
            if part.error and not text.lower().startswith("error"):
                text = f"Error: {text}"
            written.append({"role": "tool", "tool_call_id": part.id, "content": text})
        else:
            rest.append(part)
    if rest or not written:
        turn: dict[str, Any] = {"role": "user", "content": _content(tuple(rest), dropped)}
        written.append(turn | ({"name": message.name} if message.name else {}))
    return written


def _assistant(message: Message, dropped: list[str]) -> list[dict[str, Any]]:
    turn: dict[str, Any] = {"role": "assistant", "content": None}
    said = tuple(part for part in message.parts if isinstance(part, Text))
    if said:
        turn["content"] = _content(said, dropped)
    refusals = [part.text for part in message.parts if isinstance(part, Refusal)]
    if refusals:
        turn["refusal"] = "".join(refusals)
    if calls := [_tool_call(part) for part in message.parts if isinstance(part, ToolCall)]:
        turn["tool_calls"] = calls
    elif turn["content"] is None and not refusals:
        turn["content"] = ""
    own = [part.text for part in message.parts if isinstance(part, Thinking) and part.wire == WIRE and part.text]
    if own:
        turn["reasoning_content"] = "".join(own)
    return [turn]


_WRITERS = {"system": _system, "user": _user, "assistant": _assistant}


def _tool_call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _content(parts: "tuple[Part, ...]", dropped: list[str]) -> Any:
    if len(parts) == 1 and isinstance(parts[0], Text):
        return parts[0].text
    return [_part(part) for part in parts]


def _part(part: Part) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    if isinstance(part, Image) and not part.file_id:
        url = part.url or f"data:{part.media_type};base64,{part.data}"
        return {"type": "image_url", "image_url": {"url": url} | ({"detail": part.detail} if part.detail else {})}
    if isinstance(part, Audio) and part.data:
        return {"type": "input_audio", "input_audio": {"data": part.data, "format": _sound(part.media_type)}}
    if isinstance(part, File):
        return _file(part)
    raise BadRequest(f"The target's wire cannot take this {type(part).__name__.lower()} part.", param="messages")


def _sound(media_type: str) -> str:
    kind = media_type.partition(";")[0].lower()
    return FORMATS.get(kind, kind.rpartition("/")[2])


def _file(part: File) -> dict[str, Any]:
    if part.text:
        title = f"{part.name}:\n" if part.name else ""
        return {"type": "text", "text": title + part.text}
    if part.file_id:
        return {"type": "file", "file": {"file_id": part.file_id}}
    if not part.data:
        raise BadRequest(
            "The target's wire takes documents as data, not by URL; send the document itself.", param="messages"
        )
    data = f"data:{part.media_type or 'application/pdf'};base64,{part.data}"
    return {"type": "file", "file": {"filename": part.name or "document.pdf", "file_data": data}}


def _tool(tool: Tool) -> dict[str, Any]:
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


def _tool_choice(choice: ToolChoice) -> Any:
    if choice.mode == "tool":
        return {"type": "function", "function": {"name": choice.names[0]}}
    if choice.names:
        tools = [{"type": "function", "function": {"name": name}} for name in choice.names]
        return {"type": "allowed_tools", "allowed_tools": {"mode": choice.mode, "tools": tools}}
    return choice.mode


def _format(wanted: Format) -> dict[str, Any]:
    if wanted.kind == "json":
        return {"type": "json_object"}
    schema: dict[str, Any] = {"name": wanted.name or "answer", "schema": wanted.schema or {}}
    if wanted.strict is not None:
        schema["strict"] = wanted.strict
    if wanted.description:
        schema["description"] = wanted.description
    return {"type": "json_schema", "json_schema": schema}


def _effort(reasoning: Reasoning) -> str:
    if reasoning.effort or reasoning.budget is None:
        return reasoning.effort
    return next((effort for budget, effort in _EFFORTS if reasoning.budget <= budget), "high")
