"""OpenAI's client, as a caller of chat completions and of responses."""

import json
from typing import Any

import openai

from system.matrix.questions import (
    PDF,
    PIXEL,
    Answer,
    FailedAnswer,
    Part,
    Question,
    Result,
    Unsupported,
    add_sound,
    extract_media,
    read_dropped,
)

_FINISH = {"stop": "stop", "length": "length", "tool_calls": "tools", "content_filter": "filtered"}


def read_usage(usage: Any, before: str, after: str) -> dict[str, int]:
    input_details, output_details = (
        getattr(usage, before + "_tokens_details"),
        getattr(usage, after + "_tokens_details"),
    )
    return {
        "input": getattr(usage, before + "_tokens"),
        "output": getattr(usage, after + "_tokens"),
        "cache_read": input_details.cached_tokens or 0,
        "cache_write": input_details.cache_write_tokens or 0,
        "reasoning": output_details.reasoning_tokens or 0,
    }


def _read_logprobs(choice: Any) -> list[tuple[str, float]]:
    found = choice.logprobs.content if choice.logprobs else None
    return [(token.token, token.logprob) for token in found or ()]


def _read_media(answer: Answer, message: Any) -> None:
    """Read the images, sound and citations of a message or a delta."""
    for image in getattr(message, "images", None) or ():
        answer.images.append(image["image_url"]["url"].removeprefix("data:image/png;base64,"))
    audio = getattr(message, "audio", None)
    audio = audio.model_dump() if hasattr(audio, "model_dump") else audio
    if audio and audio.get("data"):
        add_sound(answer, audio["data"])
    for each in getattr(message, "annotations", None) or ():
        citation = each if isinstance(each, dict) else each.model_dump()
        page = citation.get("url_citation") or {}
        answer.citations.append((page.get("url") or _get_quote(citation), page.get("title") or _get_title(citation)))


def _get_quote(citation: Any) -> str:
    return str(citation.get("cited_text") or citation.get("file_id") or "")


def _get_title(citation: Any) -> str:
    return str(citation.get("title") or citation.get("document_title") or citation.get("filename") or "")


class Chat:
    """Chat completions."""

    def __init__(self, url: str, key: str) -> None:
        self.client = openai.OpenAI(base_url=url + "/v1", api_key=key, max_retries=0, timeout=20)

    def close(self) -> None:
        self.client.close()

    def make_history(self, question: Question) -> list[Any]:
        turns = [{"role": turn.role, "content": self._make_content(turn.parts)} for turn in question.turns]
        return ([{"role": "system", "content": question.system}] if question.system else []) + turns

    def _make_content(self, parts: tuple[Part, ...]) -> Any:
        return parts[0].text if len(parts) == 1 and parts[0].text else [self._make_part(part) for part in parts]

    def _make_part(self, part: Part) -> Any:
        if part.kind == "image":
            return {"type": "image_url", "image_url": {"url": part.url or "data:image/png;base64," + part.data}}
        if part.kind == "file":
            if part.url:
                raise Unsupported
            if part.file_id:
                return {"type": "file", "file": {"file_id": part.file_id}}
            data = "data:application/pdf;base64," + part.data
            return {"type": "file", "file": {"filename": "a.pdf", "file_data": data}}
        if part.kind == "audio":
            return {"type": "input_audio", "input_audio": {"data": part.data, "format": "wav"}}
        return {"type": "text", "text": part.text}

    def make_results(self, answer: Answer, results: tuple[Result, ...]) -> list[Any]:
        if any(result.error or result.image or result.file for result in results):
            raise Unsupported
        return [
            {"role": "tool", "tool_call_id": call[0], "content": result.text}
            for call, result in zip(answer.calls, results, strict=True)
        ]

    def ask(self, model: str, question: Question, history: list[Any], stream: bool) -> Answer:
        if question.top_k is not None or question.cache or question.previous:
            raise Unsupported
        fields: dict[str, Any] = {"model": model, "messages": history, "max_completion_tokens": question.max_tokens}
        if question.tools:
            fields["tools"] = [
                {"type": "function", "function": {"name": tool.name, "parameters": tool.schema}}
                for tool in question.tools
            ]
        if question.choice:
            chosen = {"type": "function", "function": {"name": question.choice}}
            fields["tool_choice"] = question.choice if question.choice in ("auto", "none", "required") else chosen
        if question.schema is not None:
            form = {"name": "answer", "schema": question.schema, "strict": True}
            fields["response_format"] = {"type": "json_schema", "json_schema": form}
        optional = {
            "parallel_tool_calls": question.parallel,
            "temperature": question.temperature,
            "seed": question.seed,
        }
        optional |= {
            "stop": list(question.stop) or None,
            "user": question.user or None,
            "logprobs": question.logprobs or None,
        }
        optional |= {
            "metadata": question.metadata or None,
            "n": question.n if question.n > 1 else None,
            "presence_penalty": question.penalty,
        }
        optional["response_format"] = {"type": "json_object"} if question.json else None
        fields |= {name: value for name, value in optional.items() if value is not None}
        raw = self.client.chat.completions.with_raw_response
        if stream:
            reply = raw.create(**fields, stream=True, stream_options={"include_usage": True})
            answer = self._read_stream(reply.parse())
        else:
            reply = raw.create(**fields)
            answer = self._read_whole(reply.parse())
        answer.dropped = read_dropped(reply.headers)
        return extract_media(answer)

    def _read_whole(self, reply: Any) -> Answer:
        choice = reply.choices[0]
        message = choice.message
        native = {
            name: value for name, value in message.model_dump().items() if value is not None and name != "annotations"
        }
        answer = Answer(
            text=message.content or "",
            thinking=getattr(message, "reasoning_content", None) or "",
            refusal=message.refusal or "",
            calls=[
                (call.id, call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls or ()
            ],
            finish=_FINISH[choice.finish_reason],
            logprobs=_read_logprobs(choice),
            usage=read_usage(reply.usage, "prompt", "completion"),
            native=[native],
            choices=len(reply.choices),
        )
        _read_media(answer, message)
        return answer

    def _read_stream(self, stream: Any) -> Answer:
        answer, calls, blocks, extras = Answer(), {}, [], {}
        for chunk in stream:
            if chunk.usage is not None:
                assert chunk.choices == []
                answer.usage = read_usage(chunk.usage, "prompt", "completion")
            for choice in chunk.choices:
                delta = choice.delta
                answer.logprobs += _read_logprobs(choice)
                answer.text += (delta.content or "") if not choice.index else ""
                answer.refusal += delta.refusal or ""
                answer.choices = max(answer.choices, choice.index + 1)
                _read_media(answer, delta)
                if choice.index:
                    continue
                answer.thinking += getattr(delta, "reasoning_content", None) or ""
                blocks += getattr(delta, "thinking_blocks", None) or []
                for call in delta.tool_calls or ():
                    if call.id:
                        calls[call.index] = [call.id, call.function.name, ""]
                    calls[call.index][2] += call.function.arguments or ""
                    if extra := getattr(call, "extra_content", None):
                        extras[call.index] = {"extra_content": extra}
                if choice.finish_reason:
                    assert not answer.finish
                    answer.finish = _FINISH[choice.finish_reason]
        answer.calls = [(id, name, json.loads(arguments)) for id, name, arguments in calls.values()]
        native: dict[str, Any] = {"role": "assistant", "content": answer.text or None}
        if calls:
            native["tool_calls"] = [
                {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}} | extras.get(at, {})
                for at, (id, name, arguments) in calls.items()
            ]
        if answer.thinking:
            native["reasoning_content"] = answer.thinking
        if blocks:
            native["thinking_blocks"] = blocks
        if answer.images:
            data = [{"url": "data:image/png;base64," + image} for image in answer.images]
            native["images"] = [{"type": "image_url", "image_url": each} for each in data]
        answer.native = [native]
        return answer


class Responses:
    """Responses."""

    def __init__(self, url: str, key: str) -> None:
        self.client = openai.OpenAI(base_url=url + "/v1", api_key=key, max_retries=0, timeout=20)

    def close(self) -> None:
        self.client.close()

    def make_history(self, question: Question) -> list[Any]:
        return [
            {"role": turn.role, "content": [self._make_part(turn.role, part) for part in turn.parts]}
            for turn in question.turns
        ]

    def _make_part(self, role: str, part: Part) -> Any:
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

    def make_results(self, answer: Answer, results: tuple[Result, ...]) -> list[Any]:
        if any(result.error for result in results):
            raise Unsupported
        return [
            {"type": "function_call_output", "call_id": call[0], "output": self._make_output(result)}
            for call, result in zip(answer.calls, results, strict=True)
        ]

    def _make_output(self, result: Result) -> Any:
        text: Any = {"type": "input_text", "text": result.text}
        if result.image:
            return [text, {"type": "input_image", "image_url": "data:image/png;base64," + PIXEL}]
        return [text, self._make_part("user", Part(kind="file", data=PDF))] if result.file else result.text

    def ask(self, model: str, question: Question, history: list[Any], stream: bool) -> Answer:
        if (
            question.stop
            or question.top_k is not None
            or question.seed is not None
            or question.cache
            or question.n > 1
            or question.penalty
        ):
            raise Unsupported
        fields: dict[str, Any] = {"model": model, "input": history, "max_output_tokens": max(question.max_tokens, 16)}
        if question.max_tokens < 16:
            fields["max_output_tokens"] = question.max_tokens
        if question.system:
            fields["instructions"] = question.system
        if question.tools:
            fields["tools"] = [
                {"type": "function", "name": tool.name, "parameters": tool.schema, "strict": False}
                for tool in question.tools
            ]
        if question.choice:
            chosen = {"type": "function", "name": question.choice}
            fields["tool_choice"] = question.choice if question.choice in ("auto", "none", "required") else chosen
        if question.schema is not None:
            form = {"type": "json_schema", "name": "answer", "schema": question.schema, "strict": True}
            fields["text"] = {"format": form}
        if question.json:
            fields["text"] = {"format": {"type": "json_object"}}
        optional = {
            "parallel_tool_calls": question.parallel,
            "temperature": question.temperature,
            "user": question.user or None,
        }
        optional["metadata"] = question.metadata or None
        if question.previous:
            before = self.client.responses.create(**fields | {"input": history[:1]})
            fields |= {"input": history[-1:], "previous_response_id": before.id}
        fields |= {name: value for name, value in optional.items() if value is not None}
        fields["include"] = ["reasoning.encrypted_content"]
        if question.logprobs:
            fields["include"].append("message.output_text.logprobs")
        raw = self.client.responses.with_raw_response
        reply = raw.create(**fields, store=question.previous, stream=stream)
        answer = self._read_stream(reply.parse()) if stream else self._read_whole(reply.parse())
        answer.dropped = read_dropped(reply.headers)
        return extract_media(answer)

    def _read_stream(self, stream: Any) -> Answer:
        text, final = "", None
        for number, event in enumerate(stream):
            assert event.sequence_number == number
            if event.type == "response.output_text.delta":
                text += event.delta
            if event.type == "response.failed":
                raise FailedAnswer(event.response.error.message)
            if event.type in ("response.completed", "response.incomplete"):
                final = event.response
        assert final is not None
        answer = self._read_whole(final)
        assert answer.text == text
        return answer

    def _read_whole(self, reply: Any) -> Answer:
        answer = Answer(usage=read_usage(reply.usage, "input", "output"))
        for item in reply.output:
            if item.type == "reasoning":
                answer.thinking += "".join(part.text for part in item.summary)
            elif item.type == "function_call":
                answer.calls.append((item.call_id, item.name, json.loads(item.arguments)))
            elif item.type == "image_generation_call":
                answer.images.append(item.result)
            else:
                texts = [part for part in item.content if part.type == "output_text"]
                answer.text += "".join(part.text for part in texts)
                notes = [each.model_dump() for part in texts for each in part.annotations]
                answer.citations += [(note.get("url") or _get_quote(note), _get_title(note)) for note in notes]
                answer.logprobs += [(token.token, token.logprob) for part in texts for token in part.logprobs or ()]
                answer.refusal += "".join(part.refusal for part in item.content if part.type == "refusal")
        why = reply.incomplete_details.reason if reply.incomplete_details else ""
        ends = {"max_output_tokens": "length", "content_filter": "filtered"}
        answer.finish = ends.get(why) or ("tools" if answer.calls else "stop")
        answer.native = [item.model_dump(exclude_none=True) for item in reply.output]
        return answer
