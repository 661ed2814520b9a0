"""The simulator inside the gateway's own process speaks every wire, so that no key is needed to try one."""

from typing import Any

import pytest

from system.matrix.asking import Ask, Result, Tool, said
from system.matrix.capabilities import EMPTY

TOOLS = (Tool("get_weather"), Tool("now", EMPTY))


def test_a_call(house: Any, near: str, stream: bool) -> None:
    house.asked()
    caller, ask = house.callers[near], Ask(said("Grüße"))
    seen = caller.ask("sim/echo:thinking=2", ask, caller.history(ask), stream)
    assert (seen.text, seen.thinking, seen.finish) == ("Grüße", "Lorem ip", "stop")
    assert (seen.usage["output"], seen.dropped) == (4, ())
    assert house.asked() == []  # no socket was used


def test_a_tool_that_must_be_called(house: Any, near: str, stream: bool) -> None:
    caller, ask = house.callers[near], Ask(said("Bern"), tools=TOOLS, choice="get_weather")
    history = caller.history(ask)
    seen = caller.ask("sim/echo:thinking=2", ask, history, stream)
    assert [(name, made) for _, name, made in seen.calls] == [("get_weather", {"city": "Bern"})]
    after = Ask(ask.turns, tools=TOOLS)
    history = [*history, *seen.native, *caller.results(seen, (Result("18 °C"),))]
    assert caller.ask("sim/echo", after, history, stream).text == "Bern"


def test_counting_and_embedding(house: Any) -> None:
    messages: Any = [{"role": "user", "content": "12345678"}]
    counted = house.callers["messages"].client.messages.count_tokens(model="sim/echo", messages=messages)
    google = house.callers["generate"].client.models
    assert counted.input_tokens == google.count_tokens(model="sim/echo", contents="12345678").total_tokens == 8
    found = google.embed_content(model="sim/embed:dim=4", contents="a")
    assert [len(each.values) for each in found.embeddings] == [4]


@pytest.mark.parametrize("fault", ["fault-429", "fault-reset"])
def test_a_fault(house: Any, near: str, stream: bool, fault: str) -> None:
    caller, ask = house.callers[near], Ask(said("x"))
    with pytest.raises(Exception, match=r"(?i)rate limit|broke the connection"):
        caller.ask(f"sim/{fault}", ask, caller.history(ask), stream)
