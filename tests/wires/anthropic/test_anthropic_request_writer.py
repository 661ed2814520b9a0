"""Writing neutral requests for targets of this wire: counterparts, rules and refusals."""

import base64
from typing import Any

import msgspec
import pytest

from antiphon.errors import BadRequest
from antiphon.wires.translation.neutral import (
    Audio,
    File,
    Format,
    Image,
    Message,
    Reasoning,
    Refusal,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)

OLD, BUDGET, MIDDLE, NEW = "claude-3-5-haiku-20241022", "claude-sonnet-4-5", "claude-opus-4-6", "claude-opus-5-5"
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER = Tool("weather", "Looks out.", SCHEMA)


def test_the_simplest_request(ask: Any, write: Any) -> None:
    assert write(ask()) == (
        {"model": NEW, "max_tokens": 128_000, "messages": [{"role": "user", "content": "Hello"}]},
        (),
    )


def test_the_golden_conversation(ask: Any, write: Any) -> None:
    cache = {"type": "ephemeral"}
    request = ask(
        system=(Text("Be brief."), Text("Be kind.", cache)),
        messages=(
            Message("user", (Text("Weather?"), Image(url="https://x/a.png"))),
            Message(
                "assistant",
                (
                    Thinking("Hm.", "EqQB", wire="anthropic"),
                    Thinking("Foreign.", "sig", wire="gemini"),
                    Thinking(redacted="EmwK", wire="anthropic"),
                    ToolCall("call_1", "weather", '{ "city": "Zürich", "n": 1.0 }'),
                    ToolCall("call_2", "weather", ""),
                ),
            ),
            Message("user", (ToolResult("call_1", (Text("Rain"),)),)),
            Message(
                "user", (ToolResult("call_2", (Text("No."), Image(data="iVBO", media_type="image/png")), error=True),)
            ),
            Message("user", (Text("Go on."),)),
        ),
        tools=(WEATHER,),
        tool_choice=ToolChoice("auto"),
        max_tokens=100,
        stop=("END",),
        user="u-1",
        service_tier="default",
        stream=True,
    )
    body, dropped = write(request, BUDGET)
    assert dropped == ()
    assert body == {
        "model": BUDGET,
        "max_tokens": 100,
        "system": [
            {"type": "text", "text": "Be brief."},
            {"type": "text", "text": "Be kind.", "cache_control": cache},
        ],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Weather?"},
                    {"type": "image", "source": {"type": "url", "url": "https://x/a.png"}},
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "Hm.", "signature": "EqQB"},
                    {"type": "redacted_thinking", "data": "EmwK"},
                    {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Zürich", "n": 1.0}},
                    {"type": "tool_use", "id": "call_2", "name": "weather", "input": {}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "call_1", "content": "Rain"},
                    {
                        "type": "tool_result",
                        "tool_use_id": "call_2",
                        "content": [
                            {"type": "text", "text": "No."},
                            {
                                "type": "image",
                                "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"},
                            },
                        ],
                        "is_error": True,
                    },
                    {"type": "text", "text": "Go on."},
                ],
            },
        ],
        "tools": [{"name": "weather", "description": "Looks out.", "input_schema": SCHEMA}],
        "tool_choice": {"type": "auto"},
        "stop_sequences": ["END"],
        "metadata": {"user_id": "u-1"},
        "service_tier": "standard_only",
        "stream": True,
    }


def test_a_host_with_the_model_in_its_path(ask: Any, codec: Any, target: Any) -> None:
    host = msgspec.structs.replace(target(), quirks=frozenset(("model_in_path",)))
    body = msgspec.json.decode(codec.write_request(ask(), host).body)
    assert (body["anthropic_version"], "model" in body) == ("vertex-2023-10-16", False)


def get_content(write: Any, ask: Any, *parts: Any) -> Any:
    return write(ask(*parts))[0]["messages"][0]["content"]


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (
            Image(url="data:image/jpeg;charset=x;base64,/9j/"),
            {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "/9j/"}},
        ),
        (Image(file_id="file_1"), {"type": "image", "source": {"type": "file", "file_id": "file_1"}}),
        (
            File(data="JVBE", media_type="application/pdf", name="a.pdf", cite=True),
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"},
                "title": "a.pdf",
                "citations": {"enabled": True},
            },
        ),
        (
            File(data="data:application/pdf;base64,JVBE"),
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}},
        ),
        (
            File(data=base64.b64encode("Grün".encode()).decode(), media_type="text/markdown"),
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Grün"}},
        ),
        (
            File(text="Grass.", cache={"type": "ephemeral"}),
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "Grass."},
                "cache_control": {"type": "ephemeral"},
            },
        ),
        (File(url="https://x/a.pdf"), {"type": "document", "source": {"type": "url", "url": "https://x/a.pdf"}}),
        (File(file_id="file_2"), {"type": "document", "source": {"type": "file", "file_id": "file_2"}}),
    ],
)
def test_every_part_becomes_its_block(ask: Any, write: Any, part: Any, block: dict[str, Any]) -> None:
    assert get_content(write, ask, part) == [block]


@pytest.mark.parametrize(
    "part",
    [
        Image(data="Qk0=", media_type="image/bmp"),
        Image(url="data:image/svg+xml;base64,PHN2"),
        File(data="UEsD", media_type="application/zip"),
        File(data="/w==", media_type="text/plain"),
        File(data="%", media_type="text/plain"),
        File(),
        Audio("UklG", "audio/wav"),
        ToolResult("t", (Image(data="Qk0=", media_type="image/bmp"),)),
    ],
)
def test_parts_that_cannot_be_carried_are_refused_with_their_path(ask: Any, write: Any, part: Any) -> None:
    with pytest.raises(BadRequest) as caught:
        write(ask(Text("See:"), part))
    assert caught.value.param is not None
    assert caught.value.param.startswith("messages[0].content[1]")


def test_blank_text_and_foreign_thinking_are_not_sent(ask: Any, write: Any) -> None:
    messages = (
        Message("user", (Text("Hi"),)),
        Message(
            "assistant", (Text(" \n"), Thinking("Hm.", "sig", wire="gemini"), Thinking("Unsigned", wire="anthropic"))
        ),
        Message("user", (Text("Ho"), Text(""))),
    )
    body, dropped = write(ask(messages=messages))
    assert body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "text", "text": "Ho"}]}
    ]
    assert dropped == ()
    with pytest.raises(BadRequest):
        write(ask(Text("  ")))


def test_an_earlier_refusal_is_text(ask: Any, write: Any) -> None:
    messages = (Message("user", (Text("x"),)), Message("assistant", (Refusal("No."),)), Message("user", (Text("y"),)))
    assert write(ask(messages=messages))[0]["messages"][1] == {"role": "assistant", "content": "No."}


def test_tool_results_come_first(ask: Any, write: Any) -> None:
    messages = (
        Message("user", (Text("x"),)),
        Message("assistant", (ToolCall("a", "f"), ToolCall("b", "f"))),
        Message("user", (Text("First."), ToolResult("a"))),
        Message("user", (Text("Then."), ToolResult("b"))),
    )
    kinds = [block["type"] for block in write(ask(messages=messages))[0]["messages"][2]["content"]]
    assert kinds == ["tool_result", "tool_result", "text", "text"]


def test_a_call_and_its_result_keep_the_same_foreign_id(ask: Any, write: Any) -> None:
    ids = ("functions.now:0", "functions.now:1", "call/1", "x" * 300, "plain_1")
    messages = (
        Message("user", (Text("x"),)),
        Message("assistant", tuple(ToolCall(known, "now") for known in ids)),
        Message("user", tuple(ToolResult(known) for known in ids)),
    )
    body, _ = write(ask(messages=messages))
    calls = [block["id"] for block in body["messages"][1]["content"]]
    assert calls == [block["tool_use_id"] for block in body["messages"][2]["content"]]
    assert len(set(calls)) == len(ids)
    assert all(call.replace("_", "").replace("-", "").isalnum() and len(call) <= 256 for call in calls)
    assert calls[-1] == "plain_1"


@pytest.mark.parametrize("arguments", ['["list"]', "not json", '{"cut":', "5"])
def test_arguments_that_are_no_object_are_not_lost(ask: Any, write: Any, arguments: str) -> None:
    messages = (Message("user", (Text("x"),)), Message("assistant", (ToolCall("a", "f", arguments),)))
    block = write(ask(messages=messages))[0]["messages"][1]["content"][0]
    assert block["input"] == {"arguments": arguments}


def test_arguments_stay_unchanged(ask: Any, codec: Any, target: Any) -> None:
    arguments = '{"b": 1.50, "a": 12345678901234567890, "ü": "\\u00e9"}'
    messages = (Message("user", (Text("x"),)), Message("assistant", (ToolCall("a", "f", arguments),)))
    assert arguments.encode() in codec.write_request(ask(messages=messages), target()).body


def test_system_messages_keep_their_place_if_the_model_accepts_it(ask: Any, write: Any) -> None:
    messages = (
        Message("system", (Text("First."),)),
        Message("user", (Text("Hi"),)),
        Message("system", (Text("Hurry."),)),
        Message("assistant", (Text("Ho"),)),
        Message("system", (Text("Late."),)),
        Message("user", (Text("Go"),)),
    )
    body, _ = write(ask(messages=messages), "claude-opus-4-8")
    assert [turn["role"] for turn in body["messages"]] == ["user", "system", "assistant", "user"]
    assert [block["text"] for block in body["system"]] == ["First.", "Late."]
    body, _ = write(ask(messages=messages), BUDGET)
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user"]
    assert [block["text"] for block in body["system"]] == ["First.", "Hurry.", "Late."]


@pytest.mark.parametrize(
    ("choice", "parallel", "written"),
    [
        (None, None, None),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        (None, True, None),
        (ToolChoice("auto"), True, {"type": "auto", "disable_parallel_tool_use": False}),
        (ToolChoice("none"), False, {"type": "none"}),
        (ToolChoice("required"), None, {"type": "any"}),
        (ToolChoice("required"), False, {"type": "any", "disable_parallel_tool_use": True}),
        (ToolChoice("tool", ("weather",)), None, {"type": "tool", "name": "weather"}),
    ],
)
def test_every_tool_choice(ask: Any, write: Any, choice: Any, parallel: bool | None, written: Any) -> None:
    body, _ = write(ask(tools=(WEATHER,), tool_choice=choice, parallel_tool_calls=parallel))
    assert body.get("tool_choice") == written


def test_a_choice_among_several_leaves_the_others_out(ask: Any, write: Any) -> None:
    tools = (WEATHER, Tool("now"), Tool("later"))
    body, _ = write(ask(tools=tools, tool_choice=ToolChoice("required", ("now", "later"))))
    assert [tool["name"] for tool in body["tools"]] == ["now", "later"]
    assert body["tool_choice"] == {"type": "any"}


def test_a_tool_without_arguments(ask: Any, write: Any) -> None:
    body, _ = write(ask(tools=(Tool("now"), Tool("then", schema={"properties": {}}))))
    assert body["tools"] == [
        {"name": "now", "input_schema": {"type": "object", "properties": {}}},
        {"name": "then", "input_schema": {"type": "object", "properties": {}}},
    ]


def test_strict_tools(ask: Any, write: Any) -> None:
    strict = Tool("weather", schema=SCHEMA, strict=True)
    body, dropped = write(ask(tools=(strict,)))
    assert (body["tools"][0]["strict"], dropped) == (True, ())
    body, dropped = write(ask(tools=(strict,)), "claude-sonnet-4-0")
    assert ("strict" in body["tools"][0], dropped) == (False, ("strict",))
    limited = Tool("n", schema={"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}}, strict=True)
    body, dropped = write(ask(tools=(limited,)))
    assert (body["tools"][0]["input_schema"], dropped) == (limited.schema, ("strict",))


@pytest.mark.parametrize(
    ("tool", "param"),
    [
        (Tool("web.search"), "tools[0].name"),
        (Tool("x" * 129), "tools[0].name"),
        (Tool("f", schema={"type": "array"}), "tools[0].parameters.type"),
        (Tool("f", schema={"type": "object", "oneOf": []}), "tools[0].parameters.oneOf"),
        (Tool("web_search", builtin={"type": "web_search"}, wire="responses"), "tools[0]"),
    ],
)
def test_invalid_tools_are_named(ask: Any, write: Any, tool: Tool, param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        write(ask(tools=(tool,)))
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("message", "param"),
    [
        (Message("assistant", (ToolCall("a", "web.search"),)), "messages[0].content[0].name"),
        (Message("system", (Text("x"), Image(url="https://x/a.png"))), "messages[0].content"),
    ],
)
def test_invalid_messages_are_named(ask: Any, write: Any, message: Message, param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        write(ask(messages=(message, Message("user", (Text("x"),)))))
    assert caught.value.param == param


def test_built_in_tools_and_servers_of_this_wire_stay_unchanged(ask: Any, write: Any) -> None:
    search = {"type": "web_search_20260318", "name": "web_search", "max_uses": 3}
    server = {"type": "url", "url": "https://x/mcp", "name": "docs"}
    tools = (Tool("web_search", builtin=search, wire="anthropic"), Tool("docs", builtin=server, wire="anthropic"))
    body, _ = write(ask(tools=tools))
    assert (body["tools"], body["mcp_servers"]) == ([search], [server])


def test_tools_of_earlier_calls_are_named_but_not_offered(ask: Any, write: Any) -> None:
    messages = (
        Message("user", (Text("x"),)),
        Message("assistant", (ToolCall("a", "now"), ToolCall("b", "now"))),
        Message("user", (ToolResult("a"), ToolResult("b"))),
    )
    body, _ = write(ask(messages=messages))
    assert body["tools"] == [{"name": "now", "input_schema": {"type": "object", "properties": {}}}]
    assert body["tool_choice"] == {"type": "none"}


def test_a_forced_call_without_tools_is_refused(ask: Any, write: Any) -> None:
    with pytest.raises(BadRequest) as caught:
        write(ask(tool_choice=ToolChoice("required")))
    assert caught.value.param == "tool_choice"


@pytest.mark.parametrize(
    ("model", "reasoning", "written", "dropped"),
    [
        (NEW, Reasoning(effort="medium"), ({"type": "adaptive"}, {"effort": "medium"}), ()),
        (NEW, Reasoning(effort="minimal"), ({"type": "adaptive"}, {"effort": "low"}), ()),
        (NEW, Reasoning(budget=20_000), ({"type": "adaptive"}, {"effort": "high"}), ()),
        (NEW, Reasoning(adaptive=True, summary="auto"), ({"type": "adaptive", "display": "summarized"}, None), ()),
        (NEW, Reasoning(effort="none"), (None, {"effort": "low"}), ("reasoning",)),
        ("claude-haiku-5-5", Reasoning(effort="none"), ({"type": "disabled"}, None), ()),
        ("claude-sonnet-5-5", Reasoning(effort="none"), ({"type": "between_tools"}, None), ()),
        (MIDDLE, Reasoning(effort="none"), (None, None), ()),
        (MIDDLE, Reasoning(effort="xhigh"), ({"type": "adaptive"}, {"effort": "max"}), ()),
        (BUDGET, Reasoning(effort="medium"), ({"type": "enabled", "budget_tokens": 8192}, None), ()),
        (BUDGET, Reasoning(budget=5000), ({"type": "enabled", "budget_tokens": 5000}, None), ()),
        (BUDGET, Reasoning(adaptive=True), ({"type": "enabled", "budget_tokens": 8192}, None), ()),
        (BUDGET, Reasoning(budget=10), ({"type": "enabled", "budget_tokens": 1024}, None), ()),
        (BUDGET, Reasoning(effort="none"), (None, None), ()),
        (OLD, Reasoning(effort="high"), (None, None), ("reasoning",)),
        (OLD, Reasoning(effort="none"), (None, None), ()),
        ("some-compatible-model", Reasoning(effort="low"), ({"type": "enabled", "budget_tokens": 2048}, None), ()),
    ],
)
def test_thinking_in_the_form_that_the_generation_accepts(
    ask: Any, write: Any, model: str, reasoning: Reasoning, written: Any, dropped: Any
) -> None:
    body, left_out = write(ask(reasoning=reasoning), model)
    assert (body.get("thinking"), body.get("output_config")) == written
    assert left_out == dropped


def test_thinking_yields_to_the_answer(ask: Any, write: Any) -> None:
    forced = {"tools": (WEATHER,), "tool_choice": ToolChoice("required")}
    body, dropped = write(ask(reasoning=Reasoning(effort="high"), **forced), BUDGET)
    assert ("thinking" in body, dropped) == (False, ("reasoning",))
    body, dropped = write(ask(reasoning=Reasoning(effort="high"), **forced), MIDDLE)
    assert ("thinking" in body, body["output_config"], dropped) == (False, {"effort": "high"}, ("reasoning",))
    body, dropped = write(ask(reasoning=Reasoning(effort="high"), max_tokens=4000), BUDGET)
    assert (body["thinking"]["budget_tokens"], dropped) == (2000, ())
    body, dropped = write(ask(reasoning=Reasoning(effort="high"), max_tokens=1000), BUDGET)
    assert ("thinking" in body, dropped) == (False, ("reasoning",))


def test_a_tool_loop_of_another_provider_continues_without_a_budget(ask: Any, write: Any) -> None:
    def ask_in_loop(*before: Any) -> Any:
        messages = (
            Message("user", (Text("x"),)),
            Message("assistant", (*before, ToolCall("a", "weather"))),
            Message("user", (ToolResult("a"),)),
        )
        return ask(messages=messages, tools=(WEATHER,), reasoning=Reasoning(budget=2000))

    body, dropped = write(ask_in_loop(Thinking("Hm.", "s", wire="gemini")), BUDGET)
    assert ("thinking" in body, dropped) == (False, ("reasoning",))
    body, dropped = write(ask_in_loop(Thinking("Hm.", "s", wire="anthropic")), BUDGET)
    assert ("thinking" in body, dropped) == (True, ())
    assert "thinking" in write(ask_in_loop(), NEW)[0]


@pytest.mark.parametrize(
    ("model", "sampling", "written", "dropped"),
    [
        (OLD, {"temperature": 0.5, "top_p": 0.9, "top_k": 5}, {"temperature": 0.5, "top_p": 0.9, "top_k": 5}, ()),
        (OLD, {"temperature": 0}, {"temperature": 0}, ()),
        (OLD, {"temperature": 1.7}, {"temperature": 1}, ("temperature",)),
        (BUDGET, {"temperature": 0.5, "top_p": 0.9}, {"temperature": 0.5}, ("top_p",)),
        (BUDGET, {"temperature": 0.5, "top_p": 1}, {"temperature": 0.5}, ()),
        (BUDGET, {"top_p": 0.9}, {"top_p": 0.9}, ()),
        (NEW, {"temperature": 0.5, "top_p": 0.9, "top_k": 5}, {}, ("temperature", "top_p", "top_k")),
        (NEW, {"temperature": 1, "top_p": 1}, {}, ()),
        (BUDGET, {"temperature": 0.5, "top_k": 5, "reasoning": Reasoning(budget=2000)}, {}, ("temperature", "top_k")),
        (BUDGET, {"top_p": 0.96, "reasoning": Reasoning(budget=2000)}, {"top_p": 0.96}, ()),
        (MIDDLE, {"temperature": 0.5}, {"temperature": 0.5}, ()),
        (MIDDLE, {"temperature": 0.5, "reasoning": Reasoning(effort="low")}, {}, ("temperature",)),
    ],
)
def test_sampling_that_the_generation_accepts(
    ask: Any, write: Any, model: str, sampling: Any, written: Any, dropped: Any
) -> None:
    body, left_out = write(ask(**sampling), model)
    assert {name: body[name] for name in ("temperature", "top_p", "top_k") if name in body} == written
    assert left_out == dropped


def test_tuning_fields_without_counterpart_are_left_out_and_reported(ask: Any, write: Any) -> None:
    request = ask(
        messages=(Message("user", (Text("x"), Image(url="https://x/a.png", detail="high")), name="ann"),),
        seed=0,
        presence_penalty=0.0,
        frequency_penalty=1.0,
        logprobs=True,
        top_logprobs=3,
        metadata={"job": "7"},
        service_tier="flex",
        stop=("\n", "END"),
        extras={"store": True, "speed": "fast"},
    )
    body, dropped = write(request)
    assert set(dropped) == {
        "name", "detail", "seed", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs", "metadata",
        "service_tier", "stop", "store",
    }  # fmt: skip
    assert (body["stop_sequences"], body["speed"]) == (["END"], "fast")
    assert set(body) == {"model", "max_tokens", "messages", "stop_sequences", "speed"}
    assert write(ask(logprobs=False))[1] == ("logprobs",)


def test_several_answers_are_refused(ask: Any, write: Any) -> None:
    with pytest.raises(BadRequest) as caught:
        write(ask(n=2))
    assert caught.value.param == "n"


def test_limits_of_zero_and_none(ask: Any, write: Any) -> None:
    assert write(ask(max_tokens=0))[0]["max_tokens"] == 0
    assert write(ask(), OLD)[0]["max_tokens"] == 8192


def test_structured_output_is_native_if_possible(ask: Any, write: Any) -> None:
    form = Format("schema", SCHEMA, "city", strict=True)
    body, dropped = write(ask(format=form, reasoning=Reasoning(effort="low")))
    assert body["output_config"] == {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}}
    assert dropped == ()


def test_limits_in_a_schema_go_into_its_description(ask: Any, write: Any) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1, "description": "Count"}}}
    body, dropped = write(ask(format=Format("schema", schema)))
    assert body["output_config"]["format"]["schema"] == {
        "type": "object",
        "properties": {"n": {"type": "integer", "description": "Count (minimum: 1)"}},
        "additionalProperties": False,
    }
    assert dropped == ("format.minimum",)


@pytest.mark.parametrize(
    ("model", "form"),
    [
        (NEW, Format("json")),
        (OLD, Format("schema", SCHEMA)),
        (NEW, Format("schema", {"type": "object", "additionalProperties": True})),
        (NEW, Format("schema", {"$ref": "#/$defs/node", "$defs": {"node": {"items": {"$ref": "#/$defs/node"}}}})),
    ],
)
def test_otherwise_an_instruction_replaces_it(ask: Any, write: Any, model: str, form: Format) -> None:
    body, dropped = write(ask(format=form, system=(Text("Be brief."),)), model)
    assert "output_config" not in body
    assert dropped == ("format",)
    instruction = body["system"][-1]["text"]
    assert "one JSON object and nothing else" in instruction
    if form.schema is not None:
        assert msgspec.json.encode(form.schema).decode() in instruction
