"""A kept response told again: the same events with the same numbers, from anywhere."""

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
from antiphon.wires.sse import SSESplitter, data_of
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


def block(index: int, kind: Any, pieces: list[str], marked: bool) -> list[Event]:
    mark = {
        "text": Annotation(index, citation=CITATION),
        "thinking": Annotation(index, signature="s", wire="anthropic"),
    }
    marks: list[Event] = [mark[kind]] if marked and kind in mark else []
    grown: list[Event] = [Delta(index, piece) for piece in pieces]
    if kind == "tool":
        text = json.dumps(pieces)
        grown = [Delta(index, text[:3]), Delta(index, text[3:])] if pieces else []
        marks = [Annotation(index, signature="thought")] if marked else []
    return [BlockStart(index, kind, id=f"call_{index}", name="f"), *grown, *marks, BlockStop(index)]


BLOCKS = st.lists(
    st.tuples(
        st.sampled_from(["text", "refusal", "thinking", "tool"]), st.lists(TEXTS, min_size=1, max_size=4), st.booleans()
    ),
    max_size=5,
)


def events(blocks: Any, reason: Any = "stop") -> list[Event]:
    said: list[Event] = [Start("resp_1", "m")]
    for index, (kind, pieces, marked) in enumerate(blocks):
        said += block(index, kind, pieces, marked)
    return [*said, Finish(reason), UsageUpdate(Usage(input=3, output=4)), StreamEnd()]


def decoded(frames: list[bytes]) -> list[dict[str, Any]]:
    return [json.loads(data_of(frame) or b"") for frame in frames]


@given(BLOCKS, st.sampled_from(["stop", "length"]), st.booleans())
def test_it_is_the_stream_that_it_was(blocks: Any, reason: Any, custom: bool) -> None:
    echo: dict[str, Any] = {"tools": [{"type": "custom", "name": "f"}]} if custom else {}
    writer = CODEC.make_writer(Request(model="m", messages=(), echo=echo))
    first = SSESplitter().feed(b"".join(writer.write(event) for event in events(blocks, reason)))
    assert decoded(replay_events(json.loads(writer.response), writer.cuts)) == decoded(first)


@given(BLOCKS, st.integers(-1, 30))
def test_from_anywhere_and_without_cuts(blocks: Any, after: int) -> None:
    writer = CODEC.make_writer(Request(model="m", messages=()))
    for event in events(blocks):
        writer.write(event)
    whole = decoded(replay_events(json.loads(writer.response)))
    assert [event["sequence_number"] for event in whole] == list(range(len(whole)))
    for event in whole:
        EVENTS.validate_python(event)
    assert decoded(replay_events(json.loads(writer.response), after=after)) == whole[after + 1 :]
    text = "".join(event["delta"] for event in whole if event["type"] == "response.output_text.delta")
    parts = [part for item in whole[-1]["response"]["output"] for part in item.get("content") or ()]
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
def test_how_it_ended(status: str, last: list[str]) -> None:
    error = {"code": "server_error", "message": "no"} if status == "failed" else None
    response = {"id": "resp_1", "status": status, "output": [], "error": error, "background": True}
    told = decoded(replay_events(response))
    assert [event["type"] for event in told] == ["response.created", "response.in_progress", *last]
    assert [event["response"]["status"] for event in told[:2]] == ["queued", "in_progress"]
    assert told[-1]["response"] == response
    assert told[-1]["sequence_number"] == len(told) - 1


def test_items_of_other_kinds_and_cuts_of_another_response() -> None:
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}}
    text = {"type": "output_text", "text": "Hello", "annotations": []}
    said = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [text]}
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm"}]}
    told = decoded(replay_events({"id": "resp_1", "status": "completed", "output": [search, thought, said]}, [1, 9, 2]))
    assert [event["delta"] for event in told if "delta" in event] == ["H", "m", "Hello"]
    assert [event["item"]["type"] for event in told if event["type"] == "response.output_item.done"] == [
        "web_search_call",
        "reasoning",
        "message",
    ]
