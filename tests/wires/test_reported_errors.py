"""An answer with status 200 that reports an error: reading it for translation gives the same error as passing it on."""

import pytest

from antiphon.errors import BadAnswer
from antiphon.wires.table import get_codec, get_wire

ANSWERS = {
    "chat, an error alone": ("chat", b'{"error":{"message":"full","code":503}}', 503),
    "chat, an error beside choices": (
        "chat",
        b'{"error":{"message":"full","code":503},"choices":[{"message":{"content":"Hi"}}]}',
        503,
    ),
    "chat, an error beside a broken choice": (
        "chat",
        b'{"error":{"message":"full","code":503},"choices":[{"message":null}]}',
        503,
    ),
    "chat, an error as the object": ("chat", b'{"object":"error","message":"full"}', 502),
    "chat, no choices": ("chat", b'{"id":"x"}', 502),
    "chat, no JSON": ("chat", b"<html>full</html>", 502),
    "messages, an error": ("messages", b'{"type":"error","error":{"type":"overloaded_error","message":"full"}}', 502),
    "messages, no content": ("messages", b'{"id":"x"}', 502),
    "generate, an error": ("generate", b'{"error":{"code":503,"message":"full","status":"UNAVAILABLE"}}', 503),
    "generate, no candidates": ("generate", b"{}", 502),
    "responses, failed": (
        "responses",
        b'{"object":"response","status":"failed","error":{"code":"server_error","message":"full"},"output":[]}',
        500,
    ),
    "responses, no output": ("responses", b'{"object":"response","status":"completed"}', 502),
    "converse, no message": ("converse", b'{"message":"full"}', 502),
}


@pytest.mark.parametrize(("operation", "body", "status"), ANSWERS.values(), ids=ANSWERS.keys())
def test_translation_reports_what_passing_on_reports(operation: str, body: bytes, status: int) -> None:
    with pytest.raises(BadAnswer) as passed_on:
        get_wire(operation).read_whole(body)
    with pytest.raises(BadAnswer) as translated:
        get_codec(operation).read_reply(body)
    assert (translated.value.message, translated.value.status) == (passed_on.value.message, passed_on.value.status)
    assert translated.value.status == status
