"""An error object instead of an answer, whole or as an event of a stream, keeps its status on each wire."""

import json
from typing import Any

import pytest

from antiphon.errors import BadAnswer
from antiphon.wires.table import get_codec, get_wire
from antiphon.wires.translation.neutral import Finish
from antiphon.wires.wire import Envelope

ERRORS: dict[str, tuple[Any, Any]] = {
    "chat": ({"error": {"message": "No.", "code": 429}},) * 2,
    "generate": ({"error": {"message": "No.", "code": 429, "status": "RESOURCE_EXHAUSTED"}},) * 2,
    "responses": (
        {"object": "response", "status": "failed", "error": {"code": "rate_limit_exceeded", "message": "No."}},
        {"type": "error", "code": "rate_limit_exceeded", "message": "No.", "sequence_number": 0},
    ),
}
ENVELOPE = Envelope("m", True, False, 1, {})


@pytest.mark.parametrize("wire", ERRORS)
def test_an_error_object_keeps_its_status(wire: str) -> None:
    whole, event = ERRORS[wire]
    with pytest.raises(BadAnswer, match=r"No\.") as caught:
        get_wire(wire).read_whole(json.dumps(whole).encode())
    assert caught.value.status == 429
    watch = get_wire(wire).start_stream(ENVELOPE, False)
    watch.feed(b"data: " + json.dumps(event).encode() + b"\n\n")
    assert watch.error is not None
    assert watch.error.status == 429


@pytest.mark.parametrize(("block", "reason"), [("text", "stop"), ("tool_use", "tool_calls")])
def test_a_message_without_a_stop_reason_gets_one(block: str, reason: str) -> None:
    events = [
        {"type": "message_start", "message": {"id": "msg_1"}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": block, "id": "a", "name": "f"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": None}},
        {"type": "message_stop"},
    ]
    reader = get_codec("messages").make_reader()
    found = [event for data in events for event in reader.read(b"data: " + json.dumps(data).encode() + b"\n\n")]
    assert [event.reason for event in found if isinstance(event, Finish)] == [reason]
