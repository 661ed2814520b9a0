"""A whole chat completion, from and into the neutral form (API reference, "The chat completion object")."""

from typing import Any

import msgspec

from antiphon.clock import new_id, now_us
from antiphon.errors import BadAnswer
from antiphon.types import Usage
from antiphon.wires.openai import usage as usages
from antiphon.wires.openai.citations import write_citation
from antiphon.wires.openai.media import is_shown, read_audio, read_images, write_audio, write_images
from antiphon.wires.translation.foreign_signatures import Carried, pack, unpack
from antiphon.wires.translation.media import joined, text_of
from antiphon.wires.translation.neutral import (
    Audio,
    Choice,
    File,
    Finish,
    FinishReason,
    Image,
    Part,
    Refusal,
    Reply,
    Request,
    Text,
    Thinking,
    ToolCall,
)

_ID = "chatcmpl-"
WIRE = "openai"
"""The name of this wire in neutral values."""
FINISH_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
_WRITTEN_REASONS: dict[FinishReason, str] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "refusal": "content_filter",
    "pause": "stop",
}


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
    choices: list[_Choice]
    id: str | None = None
    model: str | None = None
    created: int | float | None = None
    usage: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    service_tier: Any = None


_decode = msgspec.json.Decoder(_Completion).decode


def read(body: bytes) -> Reply:
    """Read a body that the wire's ``whole`` has found to be an answer."""
    try:
        answer = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadAnswer(f"The provider's answer is not a chat completion: {error}") from None
    if not answer.choices:
        raise BadAnswer("The provider answered without a choice.")
    choices = sorted(answer.choices, key=lambda choice: choice.index or 0)
    return Reply(
        id=answer.id or "",
        model=answer.model or "",
        created=int(answer.created or 0),
        choices=tuple(_read_choice(choice) for choice in choices),
        usage=usages.read(bytes(answer.usage), answer.service_tier) if answer.usage is not msgspec.UNSET else None,
    )


def _read_choice(choice: _Choice) -> Choice:
    message = choice.message
    parts: list[Part] = []
    reasoning = message.reasoning_content or message.reasoning or thinking_in(message.content)
    if reasoning and isinstance(reasoning, str):
        parts.append(Thinking(text=reasoning, wire=WIRE))
    if text := _text(message.content):
        parts.append(Text(text, citations=tuple(message.annotations or ())))
    parts += read_images(message.content)
    parts += read_images(message.images)
    if (sound := read_audio(message.audio)) is not None:
        parts.append(sound)
    if message.refusal:
        parts.append(Refusal(message.refusal))
    calls = message.tool_calls or ()
    parts += [_read_call(call) for call in calls]
    reason = FINISH_REASONS.get(choice.finish_reason or "stop", "stop")
    # Some providers finish with "stop" although they ask for a tool; clients then never run it.
    if reason == "stop":
        reason = "tool_calls" if calls else "refusal" if message.refusal and not message.content else "stop"
    return Choice(tuple(parts), Finish(reason, choice=choice.index or 0), choice.logprobs)


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return ""


def thinking_in(content: Any) -> str:
    """Return the reasoning among the parts of a message (Mistral, "Reasoning": parts of type ``thinking``)."""
    parts = content if isinstance(content, list) else ()
    return "".join(_text(part.get("thinking")) for part in parts if isinstance(part, dict))


def _read_call(call: _ToolCall) -> ToolCall:
    function = call.function or _Function()
    signature = signature_of(call.extra_content)
    return ToolCall(call.id or new_id("call"), function.name, function.arguments or "{}", signature)


def signature_of(extra: Any) -> str:
    """Return the thought signature that travels with a tool call (Gemini's OpenAI compatibility, "extra_content")."""
    signature = _signature(extra)
    carried = unpack(signature)
    return signature if carried is None else carried.signature


def carries(extra: Any) -> bool:
    """Say whether what travels with a tool call was put there by us, for another wire."""
    return unpack(_signature(extra)) is not None


def carrying(signature: str) -> dict[str, Any]:
    """Return what carries another wire's thought signature with a tool call, in the form that clients send back."""
    return {"google": {"thought_signature": pack(Carried("gemini", signature))}}


def _signature(extra: Any) -> str:
    google = extra.get("google") if isinstance(extra, dict) else None
    return str(google.get("thought_signature") or "") if isinstance(google, dict) else ""


def write(reply: Reply, request: Request) -> bytes:
    """Write a whole answer; the request's model is told where the provider names none."""
    body: dict[str, Any] = {
        "id": answer_id(reply.id),
        "object": "chat.completion",
        "created": reply.created or now_us() // 1_000_000,
        "model": reply.model or request.model,
        "choices": [_write_choice(i, choice, request) for i, choice in enumerate(reply.choices)],
    }
    if reply.usage is not None:
        body["usage"] = usage_object(reply.usage)
    return msgspec.json.encode(body)


def answer_id(known: str) -> str:
    """Return the id of an answer as this wire begins it, with the provider's own id in it, where it told one."""
    if not known:
        return new_id(_ID[:-1]).replace("_", "-", 1)
    return known if known.startswith(_ID) else _ID + known


def _write_choice(index: int, choice: Choice, request: Request) -> dict[str, Any]:
    texts = [text for part in choice.parts if (text := _words(part)) is not None]
    refusal = "".join(part.text for part in choice.parts if isinstance(part, Refusal))
    calls = [part for part in choice.parts if isinstance(part, ToolCall)]
    message: dict[str, Any] = {"role": "assistant", "content": "".join(part.text for part in texts) if texts else None}
    message["refusal"] = refusal or None
    thinking = [part for part in choice.parts if isinstance(part, Thinking)]
    if shown := "".join(part.text for part in thinking):
        message["reasoning_content"] = shown
    if blocks := [thinking_block(part) for part in thinking if part.signature or part.redacted]:
        message["thinking_blocks"] = blocks
    if calls:
        message["tool_calls"] = [_write_call(call) for call in calls]
    if annotations := _annotations(texts):
        message["annotations"] = annotations
    if images := [part for part in choice.parts if isinstance(part, Image) and is_shown(part)]:
        message["images"] = write_images(images)
    if sounds := [part for part in choice.parts if isinstance(part, Audio)]:
        message["audio"] = write_audio(joined(sounds), str(request.echo.get("audio") or ""))
    reason = _WRITTEN_REASONS[choice.finish.reason]
    return {"index": index, "message": message, "logprobs": choice.logprobs, "finish_reason": reason}


def _words(part: Part) -> Text | None:
    """Return what of a part is text here: what this wire has no place for is told in words."""
    if isinstance(part, Text):
        return part
    return Text(text_of(part)) if isinstance(part, Image | File) and not is_shown(part) else None


def _annotations(texts: list[Text]) -> list[dict[str, Any]]:
    """Return the citations of texts that become one; their spans count from its beginning."""
    found, offset = [], 0
    for part in texts:
        found += [write_citation(citation, offset, len(part.text)) for citation in part.citations]
        offset += len(part.text)
    return found


def thinking_block(part: Thinking) -> dict[str, Any]:
    """Return signed reasoning in the form in which a client sends it back with the message it belongs to."""
    if part.redacted:
        return {"type": "redacted_thinking", "data": part.redacted, "wire": part.wire}
    block = {"type": "thinking", "thinking": part.text, "signature": part.signature, "wire": part.wire}
    return block | ({"id": part.id} if part.id else {})


def _write_call(call: ToolCall) -> dict[str, Any]:
    written: dict[str, Any] = {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    }
    if call.signature:
        written["extra_content"] = carrying(call.signature)
    return written


def written_reason(reason: FinishReason) -> str:
    """Return OpenAI's word for why an answer ended."""
    return _WRITTEN_REASONS[reason]


def usage_object(usage: Usage) -> dict[str, Any]:
    """Return buckets as OpenAI counts them: details are parts of the totals."""
    return {
        "prompt_tokens": usage.total_input,
        "completion_tokens": usage.total_output,
        "total_tokens": usage.total,
        "prompt_tokens_details": {
            "cached_tokens": usage.cache_read + usage.audio_cache_read,
            "cache_write_tokens": usage.cache_write + usage.cache_write_long,
            "audio_tokens": usage.audio_input,
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": usage.audio_output,
        },
    }
