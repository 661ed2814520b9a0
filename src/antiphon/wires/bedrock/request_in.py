"""A Converse request read into the neutral form (API reference, "Converse": Request Body).

Cache points are marks of their own here and belong to the part before them elsewhere: they are read as its ``cache``.
What only this wire has travels in ``extras`` under its path and is reported by any wire that cannot take it. What would
change the answer and cannot travel at all (changes of the tool set, tools the provider runs) is refused.
"""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from antiphon.errors import BadRequest
from antiphon.wires.bedrock import citations, media, schema
from antiphon.wires.bedrock.errors import wrong_type
from antiphon.wires.bedrock.jsontext import json_text
from antiphon.wires.translation.foreign_signatures import unpack
from antiphon.wires.translation.media import read_text
from antiphon.wires.translation.neutral import (
    Audio,
    File,
    Format,
    Image,
    Message,
    Part,
    Reasoning,
    Request,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)

WIRE = "bedrock"
_MORE = "additionalModelRequestFields"
_CACHED = (Text, Image, File, ToolCall, ToolResult)
_TOP_K = (("top_k",), ("inferenceConfig", "topK"), ("k",))
_EFFORT = (("output_config", "effort"), ("reasoning_effort",), ("reasoningConfig", "maxReasoningEffort"))
_EFFORT_WORDS = {"max": "xhigh"}


def read(document: dict[str, Any], model: str, stream: bool) -> Request:
    """Return the request; raises :class:`BadRequest` naming the field that is wrong."""
    try:
        body = msgspec.convert(document, schema.Converse)
    except msgspec.ValidationError as error:
        raise wrong_type(str(error)) from None
    return _Reader(document, body).request(model, stream)


class _Reader:
    """Reads one request; gathers what only this wire has."""

    def __init__(self, document: dict[str, Any], body: schema.Converse) -> None:
        self.body = body
        self.extras: dict[str, Any] = {name: value for name, value in document.items() if name not in schema.READ}

    def request(self, model: str, stream: bool) -> Request:
        body = self.body
        config = body.inference_config or schema.InferenceConfig()
        tools, choice = self._tools(body.tool_config)
        top_k, reasoning = self._more(body)
        return Request(
            model=model,
            stream=stream,
            messages=tuple(self._message(message, f"messages.{at}") for at, message in enumerate(body.messages)),
            system=self._system(body.system),
            tools=tools,
            tool_choice=choice,
            format=_format(body.output_config),
            max_tokens=config.max_tokens,
            temperature=config.temperature,
            top_p=config.top_p,
            top_k=top_k,
            stop=tuple(config.stop_sequences or ()),
            reasoning=reasoning,
            metadata=dict(body.request_metadata) if body.request_metadata else None,
            service_tier=body.service_tier.type if body.service_tier else "",
            extras=self.extras,
        )

    def _system(self, blocks: list[schema.Block]) -> tuple[Text, ...]:
        parts = self._parts(blocks, "system")
        if any(type(part) is not Text for part in parts):
            raise BadRequest("`system` may hold text only.", param="system")
        return parts  # type: ignore[return-value]

    def _message(self, message: schema.Message, where: str) -> Message:
        parts = self._parts(message.content, f"{where}.content")
        if message.role == "assistant":
            parts = _shown(parts)
        signed = [part for part in parts if type(part) is Thinking and part.id in _calls(parts) and not part.text]
        if signed:
            parts = _sign_calls(parts, {part.id: part.signature for part in signed})
        return Message(message.role, parts)

    def _parts(self, blocks: list[schema.Block], where: str) -> tuple[Part, ...]:
        parts: list[Part] = []
        for at, block in enumerate(blocks):
            if block.cache_point is not None:
                self._cache(parts, block.cache_point, where)
            else:
                parts += self._part(block, f"{where}.{at}")
        return tuple(parts)

    def _part(self, block: schema.Block, where: str) -> Iterable[Part]:
        for name, read_part in _PARTS.items():
            if (value := getattr(block, name)) is not None:
                return read_part(self, value, where)
        raise BadRequest(
            f"The content at {where} is empty or of a kind that cannot be translated for the chosen model.", param=where
        )

    def _cache(self, parts: list[Part], point: schema.CachePoint, where: str) -> None:
        mark = _mark(point)
        if parts and isinstance(parts[-1], _CACHED):
            parts[-1] = msgspec.structs.replace(parts[-1], cache=mark)
        else:
            self.extras[f"{where}.cachePoint"] = mark

    def image(self, value: schema.Media, where: str) -> list[Part]:
        kind, source = media.IMAGE_TYPES.get(value.format, f"image/{value.format}"), _source(value, where)
        return [Image(url=_url(source), data=source.bytes or "", media_type=kind)]

    def video(self, value: schema.Media, where: str) -> list[Part]:
        kind, source = media.VIDEO_TYPES.get(value.format, f"video/{value.format}"), _source(value, where)
        return [File(url=_url(source), data=source.bytes or "", media_type=kind)]

    def sound(self, value: schema.Media, where: str) -> list[Part]:
        kind, source = media.SOUND_TYPES.get(value.format, f"audio/{value.format}"), _source(value, where)
        return [Audio(url=_url(source), data=source.bytes or "", media_type=kind)]

    def document(self, value: schema.Media, where: str) -> list[Part]:
        source = _source(value, where)
        text = source.text if source.content is None else "\n\n".join(part.text for part in source.content)
        if value.context:
            self.extras[f"{where}.document.context"] = value.context
        kind = media.DOCUMENT_TYPES.get(value.format, "text/plain" if text is not None else "")
        cite = value.citations is not None and value.citations.enabled
        return [File(_url(source), source.bytes or "", kind, text or "", name=value.name, cite=cite)]

    def search_result(self, value: schema.SearchResult, where: str) -> list[Part]:
        """A search result becomes a document of its text, headed by its source."""
        text = "\n\n".join([value.source, *(part.text for part in value.content)])
        cite = value.citations is not None and value.citations.enabled
        return [File(media_type="text/plain", text=text, name=value.title, cite=cite)]

    def tool_use(self, value: schema.ToolUse, where: str) -> list[Part]:
        if value.type is not None:
            raise _not_ours(where)
        arguments = "{}" if value.input is None else json_text(value.input)
        return [ToolCall(value.tool_use_id, value.name, arguments)]

    def tool_result(self, value: schema.ToolResult, where: str) -> list[Part]:
        if value.type is not None:
            raise _not_ours(where)
        parts = [self._result(block, f"{where}.toolResult.content.{at}") for at, block in enumerate(value.content)]
        return [ToolResult(value.tool_use_id, tuple(parts), error=value.status == "error")]

    def _result(self, block: schema.ResultBlock, where: str) -> Text | Image | File:
        if block.text is not None:
            return Text(block.text)
        if block.json is not msgspec.UNSET:
            return Text(json_text(block.json))
        for name in ("image", "document", "video", "search_result"):
            if (value := getattr(block, name)) is not None:
                (part,) = _PARTS[name](self, value, where)
                return part  # type: ignore[return-value]
        raise BadRequest(f"The content at {where} is empty or of an unknown kind.", param=where)

    def guard(self, value: schema.Guard, where: str) -> list[Part]:
        self.extras[f"{where}.guardContent"] = True
        if value.image is not None:
            return self.image(value.image, where)
        return [Text(value.text.text if value.text else "")]

    def thinking(self, value: schema.Reasoning, where: str) -> list[Part]:
        if value.redacted_content is not None:
            return [Thinking(redacted=value.redacted_content, wire=WIRE)]
        text = value.reasoning_text or schema.ReasoningText()
        if (carried := unpack(text.signature)) is None:
            return [Thinking(text.text, text.signature or "", wire=WIRE)]
        return [Thinking(text.text, carried.signature, carried.redacted, carried.call or carried.id, carried.wire)]

    def cited(self, value: schema.CitationsContent, where: str) -> list[Part]:
        text = "".join(part.text for part in value.content)
        return [Text(text, citations=tuple(map(citations.read, value.citations)))]

    def text(self, value: str, where: str) -> list[Part]:
        return [Text(value)]

    def _tools(self, config: schema.ToolConfig | None) -> tuple[tuple[Tool, ...], ToolChoice | None]:
        if config is None:
            return (), None
        tools: list[Tool] = []
        for tool in config.tools:
            if tool.tool_spec is not None:
                spec = tool.tool_spec
                tools.append(Tool(spec.name, spec.description, spec.input_schema.json, spec.strict))
            elif tool.system_tool is not None:
                tools.append(
                    Tool(str(tool.system_tool.get("name")), builtin={"systemTool": tool.system_tool}, wire=WIRE)
                )
            elif tool.cache_point is not None and tools:
                tools[-1] = msgspec.structs.replace(tools[-1], cache=_mark(tool.cache_point))
        return tuple(tools), _choice(config.tool_choice)

    def _more(self, body: schema.Converse) -> tuple[int | None, Reasoning | None]:
        """Read what is meant for the model itself: the fields that other wires have, too."""
        more = dict(body.additional_model_request_fields or {})
        top_k = next((value for path in _TOP_K if type(value := _take(more, path)) is int), None)
        effort = body.output_config.effort if body.output_config else None
        words = [effort, *(_take(more, path) for path in _EFFORT)]
        effort = next((word for word in words if type(word) is str), "")
        thinking = more.pop("thinking", None)
        if more.get("reasoningConfig") == {"type": "enabled"}:  # what an effort says, too
            del more["reasoningConfig"]
        if more:
            self.extras[_MORE] = more
        return top_k, _reasoning(thinking, _EFFORT_WORDS.get(effort, effort))


_PARTS: dict[str, Callable[[_Reader, Any, str], list[Part]]] = {
    "text": _Reader.text,
    "image": _Reader.image,
    "document": _Reader.document,
    "video": _Reader.video,
    "audio": _Reader.sound,
    "tool_use": _Reader.tool_use,
    "tool_result": _Reader.tool_result,
    "guard_content": _Reader.guard,
    "reasoning_content": _Reader.thinking,
    "citations_content": _Reader.cited,
    "search_result": _Reader.search_result,
}


def _shown(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """Return an assistant's parts, each text that stands for an image or a sound as that."""
    return tuple((read_text(part.text) or part) if type(part) is Text else part for part in parts)


def _mark(point: schema.CachePoint) -> dict[str, Any]:
    return {"type": "ephemeral", "ttl": point.ttl} if point.ttl else {"type": "ephemeral"}


def _source(value: schema.Media, where: str) -> schema.Source:
    source = value.source
    if all(value is None for value in (source.bytes, source.s3_location, source.text, source.content)):
        raise BadRequest(f"The content at {where} has no source.", param=where)
    return source


def _url(source: schema.Source) -> str:
    return source.s3_location.uri if source.s3_location else ""


def _not_ours(where: str) -> BadRequest:
    return BadRequest(
        f"The content at {where} is of a tool the provider runs; only its own models take it.", param=where
    )


def _calls(parts: tuple[Part, ...]) -> set[str]:
    return {part.id for part in parts if type(part) is ToolCall}


def _sign_calls(parts: tuple[Part, ...], signatures: dict[str, str]) -> tuple[Part, ...]:
    """Give tool calls the thought signatures that were carried beside them."""
    kept: list[Part] = []
    for part in parts:
        if type(part) is ToolCall and part.id in signatures:
            kept.append(msgspec.structs.replace(part, signature=signatures[part.id]))
        elif not (type(part) is Thinking and part.id in signatures and not part.text):
            kept.append(part)
    return tuple(kept)


def _choice(choice: schema.ToolChoice | None) -> ToolChoice | None:
    if choice is None:
        return None
    if choice.tool is not None:
        return ToolChoice("tool", (choice.tool.name,))
    return ToolChoice("auto" if choice.any is None else "required")


def _format(config: schema.OutputConfig | None) -> Format | None:
    if config is None or config.text_format is None:
        return None
    told = config.text_format.structure.json_schema
    try:
        value = msgspec.json.decode(told.schema)
    except (msgspec.DecodeError, RecursionError):
        value = None
    if type(value) is not dict:
        where = "outputConfig.textFormat.structure.jsonSchema.schema"
        raise BadRequest(f"`{where}` must be a JSON Schema object as text.", param=where)
    return Format("schema", value, told.name, description=told.description)


def _reasoning(thinking: Any, effort: str) -> Reasoning | None:
    told = thinking if type(thinking) is dict else {}
    budget = told.get("budget_tokens")
    summary = "auto" if told.get("display") == "summarized" else ""
    reasoning = Reasoning(
        effort="none" if told.get("type") == "disabled" else effort,
        budget=budget if type(budget) is int else None,
        adaptive=told.get("type") == "adaptive",
        summary=summary,
    )
    return None if reasoning == Reasoning() else reasoning


def _take(fields: dict[str, Any], path: tuple[str, ...]) -> Any:
    """Take a value out of nested objects without changing the caller's; objects that become empty go with it."""
    name, rest = path[0], path[1:]
    value = fields.get(name)
    if not rest:
        return fields.pop(name, None)
    if type(value) is not dict:
        return None
    inner = dict(value)
    taken = _take(inner, rest)
    fields[name] = inner
    if not inner:
        del fields[name]
    return taken
