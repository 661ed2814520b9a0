"""What OpenAI's client does with Responses beyond calling it: parsed answers and arguments, its streaming helper."""

from typing import Any

import openai
import pytest
from pydantic import BaseModel

MODEL = "anthropic.claude-sonnet-4-6@echo"
"""Takes a schema on every wire."""


class Answer(BaseModel):
    city: str


@pytest.fixture
def client(house: Any) -> openai.OpenAI:
    made: openai.OpenAI = house.callers["responses"].client
    return made


def test_a_parsed_answer(client: openai.OpenAI, far: str, stream: bool) -> None:
    asked: dict[str, Any] = {"model": f"{far}/{MODEL}", "input": "Bern", "text_format": Answer}
    if stream:
        with client.responses.stream(**asked) as events:
            response = events.get_final_response()
    else:
        response = client.responses.parse(**asked)
    assert response.output_parsed == Answer(city="Bern")
    assert response.status == "completed"


def test_parsed_arguments(client: openai.OpenAI, far: str, stream: bool) -> None:
    tool = openai.pydantic_function_tool(Answer, name="get_weather")["function"]
    asked: dict[str, Any] = {
        "model": f"{far}/echo",
        "input": "Bern",
        "tools": [{"type": "function", **tool}],
        "tool_choice": {"type": "function", "name": "get_weather"},
    }
    if stream:
        with client.responses.stream(**asked) as events:
            response = events.get_final_response()
    else:
        response = client.responses.parse(**asked)
    (call,) = response.output
    assert (call.type, call.parsed_arguments) == ("function_call", {"city": "Bern"})


def test_the_events_of_a_stream_agree(client: openai.OpenAI, far: str) -> None:
    """Numbered without a gap; each item is added, done and in the end what its deltas said."""
    with client.responses.stream(model=f"{far}/echo", input="weather") as stream:
        events = list(stream)
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert [event.type for event in events[:2]] == ["response.created", "response.in_progress"]
    assert [event.type for event in events].count("response.completed") == 1
    final = events[-1].response
    added = {event.output_index: event.item for event in events if event.type == "response.output_item.added"}
    done = {event.output_index: event.item for event in events if event.type == "response.output_item.done"}
    assert list(added) == list(done) == list(range(len(final.output)))
    assert [added[index].id for index in added] == [done[index].id for index in done] == [o.id for o in final.output]
    for index, item in enumerate(final.output):
        if item.type == "function_call":
            assert grown(events, "function_call_arguments", item.id) == item.arguments == done[index].arguments
        elif item.type == "reasoning" and item.summary:
            assert grown(events, "reasoning_summary_text", item.id) == "".join(part.text for part in item.summary)


def grown(events: list[Any], what: str, item: str) -> str:
    """Return what an item's deltas come to."""
    return "".join(e.delta for e in events if e.type == f"response.{what}.delta" and e.item_id == item)
