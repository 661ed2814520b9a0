"""A whole answer of Converse to a neutral reply and back (API reference, "Converse": Response Syntax).

Calls of tools that the provider ran itself (``toolUse`` with a ``type``, and their results) are left out, because they
are no calls for the caller. Converse gives neither an id nor the model.
"""

from typing import Any

import msgspec

from antiphon.errors import BadAnswer, BadRequest
from antiphon.types import Usage
from antiphon.wires.bedrock import media
from antiphon.wires.bedrock.citations import read_citation
from antiphon.wires.bedrock.content_writer import (
    WIRE,
    Block,
    write_reasoning_block,
    write_text_block,
    write_tool_use_block,
)
from antiphon.wires.bedrock.finish import read_finish, write_finish
from antiphon.wires.bedrock.types import AnswerMedia, CitationsContent, Reasoning, Source
from antiphon.wires.bedrock.usage import NO_USAGE, Performance, ServiceTier, read_usage, write_usage
from antiphon.wires.checks import DECODE_ERRORS, quote_body
from antiphon.wires.json_text import encode_json
from antiphon.wires.translation.foreign_signatures import ForeignSignature, pack_signature
from antiphon.wires.translation.media import make_playable, write_markdown
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

_NO_ARGUMENTS = msgspec.Raw(b"{}")


class _ToolUse(msgspec.Struct, rename="camel"):
    tool_use_id: str
    name: str
    input: msgspec.Raw = _NO_ARGUMENTS
    type: str | None = None


class _Block(msgspec.Struct, rename="camel"):
    text: str | None = None
    tool_use: _ToolUse | None = None
    reasoning_content: Reasoning | None = None
    citations_content: CitationsContent | None = None
    image: AnswerMedia | None = None
    audio: AnswerMedia | None = None
    video: AnswerMedia | None = None
    document: AnswerMedia | None = None


class _Message(msgspec.Struct):
    content: list[_Block]


class _Output(msgspec.Struct):
    message: _Message


class Answer(msgspec.Struct, rename="camel"):
    """The members of a whole answer that are read."""

    output: _Output
    stop_reason: str
    usage: msgspec.Raw = NO_USAGE
    service_tier: ServiceTier | None = None
    performance_config: Performance | None = None
    additional_model_response_fields: Any = None


_decode = msgspec.json.Decoder(Answer).decode


def decode_answer(body: bytes) -> Answer:
    """Return a decoded whole answer; raises :class:`BadAnswer`."""
    try:
        return _decode(body)
    except DECODE_ERRORS as error:
        raise BadAnswer(f"The provider's answer is not one of Converse ({error}): {quote_body(body)}") from None


def read_answer_usage(answer: Answer) -> Usage | None:
    """Return the usage that an answer states."""
    return read_usage(answer.usage, answer.service_tier, answer.performance_config)


def read_reply(body: bytes) -> Reply:
    """Return the neutral reply; raises :class:`BadAnswer`."""
    answer = decode_answer(body)
    parts = tuple(part for block in answer.output.message.content if (part := _read_block(block)) is not None)
    has_tool_call = any(type(part) is ToolCall for part in parts)
    finish = read_finish(answer.stop_reason, answer.additional_model_response_fields, has_tool_call)
    return Reply(id="", model="", choices=(Choice(parts, finish),), usage=read_answer_usage(answer))


def _read_block(block: _Block) -> Part | None:
    if block.text is not None:
        return Text(block.text)
    if block.tool_use is not None:
        call = block.tool_use
        return None if call.type is not None else ToolCall(call.tool_use_id, call.name, bytes(call.input).decode())
    if block.reasoning_content is not None:
        return _read_thinking(block.reasoning_content)
    if block.citations_content is not None:
        content = block.citations_content
        return Text(
            "".join(part.text for part in content.content), citations=tuple(map(read_citation, content.citations))
        )
    return _read_media(block)


def _read_media(block: _Block) -> Part | None:
    for content, types, part_class in (
        (block.image, media.IMAGE_TYPES, Image),
        (block.audio, media.AUDIO_TYPES, Audio),
        (block.video, media.VIDEO_TYPES, File),
        (block.document, media.DOCUMENT_TYPES, File),
    ):
        if content is not None:
            if content.error is not None:
                return Text(content.error.message)
            source = content.source or Source()
            url = source.s3_location.uri if source.s3_location else ""
            return part_class(url=url, data=source.bytes or "", media_type=types.get(content.format, ""))
    return None


def _read_thinking(content: Reasoning) -> Thinking:
    if content.redacted_content is not None:
        return Thinking(redacted=content.redacted_content, wire=WIRE)
    reasoning = content.reasoning_text
    return Thinking(reasoning.text, reasoning.signature or "", wire=WIRE) if reasoning else Thinking(wire=WIRE)


def write_reply(reply: Reply, request: Request) -> bytes:
    """Return the answer as AWS's clients expect it; ``latencyMs`` is 0, because it is not known here."""
    choice = reply.choices[0]
    content = [block for part in choice.parts for block in _write_part(part)]
    return encode_json(
        {
            "output": {"message": {"role": "assistant", "content": content}},
            **write_finish(choice.finish),
            "usage": write_usage(reply.usage),
            "metrics": {"latencyMs": 0},
        }
    )


def _write_part(part: Part) -> list[Block]:
    match part:
        case Text():
            return [write_text_block(part)] if part.text or part.citations else []
        case Refusal():
            return [{"text": part.text}] if part.text else []
        case Thinking():
            return [_write_thinking(part)]
        case ToolCall():
            call = write_tool_use_block(part.id, part)
            return [call, _write_call_signature(part)] if part.signature else [call]
        case Image() | Audio() | File():
            transcript = [{"text": part.transcript}] if isinstance(part, Audio) and part.transcript else []
            return [*transcript, write_media(part)]
        case ToolResult():
            return []


def write_media(part: Image | Audio | File) -> Block:
    """Return a block for media of an answer; a text block for a format that Converse does not have."""
    part = make_playable(part) if isinstance(part, Audio) else part
    try:
        if isinstance(part, File):
            return media.write_file(part, "output", set())
        return media.write_image(part, "output") if isinstance(part, Image) else media.write_audio(part, "output")
    except BadRequest:
        return {"text": write_markdown(part)}


def _write_thinking(part: Thinking) -> Block:
    if part.wire != WIRE:
        return write_reasoning_block(
            part.text, pack_signature(ForeignSignature(part.wire, part.signature, part.redacted, part.id))
        )
    if part.redacted:
        return {"reasoningContent": {"redactedContent": part.redacted}}
    return write_reasoning_block(part.text, part.signature)


def _write_call_signature(call: ToolCall) -> Block:
    """Return a block that carries a tool call's signature to the next turn; Converse has no member for one."""
    return write_reasoning_block("", pack_signature(ForeignSignature(signature=call.signature, call=call.id)))
