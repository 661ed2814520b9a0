"""All output of a model reaches the caller on every wire, whole and streamed.

Each text has its own mark (§), and media have their own data. Parts without a place on a wire are written as text.
"""

import base64
import re

import pytest

from antiphon.wires.table import get_codec
from antiphon.wires.translation.neutral import (
    Annotation,
    Audio,
    BlockStart,
    BlockStop,
    Choice,
    Delta,
    Event,
    File,
    Finish,
    Image,
    Media,
    Message,
    Part,
    Reply,
    Request,
    Start,
    StreamEnd,
    Text,
    Thinking,
    ToolCall,
)

WIRES = ("chat", "responses", "messages", "generate", "converse")
REQUEST = Request(model="m", messages=(Message("user", (Text("x"),)),))
PAGE = {"type": "url_citation", "url": "https://§page", "title": "§title", "start_index": 0, "end_index": 2}
PLACE = {
    "type": "char_location", "cited_text": "§quote", "document_index": 0, "document_title": "§document",
    "start_char_index": 1, "end_char_index": 2,
}  # fmt: skip
PIXELS = "iVBORw0KGgoAAAAN" + base64.b64encode("§pixels".encode()).decode()
SAMPLES = base64.b64encode("§samples of a sound".encode()).decode()
PARTS: tuple[Part, ...] = (
    Thinking("§brooding", "§proof", wire="elsewhere"),
    Text("§words", citations=(PAGE, PLACE)),
    Image(data=PIXELS, media_type="image/png"),
    Text("§between"),
    Audio(SAMPLES, "audio/pcm;rate=24000", "", "§spoken"),
    Image(url="https://§picture", media_type="image/png"),
    File(data=PIXELS, media_type="application/x-odd"),
    ToolCall("call_1", "§tool", '{"a":"§argument"}', "§thought"),
)
MARKS = {
    "§brooding", "§words", "§page", "§title", "§quote", "§document", "§pixels", "§between", "§samples", "§spoken",
    "§picture", "§tool", "§argument", "§proof", "§thought",
}  # fmt: skip


_STANDARD = str.maketrans("-_", "+/")


def make_events() -> list[Event]:
    made: list[Event] = [Start("id", "m")]
    for index, part in enumerate(PARTS):
        if isinstance(part, Image | Audio | File):
            made.append(Media(index, part))
        elif isinstance(part, ToolCall):
            made += [BlockStart(index, "tool", part.id, part.name), Delta(index, part.arguments)]
            made += [Annotation(index, part.signature, wire="gemini"), BlockStop(index)]
        elif isinstance(part, Thinking):
            made += [BlockStart(index, "thinking"), Delta(index, part.text)]
            made += [Annotation(index, part.signature, wire=part.wire), BlockStop(index)]
        elif isinstance(part, Text):
            made += [BlockStart(index, "text"), Delta(index, part.text)]
            made += [*(Annotation(index, citation=each) for each in part.citations), BlockStop(index)]
    return [*made, Finish("tool_calls"), StreamEnd()]


def decode_base64(written: bytes) -> str:
    """Return the written text, followed by everything in it that is base64, decoded at any depth."""
    text = written.decode("utf-8", "replace")
    seen: set[str] = set()
    while new := set(re.findall(r"[A-Za-z0-9+/_-]{16,}={0,2}", text)) - seen:
        seen |= new
        for found in new:
            plain = found.removeprefix("antiphon_").rstrip("=").translate(_STANDARD)
            if len(plain) % 4 != 1:
                text += " " + base64.b64decode(plain + "=" * (-len(plain) % 4)).decode("utf-8", "replace")
    return text


@pytest.mark.parametrize("wire", WIRES)
def test_a_whole_answer(wire: str) -> None:
    reply = Reply(id="id", model="m", choices=(Choice(PARTS, Finish("tool_calls")),))
    text = decode_base64(get_codec(wire).write_reply(reply, REQUEST))
    assert {mark for mark in MARKS if mark not in text} == set()


@pytest.mark.parametrize("wire", WIRES)
def test_a_streamed_answer(wire: str) -> None:
    writer = get_codec(wire).make_writer(REQUEST)
    text = decode_base64(b"".join(writer.write(event) for event in make_events()))
    assert {mark for mark in MARKS if mark not in text} == set()
