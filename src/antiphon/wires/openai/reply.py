"""Reads and writes a whole chat completion (API reference, "The chat completion object")."""

from typing import Any

import msgspec

from antiphon.clock import make_id, read_time_us
from antiphon.errors import BadAnswer
from antiphon.wires.checks import quote_body
from antiphon.wires.openai import errors
from antiphon.wires.openai.citations import write_citation
from antiphon.wires.openai.finish import read_finish, write_finish
from antiphon.wires.openai.media import has_field, read_audio, read_images, write_audio, write_images
from antiphon.wires.openai.signatures import read_signature, write_signature, write_thinking_block
from antiphon.wires.openai.usage import read_usage, write_usage
from antiphon.wires.translation.media import join_audio, write_markdown
from antiphon.wires.translation.neutral import (
    Audio,
    Choice,
    File,
    Finish,
    Image,
    Part,
    Refusal,
    Reply,
    Request,
    Text,
    Thinking,
    ToolCall,
)

WIRE = "openai"
"""The name of this wire in neutral values."""
_ID_PREFIX = "chatcmpl-"
_NULL = msgspec.Raw(b"null")


class _Function(msgspec.Struct):
    name: str = ""
    arguments: str | None = None


class _ToolCall(msgspec.Struct):
    id: str | None = None
    function: _Function | None = None
    extra_content: Any = None


class _Message(msgspec.Struct):
    content: Any = None
    refusal: str | None = None
    reasoning_content: Any = None
    reasoning: Any = None
    tool_calls: list[_ToolCall] | None = None
    images: Any = None
    audio: Any = None
    annotations: list[dict[str, Any]] | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None
    logprobs: dict[str, Any] | None = None
    index: int | None = 0


class _Completion(msgspec.Struct):
    choices: list[_Choice] | None = None
    id: str | None = None
    model: str | None = None
    created: int | float | None = None
    usage: msgspec.Raw = _NULL
    service_tier: Any = None
    error: Any = msgspec.UNSET
    object: Any = None
    message: Any = None


_decode = msgspec.json.Decoder(_Completion).decode


def read_reply(body: bytes) -> Reply:
    """See :meth:`translation.codec.Codec.read_reply`."""
    try:
        answer = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        errors.read_whole_answer(body)
        raise BadAnswer(f"The provider's answer is not a chat completion: {error}") from None
    errors.check_answer(answer)
    if answer.choices is None:
        raise BadAnswer(f"The provider answered without `choices`: {quote_body(body)}")
    if not answer.choices:
        raise BadAnswer("The provider answered without a choice.")
    choices = sorted(answer.choices, key=lambda choice: choice.index or 0)
    return Reply(
        id=answer.id or "",
        model=answer.model or "",
        created=int(answer.created or 0),
        choices=tuple(_read_choice(choice) for choice in choices),
        usage=read_usage(bytes(answer.usage), answer.service_tier),
    )


def _read_choice(choice: _Choice) -> Choice:
    message = choice.message
    parts: list[Part] = []
    reasoning = message.reasoning_content or message.reasoning or read_thinking(message.content)
    if reasoning and isinstance(reasoning, str):
        parts.append(Thinking(text=reasoning, wire=WIRE))
    if text := read_text(message.content):
        parts.append(Text(text, citations=tuple(message.annotations or ())))
    parts += read_images(message.content)
    parts += read_images(message.images)
    if (audio := read_audio(message.audio)) is not None:
        parts.append(audio)
    if message.refusal:
        parts.append(Refusal(message.refusal))
    calls = message.tool_calls or ()
    parts += [_read_call(call) for call in calls]
    only_refusal = bool(message.refusal) and not message.content
    reason = read_finish(choice.finish_reason, has_call=bool(calls), only_refusal=only_refusal)
    return Choice(tuple(parts), Finish(reason, choice=choice.index or 0), choice.logprobs)


def read_text(content: Any) -> str:
    """Return the text of a content, which is a string or a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return ""


def read_thinking(content: Any) -> str:
    """Return the reasoning among the parts of a content (Mistral, "Reasoning": parts of type ``thinking``)."""
    parts = content if isinstance(content, list) else ()
    return "".join(read_text(part.get("thinking")) for part in parts if isinstance(part, dict))


def _read_call(call: _ToolCall) -> ToolCall:
    function = call.function or _Function()
    signature = read_signature(call.extra_content)
    return ToolCall(call.id or make_id("call"), function.name, function.arguments or "{}", signature)


def write_reply(reply: Reply, request: Request) -> bytes:
    """Write a whole answer; if the provider did not name the model, the request's model is used."""
    body: dict[str, Any] = {
        "id": write_answer_id(reply.id),
        "object": "chat.completion",
        "created": reply.created or read_time_us() // 1_000_000,
        "model": reply.model or request.model,
        "choices": [_write_choice(index, choice, request) for index, choice in enumerate(reply.choices)],
    }
    if reply.usage is not None:
        body["usage"] = write_usage(reply.usage)
    return msgspec.json.encode(body)


def write_answer_id(provider_id: str) -> str:
    """Return the id of an answer with this wire's prefix; it contains the provider's own id if there is one."""
    if not provider_id:
        return make_id(_ID_PREFIX[:-1]).replace("_", "-", 1)
    return provider_id if provider_id.startswith(_ID_PREFIX) else _ID_PREFIX + provider_id


def _write_choice(index: int, choice: Choice, request: Request) -> dict[str, Any]:
    texts: list[Text] = []
    others: dict[type[Part], list[Any]] = {}
    for part in choice.parts:
        if (text := _find_text(part)) is not None:
            texts.append(text)
        else:
            others.setdefault(type(part), []).append(part)
    content = "".join([text.text for text in texts]) if texts else None
    message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": None}
    annotations = _write_annotations(texts)
    if others:
        message |= _write_others(others, annotations, str(request.echo.get("audio") or ""))
    elif annotations:
        message["annotations"] = annotations
    finish = write_finish(choice.finish.reason)
    return {"index": index, "message": message, "logprobs": choice.logprobs, "finish_reason": finish}


def _write_others(
    parts: dict[type[Part], list[Any]], annotations: list[dict[str, Any]], audio_format: str
) -> dict[str, Any]:
    """Return the members of a message with parts that are not text; ``parts`` holds those by type."""
    message: dict[str, Any] = {}
    if refusal := "".join(part.text for part in parts.get(Refusal, ())):
        message["refusal"] = refusal
    thinking = parts.get(Thinking, [])
    if reasoning := "".join(part.text for part in thinking):
        message["reasoning_content"] = reasoning
    if blocks := [write_thinking_block(part) for part in thinking if part.signature or part.redacted]:
        message["thinking_blocks"] = blocks
    if calls := [_write_call(part) for part in parts.get(ToolCall, ())]:
        message["tool_calls"] = calls
    if annotations:
        message["annotations"] = annotations
    if images := parts.get(Image):
        message["images"] = write_images(images)
    if audio := parts.get(Audio):
        message["audio"] = write_audio(join_audio(audio), audio_format)
    return message


def _find_text(part: Part) -> Text | None:
    """Return the text of a part; media for which this wire has no field are described in text."""
    if type(part) is Text:
        return part
    if (type(part) is Image or type(part) is File) and not has_field(part):
        return Text(write_markdown(part))
    return None


def _write_annotations(texts: list[Text]) -> list[dict[str, Any]]:
    """Return the citations of texts that are joined into one; their positions count from its beginning."""
    annotations, offset = [], 0
    for part in texts:
        annotations += [write_citation(citation, offset, len(part.text)) for citation in part.citations]
        offset += len(part.text)
    return annotations


def _write_call(call: ToolCall) -> dict[str, Any]:
    call_object: dict[str, Any] = {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    }
    if call.signature:
        call_object["extra_content"] = write_signature(call.signature)
    return call_object
