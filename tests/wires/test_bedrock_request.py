"""Converse requests to and from the neutral form: every part, every field, and the rules of every model family."""

import base64
import contextlib
import json
import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.catalog.profiles import get_profile
from antiphon.errors import BadRequest
from antiphon.types import Origin, Target
from antiphon.wires.bedrock import BedrockCodec, Converse
from antiphon.wires.translation.foreign_signatures import ForeignSignature, pack_signature
from antiphon.wires.translation.neutral import (
    Audio,
    File,
    Format,
    Image,
    Message,
    Reasoning,
    Refusal,
    Request,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)

CODEC = BedrockCodec()
CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
CLAUDE_46 = "anthropic.claude-sonnet-4-6"
CLAUDE_NEWEST = "global.anthropic.claude-opus-4-7"
NOVA = "eu.amazon.nova-2-lite-v1:0"
OPAQUE = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abcdef123456"
USER = Message("user", (Text("Hi"),))
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
PNG = base64.b64encode(b"\x89PNG").decode()


def make_target(model=CLAUDE, quirks=()):
    return Target(
        f"aws/{model}",
        "aws",
        model,
        "bedrock",
        "bedrock",
        Origin("https", "h", 443),
        {},
        quirks=frozenset(quirks),
        profile=get_profile(model),
    )


def write_request(model=CLAUDE, quirks=(), messages=(USER,), **more):
    written = CODEC.write_request(Request(model="m", messages=tuple(messages), **more), make_target(model, quirks))
    return msgspec.json.decode(written.body), written.dropped


def read_request(document, stream=False):
    body = json.dumps(document).encode()
    return CODEC.read_request(Converse().peek(body, "m", stream).document, "m", stream)


def write_content(*parts, role="user", model=CLAUDE):
    body, _ = write_request(model, messages=[Message(role, parts)])
    return body["messages"][0]["content"]


def read_parts(*blocks, role="user"):
    return read_request({"messages": [{"role": role, "content": list(blocks)}]}).messages[0].parts


# --- parts, both ways: a block and its part -------------------------------------------------------------------------

BOTH_WAYS = {
    "text": ({"text": "grüß 😀"}, Text("grüß 😀")),
    "image": ({"image": {"format": "png", "source": {"bytes": PNG}}}, Image(data=PNG, media_type="image/png")),
    "image in S3": (
        {"image": {"format": "jpeg", "source": {"s3Location": {"uri": "s3://b/k"}}}},
        Image(url="s3://b/k", media_type="image/jpeg"),
    ),
    "document": (
        {"document": {"format": "pdf", "name": "report 7", "source": {"bytes": "JVBERi0="},
                      "citations": {"enabled": True}}},
        File(data="JVBERi0=", media_type="application/pdf", name="report 7", cite=True),
    ),
    "video": ({"video": {"format": "mp4", "source": {"bytes": "AAAA"}}}, File(data="AAAA", media_type="video/mp4")),
    "audio": ({"audio": {"format": "wav", "source": {"bytes": "UklG"}}}, Audio(data="UklG", media_type="audio/wav")),
    "tool use": (
        {"toolUse": {"toolUseId": "tooluse_1", "name": "f", "input": {"q": "ü", "n": [1, 2.5, None]}}},
        ToolCall("tooluse_1", "f", '{"q":"ü","n":[1,2.5,null]}'),
    ),
    "tool use without arguments": ({"toolUse": {"toolUseId": "t", "name": "f", "input": {}}}, ToolCall("t", "f")),
    "tool result": (
        {"toolResult": {"toolUseId": "t", "content": [{"text": "12 °C"},
                                                      {"image": {"format": "png", "source": {"bytes": PNG}}}]}},
        ToolResult("t", (Text("12 °C"), Image(data=PNG, media_type="image/png"))),
    ),
    "tool error": (
        {"toolResult": {"toolUseId": "t", "content": [{"text": "no"}], "status": "error"}},
        ToolResult("t", (Text("no"),), error=True),
    ),
    "reasoning": (
        {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}},
        Thinking("hm", "c2ln", wire="bedrock"),
    ),
    "reasoning with a signature only": (
        {"reasoningContent": {"reasoningText": {"text": "", "signature": "c2ln"}}},
        Thinking("", "c2ln", wire="bedrock"),
    ),
    "redacted reasoning": (
        {"reasoningContent": {"redactedContent": "QUJD"}},
        Thinking(redacted="QUJD", wire="bedrock"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BOTH_WAYS)
def test_a_block_and_its_part_are_translated_both_ways(name):
    block, part = BOTH_WAYS[name]
    assert read_parts(block) == (part,)
    assert write_content(part) == [block]


@pytest.mark.parametrize(
    ("block", "part"),
    [
        (
            {"toolResult": {"toolUseId": "t", "content": [{"json": {"a": 1}}, {"json": 0}], "status": "success"}},
            ToolResult("t", (Text('{"a":1}'), Text("0"))),
        ),
        (
            {"toolResult": {"toolUseId": "t", "content": [{"document": {"format": "csv", "name": "n",
                                                                        "source": {"bytes": "YSxi"}}}]}},
            ToolResult("t", (File(data="YSxi", media_type="text/csv", name="n"),)),
        ),
        (
            {"document": {"name": "n", "source": {"content": [{"text": "a"}, {"text": "b"}]}}},
            File(text="a\n\nb", media_type="text/plain", name="n"),
        ),
        (
            {"document": {"name": "n", "format": "md", "source": {"text": "# a"}}},
            File(text="# a", media_type="text/markdown", name="n"),
        ),
        (
            {"searchResult": {"source": "https://x", "title": "T", "content": [{"text": "a"}],
                              "citations": {"enabled": True}}},
            File(text="https://x\n\na", media_type="text/plain", name="T", cite=True),
        ),
        (
            {"citationsContent": {"content": [{"text": "so it is"}], "citations": [
                {"title": "D", "sourceContent": [{"text": "it"}, {"text": " is"}],
                 "location": {"documentPage": {"documentIndex": 0, "start": 3, "end": 4}}}]}},
            Text("so it is", citations=({"type": "page_location", "cited_text": "it is", "document_index": 0,
                                         "document_title": "D", "start_page_number": 3, "end_page_number": 4},)),
        ),
        ({"reasoningContent": {"reasoningText": {"signature": "s"}}}, Thinking("", "s", wire="bedrock")),
        ({"guardContent": {"text": {"text": "q", "qualifiers": ["query"]}}}, Text("q")),
        ({"audio": {"format": "mpga", "source": {"bytes": "AA=="}}}, Audio(data="AA==", media_type="audio/mp3")),
        ({"toolUse": {"toolUseId": "t", "name": "f", "input": {"big": 10**25}}},
         ToolCall("t", "f", '{"big":1' + "0" * 25 + "}")),
    ],
)  # fmt: skip
def test_a_block_is_read(block, part):
    assert read_parts(block) == (part,)


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (Refusal("I will not."), {"text": "I will not."}),
        (Image(url=f"data:image/PNG;base64,{PNG}"), {"image": {"format": "png", "source": {"bytes": PNG}}}),
        (Image(data=PNG, media_type="image/jpg"), {"image": {"format": "jpeg", "source": {"bytes": PNG}}}),
        (Audio(data="AA==", media_type="audio/mpeg"), {"audio": {"format": "mp3", "source": {"bytes": "AA=="}}}),
        (
            File(data="data:application/pdf;base64,JVBERi0=", name="Q3/report_final.pdf"),
            {"document": {"format": "pdf", "name": "Q3 report final pdf", "source": {"bytes": "JVBERi0="}}},
        ),
        (File(data="YQ==", name="a.docx"),
         {"document": {"format": "docx", "name": "a docx", "source": {"bytes": "YQ=="}}}),
        (
            File(text="ü", media_type="text/markdown", name=""),
            {"document": {"format": "md", "name": "document", "source": {"bytes": "w7w="}}},
        ),
        (
            File(data="e30=", media_type="application/json", name="x"),
            {"document": {"format": "txt", "name": "x", "source": {"bytes": "e30="}}},
        ),
        (File(url="s3://b/a.pdf", name="x"),
         {"document": {"format": "pdf", "name": "x", "source": {"s3Location": {"uri": "s3://b/a.pdf"}}}}),
        (ToolCall("t", "f", ""), {"toolUse": {"toolUseId": "t", "name": "f", "input": {}}}),
        (ToolCall("t", "f", '{"a":'), {"toolUse": {"toolUseId": "t", "name": "f", "input": {"arguments": '{"a":'}}}),
        (ToolCall("t", "f", "[1]"), {"toolUse": {"toolUseId": "t", "name": "f", "input": {"arguments": "[1]"}}}),
        (ToolResult("t", ()), {"toolResult": {"toolUseId": "t", "content": [{"json": {}}]}}),
        (ToolResult("t", (Text(" "),), error=True),
         {"toolResult": {"toolUseId": "t", "content": [{"json": {}}], "status": "error"}}),
        (Thinking("hm", "sig", wire="anthropic"),
         {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "sig"}}}),
        (
            Text("x", citations=({"type": "url_citation", "url": "https://a", "title": "A", "start_index": 0},)),
            {"citationsContent": {"content": [{"text": "x"}],
                                  "citations": [{"title": "A", "location": {"web": {"url": "https://a"}}}]}},
        ),
    ],
)  # fmt: skip
def test_a_part_is_written(part, block):
    assert write_content(part) == [block]


@pytest.mark.parametrize("identifier", ["functions.f:0|x", "x" * 65, "", "ü"])
def test_an_invalid_tool_id_becomes_one_digest_in_call_and_result(identifier):
    (call,), (result,) = write_content(ToolCall(identifier, "f")), write_content(ToolResult(identifier))
    digest = call["toolUse"]["toolUseId"]
    assert digest == result["toolResult"]["toolUseId"] != identifier
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", digest)


def test_the_detail_of_an_image_is_dropped():
    image = Message("user", (Image(data=PNG, media_type="image/png", detail="low"), Text("x")))
    assert write_request(messages=[image])[1] == ("detail",)


def test_a_blank_system_text_is_left_out():
    body, _ = write_request(system=(Text(" "), Text("s", cache={"type": "ephemeral", "ttl": "5m"})))
    assert body["system"] == [{"text": "s"}, {"cachePoint": {"type": "default", "ttl": "5m"}}]


def test_a_limit_that_is_not_enforced_is_described_and_dropped():
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}}
    body, dropped = write_request(format=Format("schema", schema))
    assert "minimum: 1" in body["outputConfig"]["textFormat"]["structure"]["jsonSchema"]["schema"]
    assert dropped == ("format.minimum",)


@pytest.mark.parametrize(
    "part",
    [
        Text(""),
        Text(" \n"),
        Thinking("x", "s", wire="gemini"),
        Thinking("x", "s"),
        Thinking("x", wire="openai"),
        Thinking("x", wire="anthropic"),
        Thinking(redacted="x", wire="anthropic"),
        Thinking(wire="bedrock"),
    ],
)
def test_blank_text_and_unsigned_thinking_are_left_out(part):
    assert write_content(part, Text("end")) == [{"text": "end"}]


def test_a_signature_of_the_messages_wire_goes_to_claude_only():
    thinking = Thinking("x", "s", wire="anthropic")
    assert write_content(thinking, Text("end"), model=NOVA) == [{"text": "end"}]
    assert write_content(thinking, Text("end"), model=OPAQUE) == [{"text": "end"}]


@pytest.mark.parametrize(
    ("part", "problem"),
    [
        (Image(url="https://example.org/a.png"), "by reference"),
        (Image(file_id="file-1"), "by reference"),
        (Image(data=PNG, media_type="image/tiff"), "'image/tiff'"),
        (File(url="https://example.org/a.pdf", media_type="application/pdf"), "by reference"),
        (File(data="AA==", media_type="application/zip"), "'application/zip'"),
        (File(data="AA==", name="unknown"), "no media type"),
        (Audio(data="AA==", media_type="audio/midi"), "'audio/midi'"),
        (ToolResult("t", (Image(url="https://example.org/a.png"),)), "by reference"),
    ],
)
def test_media_that_converse_does_not_take_are_refused_with_their_place(part, problem):
    with pytest.raises(BadRequest) as caught:
        write_content(part)
    assert problem in caught.value.message
    assert caught.value.param.startswith("messages[0].content[0]")


def test_document_names_are_unique_in_a_request():
    files = [File(data="AA==", media_type="application/pdf", name="a") for _ in range(3)]
    body, _ = write_request(
        messages=[Message("user", tuple(files)), Message("assistant", (Text("x"),)), Message("user", (files[0],))]
    )
    names = [
        block["document"]["name"] for message in body["messages"] for block in message["content"] if "document" in block
    ]
    assert names == ["a", "a 2", "a 3", "a 4"]


# --- messages and system ---------------------------------------------------------------------------------------------


def test_turns_of_one_role_are_merged_and_results_come_first():
    body, dropped = write_request(
        messages=[
            Message("user", (Text("a"),), name="ann"),
            Message("user", (Text(" "),)),
            Message("user", (Text("b"),)),
            Message("assistant", (ToolCall("t1", "f"), ToolCall("t2", "f"))),
            Message("user", (Text("and"), ToolResult("t1", (Text("1"),)))),
            Message("user", (ToolResult("t2", (Text("2"),), cache={"type": "ephemeral"}),)),
        ],
        tools=(Tool("f"),),
    )
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]
    assert body["messages"][0]["content"] == [{"text": "a"}, {"text": "b"}]
    kinds = [next(iter(block)) for block in body["messages"][2]["content"]]
    assert kinds == ["toolResult", "toolResult", "cachePoint", "text"]
    assert dropped == ("name",)


def test_a_request_without_content_is_refused():
    with pytest.raises(BadRequest) as caught:
        write_request(messages=[Message("user", (Text(""),)), Message("system", (Text("s"),))])
    assert caught.value.param == "messages"


def test_system_messages_keep_their_place_if_the_model_allows_it():
    messages = [USER, Message("system", (Text("now in French"),)), Message("assistant", (Text("oui"),))]
    body, _ = write_request("anthropic.claude-opus-4-8", messages=messages, system=(Text("be kind"),))
    assert [message["role"] for message in body["messages"]] == ["user", "system", "assistant"]
    assert body["system"] == [{"text": "be kind"}]
    body, _ = write_request(CLAUDE, messages=messages, system=(Text("be kind"),))
    assert [message["role"] for message in body["messages"]] == ["user", "assistant"]
    assert body["system"] == [{"text": "be kind"}, {"text": "now in French"}]


def test_system_messages_are_read_in_their_place():
    got = read_request(
        {"messages": [{"role": "user", "content": [{"text": "a"}]}, {"role": "system", "content": [{"text": "b"}]}]}
    )
    assert got.messages[1] == Message("system", (Text("b"),))


# --- cache points ----------------------------------------------------------------------------------------------------

CACHED = {
    "messages": [
        {"role": "user", "content": [{"text": "long"}, {"cachePoint": {"type": "default"}}, {"text": "short"}]},
    ],
    "system": [{"text": "rules"}, {"cachePoint": {"type": "default", "ttl": "1h"}}],
    "toolConfig": {
        "tools": [
            {"toolSpec": {"name": "f", "inputSchema": {"json": WEATHER}}},
            {"cachePoint": {"type": "default"}},
        ],
        "toolChoice": {"auto": {}},
    },
}


def test_a_cache_point_is_the_mark_of_the_part_before_it():
    got = read_request(CACHED)
    assert got.messages[0].parts == (Text("long", cache={"type": "ephemeral"}), Text("short"))
    assert got.system == (Text("rules", cache={"type": "ephemeral", "ttl": "1h"}),)
    assert got.tools == (Tool("f", schema=WEATHER, cache={"type": "ephemeral"}),)
    written = CODEC.write_request(got, make_target())
    assert msgspec.json.decode(written.body) == CACHED
    assert written.dropped == ()


def test_a_cache_point_without_a_part_before_it_is_reported():
    got = read_request(
        {"messages": [{"role": "user", "content": [{"cachePoint": {"type": "default"}}, {"text": "x"}]}]}
    )
    assert got.extras == {"messages.0.content.cachePoint": {"type": "ephemeral"}}


def test_an_unknown_cache_lifetime_becomes_the_default():
    text = Text("x", cache={"type": "ephemeral", "ttl": "9h"})
    assert write_content(text) == [{"text": "x"}, {"cachePoint": {"type": "default"}}]


# --- tools -----------------------------------------------------------------------------------------------------------


def test_tools_and_choices_are_translated_both_ways():
    for wire, choice in (
        ({"auto": {}}, ToolChoice("auto")),
        ({"any": {}}, ToolChoice("required")),
        ({"tool": {"name": "f"}}, ToolChoice("tool", ("f",))),
    ):
        document = {
            "messages": [{"role": "user", "content": [{"text": "Hi"}]}],
            "toolConfig": {
                "tools": [
                    {"toolSpec": {"name": "f", "description": "d", "inputSchema": {"json": WEATHER}}},
                    {"systemTool": {"name": "nova_grounding"}},
                ],
                "toolChoice": wire,
            },
        }
        got = read_request(document)
        assert got.tool_choice == choice
        assert got.tools[0] == Tool("f", "d", WEATHER)
        assert got.tools[1].builtin == {"systemTool": {"name": "nova_grounding"}}
        assert msgspec.json.decode(CODEC.write_request(got, make_target(NOVA)).body) == document


def test_a_tool_without_a_schema_takes_no_arguments():
    body, _ = write_request(tools=(Tool("f"), Tool("g", schema={"properties": {}})))
    specs = [tool["toolSpec"] for tool in body["toolConfig"]["tools"]]
    assert specs == [
        {"name": "f", "inputSchema": {"json": {"type": "object", "properties": {}}}},
        {"name": "g", "inputSchema": {"json": {"type": "object", "properties": {}}}},
    ]


@pytest.mark.parametrize(
    ("tool", "param"),
    [
        (Tool("a.b"), "tools[0].name"),
        (Tool("x" * 65), "tools[0].name"),
        (Tool("f", schema={"type": "array"}), "tools[0].parameters.type"),
        (Tool("web_search", builtin={"type": "web_search"}, wire="responses"), "tools[0]"),
    ],
)
def test_a_tool_that_converse_does_not_have_is_refused(tool, param):
    with pytest.raises(BadRequest) as caught:
        write_request(tools=(tool,))
    assert caught.value.param == param


def test_the_tool_choice_none_leaves_the_tools_out():
    none = ToolChoice("none")
    assert write_request(tools=(Tool("f"),), tool_choice=none) == (
        {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]},
        (),
    )
    called = [USER, Message("assistant", (ToolCall("t", "f"),)), Message("user", (ToolResult("t"),))]
    body, dropped = write_request(messages=called, tools=(Tool("f"),), tool_choice=none)
    assert "toolChoice" not in body["toolConfig"]
    assert dropped == ("tool_choice",)
    body, dropped = write_request(messages=called)  # Converse requires the tools of a conversation to be named
    assert [tool["toolSpec"]["name"] for tool in body["toolConfig"]["tools"]] == ["f"]
    assert dropped == ("tool_choice",)


def test_a_required_choice_may_name_some_of_the_tools():
    body, _ = write_request(tools=(Tool("f"), Tool("g")), tool_choice=ToolChoice("required", ("g",)))
    assert [tool["toolSpec"]["name"] for tool in body["toolConfig"]["tools"]] == ["g"]
    assert body["toolConfig"]["toolChoice"] == {"any": {}}


def test_parallel_tool_calls_false_is_dropped():
    assert write_request(tools=(Tool("f"),), parallel_tool_calls=False)[1] == ("parallel_tool_calls",)
    assert write_request(tools=(Tool("f"),), parallel_tool_calls=True)[1] == ()


def test_strict_tools_are_sent_if_the_model_enforces_them():
    strict = Tool("f", schema=WEATHER, strict=True)
    body, dropped = write_request(tools=(strict,))
    spec = body["toolConfig"]["tools"][0]["toolSpec"]
    assert (spec["strict"], spec["inputSchema"]["json"]["additionalProperties"]) == (True, False)
    assert dropped == ()
    body, dropped = write_request(OPAQUE, tools=(strict,))
    assert body["toolConfig"]["tools"][0]["toolSpec"] == {"name": "f", "inputSchema": {"json": WEATHER}}
    assert dropped == ("strict",)


# --- structured output -----------------------------------------------------------------------------------------------


def test_a_schema_is_sent_if_the_model_enforces_it():
    wanted = Format("schema", WEATHER, "weather", description="d")
    body, dropped = write_request(format=wanted)
    written = body["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
    assert json.loads(written.pop("schema")) == WEATHER | {"additionalProperties": False}
    assert written == {"name": "weather", "description": "d"}
    assert dropped == ()
    schema = {"schema": json.dumps(WEATHER), "name": "weather", "description": "d"}
    text_format = {"type": "json_schema", "structure": {"jsonSchema": schema}}
    got = read_request({"messages": body["messages"], "outputConfig": {"textFormat": text_format}})
    assert got.format == wanted


@pytest.mark.parametrize(("model", "quirks"), [(OPAQUE, ()), (CLAUDE, ("no_structured_output",)), (NOVA, ())])
def test_the_system_prompt_asks_for_a_schema_otherwise(model, quirks):
    body, dropped = write_request(model, quirks, format=Format("schema", WEATHER), system=(Text("be kind"),))
    assert "outputConfig" not in body
    assert body["system"][0] == {"text": "be kind"}
    assert json.dumps(WEATHER, separators=(",", ":")) in body["system"][1]["text"]
    assert dropped == ("format",)


def test_the_system_prompt_asks_for_any_json():
    body, dropped = write_request(format=Format("json"))
    assert "JSON object" in body["system"][0]["text"]
    assert dropped == ("format",)


# --- tuning ----------------------------------------------------------------------------------------------------------


def test_inference_fields_are_translated_both_ways():
    document = {
        "messages": [{"role": "user", "content": [{"text": "Hi"}]}],
        "inferenceConfig": {"maxTokens": 0, "temperature": 0.0, "topP": 0.5, "stopSequences": ["a", " "]},
        "requestMetadata": {"team": "blue"},
        "serviceTier": {"type": "flex"},
        "guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1"},
        "performanceConfig": {"latency": "optimized"},
        "promptVariables": {"a": {"text": "b"}},
        "additionalModelResponseFieldPaths": ["/stop_sequence"],
        "additionalModelRequestFields": {"inferenceConfig": {"topK": 20, "other": 1}, "odd": [1]},
    }
    got = read_request(document, stream=True)
    assert (got.max_tokens, got.temperature, got.top_p, got.top_k, got.stop) == (0, 0.0, 0.5, 20, ("a", " "))
    assert (got.metadata, got.service_tier, got.stream) == ({"team": "blue"}, "flex", True)
    assert got.extras["additionalModelRequestFields"] == {"inferenceConfig": {"other": 1}, "odd": [1]}
    written = CODEC.write_request(got, make_target("amazon.nova-lite-v1:0"))
    assert msgspec.json.decode(written.body) == document
    assert written.dropped == ()


def test_the_extras_of_a_request_are_not_changed():
    extras = {"additionalModelRequestFields": {"inferenceConfig": {"other": 1}}}
    write_request(NOVA, top_k=5, extras=extras)
    assert extras == {"additionalModelRequestFields": {"inferenceConfig": {"other": 1}}}


@pytest.mark.parametrize(
    ("model", "place"),
    [
        (CLAUDE, {"top_k": 5}),
        ("mistral.mistral-large-2402-v1:0", {"top_k": 5}),
        ("us.amazon.nova-pro-v1:0", {"inferenceConfig": {"topK": 5}}),
        ("cohere.command-r-plus-v1:0", {"k": 5}),
        ("arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0", {"top_k": 5}),
        ("arn:aws:bedrock:eu-west-1:1:inference-profile/eu.anthropic.claude-sonnet-4-20250514-v1:0", {"top_k": 5}),
    ],
)
def test_top_k_goes_to_the_field_of_the_family(model, place):
    body, dropped = write_request(model, top_k=5)
    assert body["additionalModelRequestFields"] == place
    assert dropped == ()
    assert read_request({"messages": body["messages"], "additionalModelRequestFields": place}).top_k == 5


@pytest.mark.parametrize(
    ("model", "requested", "sent", "dropped"),
    [
        (OPAQUE, {"top_k": 5}, {}, ("top_k",)),
        (OPAQUE, {"temperature": 1.5}, {"temperature": 1.0}, ("temperature",)),
        (OPAQUE, {"temperature": 0.2, "top_p": 0.9}, {"temperature": 0.2, "topP": 0.9}, ()),
        (CLAUDE, {"temperature": 0.2, "top_p": 0.9}, {"temperature": 0.2}, ("top_p",)),
        (CLAUDE, {"top_p": 0.9}, {"topP": 0.9}, ()),
        (CLAUDE_NEWEST, {"temperature": 0.2, "top_p": 0.9, "top_k": 5}, {}, ("temperature", "top_p", "top_k")),
        (CLAUDE_NEWEST, {"temperature": 1.0, "top_p": 1.0}, {}, ()),
        (OPAQUE, {"stop": ("", "x")}, {"stopSequences": ["x"]}, ("stop",)),
        (OPAQUE, {"seed": 0, "presence_penalty": 0.1, "frequency_penalty": -1, "logprobs": True, "top_logprobs": 2}, {},
         ("seed", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs")),
        (OPAQUE, {"presence_penalty": 0.0}, {}, ("presence_penalty",)),
        (OPAQUE, {"logprobs": False}, {}, ("logprobs",)),
        (OPAQUE, {"service_tier": "auto"}, {}, ()),
        (OPAQUE, {"service_tier": "scale"}, {}, ("service_tier",)),
        (OPAQUE, {"extras": {"verbosity": "low", "messages.0.content.cachePoint": {}}}, {},
         ("verbosity", "messages.0.content.cachePoint")),
    ],
)  # fmt: skip
def test_tuning_fields_that_the_model_does_not_take_are_dropped(model, requested, sent, dropped):
    body, named = write_request(model, **requested)
    assert body.get("inferenceConfig", {}) == sent
    assert named == dropped
    assert set(body) <= {"messages", "inferenceConfig"}


def test_several_answers_are_refused():
    with pytest.raises(BadRequest) as caught:
        write_request(n=2)
    assert caught.value.param == "n"


def test_metadata_and_user_fit_the_limits_of_converse():
    body, dropped = write_request(metadata={"a": "ok", "b": "{}", "c": 1, "": "x"}, user="u-1")
    assert body["requestMetadata"] == {"a": "ok", "user": "u-1"}
    assert dropped == ("metadata",)
    many = {f"k{n}": "v" for n in range(20)}
    body, dropped = write_request(metadata=many, user="u-1")
    assert len(body["requestMetadata"]) == 16
    assert dropped == ("metadata", "user")
    assert write_request(user="a\x00b")[1] == ("user",)


# --- reasoning -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "reasoning", "more", "expected", "dropped"),
    [
        # a budget
        (CLAUDE, Reasoning(budget=4000), {}, {"thinking": {"type": "enabled", "budget_tokens": 4000}}, ()),
        (CLAUDE, Reasoning(effort="high"), {}, {"thinking": {"type": "enabled", "budget_tokens": 16384}}, ()),
        (CLAUDE, Reasoning(effort="high"), {"max_tokens": 5000},
         {"thinking": {"type": "enabled", "budget_tokens": 2500}}, ()),
        (CLAUDE, Reasoning(effort="high"), {"max_tokens": 900}, None, ("reasoning",)),
        (CLAUDE, Reasoning(budget=4000), {"temperature": 0.2, "top_k": 3},
         {"thinking": {"type": "enabled", "budget_tokens": 4000}}, ("temperature", "top_k")),
        (CLAUDE, Reasoning(effort="none"), {}, None, ()),
        (CLAUDE, Reasoning(summary="auto"), {}, None, ()),
        ("anthropic.claude-opus-5-0", Reasoning(effort="none"), {}, {"thinking": {"type": "disabled"}}, ()),
        ("anthropic.claude-sonnet-5-5", Reasoning(effort="none"), {}, {"thinking": {"type": "between_tools"}}, ()),
        ("anthropic.claude-opus-5-5", Reasoning(effort="none"), {}, {"effort": "low"}, ("reasoning",)),
        (CLAUDE_46, Reasoning(adaptive=True), {}, {"thinking": {"type": "adaptive"}}, ()),
        # adaptive
        (CLAUDE_46, Reasoning(adaptive=True, effort="high"), {},
         {"thinking": {"type": "adaptive"}, "effort": "high"}, ()),
        (CLAUDE_46, Reasoning(effort="minimal", summary="auto"), {},
         {"thinking": {"type": "adaptive", "display": "summarized"}, "effort": "low"}, ()),
        (CLAUDE_NEWEST, Reasoning(effort="xhigh"), {}, {"thinking": {"type": "adaptive"}, "effort": "xhigh"}, ()),
        (CLAUDE_NEWEST, Reasoning(budget=20_000), {}, {"thinking": {"type": "adaptive"}, "effort": "high"}, ()),
        (CLAUDE_46, Reasoning(effort="high"), {"tools": (Tool("f"),), "tool_choice": ToolChoice("required")},
         {"effort": "high"}, ("reasoning",)),
        # no thinking at all, and other families
        ("anthropic.claude-3-haiku-20240307-v1:0", Reasoning(effort="high"), {}, None, ("reasoning",)),
        (NOVA, Reasoning(effort="medium"), {},
         {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "medium"}}, ()),
        (NOVA, Reasoning(effort="none"), {}, None, ()),
        (NOVA, Reasoning(budget=3000), {}, None, ("reasoning",)),
        ("openai.gpt-oss-120b-1:0", Reasoning(effort="xhigh"), {}, {"reasoning_effort": "high"}, ()),
        (OPAQUE, Reasoning(effort="high"), {}, None, ("reasoning",)),
    ],
)  # fmt: skip
def test_reasoning_is_written_for_each_family(model, reasoning, more, expected, dropped):
    body, named = write_request(model, reasoning=reasoning, **more)
    got = dict(body.get("additionalModelRequestFields", {}))
    if effort := body.get("outputConfig", {}).get("effort"):
        got["effort"] = effort
    assert got == (expected or {})
    assert named == dropped


def test_a_tool_loop_that_began_without_thinking_continues_without_it():
    loop = [USER, Message("assistant", (ToolCall("t", "f"),)), Message("user", (ToolResult("t", (Text("1"),)),))]
    body, dropped = write_request(messages=loop, tools=(Tool("f"),), reasoning=Reasoning(budget=2000))
    assert "additionalModelRequestFields" not in body
    assert dropped == ("reasoning",)
    loop[1] = Message("assistant", (Thinking("hm", "s", wire="bedrock"), ToolCall("t", "f")))
    body, dropped = write_request(messages=loop, tools=(Tool("f"),), reasoning=Reasoning(budget=2000))
    assert body["additionalModelRequestFields"]["thinking"]["budget_tokens"] == 2000
    assert dropped == ()


@pytest.mark.parametrize(
    ("document", "reasoning"),
    [
        ({"additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 2000}}},
         Reasoning(budget=2000)),
        ({"additionalModelRequestFields": {"thinking": {"type": "adaptive", "display": "summarized"},
                                           "output_config": {"effort": "max"}}},
         Reasoning("xhigh", adaptive=True, summary="auto")),
        ({"additionalModelRequestFields": {"thinking": {"type": "disabled"}}}, Reasoning("none")),
        ({"additionalModelRequestFields": {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}}},
         Reasoning("low")),
        ({"additionalModelRequestFields": {"reasoning_effort": "high"}}, Reasoning("high")),
        ({"outputConfig": {"effort": "low"}}, Reasoning("low")),
        ({}, None),
    ],
)  # fmt: skip
def test_reasoning_is_read(document, reasoning):
    got = read_request({"messages": [{"role": "user", "content": [{"text": "Hi"}]}], **document})
    assert got.reasoning == reasoning
    assert got.extras == {}


# --- signatures of other wires, extras, and invalid requests --------------------------------------------------------


def test_signatures_of_other_wires_are_read_back():
    parts = read_parts(
        {
            "reasoningContent": {
                "reasoningText": {"text": "hm", "signature": pack_signature(ForeignSignature("gemini", "own"))}
            }
        },
        {"toolUse": {"toolUseId": "t", "name": "f", "input": {}}},
        {
            "reasoningContent": {
                "reasoningText": {
                    "text": "", "signature": pack_signature(ForeignSignature("gemini", "proof", call="t")),
                },
            }
        },
        {"reasoningContent": {"reasoningText": {"text": "", "signature": pack_signature(
            ForeignSignature("responses", redacted="sealed", id="rs_1"))}}},
        role="assistant",
    )  # fmt: skip
    assert parts == (
        Thinking("hm", "own", wire="gemini"),
        ToolCall("t", "f", signature="proof"),
        Thinking(redacted="sealed", id="rs_1", wire="responses"),
    )


def test_unsigned_thinking_goes_to_no_provider():
    (part,) = read_parts(
        {"reasoningContent": {"reasoningText": {"text": "hm", "signature": pack_signature(ForeignSignature())}}}
    )
    assert part == Thinking("hm")
    assert write_content(part, Text("end")) == [{"text": "end"}]


def test_fields_that_only_this_wire_has_travel_in_extras():
    got = read_request(
        {
            "messages": [
                {"role": "user", "content": [
                    {"guardContent": {"image": {"format": "png", "source": {"bytes": PNG}}}},
                    {"document": {"name": "n", "context": "old", "format": "pdf", "source": {"bytes": "AA=="}}},
                ]},
            ],
        }
    )  # fmt: skip
    assert got.messages[0].parts[0] == Image(data=PNG, media_type="image/png")
    assert got.extras == {
        "messages.0.content.0.guardContent": True,
        "messages.0.content.1.document.context": "old",
    }


@pytest.mark.parametrize(
    ("document", "param"),
    [
        ({"messages": [{"role": "robot", "content": []}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": [{"toolUse": {"name": "f"}}]}]},
         "messages[0].content[0].toolUse.toolUseId"),
        ({"messages": [{"role": "user", "content": [{}]}]}, "messages.0.content.0"),
        ({"messages": [{"role": "user", "content": [{"toolAddition": {"tool": {"name": "f"}}}]}]},
         "messages.0.content.0"),
        ({"messages": [{"role": "user", "content": [{"image": {"format": "png", "source": {}}}]}]},
         "messages.0.content.0"),
        ({"messages": [{"role": "user", "content": [
            {"toolUse": {"toolUseId": "t", "name": "f", "input": {}, "type": "server_tool_use"}}]}]},
         "messages.0.content.0"),
        ({"messages": [{"role": "user", "content": [{"toolResult": {"toolUseId": "t", "content": [{}]}}]}]},
         "messages.0.content.0.toolResult.content.0"),
        ({"messages": [{"role": "user", "content": [{"text": "a"}]}], "system": [
            {"guardContent": {"image": {"format": "png", "source": {"bytes": PNG}}}}]}, "system"),
        ({"messages": [{"role": "user", "content": [{"text": "a"}]}], "outputConfig": {"textFormat": {
            "structure": {"jsonSchema": {"schema": "nope"}}}}},
         "outputConfig.textFormat.structure.jsonSchema.schema"),
    ],
)  # fmt: skip
def test_an_invalid_request_names_the_field(document, param):
    with pytest.raises(BadRequest) as caught:
        read_request(document)
    assert caught.value.param == param


names = st.sampled_from(
    ["messages", "role", "content", "text", "image", "document", "toolUse", "toolResult", "source", "bytes", "format",
     "name", "json", "system", "toolConfig", "tools", "toolSpec", "inputSchema", "user", "assistant",
     "reasoningContent", "reasoningText", "signature", "cachePoint", "additionalModelRequestFields", "thinking",
     "outputConfig"]
)  # fmt: skip
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=5) | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)
blocks = st.lists(st.dictionaries(names, values, min_size=1, max_size=2), max_size=3)


@given(st.lists(blocks, max_size=3), st.dictionaries(names.filter(lambda name: name != "messages"), values, max_size=4))
def test_random_requests_are_refused_or_can_be_written(turns, more):
    messages = [{"role": "user", "content": content} for content in turns]
    with contextlib.suppress(BadRequest):
        CODEC.write_request(read_request({"messages": messages, **more}), make_target())


# --- round trip: a written request is read back with the same meaning -----------------------------------------------

words = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=8).filter(lambda text: text.strip())
ids = st.from_regex(r"\A[a-zA-Z0-9_-]{1,12}\Z")
arguments = st.dictionaries(words, st.text(max_size=4) | st.integers(-9, 9) | st.none(), max_size=3).map(
    lambda value: msgspec.json.encode(value).decode()
)
image_parts = st.builds(Image, data=st.just(PNG), media_type=st.sampled_from(["image/png", "image/webp"]))
result_parts = st.lists(st.builds(Text, words) | image_parts, min_size=1, max_size=2).map(tuple)
user_parts = st.lists(st.builds(Text, words) | image_parts, min_size=1, max_size=3).map(tuple)
model_parts = st.lists(
    st.builds(Text, words)
    | st.builds(ToolCall, ids, ids, arguments)
    | st.builds(Thinking, words, words, wire=st.just("bedrock")),
    min_size=1,
    max_size=3,
).map(tuple)
requests = st.builds(
    Request,
    model=st.just("m"),
    messages=st.lists(st.tuples(user_parts, model_parts), max_size=2).flatmap(
        lambda turns: user_parts.map(
            lambda last: (
                *(message for user, model in turns for message in (Message("user", user), Message("assistant", model))),
                Message("user", last),
            )
        )
    ),
    system=st.lists(st.builds(Text, words), max_size=2).map(tuple),
    tools=st.lists(st.builds(Tool, ids, words, st.just(WEATHER)), min_size=1, max_size=2).map(tuple),
    tool_choice=st.none() | st.just(ToolChoice("auto")) | st.builds(ToolChoice, st.just("tool"), st.tuples(ids)),
    max_tokens=st.none() | st.integers(1, 9000),
    temperature=st.none() | st.sampled_from([0.0, 0.5, 1.0]),
    stop=st.lists(words, max_size=2).map(tuple),
    metadata=st.none() | st.dictionaries(ids, ids, min_size=1, max_size=2),
    service_tier=st.sampled_from(["", "flex"]),
)


@given(requests)
def test_a_written_request_is_read_back(request):
    written = CODEC.write_request(request, make_target())
    assert written.dropped == ()
    document = Converse().peek(written.body, "m", False).document
    assert CODEC.read_request(document, "m", False) == request
