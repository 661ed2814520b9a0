"""Golden transcripts: one conversation on every pair of wires, as the provider gets it and as the caller is answered.

``GOLDEN_WRITE=1 pytest tests/system/pairs/test_pairs_golden.py`` writes them anew; the difference is read before it is
committed.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from antiphon.wires import get_wire
from antiphon.wires.aws.eventstream import MessageReader
from antiphon.wires.table import CODECS
from system.pairs.answered import REPLIES, STREAMS
from system.pairs.asked import REQUESTS
from system.pairs.crossing import asking, crossing, passed

GOLDEN = Path(__file__).parent / "golden"
OURS = re.compile(r"\b([a-z]+[-_])[0-9a-z]{26,}\b|\b[0-9a-f]{32}\b")
"""Identifiers that are made anew for each answer."""
NOW = re.compile(r'("(?:created|created_at|completed_at)": ?)(?!1700000000)\d{10}(?:\.\d+)?')
PAIRS = [(near, far) for near in CODECS for far in CODECS if near != far]


def transcript(near: str, far: str) -> str:
    """Return what a call and the same call as a stream come to."""
    way, sent = crossing(near, far, asking(near, REQUESTS[near], False), False)
    _, shown = way.read_whole(json.dumps(REPLIES[far], ensure_ascii=False).encode())
    streaming, _ = crossing(near, far, asking(near, REQUESTS[near], True), True)
    frames = passed(streaming, get_wire(far).make_splitter().feed(STREAMS[far]))
    sections = {
        f"a caller of {near}, a target of {far}: the provider gets": pretty(sent),
        "left out": ", ".join(way.dropped) or "nothing",
        "the caller is answered": pretty(shown),
        "the caller is streamed": readable(near, frames),
    }
    return steady("\n\n".join(f"== {title}\n\n{text}" for title, text in sections.items())) + "\n"


def pretty(body: bytes) -> str:
    return json.dumps(json.loads(body), ensure_ascii=False, indent=1)


def readable(near: str, frames: bytes) -> str:
    """Return a stream as text; a binary message is a line of its event and its payload."""
    if near != "converse":
        return frames.decode().strip()
    reader = MessageReader()
    messages = [reader.read(message) for message in get_wire(near).make_splitter().feed(frames)]
    return "\n".join(f"{message.get_text(':event-type')} {message.payload.decode()}" for message in messages)


def steady(text: str) -> str:
    """Return a text in which what is made anew each time has the number of its first appearance."""
    names: dict[str, str] = {}

    def name(found: re.Match[str]) -> str:
        return names.setdefault(found[0], f"{found[1] or ''}OURS{len(names)}")

    return NOW.sub(r"\1NOW", OURS.sub(name, text))


@pytest.mark.parametrize(("near", "far"), PAIRS)
def test_transcript(near: str, far: str) -> None:
    path = GOLDEN / f"{near}-{far}.txt"
    found = transcript(near, far)
    if os.environ.get("GOLDEN_WRITE") == "1":
        path.parent.mkdir(exist_ok=True)
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8")


def test_every_pair_has_one_and_nothing_else_is_there() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == {f"{near}-{far}" for near, far in PAIRS}


@pytest.mark.parametrize(("near", "far"), PAIRS)
def test_what_a_stream_comes_to_is_the_whole_answer(near: str, far: str) -> None:
    """Read back by the caller's own codec, the streamed answer says what the whole one says."""
    from antiphon.wires import get_codec

    way, _ = crossing(near, far, asking(near, REQUESTS[near], False), False)
    whole = get_codec(near).read_reply(way.read_whole(json.dumps(REPLIES[far], ensure_ascii=False).encode())[1])
    streaming, _ = crossing(near, far, asking(near, REQUESTS[near], True), True)
    frames = passed(streaming, get_wire(far).make_splitter().feed(STREAMS[far]))
    reader, texts, usage, finish = get_codec(near).make_reader(), {}, None, None
    events: list[Any] = [event for frame in get_wire(near).make_splitter().feed(frames) for event in reader.read(frame)]
    for event in [*events, *reader.close()]:
        match type(event).__name__:
            case "BlockStart":
                texts[event.index] = [event.kind, event.name, ""]
            case "Delta":
                texts[event.index][2] += event.text
            case "UsageUpdate":
                usage = event.usage
            case "Finish":
                finish = event.reason
    said = [(kind, name, json.loads(text) if name else text) for kind, name, text in texts.values() if text or name]
    (choice,) = whole.choices
    assert said == [part for each in choice.parts if (part := told(each))[1:] != ("", "")]
    assert (usage, finish) == (whole.usage, choice.finish.reason)


def told(part: Any) -> tuple[str, str, Any]:
    kinds = {"Text": "text", "Thinking": "thinking", "ToolCall": "tool"}
    kind = kinds[type(part).__name__]
    return (kind, part.name, json.loads(part.arguments)) if kind == "tool" else (kind, "", part.text)
