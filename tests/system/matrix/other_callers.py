"""The official clients of Anthropic, Google and AWS, as callers of their own wires."""

import base64
import contextlib
from typing import Any

import anthropic
import boto3
import botocore.config
from botocore import UNSIGNED
from google import genai
from google.genai import types

from system.matrix.questions import (
    PDF,
    PIXEL,
    Answer,
    Part,
    Question,
    Result,
    Unsupported,
    add_sound,
    extract_media,
    read_dropped,
)


class Messages:
    """Anthropic's client."""

    _FINISH = {
        "end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "tool_use": "tools", "refusal": "filtered"
    }  # fmt: skip

    def __init__(self, url: str, key: str) -> None:
        self.client = anthropic.Anthropic(base_url=url, api_key=key, max_retries=0, timeout=20)

    def close(self) -> None:
        self.client.close()

    def make_history(self, question: Question) -> list[Any]:
        turns = [
            {"role": turn.role, "content": [self._make_part(part) for part in turn.parts]} for turn in question.turns
        ]
        if question.cache:
            turns[-1]["content"][-1]["cache_control"] = {"type": "ephemeral"}
        return turns

    def _make_part(self, part: Part) -> Any:
        if part.kind == "text":
            return {"type": "text", "text": part.text}
        if part.kind == "audio":
            raise Unsupported
        media = "image/png" if part.kind == "image" else "application/pdf"
        source = {"type": "base64", "media_type": media, "data": part.data}
        if part.url:
            source = {"type": "url", "url": part.url}
        if part.file_id:
            source = {"type": "file", "file_id": part.file_id}
        return {"type": "image" if part.kind == "image" else "document", "source": source}

    def make_results(self, answer: Answer, results: tuple[Result, ...]) -> list[Any]:
        blocks = []
        for call, result in zip(answer.calls, results, strict=True):
            content: Any = [{"type": "text", "text": result.text}]
            if result.image:
                content.append(self._make_part(Part(kind="image", data=PIXEL)))
            if result.file:
                content.append(self._make_part(Part(kind="file", data=PDF)))
            block = {"type": "tool_result", "tool_use_id": call[0], "content": content}
            blocks.append(block | ({"is_error": True} if result.error else {}))
        return [{"role": "user", "content": blocks}]

    def ask(self, model: str, question: Question, history: list[Any], stream: bool) -> Answer:
        if (
            question.seed is not None
            or question.logprobs
            or question.json
            or question.metadata
            or question.n > 1
            or question.penalty
            or question.previous
        ):
            raise Unsupported
        fields: dict[str, Any] = {"model": model, "messages": history, "max_tokens": question.max_tokens}
        if question.system:
            fields["system"] = question.system
        if question.tools:
            fields["tools"] = [{"name": tool.name, "input_schema": tool.schema} for tool in question.tools]
        if question.choice:
            kinds = {"auto": "auto", "none": "none", "required": "any"}
            fields["tool_choice"] = {"type": kinds.get(question.choice, "tool")}
            if question.choice not in kinds:
                fields["tool_choice"]["name"] = question.choice
        if question.parallel is not None:
            fields["tool_choice"] = {"type": "auto", "disable_parallel_tool_use": not question.parallel}
        if question.schema is not None:
            fields["output_config"] = {"format": {"type": "json_schema", "schema": question.schema}}
        optional = {
            "temperature": question.temperature,
            "top_k": question.top_k,
            "stop_sequences": list(question.stop) or None,
        }
        optional["metadata"] = {"user_id": question.user} if question.user else None
        extra = {name: value for name, value in optional.items() if value is not None}
        if stream:
            with self.client.messages.stream(**fields, extra_body=extra) as events:
                message, headers = events.get_final_message(), events.response.headers
        else:
            raw = self.client.messages.with_raw_response.create(**fields, extra_body=extra)
            message, headers = raw.parse(), raw.headers
        answer = self._read_answer(message)
        answer.dropped = read_dropped(headers)
        return extract_media(answer)

    def _read_answer(self, message: Any) -> Answer:
        used = message.usage
        details = used.output_tokens_details
        read, written = used.cache_read_input_tokens, used.cache_creation_input_tokens
        return Answer(
            text="".join(block.text for block in message.content if block.type == "text"),
            thinking="".join(block.thinking for block in message.content if block.type == "thinking"),
            calls=[(block.id, block.name, block.input) for block in message.content if block.type == "tool_use"],
            finish=self._FINISH[message.stop_reason],
            citations=[
                (getattr(each, "url", None) or each.cited_text, getattr(each, "title", None) or each.document_title)
                for block in message.content
                for each in getattr(block, "citations", None) or ()
            ],
            usage={
                "input": used.input_tokens + read + written,
                "output": used.output_tokens,
                "cache_read": read,
                "cache_write": written,
                "reasoning": details.thinking_tokens if details else 0,
            },
            native=[{"role": "assistant", "content": [_clean_block(block) for block in message.content]}],
        )


def _clean_block(block: Any) -> dict[str, Any]:
    found: dict[str, Any] = block.model_dump(exclude_none=True)
    found.pop("parsed_output", None)
    return found


class Generate:
    """Google's client."""

    _FINISH = {"STOP": "stop", "MAX_TOKENS": "length"}

    def __init__(self, url: str, key: str) -> None:
        self.client = genai.Client(api_key=key, http_options=types.HttpOptions(base_url=url, timeout=20_000))

    def close(self) -> None:
        self.client.close()

    def make_history(self, question: Question) -> list[Any]:
        roles = {"user": "user", "assistant": "model"}
        return [
            types.Content(role=roles[turn.role], parts=[self._make_part(part) for part in turn.parts])
            for turn in question.turns
        ]

    def _make_part(self, part: Part) -> types.Part:
        if part.kind == "text":
            return types.Part(text=part.text)
        media = {"image": "image/png", "audio": "audio/wav"}.get(part.kind, "application/pdf")
        if part.file_id:
            raise Unsupported
        if part.url:
            return types.Part.from_uri(file_uri=part.url, mime_type=media)
        return types.Part.from_bytes(data=base64.b64decode(part.data), mime_type=media)

    def make_results(self, answer: Answer, results: tuple[Result, ...]) -> list[Any]:
        blobs = {
            "image": types.FunctionResponseBlob(mime_type="image/png", data=base64.b64decode(PIXEL)),
            "file": types.FunctionResponseBlob(mime_type="application/pdf", data=base64.b64decode(PDF)),
        }
        parts = [
            types.Part(
                function_response=types.FunctionResponse(
                    id=call[0],
                    name=call[1],
                    response={"error" if result.error else "output": result.text},
                    parts=[
                        types.FunctionResponsePart(inline_data=blob)
                        for kind, blob in blobs.items()
                        if getattr(result, kind)
                    ],
                )
            )
            for call, result in zip(answer.calls, results, strict=True)
        ]
        return [types.Content(role="user", parts=parts)]

    def ask(self, model: str, question: Question, history: list[Any], stream: bool) -> Answer:
        if question.parallel is not None or question.user or question.cache or question.metadata or question.previous:
            raise Unsupported
        fields: dict[str, Any] = {"max_output_tokens": question.max_tokens}
        fields["automatic_function_calling"] = types.AutomaticFunctionCallingConfig(disable=True)
        if question.system:
            fields["system_instruction"] = question.system
        if question.tools:
            declared = [
                types.FunctionDeclaration(name=tool.name, parameters_json_schema=tool.schema) for tool in question.tools
            ]
            fields["tools"] = [types.Tool(function_declarations=declared)]
        if question.choice:
            modes = {"auto": "AUTO", "none": "NONE", "required": "ANY"}
            chosen = None if question.choice in modes else [question.choice]
            config = types.FunctionCallingConfig(mode=modes.get(question.choice, "ANY"), allowed_function_names=chosen)
            fields["tool_config"] = types.ToolConfig(function_calling_config=config)
        if question.schema is not None:
            fields |= {"response_mime_type": "application/json", "response_json_schema": question.schema}
        if question.json:
            fields["response_mime_type"] = "application/json"
        optional = {"temperature": question.temperature, "top_k": question.top_k, "seed": question.seed}
        optional |= {"candidate_count": question.n if question.n > 1 else None, "presence_penalty": question.penalty}
        optional |= {"stop_sequences": list(question.stop) or None, "response_logprobs": question.logprobs or None}
        fields |= {name: value for name, value in optional.items() if value is not None}
        config = types.GenerateContentConfig(**fields)
        request: dict[str, Any] = {"model": model, "contents": history, "config": config}
        if stream:
            return self._read_answer(list(self.client.models.generate_content_stream(**request)))
        return self._read_answer([self.client.models.generate_content(**request)])

    def _read_answer(self, replies: list[Any]) -> Answer:
        answer, parts = Answer(), []
        for reply in replies:
            for other in reply.candidates:
                answer.choices = max(answer.choices, (other.index or 0) + 1)
            candidate = reply.candidates[0]
            if candidate.index:
                continue
            answer.citations += _read_grounding(candidate.grounding_metadata)
            logprobs = candidate.logprobs_result
            answer.logprobs += [
                (each.token, each.log_probability) for each in (logprobs and logprobs.chosen_candidates) or ()
            ]
            parts += (candidate.content.parts if candidate.content else None) or []
            if candidate.finish_reason:
                answer.finish = self._FINISH.get(candidate.finish_reason.value, "filtered")
        for part in parts:
            if part.function_call:
                answer.calls.append((part.function_call.id, part.function_call.name, part.function_call.args or {}))
            elif part.inline_data and part.inline_data.mime_type.startswith("image/"):
                answer.images.append(base64.b64encode(part.inline_data.data).decode())
            elif part.inline_data:
                add_sound(answer, base64.b64encode(part.inline_data.data).decode())
            elif part.thought:
                answer.thinking += part.text or ""
            else:
                answer.text += part.text or ""
        if answer.calls and answer.finish == "stop":
            answer.finish = "tools"
        used = replies[-1].usage_metadata
        thought = used.thoughts_token_count or 0
        answer.usage = {
            "input": used.prompt_token_count,
            "output": (used.candidates_token_count or 0) + thought,
            "cache_read": used.cached_content_token_count or 0,
            "reasoning": thought,
        }
        answer.dropped = read_dropped(replies[0].sdk_http_response.headers)
        own_parts = [part for part in parts if part.text != "" or part.thought_signature]
        answer.native = [types.Content(role="model", parts=own_parts)]
        return extract_media(answer)


def _read_grounding(found: Any) -> list[tuple[str, str]]:
    chunks = [(each.web or each.retrieved_context) for each in (found and found.grounding_chunks) or ()]
    chosen = [index for each in (found and found.grounding_supports) or () for index in each.grounding_chunk_indices]
    return [(chunks[at].uri or getattr(chunks[at], "text", ""), chunks[at].title) for at in chosen]


class Converse:
    """AWS's client without signing; a hook adds the gateway's key."""

    _FINISH = {
        "end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "tool_use": "tools",
        "content_filtered": "filtered", "guardrail_intervened": "filtered",
    }  # fmt: skip

    def __init__(self, url: str, key: str) -> None:
        config = botocore.config.Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1}, read_timeout=20)
        self.client = boto3.client("bedrock-runtime", endpoint_url=url, region_name="us-east-1", config=config)
        self.client.meta.events.register(
            "before-send.bedrock-runtime.*",
            lambda request, **more: request.headers.__setitem__("authorization", f"Bearer {key}"),
        )

    def close(self) -> None:
        self.client.close()

    def make_history(self, question: Question) -> list[Any]:
        turns = [
            {"role": turn.role, "content": [self._make_part(part) for part in turn.parts]} for turn in question.turns
        ]
        if question.cache:
            turns[-1]["content"].append({"cachePoint": {"type": "default"}})
        return turns

    def _make_part(self, part: Part) -> Any:
        if part.url or part.file_id:
            raise Unsupported
        if part.kind == "audio":
            return {"audio": {"format": "wav", "source": {"bytes": base64.b64decode(part.data)}}}
        if part.kind == "image":
            return {"image": {"format": "png", "source": {"bytes": base64.b64decode(part.data)}}}
        if part.kind == "file":
            return {"document": {"format": "pdf", "name": "a", "source": {"bytes": base64.b64decode(part.data)}}}
        return {"text": part.text}

    def make_results(self, answer: Answer, results: tuple[Result, ...]) -> list[Any]:
        blocks = []
        for call, result in zip(answer.calls, results, strict=True):
            content: list[Any] = [{"text": result.text}]
            if result.image:
                content.append(self._make_part(Part(kind="image", data=PIXEL)))
            if result.file:
                content.append(self._make_part(Part(kind="file", data=PDF)))
            block = {"toolUseId": call[0], "content": content} | ({"status": "error"} if result.error else {})
            blocks.append({"toolResult": block})
        return [{"role": "user", "content": blocks}]

    def ask(self, model: str, question: Question, history: list[Any], stream: bool) -> Answer:
        if (
            question.parallel is not None
            or question.top_k is not None
            or question.seed is not None
            or question.user
            or question.logprobs
        ):
            raise Unsupported
        if question.json or question.n > 1 or question.penalty or question.previous:
            raise Unsupported
        fields: dict[str, Any] = {"modelId": model, "messages": history}
        inference: dict[str, Any] = {"maxTokens": question.max_tokens}
        if question.temperature is not None:
            inference["temperature"] = question.temperature
        if question.stop:
            inference["stopSequences"] = list(question.stop)
        fields["inferenceConfig"] = inference
        if question.metadata:
            fields["requestMetadata"] = question.metadata
        if question.system:
            fields["system"] = [{"text": question.system}]
        if question.tools:
            specs = [{"toolSpec": {"name": tool.name, "inputSchema": {"json": tool.schema}}} for tool in question.tools]
            fields["toolConfig"] = {"tools": specs}
        if question.choice == "none":
            raise Unsupported
        if question.choice:
            kinds: dict[str, Any] = {"auto": {"auto": {}}, "required": {"any": {}}}
            fields["toolConfig"]["toolChoice"] = kinds.get(question.choice, {"tool": {"name": question.choice}})
        if question.schema is not None:
            import json

            form = {"jsonSchema": {"schema": json.dumps(question.schema), "name": "answer"}}
            fields["outputConfig"] = {"textFormat": {"type": "json_schema", "structure": form}}
        if stream:
            reply = self.client.converse_stream(**fields)
            with contextlib.closing(reply["stream"]) as events:
                answer = self._read_answer(*_collect_events(list(events)))
        else:
            reply = self.client.converse(**fields)
            answer = self._read_answer(reply["output"]["message"], reply["stopReason"], reply["usage"])
        answer.dropped = read_dropped(reply["ResponseMetadata"]["HTTPHeaders"])
        return extract_media(answer)

    def _read_answer(self, message: Any, reason: str, usage: Any) -> Answer:
        answer = Answer(finish=self._FINISH[reason], native=[message])
        for block in message["content"]:
            if "text" in block:
                answer.text += block["text"]
            elif "toolUse" in block:
                call = block["toolUse"]
                answer.calls.append((call["toolUseId"], call["name"], call["input"]))
            elif "image" in block:
                answer.images.append(base64.b64encode(block["image"]["source"]["bytes"]).decode())
            elif "audio" in block:
                add_sound(answer, base64.b64encode(block["audio"]["source"]["bytes"]).decode())
            elif "citationsContent" in block:
                answer.text += "".join(part["text"] for part in block["citationsContent"]["content"])
                answer.citations += [_read_citation(each) for each in block["citationsContent"]["citations"]]
            elif "reasoningText" in block.get("reasoningContent", ()):
                answer.thinking += block["reasoningContent"]["reasoningText"]["text"]
        read, written = usage.get("cacheReadInputTokens", 0), usage.get("cacheWriteInputTokens", 0)
        answer.usage = {
            "input": usage["inputTokens"] + read + written,
            "output": usage["outputTokens"],
            "cache_read": read,
            "cache_write": written,
        }
        return answer


def _read_citation(citation: Any) -> tuple[str, str]:
    page = (citation.get("location") or {}).get("web")
    return page["url"] if page else "".join(part["text"] for part in citation.get("sourceContent", ())), citation[
        "title"
    ]


def _collect_events(events: list[Any]) -> tuple[Any, str, Any]:
    """Return the message, the stop reason and the usage of a stream."""
    import json

    blocks: dict[int, Any] = {}
    reason, usage = "", None
    for event in events:
        ((kind, payload),) = event.items()
        if kind == "contentBlockStart":
            start = payload["start"]
            if "toolUse" in start:
                blocks[payload["contentBlockIndex"]] = {"toolUse": {**start["toolUse"], "input": ""}}
            else:
                blocks[payload["contentBlockIndex"]] = {"image": {**start["image"], "source": {"bytes": b""}}}
        elif kind == "contentBlockDelta":
            _grow(blocks, payload["contentBlockIndex"], payload["delta"])
        elif kind == "messageStop":
            reason = payload["stopReason"]
        elif kind == "metadata":
            usage = payload["usage"]
    for block in blocks.values():
        if "citations" in block:
            cited = {"content": [{"text": block.pop("text")}], "citations": block.pop("citations")}
            block["citationsContent"] = cited
        if "toolUse" in block:
            block["toolUse"]["input"] = json.loads(block["toolUse"]["input"] or "{}")
    return {"role": "assistant", "content": list(blocks.values())}, reason, usage


def _grow(blocks: dict[int, Any], index: int, delta: Any) -> None:
    if "toolUse" in delta:
        blocks[index]["toolUse"]["input"] += delta["toolUse"]["input"]
    elif "text" in delta:
        block = blocks.setdefault(index, {"text": ""})
        block["text"] += delta["text"]
    elif "image" in delta:
        blocks[index]["image"]["source"]["bytes"] += delta["image"]["source"]["bytes"]
    elif "citation" in delta:
        block = blocks.setdefault(index, {"text": ""})
        block.setdefault("citations", []).append(delta["citation"])
    elif "redactedContent" in delta.get("reasoningContent", ()):
        blocks[index] = {"reasoningContent": delta["reasoningContent"]}
    else:
        block = blocks.setdefault(index, {"reasoningContent": {"reasoningText": {"text": ""}}})
        thought = block["reasoningContent"]["reasoningText"]
        for name, text in delta["reasoningContent"].items():
            thought[name] = thought.get(name, "") + text
