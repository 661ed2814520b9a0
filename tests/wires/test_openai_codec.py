"""The chat wire as a codec: requests and answers in both directions, streams by properties, and no crash."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.errors import BadAnswer, BadRequest, CallError, Truncated
from antiphon.types import Origin, Target, Usage
from antiphon.wires.openai.codec import OpenAICodec
from antiphon.wires.sse import SSESplitter, read_data
from antiphon.wires.translation.neutral import (
    Annotation,
    BlockStart,
    BlockStop,
    Choice,
    Delta,
    Event,
    File,
    Finish,
    Format,
    Image,
    Message,
    Reasoning,
    Refusal,
    Reply,
    Request,
    Start,
    StreamEnd,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    UsageUpdate,
)

CODEC = OpenAICodec()
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def make_target(*quirks: str) -> Target:
    return Target("p/up", "p", "up", "kind", "openai", Origin("http", "h", 80), {}, quirks=frozenset(quirks))


def make_request(*messages: Message, **fields: Any) -> Request:
    return Request(model="m", messages=messages or (Message("user", (Text("Hi"),)),), **fields)


def write_request(request: Request, *quirks: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    out = CODEC.write_request(request, make_target(*quirks))
    return json.loads(out.body), out.dropped


def read_request(document: dict[str, Any]) -> Request:
    return CODEC.read_request({"model": "m", **document}, "m", bool(document.get("stream")))


CONVERSATION = {
    "messages": [
        {"role": "developer", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk=", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,cGRm"}},
                {"type": "input_audio", "input_audio": {"data": "d2F2", "format": "wav"}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "weather", "arguments": '{"city":"東京"}'}},
                {"id": "b", "type": "function", "function": {"name": "now", "arguments": ""}},
            ],
        },
        {"role": "tool", "tool_call_id": "a", "content": "sunny"},
        {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": "noon"}]},
        {"role": "user", "content": "Thanks. And now?"},
    ]
}


def test_a_conversation_is_read_into_turns() -> None:
    request = read_request(CONVERSATION)
    assert request.system == (Text("Be brief."),)
    assert [message.role for message in request.messages] == ["user", "assistant", "user"]
    first, calls, results = (message.parts for message in request.messages)
    assert first[1:3] == (
        Image(data="aGk=", media_type="image/png", detail="low"),
        Image(url="https://example.com/a.png"),
    )
    assert first[3] == File(data="cGRm", media_type="application/pdf", name="a.pdf")
    assert calls == (ToolCall("a", "weather", '{"city":"東京"}'), ToolCall("b", "now", "{}"))
    assert results == (
        ToolResult("a", (Text("sunny"),)),
        ToolResult("b", (Text("noon"),)),
        Text("Thanks. And now?"),
    )


def test_a_request_is_written_with_the_same_meaning() -> None:
    once = read_request(CONVERSATION)
    body, dropped = write_request(once)
    assert dropped == ()
    again = read_request(body)
    assert (again.system, again.messages) == (once.system, once.messages)


@pytest.mark.parametrize(
    ("choice", "neutral"),
    [
        ("auto", ToolChoice("auto")),
        ("none", ToolChoice("none")),
        ("required", ToolChoice("required")),
        ({"type": "function", "function": {"name": "f"}}, ToolChoice("tool", ("f",))),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "f"}}]},
            },
            ToolChoice("required", ("f",)),
        ),
    ],
)
def test_every_form_of_tool_choice_survives(choice: Any, neutral: ToolChoice) -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": SCHEMA, "strict": True}}]
    request = read_request({**CONVERSATION, "tools": tools, "tool_choice": choice, "parallel_tool_calls": False})
    assert request.tool_choice == neutral
    assert request.tools == (Tool("f", "", SCHEMA, True),)
    body, _ = write_request(request)
    assert (body["tool_choice"], body["tools"], body["parallel_tool_calls"]) == (choice, tools, False)


@pytest.mark.parametrize(
    ("form", "neutral"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, Format("json")),
        (
            {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA, "strict": True}},
            Format("schema", SCHEMA, "n", True),
        ),
    ],
)
def test_structured_output_survives(form: dict[str, Any], neutral: Format | None) -> None:
    request = read_request({**CONVERSATION, "response_format": form})
    assert request.format == neutral
    assert write_request(request)[0].get("response_format") == (form if neutral else None)


def test_settings_keep_their_values_and_zero_stays_zero() -> None:
    fields = {
        "temperature": 0,
        "top_p": 0.5,
        "seed": 0,
        "n": 2,
        "stop": ["a", "b"],
        "presence_penalty": -1,
        "frequency_penalty": 0,
        "logprobs": True,
        "top_logprobs": 3,
        "user": "u",
        "metadata": {"k": "v"},
        "service_tier": "flex",
        "reasoning_effort": "high",
    }
    body, dropped = write_request(read_request({**CONVERSATION, **fields, "max_tokens": 5, "stream": True}))
    assert {name: body[name] for name in fields} == fields
    assert (body["max_tokens"], body["stream"], body["stream_options"]) == (5, True, {"include_usage": True})
    assert dropped == ()


def test_quirks_choose_the_field_for_max_tokens() -> None:
    assert write_request(make_request(max_tokens=5), "max_completion_tokens")[0]["max_completion_tokens"] == 5
    assert "stream_options" not in write_request(make_request(stream=True), "no_stream_usage")[0]


def test_unsupported_fields_are_reported() -> None:
    text = Text("x", cache={"type": "ephemeral"})
    body, dropped = write_request(make_request(Message("user", (text,)), top_k=3, extras={"mystery": 1}))
    assert set(dropped) == {"top_k", "cache_control", "mystery"}
    assert body["messages"] == [{"role": "user", "content": "x"}]


@pytest.mark.parametrize(("budget", "effort"), [(500, "low"), (4000, "medium"), (30000, "high")])
def test_a_thinking_budget_becomes_the_nearest_effort(budget: int, effort: str) -> None:
    assert write_request(make_request(reasoning=Reasoning(budget=budget)))[0]["reasoning_effort"] == effort


def test_results_of_one_turn_are_adjacent_and_their_images_follow() -> None:
    called = Message("assistant", (ToolCall("a", "f"), ToolCall("b", "g")))
    image = Image(data="iVBORw0KGgo=", media_type="image/png")
    first = Message("user", (ToolResult("a", (Text("one"), image)),))
    second = Message("user", (ToolResult("b", (Text("two"),)), Text("Go on.")))
    body, _ = write_request(make_request(called, first, second))
    assert [message["role"] for message in body["messages"]] == ["assistant", "tool", "tool", "user"]
    assert [part["type"] for part in body["messages"][-1]["content"]] == ["image_url", "text"]


def test_tool_results_with_errors_and_images() -> None:
    result = ToolResult("a", (Text("no such city"), Image(data="aGk=", media_type="image/png")), error=True)
    body, _ = write_request(make_request(Message("user", (result, Text("Go on")))))
    assert body["messages"][0] == {"role": "tool", "tool_call_id": "a", "content": "Error: no such city"}
    assert [part["type"] for part in body["messages"][1]["content"]] == ["image_url", "text"]


def test_thinking_of_another_wire_never_becomes_text() -> None:
    thinking = Thinking("secret thoughts", "sig", wire="other")
    body, _ = write_request(make_request(Message("assistant", (thinking, Text("Hello")))))
    assert "secret" not in json.dumps(body)


def test_thinking_with_its_signature_survives_a_turn_through_a_chat_client() -> None:
    thinking = Thinking("I think", "c2ln", wire="other")
    redacted = Thinking(redacted="eHl6", wire="other")
    reply = Reply(id="r", model="m", choices=(Choice((thinking, redacted, Text("Hi")), Finish("stop")),))
    message = json.loads(CODEC.write_reply(reply, make_request()))["choices"][0]["message"]
    assert message["reasoning_content"] == "I think"
    again = read_request({"messages": [{"role": "user", "content": "x"}, message]})
    assert again.messages[1].parts == (thinking, redacted, Text("Hi"))


@pytest.mark.parametrize(
    ("document", "param"),
    [
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "video"}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"id": "a"}]}]}, "messages[0].tool_calls[0]"),
        ({**CONVERSATION, "tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        ({**CONVERSATION, "tool_choice": {"type": "x"}}, "tool_choice"),
        ({**CONVERSATION, "tools": [{}]}, "tools[0]"),
        ({**CONVERSATION, "response_format": {"type": "xml"}}, "response_format"),
        (
            {**CONVERSATION, "response_format": {"type": "json_schema", "json_schema": {"schema": "x"}}},
            "response_format.json_schema.schema",
        ),
        ({**CONVERSATION, "stop": 5}, "stop"),
        ({**CONVERSATION, "stop": [5]}, "stop"),
        ({**CONVERSATION, "n": 0}, "n"),
        ({**CONVERSATION, "reasoning_effort": 5}, "reasoning_effort"),
        ({**CONVERSATION, "functions": []}, "functions"),
    ],
)
def test_wrong_shapes_name_the_field(document: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read_request(document)
    assert caught.value.param == param


@pytest.mark.parametrize(
    "part", [File(url="https://example.com/a.pdf"), Image(file_id="f")], ids=lambda part: type(part).__name__
)
def test_unsupported_parts_are_rejected(part: Any) -> None:
    with pytest.raises(BadRequest):
        write_request(make_request(Message("user", (part,))))


def test_a_builtin_tool_of_another_wire_is_rejected() -> None:
    with pytest.raises(BadRequest, match="web_search"):
        write_request(make_request(tools=(Tool("web_search", builtin={"type": "web_search"}, wire="other"),)))


REPLY = Reply(
    id="chatcmpl-1",
    model="gpt",
    created=7,
    choices=(
        Choice((Thinking("hm", wire="openai"), Text("Hello"), ToolCall("a", "f", '{"x":1}')), Finish("tool_calls")),
        Choice((Refusal("No."),), Finish("refusal")),
    ),
    usage=Usage(input=5, cache_read=3, cache_write=2, output=4, reasoning=6),
)


def test_a_whole_answer_survives_the_wire() -> None:
    body = CODEC.write_reply(REPLY, make_request())
    again = CODEC.read_reply(body)
    assert (again.id, again.model, again.created, again.usage) == (REPLY.id, REPLY.model, 7, REPLY.usage)
    assert again.choices[0] == REPLY.choices[0]
    assert again.choices[1].parts == (Refusal("No."),)
    assert json.loads(body)["usage"]["total_tokens"] == 20


def test_an_answer_without_a_model_gets_the_requested_one() -> None:
    reply = Reply(id="", model="", choices=(Choice((Text("x"),), Finish("stop")),))
    assert json.loads(CODEC.write_reply(reply, make_request()))["model"] == "m"


# Streams --------------------------------------------------------------------------------------------------------------

WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
NAMES = st.sampled_from(["weather", "now", "lookup"])


@st.composite
def draw_stream(draw: st.DrawFn) -> list[Event]:
    """Draw the events of a whole stream that this wire can carry: no two text-like blocks of one kind in a row."""
    events: list[Event] = [Start("chatcmpl-id", "model")]
    before = ""
    called = False
    for index in range(draw(st.integers(0, 4))):
        kind = draw(st.sampled_from([kind for kind in ("text", "thinking", "refusal", "tool") if kind != before]))
        before = "" if kind == "tool" else kind
        called = called or kind == "tool"
        tool = (f"call_{index}", draw(NAMES)) if kind == "tool" else ("", "")
        events.append(BlockStart(index, kind, *tool))  # type: ignore[arg-type]
        pieces = draw(st.lists(WORDS, min_size=0 if kind == "tool" else 1, max_size=3))
        events += [Delta(index, piece) for piece in pieces]
        events.append(BlockStop(index))
    kinds = {event.kind for event in events if isinstance(event, BlockStart)}
    refused = "refusal" in kinds and "text" not in kinds  # a stop is then read as a refusal
    events.append(
        Finish("tool_calls" if called else draw(st.sampled_from(["length"] if refused else ["stop", "length"])))
    )
    events.append(UsageUpdate(Usage(input=draw(st.integers(0, 99)), output=draw(st.integers(0, 99)))))
    return [*events, StreamEnd()]


def write_stream(events: list[Event]) -> bytes:
    request = read_request({"messages": [{"role": "user", "content": "x"}], "stream_options": {"include_usage": True}})
    writer = CODEC.make_writer(request)
    return b"".join(writer.write(event) for event in events)


def read_events(chunks: list[bytes]) -> list[Event]:
    splitter, reader = SSESplitter(), CODEC.make_reader()
    events = [event for chunk in chunks for frame in splitter.feed(chunk) for event in reader.read(frame)]
    return [*events, *reader.close()]


@settings(max_examples=300, deadline=None)
@given(draw_stream(), st.data())
def test_streams_survive_the_wire_for_any_split(events: list[Event], data: st.DataObject) -> None:
    raw = write_stream(events)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=6)))
    chunks = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    found = read_events(chunks)
    thoughts = [event.index for event in events if isinstance(event, BlockStart) and event.kind == "thinking"]
    assert [event for event in found if isinstance(event, Annotation)] == [
        Annotation(at, wire="openai") for at in thoughts
    ]
    assert [event for event in found if not isinstance(event, Annotation)] == events


def test_a_stream_that_only_refuses_finishes_with_a_refusal() -> None:
    frames = (
        b'data: {"id":"a","choices":[{"index":0,"delta":{"refusal":"No."},"finish_reason":null}]}\n\n',
        b'data: {"id":"a","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
    )
    finishes = [event for event in read_events(list(frames)) if isinstance(event, Finish)]
    assert finishes == [Finish("refusal")]


def test_each_piece_of_a_streamed_call_has_a_function() -> None:
    events = [
        Start("chatcmpl-id", "model"),
        BlockStart(0, "tool", "call_0", "f"),
        Annotation(0, signature="c2ln", wire="gemini"),
        BlockStop(0),
        Finish("tool_calls"),
        StreamEnd(),
    ]
    deltas = [json.loads(frame[6:])["choices"][0]["delta"] for frame in write_stream(events).split(b"\n\n")[:-2]]
    calls = [call for delta in deltas for call in delta.get("tool_calls", ())]
    assert len(calls) == 2
    assert all("function" in call for call in calls)


@settings(max_examples=200, deadline=None)
@given(draw_stream())
def test_a_client_sees_one_start_one_finish_one_end_and_whole_arguments(events: list[Event]) -> None:
    frames = [frame for frame in write_stream(events).split(b"\n\n") if frame]
    assert frames[-1] == b"data: [DONE]"
    chunks = [json.loads(frame[6:]) for frame in frames[:-1]]
    assert len({chunk["id"] for chunk in chunks}) == 1
    deltas = [choice for chunk in chunks for choice in chunk["choices"]]
    assert [delta["delta"].get("role") for delta in deltas].count("assistant") == 1
    assert sum(delta["finish_reason"] is not None for delta in deltas) == 1
    assert (chunks[-1]["choices"], "usage" in chunks[-1]) == ([], True)
    arguments: dict[int, str] = {}
    for delta in deltas:
        for call in delta["delta"].get("tool_calls", ()):
            arguments[call["index"]] = arguments.get(call["index"], "") + call["function"]["arguments"]
    tools = [event.index for event in events if isinstance(event, BlockStart) and event.kind == "tool"]
    given = ["".join(e.text for e in events if isinstance(e, Delta) and e.index == index) for index in tools]
    assert [arguments[number] for number in range(len(tools))] == given


def test_usage_is_written_only_if_requested() -> None:
    writer = CODEC.make_writer(read_request({"messages": [{"role": "user", "content": "x"}]}))
    frames = b"".join(
        writer.write(event) for event in [Start("chatcmpl-i", "m"), UsageUpdate(Usage(input=1)), StreamEnd()]
    )
    assert b"usage" not in frames


def test_signatures_travel_in_streams() -> None:
    events: list[Event] = [
        Start("chatcmpl-i", "m"),
        BlockStart(0, "thinking"),
        Delta(0, "hm"),
        Annotation(0, signature="c2ln", wire="other"),
        BlockStop(0),
        BlockStart(1, "tool", "a", "f"),
        Delta(1, "{}"),
        Annotation(1, signature="dGhvdWdodA==", wire="gemini"),
        BlockStop(1),
        Finish("tool_calls"),
        StreamEnd(),
    ]
    assert read_events([write_stream(events)]) == events


def test_stop_with_a_tool_call_is_read_as_tool_calls() -> None:
    frames = [
        {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f"}}]}}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    ]
    raw = b"".join(b"data: " + json.dumps(frame).encode() + b"\n\n" for frame in frames)
    assert Finish("tool_calls") in read_events([raw])


def test_two_choices_are_kept_apart() -> None:
    frames = [
        {"choices": [{"index": 0, "delta": {"content": "a"}}, {"index": 1, "delta": {"content": "b"}}]},
        {"choices": [{"index": 1, "delta": {}, "finish_reason": "stop"}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]},
    ]
    events = read_events([b"".join(b"data: " + json.dumps(frame).encode() + b"\n\n" for frame in frames)])
    assert [event for event in events if isinstance(event, Delta)] == [Delta(0, "a"), Delta(0, "b", (), 1)]
    assert [event for event in events if isinstance(event, Finish)] == [Finish("stop", "", 1), Finish("length")]


def test_a_break_is_an_error_frame() -> None:
    frame = CODEC.make_writer(make_request()).fail(Truncated("cut short"))
    assert json.loads(read_data(frame) or b"")["error"]["code"] == "upstream_truncated"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "role",
                    "content",
                    "type",
                    "text",
                    "messages",
                    "tools",
                    "tool_calls",
                    "function",
                    "name",
                    "arguments",
                    "id",
                    "image_url",
                    "url",
                    "file",
                    "delta",
                    "choices",
                    "index",
                    "finish_reason",
                    "usage",
                    "message",
                    "tool_call_id",
                    "response_format",
                    "tool_choice",
                    "stop",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=14,
)


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(st.sampled_from(["tools", "tool_choice", "response_format", "stop", "user"]), JSON), JSON)
def test_no_request_crashes_the_reader(fields: dict[str, Any], message: Any) -> None:
    from antiphon.wires import get_wire

    body = json.dumps({"model": "m", "messages": [message], **fields}).encode()
    try:
        envelope = get_wire("chat").peek(body)
        CODEC.write_request(CODEC.read_request(envelope.document, "m", False), make_target())
    except BadRequest as error:
        assert error.status == 400


@settings(max_examples=400, deadline=None)
@given(JSON)
def test_no_answer_crashes_the_readers(answer: Any) -> None:
    data = json.dumps(answer).encode()
    for take in (CODEC.read_reply, lambda data: CODEC.make_reader().read(b"data: " + data + b"\n\n")):
        try:
            take(data)
        except CallError as error:
            assert isinstance(error, BadAnswer)
