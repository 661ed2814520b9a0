"""Reading requests of this wire into the neutral form."""

from typing import Any

import pytest

from antiphon.errors import BadRequest, NotFound
from antiphon.wires.translation.foreign_signatures import ForeignSignature, pack_signature
from antiphon.wires.translation.neutral import (
    File,
    Format,
    Image,
    Message,
    Reasoning,
    Request,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)

CACHE = {"type": "ephemeral", "ttl": "1h"}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


@pytest.fixture
def read(codec: Any) -> Any:
    def make(content: Any = "Hello", **members: Any) -> Request:
        document = {"model": "smart", "max_tokens": 64, "messages": [{"role": "user", "content": content}], **members}
        return codec.read_request(document, "smart", bool(document.get("stream")))

    return make


@pytest.fixture
def parts(read: Any) -> Any:
    def make(*blocks: dict[str, Any]) -> tuple[Any, ...]:
        return read(list(blocks)).messages[0].parts

    return make


def test_the_golden_request(codec: Any) -> None:
    """One request with every field that has a counterpart."""
    document = {
        "model": "smart",
        "max_tokens": 4096,
        "system": [{"type": "text", "text": "Be brief.", "cache_control": CACHE}],
        "messages": [
            {"role": "user", "content": "Weather in Zürich?"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "A tool knows.", "signature": "EqQB"},
                    {"type": "redacted_thinking", "data": "EmwK"},
                    {"type": "text", "text": "Let me see."},
                    {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Zürich", "days": 1}},
                    {"type": "tool_use", "id": "toolu_2", "name": "now", "input": {}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "toolu_1", "content": "Rain", "cache_control": CACHE},
                    {"type": "tool_result", "tool_use_id": "toolu_2", "is_error": True},
                    {"type": "text", "text": "And now?"},
                ],
            },
            {"role": "system", "content": "The user is in a hurry."},
        ],
        "tools": [
            {"name": "weather", "description": "Looks out.", "input_schema": SCHEMA, "strict": True},
            {"type": "custom", "name": "now", "input_schema": {"type": "object"}, "cache_control": CACHE},
        ],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        "thinking": {"type": "enabled", "budget_tokens": 2000},
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
        "stop_sequences": ["END"],
        "temperature": 0,
        "top_p": 0.9,
        "top_k": 40,
        "metadata": {"user_id": "u-1"},
        "service_tier": "standard_only",
        "stream": True,
    }
    assert codec.read_request(document, "smart", True) == Request(
        model="smart",
        system=(Text("Be brief.", CACHE),),
        messages=(
            Message("user", (Text("Weather in Zürich?"),)),
            Message(
                "assistant",
                (
                    Thinking("A tool knows.", "EqQB", wire="anthropic"),
                    Thinking(redacted="EmwK", wire="anthropic"),
                    Text("Let me see."),
                    ToolCall("toolu_1", "weather", '{"city":"Zürich","days":1}'),
                    ToolCall("toolu_2", "now", "{}"),
                ),
            ),
            Message(
                "user",
                (
                    ToolResult("toolu_1", (Text("Rain"),), cache=CACHE),
                    ToolResult("toolu_2", error=True),
                    Text("And now?"),
                ),
            ),
            Message("system", (Text("The user is in a hurry."),)),
        ),
        tools=(
            Tool("weather", "Looks out.", SCHEMA, strict=True),
            Tool("now", schema={"type": "object"}, cache=CACHE),
        ),
        tool_choice=ToolChoice("auto"),
        parallel_tool_calls=False,
        format=Format("schema", SCHEMA, strict=True),
        max_tokens=4096,
        temperature=0,
        top_p=0.9,
        top_k=40,
        stop=("END",),
        reasoning=Reasoning(budget=2000),
        user="u-1",
        service_tier="default",
        stream=True,
    )


@pytest.mark.parametrize(
    ("block", "part"),
    [
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}},
            Image(data="iVBO", media_type="image/png"),
        ),
        ({"type": "image", "source": {"type": "url", "url": "https://x/a.png"}}, Image(url="https://x/a.png")),
        (
            {"type": "image", "source": {"type": "file", "file_id": "file_1"}, "cache_control": CACHE},
            Image(file_id="file_1", cache=CACHE),
        ),
        (
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}},
            File(data="JVBE", media_type="application/pdf"),
        ),
        (
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "Grass."},
                "title": "T",
            },
            File(text="Grass.", media_type="text/plain", name="T"),
        ),
        ({"type": "document", "source": {"type": "url", "url": "https://x/a.pdf"}}, File(url="https://x/a.pdf")),
        (
            {"type": "document", "source": {"type": "file", "file_id": "file_2"}, "citations": {"enabled": True}},
            File(file_id="file_2", cite=True),
        ),
        (
            {"type": "document", "source": {"type": "content", "content": "Whole."}},
            File(text="Whole.", media_type="text/plain"),
        ),
        ({"type": "text", "text": "Cached", "cache_control": CACHE}, Text("Cached", CACHE)),
    ],
)
def test_every_block_becomes_its_part(parts: Any, block: dict[str, Any], part: Any) -> None:
    assert parts(block) == (part,)


def test_a_document_of_blocks_keeps_text_and_images(parts: Any) -> None:
    content = [
        {"type": "text", "text": "One."},
        {"type": "image", "source": {"type": "url", "url": "https://x/1.png"}},
        {"type": "text", "text": "Two."},
    ]
    source = {"type": "content", "content": content}
    assert parts({"type": "document", "source": source, "context": "A report.", "citations": {"enabled": True}}) == (
        Text("A report."),
        File(text="One.\n\nTwo.", media_type="text/plain", cite=True),
        Image(url="https://x/1.png"),
    )


def test_a_search_result_begins_with_its_source(parts: Any) -> None:
    block = {
        "type": "search_result",
        "source": "https://x/doc",
        "title": "Doc",
        "content": [{"type": "text", "text": "A."}, {"type": "text", "text": "B."}],
        "citations": {"enabled": True},
    }
    text = "Source: https://x/doc\n\nA.\n\nB."
    assert parts(block) == (File(text=text, media_type="text/plain", name="Doc", cite=True),)


def test_a_tool_result_of_blocks(parts: Any) -> None:
    content = [
        {"type": "text", "text": "Seen:"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/webp", "data": "UklG"}},
        {"type": "document", "source": {"type": "text", "data": "Log."}},
    ]
    (result,) = parts({"type": "tool_result", "tool_use_id": "toolu_1", "content": content, "is_error": False})
    assert result == ToolResult(
        "toolu_1",
        (Text("Seen:"), Image(data="UklG", media_type="image/webp"), File(text="Log.", media_type="text/plain")),
    )


def test_citations_of_earlier_answers_are_kept(read: Any) -> None:
    citation = {"type": "char_location", "cited_text": "G", "document_index": 0, "start_char_index": 0}
    messages = [{"role": "assistant", "content": [{"type": "text", "text": "Green.", "citations": [citation]}]}]
    assert read(messages=messages).messages[0].parts == (Text("Green.", citations=(citation,)),)


def test_foreign_thinking_and_call_signatures_come_back(read: Any) -> None:
    content = [
        {
            "type": "thinking",
            "thinking": "Hm.",
            "signature": pack_signature(ForeignSignature("responses", "", "enc", "rs_1")),
        },
        {"type": "tool_use", "id": "t1", "name": "now", "input": {}},
        {
            "type": "thinking",
            "thinking": "",
            "signature": pack_signature(ForeignSignature("gemini", "thought", call="t1")),
        },
        {"type": "thinking", "thinking": "Plain.", "signature": pack_signature(ForeignSignature())},
    ]
    assert read(messages=[{"role": "assistant", "content": content}]).messages[0].parts == (
        Thinking("Hm.", redacted="enc", id="rs_1", wire="responses"),
        ToolCall("t1", "now", "{}", "thought"),
        Thinking("Plain."),
    )


def test_a_malformed_carried_signature_is_an_ordinary_one(read: Any) -> None:
    for broken in ("antiphon_", "antiphon_%%%", "antiphon_é", "antiphon_AAAA"):
        content = [{"type": "thinking", "thinking": "Hm.", "signature": broken}]
        message = read(messages=[{"role": "assistant", "content": content}]).messages[0]
        assert message.parts == (Thinking("Hm.", broken, wire="anthropic"),)


@pytest.mark.parametrize(
    ("members", "reasoning"),
    [
        ({}, None),
        ({"thinking": {"type": "disabled"}}, Reasoning(effort="none")),
        ({"thinking": {"type": "between_tools"}}, Reasoning(effort="minimal")),
        ({"thinking": {"type": "adaptive"}}, Reasoning(adaptive=True)),
        (
            {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "xhigh"}},
            Reasoning(effort="xhigh", adaptive=True, summary="auto"),
        ),
        ({"output_config": {"effort": "max"}}, Reasoning(effort="xhigh")),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024, "display": "omitted"}}, Reasoning(budget=1024)),
    ],
)
def test_thinking_in_every_form(read: Any, members: dict[str, Any], reasoning: Any) -> None:
    assert read(**members).reasoning == reasoning


@pytest.mark.parametrize(
    ("choice", "expected", "parallel"),
    [
        ({"type": "auto"}, ToolChoice("auto"), None),
        ({"type": "any"}, ToolChoice("required"), None),
        ({"type": "none"}, ToolChoice("none"), None),
        ({"type": "tool", "name": "now"}, ToolChoice("tool", ("now",)), None),
        ({"type": "any", "disable_parallel_tool_use": True}, ToolChoice("required"), False),
        ({"type": "auto", "disable_parallel_tool_use": False}, ToolChoice("auto"), True),
    ],
)
def test_every_tool_choice(read: Any, choice: dict[str, Any], expected: Any, parallel: bool | None) -> None:
    request = read(tool_choice=choice)
    assert (request.tool_choice, request.parallel_tool_calls) == (expected, parallel)


def test_built_in_tools_and_servers_name_their_wire(read: Any) -> None:
    search = {"type": "web_search_20260318", "name": "web_search", "max_uses": 3}
    server = {"type": "url", "url": "https://x/mcp", "name": "docs"}
    assert read(tools=[search], mcp_servers=[server]).tools == (
        Tool("web_search", builtin=search, wire="anthropic"),
        Tool("docs", builtin=server, wire="anthropic"),
    )


def test_members_that_only_this_wire_has_travel_in_extras(read: Any) -> None:
    tool = {"name": "now", "input_schema": {"type": "object"}, "input_examples": [{}], "defer_loading": False}
    request = read(container="c-1", speed="fast", diagnostics=None, inference_geo="us", tools=[tool])
    assert request.extras == {
        "container": "c-1",
        "speed": "fast",
        "inference_geo": "us",
        "tools.input_examples": [{}],
    }


def test_a_thread_is_refused_as_the_api_refuses_it(read: Any) -> None:
    with pytest.raises(BadRequest) as created:
        read(thread={"type": "create"})
    assert (created.value.status, created.value.code) == (400, "thread_unsupported_request")
    with pytest.raises(NotFound) as continued:
        read(thread={"type": "continue", "previous_message_id": "msg_1"})
    assert (continued.value.status, continued.value.code) == (404, "thread_not_found")
    assert "msg_1" in continued.value.message


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([{"role": "user", "content": [{"type": "server_tool_use", "id": "s"}]}], "messages[0].content[0]"),
        ([{"role": "user", "content": [{"type": "compaction", "content": "c"}]}], "messages[0].content[0]"),
        (
            [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "x"}]}]}],
            "messages[0].content[0].content[0]",
        ),
        ([{"role": "robot", "content": ""}], "messages[0].role"),
        ([{"role": "user", "content": 5}], "messages[0].content"),
        ([{"role": "user", "content": "x"}, {"content": "x"}], "messages[1].role"),
        ([{"role": "user", "content": [{"type": "text"}]}], "messages[0].content[0].text"),
        ([{"role": "user", "content": [{"text": "x"}]}], "messages[0].content[0].type"),
        (
            [{"role": "user", "content": [{"type": "image", "source": {"type": "tape"}}]}],
            "messages[0].content[0].source.type",
        ),
        (
            [{"role": "user", "content": [{"type": "tool_use", "id": "t", "name": "n", "input": []}]}],
            "messages[0].content[0].input",
        ),
        (
            [{"role": "user", "content": [{"type": "tool_use", "id": "t", "name": "n", "input": {}}]}],
            "messages[0].content[0]",
        ),
        ([{"role": "assistant", "content": [{"type": "tool_result", "tool_use_id": "t"}]}], "messages[0].content[0]"),
        (
            [
                {
                    "role": "system",
                    "content": [{"type": "text", "text": "x"}, {"type": "redacted_thinking", "data": "x"}],
                }
            ],
            "messages[0].content[1]",
        ),
    ],
)
def test_wrong_messages_are_named(read: Any, messages: Any, param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read(messages=messages)
    assert caught.value.param == param
    assert param in caught.value.message


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name"),
        ({"tool_choice": {"type": "some"}}, "tool_choice.type"),
        ({"tools": [{"name": "n"}]}, "tools[0].input_schema"),
        ({"tools": [{"input_schema": {}}]}, "tools[0].name"),
        ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
        ({"thinking": {"type": "deep"}}, "thinking.type"),
        ({"output_config": {"format": {"type": "xml"}}}, "output_config.format.type"),
        ({"compaction": {"type": "enabled"}}, "compaction"),
        ({"system": [{"type": "image"}]}, "system[0].type"),
    ],
)
def test_wrong_members_are_named(read: Any, members: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read(**members)
    assert caught.value.param == param
