"""Streams of the Gemini wire: golden transcripts, and properties of any order of events and any split."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.errors import BadAnswer, BadRequest, UpstreamTimeout
from antiphon.types import BUCKETS, Origin, Target, Usage
from antiphon.wires.gemini import Gemini
from antiphon.wires.gemini.signatures import seal
from antiphon.wires.sse import read_data, write_frame
from antiphon.wires.translation.neutral import (
    Annotation,
    BlockStart,
    BlockStop,
    Delta,
    Event,
    File,
    Finish,
    Image,
    Media,
    Message,
    Request,
    Start,
    StreamEnd,
    StreamError,
    Text,
    Thinking,
    UsageUpdate,
)

CODEC = Gemini()
REQUEST = Request(model="asked", messages=(Message("user", (Text("Hi"),)),))


def frame(*parts: Any, finish: str = "", index: int = 0, **more: Any) -> bytes:
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}, "index": index}
    candidate |= {key: more.pop(key) for key in ("groundingMetadata", "finishMessage", "logprobsResult") if key in more}
    if finish:
        candidate["finishReason"] = finish
    return write_frame(
        json.dumps({"candidates": [candidate], "modelVersion": "g", "responseId": "r1", **more}).encode()
    )


def read(*frames: bytes) -> list[Event]:
    reader = CODEC.make_reader()
    events = [event for each in frames for event in reader.read(each)]
    return [*events, *reader.close()]


def write(*events: Event) -> list[dict[str, Any]]:
    return [json.loads(read_data(each) or b"") for each in write_frames(*events)]


def write_frames(*events: Event) -> list[bytes]:
    writer, splitter = CODEC.make_writer(REQUEST), CODEC.make_splitter()
    return [each for event in events for each in splitter.feed(writer.write(event))]


def list_parts(chunks: list[dict[str, Any]], index: int = 0) -> list[dict[str, Any]]:
    return [
        part
        for chunk in chunks
        for candidate in chunk["candidates"]
        if candidate["index"] == index
        for part in candidate["content"]["parts"]
        if part != {"text": ""}
    ]


TRANSCRIPT = [
    frame({"text": "Plan", "thought": True}, usageMetadata={"promptTokenCount": 9, "totalTokenCount": 9}),
    frame({"text": "ning", "thought": True, "thoughtSignature": "U0lH"}),
    frame({"text": "Grü"}),
    frame({"text": "ße"}, {"text": "", "thoughtSignature": "VEVYVA=="}),
    frame(
        {"functionCall": {"id": "c1", "name": "f", "args": {"city": "東京"}}, "thoughtSignature": "Q0FMTA=="},
        {"functionCall": {"id": "c2", "name": "g"}},
    ),
    frame(
        {"text": ""},
        finish="STOP",
        usageMetadata={
            "promptTokenCount": 9,
            "candidatesTokenCount": 5,
            "thoughtsTokenCount": 7,
            "totalTokenCount": 21,
        },
    ),
]
EVENTS: list[Event] = [
    Start("r1", "g", Usage(input=9)),
    BlockStart(0, "thinking"), Delta(0, "Plan"), Delta(0, "ning"),
    Annotation(0, signature="U0lH", wire="gemini"), BlockStop(0),
    BlockStart(1, "text"), Delta(1, "Grü"), Delta(1, "ße"), BlockStop(1),
    BlockStart(2, "thinking"), Annotation(2, signature="VEVYVA==", wire="gemini"), BlockStop(2),
    BlockStart(3, "tool", "c1", "f"), Annotation(3, signature="Q0FMTA==", wire="gemini"),
    Delta(3, '{"city": "\\u6771\\u4eac"}'), BlockStop(3),
    BlockStart(4, "tool", "c2", "g"), Delta(4, "{}"), BlockStop(4),
    Finish("tool_calls"),
    UsageUpdate(Usage(input=9, output=5, reasoning=7)),
    StreamEnd(),
]  # fmt: skip


def test_a_stream_is_read() -> None:
    assert read(*TRANSCRIPT) == EVENTS


def test_a_stream_is_written() -> None:
    chunks = write(*EVENTS)
    assert all(chunk["responseId"] == "r1" and chunk["modelVersion"] == "g" for chunk in chunks)
    assert list_parts(chunks) == [
        {"text": "Plan", "thought": True}, {"text": "ning", "thought": True},
        {"text": "", "thought": True, "thoughtSignature": "U0lH"},
        {"text": "Grü"}, {"text": "ße"},
        {"text": "", "thoughtSignature": "VEVYVA=="},
        {"functionCall": {"id": "c1", "name": "f", "args": {"city": "東京"}}, "thoughtSignature": "Q0FMTA=="},
        {"functionCall": {"id": "c2", "name": "g", "args": {}}},
    ]  # fmt: skip
    assert [chunk["candidates"][0].get("finishReason") for chunk in chunks] == [None] * (len(chunks) - 1) + ["STOP"]
    assert chunks[-1]["usageMetadata"]["totalTokenCount"] == 21


def test_a_written_stream_reads_as_the_same_events() -> None:
    expected = [event for event in EVENTS if type(event) is not Start]
    assert [event for event in read(*write_frames(*EVENTS)) if type(event) is not Start] == expected


@given(st.data())
@settings(max_examples=60)
def test_every_split_gives_the_same_events(data: st.DataObject) -> None:
    stream = b"".join(TRANSCRIPT).replace(b"\n\n", data.draw(st.sampled_from([b"\n\n", b"\r\n\r\n", b"\r\r"])))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    splitter, reader = CODEC.make_splitter(), CODEC.make_reader()
    events: list[Event] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        for each in splitter.feed(stream[start:end]):
            events += reader.read(each)
    assert [*events, *reader.close()] == EVENTS


def test_a_stream_that_is_cut_short_has_no_finish() -> None:
    events = read(*TRANSCRIPT[:3])
    assert events[-1] == BlockStop(1)
    assert not any(isinstance(event, Finish | StreamEnd) for event in events)
    assert read() == []
    half = read(frame({"text": "a"}, finish="STOP"), frame({"text": "b"}, index=1))
    assert [event for event in half if isinstance(event, Finish | StreamEnd)] == [Finish("stop")]


def test_text_after_a_finish_reason_is_an_error() -> None:
    first = frame({"text": "a"}, finish="STOP")
    events = read(first, frame({"text": ""}, finish="STOP"), frame(finish="STOP"))
    assert events[1:] == [BlockStart(0, "text"), Delta(0, "a"), BlockStop(0), Finish("stop"), StreamEnd()]
    assert read(first, frame({"text": "b"}))[-1] == StreamError(
        "The provider went on with an answer behind its finish reason.", 502
    )


def test_a_broken_stream_keeps_its_output_so_far() -> None:
    usage = {"promptTokenCount": 4, "candidatesTokenCount": 2, "totalTokenCount": 6}
    early = {"promptTokenCount": 4, "totalTokenCount": 4}
    events = read(frame({"text": "a"}, usageMetadata=early), frame({"text": "b"}, usageMetadata=usage),
                  frame({"text": "c"}, usageMetadata=usage))  # fmt: skip
    assert [event for event in events if isinstance(event, UsageUpdate)] == [UsageUpdate(Usage(input=4, output=2))]
    assert events[0] == Start("r1", "g", Usage(input=4))


def test_a_blocked_prompt_in_a_stream() -> None:
    events = read(write_frame(b'{"promptFeedback":{"blockReason":"SAFETY"},"responseId":"r"}'))
    assert events == [Start("r", ""), Finish("content_filter"), StreamEnd()]
    late = read(
        frame({"text": "a"}),
        write_frame(b'{"promptFeedback":{"blockReason":"X"},"usageMetadata":{"promptTokenCount":1}}'),
    )
    assert late[2:] == [Delta(0, "a"), BlockStop(0), Finish("content_filter"), UsageUpdate(Usage(input=1)), StreamEnd()]


def test_errors_in_a_stream() -> None:
    failed = write_frame(b'{"error":{"code":503,"message":"overloaded","status":"UNAVAILABLE"}}')
    reader = CODEC.make_reader()
    assert reader.read(failed) == [StreamError("overloaded", 503)]
    assert reader.read(frame({"text": "late"})) == []
    assert reader.close() == []
    malformed = frame(finish="MALFORMED_FUNCTION_CALL", finishMessage="f(")
    assert read(malformed)[-1] == StreamError("The model ended its answer with MALFORMED_FUNCTION_CALL: f(", 502)
    assert isinstance(read(frame({"functionCall": {"name": "f", "args": [1]}}))[-1], StreamError)
    with pytest.raises(BadAnswer):
        read(write_frame(b"{"))
    assert read(b": comment\n\n", b"\n", write_frame(b"  ")) == []


def test_media_and_code_in_a_stream_are_read() -> None:
    events = read(
        frame({"text": "See"}),
        frame({"inlineData": {"mimeType": "image/png", "data": "AA=="}}),
        frame(
            {"executableCode": {"language": "PYTHON", "code": "1"}},
            {"fileData": {"fileUri": "https://a"}},
            finish="STOP",
        ),
    )
    text = "".join(event.text for event in events if isinstance(event, Delta))
    assert text == "See\n```python\n1\n```\n"
    assert [event for event in events if isinstance(event, Media)] == [
        Media(1, Image(data="AA==", media_type="image/png")),
        Media(3, File(url="https://a")),
    ]
    assert [event.index for event in events if isinstance(event, BlockStart)] == [0, 2]


def test_citations_are_written_with_the_last_text() -> None:
    grounding = {"groundingChunks": [{"web": {"uri": "https://a", "title": "A"}}],
                 "groundingSupports": [{"segment": {"endIndex": 3}, "groundingChunkIndices": [0]}]}  # fmt: skip
    events = read(frame({"text": "ü"}), frame({"text": "b"}, finish="STOP", groundingMetadata=grounding))
    citation = {"type": "url_citation", "url": "https://a", "title": "A", "start_index": 0, "end_index": 2}
    assert events[4:] == [Annotation(0, citation=citation), BlockStop(0), Finish("stop"), StreamEnd()]
    last = write(*events)[-1]["candidates"][0]["groundingMetadata"]
    assert last["groundingSupports"][0]["segment"] == {"startIndex": 0, "endIndex": 3, "text": "üb"}
    tooled = read(frame({"text": "x"}), frame({"functionCall": {"name": "f", "id": "i"}}, finish="STOP",
                                              groundingMetadata=grounding))  # fmt: skip
    assert [type(event).__name__ for event in tooled[-5:]] == [
        "BlockStart",
        "Annotation",
        "BlockStop",
        "Finish",
        "StreamEnd",
    ]


def test_log_probabilities_in_a_stream() -> None:
    result = {"chosenCandidates": [{"token": "a", "logProbability": -1.0}], "topCandidates": [{"candidates": []}]}
    events = read(frame({"text": "a"}, logprobsResult=result))
    token = {"token": "a", "logprob": -1.0, "bytes": [97], "top_logprobs": []}
    assert events[2] == Delta(0, "a", (token,))
    assert write(*events[:3])[0]["candidates"][0]["logprobsResult"] == result


def test_signatures_of_other_wires_are_encoded_in_a_stream() -> None:
    chunks = write(
        Start("r", "m"),
        BlockStart(0, "thinking"), Delta(0, "Hm"), Annotation(0, signature="c2ln", wire="anthropic"), BlockStop(0),
        BlockStart(1, "thinking", "rs_1"), Annotation(1, redacted="eA==", wire="responses"), BlockStop(1),
        BlockStart(2, "refusal"), Delta(2, "No."), BlockStop(2), Finish("refusal"), StreamEnd(),
    )  # fmt: skip
    assert list_parts(chunks) == [
        {"text": "Hm", "thought": True},
        {"text": "", "thought": True, "thoughtSignature": seal(Thinking("", "c2ln", wire="anthropic"))},
        {"text": "", "thought": True, "thoughtSignature": seal(Thinking("", "", "eA==", "rs_1", "responses"))},
        {"text": "No."},
    ]
    assert chunks[-1]["candidates"][0]["finishReason"] == "SAFETY"


def test_malformed_arguments_are_written_at_the_end() -> None:
    chunks = write(
        Start("r", "m"), BlockStart(0, "tool", "a", "f"), Delta(0, '{"x":'), BlockStop(0), Finish("length"), StreamEnd()
    )
    assert len(chunks) == 1
    assert chunks[0]["candidates"][0]["finishReason"] == "MALFORMED_FUNCTION_CALL"
    assert chunks[0]["candidates"][0]["finishMessage"] == 'Malformed function call: f({"x":)'


def test_a_break_is_reported_once() -> None:
    writer = CODEC.make_writer(REQUEST)
    writer.write(Start("r", "m"))
    failed = json.loads(read_data(writer.fail(UpstreamTimeout("too slow", phase="idle"))) or b"")
    assert failed["error"]["status"] == "DEADLINE_EXCEEDED"
    assert writer.write(StreamEnd()) == b""
    other = CODEC.make_writer(REQUEST)
    assert json.loads(read_data(other.write(StreamError("broke", 529))) or b"")["error"]["code"] == 529
    assert other.write(Finish("stop")) == b""


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
ARGUMENTS = st.dictionaries(TEXTS, st.integers(-9, 9) | TEXTS | st.none(), max_size=3)
USAGES = st.builds(
    Usage, **{name: st.integers(0, 999) for name in BUCKETS if name not in ("cache_write", "cache_write_long")}
)


@st.composite
def draw_choice(draw: st.DrawFn, index: int) -> list[Event]:
    """Draw the events of one choice, as any reader may give them."""
    events: list[Event] = []
    for at in range(draw(st.integers(0, 5))):
        kind = draw(st.sampled_from(["text", "thinking", "tool"]))
        name = f"c{index}_{at}" if kind == "tool" else ""
        events.append(BlockStart(at, kind, name, "f" if kind == "tool" else "", index))
        arguments = json.dumps(draw(ARGUMENTS)) if kind == "tool" else "".join(draw(st.lists(TEXTS, max_size=4)))
        cuts = sorted(draw(st.lists(st.integers(0, len(arguments)), max_size=3)))
        pieces = [arguments[start:end] for start, end in zip([0, *cuts], [*cuts, len(arguments)], strict=True)]
        events += [Delta(at, piece, choice=index) for piece in pieces if piece]
        if kind == "thinking":
            events.append(Annotation(at, signature=draw(st.sampled_from(["QUJD", "c2ln"])),
                                 wire=draw(st.sampled_from(["gemini", "anthropic"])), choice=index))  # fmt: skip
        events.append(BlockStop(at, index))
    return events


@st.composite
def draw_stream(draw: st.DrawFn) -> list[Event]:
    waiting = [draw(draw_choice(index)) for index in range(draw(st.integers(1, 2)))]
    ends = [Finish(draw(st.sampled_from(["stop", "length", "content_filter"])), choice=n) for n in range(len(waiting))]
    events: list[Event] = [Start("r1", "g")]
    while any(waiting):
        events.append(draw(st.sampled_from([each for each in waiting if each])).pop(0))
    usage = draw(USAGES)
    return [*events, *draw(st.permutations([*ends, UsageUpdate(usage)])), StreamEnd()]


def normalize(events: list[Event]) -> Any:
    """Return the blocks of each choice in order, with neighbouring texts merged, the finishes, and the usage."""
    blocks: dict[int, list[list[str]]] = {}
    ends: dict[int, str] = {}
    usage: Usage | None = None
    for event in events:
        if isinstance(event, BlockStart):
            choice_blocks = blocks.setdefault(event.choice, [])
            if not (choice_blocks and event.kind == "text" == choice_blocks[-1][0]):
                choice_blocks.append([event.kind, event.id, event.name, "", "", ""])
        elif isinstance(event, Delta):
            blocks[event.choice][-1][3] += event.text
        elif isinstance(event, Annotation):
            blocks[event.choice][-1][4:] = [event.signature, event.wire]
        elif isinstance(event, Finish):
            ends[event.choice] = "stop" if event.reason == "tool_calls" else event.reason
        elif isinstance(event, UsageUpdate):
            usage = event.usage
    for choice, choice_blocks in blocks.items():
        for block in choice_blocks:
            if block[0] == "tool":
                block[3] = json.dumps(json.loads(block[3] or "{}"))
        filled = [block for block in choice_blocks if any(block[3:]) or block[0] == "tool"]
        merged: list[list[str]] = []
        for block in filled:
            if merged and block[0] == "text" == merged[-1][0]:
                merged[-1][3] += block[3]
            else:
                merged.append(block)
        blocks[choice] = merged
    return {choice: choice_blocks for choice, choice_blocks in blocks.items() if choice_blocks}, ends, usage


@given(draw_stream(), st.data())
@settings(max_examples=150, deadline=None)
def test_a_written_stream_reads_back_for_any_split(events: list[Event], data: st.DataObject) -> None:
    stream = b"".join(write_frames(*events))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    splitter, reader = CODEC.make_splitter(), CODEC.make_reader()
    again: list[Event] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        for each in splitter.feed(stream[start:end]):
            again += reader.read(each)
    again += reader.close()
    assert normalize(again) == normalize(events)
    check_form(again)


def check_form(events: list[Event]) -> None:
    """Check one start and one end, blocks numbered and open one at a time, a finish of each choice, and one usage."""
    assert isinstance(events[0], Start)
    assert isinstance(events[-1], StreamEnd)
    assert sum(isinstance(event, Start | StreamEnd) for event in events) == 2
    assert sum(isinstance(event, UsageUpdate) for event in events) == 1
    is_open: dict[int, int | None] = {}
    count: dict[int, int] = {}
    finished: set[int] = set()
    for event in events:
        if isinstance(event, BlockStart):
            assert is_open.get(event.choice) is None
            assert event.index == count.get(event.choice, 0)
            count[event.choice] = event.index + 1
            is_open[event.choice] = event.index
        elif isinstance(event, Delta | Annotation):
            assert is_open[event.choice] == event.index
        elif isinstance(event, BlockStop):
            assert is_open[event.choice] == event.index
            is_open[event.choice] = None
        elif isinstance(event, Finish):
            assert is_open.get(event.choice) is None
            assert event.choice not in finished
            finished.add(event.choice)
    assert finished >= count.keys()


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-3, 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
)
KEYS = st.sampled_from(
    ["candidates", "content", "parts", "text", "thought", "thoughtSignature", "functionCall", "args", "name", "id",
     "index", "finishReason", "usageMetadata", "promptTokenCount", "error", "code", "message", "inlineData", "data",
     "groundingMetadata", "groundingChunks", "groundingSupports", "segment", "logprobsResult", "chosenCandidates",
     "contents", "role", "generationConfig", "system_instruction", "tools", "functionDeclarations", "parameters",
     "functionResponse", "response", "toolConfig", "functionCallingConfig", "mode", "promptFeedback", "blockReason",
     "executableCode", "citationMetadata", "fileData", "file_uri", "thinking_config", "responseSchema", "type"]
)  # fmt: skip
DOCUMENTS = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=25
)


@given(DOCUMENTS)
@settings(max_examples=300, deadline=None)
def test_no_answer_crashes_a_decoder(document: Any) -> None:
    body = json.dumps(document).encode()
    for attempt in (CODEC.read_reply, lambda data: read(write_frame(data))):
        try:
            attempt(body)
        except BadAnswer as error:
            assert error.message


@given(st.dictionaries(KEYS, DOCUMENTS, max_size=4), DOCUMENTS)
@settings(max_examples=300, deadline=None)
def test_no_request_crashes_a_decoder(document: dict[str, Any], part: Any) -> None:
    target = Target("p/m", "p", "m", "kind", "gemini", Origin("http", "h", 80), {})
    for asked in (document, {**document, "contents": [{"role": "user", "parts": [part, {"text": "x"}]}]}):
        try:
            CODEC.write_request(CODEC.read_request(asked, "m", True), target)
        except BadRequest as error:
            assert error.message


@given(st.binary(max_size=200))
def test_no_bytes_crash_a_reader(data: bytes) -> None:
    splitter, reader = CODEC.make_splitter(), CODEC.make_reader()
    try:
        for each in splitter.feed(data + b"\n\n"):
            reader.read(each)
        reader.close()
    except BadAnswer as error:
        assert error.message
