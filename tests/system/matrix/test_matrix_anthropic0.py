"""Anthropic's client of the generation before, 0.x, with ``x-api-key``, on targets of every wire."""

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
    """The program on the old client, which stays for the whole session."""

    def __init__(self, python: Path) -> None:
        command = [str(python), "-I", str(PROGRAM)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.version: str = self._line()

    def __call__(self, house: Any, program: str, model: str, text: str, key: str = "") -> Any:
        asked = {"program": program, "url": house.gateway.url, "key": key or house.gateway.key}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({**asked, "model": model, "text": text}) + "\n")
        self._process.stdin.flush()
        return self._line()

    def _line(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate(timeout=20)


@pytest.fixture(scope="session")
def old() -> Iterator[Program]:
    program = Program(make_environment("anthropic0"))
    yield program
    program.close()


def test_it_is_the_old_generation(old: Program) -> None:
    assert old.version.startswith("0.")


@pytest.mark.parametrize("program", ["whole", "streamed"])
def test_text(house: Any, old: Program, far: str, program: str) -> None:
    seen = old(house, program, f"{far}/echo", "Grüße, 東京!")
    assert (seen["text"], seen["reason"]) == ("Grüße, 東京!", "end_turn")
    assert seen.get("pieces", seen["text"]) == seen["text"]
    assert seen.get("sent", ["x-api-key"]) == ["x-api-key"]
    assert seen["id"]
    usage = seen["usage"]
    assert (usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]) == (0, 0)
    assert usage["input_tokens"] > 0
    assert usage["output_tokens"] > 0


@pytest.mark.parametrize("program", ["whole", "streamed"])
def test_thinking_and_usage(house: Any, old: Program, far: str, program: str) -> None:
    seen = old(house, program, f"{far}/echo", "costs")
    assert (seen["thinking"], seen["text"], len(seen["signed"])) == ("Hm.", "Done.", 1)
    usage = seen["usage"]
    read, written = usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]
    found = {"cache_read": read, "cache_write": written, "input": usage["input_tokens"] + read + written}
    found |= {"output": usage["output_tokens"], "reasoning": usage["output_tokens_details"]["thinking_tokens"]}
    told = BUCKETS["messages"] & BUCKETS[far]
    assert {name: found[name] for name in told} == {name: COSTS[name] for name in told}


def test_a_streamed_conversation_with_tools(house: Any, old: Program, far: str) -> None:
    house.asked()
    seen = old(house, "conversation", f"{far}/echo", "weather")
    first, last = seen["first"], seen["last"]
    assert first["calls"] == [["get_weather", ARGUMENTS], ["now", {}]]
    assert (first["thinking"], first["reason"]) == ("I should look.", "tool_use")
    assert json.loads(seen["arguments"].removesuffix("{}")) == ARGUMENTS
    assert (last["text"], last["reason"]) == ("It is sunny.", "end_turn")
    assert len(house.asked()) == 2


def test_the_events_of_a_stream(house: Any, old: Program, far: str) -> None:
    events = old(house, "raw", f"{far}/echo", "weather")
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
    # Gemini signs a call apart from what was thought before it: two blocks of thinking, the second without words.
    assert [kind for _, kind in order if kind != "thinking"] == ["tool_use", "tool_use"]
    assert order[0][1] == "thinking"


def test_counting(house: Any, old: Program, far: str) -> None:
    assert 0 < old(house, "count", f"{far}/echo", "Hi") < old(house, "count", f"{far}/echo", "Hi, how are you? " * 9)


@pytest.mark.parametrize("program", ["whole", "streamed"])
@pytest.mark.parametrize(
    ("status", "name", "kind"),
    [
        (400, "BadRequestError", "invalid_request_error"),
        (429, "RateLimitError", "rate_limit_error"),
        (500, "InternalServerError", "api_error"),
        (529, "OverloadedError", "overloaded_error"),
    ],
)
def test_a_providers_refusal(
    house: Any, old: Program, far: str, program: str, status: int, name: str, kind: str
) -> None:
    error = old(house, program, f"{far}/fault-{status}:retry=7", "Hi")["error"]
    assert (error["class"], error["status"], error["retry"]) == (name, status, "7")
    assert (error["body"]["type"], error["body"]["error"]["type"]) == ("error", kind)
    assert error["id"]


@pytest.mark.parametrize("fault", ["fault-cut", "fault-error-midstream"])
def test_a_stream_that_breaks_is_never_taken_for_whole(house: Any, old: Program, far: str, fault: str) -> None:
    assert "error" in old(house, "streamed", f"{far}/{fault}:tps=200", "Say it")


@pytest.mark.parametrize("program", ["whole", "streamed", "count"])
def test_who_and_what_is_unknown(house: Any, old: Program, program: str) -> None:
    stranger = old(house, program, "chat/echo", "Hi", key="ap-nobody")["error"]
    assert (stranger["class"], stranger["body"]["error"]["type"]) == ("AuthenticationError", "authentication_error")
    missing = old(house, program, "chatt/echo", "Hi")["error"]
    assert (missing["class"], missing["body"]["error"]["type"]) == ("NotFoundError", "not_found_error")
