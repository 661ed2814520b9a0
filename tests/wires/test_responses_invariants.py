"""Invariants of every stream for a Responses caller, for any answer of a provider, broken off anywhere."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from openai import omit
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from antiphon.errors import Truncated
from antiphon.types import Usage
from antiphon.wires.responses import ResponsesCodec
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
CITATION = {"type": "url_citation", "url": "https://x.example", "title": "X", "start_index": 0, "end_index": 1}
TERMINAL = ("response.completed", "response.incomplete", "response.failed")
PIECES = st.lists(st.text(st.characters(codec="utf-8"), max_size=5), max_size=4)
BLOCKS = st.lists(
    st.tuples(st.sampled_from(["text", "refusal", "thinking", "tool"]), PIECES, st.booleans(), st.booleans()),
    max_size=6,
)


def draw_events(blocks: Any, reason: Any, usages: list[int]) -> list[Event]:
    """Draw an answer: blocks of any kind in any order, annotations before or after their text, usage sometimes."""
    events: list[Event] = [Start("msg_1", "m")]
    for index, (kind, pieces, marked, early) in enumerate(blocks):
        events.append(BlockStart(index, kind, id=f"call_{index}", name="f"))
        if kind == "tool":
            text = json.dumps({"pieces": pieces}) if pieces else ""
            pieces = [text[:5], text[5:], ""] if early else [text]
        deltas: list[Event] = [Delta(index, piece) for piece in pieces]
        mark = (
            Annotation(index, citation=CITATION)
            if kind == "text"
            else Annotation(index, signature="sig", wire="gemini")
        )
        marks: list[Event] = [mark] if marked else []
        events += [*marks, *deltas] if early else [*deltas, *marks]
        events.append(BlockStop(index))
        if index < len(usages):
            events.append(UsageUpdate(Usage(input=3, output=usages[index])))
    return [*events, Finish(reason), UsageUpdate(Usage(input=3, output=9)), StreamEnd()]


def write_frames(events: list[Event], cut: int, custom: bool) -> list[dict[str, Any]]:
    """Return the frames of the first events: a stream that breaks there, or a whole one if they are all."""
    echo: dict[str, Any] = {"tools": [{"type": "custom", "name": "f"}]} if custom else {}
    writer = CODEC.make_writer(Request(model="m", messages=(), echo=echo))
    written = b"".join(writer.write(event) for event in events[:cut])
    if cut < len(events):
        written += writer.fail(Truncated("Cut."))
        assert writer.fail(Truncated("Again.")) == b""
    return [json.loads(read_data(frame) or b"") for frame in SSESplitter().feed(written)]


@settings(deadline=None)  # the client builds its models on first use
@given(
    BLOCKS,
    st.sampled_from(["stop", "length", "content_filter", "tool_calls", "refusal", "pause"]),
    st.lists(st.integers(0, 9), max_size=3),
    st.integers(0, 60),
    st.booleans(),
)
def test_invariants(blocks: Any, reason: Any, usages: list[int], cut: int, custom: bool) -> None:
    events = draw_events(blocks, reason, usages)
    is_whole = cut >= len(events)
    frames = write_frames(events, cut, custom)
    kinds = [frame["type"] for frame in frames]
    for frame in frames:
        EVENTS.validate_python(frame)
    assert [frame["sequence_number"] for frame in frames] == list(range(len(frames)))
    if not cut:
        assert kinds == ["error"]  # no response had begun that could fail
        return
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert [kind for kind in kinds if kind in TERMINAL] == [kinds[-1]]
    assert ("error" in kinds) is ("response.failed" in kinds) is not is_whole
    assert is_whole or kinds[-2] == "error"
    assert len({frame["response"]["id"] for frame in frames if "response" in frame}) == 1
    _check_items(frames, is_whole)
    if is_whole:
        _check_accumulated(frames)


def _check_items(frames: list[dict[str, Any]], is_whole: bool) -> None:
    """Items are added in order, grow one at a time, and end as they are in the final output."""
    final = frames[-1]["response"]
    ids: list[str] = []
    done: list[dict[str, Any]] = []
    parts: dict[tuple[str, int], dict[str, Any] | None] = {}
    deltas: dict[tuple[str, int], str] = {}
    for frame in frames:
        kind, index = frame["type"], frame.get("output_index")
        if kind == "response.output_item.added":
            assert len(done) == len(ids) == index
            ids.append(frame["item"]["id"])
        elif kind == "response.output_item.done":
            assert (index, frame["item"]["id"]) == (len(done), ids[-1])
            assert all(parts.values())
            done.append(frame["item"])
        elif "item_id" in frame:
            assert (index, frame["item_id"]) == (len(ids) - 1, ids[-1])
            key = frame["item_id"], frame.get("content_index", frame.get("summary_index", -1))
            if kind.endswith("part.added"):
                assert key not in parts
                parts[key] = None
            elif kind.endswith("part.done"):
                assert parts[key] is None
                parts[key] = frame["part"]
            elif kind.endswith(".delta"):
                deltas[key] = deltas.get(key, "") + frame["delta"]
            elif kind.endswith(".done"):
                text = next(frame[name] for name in ("text", "refusal", "arguments", "input") if name in frame)
                assert text == deltas.get(key, "")
                if kind.startswith("response.function_call"):
                    json.loads(text)
    assert len(set(ids)) == len(ids)
    assert final["output"][: len(done)] == done
    assert len(final["output"]) == (len(done) if is_whole else len(ids))
    for item in done:
        held = item.get("content") or item.get("summary") or []
        assert [parts[item["id"], index] for index in range(len(held))] == held
    if is_whole:
        assert final["usage"]["output_tokens"] == 9
    assert all(frame["response"]["usage"] is None for frame in frames[:-1] if "response" in frame)


def _check_accumulated(frames: list[dict[str, Any]]) -> None:
    """OpenAI's own accumulator accepts every event, and its output equals that of the last one."""
    state: Any = ResponseStreamState(input_tools=[], text_format=omit)
    for frame in frames:
        state.handle_event(EVENTS.validate_python(frame))
