"""The older generation of Anthropic's client, 0.x with ``x-api-key``, on targets of every wire."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from environments import make_environment
from system.matrix.capabilities import ARGUMENTS, BUCKETS, COSTS

PROGRAM = Path(__file__).with_name("anthropic0.py")


class Program:
    """The program on the old client; it runs for the whole session."""

    def __init__(self, python: Path) -> None:
        command = [str(python), "-I", str(PROGRAM)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.version: str = self._read_line()

    def __call__(self, matrix: Any, program: str, model: str, text: str, key: str = "") -> Any:
        request = {"program": program, "url": matrix.gateway.url, "key": key or matrix.gateway.key}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({**request, "model": model, "text": text}) + "\n")
        self._process.stdin.flush()
        return self._read_line()

    def _read_line(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate(timeout=20)


@pytest.fixture(scope="session")
def old() -> Iterator[Program]:
    program = Program(make_environment("anthropic0"))
    yield program
    program.close()


def test_the_client_is_of_the_old_generation(old: Program) -> None:
    assert old.version.startswith("0.")


@pytest.mark.parametrize("program", ["ask_whole", "ask_stream"])
def test_text(matrix: Any, old: Program, target_wire: str, program: str) -> None:
    answer = old(matrix, program, f"{target_wire}/echo", "Grüße, 東京!")
    assert (answer["text"], answer["reason"]) == ("Grüße, 東京!", "end_turn")
    assert answer.get("pieces", answer["text"]) == answer["text"]
    assert answer.get("sent", ["x-api-key"]) == ["x-api-key"]
    assert answer["id"]
    usage = answer["usage"]
    assert (usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]) == (0, 0)
    assert usage["input_tokens"] > 0
    assert usage["output_tokens"] > 0


@pytest.mark.parametrize("program", ["ask_whole", "ask_stream"])
def test_thinking_and_usage(matrix: Any, old: Program, target_wire: str, program: str) -> None:
    answer = old(matrix, program, f"{target_wire}/echo", "costs")
    assert (answer["thinking"], answer["text"], len(answer["signed"])) == ("Hm.", "Done.", 1)
    usage = answer["usage"]
    read, written = usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]
    counts = {"cache_read": read, "cache_write": written, "input": usage["input_tokens"] + read + written}
    counts |= {"output": usage["output_tokens"], "reasoning": usage["output_tokens_details"]["thinking_tokens"]}
    buckets = BUCKETS["messages"] & BUCKETS[target_wire]
    assert {name: counts[name] for name in buckets} == {name: COSTS[name] for name in buckets}


def test_a_streamed_conversation_with_tools(matrix: Any, old: Program, target_wire: str) -> None:
    matrix.take_requests()
    answer = old(matrix, "converse_with_tools", f"{target_wire}/echo", "weather")
    first, last = answer["first"], answer["last"]
    assert first["calls"] == [["get_weather", ARGUMENTS], ["now", {}]]
    assert (first["thinking"], first["reason"]) == ("I should look.", "tool_use")
    assert json.loads(answer["arguments"].removesuffix("{}")) == ARGUMENTS
    assert (last["text"], last["reason"]) == ("It is sunny.", "end_turn")
    assert len(matrix.take_requests()) == 2


def test_the_events_of_a_stream(matrix: Any, old: Program, target_wire: str) -> None:
    events = old(matrix, "list_events", f"{target_wire}/echo", "weather")
    kinds = [event["type"] for event in events if event["type"] != "ping"]
    assert (kinds[0], kinds[-2:]) == ("message_start", ["message_delta", "message_stop"])
    assert kinds.count("message_start") == kinds.count("message_delta") == kinds.count("message_stop") == 1
    open_block, order = None, []
    for event in events:
        if event["type"] == "content_block_start":
            assert open_block is None
            open_block = event["index"]
            order.append((open_block, event["content_block"]["type"]))
        elif event["type"] == "content_block_delta":
            assert event["index"] == open_block
        elif event["type"] == "content_block_stop":
            assert event["index"] == open_block
            open_block = None
    assert open_block is None
    assert [index for index, _ in order] == list(range(len(order)))
    # Gemini signs a call separately from the thinking before it: two thinking blocks, the second without text.
    assert [kind for _, kind in order if kind != "thinking"] == ["tool_use", "tool_use"]
    assert order[0][1] == "thinking"


def test_counting(matrix: Any, old: Program, target_wire: str) -> None:
    assert (
        0
        < old(matrix, "count_tokens", f"{target_wire}/echo", "Hi")
        < old(matrix, "count_tokens", f"{target_wire}/echo", "Hi, how are you? " * 9)
    )


@pytest.mark.parametrize("program", ["ask_whole", "ask_stream"])
@pytest.mark.parametrize(
    ("status", "name", "kind"),
    [
        (400, "BadRequestError", "invalid_request_error"),
        (429, "RateLimitError", "rate_limit_error"),
        (500, "InternalServerError", "api_error"),
        (529, "OverloadedError", "overloaded_error"),
    ],
)
def test_an_error_of_the_provider(
    matrix: Any, old: Program, target_wire: str, program: str, status: int, name: str, kind: str
) -> None:
    error = old(matrix, program, f"{target_wire}/fault-{status}:retry=7", "Hi")["error"]
    assert (error["class"], error["status"], error["retry"]) == (name, status, "7")
    assert (error["body"]["type"], error["body"]["error"]["type"]) == ("error", kind)
    assert error["id"]


@pytest.mark.parametrize("fault", ["fault-cut", "fault-error-midstream"])
def test_a_broken_stream_raises_an_error(matrix: Any, old: Program, target_wire: str, fault: str) -> None:
    assert "error" in old(matrix, "ask_stream", f"{target_wire}/{fault}:tps=200", "Say it")


@pytest.mark.parametrize("program", ["ask_whole", "ask_stream", "count_tokens"])
def test_unknown_keys_and_models(matrix: Any, old: Program, program: str) -> None:
    stranger = old(matrix, program, "chat/echo", "Hi", key="ap-nobody")["error"]
    assert (stranger["class"], stranger["body"]["error"]["type"]) == ("AuthenticationError", "authentication_error")
    missing = old(matrix, program, "chatt/echo", "Hi")["error"]
    assert (missing["class"], missing["body"]["error"]["type"]) == ("NotFoundError", "not_found_error")
