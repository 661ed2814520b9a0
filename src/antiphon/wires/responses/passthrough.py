"""The Responses wire where caller and target agree on it: the bytes stay theirs (API reference, "Responses")."""

from typing import Any

import msgspec

from antiphon.errors import BadAnswer, BadRequest, CallError
from antiphon.types import Target, Usage
from antiphon.wires import body as bodies
from antiphon.wires.checks import check_model_name, read_fields
from antiphon.wires.json_text import encode_json
from antiphon.wires.responses.encrypted_content import TAG
from antiphon.wires.responses.errors import error_frame
from antiphon.wires.responses.item_builders import Frames
from antiphon.wires.responses.passthrough_stream import ResponsesStream
from antiphon.wires.responses.replay import is_unfinished
from antiphon.wires.responses.reply import excerpt, read_answer, read_whole
from antiphon.wires.responses.types import Fields
from antiphon.wires.sse import SSESplitter, comment
from antiphon.wires.wire import EncodedBody, Envelope, WholeAnswer, count_text_bytes

_SOURCES = ("previous_response_id", "conversation", "prompt")
_SEALED = TAG.encode()


class Responses:
    """POST /v1/responses; see :class:`antiphon.wires.wire.Wire`."""

    operation = "responses"
    end_frame = b""
    """The terminal event is the end; nothing follows it."""
    stream_type = "text/event-stream"
    heartbeat = comment(b"keep-alive")
    idling: tuple[bytes, ...] = (b":",)
    forwards: frozenset[bytes] = frozenset()
    requires: tuple[tuple[bytes, bytes], ...] = ()
    shows: tuple[bytes, ...] = (b"x-request-id", b"x-ratelimit-", b"openai-processing-ms", b"openai-version")
    request_id = b"x-request-id"

    def peek(self, body: bytes, model: str = "", stream: bool | None = None) -> Envelope:
        """See :meth:`antiphon.wires.wire.Wire.peek`; model and stream stand in the body on this wire."""
        document = bodies.check(body)
        fields = read_fields(document, Fields)
        name = fields.model
        check_model_name(name)
        if not fields.input and not any(getattr(fields, source) for source in _SOURCES):
            raise BadRequest("`input` must hold a text or at least one item.", param="input")
        return Envelope(name, bool(fields.stream), True, 1, document)

    def encode(self, body: bytes, envelope: Envelope, target: Target) -> EncodedBody:
        """See :meth:`antiphon.wires.wire.Wire.encode`.

        Reasoning that another wire's provider signed is left out: to this one it is a broken seal, and no answer.
        """
        given = envelope.document.get("input")
        if _SEALED in body and isinstance(given, list):
            kept = [item for item in given if not _is_sealed(item)]
            if len(kept) < len(given):
                body = encode_json({**envelope.document, "input": kept})
        if target.model != envelope.model:
            body = bodies.replace(body, "model", msgspec.json.encode(target.model))
        return EncodedBody(body)

    def read_whole(self, body: bytes) -> WholeAnswer:
        """See :meth:`antiphon.wires.wire.Wire.read_whole`; an answer in the background may have no output yet."""
        answer = read_whole(body)
        if is_unfinished({"status": answer.status}):
            return WholeAnswer(Usage(), 0)
        size = sum(_item_bytes(bytes(raw)) for raw in answer.output or ())
        return WholeAnswer(answer.counted(), size)

    def start_stream(self, envelope: Envelope, hides_usage: bool) -> "ResponsesStream":
        return ResponsesStream(self, eager=envelope.document.get("background") is True)

    def make_splitter(self) -> SSESplitter:
        return SSESplitter()

    def count_input_bytes(self, envelope: Envelope) -> int:
        """See :meth:`antiphon.wires.wire.Wire.count_input_bytes`."""
        document = envelope.document
        tools = document.get("tools")
        total = count_text_bytes(document.get("instructions")) + _texts_bytes(document.get("input"))
        return total + (len(encode_json(tools)) if tools else 0)

    def list_error_headers(self, error: CallError) -> list[tuple[bytes, bytes]]:
        return []

    def write_error_body(self, error: CallError) -> bytes:
        """Return OpenAI's error object for any error of ours."""
        return msgspec.json.encode(
            {"error": {"message": error.message, "type": error.kind, "param": error.param, "code": error.code}}
        )

    def write_error_frame(self, error: CallError) -> bytes:
        """Return an ``error`` event for a stream of which nothing was seen; a watch that saw some goes on from it."""
        return error_frame(error, Frames())

    def read_error_message(self, body: bytes) -> str:
        """Return the message of a provider's error body, or an excerpt of it."""
        try:
            problem = read_answer(body).problem()
        except BadAnswer:
            problem = None
        return problem.words() if problem is not None else excerpt(body)


def _is_sealed(item: Any) -> bool:
    content = item.get("encrypted_content") if type(item) is dict else None
    return type(content) is str and content.startswith(TAG)


class _OutputText(msgspec.Struct):
    text: Any = None
    refusal: Any = None


class _OutputItem(msgspec.Struct):
    """What of an output item is text."""

    content: list[_OutputText] | None = None
    summary: list[_OutputText] | None = None
    name: Any = None
    arguments: Any = None
    input: Any = None


_item = msgspec.json.Decoder(_OutputItem).decode


def _item_bytes(raw: bytes) -> int:
    try:
        item = _item(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return 0  # an item of a kind that is not known here
    texts = [*(item.content or ()), *(item.summary or ())]
    size = sum(count_text_bytes(part.text) + count_text_bytes(part.refusal) for part in texts)
    return size + count_text_bytes(item.name) + count_text_bytes(item.arguments) + count_text_bytes(item.input)


def _texts_bytes(value: Any) -> int:
    """Size of the texts in an input: a string, items, their contents, the results of tools."""
    if isinstance(value, list):
        return sum(_texts_bytes(item) for item in value)
    if type(value) is dict:
        return sum(_texts_bytes(value.get(name)) for name in ("content", "text", "output", "arguments", "input"))
    return count_text_bytes(value)
