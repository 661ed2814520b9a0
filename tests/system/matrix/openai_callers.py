"""OpenAI's client, as a caller of chat completions and of responses."""

import json
from typing import Any

import openai

from system.matrix.asking import PDF, PIXEL, Ask, Broken, NotHere, Part, Result, Seen, dropped_of, hear, look

_FINISH = {"stop": "stop", "length": "length", "tool_calls": "tools", "content_filter": "filtered"}


def usage_of(usage: Any, before: str, after: str) -> dict[str, int]:
    read, made = getattr(usage, before + "_tokens_details"), getattr(usage, after + "_tokens_details")
    return {
        "input": getattr(usage, before + "_tokens"),
        "output": getattr(usage, after + "_tokens"),
        "cache_read": read.cached_tokens or 0,
        "cache_write": read.cache_write_tokens or 0,
        "reasoning": made.reasoning_tokens or 0,
    }


def _logprobs(choice: Any) -> list[tuple[str, float]]:
    found = choice.logprobs.content if choice.logprobs else None
    return [(token.token, token.logprob) for token in found or ()]


def _media(seen: Seen, message: Any) -> None:
    """Take what a message or a delta has beside its text."""
    for image in getattr(message, "images", None) or ():
        seen.images.append(image["image_url"]["url"].removeprefix("data:image/png;base64,"))
    audio = getattr(message, "audio", None)
    audio = audio.model_dump() if hasattr(audio, "model_dump") else audio
    if audio and audio.get("data"):
        hear(seen, audio["data"])
    for each in getattr(message, "annotations", None) or ():
        told = each if isinstance(each, dict) else each.model_dump()
        page = told.get("url_citation") or {}
        seen.citations.append((page.get("url") or _quoted(told), page.get("title") or _title(told)))


def _quoted(told: Any) -> str:
    return str(told.get("cited_text") or told.get("file_id") or "")


def _title(told: Any) -> str:
    return str(told.get("title") or told.get("document_title") or told.get("filename") or "")


class Chat:
    """Chat completions."""

    def __init__(self, url: str, key: str) -> None:
        self.client = openai.OpenAI(base_url=url + "/v1", api_key=key, max_retries=0, timeout=20)

    def close(self) -> None:
        self.client.close()

    def history(self, ask: Ask) -> list[Any]:
        turns = [{"role": turn.role, "content": self._content(turn.parts)} for turn in ask.turns]
        return ([{"role": "system", "content": ask.system}] if ask.system else []) + turns

    def _content(self, parts: tuple[Part, ...]) -> Any:
        return parts[0].text if len(parts) == 1 and parts[0].text else [self._part(part) for part in parts]

    def _part(self, part: Part) -> Any:
        if part.kind == "image":
            return {"type": "image_url", "image_url": {"url": part.url or "data:image/png;base64," + part.data}}
        if part.kind == "file":
            if part.url:
                raise NotHere
            if part.file_id:
                return {"type": "file", "file": {"file_id": part.file_id}}
            data = "data:application/pdf;base64," + part.data
            return {"type": "file", "file": {"filename": "a.pdf", "file_data": data}}
        if part.kind == "audio":
            return {"type": "input_audio", "input_audio": {"data": part.data, "format": "wav"}}
        return {"type": "text", "text": part.text}

    def results(self, seen: Seen, results: tuple[Result, ...]) -> list[Any]:
        if any(result.error or result.image or result.file for result in results):
            raise NotHere
        return [
            {"role": "tool", "tool_call_id": call[0], "content": result.text}
            for call, result in zip(seen.calls, results, strict=True)
        ]

    def ask(self, model: str, ask: Ask, history: list[Any], stream: bool) -> Seen:
        if ask.top_k is not None or ask.cache or ask.previous:
            raise NotHere
        fields: dict[str, Any] = {"model": model, "messages": history, "max_completion_tokens": ask.max_tokens}
        if ask.tools:
            fields["tools"] = [
                {"type": "function", "function": {"name": tool.name, "parameters": tool.schema}} for tool in ask.tools
            ]
        if ask.choice:
            named = {"type": "function", "function": {"name": ask.choice}}
            fields["tool_choice"] = ask.choice if ask.choice in ("auto", "none", "required") else named
        if ask.schema is not None:
            form = {"name": "answer", "schema": ask.schema, "strict": True}
            fields["response_format"] = {"type": "json_schema", "json_schema": form}
        given = {"parallel_tool_calls": ask.parallel, "temperature": ask.temperature, "seed": ask.seed}
        given |= {"stop": list(ask.stop) or None, "user": ask.user or None, "logprobs": ask.logprobs or None}
        given |= {"metadata": ask.metadata or None, "n": ask.n if ask.n > 1 else None, "presence_penalty": ask.penalty}
        given["response_format"] = {"type": "json_object"} if ask.json else None
        fields |= {name: value for name, value in given.items() if value is not None}
        raw = self.client.chat.completions.with_raw_response
        if stream:
            answer = raw.create(**fields, stream=True, stream_options={"include_usage": True})
            seen = self._streamed(answer.parse())
        else:
            answer = raw.create(**fields)
            seen = self._whole(answer.parse())
        seen.dropped = dropped_of(answer.headers)
        return look(seen)

    def _whole(self, answer: Any) -> Seen:
        choice = answer.choices[0]
        message = choice.message
        native = {
            name: value for name, value in message.model_dump().items() if value is not None and name != "annotations"
        }
        seen = Seen(
            text=message.content or "",
            thinking=getattr(message, "reasoning_content", None) or "",
            refusal=message.refusal or "",
            calls=[
                (call.id, call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls or ()
            ],
            finish=_FINISH[choice.finish_reason],
            logprobs=_logprobs(choice),
            usage=usage_of(answer.usage, "prompt", "completion"),
            native=[native],
            choices=len(answer.choices),
        )
        _media(seen, message)
        return seen

    def _streamed(self, stream: Any) -> Seen:
        seen, calls, blocks, extras = Seen(), {}, [], {}
        for chunk in stream:
            if chunk.usage is not None:
                assert chunk.choices == []
                seen.usage = usage_of(chunk.usage, "prompt", "completion")
            for choice in chunk.choices:
                delta = choice.delta
                seen.logprobs += _logprobs(choice)
                seen.text += (delta.content or "") if not choice.index else ""
                seen.refusal += delta.refusal or ""
                seen.choices = max(seen.choices, choice.index + 1)
                _media(seen, delta)
                if choice.index:
                    continue
                seen.thinking += getattr(delta, "reasoning_content", None) or ""
                blocks += getattr(delta, "thinking_blocks", None) or []
                for call in delta.tool_calls or ():
                    if call.id:
                        calls[call.index] = [call.id, call.function.name, ""]
                    calls[call.index][2] += call.function.arguments or ""
                    if extra := getattr(call, "extra_content", None):
                        extras[call.index] = {"extra_content": extra}
                if choice.finish_reason:
                    assert not seen.finish
                    seen.finish = _FINISH[choice.finish_reason]
        seen.calls = [(id, name, json.loads(arguments)) for id, name, arguments in calls.values()]
        native: dict[str, Any] = {"role": "assistant", "content": seen.text or None}
        if calls:
            native["tool_calls"] = [
                {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}} | extras.get(at, {})
                for at, (id, name, arguments) in calls.items()
            ]
        if seen.thinking:
            native["reasoning_content"] = seen.thinking
        if blocks:
            native["thinking_blocks"] = blocks
        if seen.images:
            data = [{"url": "data:image/png;base64," + image} for image in seen.images]
            native["images"] = [{"type": "image_url", "image_url": each} for each in data]
        seen.native = [native]
        return seen


class Responses:
    """Responses."""

    def __init__(self, url: str, key: str) -> None:
        self.client = openai.OpenAI(base_url=url + "/v1", api_key=key, max_retries=0, timeout=20)

    def close(self) -> None:
        self.client.close()

    def history(self, ask: Ask) -> list[Any]:
        return [
            {"role": turn.role, "content": [self._part(turn.role, part) for part in turn.parts]} for turn in ask.turns
        ]

    def _part(self, role: str, part: Part) -> Any:
        if part.kind == "image":
            url = part.url or "data:image/png;base64," + part.data
            return {"type": "input_image", "image_url": url, "detail": "auto"}
        if part.kind == "file":
            if part.url:
                return {"type": "input_file", "file_url": part.url}
            if part.file_id:
                return {"type": "input_file", "file_id": part.file_id}
            return {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64," + part.data}
        if part.kind == "audio":
            return {"type": "input_audio", "input_audio": {"data": part.data, "format": "wav"}}
        return {"type": "output_text" if role == "assistant" else "input_text", "text": part.text}

    def results(self, seen: Seen, results: tuple[Result, ...]) -> list[Any]:
        if any(result.error for result in results):
            raise NotHere
        return [
            {"type": "function_call_output", "call_id": call[0], "output": self._output(result)}
            for call, result in zip(seen.calls, results, strict=True)
        ]

    def _output(self, result: Result) -> Any:
        text: Any = {"type": "input_text", "text": result.text}
        if result.image:
            return [text, {"type": "input_image", "image_url": "data:image/png;base64," + PIXEL}]
        return [text, self._part("user", Part(kind="file", data=PDF))] if result.file else result.text

    def ask(self, model: str, ask: Ask, history: list[Any], stream: bool) -> Seen:
        if ask.stop or ask.top_k is not None or ask.seed is not None or ask.cache or ask.n > 1 or ask.penalty:
            raise NotHere
        fields: dict[str, Any] = {"model": model, "input": history, "max_output_tokens": max(ask.max_tokens, 16)}
        if ask.max_tokens < 16:
            fields["max_output_tokens"] = ask.max_tokens
        if ask.system:
            fields["instructions"] = ask.system
        if ask.tools:
            fields["tools"] = [
                {"type": "function", "name": tool.name, "parameters": tool.schema, "strict": False}
                for tool in ask.tools
            ]
        if ask.choice:
            named = {"type": "function", "name": ask.choice}
            fields["tool_choice"] = ask.choice if ask.choice in ("auto", "none", "required") else named
        if ask.schema is not None:
            form = {"type": "json_schema", "name": "answer", "schema": ask.schema, "strict": True}
            fields["text"] = {"format": form}
        if ask.json:
            fields["text"] = {"format": {"type": "json_object"}}
        given = {"parallel_tool_calls": ask.parallel, "temperature": ask.temperature, "user": ask.user or None}
        given["metadata"] = ask.metadata or None
        if ask.previous:
            before = self.client.responses.create(**fields | {"input": history[:1]})
            fields |= {"input": history[-1:], "previous_response_id": before.id}
        fields |= {name: value for name, value in given.items() if value is not None}
        fields["include"] = ["reasoning.encrypted_content"]
        if ask.logprobs:
            fields["include"].append("message.output_text.logprobs")
        raw = self.client.responses.with_raw_response
        answer = raw.create(**fields, store=ask.previous, stream=stream)
        seen = self._streamed(answer.parse()) if stream else self._whole(answer.parse())
        seen.dropped = dropped_of(answer.headers)
        return look(seen)

    def _streamed(self, stream: Any) -> Seen:
        text, final = "", None
        for number, event in enumerate(stream):
            assert event.sequence_number == number
            if event.type == "response.output_text.delta":
                text += event.delta
            if event.type == "response.failed":
                raise Broken(event.response.error.message)
            if event.type in ("response.completed", "response.incomplete"):
                final = event.response
        assert final is not None
        seen = self._whole(final)
        assert seen.text == text
        return seen

    def _whole(self, answer: Any) -> Seen:
        seen = Seen(usage=usage_of(answer.usage, "input", "output"))
        for item in answer.output:
            if item.type == "reasoning":
                seen.thinking += "".join(part.text for part in item.summary)
            elif item.type == "function_call":
                seen.calls.append((item.call_id, item.name, json.loads(item.arguments)))
            elif item.type == "image_generation_call":
                seen.images.append(item.result)
            else:
                texts = [part for part in item.content if part.type == "output_text"]
                seen.text += "".join(part.text for part in texts)
                notes = [each.model_dump() for part in texts for each in part.annotations]
                seen.citations += [(note.get("url") or _quoted(note), _title(note)) for note in notes]
                seen.logprobs += [(token.token, token.logprob) for part in texts for token in part.logprobs or ()]
                seen.refusal += "".join(part.refusal for part in item.content if part.type == "refusal")
        why = answer.incomplete_details.reason if answer.incomplete_details else ""
        ends = {"max_output_tokens": "length", "content_filter": "filtered"}
        seen.finish = ends.get(why) or ("tools" if seen.calls else "stop")
        seen.native = [item.model_dump(exclude_none=True) for item in answer.output]
        return seen
