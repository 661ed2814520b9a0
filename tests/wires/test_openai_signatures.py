"""Signatures of other wires that travel through a chat client never reach a chat provider, and return to their wire."""

import json
from typing import Any

import pytest

from antiphon.types import Origin, Target
from antiphon.wires.openai import Chat
from antiphon.wires.openai.codec import OpenAICodec
from antiphon.wires.translation.neutral import Choice, Finish, Message, Reply, Request, Text, Thinking, ToolCall

CODEC = OpenAICodec()
ASKED = Request(model="m", messages=(Message("user", (Text("x"),)),))
THINKING = Thinking("Hm", signature="c2ln", wire="anthropic")
CALL = ToolCall("a", "f", "{}", signature="dGhvdWdodA==")


def make_target(*quirks: str) -> Target:
    return Target("p/m", "p", "m", "k", "chat", Origin("http", "x", 1), {"chat": "/"}, quirks=frozenset(quirks))


def make_echoed_message() -> dict[str, Any]:
    """Return the answer of another wire's model as a chat client sends it back."""
    reply = Reply(id="1", model="m", choices=(Choice((THINKING, Text("Hi"), CALL), Finish("tool_calls")),))
    message: dict[str, Any] = json.loads(CODEC.write_reply(reply, ASKED))["choices"][0]["message"]
    return message


def encode_for_chat(message: dict[str, Any]) -> tuple[bytes, bytes]:
    """Return a request with a message, as the caller sent it and as a chat provider gets it."""
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}, message], "z": 1}).encode()
    wire = Chat()
    return body, wire.encode(body, wire.peek(body), make_target()).body


def test_foreign_signatures_are_removed() -> None:
    message = make_echoed_message()
    assert message["thinking_blocks"]
    assert message["tool_calls"][0]["extra_content"]
    body, encoded = encode_for_chat(message)
    del message["thinking_blocks"], message["tool_calls"][0]["extra_content"]
    assert json.loads(encoded) == {**json.loads(body), "messages": [{"role": "user", "content": "x"}, message]}


@pytest.mark.parametrize(
    "more",
    [
        {"content": 'It says "thinking_blocks" and "antiphon_".'},
        {"thinking_blocks": [{"type": "thinking", "thinking": "Hm", "signature": "c2ln"}]},
        {"tool_calls": [{"id": "a", "extra_content": {"google": {"thought_signature": "dGhvdWdodA=="}}}]},
        {"tool_calls": ["x", {"extra_content": 5}], "thinking_blocks": 5},
    ],
)
def test_signatures_of_this_wires_providers_stay(more: dict[str, Any]) -> None:
    body, encoded = encode_for_chat({"role": "assistant", "content": None, **more})
    assert encoded == body


def test_a_signature_returns_to_its_own_wire() -> None:
    document = {"model": "m", "messages": [{"role": "user", "content": "x"}, make_echoed_message()]}
    request = CODEC.read_request(document, "m", False)
    assert request.messages[1].parts == (THINKING, Text("Hi"), CALL)


@pytest.mark.parametrize(("quirks", "expected"), [((), None), (("thought_signatures",), CALL.signature)])
def test_a_chat_target_that_knows_thought_signatures_gets_them(quirks: tuple[str, ...], expected: Any) -> None:
    request = Request(model="m", messages=(*ASKED.messages, Message("assistant", (CALL,))))
    call = json.loads(CODEC.write_request(request, make_target(*quirks)).body)["messages"][1]["tool_calls"][0]
    assert call.get("extra_content", {}).get("google", {}).get("thought_signature") == expected
