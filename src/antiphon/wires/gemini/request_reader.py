"""Reads a caller's request of this wire into the neutral form.

A field that no other wire has goes to ``extras`` if it only tunes the answer. If leaving it out would change the
meaning of the answer (cached content, code that the provider ran), it is refused.
"""

from typing import Any

from antiphon.errors import BadRequest
from antiphon.wires.gemini import request_types as request_types
from antiphon.wires.gemini.content_reader import ContentReader
from antiphon.wires.gemini.json_schema import read_schema
from antiphon.wires.gemini.signatures import WIRE
from antiphon.wires.translation.neutral import Format, Reasoning, Request, Text, Tool, ToolChoice

_KNOWN_FIELDS = frozenset(
    (
        "contents",
        "systemInstruction",
        "tools",
        "toolConfig",
        "generationConfig",
        "serviceTier",
        "cachedContent",
        "model",
    )
)
_KNOWN_CONFIG = frozenset(
    ("temperature", "topP", "topK", "candidateCount", "maxOutputTokens", "stopSequences", "responseMimeType",
     "responseSchema", "responseJsonSchema", "thinkingConfig", "seed", "presencePenalty", "frequencyPenalty",
     "responseLogprobs", "logprobs", "responseModalities")
)  # fmt: skip
_MEMBERS = {"generationConfig.thinkingConfig": ("thinkingBudget", "thinkingLevel", "includeThoughts")}
_DECLARATIONS = "tools.functionDeclarations"
_KNOWN_DECLARATION_FIELDS = frozenset(("name", "description", "parameters", "parametersJsonSchema"))
_TIERS = {"standard": "default", "flex": "flex", "priority": "priority"}
_MODES = {
    "": "auto",
    "MODE_UNSPECIFIED": "auto",
    "AUTO": "auto",
    "VALIDATED": "auto",
    "ANY": "required",
    "NONE": "none",
}


def read_request(document: dict[str, Any], model: str, stream: bool) -> Request:
    """See :meth:`translation.codec.Codec.read_request`."""
    document = request_types.to_standard_form(document)
    request = request_types.read_lenient_fields(document, request_types.GenerateRequest)
    if request.cached_content:
        raise _refuse_field("cachedContent", "content that is cached at the provider")
    if "responseFormat" in (document.get("generationConfig") or {}):
        raise _refuse_field("generationConfig.responseFormat", "a form of the answer")
    config = request.generation_config or request_types.GenerationConfig()
    contents = ContentReader()
    messages = contents.read(request.contents)
    tools, choice = _read_tools(request)
    return Request(
        model=model,
        messages=messages,
        system=_read_system(request.system_instruction),
        tools=tools,
        tool_choice=choice,
        format=_read_format(config),
        max_tokens=config.max_output_tokens or None,  # 0 is not set, on this wire
        temperature=config.temperature,
        top_p=config.top_p,
        top_k=config.top_k,
        stop=tuple(config.stop_sequences or ()),
        n=config.candidate_count or 1,
        seed=config.seed,
        presence_penalty=config.presence_penalty,
        frequency_penalty=config.frequency_penalty,
        logprobs=config.response_logprobs,
        top_logprobs=config.logprobs if config.response_logprobs else None,
        reasoning=_read_reasoning(config.thinking_config),
        modalities=_read_modalities(config),
        service_tier=_TIERS.get(request.service_tier, ""),
        stream=stream,
        extras={**contents.extras, **_read_extras(document)},
    )


def _refuse_field(field: str, description: str) -> BadRequest:
    return BadRequest(f"`{field}` is {description}, which only a model of this same wire can take.", param=field)


def _read_modalities(config: request_types.GenerationConfig) -> tuple[str, ...]:
    modalities = dict.fromkeys(modality.lower() for modality in config.response_modalities or ())
    modalities.pop("modality_unspecified", None)
    if not modalities.keys() <= {"text", "image", "audio"}:
        raise _refuse_field(
            "generationConfig.responseModalities", "asking for an answer that is neither text, image nor audio"
        )
    return tuple(modalities) if modalities.keys() != {"text"} else ()


def _read_system(content: request_types.Content | None) -> tuple[Text, ...]:
    parts = (content.parts if content else None) or []
    if any(part.text is None for part in parts):
        raise BadRequest("`systemInstruction` may hold text only.", param="systemInstruction")
    return tuple(Text(part.text or "") for part in parts if part.text)


def _read_tools(request: request_types.GenerateRequest) -> tuple[tuple[Tool, ...], ToolChoice | None]:
    config = (
        request.tool_config.function_calling_config if request.tool_config else None
    ) or request_types.FunctionCallingConfig()
    mode, names = config.mode.upper(), tuple(config.allowed_function_names or ())
    if mode not in _MODES:
        known = ", ".join(name for name in _MODES if name)
        field = "toolConfig.functionCallingConfig.mode"
        raise BadRequest(f"`{field}` is {config.mode!r}; expected one of: {known}.", param=field)
    tools = [
        tool
        for index, entry in enumerate(request.tools or ())
        for tool in _read_tool_entry(entry, f"tools[{index}]", strict=mode == "VALIDATED")
    ]
    choice = _MODES[mode]
    if names and choice == "auto":  # leave out the tools that the model may not call
        tools = [tool for tool in tools if tool.builtin is not None or tool.name in names]
    if choice == "required":
        is_single = len(names) == 1
        return tuple(tools), ToolChoice("tool" if is_single else "required", names)
    explicit = choice == "none" or config.mode
    return tuple(tools), (ToolChoice("none" if choice == "none" else "auto") if explicit else None)


def _read_tool_entry(entry: dict[str, Any], path: str, *, strict: bool) -> list[Tool]:
    """Return the tools of one entry of ``tools``: declared functions, and built-in tools by name."""
    tools = []
    for key, value in entry.items():
        if key != "functionDeclarations":
            tools.append(Tool(name=key, builtin={key: value}, wire=WIRE))
            continue
        for index, declaration in enumerate(value if type(value) is list else [value]):
            declaration_path = f"{path}.functionDeclarations[{index}]"
            function = request_types.read_lenient_fields(
                declaration, request_types.FunctionDeclaration, declaration_path
            )
            schema = _read_parameters(function, declaration_path)
            tools.append(Tool(function.name, function.description, schema, strict=True if strict else None))
    return tools


def _read_parameters(function: request_types.FunctionDeclaration, path: str) -> dict[str, Any] | None:
    if function.parameters_json_schema is not None:
        if type(function.parameters_json_schema) is not dict:
            raise BadRequest(f"`{path}.parametersJsonSchema` must be an object.", param=f"{path}.parametersJsonSchema")
        return function.parameters_json_schema
    return read_schema(function.parameters, f"{path}.parameters") if function.parameters is not None else None


def _read_format(config: request_types.GenerationConfig) -> Format | None:
    media_type = config.response_mime_type
    if media_type in ("", "text/plain"):
        if config.response_json_schema is not None or config.response_schema is not None:
            field = "generationConfig.responseMimeType"
            raise BadRequest(f"`{field}` must be application/json where an answer has a schema.", param=field)
        return None
    if media_type != "application/json":
        raise _refuse_field("generationConfig.responseMimeType", f"the form {media_type!r}")
    schema = config.response_json_schema
    if schema is None and config.response_schema is not None:
        schema = read_schema(config.response_schema, "generationConfig.responseSchema")
    if schema is None:
        return Format("json")
    if type(schema) is not dict:
        field = "generationConfig.responseJsonSchema"
        raise BadRequest(f"`{field}` must be an object.", param=field)
    return Format("schema", schema)


def _read_reasoning(config: request_types.ThinkingConfig | None) -> Reasoning | None:
    if config is None:
        return None
    level, budget = config.thinking_level.lower(), config.thinking_budget
    return Reasoning(
        effort="none" if budget == 0 else "" if level.endswith("unspecified") else level,
        budget=budget if budget is not None and budget > 0 else None,
        adaptive=budget is not None and budget < 0,
        summary="auto" if config.include_thoughts else "",
    )


def _read_extras(document: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that only tune the answer, under the caller's names."""
    extras = {name: value for name, value in document.items() if name not in _KNOWN_FIELDS}
    config = document.get("generationConfig") or {}
    extras.update({f"generationConfig.{name}": config[name] for name in config if name not in _KNOWN_CONFIG})
    for field, known in _MEMBERS.items():
        members = config.get(field.partition(".")[2]) or {}
        extras.update({f"{field}.{name}": value for name, value in members.items() if name not in known})
    for entry in document.get("tools") or ():
        for declaration in entry.get("functionDeclarations") or ():
            extras.update(
                {
                    f"{_DECLARATIONS}.{name}": declaration[name]
                    for name in declaration
                    if name not in _KNOWN_DECLARATION_FIELDS
                }
            )
    tool_config = document.get("toolConfig") or {}
    extras.update({f"toolConfig.{name}": tool_config[name] for name in tool_config if name != "functionCallingConfig"})
    if (tier := document.get("serviceTier")) and tier not in _TIERS:
        extras["serviceTier"] = tier
    return extras
