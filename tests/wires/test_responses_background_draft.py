"""A background response while it is made: its events have consecutive numbers and one end, and so has its replay."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.errors import BadAnswer, Truncated
from antiphon.types import Usage
from antiphon.wires.responses import ResponsesCodec
from antiphon.wires.responses.background_draft import BackgroundDraft, mark_abandoned
from antiphon.wires.responses.replay import replay_events
from antiphon.wires.sse import SSESplitter, read_data
from antiphon.wires.translation.neutral import (
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
DOCUMENT: dict[str, Any] = {"model": "m", "input": "Hi", "background": True, "metadata": {"k": "v"}}
PIECES = st.lists(st.text("abü", min_size=1, max_size=4), min_size=1, max_size=4)
BLOCKS = st.lists(st.tuples(st.sampled_from(["text", "refusal", "thinking", "tool"]), PIECES), max_size=4)


def write_frames(blocks: Any) -> list[bytes]:
    """Return a target's answer as the frames that a caller of this wire gets."""
    events: list[Event] = [Start("resp_theirs", "m")]
    for index, (kind, pieces) in enumerate(blocks):
        texts = [json.dumps(pieces)] if kind == "tool" else pieces
        events += [BlockStart(index, kind, id=f"call_{index}", name="f"), *(Delta(index, text) for text in texts)]
        events.append(BlockStop(index))
    events += [Finish("stop"), UsageUpdate(Usage(input=3, output=4)), StreamEnd()]
    writer = CODEC.make_writer(Request(model="m", messages=()))
    return SSESplitter().feed(b"".join(writer.write(event) for event in events))


def decode_frames(frames: list[bytes]) -> list[dict[str, Any]]:
    return [json.loads(read_data(frame) or b"") for frame in frames]


def make_draft(frames: list[bytes]) -> BackgroundDraft:
    draft = BackgroundDraft(DOCUMENT, "m")
    for frame in frames:
        draft.take(frame)
    return draft


def check_draft(draft: BackgroundDraft) -> list[dict[str, Any]]:
    """Check the invariants of a draft that has ended; return its events."""
    assert draft.ended
    events = decode_frames(draft.frames)
    assert [event["sequence_number"] for event in events] == draft.numbers == list(range(len(events)))
    assert {event["response"]["id"] for event in events if "response" in event} == {draft.id}
    assert events[-1]["response"] == json.loads(draft.encode())
    assert all(event["response"]["background"] for event in events if "response" in event)
    again = decode_frames(replay_events(draft.response, draft.cuts, end=draft.end))
    assert again[-1] == events[-1]
    if draft.response["status"] == "failed":
        assert again[-2] == events[-2]
    return events


@given(BLOCKS)
def test_a_stream_gets_the_drafts_own_id(blocks: Any) -> None:
    frames = write_frames(blocks)
    draft = make_draft(frames)
    events = check_draft(draft)
    assert [event["type"] for event in events] == [event["type"] for event in decode_frames(frames)]
    assert draft.response["status"] == "completed"
    assert decode_frames(replay_events(draft.response, draft.cuts, end=draft.end))[2:] == events[2:]


@given(BLOCKS, st.integers(0, 40), st.booleans())
def test_a_draft_can_end_at_any_point(blocks: Any, cut: int, cancelled: bool) -> None:
    frames = write_frames(blocks)[:-1]
    draft = make_draft(frames[:cut])
    if cancelled:
        draft.cancel()
    else:
        draft.fail(Truncated("Cut."))
    events = check_draft(draft)
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert draft.response["output"] == done
    last = ["response.incomplete"] if cancelled else ["error", "response.failed"]
    assert [event["type"] for event in events][-len(last) :] == last
    draft.fail(Truncated("Again."))
    draft.cancel()
    assert decode_frames(draft.frames) == events


@given(BLOCKS)
def test_a_whole_answer(blocks: Any) -> None:
    answer = decode_frames(write_frames(blocks))[-1]["response"]
    draft = BackgroundDraft(DOCUMENT, "m")
    draft.take_whole(json.dumps(answer).encode())
    assert check_draft(draft)[-1]["response"]["output"] == answer["output"]


@given(BLOCKS, st.integers(0, 40), st.integers(-1, 60))
def test_a_follower_continues_after_its_last_event(blocks: Any, cut: int, after: int) -> None:
    draft = make_draft(write_frames(blocks)[:cut])
    start = draft.get_index_after(after)
    assert all(number <= after for number in draft.numbers[:start])
    assert all(number > after for number in draft.numbers[start:])


JSON = st.none() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2)
ODD = st.fixed_dictionaries(
    {"type": st.sampled_from(["response.created", "response.completed", "response.in_progress", "error", "x",
                              "response.output_item.done", "response.output_text.delta"])},
    optional={name: JSON | st.dictionaries(st.sampled_from(["id", "status", "output"]), JSON) for name in
              ("response", "item", "delta", "error", "sequence_number")},
)  # fmt: skip


@settings(max_examples=200)
@given(st.lists(ODD, max_size=6))
def test_any_events_are_taken_or_rejected(events: list[dict[str, Any]]) -> None:
    draft = BackgroundDraft(DOCUMENT, "m")
    try:
        for event in events:
            draft.take(b"data: %b\n\n" % json.dumps(event).encode())
    except BadAnswer:
        pass
    draft.fail(Truncated("Cut."))
    assert draft.ended
    assert replay_events(draft.response, draft.cuts, end=draft.end)
    assert json.loads(draft.encode())["id"] == draft.id


@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_an_abandoned_response_has_failed(status: str) -> None:
    response = mark_abandoned({"id": "resp_1", "status": status, "output": []})
    assert (response["status"], response["error"]["code"], response["id"]) == ("failed", "server_error", "resp_1")
