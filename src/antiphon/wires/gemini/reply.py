"""Reads whole answers of this wire into neutral replies, and writes them.

For other wires, code that the provider ran becomes fenced text. This wire cannot hold a call whose arguments are not a
JSON object. Such a call becomes ``MALFORMED_FUNCTION_CALL``, with the call in ``finishMessage``.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from antiphon.clock import make_id
from antiphon.errors import BadAnswer, BadRequest
from antiphon.wires.gemini import errors
from antiphon.wires.gemini import usage as usages
from antiphon.wires.gemini.citations import read_citations, write_grounding
from antiphon.wires.gemini.finish import read_finish, write_finish
from antiphon.wires.gemini.logprobs import read_logprobs, write_logprobs
from antiphon.wires.gemini.media import read_inline, read_uri, write_media
from antiphon.wires.gemini.passthrough import read_answer_usage
from antiphon.wires.gemini.reply_types import Candidate, Part, find_block_reason, read_answer, read_arguments
from antiphon.wires.gemini.signatures import WIRE, seal, unseal
from antiphon.wires.json_text import encode_json
from antiphon.wires.translation.media import write_markdown
from antiphon.wires.translation.neutral import (
    Audio,
    Choice,
    File,
    Finish,
    Image,
    Refusal,
    Reply,
    Request,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from antiphon.wires.translation.neutral import Part as NeutralPart


def read_reply(body: bytes) -> Reply:
    """See :meth:`translation.codec.Codec.read_reply`."""
    answer = read_answer(body)
    if answer.error is not None:
        raise errors.make_reported_error(answer.error)
    candidates = sorted(answer.candidates or (), key=lambda candidate: candidate.index or 0)
    choices = tuple(_read_choice(candidate) for candidate in candidates)
    if find_block_reason(answer) is not None:
        choices = (Choice((), Finish("content_filter")),)
    if not choices:
        raise BadAnswer("The provider answered without `candidates` and without a reason for it.")
    return Reply(
        id=answer.response_id or make_id("gen"),
        model=answer.model_version or "",
        choices=choices,
        usage=read_answer_usage(answer),
    )


def _read_choice(candidate: Candidate) -> Choice:
    parts: list[NeutralPart] = []
    for part in (candidate.content.parts if candidate.content else None) or ():
        parts += _read_part(part)
    if not parts and not candidate.finish_reason:
        raise BadAnswer("The provider answered with a candidate that has neither parts nor a finish reason.")
    has_calls = any(isinstance(part, ToolCall) for part in parts)
    reason = read_finish(candidate.finish_reason or "STOP", candidate.finish_message, has_calls=has_calls)
    index = candidate.index or 0
    tokens = read_logprobs(candidate.logprobs_result)
    answer_parts = _add_citations(_join_texts(parts), candidate)
    return Choice(tuple(answer_parts), Finish(reason, choice=index), {"content": tokens} if tokens else None)


def _read_part(part: Part) -> list[NeutralPart]:
    if (call := part.function_call) is not None:
        return [ToolCall(call.id or make_id("call"), call.name, read_arguments(call), part.thought_signature or "")]
    parts: list[NeutralPart] = []
    if part.text is not None and part.thought:
        if not part.thought_signature:
            return [Thinking(part.text, wire=WIRE)] if part.text else []
        return [unseal(part.thought_signature, part.text)]
    if part.text:
        parts.append(Text(part.text))
    elif part.inline_data is not None:
        parts.append(read_inline(part.inline_data.mime_type or "", part.inline_data.data or ""))
    elif part.file_data is not None:
        parts.append(read_uri(part.file_data.mime_type or "", part.file_data.file_uri or ""))
    elif code := write_code_text(part):
        parts.append(Text(code))
    if part.thought_signature:
        parts.append(unseal(part.thought_signature, ""))
    return parts


def write_code_text(part: Part) -> str:
    """Return code that the provider ran, or its result, as fenced text; ``""`` for any other part."""
    if (code := part.executable_code) is not None:
        return f"\n```{(code.language or '').lower()}\n{code.code or ''}\n```\n"
    if (result := part.code_execution_result) is not None:
        return f"\n```\n{result.output or result.outcome or ''}\n```\n"
    return ""


def _join_texts(parts: list[NeutralPart]) -> list[NeutralPart]:
    merged: list[NeutralPart] = []
    for part in parts:
        if merged and isinstance(part, Text) and isinstance(merged[-1], Text):
            part = Text(merged.pop().text + part.text)  # type: ignore[union-attr]
        merged.append(part)
    return merged


def _add_citations(parts: list[NeutralPart], candidate: Candidate) -> list[NeutralPart]:
    """Attach the citations, which this wire keeps outside the parts, to the last text."""
    if candidate.grounding_metadata is None and candidate.citation_metadata is None:
        return parts
    position = max((index for index, part in enumerate(parts) if isinstance(part, Text)), default=None)
    if position is None:
        return parts
    text = parts[position].text  # type: ignore[union-attr]
    citations = read_citations(candidate.grounding_metadata, candidate.citation_metadata, text)
    return [*parts[:position], Text(text, citations=tuple(citations)), *parts[position + 1 :]]


def write_reply(reply: Reply, request: Request) -> bytes:
    """See :meth:`translation.codec.Codec.write_reply`."""
    document: dict[str, Any] = {"candidates": [_write_choice(choice) for choice in reply.choices]}
    if reply.usage is not None:
        document["usageMetadata"] = usages.write_usage(reply.usage)
    document["modelVersion"] = reply.model or request.model
    document["responseId"] = reply.id or make_id("gen")
    return encode_json(document)


def _write_choice(choice: Choice) -> dict[str, Any]:
    malformed = [part for part in choice.parts if isinstance(part, ToolCall) and not is_object(part.arguments)]
    parts = [written_part for part in choice.parts if part not in malformed for written_part in _write_part(part)]
    candidate: dict[str, Any] = {
        # A turn always has a part, because clients that keep the history drop a turn without any.
        "content": {"parts": parts or [{"text": ""}], "role": "model"},
        "finishReason": write_finish(choice.finish.reason),
        "index": choice.finish.choice,
    }
    if malformed:
        candidate |= write_malformed_calls((part.name, part.arguments) for part in malformed)
    elif choice.finish.reason == "pause":
        candidate["finishMessage"] = PAUSE_MESSAGE
    if tokens := (choice.logprobs or {}).get("content"):
        candidate["logprobsResult"] = write_logprobs(tokens)
    if grounding := _write_grounding(choice):
        candidate["groundingMetadata"] = grounding
    return candidate


PAUSE_MESSAGE = "The model paused; send its answer back to let it go on."


def write_malformed_calls(calls: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the finish reason and message for malformed calls."""
    texts = "; ".join(f"{name}({arguments})" for name, arguments in calls)
    return {"finishReason": "MALFORMED_FUNCTION_CALL", "finishMessage": f"Malformed function call: {texts}"}


def is_object(arguments: str) -> bool:
    """Return whether a call's arguments are a JSON object."""
    try:
        return type(msgspec.json.decode(arguments or "{}")) is dict
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return False


def _write_grounding(choice: Choice) -> dict[str, Any] | None:
    citations, offset = [], 0
    for part in choice.parts:
        if isinstance(part, (Text, Refusal)):
            part_citations = part.citations if isinstance(part, Text) else ()
            citations += [(citation, part.text, offset) for citation in part_citations]
            offset += len(part.text.encode("utf-8", "replace"))
    return write_grounding(citations) if citations else None


def _write_part(part: NeutralPart) -> list[dict[str, Any]]:
    if isinstance(part, (Text, Refusal)):
        return [{"text": part.text}]
    if isinstance(part, Thinking):
        return [write_thinking(part)]
    if isinstance(part, ToolCall):
        return [write_call(part)]
    return [] if isinstance(part, ToolResult) else write_answer_media(part)


def write_answer_media(part: Image | File | Audio) -> list[dict[str, Any]]:
    """Return an image, audio or a document of an answer; a file that this wire cannot name becomes text.

    A transcript is placed before its audio.
    """
    transcript = [{"text": part.transcript}] if isinstance(part, Audio) and part.transcript else []
    if transcript and isinstance(part, Audio) and not part.data:
        return transcript
    try:
        return [*transcript, write_media(part)]
    except BadRequest:
        return [{"text": write_markdown(part)}]


def write_thinking(part: Thinking) -> dict[str, Any]:
    """Return a thought part; a signature of this wire that came without a thought goes on an empty text again."""
    signature = seal(part)
    if part.wire == WIRE and not part.text and signature:
        return {"text": "", "thoughtSignature": signature}
    thought: dict[str, Any] = {"text": part.text, "thought": True}
    return {**thought, "thoughtSignature": signature} if signature else thought


def write_call(call: ToolCall) -> dict[str, Any]:
    """Return a functionCall part; the arguments are known to be an object."""
    function: dict[str, Any] = {"name": call.name, "args": msgspec.Raw((call.arguments or "{}").encode())}
    if call.id:
        function["id"] = call.id
    part: dict[str, Any] = {"functionCall": function}
    return {**part, "thoughtSignature": call.signature} if call.signature else part
