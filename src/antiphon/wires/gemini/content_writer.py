"""Writes neutral messages as ``contents``: results follow their calls, and signatures are on their parts."""

from typing import Any

import msgspec

from antiphon.errors import BadRequest
from antiphon.wires.gemini.media import write_media
from antiphon.wires.gemini.signatures import UNSIGNED_CALL, WIRE
from antiphon.wires.translation.neutral import (
    Audio,
    File,
    Image,
    Message,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)

_ROLES = {"user": "user", "assistant": "model"}


class ContentWriter:
    """Writes the messages of one request; collects the ``system`` texts and the names of ``dropped`` fields."""

    def __init__(self, *, results_hold_media: bool) -> None:
        self._results_hold_media = results_hold_media
        self.system: list[Text] = []
        self.dropped: dict[str, None] = {}
        self._names: dict[str, str] = {}
        self._beside: list[dict[str, Any]] = []

    def write(self, messages: tuple[Message, ...]) -> list[dict[str, Any]]:
        """Return the contents; raises :class:`~antiphon.errors.BadRequest` for a message that this wire cannot take."""
        contents: list[dict[str, Any]] = []
        for message in messages:
            self._note(message)
            if message.role == "system":
                self.system += [part for part in message.parts if isinstance(part, Text)]
            elif message.role == "assistant":
                self._flush_media(contents)
                _append(contents, "model", self._write_model_parts(message.parts))
            else:
                results = [self._write_result(part) for part in message.parts if isinstance(part, ToolResult)]
                if results and contents and _has_only_results(contents[-1]):
                    contents[-1]["parts"] += results
                else:
                    _append(contents, "user", results)
                parts = [self._write_part(part) for part in message.parts if not isinstance(part, ToolResult)]
                self._beside += self._list_result_media(message.parts)
                if parts:
                    parts = [*self._beside, *parts]
                    self._beside.clear()
                _append(contents, "user", parts)
        self._flush_media(contents)
        return contents

    def _note(self, message: Message) -> None:
        if message.name:
            self.dropped["name"] = None
        for part in message.parts:
            if isinstance(part, Image) and part.detail not in ("", "auto"):
                self.dropped["detail"] = None
            if isinstance(part, File) and part.name:
                self.dropped["filename"] = None

    def _write_part(self, part: Part) -> dict[str, Any]:
        if isinstance(part, (Text, Refusal)):
            return {"text": part.text}
        if isinstance(part, (Image, File, Audio)):
            return write_media(part)
        raise BadRequest("A message of the user may not hold what the model thinks or calls.", param="messages")

    def _write_model_parts(self, parts: tuple[Part, ...]) -> list[dict[str, Any]]:
        parts_written: list[dict[str, Any]] = []
        signature = ""  # of an empty thought; it belongs to the call after it or the part before it
        has_call = False
        for part in parts:
            if isinstance(part, ToolCall):
                if signature and part.signature:
                    _attach(parts_written, signature)
                call_signature = part.signature or signature or ("" if has_call else UNSIGNED_CALL)
                parts_written.append(self._write_call(part, call_signature))
                signature, has_call = "", True
                continue
            if signature:
                _attach(parts_written, signature)
                signature = ""
            if not isinstance(part, Thinking):
                parts_written.append(self._write_part(part))
            elif part.wire == WIRE and part.text:
                parts_written.append({"text": part.text, "thought": True, **_write_signature(part.signature)})
            elif part.wire == WIRE:
                signature = part.signature
        if signature:
            _attach(parts_written, signature)
        return parts_written

    def _write_call(self, call: ToolCall, signature: str) -> dict[str, Any]:
        self._names[call.id] = call.name
        try:
            arguments = msgspec.json.decode(call.arguments or "{}")
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            arguments = None
        if type(arguments) is not dict:
            raise BadRequest(
                f"The arguments of the call {call.id!r} to {call.name!r} must be a JSON object.", param="messages"
            )
        function: dict[str, Any] = {"name": call.name, "args": msgspec.Raw((call.arguments or "{}").encode())}
        if call.id:
            function["id"] = call.id
        return {"functionCall": function, **_write_signature(signature)}

    def _write_result(self, result: ToolResult) -> dict[str, Any]:
        name = result.name or self._names.get(result.id, "")
        if not name:
            raise BadRequest(
                f"A tool's result answers the call {result.id!r}, which no message before it made.", param="messages"
            )
        texts = [part.text for part in result.parts if isinstance(part, Text)]
        answer = {("error" if result.error else "output"): "\n".join(texts)}
        function: dict[str, Any] = {"name": name, "response": answer}
        if result.id:
            function["id"] = result.id
        if self._results_hold_media and (media := _write_result_media(result)):
            function["parts"] = media
        return {"functionResponse": function}

    def _flush_media(self, contents: list[dict[str, Any]]) -> None:
        """Add the media of tool results once all results are written, because results must come in one turn."""
        _append(contents, "user", list(self._beside))
        self._beside.clear()

    def _list_result_media(self, parts: tuple[Part, ...]) -> list[dict[str, Any]]:
        """Return the media of tool results, if the model's results cannot hold media."""
        if self._results_hold_media:
            return []
        return [media for part in parts if isinstance(part, ToolResult) for media in _write_result_media(part)]


def _write_result_media(result: ToolResult) -> list[dict[str, Any]]:
    return [write_media(part) for part in result.parts if not isinstance(part, Text)]


def _write_signature(signature: str) -> dict[str, str]:
    return {"thoughtSignature": signature} if signature else {}


def _attach(parts: list[dict[str, Any]], signature: str) -> None:
    """Put a signature on the part before it, or on an empty text, as streams do."""
    last: dict[str, Any] = parts[-1] if parts else {"thought": True}
    if not last.keys() & {"thought", "functionCall", "thoughtSignature"}:
        last["thoughtSignature"] = signature
    else:
        parts.append({"text": "", "thoughtSignature": signature})


def _append(contents: list[dict[str, Any]], role: str, parts: list[dict[str, Any]]) -> None:
    if parts:
        contents.append({"role": role, "parts": parts})


def _has_only_results(content: dict[str, Any]) -> bool:
    return content["role"] == "user" and all("functionResponse" in part for part in content["parts"])
