"""What travels through a chat client for another wire never reaches a chat provider, and comes back to its own."""

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


def target(*quirks: str) -> Target:
    return Target("p/m", "p", "m", "k", "chat", Origin("http", "x", 1), {"chat": "/"}, quirks=frozenset(quirks))


def echoed() -> dict[str, Any]:
    """Return an answer of another wire's model, as a chat client sends it back."""
    reply = Reply(id="1", model="m", choices=(Choice((THINKING, Text("Hi"), CALL), Finish("tool_calls")),))
    message: dict[str, Any] = json.loads(CODEC.write_reply(reply, ASKED))["choices"][0]["message"]
    return message


def sent(message: dict[str, Any]) -> tuple[bytes, bytes]:
    """Return a request with a message in it, as it came and as a chat provider gets it."""
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}, message], "z": 1}).encode()
    wire = Chat()
    return body, wire.encode(body, wire.peek(body), target()).body


def test_what_we_put_there_is_taken_out() -> None:
    message = echoed()
    assert message["thinking_blocks"]
    assert message["tool_calls"][0]["extra_content"]
    body, kept = sent(message)
    del message["thinking_blocks"], message["tool_calls"][0]["extra_content"]
    assert json.loads(kept) == {**json.loads(body), "messages": [{"role": "user", "content": "x"}, message]}


@pytest.mark.parametrize(
    "more",
    [
        {"content": 'It says "thinking_blocks" and "antiphon_".'},
        {"thinking_blocks": [{"type": "thinking", "thinking": "Hm", "signature": "c2ln"}]},
        {"tool_calls": [{"id": "a", "extra_content": {"google": {"thought_signature": "dGhvdWdodA=="}}}]},
        {"tool_calls": ["x", {"extra_content": 5}], "thinking_blocks": 5},
    ],
)
def test_what_a_provider_of_this_wire_put_there_stays(more: dict[str, Any]) -> None:
    body, kept = sent({"role": "assistant", "content": None, **more})
    assert kept == body


def test_it_returns_to_the_wire_it_came_from() -> None:
    document = {"model": "m", "messages": [{"role": "user", "content": "x"}, echoed()]}
    request = CODEC.read_request(document, "m", False)
    assert request.messages[1].parts == (THINKING, Text("Hi"), CALL)


@pytest.mark.parametrize(("quirks", "expected"), [((), None), (("thought_signatures",), CALL.signature)])
def test_a_chat_target_gets_a_thought_signature_where_it_knows_them(quirks: tuple[str, ...], expected: Any) -> None:
    request = Request(model="m", messages=(*ASKED.messages, Message("assistant", (CALL,))))
    call = json.loads(CODEC.write_request(request, target(*quirks)).body)["messages"][1]["tool_calls"][0]
    assert call.get("extra_content", {}).get("google", {}).get("thought_signature") == expected
