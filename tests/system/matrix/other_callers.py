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

from system.matrix.asking import PDF, PIXEL, Ask, NotHere, Part, Result, Seen, dropped_of, hear, look


class Messages:
    """Anthropic's client."""

    _FINISH = {
        "end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "tool_use": "tools", "refusal": "filtered"
    }  # fmt: skip

    def __init__(self, url: str, key: str) -> None:
        self.client = anthropic.Anthropic(base_url=url, api_key=key, max_retries=0, timeout=20)

    def close(self) -> None:
        self.client.close()

    def history(self, ask: Ask) -> list[Any]:
        turns = [{"role": turn.role, "content": [self._part(part) for part in turn.parts]} for turn in ask.turns]
        if ask.cache:
            turns[-1]["content"][-1]["cache_control"] = {"type": "ephemeral"}
        return turns

    def _part(self, part: Part) -> Any:
        if part.kind == "text":
            return {"type": "text", "text": part.text}
        if part.kind == "audio":
            raise NotHere
        media = "image/png" if part.kind == "image" else "application/pdf"
        source = {"type": "base64", "media_type": media, "data": part.data}
        if part.url:
            source = {"type": "url", "url": part.url}
        if part.file_id:
            source = {"type": "file", "file_id": part.file_id}
        return {"type": "image" if part.kind == "image" else "document", "source": source}

    def results(self, seen: Seen, results: tuple[Result, ...]) -> list[Any]:
        blocks = []
        for call, result in zip(seen.calls, results, strict=True):
            content: Any = [{"type": "text", "text": result.text}]
            if result.image:
                content.append(self._part(Part(kind="image", data=PIXEL)))
            if result.file:
                content.append(self._part(Part(kind="file", data=PDF)))
            block = {"type": "tool_result", "tool_use_id": call[0], "content": content}
            blocks.append(block | ({"is_error": True} if result.error else {}))
        return [{"role": "user", "content": blocks}]

    def ask(self, model: str, ask: Ask, history: list[Any], stream: bool) -> Seen:
        if ask.seed is not None or ask.logprobs or ask.json or ask.metadata or ask.n > 1 or ask.penalty or ask.previous:
            raise NotHere
        fields: dict[str, Any] = {"model": model, "messages": history, "max_tokens": ask.max_tokens}
        if ask.system:
            fields["system"] = ask.system
        if ask.tools:
            fields["tools"] = [{"name": tool.name, "input_schema": tool.schema} for tool in ask.tools]
        if ask.choice:
            kinds = {"auto": "auto", "none": "none", "required": "any"}
            fields["tool_choice"] = {"type": kinds.get(ask.choice, "tool")}
            if ask.choice not in kinds:
                fields["tool_choice"]["name"] = ask.choice
        if ask.parallel is not None:
            fields["tool_choice"] = {"type": "auto", "disable_parallel_tool_use": not ask.parallel}
        if ask.schema is not None:
            fields["output_config"] = {"format": {"type": "json_schema", "schema": ask.schema}}
        given = {"temperature": ask.temperature, "top_k": ask.top_k, "stop_sequences": list(ask.stop) or None}
        given["metadata"] = {"user_id": ask.user} if ask.user else None
        extra = {name: value for name, value in given.items() if value is not None}
        if stream:
            with self.client.messages.stream(**fields, extra_body=extra) as events:
                message, headers = events.get_final_message(), events.response.headers
        else:
            raw = self.client.messages.with_raw_response.create(**fields, extra_body=extra)
            message, headers = raw.parse(), raw.headers
        seen = self._seen(message)
        seen.dropped = dropped_of(headers)
        return look(seen)

    def _seen(self, message: Any) -> Seen:
        used = message.usage
        details = used.output_tokens_details
        read, written = used.cache_read_input_tokens, used.cache_creation_input_tokens
        return Seen(
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
            native=[{"role": "assistant", "content": [_bare(block) for block in message.content]}],
        )


def _bare(block: Any) -> dict[str, Any]:
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

    def history(self, ask: Ask) -> list[Any]:
        roles = {"user": "user", "assistant": "model"}
        return [
            types.Content(role=roles[turn.role], parts=[self._part(part) for part in turn.parts]) for turn in ask.turns
        ]

    def _part(self, part: Part) -> types.Part:
        if part.kind == "text":
            return types.Part(text=part.text)
        media = {"image": "image/png", "audio": "audio/wav"}.get(part.kind, "application/pdf")
        if part.file_id:
            raise NotHere
        if part.url:
            return types.Part.from_uri(file_uri=part.url, mime_type=media)
        return types.Part.from_bytes(data=base64.b64decode(part.data), mime_type=media)

    def results(self, seen: Seen, results: tuple[Result, ...]) -> list[Any]:
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
            for call, result in zip(seen.calls, results, strict=True)
        ]
        return [types.Content(role="user", parts=parts)]

    def ask(self, model: str, ask: Ask, history: list[Any], stream: bool) -> Seen:
        if ask.parallel is not None or ask.user or ask.cache or ask.metadata or ask.previous:
            raise NotHere
        fields: dict[str, Any] = {"max_output_tokens": ask.max_tokens}
        fields["automatic_function_calling"] = types.AutomaticFunctionCallingConfig(disable=True)
        if ask.system:
            fields["system_instruction"] = ask.system
        if ask.tools:
            declared = [
                types.FunctionDeclaration(name=tool.name, parameters_json_schema=tool.schema) for tool in ask.tools
            ]
            fields["tools"] = [types.Tool(function_declarations=declared)]
        if ask.choice:
            modes = {"auto": "AUTO", "none": "NONE", "required": "ANY"}
            named = None if ask.choice in modes else [ask.choice]
            config = types.FunctionCallingConfig(mode=modes.get(ask.choice, "ANY"), allowed_function_names=named)
            fields["tool_config"] = types.ToolConfig(function_calling_config=config)
        if ask.schema is not None:
            fields |= {"response_mime_type": "application/json", "response_json_schema": ask.schema}
        if ask.json:
            fields["response_mime_type"] = "application/json"
        given = {"temperature": ask.temperature, "top_k": ask.top_k, "seed": ask.seed}
        given |= {"candidate_count": ask.n if ask.n > 1 else None, "presence_penalty": ask.penalty}
        given |= {"stop_sequences": list(ask.stop) or None, "response_logprobs": ask.logprobs or None}
        fields |= {name: value for name, value in given.items() if value is not None}
        config = types.GenerateContentConfig(**fields)
        asked: dict[str, Any] = {"model": model, "contents": history, "config": config}
        if stream:
            return self._seen(list(self.client.models.generate_content_stream(**asked)))
        return self._seen([self.client.models.generate_content(**asked)])

    def _seen(self, answers: list[Any]) -> Seen:
        seen, parts = Seen(), []
        for answer in answers:
            for other in answer.candidates:
                seen.choices = max(seen.choices, (other.index or 0) + 1)
            candidate = answer.candidates[0]
            if candidate.index:
                continue
            seen.citations += _grounded(candidate.grounding_metadata)
            told = candidate.logprobs_result
            seen.logprobs += [(each.token, each.log_probability) for each in (told and told.chosen_candidates) or ()]
            parts += (candidate.content.parts if candidate.content else None) or []
            if candidate.finish_reason:
                seen.finish = self._FINISH.get(candidate.finish_reason.value, "filtered")
        for part in parts:
            if part.function_call:
                seen.calls.append((part.function_call.id, part.function_call.name, part.function_call.args or {}))
            elif part.inline_data and part.inline_data.mime_type.startswith("image/"):
                seen.images.append(base64.b64encode(part.inline_data.data).decode())
            elif part.inline_data:
                hear(seen, base64.b64encode(part.inline_data.data).decode())
            elif part.thought:
                seen.thinking += part.text or ""
            else:
                seen.text += part.text or ""
        if seen.calls and seen.finish == "stop":
            seen.finish = "tools"
        used = answers[-1].usage_metadata
        thought = used.thoughts_token_count or 0
        seen.usage = {
            "input": used.prompt_token_count,
            "output": (used.candidates_token_count or 0) + thought,
            "cache_read": used.cached_content_token_count or 0,
            "reasoning": thought,
        }
        seen.dropped = dropped_of(answers[0].sdk_http_response.headers)
        kept = [part for part in parts if part.text != "" or part.thought_signature]
        seen.native = [types.Content(role="model", parts=kept)]
        return look(seen)


def _grounded(found: Any) -> list[tuple[str, str]]:
    chunks = [(each.web or each.retrieved_context) for each in (found and found.grounding_chunks) or ()]
    named = [index for each in (found and found.grounding_supports) or () for index in each.grounding_chunk_indices]
    return [(chunks[at].uri or getattr(chunks[at], "text", ""), chunks[at].title) for at in named]


class Converse:
    """AWS's client, unsigned, with the gateway's key put in at the last moment."""

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

    def history(self, ask: Ask) -> list[Any]:
        turns = [{"role": turn.role, "content": [self._part(part) for part in turn.parts]} for turn in ask.turns]
        if ask.cache:
            turns[-1]["content"].append({"cachePoint": {"type": "default"}})
        return turns

    def _part(self, part: Part) -> Any:
        if part.url or part.file_id:
            raise NotHere
        if part.kind == "audio":
            return {"audio": {"format": "wav", "source": {"bytes": base64.b64decode(part.data)}}}
        if part.kind == "image":
            return {"image": {"format": "png", "source": {"bytes": base64.b64decode(part.data)}}}
        if part.kind == "file":
            return {"document": {"format": "pdf", "name": "a", "source": {"bytes": base64.b64decode(part.data)}}}
        return {"text": part.text}

    def results(self, seen: Seen, results: tuple[Result, ...]) -> list[Any]:
        blocks = []
        for call, result in zip(seen.calls, results, strict=True):
            content: list[Any] = [{"text": result.text}]
            if result.image:
                content.append(self._part(Part(kind="image", data=PIXEL)))
            if result.file:
                content.append(self._part(Part(kind="file", data=PDF)))
            block = {"toolUseId": call[0], "content": content} | ({"status": "error"} if result.error else {})
            blocks.append({"toolResult": block})
        return [{"role": "user", "content": blocks}]

    def ask(self, model: str, ask: Ask, history: list[Any], stream: bool) -> Seen:
        if ask.parallel is not None or ask.top_k is not None or ask.seed is not None or ask.user or ask.logprobs:
            raise NotHere
        if ask.json or ask.n > 1 or ask.penalty or ask.previous:
            raise NotHere
        fields: dict[str, Any] = {"modelId": model, "messages": history}
        inference: dict[str, Any] = {"maxTokens": ask.max_tokens}
        if ask.temperature is not None:
            inference["temperature"] = ask.temperature
        if ask.stop:
            inference["stopSequences"] = list(ask.stop)
        fields["inferenceConfig"] = inference
        if ask.metadata:
            fields["requestMetadata"] = ask.metadata
        if ask.system:
            fields["system"] = [{"text": ask.system}]
        if ask.tools:
            specs = [{"toolSpec": {"name": tool.name, "inputSchema": {"json": tool.schema}}} for tool in ask.tools]
            fields["toolConfig"] = {"tools": specs}
        if ask.choice == "none":
            raise NotHere
        if ask.choice:
            kinds: dict[str, Any] = {"auto": {"auto": {}}, "required": {"any": {}}}
            fields["toolConfig"]["toolChoice"] = kinds.get(ask.choice, {"tool": {"name": ask.choice}})
        if ask.schema is not None:
            import json

            form = {"jsonSchema": {"schema": json.dumps(ask.schema), "name": "answer"}}
            fields["outputConfig"] = {"textFormat": {"type": "json_schema", "structure": form}}
        if stream:
            answer = self.client.converse_stream(**fields)
            with contextlib.closing(answer["stream"]) as events:
                seen = self._seen(*_collected(list(events)))
        else:
            answer = self.client.converse(**fields)
            seen = self._seen(answer["output"]["message"], answer["stopReason"], answer["usage"])
        seen.dropped = dropped_of(answer["ResponseMetadata"]["HTTPHeaders"])
        return look(seen)

    def _seen(self, message: Any, reason: str, usage: Any) -> Seen:
        seen = Seen(finish=self._FINISH[reason], native=[message])
        for block in message["content"]:
            if "text" in block:
                seen.text += block["text"]
            elif "toolUse" in block:
                call = block["toolUse"]
                seen.calls.append((call["toolUseId"], call["name"], call["input"]))
            elif "image" in block:
                seen.images.append(base64.b64encode(block["image"]["source"]["bytes"]).decode())
            elif "audio" in block:
                hear(seen, base64.b64encode(block["audio"]["source"]["bytes"]).decode())
            elif "citationsContent" in block:
                seen.text += "".join(part["text"] for part in block["citationsContent"]["content"])
                seen.citations += [_cited(each) for each in block["citationsContent"]["citations"]]
            elif "reasoningText" in block.get("reasoningContent", ()):
                seen.thinking += block["reasoningContent"]["reasoningText"]["text"]
        read, written = usage.get("cacheReadInputTokens", 0), usage.get("cacheWriteInputTokens", 0)
        seen.usage = {
            "input": usage["inputTokens"] + read + written,
            "output": usage["outputTokens"],
            "cache_read": read,
            "cache_write": written,
        }
        return seen


def _cited(citation: Any) -> tuple[str, str]:
    page = (citation.get("location") or {}).get("web")
    return page["url"] if page else "".join(part["text"] for part in citation.get("sourceContent", ())), citation[
        "title"
    ]


def _collected(events: list[Any]) -> tuple[Any, str, Any]:
    """Put the events of a stream together to a message, a stop reason and the usage."""
    import json

    blocks: dict[int, Any] = {}
    reason, usage = "", None
    for event in events:
        ((kind, told),) = event.items()
        if kind == "contentBlockStart":
            start = told["start"]
            if "toolUse" in start:
                blocks[told["contentBlockIndex"]] = {"toolUse": {**start["toolUse"], "input": ""}}
            else:
                blocks[told["contentBlockIndex"]] = {"image": {**start["image"], "source": {"bytes": b""}}}
        elif kind == "contentBlockDelta":
            _grow(blocks, told["contentBlockIndex"], told["delta"])
        elif kind == "messageStop":
            reason = told["stopReason"]
        elif kind == "metadata":
            usage = told["usage"]
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
