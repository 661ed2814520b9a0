"""A whole response, to and from the neutral form (API reference, "The response object")."""

from typing import Any

from msgspec import structs

from antiphon.errors import BadAnswer
from antiphon.wires.checks import quote_body
from antiphon.wires.responses.finish import UNFINISHED, read_finish
from antiphon.wires.responses.output_reader import add_call_signatures, read_item
from antiphon.wires.responses.stream_writer import ResponsesWriter
from antiphon.wires.responses.types import ResponseObject, make_reported_error, read_response
from antiphon.wires.translation.neutral import (
    Annotation,
    Audio,
    BlockStart,
    BlockStop,
    Choice,
    Delta,
    Event,
    File,
    Finish,
    Image,
    Media,
    Part,
    Refusal,
    Reply,
    Request,
    Start,
    StreamEnd,
    Text,
    Thinking,
    ToolCall,
    UsageUpdate,
)


def read_answer(body: bytes) -> ResponseObject:
    """Return a whole answer; raises :class:`BadAnswer` for one that reports an error or has no output."""
    response = read_response(body)
    if (error := response.find_error()) is not None:
        raise make_reported_error(error)
    if response.output is None:
        raise BadAnswer(f"The provider answered without `output`: {quote_body(body)}")
    return response


def read_reply(body: bytes) -> Reply:
    """See :meth:`translation.codec.Codec.read_reply`."""
    response = read_answer(body)
    if response.status in UNFINISHED:
        raise BadAnswer(f"The provider answered with a response that is still {response.status!r}.")
    tokens: list[dict[str, Any]] = []
    parts = add_call_signatures([part for raw in response.output or () for part in read_item(bytes(raw), tokens)])
    finish = Finish(read_finish(response, {type(part) for part in parts}))
    return Reply(
        id=response.id,
        model=response.model,
        choices=(Choice(parts, finish, {"content": tokens} if tokens else None),),
        usage=response.read_usage(),
        created=int(response.created_at or 0),
    )


def write_reply(reply: Reply, request: Request) -> bytes:
    """See :meth:`translation.codec.Codec.write_reply`; a stream of the same answer ends with the same object."""
    writer = ResponsesWriter(request, reply.created)
    writer.write(Start(reply.id, reply.model))
    choice = reply.choices[0]
    tokens = tuple((choice.logprobs or {}).get("content") or ())
    for index, part in enumerate(choice.parts):
        for event in make_events(part, index):
            if tokens and type(part) is Text and type(event) is Delta:
                event, tokens = structs.replace(event, logprobs=tokens), ()
            writer.write(event)
    if reply.usage is not None:
        writer.write(UsageUpdate(reply.usage))
    writer.write(choice.finish)
    writer.write(StreamEnd())
    return writer.response


def make_events(part: Part, index: int) -> list[Event]:
    """Return the events of a part of an answer, none for a part that an answer of this wire cannot hold."""
    make = _EVENTS.get(type(part))
    return make(part, index) if make is not None else []


def _make_text_events(part: Text, index: int) -> list[Event]:
    citations = [Annotation(index, citation=citation) for citation in part.citations]
    return [BlockStart(index, "text"), Delta(index, part.text), *citations, BlockStop(index)]


def _make_media_events(part: Image | File | Audio, index: int) -> list[Event]:
    return [Media(index, part)]


def _make_refusal_events(part: Refusal, index: int) -> list[Event]:
    return [BlockStart(index, "refusal"), Delta(index, part.text), BlockStop(index)]


def _make_thinking_events(part: Thinking, index: int) -> list[Event]:
    events: list[Event] = [BlockStart(index, "thinking", id=part.id)]
    if part.text:
        events.append(Delta(index, part.text))
    if part.signature or part.redacted or part.wire:
        events.append(Annotation(index, signature=part.signature, redacted=part.redacted, wire=part.wire))
    return [*events, BlockStop(index)]


def _make_call_events(part: ToolCall, index: int) -> list[Event]:
    events: list[Event] = [BlockStart(index, "tool", id=part.id, name=part.name), Delta(index, part.arguments)]
    if part.signature:
        events.append(Annotation(index, signature=part.signature))
    return [*events, BlockStop(index)]


_EVENTS: dict[type, Any] = {
    Text: _make_text_events,
    Refusal: _make_refusal_events,
    Thinking: _make_thinking_events,
    ToolCall: _make_call_events,
    Image: _make_media_events,
    File: _make_media_events,
    Audio: _make_media_events,
}
