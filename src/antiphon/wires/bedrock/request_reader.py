"""A Converse request read into the neutral form (API reference, "Converse": Request Body).

Cache points are separate blocks here. In the neutral form they belong to the part before them, as its ``cache``. Fields
that only this wire has are kept in ``extras`` under their path, and a wire that cannot take them reports them. A
request is refused if it has a part that would change the answer and cannot be translated (changes of the tool set,
tools that the provider runs).
"""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from antiphon.errors import BadRequest
from antiphon.wires.bedrock import media, types
from antiphon.wires.bedrock.body_draft import MODEL_FIELDS
from antiphon.wires.bedrock.citations import read_citation
from antiphon.wires.bedrock.content_writer import WIRE
from antiphon.wires.checks import read_fields
from antiphon.wires.json_text import encode_json_text
from antiphon.wires.translation.foreign_signatures import unpack_signature
from antiphon.wires.translation.media import read_markdown
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

_CACHEABLE = (Text, Image, File, ToolCall, ToolResult)
_TOP_K_PATHS = (("top_k",), ("inferenceConfig", "topK"), ("k",))
_EFFORT_PATHS = (("output_config", "effort"), ("reasoning_effort",), ("reasoningConfig", "maxReasoningEffort"))
_EFFORTS = {"max": "xhigh"}


def read_request(document: dict[str, Any], model: str, stream: bool) -> Request:
    """Return the neutral request; raises :class:`BadRequest` naming the field that is wrong."""
    return _Reader(document, read_fields(document, types.ConverseRequest)).read(model, stream)


class _Reader:
    """Reads one request; collects the fields that only this wire has."""

    def __init__(self, document: dict[str, Any], body: types.ConverseRequest) -> None:
        self.body = body
        self.extras = {name: value for name, value in document.items() if name not in types.READ_FIELDS}

    def read(self, model: str, stream: bool) -> Request:
        body = self.body
        config = body.inference_config or types.InferenceConfig()
        tools, choice = self._read_tools(body.tool_config)
        top_k, reasoning = self._read_model_fields(body)
        return Request(
            model=model,
            stream=stream,
            messages=tuple(
                self._read_message(message, f"messages.{index}") for index, message in enumerate(body.messages)
            ),
            system=self._read_system(body.system),
            tools=tools,
            tool_choice=choice,
            format=_read_format(body.output_config),
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

    def _read_system(self, blocks: list[types.Block]) -> tuple[Text, ...]:
        parts = self._read_blocks(blocks, "system")
        if any(type(part) is not Text for part in parts):
            raise BadRequest("`system` may hold text only.", param="system")
        return parts  # type: ignore[return-value]

    def _read_message(self, message: types.Message, path: str) -> Message:
        parts = self._read_blocks(message.content, f"{path}.content")
        if message.role == "assistant":
            parts = _restore_media(parts)
        calls = {part.id for part in parts if type(part) is ToolCall}
        signatures = {
            part.id: part.signature for part in parts if type(part) is Thinking and part.id in calls and not part.text
        }
        return Message(message.role, _sign_calls(parts, signatures) if signatures else parts)

    def _read_blocks(self, blocks: list[types.Block], path: str) -> tuple[Part, ...]:
        parts: list[Part] = []
        for index, block in enumerate(blocks):
            if block.cache_point is not None:
                self._add_cache_mark(parts, block.cache_point, path)
            else:
                parts += self._read_block(block, f"{path}.{index}")
        return tuple(parts)

    def _read_block(self, block: types.Block, path: str) -> Iterable[Part]:
        for name, read_part in _PART_READERS.items():
            if (value := getattr(block, name)) is not None:
                return read_part(self, value, path)
        raise BadRequest(
            f"The content at {path} is empty or of a kind that cannot be translated for the chosen model.", param=path
        )

    def _add_cache_mark(self, parts: list[Part], point: types.CachePoint, path: str) -> None:
        mark = _read_cache_point(point)
        if parts and isinstance(parts[-1], _CACHEABLE):
            parts[-1] = msgspec.structs.replace(parts[-1], cache=mark)
        else:
            self.extras[f"{path}.cachePoint"] = mark

    def read_text(self, value: str, path: str) -> list[Part]:
        return [Text(value)]

    def read_image(self, value: types.Media, path: str) -> list[Part]:
        source = _check_source(value, path)
        media_type = media.IMAGE_TYPES.get(value.format, f"image/{value.format}")
        return [Image(url=_read_url(source), data=source.bytes or "", media_type=media_type)]

    def read_video(self, value: types.Media, path: str) -> list[Part]:
        source = _check_source(value, path)
        media_type = media.VIDEO_TYPES.get(value.format, f"video/{value.format}")
        return [File(url=_read_url(source), data=source.bytes or "", media_type=media_type)]

    def read_audio(self, value: types.Media, path: str) -> list[Part]:
        source = _check_source(value, path)
        media_type = media.AUDIO_TYPES.get(value.format, f"audio/{value.format}")
        return [Audio(url=_read_url(source), data=source.bytes or "", media_type=media_type)]

    def read_document(self, value: types.Media, path: str) -> list[Part]:
        source = _check_source(value, path)
        text = source.text if source.content is None else "\n\n".join(part.text for part in source.content)
        if value.context:
            self.extras[f"{path}.document.context"] = value.context
        media_type = media.DOCUMENT_TYPES.get(value.format, "text/plain" if text is not None else "")
        cite = value.citations is not None and value.citations.enabled
        return [File(_read_url(source), source.bytes or "", media_type, text or "", name=value.name, cite=cite)]

    def read_search_result(self, value: types.SearchResult, path: str) -> list[Part]:
        """Return a search result as a document: its source, then its text."""
        text = "\n\n".join([value.source, *(part.text for part in value.content)])
        cite = value.citations is not None and value.citations.enabled
        return [File(media_type="text/plain", text=text, name=value.title, cite=cite)]

    def read_tool_use(self, value: types.ToolUse, path: str) -> list[Part]:
        _refuse_provider_tool(value.type, path)
        arguments = "{}" if value.input is None else encode_json_text(value.input)
        return [ToolCall(value.tool_use_id, value.name, arguments)]

    def read_tool_result(self, value: types.ToolResult, path: str) -> list[Part]:
        _refuse_provider_tool(value.type, path)
        content = [
            self._read_result_block(block, f"{path}.toolResult.content.{index}")
            for index, block in enumerate(value.content)
        ]
        return [ToolResult(value.tool_use_id, tuple(content), error=value.status == "error")]

    def _read_result_block(self, block: types.ResultBlock, path: str) -> Text | Image | File:
        if block.text is not None:
            return Text(block.text)
        if block.json is not msgspec.UNSET:
            return Text(encode_json_text(block.json))
        for name in ("image", "document", "video", "search_result"):
            if (value := getattr(block, name)) is not None:
                (part,) = _PART_READERS[name](self, value, path)
                return part  # type: ignore[return-value]
        raise BadRequest(f"The content at {path} is empty or of an unknown kind.", param=path)

    def read_guard_content(self, value: types.GuardContent, path: str) -> list[Part]:
        self.extras[f"{path}.guardContent"] = True
        if value.image is not None:
            return self.read_image(value.image, path)
        return [Text(value.text.text if value.text else "")]

    def read_thinking(self, value: types.Reasoning, path: str) -> list[Part]:
        if value.redacted_content is not None:
            return [Thinking(redacted=value.redacted_content, wire=WIRE)]
        reasoning = value.reasoning_text or types.ReasoningText()
        if (foreign := unpack_signature(reasoning.signature)) is None:
            return [Thinking(reasoning.text, reasoning.signature or "", wire=WIRE)]
        identifier = foreign.call or foreign.id
        return [Thinking(reasoning.text, foreign.signature, foreign.redacted, identifier, foreign.wire)]

    def read_cited_text(self, value: types.CitationsContent, path: str) -> list[Part]:
        text = "".join(part.text for part in value.content)
        return [Text(text, citations=tuple(map(read_citation, value.citations)))]

    def _read_tools(self, config: types.ToolConfig | None) -> tuple[tuple[Tool, ...], ToolChoice | None]:
        if config is None:
            return (), None
        tools: list[Tool] = []
        for tool in config.tools:
            if tool.tool_spec is not None:
                spec = tool.tool_spec
                tools.append(Tool(spec.name, spec.description, spec.input_schema.json, spec.strict))
            elif tool.system_tool is not None:
                name = str(tool.system_tool.get("name"))
                tools.append(Tool(name, builtin={"systemTool": tool.system_tool}, wire=WIRE))
            elif tool.cache_point is not None and tools:
                tools[-1] = msgspec.structs.replace(tools[-1], cache=_read_cache_point(tool.cache_point))
        return tuple(tools), _read_choice(config.tool_choice)

    def _read_model_fields(self, body: types.ConverseRequest) -> tuple[int | None, Reasoning | None]:
        """Return top-k and reasoning out of ``additionalModelRequestFields``; the remaining fields go to ``extras``."""
        fields = dict(body.additional_model_request_fields or {})
        top_k = next((value for path in _TOP_K_PATHS if type(value := _take(fields, path)) is int), None)
        efforts = [body.output_config.effort if body.output_config else None]
        efforts += [_take(fields, path) for path in _EFFORT_PATHS]
        effort = next((value for value in efforts if type(value) is str), "")
        thinking = fields.pop("thinking", None)
        if fields.get("reasoningConfig") == {"type": "enabled"}:  # an effort implies it
            del fields["reasoningConfig"]
        if fields:
            self.extras[MODEL_FIELDS] = fields
        return top_k, _read_reasoning(thinking, _EFFORTS.get(effort, effort))


_PART_READERS: dict[str, Callable[[_Reader, Any, str], list[Part]]] = {
    "text": _Reader.read_text,
    "image": _Reader.read_image,
    "document": _Reader.read_document,
    "video": _Reader.read_video,
    "audio": _Reader.read_audio,
    "tool_use": _Reader.read_tool_use,
    "tool_result": _Reader.read_tool_result,
    "guard_content": _Reader.read_guard_content,
    "reasoning_content": _Reader.read_thinking,
    "citations_content": _Reader.read_cited_text,
    "search_result": _Reader.read_search_result,
}


def _restore_media(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """Return an assistant's parts in which each text that describes media is replaced by the media."""
    return tuple((read_markdown(part.text) or part) if type(part) is Text else part for part in parts)


def _read_cache_point(point: types.CachePoint) -> dict[str, Any]:
    return {"type": "ephemeral", "ttl": point.ttl} if point.ttl else {"type": "ephemeral"}


def _check_source(value: types.Media, path: str) -> types.Source:
    source = value.source
    if all(value is None for value in (source.bytes, source.s3_location, source.text, source.content)):
        raise BadRequest(f"The content at {path} has no source.", param=path)
    return source


def _read_url(source: types.Source) -> str:
    return source.s3_location.uri if source.s3_location else ""


def _refuse_provider_tool(tool_type: str | None, path: str) -> None:
    if tool_type is not None:
        raise BadRequest(
            f"The content at {path} is of a tool the provider runs; only its own models take it.", param=path
        )


def _sign_calls(parts: tuple[Part, ...], signatures: dict[str, str]) -> tuple[Part, ...]:
    """Move thought signatures from the blocks of reasoning that carried them to their tool calls."""
    signed_parts: list[Part] = []
    for part in parts:
        if type(part) is ToolCall and part.id in signatures:
            signed_parts.append(msgspec.structs.replace(part, signature=signatures[part.id]))
        elif not (type(part) is Thinking and part.id in signatures and not part.text):
            signed_parts.append(part)
    return tuple(signed_parts)


def _read_choice(choice: types.ToolChoice | None) -> ToolChoice | None:
    if choice is None:
        return None
    if choice.tool is not None:
        return ToolChoice("tool", (choice.tool.name,))
    return ToolChoice("auto" if choice.any is None else "required")


def _read_format(config: types.OutputConfig | None) -> Format | None:
    if config is None or config.text_format is None:
        return None
    json_schema = config.text_format.structure.json_schema
    try:
        schema = msgspec.json.decode(json_schema.schema)
    except (msgspec.DecodeError, RecursionError):
        schema = None
    if type(schema) is not dict:
        path = "outputConfig.textFormat.structure.jsonSchema.schema"
        raise BadRequest(f"`{path}` must be a JSON Schema object as text.", param=path)
    return Format("schema", schema, json_schema.name, description=json_schema.description)


def _read_reasoning(thinking: Any, effort: str) -> Reasoning | None:
    fields = thinking if type(thinking) is dict else {}
    budget = fields.get("budget_tokens")
    reasoning = Reasoning(
        effort="none" if fields.get("type") == "disabled" else effort,
        budget=budget if type(budget) is int else None,
        adaptive=fields.get("type") == "adaptive",
        summary="auto" if fields.get("display") == "summarized" else "",
    )
    return None if reasoning == Reasoning() else reasoning


def _take(fields: dict[str, Any], path: tuple[str, ...]) -> Any:
    """Take a value out of nested objects, which are copied first; remove the objects that become empty."""
    name, inner_path = path[0], path[1:]
    value = fields.get(name)
    if not inner_path:
        return fields.pop(name, None)
    if type(value) is not dict:
        return None
    inner = dict(value)
    taken_value = _take(inner, inner_path)
    fields[name] = inner
    if not inner:
        del fields[name]
    return taken_value
