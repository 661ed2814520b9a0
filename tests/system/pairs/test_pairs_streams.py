"""Streams on every pair of wires, as properties over random answers and random splits.

Every block that is opened is closed before the next, there is one start and one end, arguments are the JSON that they
were, usage is told once, and nothing is lost. The far side is written by its own codec, which the tests of each wire
hold to its reference.
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
from system.pairs.asked import REQUESTS
from system.pairs.crossing import asking, crossing, passed

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
"""What a stream of each wire has exactly once, as expressions."""
PAIRED: dict[str, tuple[tuple[bytes, bytes], ...]] = {
    "responses": (
        (b'"type":"response.output_item.added"', b'"type":"response.output_item.done"'),
        (b'"type":"response.content_part.added"', b'"type":"response.content_part.done"'),
        (b'"type":"response.reasoning_summary_part.added"', b'"type":"response.reasoning_summary_part.done"'),
    ),
    "messages": ((b'"type":"content_block_start"', b'"type":"content_block_stop"'),),
}
"""What opens a block on a wire that says so, and what closes it."""
WORDS = st.text(st.sampled_from('aß東🌦 \n"\\{}[]:,0\u2028'), min_size=1, max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=5,
)


@st.composite
def pieces(draw: st.DrawFn, text: str) -> list[str]:
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=3)))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@st.composite
def answers(draw: st.DrawFn) -> list[Event]:
    """Draw the events of one answer: blocks of text, of thinking and of tools, in any order."""
    events: list[Event] = [Start("id-1", "far-model")]
    kinds = draw(st.lists(st.sampled_from(["text", "thinking", "tool"]), min_size=1, max_size=4))
    for index, kind in enumerate(kinds):
        tool = kind == "tool"
        text = json.dumps(draw(st.dictionaries(WORDS, VALUES, max_size=2))) if tool else draw(WORDS)
        events.append(BlockStart(index, kind, f"call_{index}" if tool else "", "f" if tool else ""))  # type: ignore[arg-type]
        events += [Delta(index, piece) for piece in draw(pieces(text)) if piece]
        events.append(BlockStop(index))
    told = st.integers(0, 1000)
    usage = Usage(input=draw(told), cache_read=draw(told), output=draw(told))
    events.append(Finish("tool_calls" if "tool" in kinds else draw(st.sampled_from(["stop", "length"]))))
    return [*events, UsageUpdate(usage), StreamEnd()]


def written(far: str, events: list[Event]) -> bytes:
    """Return a provider's stream of these events."""
    document = json.loads(asking(far, REQUESTS[far], True))
    writer = get_codec(far).make_writer(get_codec(far).read_request(document, "m", True))
    return b"".join(writer.write(event) for event in events)


def read(near: str, shown: bytes) -> list[Event]:
    """Return what a client of the near wire reads."""
    reader, splitter = get_codec(near).make_reader(), get_wire(near).make_splitter()
    events = [event for frame in splitter.feed(shown) for event in reader.read(frame)]
    assert not splitter.rest
    return [*events, *reader.close()]


def said(events: list[Event]) -> list[tuple[str, Any]]:
    """Return what blocks say: neighbours of one kind as one, because not every wire can tell them apart."""
    found: list[tuple[str, Any]] = []
    kinds: dict[int, str] = {}
    for event in events:
        if isinstance(event, BlockStart):
            kinds[event.index] = event.kind
            found.append((event.kind, ""))
        elif isinstance(event, Delta):
            found[-1] = (found[-1][0], found[-1][1] + event.text)
    merged: list[tuple[str, Any]] = []
    for kind, text in found:
        if kind == "tool":
            merged.append((kind, json.loads(text or "{}")))
        elif merged and merged[-1][0] == kind:
            merged[-1] = (kind, merged[-1][1] + text)
        elif text:
            merged.append((kind, text))
    return merged


def nested(events: list[Event]) -> None:
    """Fail where the order of events is not: one start, blocks one behind the other, a finish, one end."""
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


@pytest.mark.parametrize(("near", "far"), [(near, far) for near in CODECS for far in CODECS])
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(events=answers(), data=st.data())
def test_a_stream(near: str, far: str, events: list[Event], data: st.DataObject) -> None:
    raw = written(far, events)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=6)))
    splitter = get_wire(far).make_splitter()
    chunks = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    frames = [frame for chunk in chunks for frame in splitter.feed(chunk)]
    assert b"".join(frames) == raw
    way, _ = crossing(near, far, asking(near, REQUESTS[near], True), True)
    shown = passed(way, frames)
    assert {mark: len(re.findall(mark, shown)) for mark in ONCE[near]} == dict.fromkeys(ONCE[near], 1)
    for opening, closing in PAIRED.get(near, ()):
        assert shown.count(opening) == shown.count(closing)
    got = read(near, shown)
    nested(got)
    assert said(got) == said(events)
    (finish,) = [event.reason for event in got if isinstance(event, Finish)]
    assert finish in [event.reason for event in events if isinstance(event, Finish)]
    usages = [event.usage for event in got if isinstance(event, UsageUpdate)]
    assert usages[-1] == next(event.usage for event in events if isinstance(event, UsageUpdate))
