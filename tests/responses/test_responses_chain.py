"""Five turns by ``previous_response_id`` with thinking and tools, on targets of other wires, each gateway killed after
its turn. The providers are as strict as the real ones about what comes back."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import openai
import pytest

from processes import Gateway

SKIPPED = "skip_thought_signature_validator"
"""The value that Gemini accepts if there is no signature, because another provider answered."""
TOOL: Any = {
    "type": "function",
    "name": "weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": False,
}


class Strict:
    """An Anthropic provider at ``/v1/messages`` and a Gemini one at ``/v1beta``: they call a tool for a question, say
    words to what a tool gave, and refuse what they signed where it does not come back as it was."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.problems: list[str] = []
        strict = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                kind = "anthropic" if self.path.startswith("/v1/messages") else "gemini"
                strict.asked.append((kind, body))
                turn = strict.answer_anthropic if kind == "anthropic" else strict.answer_gemini
                streamed = body.get("stream") or "stream" in self.path
                try:
                    answer = turn(body, streamed)
                except AssertionError as problem:
                    strict.problems.append(repr(problem))
                    self.send_error(400)
                    return
                self.send_response(200)
                self.send_header("content-type", "text/event-stream" if streamed else "application/json")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: Any) -> None:
                """Log nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    # Anthropic

    def answer_anthropic(self, body: dict[str, Any], streamed: bool) -> bytes:
        messages = body["messages"]
        roles = [message["role"] for message in messages]
        assert all(a != b for a, b in pairwise(roles)), f"roles do not alternate: {roles}"
        for before, after in pairwise(messages):
            calls = [block["id"] for block in _get_blocks(before) if block["type"] == "tool_use"]
            results = [block["tool_use_id"] for block in _get_blocks(after) if block["type"] == "tool_result"]
            assert calls == results, "a call without its result"
        for message in messages:
            for block in _get_blocks(message):
                if block["type"] == "thinking":
                    assert block["signature"] == f"sig of {block['thinking']}", "a thinking block was altered"
        number = len(self.asked)
        last = _get_blocks(messages[-1])[-1]
        thinking = {"type": "thinking", "thinking": f"Hm {number}", "signature": f"sig of Hm {number}"}
        call = {"type": "tool_use", "id": f"toolu_{number}", "name": "weather", "input": {"city": "Zürich"}}
        words = {"type": "text", "text": f"Answer {number}"}
        asks = "?" in last.get("text", "")
        blocks = [thinking, call] if asks else [words]
        usage = {"input_tokens": 5, "output_tokens": 3}
        message = {
            "id": f"msg_{number}", "type": "message", "role": "assistant", "model": "claude", "content": blocks,
            "stop_reason": "tool_use" if asks else "end_turn", "stop_sequence": None, "usage": usage,
        }  # fmt: skip
        return _write_anthropic_events(message) if streamed else json.dumps(message).encode()

    # Gemini

    def answer_gemini(self, body: dict[str, Any], streamed: bool) -> bytes:
        contents = body["contents"]
        for before, after in pairwise(contents):
            calls = [part["functionCall"]["name"] for part in before["parts"] if "functionCall" in part]
            results = [part["functionResponse"]["name"] for part in after["parts"] if "functionResponse" in part]
            assert calls == results, "a call without its result"
        for content in contents:
            for part in content["parts"]:
                if "thoughtSignature" in part and "functionCall" in part:
                    assert part["thoughtSignature"] in ("c2ln", SKIPPED), "a signature was altered"
        number = len(self.asked)
        asks = "?" in contents[-1]["parts"][-1].get("text", "")
        call = {"functionCall": {"name": "weather", "args": {"city": "Zürich"}}, "thoughtSignature": "c2ln"}
        parts = [{"text": f"Hm {number}", "thought": True}, call] if asks else [{"text": f"Answer {number}"}]
        usage = {"promptTokenCount": 5, "candidatesTokenCount": 3, "totalTokenCount": 8}
        candidate = {"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}
        answer = json.dumps({"candidates": [candidate], "usageMetadata": usage, "modelVersion": "gemini"}).encode()
        return b"data: %b\r\n\r\n" % answer if streamed else answer

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def _get_blocks(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _write_anthropic_events(message: dict[str, Any]) -> bytes:
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**message, "content": [], "stop_reason": None}}
    ]
    for index, block in enumerate(message["content"]):
        blank: dict[str, Any] = {"thinking": {"thinking": "", "signature": ""}, "tool_use": {"input": {}}, "text": {
            "text": "",
        }}[block["type"]]  # fmt: skip
        deltas = {
            "thinking": [
                {"type": "thinking_delta", "thinking": block.get("thinking")},
                {"type": "signature_delta", "signature": block.get("signature")},
            ],
            "tool_use": [{"type": "input_json_delta", "partial_json": json.dumps(block.get("input"))}],
            "text": [{"type": "text_delta", "text": block.get("text")}],
        }[block["type"]]
        events.append({"type": "content_block_start", "index": index, "content_block": {**block, **blank}})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    stop = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    events += [{"type": "message_delta", "delta": stop, "usage": message["usage"]}, {"type": "message_stop"}]
    return b"".join(
        b"event: %b\ndata: %b\n\n" % (event["type"].encode(), json.dumps(event).encode()) for event in events
    )


@pytest.fixture
def strict() -> Iterator[Strict]:
    made = Strict()
    yield made
    made.close()


def ask(gateway: Gateway, stream: bool, **fields: Any) -> Any:
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0, timeout=20) as client:
        if not stream:
            return client.responses.create(**fields)
        with client.responses.stream(**fields) as events:
            return events.get_final_response()


CHAINS = {
    "anthropic": ("claude",) * 5,
    "gemini": ("gem",) * 5,
    "to and fro": ("claude", "claude", "gem", "gem", "claude"),
}


STREAMED = (0, 3, 4)


@pytest.mark.parametrize("chain", CHAINS)
def test_five_turns_over_five_gateways(strict: Strict, tmp_path: Path, chain: str) -> None:
    config = {
        "providers": {
            "claude": {"kind": "anthropic", "base_url": strict.url, "api_key": "k"},
            "gem": {"kind": "gemini", "base_url": f"{strict.url}/v1beta", "api_key": "k"},
        },
        "models": {"claude": "claude/claude-sonnet-4-5", "gem": "gem/gemini-2.5-flash"},
    }
    previous: Any = openai.omit
    given: Any = "Weather?"
    answers: list[Any] = []
    for number, model in enumerate(CHAINS[chain]):
        gateway = Gateway(tmp_path, config)
        try:
            fields: dict[str, Any] = {"model": model, "input": given, "previous_response_id": previous}
            if number < 4:
                fields |= {"tools": [TOOL], "reasoning": {"effort": "low", "summary": "auto"}}
            answer = ask(gateway, number in STREAMED, **fields)
        finally:
            gateway.kill()
        assert not strict.problems
        answers.append(answer)
        previous = answer.id
        calls = [item for item in answer.output if item.type == "function_call"]
        assert bool(calls) == (number in (0, 2))
        if calls:
            thoughts = [item for item in answer.output if item.type == "reasoning" and item.summary]
            assert [part.text for part in thoughts[0].summary] == [f"Hm {number + 1}"]
            assert json.loads(calls[0].arguments) == {"city": "Zürich"}
            given = [{"type": "function_call_output", "call_id": calls[0].call_id, "output": f"Sunny {number}"}]
        else:
            assert answer.output_text == f"Answer {number + 1}"
            given = "Thanks" if number == 3 else f"Question {number}?"
    kind, last = strict.asked[-1]
    told = json.dumps(last, ensure_ascii=False)
    places = [told.index(words) for words in ("Weather?", "Sunny 0", "Answer 2", "Question 1", "Sunny 2", "Answer 4")]
    assert places == sorted(places)
    if kind == "anthropic":  # its own thinking is back, nobody else's
        mine = [number + 1 for number in (0, 2) if CHAINS[chain][number] == "claude"]
        blocks = [block for message in last["messages"] for block in _get_blocks(message)]
        thoughts = [block for block in blocks if block["type"] == "thinking"]
        assert [block["thinking"] for block in thoughts] == [f"Hm {number}" for number in mine]
    else:
        signed = [part for content in last["contents"] for part in content["parts"] if "thoughtSignature" in part]
        assert [part["thoughtSignature"] for part in signed if "functionCall" in part] == ["c2ln", "c2ln"]
