"""Streams on every pair of wires, as properties over random answers and random splits.

Each block is closed before the next opens, start and end occur once, arguments stay the same JSON, usage occurs once,
and nothing is lost. The target's own codec writes its stream; the tests of each wire check that codec against its
reference.
"""

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from antiphon.types import Usage
from antiphon.wires import get_codec, get_wire
from antiphon.wires.table import CODECS
from antiphon.wires.translation.neutral import (
    Annotation,
    BlockStart,
    BlockStop,
    Delta,
    Event,
    Finish,
    Start,
    StreamEnd,
    UsageUpdate,
)
from system.pairs.caller_requests import REQUESTS
from system.pairs.translation import translate_request, translate_stream, write_caller_body

ONCE: dict[str, tuple[bytes, ...]] = {
    "chat": (rb'"role":"assistant"', rb'"usage":\{', rb"data: \[DONE\]"),
    "responses": (
        b'"type":"response.created"',
        b'"type":"response.in_progress"',
        b'"type":"response.(?:completed|incomplete)"',
    ),
    "messages": (b'"type":"message_start"', b'"type":"message_delta"', b'"type":"message_stop"'),
    "generate": (b'"finishReason":"', b'"promptTokenCount":'),
    "converse": (b"messageStart", b"messageStop", b"metadata"),
}
"""Regular expressions for what a stream of each wire has exactly once."""
PAIRED_MARKS: dict[str, tuple[tuple[bytes, bytes], ...]] = {
    "responses": (
        (b'"type":"response.output_item.added"', b'"type":"response.output_item.done"'),
        (b'"type":"response.content_part.added"', b'"type":"response.content_part.done"'),
        (b'"type":"response.reasoning_summary_part.added"', b'"type":"response.reasoning_summary_part.done"'),
    ),
    "messages": ((b'"type":"content_block_start"', b'"type":"content_block_stop"'),),
}
"""The marks that open and close a block, on wires that have them."""
WORDS = st.text(st.sampled_from('aß東🌦 \n"\\{}[]:,0\u2028'), min_size=1, max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=5,
)


@st.composite
def draw_pieces(draw: st.DrawFn, text: str) -> list[str]:
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=3)))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@st.composite
def draw_answer(draw: st.DrawFn) -> list[Event]:
    """Draw the events of one answer: blocks of text, of thinking and of tools, in any order."""
    events: list[Event] = [Start("id-1", "far-model")]
    kinds = draw(st.lists(st.sampled_from(["text", "thinking", "tool"]), min_size=1, max_size=4))
    for index, kind in enumerate(kinds):
        tool = kind == "tool"
        text = json.dumps(draw(st.dictionaries(WORDS, VALUES, max_size=2))) if tool else draw(WORDS)
        events.append(BlockStart(index, kind, f"call_{index}" if tool else "", "f" if tool else ""))  # type: ignore[arg-type]
        events += [Delta(index, piece) for piece in draw(draw_pieces(text)) if piece]
        events.append(BlockStop(index))
    counts = st.integers(0, 1000)
    usage = Usage(input=draw(counts), cache_read=draw(counts), output=draw(counts))
    events.append(Finish("tool_calls" if "tool" in kinds else draw(st.sampled_from(["stop", "length"]))))
    return [*events, UsageUpdate(usage), StreamEnd()]


def write_stream(target: str, events: list[Event]) -> bytes:
    """Return a provider's stream of these events."""
    document = json.loads(write_caller_body(target, REQUESTS[target], True))
    writer = get_codec(target).make_writer(get_codec(target).read_request(document, "m", True))
    return b"".join(writer.write(event) for event in events)


def read_events(caller: str, written: bytes) -> list[Event]:
    """Return the events that a client of the caller's wire reads."""
    reader, splitter = get_codec(caller).make_reader(), get_wire(caller).make_splitter()
    events = [event for frame in splitter.feed(written) for event in reader.read(frame)]
    assert not splitter.rest
    return [*events, *reader.close()]


def merge_blocks(events: list[Event]) -> list[tuple[str, Any]]:
    """Return the contents of the blocks; neighbours of one kind are merged, because not every wire separates them."""
    blocks: list[tuple[str, Any]] = []
    kinds: dict[int, str] = {}
    for event in events:
        if isinstance(event, BlockStart):
            kinds[event.index] = event.kind
            blocks.append((event.kind, ""))
        elif isinstance(event, Delta):
            blocks[-1] = (blocks[-1][0], blocks[-1][1] + event.text)
    merged: list[tuple[str, Any]] = []
    for kind, text in blocks:
        if kind == "tool":
            merged.append((kind, json.loads(text or "{}")))
        elif merged and merged[-1][0] == kind:
            merged[-1] = (kind, merged[-1][1] + text)
        elif text:
            merged.append((kind, text))
    return merged


def check_order(events: list[Event]) -> None:
    """Fail unless the events are one start, blocks one after the other, a finish, one end."""
    kinds = [type(event) for event in events]
    assert (kinds[0], kinds[-1]) == (Start, StreamEnd)
    assert [kinds.count(kind) for kind in (Start, Finish, StreamEnd)] == [1, 1, 1]
    opened, before = None, -1
    for event in events:
        if isinstance(event, BlockStart):
            assert (opened, event.index) == (None, before + 1)
            opened = before = event.index
        elif isinstance(event, Delta | Annotation | BlockStop):
            assert event.index == opened
            opened = None if isinstance(event, BlockStop) else opened
        elif isinstance(event, Finish):
            assert opened is None


@pytest.mark.parametrize(("caller", "target"), [(caller, target) for caller in CODECS for target in CODECS])
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(events=draw_answer(), data=st.data())
def test_a_stream(caller: str, target: str, events: list[Event], data: st.DataObject) -> None:
    raw = write_stream(target, events)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=6)))
    splitter = get_wire(target).make_splitter()
    chunks = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    frames = [frame for chunk in chunks for frame in splitter.feed(chunk)]
    assert b"".join(frames) == raw
    call, _ = translate_request(caller, target, write_caller_body(caller, REQUESTS[caller], True), True)
    written = translate_stream(call, frames)
    assert {mark: len(re.findall(mark, written)) for mark in ONCE[caller]} == dict.fromkeys(ONCE[caller], 1)
    for opening, closing in PAIRED_MARKS.get(caller, ()):
        assert written.count(opening) == written.count(closing)
    caller_events = read_events(caller, written)
    check_order(caller_events)
    assert merge_blocks(caller_events) == merge_blocks(events)
    (finish,) = [event.reason for event in caller_events if isinstance(event, Finish)]
    assert finish in [event.reason for event in events if isinstance(event, Finish)]
    usages = [event.usage for event in caller_events if isinstance(event, UsageUpdate)]
    assert usages[-1] == next(event.usage for event in events if isinstance(event, UsageUpdate))
