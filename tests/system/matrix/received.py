"""What a provider received, read from the exact bytes of the request by each wire's public reference.

Written by hand and apart from the gateway's codecs, so that it can prove them.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Got:
    """The request in words of no wire. ``media`` are (image or file, URL or base64 data)."""

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
    """Text, whether it is said to be an error, whether it has an image."""
    paired: bool = True
    """Each result has the identifier of its call."""
    thinking: list[str] = field(default_factory=list)
    signed: bool = False
    """The proof of the thinking came back, where this wire has it."""

    def say(self, role: str, text: str) -> None:
        if text:
            self.turns.append((role, text))


def received(operation: str, body: bytes) -> Got:
    got = Got(raw=body)
    _READERS[operation](got, json.loads(body))
    return got


def _names(schema: Any) -> list[str]:
    return sorted((schema or {}).get("properties") or ())


def _media(got: Got, kind: str, url: str) -> None:
    got.media.append((kind, url.partition("base64,")[2] if url.startswith("data:") else url))


# Chat completions


def _chat(got: Got, body: Any) -> None:
    ids = []
    for message in body["messages"]:
        if message["role"] in ("system", "developer"):
            got.system += _chat_text(message["content"])
            continue
        if message["role"] == "tool":
            got.results.append((_chat_text(message["content"]), False, False))
            got.paired = got.paired and message["tool_call_id"] in ids
            continue
        got.say(message["role"], _chat_text(message.get("content")))
        for part in message["content"] if isinstance(message.get("content"), list) else ():
            if part["type"] == "image_url":
                _media(got, "image", part["image_url"]["url"])
            elif part["type"] == "file":
                _media(got, "file", part["file"].get("file_data") or part["file"]["file_id"])
            elif part["type"] == "input_audio":
                got.media.append((part["input_audio"]["format"], part["input_audio"]["data"]))
        for call in message.get("tool_calls") or ():
            ids.append(call["id"])
            got.calls.append((call["function"]["name"], json.loads(call["function"]["arguments"])))
        if message.get("reasoning_content"):
            got.thinking.append(message["reasoning_content"])
            got.signed = True  # nothing is signed on this wire
    for tool in body.get("tools") or ():
        got.tools[tool["function"]["name"]] = _names(tool["function"].get("parameters"))
    choice = body.get("tool_choice") or ""
    got.choice = choice if isinstance(choice, str) else choice["function"]["name"]
    got.parallel = body.get("parallel_tool_calls")
    form = body.get("response_format") or {}
    got.schema = form.get("json_schema", {}).get("schema")
    got.json, got.metadata = form.get("type") == "json_object", body.get("metadata") or {}
    got.n, got.penalty = body.get("n", 1), body.get("presence_penalty")
    got.max_tokens = body.get("max_completion_tokens") or body.get("max_tokens")
    stop = body.get("stop") or []
    got.stop = [stop] if isinstance(stop, str) else stop
    got.temperature, got.top_k, got.seed = body.get("temperature"), body.get("top_k"), body.get("seed")
    got.user = body.get("user") or body.get("safety_identifier") or ""
    got.logprobs = bool(body.get("logprobs"))


def _chat_text(content: Any) -> str:
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return content or ""


# Responses


def _responses(got: Got, body: Any) -> None:
    ids: list[str] = []
    got.system = body.get("instructions") or ""
    given = body["input"]
    for item in [{"role": "user", "content": given}] if isinstance(given, str) else given:
        kind = item.get("type", "message")
        if kind == "message":
            _responses_message(got, item)
        elif kind == "function_call":
            ids.append(item["call_id"])
            got.calls.append((item["name"], json.loads(item["arguments"])))
        elif kind == "function_call_output":
            output = item["output"] if isinstance(item["output"], list) else [{"text": item["output"]}]
            text = "".join(part.get("text", "") for part in output)
            got.results.append((text, False, any(part.get("type") == "input_image" for part in output)))
            got.paired = got.paired and item["call_id"] in ids
        elif kind == "reasoning":
            got.thinking.append("".join(part["text"] for part in item["summary"]))
            got.signed = bool(item.get("encrypted_content"))
    for tool in body.get("tools") or ():
        got.tools[tool["name"]] = _names(tool.get("parameters"))
    choice = body.get("tool_choice") or ""
    got.choice = choice if isinstance(choice, str) else choice["name"]
    got.parallel = body.get("parallel_tool_calls")
    form = (body.get("text") or {}).get("format", {})
    got.schema, got.json = form.get("schema"), form.get("type") == "json_object"
    got.metadata = body.get("metadata") or {}
    got.max_tokens, got.temperature = body.get("max_output_tokens"), body.get("temperature")
    got.user = body.get("user") or body.get("safety_identifier") or ""
    got.logprobs = "message.output_text.logprobs" in (body.get("include") or ())


def _responses_message(got: Got, item: Any) -> None:
    content = item["content"] if isinstance(item["content"], list) else [{"text": item["content"]}]
    text = "".join(part.get("text", "") for part in content)
    if item["role"] in ("system", "developer"):
        got.system += text
        return
    got.say(item["role"], text)
    for part in content:
        if part.get("type") == "input_image":
            _media(got, "image", part["image_url"])
        elif part.get("type") == "input_file":
            _media(got, "file", part.get("file_data") or part.get("file_url") or part["file_id"])
        elif part.get("type") == "input_audio":
            got.media.append((part["input_audio"]["format"], part["input_audio"]["data"]))


# Messages


def _messages(got: Got, body: Any) -> None:
    ids: list[str] = []
    system = body.get("system") or ""
    got.system = system if isinstance(system, str) else "".join(block["text"] for block in system)
    for message in body["messages"]:
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        got.say(message["role"], "".join(block["text"] for block in blocks if block["type"] == "text"))
        for block in blocks:
            if block["type"] in ("image", "document"):
                source = block["source"]
                kind = "image" if block["type"] == "image" else "file"
                got.media.append((kind, source.get("data") or source.get("url") or source["file_id"]))
            elif block["type"] == "tool_use":
                ids.append(block["id"])
                got.calls.append((block["name"], block["input"]))
            elif block["type"] == "tool_result":
                inner = block.get("content") or []
                inner = [{"type": "text", "text": inner}] if isinstance(inner, str) else inner
                text = "".join(part.get("text", "") for part in inner)
                image = any(part["type"] == "image" for part in inner)
                got.results.append((text, bool(block.get("is_error")), image))
                got.paired = got.paired and block["tool_use_id"] in ids
            elif block["type"] == "thinking":
                got.thinking.append(block["thinking"])
                got.signed = bool(block["signature"])
    for tool in body.get("tools") or ():
        got.tools[tool["name"]] = _names(tool["input_schema"])
    choice = body.get("tool_choice") or {}
    got.choice = {"any": "required", "tool": choice.get("name")}.get(choice.get("type"), choice.get("type", ""))
    if "disable_parallel_tool_use" in choice:
        got.parallel = not choice["disable_parallel_tool_use"]
    got.schema = (body.get("output_config") or {}).get("format", {}).get("schema")
    got.max_tokens, got.stop = body["max_tokens"], body.get("stop_sequences") or []
    got.temperature, got.top_k = body.get("temperature"), body.get("top_k")
    got.user = (body.get("metadata") or {}).get("user_id") or ""
    last = body["messages"][-1]["content"]
    got.cached = isinstance(last, list) and "cache_control" in last[-1]


# Gemini


def _generate(got: Got, body: Any) -> None:
    ids: list[str] = []
    system = body.get("systemInstruction") or {}
    got.system = "".join(part["text"] for part in system.get("parts") or ())
    roles = {"user": "user", "model": "assistant"}
    for content in body["contents"]:
        parts = content["parts"]
        role = roles[content.get("role", "user")]
        got.say(role, "".join(part.get("text", "") for part in parts if not part.get("thought")))
        for part in parts:
            if part.get("thought"):
                got.thinking.append(part.get("text", ""))
            if data := part.get("inlineData") or part.get("fileData"):
                media = data.get("mimeType") or data.get("mime_type") or "image/"  # either form is JSON of a proto
                place = data.get("data") or data.get("fileUri") or data["file_uri"]
                kinds = {"image": "image", "audio": "wav"}
                got.media.append((kinds.get(media.partition("/")[0], "file"), place))
            if call := part.get("functionCall"):
                ids.append(call.get("id") or call["name"])
                got.calls.append((call["name"], call.get("args") or {}))
                proof = part.get("thoughtSignature") or part.get("thought_signature")
                got.signed = got.signed or (bool(proof) and proof != "skip_thought_signature_validator")
            if result := part.get("functionResponse"):
                _generate_result(got, result, ids)
    for tool in body.get("tools") or ():
        for each in tool.get("functionDeclarations") or ():
            got.tools[each["name"]] = _names(
                each.get("parameters") or each.get("parametersJsonSchema") or each.get("parameters_json_schema")
            )
    config = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    modes = {"AUTO": "auto", "ANY": "required", "NONE": "none"}
    got.choice = (config.get("allowedFunctionNames") or [modes.get(config.get("mode", ""), "")])[0]
    made = body.get("generationConfig") or {}
    got.schema = made.get("responseJsonSchema") or made.get("responseSchema")
    got.max_tokens, got.stop = made.get("maxOutputTokens"), made.get("stopSequences") or []
    got.temperature, got.top_k, got.seed = made.get("temperature"), made.get("topK"), made.get("seed")
    got.logprobs = bool(made.get("responseLogprobs"))
    got.json = made.get("responseMimeType") == "application/json"
    got.n, got.penalty = made.get("candidateCount", 1), made.get("presencePenalty")


def _generate_result(got: Got, result: Any, ids: list[str]) -> None:
    response = result["response"]
    error = "error" in response
    told = response.get("error" if error else "output", response)
    text = told if isinstance(told, str) else json.dumps(told)
    got.results.append((text, error, bool(result.get("parts"))))
    got.paired = got.paired and (result.get("id") or result["name"]) in ids


# Converse


def _converse(got: Got, body: Any) -> None:
    ids: list[str] = []
    got.system = "".join(block.get("text", "") for block in body.get("system") or ())
    for message in body["messages"]:
        blocks = message["content"]
        got.say(message["role"], "".join(block.get("text", "") for block in blocks))
        for block in blocks:
            if media := block.get("image") or block.get("document"):
                got.media.append(("image" if "image" in block else "file", media["source"]["bytes"]))
            if sound := block.get("audio"):
                got.media.append((sound["format"], sound["source"]["bytes"]))
            if call := block.get("toolUse"):
                ids.append(call["toolUseId"])
                got.calls.append((call["name"], call["input"]))
            if result := block.get("toolResult"):
                inner = result["content"]
                text = "".join(part.get("text", "") or json.dumps(part.get("json", "")).strip('"') for part in inner)
                image = any("image" in part for part in inner)
                got.results.append((text, result.get("status") == "error", image))
                got.paired = got.paired and result["toolUseId"] in ids
            if "reasoningContent" in block:
                thought = block["reasoningContent"]["reasoningText"]
                got.thinking.append(thought["text"])
                got.signed = bool(thought.get("signature"))
    config = body.get("toolConfig") or {}
    for tool in config.get("tools") or ():
        if "toolSpec" in tool:
            got.tools[tool["toolSpec"]["name"]] = _names(tool["toolSpec"]["inputSchema"]["json"])
    choice = config.get("toolChoice") or {}
    got.choice = next(
        ({"any": "required", "tool": told.get("name")}.get(kind, kind) for kind, told in choice.items()), ""
    )
    got.cached = "cachePoint" in body["messages"][-1]["content"][-1]
    got.metadata = body.get("requestMetadata") or {}
    got.user = got.metadata.get("user", "")
    made = body.get("inferenceConfig") or {}
    got.max_tokens, got.stop = made.get("maxTokens"), made.get("stopSequences") or []
    got.temperature = made.get("temperature")
    got.top_k = (body.get("additionalModelRequestFields") or {}).get("top_k")
    form = (body.get("outputConfig") or {}).get("textFormat", {}).get("structure", {}).get("jsonSchema", {})
    got.schema = json.loads(form["schema"]) if form else None


_READERS: dict[str, Callable[[Got, Any], None]] = {
    "chat": _chat,
    "responses": _responses,
    "messages": _messages,
    "generate": _generate,
    "converse": _converse,
}
