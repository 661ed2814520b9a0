"""How each wire of the simulator fails and streams: its errors, its content type, its signs of life.

What belongs here: what faults need to know of a wire. What does not: what an answer says.
"""

import re
from collections.abc import Callable
from functools import cache

import msgspec

from antiphon.errors import CallError
from antiphon.transport.seam import Headers
from antiphon.wires.aws.eventstream import encode, header_block, parts
from antiphon.wires.table import get_wire

Change = Callable[[bytes], bytes]
_DATA = re.compile(rb"(?m)^data: (\{.*\})$")


class Dialect(msgspec.Struct, frozen=True, eq=False):
    """One wire, as far as its faults look. ``error`` takes status, message, type, code and field at fault.

    ``marker`` begins the frame that ends a stream and says nothing else, ``b""`` where there is none. ``changed``
    returns a frame with each of its JSON objects changed.
    """

    error: Callable[[int, str, str, str | None, str | None], bytes]
    error_headers: Callable[[int], Headers]
    request_id: bytes
    events: bytes
    life: bytes
    nonsense: bytes
    marker: bytes
    changed: Callable[[bytes, Change], bytes]
    textual: bool = True
    """Streams are lines of text."""


def openai_error(status: int, message: str, kind: str, code: str | None = None, param: str | None = None) -> bytes:
    """Return an error in OpenAI's shape, as JSON text; the status is not in it."""
    return msgspec.json.encode({"error": {"message": message, "type": kind, "param": param, "code": code}})


def _changed_event(frame: bytes, change: Change) -> bytes:
    return _DATA.sub(lambda found: b"data: " + change(found[1]), frame)


def _changed_message(frame: bytes, change: Change) -> bytes:
    headers, payload = parts(frame)
    return encode(headers, change(payload))


_SSE = b"text/event-stream; charset=utf-8"
_COMMENT = b": still here\n\n"
_BROKEN = b'data: {"id":"broken","choices":[{"index":0,"delta":{"content":\n\n'

OPENAI = Dialect(
    error=openai_error,
    error_headers=lambda status: [],
    request_id=b"x-request-id",
    events=_SSE,
    life=_COMMENT,
    nonsense=_BROKEN,
    marker=b"",
    changed=_changed_event,
)

_DELTA = header_block(
    [(":event-type", "contentBlockDelta"), (":content-type", "application/json"), (":message-type", "event")]
)
# Only the event stream of Converse has no comments: a delta without text says as little.
_LIFE = {
    "messages": b'event: ping\ndata: {"type": "ping"}\n\n',
    "converse": encode(_DELTA, b'{"contentBlockIndex":0,"delta":{"text":""}}'),
}
_NONSENSE = {
    "messages": b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{\n\n',
    "responses": b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":\n\n',
    "generate": b'data: {"candidates":[{"content":{"parts":[\n\n',
    "converse": encode(_DELTA, b'{"contentBlockIndex":0,"delta":{'),
}
_MARKERS = {"messages": b"event: message_stop"}
_OWNERS = {
    "count_tokens": "messages",
    "gemini_count_tokens": "generate",
    "gemini_embed": "generate",
    "gemini_embed_batch": "generate",
}
"""Operations beside generation, and the generation operation of their wire."""


@cache
def dialect_of(operation: str) -> Dialect:
    """Return the dialect of an operation; OpenAI's for what no other wire has."""
    operation = _OWNERS.get(operation, operation)
    if operation not in _NONSENSE:
        return OPENAI
    wire = get_wire(operation)
    textual = wire.stream_type == "text/event-stream"

    def error(status: int, message: str, kind: str, code: str | None, param: str | None) -> bytes:
        return wire.write_error_body(CallError(message, status=status, code=code, param=param))

    return Dialect(
        error=error,
        error_headers=lambda status: wire.list_error_headers(CallError("", status=status)),
        request_id=wire.request_id,
        events=_SSE if textual else wire.stream_type.encode(),
        life=_LIFE.get(operation, _COMMENT),
        nonsense=_NONSENSE[operation],
        marker=_MARKERS.get(operation, b""),
        changed=_changed_event if textual else _changed_message,
        textual=textual,
    )
