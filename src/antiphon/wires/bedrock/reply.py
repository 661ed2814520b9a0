"""A whole answer of Converse, read and written (API reference, "Converse": Response Syntax).

Tools that the provider ran itself (``toolUse`` with a ``type``, and their results) are no calls for the caller, and are
left out. Converse tells neither an id nor the model.
"""

from typing import Any

import msgspec

from antiphon.errors import BadAnswer, BadRequest
from antiphon.types import Usage
from antiphon.wires.bedrock import citations, media, stops, usage
from antiphon.wires.bedrock.errors import excerpt
from antiphon.wires.bedrock.jsontext import encode, raw_object
from antiphon.wires.bedrock.messages_out import Block, cited, thought
from antiphon.wires.bedrock.schema import CitationsContent, Reasoning, Shown, Source
from antiphon.wires.bedrock.usage import Performance, ServiceTier
from antiphon.wires.translation.foreign_signatures import Carried, pack
from antiphon.wires.translation.media import playable, text_of
from antiphon.wires.translation.neutral import (
    Audio,
    Choice,
    File,
    Image,
    Part,
    Refusal,
    Reply,
    Request,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)

WIRE = "bedrock"
_NO_RAW = msgspec.Raw(b"{}")


class _Call(msgspec.Struct, rename="camel"):
    tool_use_id: str
    name: str
    input: msgspec.Raw = _NO_RAW
    type: str | None = None


class _Block(msgspec.Struct, rename="camel"):
    text: str | None = None
    tool_use: _Call | None = None
    reasoning_content: Reasoning | None = None
    citations_content: CitationsContent | None = None
    image: Shown | None = None
    audio: Shown | None = None
    video: Shown | None = None
    document: Shown | None = None


class _Message(msgspec.Struct):
    content: list[_Block]


class _Output(msgspec.Struct):
    message: _Message


class Answer(msgspec.Struct, rename="camel"):
    """The members of a whole answer that are read."""

    output: _Output
    stop_reason: str
    usage: msgspec.Raw = usage.NOT_TOLD
    service_tier: ServiceTier | None = None
    performance_config: Performance | None = None
    additional_model_response_fields: Any = None


_decode = msgspec.json.Decoder(Answer).decode


def decode(body: bytes) -> Answer:
    """Return a whole answer; raises :class:`BadAnswer` where it is none."""
    try:
        return _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadAnswer(f"The provider's answer is not one of Converse ({error}): {excerpt(body)}") from None


def counted(answer: Answer) -> Usage | None:
    """Return what an answer says that it used."""
    return usage.read(answer.usage, answer.service_tier, answer.performance_config)


def read(body: bytes) -> Reply:
    """Return the reply; raises :class:`BadAnswer`."""
    answer = decode(body)
    parts = tuple(part for block in answer.output.message.content if (part := _part(block)) is not None)
    called = any(type(part) is ToolCall for part in parts)
    finish = stops.read(answer.stop_reason, stop_sequence(answer.additional_model_response_fields), called)
    return Reply(id="", model="", choices=(Choice(parts, finish),), usage=counted(answer))


def stop_sequence(more: Any) -> str:
    """Return the stop sequence that was met, where the caller asked for that field of the model's answer."""
    value = more.get("stop_sequence") if type(more) is dict else None
    return value if type(value) is str else ""


def _part(block: _Block) -> Part | None:
    if block.text is not None:
        return Text(block.text)
    if block.tool_use is not None:
        call = block.tool_use
        return None if call.type is not None else ToolCall(call.tool_use_id, call.name, bytes(call.input).decode())
    if block.reasoning_content is not None:
        return thinking(block.reasoning_content)
    if block.citations_content is not None:
        told = block.citations_content
        text = "".join(part.text for part in told.content)
        return Text(text, citations=tuple(map(citations.read, told.citations)))
    return _media(block)


def _media(block: _Block) -> Part | None:
    for told, types, kind in (
        (block.image, media.IMAGE_TYPES, Image),
        (block.audio, media.SOUND_TYPES, Audio),
        (block.video, media.VIDEO_TYPES, File),
        (block.document, media.DOCUMENT_TYPES, File),
    ):
        if told is not None:
            if told.error is not None:
                return Text(told.error.message)
            source = told.source or Source()
            place = source.s3_location.uri if source.s3_location else ""
            return kind(url=place, data=source.bytes or "", media_type=types.get(told.format, ""))
    return None


def thinking(content: Reasoning) -> Thinking:
    """Return a block of reasoning that a model of this wire made."""
    if content.redacted_content is not None:
        return Thinking(redacted=content.redacted_content, wire=WIRE)
    told = content.reasoning_text
    return Thinking(told.text, told.signature or "", wire=WIRE) if told else Thinking(wire=WIRE)


def write(reply: Reply, request: Request) -> bytes:
    """Return the answer as AWS's clients expect it; its latency is not known here and told as 0."""
    choice = reply.choices[0]
    content = [block for part in choice.parts for block in _blocks(part)]
    return encode(
        {
            "output": {"message": {"role": "assistant", "content": content}},
            **stops.write(choice.finish),
            "usage": usage.write(reply.usage),
            "metrics": {"latencyMs": 0},
        }
    )


def _blocks(part: Part) -> list[Block]:
    match part:
        case Text():
            return [cited(part)] if part.text or part.citations else []
        case Refusal():
            return [{"text": part.text}] if part.text else []
        case Thinking():
            return [_thought(part)]
        case ToolCall():
            call = {"toolUse": {"toolUseId": part.id, "name": part.name, "input": raw_object(part.arguments)}}
            return [call, carried_call(part.id, part.signature)] if part.signature else [call]
        case Image() | Audio() | File():
            words = [{"text": part.transcript}] if isinstance(part, Audio) and part.transcript else []
            return [*words, shown(part)]
        case ToolResult():
            return []


def shown(part: Image | Audio | File) -> Block:
    """Return an image or a sound of an answer; as text, where Converse has no word for its form."""
    part = playable(part) if isinstance(part, Audio) else part
    try:
        if isinstance(part, File):
            return media.file(part, "output", set())
        return media.image(part, "output") if isinstance(part, Image) else media.sound(part, "output")
    except BadRequest:
        return {"text": text_of(part)}


def _thought(part: Thinking) -> Block:
    if part.wire != WIRE:
        return thought(part.text, pack(Carried(part.wire, part.signature, part.redacted, part.id)))
    if part.redacted:
        return {"reasoningContent": {"redactedContent": part.redacted}}
    return thought(part.text, part.signature)


def carried_call(call: str, signature: str) -> Block:
    """Return a block that carries a tool call's signature to the next turn; Converse has no place for one."""
    return thought("", pack(Carried(signature=signature, call=call)))
