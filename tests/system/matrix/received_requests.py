"""What a provider received, read from the exact bytes of the request by each wire's public reference.

Written by hand and apart from the gateway's codecs, so that it can prove them.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class ReceivedRequest:
    """A request without the terms of any one wire. ``media`` has (image or file, URL or base64 data)."""

    raw: bytes = b""
    system: str = ""
    turns: list[tuple[str, str]] = field(default_factory=list)
    media: list[tuple[str, str]] = field(default_factory=list)
    tools: dict[str, list[str]] = field(default_factory=dict)
    """Names, and the names of their parameters."""
    choice: str = ""
    parallel: bool | None = None
    schema: Any = None
    max_tokens: int | None = None
    stop: list[str] = field(default_factory=list)
    temperature: float | None = None
    top_k: int | None = None
    seed: int | None = None
    user: str = ""
    cached: bool = False
    json: bool = False
    metadata: dict[str, str] = field(default_factory=dict)
    n: int = 1
    penalty: float | None = None
    logprobs: bool = False
    calls: list[tuple[str, Any]] = field(default_factory=list)
    results: list[tuple[str, bool, bool]] = field(default_factory=list)
    """Text, whether it is marked as an error, whether it has an image."""
    paired: bool = True
    """Each result has the identifier of its call."""
    thinking: list[str] = field(default_factory=list)
    signed: bool = False
    """The signature of the thinking returned, on wires that have one."""

    def add_turn(self, role: str, text: str) -> None:
        if text:
            self.turns.append((role, text))


def read_request(operation: str, body: bytes) -> ReceivedRequest:
    received = ReceivedRequest(raw=body)
    _READERS[operation](received, json.loads(body))
    return received


def _list_parameters(schema: Any) -> list[str]:
    return sorted((schema or {}).get("properties") or ())


def _add_media(received: ReceivedRequest, kind: str, url: str) -> None:
    received.media.append((kind, url.partition("base64,")[2] if url.startswith("data:") else url))


# Chat completions


def _read_chat(received: ReceivedRequest, body: Any) -> None:
    ids = []
    for message in body["messages"]:
        if message["role"] in ("system", "developer"):
            received.system += _get_chat_text(message["content"])
            continue
        if message["role"] == "tool":
            received.results.append((_get_chat_text(message["content"]), False, False))
            received.paired = received.paired and message["tool_call_id"] in ids
            continue
        received.add_turn(message["role"], _get_chat_text(message.get("content")))
        for part in message["content"] if isinstance(message.get("content"), list) else ():
            if part["type"] == "image_url":
                _add_media(received, "image", part["image_url"]["url"])
            elif part["type"] == "file":
                _add_media(received, "file", part["file"].get("file_data") or part["file"]["file_id"])
            elif part["type"] == "input_audio":
                received.media.append((part["input_audio"]["format"], part["input_audio"]["data"]))
        for call in message.get("tool_calls") or ():
            ids.append(call["id"])
            received.calls.append((call["function"]["name"], json.loads(call["function"]["arguments"])))
        if message.get("reasoning_content"):
            received.thinking.append(message["reasoning_content"])
            received.signed = True  # this wire has no signatures
    for tool in body.get("tools") or ():
        received.tools[tool["function"]["name"]] = _list_parameters(tool["function"].get("parameters"))
    choice = body.get("tool_choice") or ""
    received.choice = choice if isinstance(choice, str) else choice["function"]["name"]
    received.parallel = body.get("parallel_tool_calls")
    form = body.get("response_format") or {}
    received.schema = form.get("json_schema", {}).get("schema")
    received.json, received.metadata = form.get("type") == "json_object", body.get("metadata") or {}
    received.n, received.penalty = body.get("n", 1), body.get("presence_penalty")
    received.max_tokens = body.get("max_completion_tokens") or body.get("max_tokens")
    stop = body.get("stop") or []
    received.stop = [stop] if isinstance(stop, str) else stop
    received.temperature, received.top_k, received.seed = body.get("temperature"), body.get("top_k"), body.get("seed")
    received.user = body.get("user") or body.get("safety_identifier") or ""
    received.logprobs = bool(body.get("logprobs"))


def _get_chat_text(content: Any) -> str:
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return content or ""


# Responses


def _read_responses(received: ReceivedRequest, body: Any) -> None:
    ids: list[str] = []
    received.system = body.get("instructions") or ""
    items = body["input"]
    for item in [{"role": "user", "content": items}] if isinstance(items, str) else items:
        kind = item.get("type", "message")
        if kind == "message":
            _read_responses_message(received, item)
        elif kind == "function_call":
            ids.append(item["call_id"])
            received.calls.append((item["name"], json.loads(item["arguments"])))
        elif kind == "function_call_output":
            output = item["output"] if isinstance(item["output"], list) else [{"text": item["output"]}]
            text = "".join(part.get("text", "") for part in output)
            received.results.append((text, False, any(part.get("type") == "input_image" for part in output)))
            received.paired = received.paired and item["call_id"] in ids
        elif kind == "reasoning":
            received.thinking.append("".join(part["text"] for part in item["summary"]))
            received.signed = bool(item.get("encrypted_content"))
    for tool in body.get("tools") or ():
        received.tools[tool["name"]] = _list_parameters(tool.get("parameters"))
    choice = body.get("tool_choice") or ""
    received.choice = choice if isinstance(choice, str) else choice["name"]
    received.parallel = body.get("parallel_tool_calls")
    form = (body.get("text") or {}).get("format", {})
    received.schema, received.json = form.get("schema"), form.get("type") == "json_object"
    received.metadata = body.get("metadata") or {}
    received.max_tokens, received.temperature = body.get("max_output_tokens"), body.get("temperature")
    received.user = body.get("user") or body.get("safety_identifier") or ""
    received.logprobs = "message.output_text.logprobs" in (body.get("include") or ())


def _read_responses_message(received: ReceivedRequest, item: Any) -> None:
    content = item["content"] if isinstance(item["content"], list) else [{"text": item["content"]}]
    text = "".join(part.get("text", "") for part in content)
    if item["role"] in ("system", "developer"):
        received.system += text
        return
    received.add_turn(item["role"], text)
    for part in content:
        if part.get("type") == "input_image":
            _add_media(received, "image", part["image_url"])
        elif part.get("type") == "input_file":
            _add_media(received, "file", part.get("file_data") or part.get("file_url") or part["file_id"])
        elif part.get("type") == "input_audio":
            received.media.append((part["input_audio"]["format"], part["input_audio"]["data"]))


# Messages


def _read_messages(received: ReceivedRequest, body: Any) -> None:
    ids: list[str] = []
    system = body.get("system") or ""
    received.system = system if isinstance(system, str) else "".join(block["text"] for block in system)
    for message in body["messages"]:
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        received.add_turn(message["role"], "".join(block["text"] for block in blocks if block["type"] == "text"))
        for block in blocks:
            if block["type"] in ("image", "document"):
                source = block["source"]
                kind = "image" if block["type"] == "image" else "file"
                received.media.append((kind, source.get("data") or source.get("url") or source["file_id"]))
            elif block["type"] == "tool_use":
                ids.append(block["id"])
                received.calls.append((block["name"], block["input"]))
            elif block["type"] == "tool_result":
                inner = block.get("content") or []
                inner = [{"type": "text", "text": inner}] if isinstance(inner, str) else inner
                text = "".join(part.get("text", "") for part in inner)
                image = any(part["type"] == "image" for part in inner)
                received.results.append((text, bool(block.get("is_error")), image))
                received.paired = received.paired and block["tool_use_id"] in ids
            elif block["type"] == "thinking":
                received.thinking.append(block["thinking"])
                received.signed = bool(block["signature"])
    for tool in body.get("tools") or ():
        received.tools[tool["name"]] = _list_parameters(tool["input_schema"])
    choice = body.get("tool_choice") or {}
    received.choice = {"any": "required", "tool": choice.get("name")}.get(choice.get("type"), choice.get("type", ""))
    if "disable_parallel_tool_use" in choice:
        received.parallel = not choice["disable_parallel_tool_use"]
    received.schema = (body.get("output_config") or {}).get("format", {}).get("schema")
    received.max_tokens, received.stop = body["max_tokens"], body.get("stop_sequences") or []
    received.temperature, received.top_k = body.get("temperature"), body.get("top_k")
    received.user = (body.get("metadata") or {}).get("user_id") or ""
    last = body["messages"][-1]["content"]
    received.cached = isinstance(last, list) and "cache_control" in last[-1]


# Gemini


def _read_generate(received: ReceivedRequest, body: Any) -> None:
    ids: list[str] = []
    system = body.get("systemInstruction") or {}
    received.system = "".join(part["text"] for part in system.get("parts") or ())
    roles = {"user": "user", "model": "assistant"}
    for content in body["contents"]:
        parts = content["parts"]
        role = roles[content.get("role", "user")]
        received.add_turn(role, "".join(part.get("text", "") for part in parts if not part.get("thought")))
        for part in parts:
            if part.get("thought"):
                received.thinking.append(part.get("text", ""))
            if data := part.get("inlineData") or part.get("fileData"):
                media = data.get("mimeType") or data.get("mime_type") or "image/"  # protobuf JSON allows both spellings
                place = data.get("data") or data.get("fileUri") or data["file_uri"]
                kinds = {"image": "image", "audio": "wav"}
                received.media.append((kinds.get(media.partition("/")[0], "file"), place))
            if call := part.get("functionCall"):
                ids.append(call.get("id") or call["name"])
                received.calls.append((call["name"], call.get("args") or {}))
                proof = part.get("thoughtSignature") or part.get("thought_signature")
                received.signed = received.signed or (bool(proof) and proof != "skip_thought_signature_validator")
            if result := part.get("functionResponse"):
                _read_generate_result(received, result, ids)
    for tool in body.get("tools") or ():
        for each in tool.get("functionDeclarations") or ():
            received.tools[each["name"]] = _list_parameters(
                each.get("parameters") or each.get("parametersJsonSchema") or each.get("parameters_json_schema")
            )
    config = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    modes = {"AUTO": "auto", "ANY": "required", "NONE": "none"}
    received.choice = (config.get("allowedFunctionNames") or [modes.get(config.get("mode", ""), "")])[0]
    config_fields = body.get("generationConfig") or {}
    received.schema = config_fields.get("responseJsonSchema") or config_fields.get("responseSchema")
    received.max_tokens, received.stop = config_fields.get("maxOutputTokens"), config_fields.get("stopSequences") or []
    received.temperature, received.top_k, received.seed = (
        config_fields.get("temperature"),
        config_fields.get("topK"),
        config_fields.get("seed"),
    )
    received.logprobs = bool(config_fields.get("responseLogprobs"))
    received.json = config_fields.get("responseMimeType") == "application/json"
    received.n, received.penalty = config_fields.get("candidateCount", 1), config_fields.get("presencePenalty")


def _read_generate_result(received: ReceivedRequest, result: Any, ids: list[str]) -> None:
    response = result["response"]
    error = "error" in response
    value = response.get("error" if error else "output", response)
    text = value if isinstance(value, str) else json.dumps(value)
    received.results.append((text, error, bool(result.get("parts"))))
    received.paired = received.paired and (result.get("id") or result["name"]) in ids


# Converse


def _read_converse(received: ReceivedRequest, body: Any) -> None:
    ids: list[str] = []
    received.system = "".join(block.get("text", "") for block in body.get("system") or ())
    for message in body["messages"]:
        blocks = message["content"]
        received.add_turn(message["role"], "".join(block.get("text", "") for block in blocks))
        for block in blocks:
            if media := block.get("image") or block.get("document"):
                received.media.append(("image" if "image" in block else "file", media["source"]["bytes"]))
            if sound := block.get("audio"):
                received.media.append((sound["format"], sound["source"]["bytes"]))
            if call := block.get("toolUse"):
                ids.append(call["toolUseId"])
                received.calls.append((call["name"], call["input"]))
            if result := block.get("toolResult"):
                inner = result["content"]
                text = "".join(part.get("text", "") or json.dumps(part.get("json", "")).strip('"') for part in inner)
                image = any("image" in part for part in inner)
                received.results.append((text, result.get("status") == "error", image))
                received.paired = received.paired and result["toolUseId"] in ids
            if "reasoningContent" in block:
                thought = block["reasoningContent"]["reasoningText"]
                received.thinking.append(thought["text"])
                received.signed = bool(thought.get("signature"))
    config = body.get("toolConfig") or {}
    for tool in config.get("tools") or ():
        if "toolSpec" in tool:
            received.tools[tool["toolSpec"]["name"]] = _list_parameters(tool["toolSpec"]["inputSchema"]["json"])
    choice = config.get("toolChoice") or {}
    received.choice = next(
        ({"any": "required", "tool": value.get("name")}.get(kind, kind) for kind, value in choice.items()), ""
    )
    received.cached = "cachePoint" in body["messages"][-1]["content"][-1]
    received.metadata = body.get("requestMetadata") or {}
    received.user = received.metadata.get("user", "")
    config_fields = body.get("inferenceConfig") or {}
    received.max_tokens, received.stop = config_fields.get("maxTokens"), config_fields.get("stopSequences") or []
    received.temperature = config_fields.get("temperature")
    received.top_k = (body.get("additionalModelRequestFields") or {}).get("top_k")
    form = (body.get("outputConfig") or {}).get("textFormat", {}).get("structure", {}).get("jsonSchema", {})
    received.schema = json.loads(form["schema"]) if form else None


_READERS: dict[str, Callable[[ReceivedRequest, Any], None]] = {
    "chat": _read_chat,
    "responses": _read_responses,
    "messages": _read_messages,
    "generate": _read_generate,
    "converse": _read_converse,
}
