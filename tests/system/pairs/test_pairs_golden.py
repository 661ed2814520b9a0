"""Golden transcripts: one conversation on every pair of wires, as the provider and the caller get it.

``GOLDEN_WRITE=1 pytest tests/system/pairs/test_pairs_golden.py`` rewrites them; read the difference before you
commit it.
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
from system.pairs.caller_requests import REQUESTS
from system.pairs.provider_answers import REPLIES, STREAMS
from system.pairs.translation import translate_request, translate_stream, write_caller_body

GOLDEN = Path(__file__).parent / "golden"
OUR_IDS = re.compile(r"\b([a-z]+[-_])[0-9a-z]{26,}\b|\b[0-9a-f]{32}\b")
"""Ids that are new for each answer."""
NOW = re.compile(r'("(?:created|created_at|completed_at)": ?)(?!1700000000)\d{10}(?:\.\d+)?')
PAIRS = [(caller, target) for caller in CODECS for target in CODECS if caller != target]


def write_transcript(caller: str, target: str) -> str:
    """Return the text of a whole call and of the same call as a stream."""
    call, sent = translate_request(caller, target, write_caller_body(caller, REQUESTS[caller], False), False)
    _, written = call.read_whole(json.dumps(REPLIES[target], ensure_ascii=False).encode())
    streaming, _ = translate_request(caller, target, write_caller_body(caller, REQUESTS[caller], True), True)
    frames = translate_stream(streaming, get_wire(target).make_splitter().feed(STREAMS[target]))
    sections = {
        f"a caller of {caller}, a target of {target}: the provider gets": write_indented_json(sent),
        "left out": ", ".join(call.dropped) or "nothing",
        "the caller is answered": write_indented_json(written),
        "the caller is streamed": write_readable(caller, frames),
    }
    return number_ids("\n\n".join(f"== {title}\n\n{text}" for title, text in sections.items())) + "\n"


def write_indented_json(body: bytes) -> str:
    return json.dumps(json.loads(body), ensure_ascii=False, indent=1)


def write_readable(caller: str, frames: bytes) -> str:
    """Return a stream as text; a binary message becomes a line with its event and payload."""
    if caller != "converse":
        return frames.decode().strip()
    reader = MessageReader()
    messages = [reader.read(message) for message in get_wire(caller).make_splitter().feed(frames)]
    return "\n".join(f"{message.get_text(':event-type')} {message.payload.decode()}" for message in messages)


def number_ids(text: str) -> str:
    """Replace each new id in a text by the number of its first appearance."""
    names: dict[str, str] = {}

    def name(found: re.Match[str]) -> str:
        return names.setdefault(found[0], f"{found[1] or ''}OURS{len(names)}")

    return NOW.sub(r"\1NOW", OUR_IDS.sub(name, text))


@pytest.mark.parametrize(("caller", "target"), PAIRS)
def test_transcript(caller: str, target: str) -> None:
    path = GOLDEN / f"{caller}-{target}.txt"
    found = write_transcript(caller, target)
    if os.environ.get("GOLDEN_WRITE") == "1":
        path.parent.mkdir(exist_ok=True)
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8")


def test_every_pair_has_a_transcript_and_there_are_no_others() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == {f"{caller}-{target}" for caller, target in PAIRS}


@pytest.mark.parametrize(("caller", "target"), PAIRS)
def test_a_stream_equals_the_whole_answer(caller: str, target: str) -> None:
    """Read by the caller's own codec, the streamed answer equals the whole one."""
    from antiphon.wires import get_codec

    call, _ = translate_request(caller, target, write_caller_body(caller, REQUESTS[caller], False), False)
    whole = get_codec(caller).read_reply(call.read_whole(json.dumps(REPLIES[target], ensure_ascii=False).encode())[1])
    streaming, _ = translate_request(caller, target, write_caller_body(caller, REQUESTS[caller], True), True)
    frames = translate_stream(streaming, get_wire(target).make_splitter().feed(STREAMS[target]))
    reader, texts, usage, finish = get_codec(caller).make_reader(), {}, None, None
    events: list[Any] = [
        event for frame in get_wire(caller).make_splitter().feed(frames) for event in reader.read(frame)
    ]
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
    contents = [(kind, name, json.loads(text) if name else text) for kind, name, text in texts.values() if text or name]
    (choice,) = whole.choices
    assert contents == [part for each in choice.parts if (part := describe_part(each))[1:] != ("", "")]
    assert (usage, finish) == (whole.usage, choice.finish.reason)


def describe_part(part: Any) -> tuple[str, str, Any]:
    kinds = {"Text": "text", "Thinking": "thinking", "ToolCall": "tool"}
    kind = kinds[type(part).__name__]
    return (kind, part.name, json.loads(part.arguments)) if kind == "tool" else (kind, "", part.text)
