"""A request of the neutral form written for Converse (API reference, "Converse": Request Body).

Rules, beside what the fields themselves say:

- What Converse has no field for goes where ``families`` says for the model, or is left out and named in ``dropped``.
- ``tool_choice`` *none* has no form here: without tool calls in the conversation the tools are left out, which says the
  same; with them the tools must stay, and the choice is named as dropped.
- Structured output is ``outputConfig.textFormat``; any JSON object, and any form on a target with the quirk
  ``no_structured_output``, is asked for in words, which is named as dropped, because nothing enforces it.
- Claude does not think where a tool is forced, nor with a budget that leaves no room in ``max_tokens``: then thinking
  yields. Where it thinks, sampling yields.
- System messages in the middle of a conversation join the system prompt.
"""

import re
from typing import Any

from antiphon.errors import BadRequest
from antiphon.types import Target
from antiphon.wires.bedrock import families, schema
from antiphon.wires.bedrock.families import BUDGETS, LEAST_BUDGET, Path
from antiphon.wires.bedrock.jsontext import body_of, json_text
from antiphon.wires.bedrock.messages_out import WIRE, MessageWriter, cache_point, check_tool_name
from antiphon.wires.codec import Written
from antiphon.wires.neutral import Message, Request, Text, Tool, ToolCall, ToolResult

_MORE = "additionalModelRequestFields"
_TIERS = {
    "default": "default",
    "standard_only": "default",
    "flex": "flex",
    "priority": "priority",
    "reserved": "reserved",
}
_SAID_BY_SILENCE = ("", "auto")
_METADATA = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,.-]{0,256}")
_METADATA_LIMIT = 16
_EMPTY_SCHEMA = {"type": "object", "properties": {}}
_TUNING = ("seed", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs")
_ANY_JSON = "Answer with one JSON object and with nothing else: no other text, no code fence."
_SCHEMA_JSON = "The object must satisfy this JSON Schema: "


def write(request: Request, target: Target) -> Written:
    """Return the body for ``target.model``, which stands in the path; raises as ``Codec.write_request`` says."""
    writer = _Writer(request, target)
    return Written(body_of(writer.body()), tuple(writer.dropped))


class _Writer:
    """Writes one request; ``dropped`` gathers what is left out, each name once."""

    def __init__(self, request: Request, target: Target) -> None:
        self.request = request
        self.family = families.family_of(target.model)
        self.quirks = target.quirks
        self.dropped: dict[str, None] = {}
        self.out: dict[str, Any] = {}

    def body(self) -> dict[str, Any]:
        request, out = self.request, self.out
        if request.n > 1:
            raise BadRequest(
                "This target gives one answer to a call; ask with `n` 1, or call several times.", param="n"
            )
        spoken = [message for message in request.messages if message.role != "system"]
        out["messages"] = MessageWriter(self.family).messages(spoken)
        if not out["messages"]:
            raise BadRequest("`messages` must hold at least one message with content.", param="messages")
        self._system()
        self._tools()
        self._format()
        self._extras()
        thinks = self._reasoning()
        self._inference(thinks)
        self._identity()
        for name in _TUNING:
            if getattr(request, name) not in (None, False):
                self.drop(name)
        return out

    def drop(self, name: str) -> None:
        self.dropped[name] = None

    def put(self, path: Path, value: Any) -> None:
        """Set a value deep in the body, making the objects on the way."""
        place = self.out
        for name in path[:-1]:
            inner = place.get(name)
            place[name] = place = dict(inner) if type(inner) is dict else {}
        place[path[-1]] = value

    def _system(self) -> None:
        blocks: list[dict[str, Any]] = []
        for text in (*self.request.system, *_system_texts(self.request.messages)):
            if text.text:
                blocks.append({"text": text.text})
            if text.cache is not None and blocks:
                blocks.append(cache_point(text.cache))
        if blocks:
            self.out["system"] = blocks

    def _tools(self) -> None:
        request, choice = self.request, self.request.tool_choice
        tools = request.tools
        if choice is not None and choice.mode == "none":
            if not _used_tools(request.messages):
                return
            self.drop("tool_choice")
        elif choice is not None and choice.mode == "required" and choice.names:
            tools = tuple(tool for tool in tools if tool.name in choice.names)
        written: list[dict[str, Any]] = []
        for at, tool in enumerate(tools):
            written.append(_tool(tool, f"tools.{at}"))
            if tool.cache is not None:
                written.append(cache_point(tool.cache))
        if not written:
            return
        self.out["toolConfig"] = {"tools": written}
        if choice is not None and choice.mode in _CHOICES:
            self.out["toolConfig"]["toolChoice"] = _CHOICES[choice.mode](choice.names)
        if request.parallel_tool_calls is False:
            self.drop("parallel_tool_calls")

    def _format(self) -> None:
        wanted = self.request.format
        if wanted is None:
            return
        if wanted.schema is not None and "no_structured_output" not in self.quirks:
            told = {"schema": json_text(wanted.schema), "name": wanted.name, "description": wanted.description}
            structure = {"jsonSchema": {name: value for name, value in told.items() if value}}
            self.put(("outputConfig", "textFormat"), {"type": "json_schema", "structure": structure})
            return
        words = _ANY_JSON if wanted.schema is None else f"{_ANY_JSON} {_SCHEMA_JSON}{json_text(wanted.schema)}"
        self.out["system"] = [*self.out.get("system", ()), {"text": words}]
        self.drop("response_format")

    def _extras(self) -> None:
        for name, value in self.request.extras.items():
            if name in schema.OWN_FIELDS or (name == _MORE and type(value) is dict):
                self.out[name] = value
            else:
                self.drop(name)

    def _reasoning(self) -> bool:
        """Write how much to think; return whether Claude's thinking was turned on."""
        wanted, family = self.request.reasoning, self.family
        if wanted is None or wanted.effort == "none":
            return False
        if not (wanted.effort or wanted.adaptive) and wanted.budget is None:  # a wish to see it asks for none
            return False
        if family.thinking:
            return self._thinking(wanted.effort, wanted.budget, bool(wanted.summary))
        word = family.efforts.get(wanted.effort) if family.effort else None
        if word is None:
            self.drop("reasoning")
            return False
        self.put(family.effort, word)
        for path, value in family.beside_effort:
            self.put(path, value)
        return False

    def _thinking(self, effort: str, budget: int | None, shown: bool) -> bool:
        family = self.family
        word = family.efforts.get(effort)
        if family.effort and word is not None:
            self.put(family.effort, word)
        choice = self.request.tool_choice
        if choice is not None and choice.mode in ("required", "tool") and "toolConfig" in self.out:
            self.drop("reasoning")
            return False
        if family.thinking == "adaptive" or (family.thinking == "both" and budget is None):
            thinking: dict[str, Any] = {"type": "adaptive"}
            if shown:
                thinking["display"] = "summarized"
        else:
            budget = BUDGETS.get(effort, BUDGETS["medium"]) if budget is None else budget
            if self.request.max_tokens is not None:
                budget = min(budget, self.request.max_tokens - 1)
            if budget < LEAST_BUDGET:
                self.drop("reasoning")
                return False
            thinking = {"type": "enabled", "budget_tokens": budget}
        self.put((_MORE, "thinking"), thinking)
        return True

    def _inference(self, thinks: bool) -> None:
        request, family = self.request, self.family
        config: dict[str, Any] = {}
        if request.max_tokens is not None:
            config["maxTokens"] = request.max_tokens
        sampling = family.sampling and not thinks
        if request.temperature is not None:
            if sampling:
                config["temperature"] = min(request.temperature, 1.0)
            if not sampling or request.temperature > 1:
                self.drop("temperature")
        if request.top_p is not None:
            if sampling and (family.both_samplers or request.temperature is None):
                config["topP"] = request.top_p
            else:
                self.drop("top_p")
        if request.top_k is not None:
            if sampling and family.top_k:
                self.put(family.top_k, request.top_k)
            else:
                self.drop("top_k")
        if request.stop:
            config["stopSequences"] = request.stop
        if config:
            self.out["inferenceConfig"] = config

    def _identity(self) -> None:
        request = self.request
        told = dict(request.metadata or {})
        kept = {name: value for name, value in told.items() if _METADATA.fullmatch(name) and _fits(value) and name}
        kept = dict(list(kept.items())[:_METADATA_LIMIT])
        if len(kept) < len(told):
            self.drop("metadata")
        if request.user:
            if _fits(request.user) and "user" not in kept and len(kept) < _METADATA_LIMIT:
                kept["user"] = request.user
            else:
                self.drop("user")
        if kept:
            self.out["requestMetadata"] = kept
        if (tier := _TIERS.get(request.service_tier)) is not None:
            self.out["serviceTier"] = {"type": tier}
        elif request.service_tier not in _SAID_BY_SILENCE:
            self.drop("service_tier")


_CHOICES: dict[str, Any] = {
    "auto": lambda names: {"auto": {}},
    "required": lambda names: {"any": {}},
    "tool": lambda names: {"tool": {"name": names[0]}},
}


def _tool(tool: Tool, where: str) -> dict[str, Any]:
    if tool.builtin is not None:
        if tool.wire != WIRE:
            raise BadRequest(
                f"The built-in tool {tool.name!r} is one of another provider; this target takes functions only.",
                param=where,
            )
        return tool.builtin
    spec: dict[str, Any] = {"name": check_tool_name(tool.name, f"{where}.name")}
    if tool.description:
        spec["description"] = tool.description
    value = tool.schema or _EMPTY_SCHEMA
    spec["inputSchema"] = {"json": value if "type" in value else {"type": "object", **value}}
    if tool.strict:
        spec["strict"] = True
    return {"toolSpec": spec}


def _system_texts(messages: tuple[Message, ...]) -> list[Text]:
    return [part for message in messages if message.role == "system" for part in message.parts if type(part) is Text]


def _used_tools(messages: tuple[Message, ...]) -> bool:
    return any(type(part) in (ToolCall, ToolResult) for message in messages for part in message.parts)


def _fits(value: Any) -> bool:
    return type(value) is str and _METADATA.fullmatch(value) is not None
