"""The simulator inside the gateway's own process speaks every wire, so that no key is needed to try one."""

from typing import Any

import pytest

from system.matrix.capabilities import EMPTY
from system.matrix.questions import Question, Result, Tool, make_turns

TOOLS = (Tool("get_weather"), Tool("now", EMPTY))


def test_a_call(matrix: Any, caller_wire: str, stream: bool) -> None:
    matrix.take_requests()
    caller, question = matrix.callers[caller_wire], Question(make_turns("Grüße"))
    answer = caller.ask("sim/echo:thinking=2", question, caller.make_history(question), stream)
    assert (answer.text, answer.thinking, answer.finish) == ("Grüße", "Lorem ip", "stop")
    assert (answer.usage["output"], answer.dropped) == (4, ())
    assert matrix.take_requests() == []  # no socket was used


def test_a_tool_that_must_be_called(matrix: Any, caller_wire: str, stream: bool) -> None:
    caller, question = matrix.callers[caller_wire], Question(make_turns("Bern"), tools=TOOLS, choice="get_weather")
    history = caller.make_history(question)
    answer = caller.ask("sim/echo:thinking=2", question, history, stream)
    assert [(name, made) for _, name, made in answer.calls] == [("get_weather", {"city": "Bern"})]
    after = Question(question.turns, tools=TOOLS)
    history = [*history, *answer.native, *caller.make_results(answer, (Result("18 °C"),))]
    assert caller.ask("sim/echo", after, history, stream).text == "Bern"


def test_counting_and_embedding(matrix: Any) -> None:
    messages: Any = [{"role": "user", "content": "12345678"}]
    counted = matrix.callers["messages"].client.messages.count_tokens(model="sim/echo", messages=messages)
    google = matrix.callers["generate"].client.models
    assert counted.input_tokens == google.count_tokens(model="sim/echo", contents="12345678").total_tokens == 8
    found = google.embed_content(model="sim/embed:dim=4", contents="a")
    assert [len(each.values) for each in found.embeddings] == [4]


@pytest.mark.parametrize("fault", ["fault-429", "fault-reset"])
def test_a_fault(matrix: Any, caller_wire: str, stream: bool, fault: str) -> None:
    caller, question = matrix.callers[caller_wire], Question(make_turns("x"))
    with pytest.raises(Exception, match=r"(?i)rate limit|broke the connection"):
        caller.ask(f"sim/{fault}", question, caller.make_history(question), stream)
