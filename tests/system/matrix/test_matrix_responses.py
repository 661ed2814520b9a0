"""Helpers of OpenAI's client for Responses: parsed answers and arguments, and streaming."""

from typing import Any

import openai
import pytest
from pydantic import BaseModel

MODEL = "anthropic.claude-sonnet-4-6@echo"
"""A model that takes a schema on every wire."""


class Answer(BaseModel):
    city: str


@pytest.fixture
def client(matrix: Any) -> openai.OpenAI:
    made: openai.OpenAI = matrix.callers["responses"].client
    return made


def test_a_parsed_answer(client: openai.OpenAI, target_wire: str, stream: bool) -> None:
    fields: dict[str, Any] = {"model": f"{target_wire}/{MODEL}", "input": "Bern", "text_format": Answer}
    if stream:
        with client.responses.stream(**fields) as events:
            response = events.get_final_response()
    else:
        response = client.responses.parse(**fields)
    assert response.output_parsed == Answer(city="Bern")
    assert response.status == "completed"


def test_parsed_arguments(client: openai.OpenAI, target_wire: str, stream: bool) -> None:
    tool = openai.pydantic_function_tool(Answer, name="get_weather")["function"]
    fields: dict[str, Any] = {
        "model": f"{target_wire}/echo",
        "input": "Bern",
        "tools": [{"type": "function", **tool}],
        "tool_choice": {"type": "function", "name": "get_weather"},
    }
    if stream:
        with client.responses.stream(**fields) as events:
            response = events.get_final_response()
    else:
        response = client.responses.parse(**fields)
    (call,) = response.output
    assert (call.type, call.parsed_arguments) == ("function_call", {"city": "Bern"})


def test_the_events_of_a_stream_agree(client: openai.OpenAI, target_wire: str) -> None:
    """Numbers have no gap; each item is added and done, and equals its deltas in the end."""
    with client.responses.stream(model=f"{target_wire}/echo", input="weather") as stream:
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
            assert join_deltas(events, "function_call_arguments", item.id) == item.arguments == done[index].arguments
        elif item.type == "reasoning" and item.summary:
            assert join_deltas(events, "reasoning_summary_text", item.id) == "".join(part.text for part in item.summary)


def join_deltas(events: list[Any], what: str, item: str) -> str:
    """Return the text of an item's deltas."""
    return "".join(e.delta for e in events if e.type == f"response.{what}.delta" and e.item_id == item)
