"""Reads ``contents`` into neutral messages: parts, turns, and the ids that match results to calls.

Calls may come without ids; a result then belongs to the oldest call of its name that has no result yet. A streaming
client may send one turn as several contents; they become one message.
"""

from collections import deque
from typing import Any, Literal

from antiphon.errors import BadRequest
from antiphon.wires.gemini.media import read_inline, read_uri
from antiphon.wires.gemini.request_types import Content, FunctionCall, FunctionResponse, Part
from antiphon.wires.gemini.signatures import WIRE, unseal
from antiphon.wires.json_text import encode_json_text
from antiphon.wires.translation.neutral import Audio, File, Image, Message, Text, Thinking, ToolCall, ToolResult
from antiphon.wires.translation.neutral import Part as NeutralPart

_ROLES: dict[str | None, Literal["user", "assistant"]] = {
    None: "user", "": "user", "user": "user", "function": "user", "tool": "user", "model": "assistant",
}  # fmt: skip
_RESPONSE_FIELDS = {"scheduling": "scheduling", "will_continue": "willContinue"}
_TOOL_FIELDS = ("executable_code", "code_execution_result", "tool_call", "tool_response")


_CONTENT_FIELDS = ("inline_data", "file_data", "function_call", "function_response", *_TOOL_FIELDS)


class ContentReader:
    """Reads the contents of one request; ``extras`` collects the fields that no other wire has."""

    def __init__(self) -> None:
        self.extras: dict[str, Any] = {}
        self._pending_calls: dict[str, deque[str]] = {}
        self._calls = 0
        self._used_ids: set[str] = set()

    def read(self, contents: list[Content]) -> tuple[Message, ...]:
        """Return the messages; raises :class:`~antiphon.errors.BadRequest` naming the field at fault."""
        messages: list[Message] = []
        all_parts = [part for content in contents for part in content.parts or ()]
        self._used_ids = {part.function_call.id for part in all_parts if part.function_call is not None}
        for index, content in enumerate(contents):
            path = f"contents[{index}]"
            if content.role not in _ROLES:
                raise BadRequest(f"`{path}.role` is {content.role!r}; expected user or model.", param=f"{path}.role")
            role = _ROLES[content.role]
            parts: list[NeutralPart] = []
            for number, part in enumerate(content.parts or ()):
                parts += self._read_part(part, role, f"{path}.parts[{number}]")
            if messages and _is_continuation(messages[-1], role, parts):
                parts = [*messages.pop().parts, *parts]
            messages.append(Message(role, tuple(_join_texts(parts) if role == "assistant" else parts)))
        if not any(message.parts for message in messages):
            raise BadRequest("`contents` must hold at least one part that says something.", param="contents")
        return tuple(messages)

    def _read_part(self, part: Part, role: str, path: str) -> list[NeutralPart]:
        if bool(part.text) + sum(getattr(part, name) is not None for name in _CONTENT_FIELDS) > 1:
            raise BadRequest(f"`{path}` holds several contents; a part holds one of them.", param=path)
        if part.video_metadata is not None:
            self.extras["videoMetadata"] = part.video_metadata
        if part.function_call is not None:
            return [self._read_call(part.function_call, part.thought_signature or "")]
        if part.function_response is not None:
            return [self._read_result(part.function_response, path)]
        if part.inline_data is not None or part.file_data is not None:
            return [_read_media(part), *_read_signature(part)]
        if part.text is not None:
            return _read_text(part, role)
        name = next((name for name in _TOOL_FIELDS if getattr(part, name) is not None), None)
        if name is not None:
            title = name.title().replace("_", "")
            field = f"{path}.{title[0].lower()}{title[1:]}"
            raise BadRequest(
                f"`{field}` comes from the provider's own tools; only models of this wire accept it.", param=field
            )
        if part.thought_signature:
            return _read_signature(part)
        expected = "text, inlineData, fileData, functionCall or functionResponse"
        raise BadRequest(f"`{path}` holds none of {expected}.", param=path)

    def _read_call(self, call: FunctionCall, signature: str) -> ToolCall:
        call_id = call.id
        while not call_id or (call_id is not call.id and call_id in self._used_ids):
            self._calls += 1
            call_id = f"call_{self._calls}"
        self._pending_calls.setdefault(call.name, deque()).append(call_id)
        return ToolCall(call_id, call.name, encode_json_text(call.args) if call.args else "{}", signature)

    def _read_result(self, result: FunctionResponse, path: str) -> ToolResult:
        for call_id in _RESPONSE_FIELDS:
            if (value := getattr(result, call_id)) is not None:
                self.extras[f"functionResponse.{_RESPONSE_FIELDS[call_id]}"] = value
        waiting = self._pending_calls.get(result.name) or deque()
        if result.id:
            if result.id in waiting:
                waiting.remove(result.id)
            call_id = result.id
        elif waiting:
            call_id = waiting.popleft()
        else:
            field = f"{path}.functionResponse.name"
            raise BadRequest(
                f"`{field}` answers {result.name!r}, which no functionCall before it asked for.", param=field
            )
        text, is_error = _read_response(result.response)
        parts: list[Text | Image | File | Audio] = [Text(text)] if text is not None else []
        parts += [_read_media(part) for part in result.parts or ()]
        return ToolResult(call_id, tuple(parts), name=result.name, error=is_error)


def _read_response(response: dict[str, Any] | None) -> tuple[str | None, bool]:
    """Return a function's response as text, and whether it is an error (API reference, "FunctionResponse")."""
    if not response:
        return None, False
    if response.keys() == {"output"} or response.keys() == {"error"}:
        key, value = next(iter(response.items()))
        return value if type(value) is str else encode_json_text(value), key == "error"
    return encode_json_text(response), False


def _read_media(part: Any) -> Image | Audio | File:
    resolution = part.media_resolution if isinstance(part, Part) else None
    if (blob := part.inline_data) is not None:
        return read_inline(blob.mime_type, blob.data, blob.display_name, resolution)
    if (file := part.file_data) is not None:
        return read_uri(file.mime_type, file.file_uri, file.display_name, resolution)
    raise BadRequest("A part of a functionResponse holds neither inlineData nor fileData.", param="functionResponse")


def _read_text(part: Part, role: str) -> list[NeutralPart]:
    text = part.text or ""
    if part.thought:
        thinking = unseal(part.thought_signature, text) if part.thought_signature else Thinking(text, wire=WIRE)
        return [thinking]
    return [*([Text(text)] if text or role == "user" else []), *_read_signature(part)]


def _read_signature(part: Part) -> list[NeutralPart]:
    """Return the signature of a part that is not a thought, as an empty thought after the part."""
    return [unseal(part.thought_signature, "")] if part.thought_signature else []


def _is_continuation(previous: Message, role: str, parts: list[NeutralPart]) -> bool:
    if previous.role != role:
        return False
    return role == "assistant" or all(isinstance(part, ToolResult) for part in (*previous.parts, *parts))


def _join_texts(parts: list[NeutralPart]) -> list[NeutralPart]:
    """Join the pieces of a stream: consecutive texts, and thoughts up to the one with the signature."""
    merged: list[NeutralPart] = []
    for part in parts:
        last = merged[-1] if merged else None
        if isinstance(part, Text) and isinstance(last, Text):
            merged[-1] = Text(last.text + part.text)
        elif isinstance(part, Thinking) and isinstance(last, Thinking) and last.text and not _has_signature(last):
            merged[-1] = Thinking(last.text + part.text, part.signature, part.redacted, part.id, part.wire)
        else:
            merged.append(part)
    return merged


def _has_signature(thinking: Thinking) -> bool:
    return bool(thinking.signature or thinking.redacted or thinking.id)
