"""Writes a neutral request for a target of this wire.

Declared rules:

- System messages anywhere in the conversation join ``systemInstruction``. If there are no others, they are sent as the
  user's turn.
- A tool's result is ``{"output": text}`` or ``{"error": text}``. Its images and files are part of it for models from
  Gemini 3 on; for earlier models they move to the user's next turn.
- Thoughts of other wires are left out.
- A call that no model of this wire made carries the documented placeholder for a signature.
"""

from typing import Any

from antiphon.errors import BadRequest
from antiphon.types import Profile, Target
from antiphon.wires.gemini.content_writer import ContentWriter
from antiphon.wires.gemini.json_schema import write_schema
from antiphon.wires.gemini.signatures import WIRE
from antiphon.wires.json_text import encode_json
from antiphon.wires.translation.codec import WrittenRequest
from antiphon.wires.translation.dropped_annotations import list_dropped_annotations
from antiphon.wires.translation.neutral import Format, Reasoning, Request, Tool, ToolChoice

_OWN_EXTRAS = frozenset(("safetySettings", "labels", "toolConfig.retrievalConfig"))
_CONFIG = "generationConfig."
_TIERS = {"default": "standard", "flex": "flex", "priority": "priority"}
_SEED_LIMIT = 2**31
_TOP_LOGPROBS_LIMIT = 20
_BUDGETS = {"none": 0, "minimal": 1024, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 24576, "max": 24576}
"""Effort to tokens ("OpenAI compatibility", reasoning)."""
_LEVELS = {"none": "minimal", "minimal": "minimal", "low": "low", "medium": "medium"}


def write_request(request: Request, target: Target) -> WrittenRequest:
    """See :meth:`translation.codec.Codec.write_request`."""
    turns = ContentWriter(results_hold_media=target.profile.tool_result_media)
    contents = turns.write(request.messages)
    system = [{"text": part.text} for part in (*request.system, *turns.system) if part.text]
    dropped = turns.dropped | _refuse_field(request)
    dropped |= list_dropped_annotations(request)
    body: dict[str, Any] = {"contents": contents}
    if not contents:
        body["contents"] = [{"role": "user", "parts": system or [{"text": ""}]}]
    elif system:
        body["systemInstruction"] = {"parts": system}
    if tools := _write_tools(request.tools):
        body["tools"] = tools
    if config := _write_tool_config(request):
        body["toolConfig"] = config
    if config := _write_config(request, target.profile, dropped):
        body["generationConfig"] = config
    if tier := _TIERS.get(request.service_tier):
        body["serviceTier"] = tier
    _write_extras(request, body, dropped)
    return WrittenRequest(encode_json(body), tuple(dropped))


def _refuse_field(request: Request) -> dict[str, None]:
    """Name the fields that this wire does not have and that only tune the answer."""
    values = {
        "user": request.user,
        "metadata": request.metadata,
        "service_tier": request.service_tier not in ("", "auto", *_TIERS),
        "parallel_tool_calls": request.parallel_tool_calls is False,
    }
    return dict.fromkeys(name for name, value in values.items() if value)


def _write_tools(tools: tuple[Tool, ...]) -> list[dict[str, Any]]:
    functions = [_write_function(tool) for tool in tools if tool.builtin is None]
    built_in = []
    for tool in tools:
        if tool.builtin is not None:
            if tool.wire != WIRE:
                problem = f"The tool {tool.name!r} is built into models of the {tool.wire} wire; this model has it not."
                raise BadRequest(problem, param="tools")
            built_in.append(tool.builtin)
    return [*([{"functionDeclarations": functions}] if functions else []), *built_in]


def _write_function(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    if tool.schema:
        function["parametersJsonSchema"] = write_schema(tool.schema, f"tools.{tool.name}.parameters", is_object=True)
    return function


def _write_tool_config(request: Request) -> dict[str, Any]:
    if not any(tool.builtin is None for tool in request.tools):
        return {}
    choice = request.tool_choice or ToolChoice("auto")
    calling: dict[str, Any]
    if choice.mode == "auto":
        if any(tool.strict for tool in request.tools):
            calling = {"mode": "VALIDATED"}
        elif request.tool_choice is None:
            return {}
        else:
            calling = {"mode": "AUTO"}
    elif choice.mode == "none":
        calling = {"mode": "NONE"}
    else:
        calling = {"mode": "ANY"}
        if choice.names:
            calling["allowedFunctionNames"] = list(choice.names)
    return {"functionCallingConfig": calling}


def _write_config(request: Request, profile: Profile, dropped: dict[str, None]) -> dict[str, Any]:
    seed = request.seed
    if seed is not None and not -_SEED_LIMIT <= seed < _SEED_LIMIT:
        dropped["seed"] = seed = None
    values: dict[str, Any] = {
        "temperature": request.temperature,
        "topP": request.top_p,
        "topK": request.top_k,
        "candidateCount": request.n if request.n != 1 else None,
        "maxOutputTokens": request.max_tokens,
        "stopSequences": list(request.stop) or None,
        "seed": seed,
        "presencePenalty": request.presence_penalty,
        "frequencyPenalty": request.frequency_penalty,
        "responseModalities": [modality.upper() for modality in request.modalities] or None,
        "thinkingConfig": _write_thinking(request.reasoning, profile, dropped),
    }
    if request.logprobs:
        values["responseLogprobs"] = True
        if request.top_logprobs:
            values["logprobs"] = min(request.top_logprobs, _TOP_LOGPROBS_LIMIT)
    if request.format is not None:
        values |= _write_format(request.format)
    return {name: value for name, value in values.items() if value is not None}


def _write_format(format: Format) -> dict[str, Any]:
    config: dict[str, Any] = {"responseMimeType": "application/json"}
    if format.kind == "schema" and format.schema is not None:
        schema = {"description": format.description, **format.schema} if format.description else format.schema
        config["responseJsonSchema"] = write_schema(schema, "response_format.json_schema.schema")
    return config


def _write_thinking(reasoning: Reasoning | None, profile: Profile, dropped: dict[str, None]) -> dict[str, Any] | None:
    if reasoning is None:
        return None
    config: dict[str, Any] = {}
    by_budget, effort = profile.thinking == "budget", reasoning.effort
    if reasoning.budget is not None:
        config["thinkingBudget"] = reasoning.budget
    elif by_budget and effort in _BUDGETS:
        config["thinkingBudget"] = _BUDGETS[effort]
    elif by_budget and reasoning.adaptive:
        config["thinkingBudget"] = -1
    elif effort:
        level = _LEVELS.get(effort, "high")
        if level == "minimal" and profile.efforts and level not in profile.efforts:
            level = "low"
        config["thinkingLevel"] = level
        if effort == "none":  # these models always think a little
            dropped["reasoning"] = None
    if reasoning.summary or reasoning.adaptive or reasoning.budget:
        config["includeThoughts"] = True
    return config or None


def _write_extras(request: Request, body: dict[str, Any], dropped: dict[str, None]) -> None:
    """Put this wire's own extras back into the body, and name the others as dropped."""
    for name, value in request.extras.items():
        if name.startswith(_CONFIG):
            body.setdefault("generationConfig", {})[name.removeprefix(_CONFIG)] = value
        elif name not in _OWN_EXTRAS:
            dropped[name] = None
        elif name.startswith("toolConfig."):
            body.setdefault("toolConfig", {})[name.removeprefix("toolConfig.")] = value
        else:
            body[name] = value
