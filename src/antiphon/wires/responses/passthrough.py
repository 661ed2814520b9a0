"""Responses between a caller and a provider that both speak this wire (API reference, "Responses")."""

from typing import Any

import msgspec

from antiphon.errors import BadAnswer, BadRequest, CallError
from antiphon.types import Target, Usage
from antiphon.wires import body as bodies
from antiphon.wires.base import BaseWire
from antiphon.wires.checks import DECODE_ERRORS, check_model_name, quote_body, read_fields
from antiphon.wires.json_text import encode_json
from antiphon.wires.openai.errors import write_error_body
from antiphon.wires.openai.passthrough import SHOWN_HEADERS
from antiphon.wires.responses.encrypted_content import PREFIX
from antiphon.wires.responses.errors import write_error_frame
from antiphon.wires.responses.finish import UNFINISHED
from antiphon.wires.responses.frames import FrameWriter
from antiphon.wires.responses.passthrough_stream import ResponsesStream
from antiphon.wires.responses.reply import read_answer
from antiphon.wires.responses.types import Fields, read_response
from antiphon.wires.wire import EncodedBody, Envelope, WholeAnswer, count_text_bytes

_FOREIGN = PREFIX.encode()


class Responses(BaseWire):
    """POST /v1/responses; see :class:`antiphon.wires.wire.Wire`. Its streams end with the terminal event."""

    operation = "responses"
    response_header_prefixes = SHOWN_HEADERS

    def peek(self, body: bytes, model: str = "", stream: bool | None = None) -> Envelope:
        """See :meth:`antiphon.wires.wire.Wire.peek`."""
        document = bodies.check(body)
        fields = read_fields(document, Fields)
        check_model_name(fields.model)
        if not (fields.input or fields.previous_response_id or fields.conversation or fields.prompt):
            raise BadRequest("`input` must hold a text or at least one item.", param="input")
        return Envelope(fields.model, bool(fields.stream), True, 1, document)

    def encode(self, body: bytes, envelope: Envelope, target: Target) -> EncodedBody:
        """See :meth:`antiphon.wires.wire.Wire.encode`.

        Reasoning that another wire's provider signed is left out, because this wire's provider would reject it.
        """
        items = envelope.document.get("input")
        if _FOREIGN in body and isinstance(items, list):
            own_items = [item for item in items if not _is_foreign(item)]
            if len(own_items) < len(items):
                body = encode_json({**envelope.document, "input": own_items})
        if target.model != envelope.model:
            body = bodies.replace(body, "model", msgspec.json.encode(target.model))
        return EncodedBody(body)

    def read_whole(self, body: bytes) -> WholeAnswer:
        """See :meth:`antiphon.wires.wire.Wire.read_whole`; a background response may have no output yet."""
        response = read_answer(body)
        if response.status in UNFINISHED:
            return WholeAnswer(Usage())
        if (usage := response.read_usage()) is not None:
            return WholeAnswer(usage)
        return WholeAnswer(None, sum(_count_item_bytes(bytes(raw)) for raw in response.output or ()))

    def start_stream(self, envelope: Envelope, hides_usage: bool) -> ResponsesStream:
        return ResponsesStream(self, eager=envelope.document.get("background") is True)

    def count_input_bytes(self, envelope: Envelope) -> int:
        """See :meth:`antiphon.wires.wire.Wire.count_input_bytes`."""
        document = envelope.document
        tools = document.get("tools")
        total = count_text_bytes(document.get("instructions")) + _count_input_bytes(document.get("input"))
        return total + (len(encode_json(tools)) if tools else 0)

    def write_error_body(self, error: CallError) -> bytes:
        return write_error_body(error)

    def write_error_frame(self, error: CallError) -> bytes:
        """Return the ``error`` event of a stream that had no event before; ``ResponsesStream.fail`` numbers it on."""
        return write_error_frame(error, FrameWriter())

    def read_error_message(self, body: bytes) -> str:
        """Return the message of a provider's error body, or an excerpt of the body if it has none."""
        try:
            error = read_response(body).find_error()
        except BadAnswer:
            error = None
        return error.text if error is not None else quote_body(body)


def _is_foreign(item: Any) -> bool:
    content = item.get("encrypted_content") if type(item) is dict else None
    return type(content) is str and content.startswith(PREFIX)


class _OutputText(msgspec.Struct):
    text: Any = None
    refusal: Any = None


class _OutputItem(msgspec.Struct):
    """The fields of an output item that are text."""

    content: list[_OutputText] | None = None
    summary: list[_OutputText] | None = None
    name: Any = None
    arguments: Any = None
    input: Any = None


_decode_item = msgspec.json.Decoder(_OutputItem).decode


def _count_item_bytes(raw: bytes) -> int:
    try:
        item = _decode_item(raw)
    except DECODE_ERRORS:
        return 0  # an item of an unknown type
    texts = [*(item.content or ()), *(item.summary or ())]
    size = sum(count_text_bytes(part.text) + count_text_bytes(part.refusal) for part in texts)
    return size + count_text_bytes(item.name) + count_text_bytes(item.arguments) + count_text_bytes(item.input)


def _count_input_bytes(value: Any) -> int:
    """Return the size of the texts in an input: a string, items, their contents, results of tools."""
    if isinstance(value, list):
        return sum(_count_input_bytes(item) for item in value)
    if type(value) is dict:
        return sum(_count_input_bytes(value.get(name)) for name in ("content", "text", "output", "arguments", "input"))
    return count_text_bytes(value)
