"""Replay of a stored response: the same events with the same numbers, from any event on."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from antiphon.types import Usage
from antiphon.wires.responses import ResponsesCodec
from antiphon.wires.responses.replay import replay_events
from antiphon.wires.sse import SSESplitter, read_data
from antiphon.wires.translation.neutral import (
    Annotation,
    BlockStart,
    BlockStop,
    Delta,
    Event,
    Finish,
    Request,
    Start,
    StreamEnd,
    UsageUpdate,
)

CODEC = ResponsesCodec()
EVENTS: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)
CITATION = {"type": "url_citation", "url": "https://x.example", "title": "X", "start_index": 0, "end_index": 1}


def draw_block(index: int, kind: Any, pieces: list[str], marked: bool) -> list[Event]:
    mark = {
        "text": Annotation(index, citation=CITATION),
        "thinking": Annotation(index, signature="s", wire="anthropic"),
    }
    marks: list[Event] = [mark[kind]] if marked and kind in mark else []
    deltas: list[Event] = [Delta(index, piece) for piece in pieces]
    if kind == "tool":
        text = json.dumps(pieces)
        deltas = [Delta(index, text[:3]), Delta(index, text[3:])] if pieces else []
        marks = [Annotation(index, signature="thought")] if marked else []
    return [BlockStart(index, kind, id=f"call_{index}", name="f"), *deltas, *marks, BlockStop(index)]


BLOCKS = st.lists(
    st.tuples(
        st.sampled_from(["text", "refusal", "thinking", "tool"]), st.lists(TEXTS, min_size=1, max_size=4), st.booleans()
    ),
    max_size=5,
)


def draw_events(blocks: Any, reason: Any = "stop") -> list[Event]:
    events: list[Event] = [Start("resp_1", "m")]
    for index, (kind, pieces, marked) in enumerate(blocks):
        events += draw_block(index, kind, pieces, marked)
    return [*events, Finish(reason), UsageUpdate(Usage(input=3, output=4)), StreamEnd()]


def decode_frames(frames: list[bytes]) -> list[dict[str, Any]]:
    return [json.loads(read_data(frame) or b"") for frame in frames]


@given(BLOCKS, st.sampled_from(["stop", "length"]), st.booleans())
def test_a_replay_equals_the_original_stream(blocks: Any, reason: Any, custom: bool) -> None:
    echo: dict[str, Any] = {"tools": [{"type": "custom", "name": "f"}]} if custom else {}
    writer = CODEC.make_writer(Request(model="m", messages=(), echo=echo))
    first = SSESplitter().feed(b"".join(writer.write(event) for event in draw_events(blocks, reason)))
    assert decode_frames(replay_events(json.loads(writer.response), writer.cuts)) == decode_frames(first)


@given(BLOCKS, st.integers(-1, 30))
def test_a_replay_from_any_event_and_without_cuts(blocks: Any, after: int) -> None:
    writer = CODEC.make_writer(Request(model="m", messages=()))
    for event in draw_events(blocks):
        writer.write(event)
    replayed = decode_frames(replay_events(json.loads(writer.response)))
    assert [event["sequence_number"] for event in replayed] == list(range(len(replayed)))
    for event in replayed:
        EVENTS.validate_python(event)
    assert decode_frames(replay_events(json.loads(writer.response), after=after)) == replayed[after + 1 :]
    text = "".join(event["delta"] for event in replayed if event["type"] == "response.output_text.delta")
    parts = [part for item in replayed[-1]["response"]["output"] for part in item.get("content") or ()]
    assert text == "".join(part.get("text") or "" for part in parts)


@pytest.mark.parametrize(
    ("status", "last"),
    [
        ("completed", ["response.completed"]),
        ("incomplete", ["response.incomplete"]),
        ("cancelled", ["response.incomplete"]),
        ("failed", ["error", "response.failed"]),
    ],
)
def test_the_end_depends_on_the_status(status: str, last: list[str]) -> None:
    error = {"code": "server_error", "message": "no"} if status == "failed" else None
    response = {"id": "resp_1", "status": status, "output": [], "error": error, "background": True}
    events = decode_frames(replay_events(response))
    assert [event["type"] for event in events] == ["response.created", "response.in_progress", *last]
    assert [event["response"]["status"] for event in events[:2]] == ["queued", "in_progress"]
    assert events[-1]["response"] == response
    assert events[-1]["sequence_number"] == len(events) - 1


def test_unknown_items_and_cuts_of_another_response() -> None:
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}}
    text = {"type": "output_text", "text": "Hello", "annotations": []}
    answer = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [text]}
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm"}]}
    events = decode_frames(
        replay_events({"id": "resp_1", "status": "completed", "output": [search, thought, answer]}, [1, 9, 2])
    )
    assert [event["delta"] for event in events if "delta" in event] == ["H", "m", "Hello"]
    assert [event["item"]["type"] for event in events if event["type"] == "response.output_item.done"] == [
        "web_search_call",
        "reasoning",
        "message",
    ]
