"""How each wire of the simulator fails and streams: its errors, its content type, its keep-alives.

What belongs here: what faults need to know about a wire. What does not: the content of an answer.
"""

import re
from collections.abc import Callable
from functools import cache

import msgspec

from antiphon.errors import CallError
from antiphon.transport.interface import Headers
from antiphon.wires.aws.eventstream import encode_headers, encode_message, split_message
from antiphon.wires.table import get_wire

JsonRewrite = Callable[[bytes], bytes]
"""Changes one JSON object, as text."""
_DATA = re.compile(rb"(?m)^data: (\{.*\})$")


class WireFormat(msgspec.Struct, frozen=True, eq=False):
    """What faults need to know about one wire.

    ``write_error`` takes status, message, type, code and the field at fault. ``end_marker`` begins the frame that ends
    a stream and holds nothing else; it is ``b""`` on wires without one. ``rewrite_frame`` returns a frame with each of
    its JSON objects changed. With ``text`` a stream is lines of text.
    """

    write_error: Callable[[int, str, str, str | None, str | None], bytes]
    list_error_headers: Callable[[int], Headers]
    request_id_header: bytes
    stream_type: bytes
    keepalive: bytes
    malformed_event: bytes
    end_marker: bytes
    rewrite_frame: Callable[[bytes, JsonRewrite], bytes]
    text: bool = True


def write_openai_error(
    status: int, message: str, kind: str, code: str | None = None, param: str | None = None
) -> bytes:
    """Return an error in OpenAI's shape, as JSON text; it does not hold the status."""
    return msgspec.json.encode({"error": {"message": message, "type": kind, "param": param, "code": code}})


def _rewrite_event(frame: bytes, rewrite: JsonRewrite) -> bytes:
    return _DATA.sub(lambda match: b"data: " + rewrite(match[1]), frame)


def _rewrite_message(frame: bytes, rewrite: JsonRewrite) -> bytes:
    headers, payload = split_message(frame)
    return encode_message(headers, rewrite(payload))


_SSE = b"text/event-stream; charset=utf-8"
_COMMENT = b": still here\n\n"

OPENAI = WireFormat(
    write_error=write_openai_error,
    list_error_headers=lambda status: [],
    request_id_header=b"x-request-id",
    stream_type=_SSE,
    keepalive=_COMMENT,
    malformed_event=b'data: {"id":"broken","choices":[{"index":0,"delta":{"content":\n\n',
    end_marker=b"",
    rewrite_frame=_rewrite_event,
)

_DELTA = encode_headers(
    [(":event-type", "contentBlockDelta"), (":content-type", "application/json"), (":message-type", "event")]
)
# The event stream of Converse is the only one without comments; a delta without text says as little.
_KEEPALIVES = {
    "messages": b'event: ping\ndata: {"type": "ping"}\n\n',
    "converse": encode_message(_DELTA, b'{"contentBlockIndex":0,"delta":{"text":""}}'),
}
_MALFORMED_EVENTS = {
    "messages": b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{\n\n',
    "responses": b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":\n\n',
    "generate": b'data: {"candidates":[{"content":{"parts":[\n\n',
    "converse": encode_message(_DELTA, b'{"contentBlockIndex":0,"delta":{'),
}
_END_MARKERS = {"messages": b"event: message_stop"}
_GENERATION_OPERATIONS = {
    "count_tokens": "messages",
    "gemini_count_tokens": "generate",
    "gemini_embed": "generate",
    "gemini_embed_batch": "generate",
}
"""The other operations of a wire, and its generation operation."""


@cache
def get_wire_format(operation: str) -> WireFormat:
    """Return the format of the wire of an operation; OpenAI's for its own operations."""
    operation = _GENERATION_OPERATIONS.get(operation, operation)
    if operation not in _MALFORMED_EVENTS:
        return OPENAI
    wire = get_wire(operation)
    text = wire.stream_type == "text/event-stream"

    def write_error(status: int, message: str, kind: str, code: str | None, param: str | None) -> bytes:
        return wire.write_error_body(CallError(message, status=status, code=code, param=param))

    return WireFormat(
        write_error=write_error,
        list_error_headers=lambda status: wire.list_error_headers(CallError("", status=status)),
        request_id_header=wire.request_id_header,
        stream_type=_SSE if text else wire.stream_type.encode(),
        keepalive=_KEEPALIVES.get(operation, _COMMENT),
        malformed_event=_MALFORMED_EVENTS[operation],
        end_marker=_END_MARKERS.get(operation, b""),
        rewrite_frame=_rewrite_event if text else _rewrite_message,
        text=text,
    )
