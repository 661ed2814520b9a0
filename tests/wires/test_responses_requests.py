"""Requests of the Responses wire: reading a caller's, and writing a target's."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.errors import BadRequest
from antiphon.types import Origin, Target
from antiphon.wires.responses import ResponsesCodec
from antiphon.wires.responses.encrypted_content import CallSignature, write_call_signature, write_thinking
from antiphon.wires.responses.types import Fields
from antiphon.wires.translation.neutral import (
    Audio,
    Choice,
    File,
    Finish,
    Format,
    Image,
    Message,
    Part,
    Reasoning,
    Refusal,
    Reply,
    Request,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)

CODEC = ResponsesCodec()
TARGET = Target("p/up", "p", "up", "kind", "responses", Origin("http", "h", 80), {})
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def read(**document: Any) -> Request:
    return CODEC.read_request({"model": "m", "input": "Hi", **document}, "m", bool(document.get("stream")))


def write(*messages: Message, **fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    written = CODEC.write_request(
        Request(model="m", messages=messages or (make_user_message(Text("Hi")),), **fields), TARGET
    )
    return json.loads(written.body), written.dropped


def make_user_message(*parts: Part) -> Message:
    return Message("user", parts)


def test_a_string_is_a_users_message_and_nothing_else_is_set() -> None:
    request = read()
    assert request.messages == (make_user_message(Text("Hi")),)
    assert request == Request(model="m", messages=(make_user_message(Text("Hi")),))


def test_every_scalar_field() -> None:
    request = read(
        instructions="Be brief.",
        max_output_tokens=100,
        temperature=0,
        top_p=0.5,
        top_logprobs=3,
        parallel_tool_calls=False,
        include=["message.output_text.logprobs", "reasoning.encrypted_content", "file_search_call.results"],
        metadata={"a": "b"},
        user="u",
        safety_identifier="s",
        prompt_cache_key="k",
        service_tier="flex",
        truncation="auto",
        store=False,
        reasoning={"effort": "low", "summary": "auto", "context": "all_turns"},
        text={"verbosity": "low", "format": {"type": "json_object"}},
        stream=True,
        some_day={"new": 1},
    )
    assert request.system == (Text("Be brief."),)
    assert (request.max_tokens, request.temperature, request.top_p, request.top_logprobs) == (100, 0, 0.5, 3)
    assert (request.parallel_tool_calls, request.logprobs, request.stream) == (False, True, True)
    assert (request.metadata, request.user, request.service_tier) == ({"a": "b"}, "u", "flex")
    assert request.reasoning == Reasoning("low", summary="auto")
    assert request.format == Format("json")
    assert request.extras == {
        "some_day": {"new": 1},
        "safety_identifier": "s",
        "prompt_cache_key": "k",
        "include": ["file_search_call.results"],
        "truncation": "auto",
        "verbosity": "low",
        "reasoning.context": "all_turns",
    }


def test_json_schema() -> None:
    form = {"type": "json_schema", "name": "City", "schema": SCHEMA, "strict": True, "description": "A city."}
    assert read(text={"format": form}).format == Format("schema", SCHEMA, "City", True, "A city.")
    assert read(text={"format": {"type": "text"}}).format is None


def test_contents() -> None:
    items = [
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "Look", "prompt_cache_breakpoint": {"mode": "explicit"}},
                {"type": "input_image", "image_url": "https://h/x.png", "detail": "low"},
                {"type": "input_image", "image_url": "data:image/png;base64,aGk="},
                {"type": "input_image", "file_id": "file_1"},
                {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,aGk="},
                {"type": "input_file", "filename": "a.CSV", "file_data": "aGk="},
                {"type": "input_file", "file_url": "https://h/x.pdf"},
                {"type": "input_file", "file_id": "file_2"},
                {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "mp3"}},
            ],
        }
    ]
    assert read(input=items).messages == (
        make_user_message(
            Text("Look", {"type": "ephemeral"}),
            Image(url="https://h/x.png", detail="low"),
            Image(data="aGk=", media_type="image/png"),
            Image(file_id="file_1"),
            File(data="aGk=", media_type="application/pdf", name="a.pdf"),
            File(data="aGk=", media_type="text/csv", name="a.CSV"),
            File(url="https://h/x.pdf"),
            File(file_id="file_2"),
            Audio("aGk=", "audio/mpeg"),
        ),
    )


def test_flat_items_become_turns() -> None:
    items = [
        {"role": "developer", "content": "Rules."},
        {"role": "user", "content": "Hi"},
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "A"}, {"type": "summary_text", "text": "B"}],
            "encrypted_content": "gAAAA",
        },
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Well"}]},
        {"type": "function_call", "call_id": "c1", "name": "look", "arguments": '{"ü": "\\u0000"}'},
        {"type": "function_call", "call_id": "c2", "name": "now", "arguments": ""},
        {"type": "function_call_output", "call_id": "c1", "output": "one"},
        {
            "type": "function_call_output",
            "call_id": "c2",
            "output": [{"type": "input_image", "image_url": "https://h/x.png"}],
        },
        {"role": "system", "content": "New rules."},
        {"role": "user", "content": "And?"},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
    ]
    request = read(input=items, instructions="First.")
    assert request.system == (Text("First."), Text("Rules."))
    assert request.messages == (
        make_user_message(Text("Hi")),
        Message(
            "assistant",
            (
                Thinking("A\n\nB", "gAAAA", id="rs_1", wire="responses"),
                Text("Well"),
                ToolCall("c1", "look", '{"ü": "\\u0000"}'),
                ToolCall("c2", "now", "{}"),
            ),
        ),
        make_user_message(
            ToolResult("c1", (Text("one"),), "look"),
            ToolResult("c2", (Image(url="https://h/x.png"),), "now"),
        ),
        Message("system", (Text("New rules."),)),
        make_user_message(Text("And?")),
        Message("assistant", (Refusal("No."),)),
    )


@pytest.mark.parametrize(
    ("choice", "expected", "left"),
    [
        ("auto", ToolChoice("auto"), 2),
        ("none", ToolChoice("none"), 2),
        ("required", ToolChoice("required"), 2),
        ({"type": "function", "name": "b"}, ToolChoice("tool", ("b",)), 2),
        ({"type": "custom", "name": "b"}, ToolChoice("tool", ("b",)), 2),
        (
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "b"}]},
            ToolChoice("required", ("b",)),
            2,
        ),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "b"}]},
            ToolChoice("auto"),
            1,
        ),
    ],
)
def test_tool_choice(choice: Any, expected: ToolChoice, left: int) -> None:
    tools = [{"type": "function", "name": "a", "parameters": SCHEMA}, {"type": "custom", "name": "b"}]
    request = read(tools=tools, tool_choice=choice)
    assert request.tool_choice == expected
    assert len(request.tools) == left
    assert request.echo["tools"] == tools


def test_builtin_tools_stay_unchanged() -> None:
    search = {"type": "web_search", "filters": {"allowed_domains": ["x"]}}
    mcp = {"type": "mcp", "server_label": "docs", "server_url": "https://h"}
    request = read(tools=[search, mcp], tool_choice={"type": "mcp", "server_label": "docs"})
    assert request.tools == (
        Tool("web_search", builtin=search, wire="responses"),
        Tool("docs", builtin=mcp, wire="responses"),
    )
    body = json.loads(CODEC.write_request(request, TARGET).body)
    assert body["tools"] == [search, mcp]
    assert body["tool_choice"] == {"type": "mcp", "server_label": "docs"}
    with pytest.raises(BadRequest, match="anthropic wire only") as caught:
        write(tools=(Tool("bash", builtin={"type": "bash"}, wire="anthropic"),))
    assert caught.value.param == "tools"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": [{"role": "robot", "content": "x"}]}, "input[0].role"),
        ({"input": [{"role": "user"}]}, "input[0].content"),
        ({"input": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]}, "input[0].content[0].type"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input[0].content[0]"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "data:x"}]}]},
            "input[0].content[0].image_url",
        ),
        (
            {
                "input": [
                    {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "", "format": "x"}}]}
                ]
            },
            "input[0].content[0].input_audio.format",
        ),
        ({"input": ["x"]}, "input[0]"),
        ({"input": [{"type": "function_call", "name": "x", "arguments": "{}"}]}, "input[0].call_id"),
        ({"input": [{"type": "computer_call", "id": "x"}]}, "input[0]"),
        ({"input": [{"id": "msg_1"}]}, "input[0]"),
        ({"input": [{"type": "reasoning", "encrypted_content": "antiphon.1.%%"}]}, "input[0].encrypted_content"),
        ({"input": [{"type": "reasoning", "encrypted_content": "antiphon.1.ü"}]}, "input[0].encrypted_content"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tools": [{}]}, "tools[0].type"),
        ({"tool_choice": {"type": "allowed_tools", "mode": "never", "tools": []}}, "tool_choice"),
        ({"text": {"format": {"type": "xml"}}}, "text.format"),
        ({"text": {"format": {"type": "json_schema", "name": "x"}}}, "text.format"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": {"id": "conv_1"}}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
    ],
)
def test_an_unreadable_request_names_the_field(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read(**fields)
    assert caught.value.param == param


def test_a_full_request_for_a_target() -> None:
    body, dropped = write(
        make_user_message(
            Text("Look"), Image(data="aGk=", media_type="image/png", detail="low"), Image(url="https://h/x.png")
        ),
        Message(
            "assistant",
            (
                Thinking("A", "gAAAA", id="rs_1", wire="responses"),
                Text("Well"),
                ToolCall("c1", "look", '{"a":1}'),
                ToolCall("c2", "now"),
            ),
        ),
        make_user_message(
            ToolResult("c1", (Text("one"),), "look"),
            ToolResult("c2", (Text("boom"), Image(url="https://h/y.png")), error=True),
            Text("Go on"),
        ),
        Message("system", (Text("Mind."),)),
        system=(Text("Be"), Text("brief")),
        tools=(Tool("look", "Look.", SCHEMA, True), Tool("now")),
        tool_choice=ToolChoice("tool", ("look",)),
        parallel_tool_calls=False,
        format=Format("schema", SCHEMA, "City", True),
        max_tokens=100,
        temperature=0,
        top_p=0.5,
        logprobs=True,
        top_logprobs=2,
        reasoning=Reasoning("low", summary="auto"),
        user="u",
        metadata={"a": "b"},
        service_tier="flex",
        stream=True,
        extras={"verbosity": "low", "prompt_cache_key": "k"},
    )
    assert dropped == ()
    assert body == {
        "model": "up",
        "input": [
            {
                "type": "message",
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "Look"},
                    {"type": "input_image", "image_url": "data:image/png;base64,aGk=", "detail": "low"},
                    {"type": "input_image", "image_url": "https://h/x.png"},
                ],
            },
            {
                "type": "reasoning",
                "id": "rs_1",
                "summary": [{"type": "summary_text", "text": "A"}],
                "encrypted_content": "gAAAA",
            },
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "Well", "annotations": []}],
            },
            {"type": "function_call", "call_id": "c1", "name": "look", "arguments": '{"a":1}'},
            {"type": "function_call", "call_id": "c2", "name": "now", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "one"},
            {
                "type": "function_call_output",
                "call_id": "c2",
                "output": [
                    {"type": "input_text", "text": "Error: boom"},
                    {"type": "input_image", "image_url": "https://h/y.png"},
                ],
            },
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Go on"}]},
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Mind."}]},
        ],
        "instructions": "Be\n\nbrief",
        "tools": [
            {"type": "function", "name": "look", "description": "Look.", "parameters": SCHEMA, "strict": True},
            {
                "type": "function",
                "name": "now",
                "description": None,
                "parameters": {"type": "object", "properties": {}},
                "strict": False,
            },
        ],
        "tool_choice": {"type": "function", "name": "look"},
        "parallel_tool_calls": False,
        "text": {
            "format": {"type": "json_schema", "name": "City", "schema": SCHEMA, "strict": True},
            "verbosity": "low",
        },
        "max_output_tokens": 100,
        "temperature": 0,
        "top_p": 0.5,
        "include": ["message.output_text.logprobs", "reasoning.encrypted_content"],
        "top_logprobs": 2,
        "reasoning": {"effort": "low", "summary": "auto"},
        "prompt_cache_key": "k",
        "metadata": {"a": "b"},
        "user": "u",
        "service_tier": "flex",
        "stream": True,
        "store": False,
    }


def test_unsupported_sampling_parameters_are_dropped_and_reported() -> None:
    mark = {"type": "ephemeral"}
    body, dropped = write(
        Message("user", (Text("Hi", mark),), "Ann"),
        stop=("END",),
        seed=0,
        top_k=5,
        presence_penalty=0.5,
        frequency_penalty=0.5,
        extras={"thread": {"create": {}}, "truncation": "auto", "context_management": {"edits": []}},
    )
    assert sorted(dropped) == [
        "cache_control",
        "context_management",
        "frequency_penalty",
        "name",
        "presence_penalty",
        "seed",
        "stop",
        "thread",
        "top_k",
    ]
    content = [{"type": "input_text", "text": "Hi"}]
    message = {"type": "message", "role": "user", "content": content}
    assert body == {"model": "up", "input": [message], "truncation": "auto", "store": False}


@pytest.mark.parametrize(
    ("messages", "fields", "param"),
    [
        ((), {"n": 2}, "n"),
        ((make_user_message(Audio("aGk=", "audio/flac")),), {}, "messages[0].content[0]"),
        ((make_user_message(Audio(url="https://h/x.wav")),), {}, "messages[0].content[0]"),
        ((make_user_message(Text("x")),), {"modalities": ("text", "audio")}, "modalities"),
        ((make_user_message(ToolCall("c", "x")),), {}, "messages[0].content[0]"),
    ],
)
def test_an_omission_that_would_change_the_meaning_is_rejected(messages: Any, fields: Any, param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        write(*messages, **fields)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("reasoning", "expected", "dropped"),
    [
        (Reasoning(budget=1024), {"effort": "low"}, ()),
        (Reasoning(budget=4096), {"effort": "medium"}, ()),
        (Reasoning(budget=32000), {"effort": "high"}, ()),
        (Reasoning("xhigh"), {"effort": "xhigh"}, ()),
        (Reasoning(adaptive=True), None, ("reasoning",)),
        (Reasoning(budget=0), None, ("reasoning",)),
    ],
)
def test_effort(reasoning: Reasoning, expected: Any, dropped: tuple[str, ...]) -> None:
    body, left_out = write(reasoning=reasoning)
    assert body.get("reasoning") == expected
    assert left_out == dropped
    assert ("include" in body) == (reasoning.budget != 0)


def test_foreign_and_unsigned_thinking_is_left_out() -> None:
    answer = Message(
        "assistant", (Thinking("A", "sig", wire="anthropic"), Thinking("B", id="rs_1", wire="responses"), Text("C"))
    )
    body, dropped = write(make_user_message(Text("Hi")), answer)
    content = [{"type": "output_text", "text": "C", "annotations": []}]
    assert body["input"][1:] == [{"type": "message", "role": "assistant", "content": content}]
    assert dropped == ()
    assert "include" not in body


def test_files_for_a_target() -> None:
    body, _ = write(
        make_user_message(
            File(data="aGk=", media_type="application/pdf"),
            File(data="aGk=", media_type="text/csv", name="t.csv"),
            File(url="https://h/x.pdf", name="x"),
            File(file_id="file_1"),
            File(text="words", name="notes"),
            Audio("aGk=", "audio/x-wav"),
        )
    )
    assert body["input"][0]["content"] == [
        {"type": "input_file", "file_data": "data:application/pdf;base64,aGk=", "filename": "document.pdf"},
        {"type": "input_file", "file_data": "data:text/csv;base64,aGk=", "filename": "t.csv"},
        {"type": "input_file", "file_url": "https://h/x.pdf"},
        {"type": "input_file", "file_id": "file_1"},
        {"type": "input_text", "text": "notes:\nwords"},
        {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}},
    ]


@pytest.mark.parametrize(
    "thinking",
    [
        Thinking("Äh\n", "c2ln", wire="anthropic"),
        Thinking(redacted="ZW5j", wire="anthropic"),
        Thinking("x", "y", "z", "id", "bedrock"),
    ],
)
def test_encrypted_content_is_read_back(thinking: Thinking) -> None:
    content = write_thinking(thinking)
    assert content.isascii()
    items = [{"role": "user", "content": "x"}, {"type": "reasoning", "id": "rs_1", "encrypted_content": content}]
    assert read(input=items).messages[1].parts == (thinking,)


def test_the_signature_of_a_call_returns_with_the_call() -> None:
    call = {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"}
    mark = {"type": "reasoning", "summary": [], "encrypted_content": write_call_signature(CallSignature("c1", "sig"))}
    for items in ([call, mark], [mark, call]):
        assert read(input=items).messages == (Message("assistant", (ToolCall("c1", "look", "{}", "sig"),)),)


TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
WORDS = st.text("abc_", min_size=1, max_size=5)
ANSWERS = st.one_of(
    st.builds(Text, TEXTS),
    st.builds(ToolCall, WORDS, WORDS, st.just('{"a":"ü"}')),
    st.builds(Thinking, TEXTS, WORDS, id=WORDS, wire=st.just("responses")),
    st.builds(Refusal, TEXTS),
)
ASKED = st.one_of(
    st.builds(Text, TEXTS),
    st.builds(Image, data=st.just("aGk="), media_type=st.just("image/png")),
    st.builds(File, data=st.just("aGk="), media_type=st.just("application/pdf"), name=WORDS.map("{}.pdf".format)),
)
TURNS = st.lists(
    st.tuples(st.lists(ASKED, min_size=1, max_size=3), st.lists(ANSWERS, min_size=1, max_size=4)), max_size=4
)


@given(TURNS)
def test_a_written_request_is_read_back(turns: Any) -> None:
    messages: list[Message] = []
    for asked, answered in turns:
        messages += [make_user_message(*asked), Message("assistant", tuple(answered))]
    messages.append(make_user_message(Text("end")))
    request = Request(model="m", messages=tuple(messages))
    body = json.loads(CODEC.write_request(request, TARGET).body)
    again = CODEC.read_request(body, "m", False)
    assert again.messages == request.messages


KEYS = st.sampled_from(
    [
        *Fields.__struct_fields__,
        *ToolCall.__struct_fields__,
        "type",
        "role",
        "content",
        "call_id",
        "output",
        "summary",
        "format",
        "encrypted_content",
        "image_url",
        "file_data",
        "mode",
        "schema",
        "effort",
        "verbosity",
        "refusal",
    ]
)
TYPES = st.sampled_from(
    [
        "message",
        "reasoning",
        "function_call",
        "function_call_output",
        "custom_tool_call",
        "custom_tool_call_output",
        "input_text",
        "input_image",
        "input_file",
        "input_audio",
        "output_text",
        "function",
        "custom",
        "item_reference",
    ]
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.just(2**70), TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
THINGS = st.builds(lambda kind, rest: {**rest, "type": kind}, TYPES, st.dictionaries(KEYS, JSON, max_size=5))


REPLY = Reply(id="x", model="m", choices=(Choice((Text("Hi"),), Finish("stop")),))


@settings(max_examples=300)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "input": st.lists(THINGS | JSON, max_size=3) | JSON,
            "tools": st.lists(THINGS | JSON, max_size=2) | JSON,
            "tool_choice": JSON | THINGS,
            "text": JSON,
            "reasoning": JSON,
            "include": JSON,
            "metadata": JSON,
            "stream_options": JSON,
        },
    )
)
def test_any_document_is_read_or_rejected(document: dict[str, Any]) -> None:
    try:
        request = CODEC.read_request({"model": "m", **document}, "m", False)
        CODEC.write_request(request, TARGET)
        assert json.loads(CODEC.write_reply(REPLY, request))["object"] == "response"
    except BadRequest as error:
        assert error.message
