"""Requests of the Gemini wire, read into the neutral form and written from it."""

import base64
import json
from typing import Any

import pytest

from antiphon.catalog.profiles import get_profile
from antiphon.errors import BadRequest
from antiphon.types import Origin, Target
from antiphon.wires.gemini import Gemini
from antiphon.wires.gemini.signatures import UNSIGNED_CALL, seal
from antiphon.wires.translation.codec import WrittenRequest
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

CODEC = Gemini()
PIXEL = "iVBORw0KGgo="
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = Tool("get_weather", "Weather of a city", SCHEMA)
USER = Message("user", (Text("Hi"),))


def make_target(model: str = "gemini-3-flash") -> Target:
    return Target("p/" + model, "p", model, "kind", "gemini", Origin("http", "h", 80), {}, profile=get_profile(model))


def read(contents: Any = None, **fields: Any) -> Request:
    contents = contents or [{"role": "user", "parts": [{"text": "Hi"}]}]
    return CODEC.read_request({"contents": contents, **fields}, "m", False)


def write_request(request: Request, model: str = "gemini-3-flash") -> tuple[dict[str, Any], WrittenRequest]:
    out = CODEC.write_request(request, make_target(model))
    return json.loads(out.body), out


def write(*messages: Message, model: str = "gemini-3-flash", **fields: Any) -> dict[str, Any]:
    return write_request(Request(model="m", messages=messages or (USER,), **fields), model)[0]


def test_a_whole_request_in_both_spellings() -> None:
    camel: dict[str, Any] = {
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "Weather in Tōkyō?"}]},
            {
                "role": "model",
                "parts": [{"functionCall": {"id": "c1", "name": "get_weather", "args": {"city": "東京"}}}],
            },
            {
                "role": "user",
                "parts": [{"functionResponse": {"id": "c1", "name": "get_weather", "response": {"output": "sunny"}}}],
            },
        ],
        "tools": [
            {
                "functionDeclarations": [
                    {"name": "get_weather", "description": "Weather of a city", "parametersJsonSchema": SCHEMA}
                ]
            }
        ],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["get_weather"]}},
        "generationConfig": {
            "temperature": 0.5,
            "topP": 0.9,
            "topK": 40,
            "candidateCount": 2,
            "maxOutputTokens": 100,
            "stopSequences": ["END"],
            "seed": 7,
            "presencePenalty": 0.1,
            "frequencyPenalty": 0.2,
            "responseLogprobs": True,
            "logprobs": 3,
            "thinkingConfig": {"thinkingLevel": "LOW", "includeThoughts": True},
        },
        "serviceTier": "flex",
    }
    expected = Request(
        model="m",
        system=(Text("Be brief."),),
        messages=(
            Message("user", (Text("Weather in Tōkyō?"),)),
            Message("assistant", (ToolCall("c1", "get_weather", '{"city":"東京"}'),)),
            Message("user", (ToolResult("c1", (Text("sunny"),), name="get_weather"),)),
        ),
        tools=(WEATHER,),
        tool_choice=ToolChoice("tool", ("get_weather",)),
        temperature=0.5, top_p=0.9, top_k=40, n=2, max_tokens=100, stop=("END",), seed=7, presence_penalty=0.1,
        frequency_penalty=0.2, logprobs=True, top_logprobs=3, reasoning=Reasoning(effort="low", summary="auto"),
        service_tier="flex",
    )  # fmt: skip
    assert CODEC.read_request(camel, "m", False) == expected
    assert CODEC.read_request(to_snake_case(camel), "m", False) == expected
    body, out = write_request(expected)
    camel["contents"][1]["parts"][0]["thoughtSignature"] = UNSIGNED_CALL
    camel["generationConfig"]["thinkingConfig"]["thinkingLevel"] = "low"
    assert body == camel
    assert out.dropped == ()


def to_snake_case(value: Any) -> Any:
    """Return a value with its names in snake_case, except inside the caller's own objects."""
    if isinstance(value, list):
        return [to_snake_case(item) for item in value]
    if not isinstance(value, dict):
        return value
    own = {"args", "response", "parametersJsonSchema"}
    return {
        "".join("_" + letter.lower() if letter.isupper() else letter for letter in key): item
        if key in own
        else to_snake_case(item)
        for key, item in value.items()
    }


def test_the_callers_own_names_keep_their_spelling() -> None:
    args = {"user_name": {"first_name": "A"}}
    request = read(
        [
            {"role": "user", "parts": {"text": "Hi"}},
            {"role": "model", "parts": {"function_call": {"name": "save_user", "args": args}}},
            {"parts": {"function_response": {"name": "save_user", "response": {"row_id": 1}}}},
        ],
        tools={"function_declarations": [{"name": "save_user", "parameters": {
            "type": "OBJECT", "properties": {"user_name": {"type": "STRING", "min_length": "2"}}}}]},
    )  # fmt: skip
    call, result = request.messages[1].parts[0], request.messages[2].parts[0]
    assert isinstance(call, ToolCall)
    assert isinstance(result, ToolResult)
    assert json.loads(call.arguments) == args
    assert result.parts == (Text('{"row_id":1}'),)
    assert result.id == call.id
    assert request.tools[0].schema == {
        "type": "object",
        "properties": {"user_name": {"type": "string", "minLength": 2}},
    }


def test_results_without_ids_are_matched_with_their_calls_in_order() -> None:
    request = read(
        [
            {"parts": [{"text": "Both?"}]},
            {
                "role": "model",
                "parts": [
                    {"functionCall": {"name": "f", "args": {"n": 1}}},
                    {"functionCall": {"name": "g"}},
                    {"functionCall": {"name": "f", "args": {"n": 2}}},
                ],
            },
            {"role": "function", "parts": [{"functionResponse": {"name": "f", "response": {"error": "no"}}}]},
            {
                "role": "function",
                "parts": [
                    {"functionResponse": {"name": "f", "response": {"output": {"a": 1}}}},
                    {"functionResponse": {"name": "g"}},
                ],
            },
        ]
    )
    calls = [part for part in request.messages[1].parts if isinstance(part, ToolCall)]
    assert len({call.id for call in calls}) == 3
    assert calls[1].arguments == "{}"
    assert len(request.messages) == 3
    assert request.messages[2].parts == (
        ToolResult(calls[0].id, (Text("no"),), name="f", error=True),
        ToolResult(calls[2].id, (Text('{"a":1}'),), name="f"),
        ToolResult(calls[1].id, (), name="g"),
    )
    mixed = [{"functionCall": {"name": "f"}}, {"functionCall": {"name": "f", "id": "call_1"}}]
    made = read([{"parts": [{"text": "x"}]}, {"role": "model", "parts": mixed}]).messages[1].parts
    assert [part.id for part in made if isinstance(part, ToolCall)] == ["call_2", "call_1"]
    with pytest.raises(BadRequest, match="no functionCall before it"):
        read([{"parts": [{"functionResponse": {"name": "f", "response": {}}}]}])


def test_media_of_every_kind() -> None:
    request = read(
        [
            {
                "role": "user",
                "parts": [
                    {
                        "inlineData": {"mimeType": "image/png", "data": PIXEL},
                        "mediaResolution": {"level": "MEDIA_RESOLUTION_LOW"},
                    },
                    {"inline_data": {"mime_type": "audio/wav", "data": "AAAA"}},
                    {"inlineData": {"mimeType": "application/pdf", "data": "JVBER", "displayName": "a.pdf"}},
                    {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://example.com/a.jpg"}},
                    {
                        "fileData": {"mimeType": "video/mp4", "fileUri": "gs://bucket/a.mp4"},
                        "videoMetadata": {"fps": 2},
                    },
                    {"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/abc"}},
                ],
            },
        ]
    )
    parts = (
        Image(data=PIXEL, media_type="image/png", detail="low"),
        Audio("AAAA", "audio/wav"),
        File(data="JVBER", media_type="application/pdf", name="a.pdf"),
        Image(url="https://example.com/a.jpg", media_type="image/jpeg"),
        File(file_id="gs://bucket/a.mp4", media_type="video/mp4"),
        File(file_id="https://generativelanguage.googleapis.com/v1beta/files/abc"),
    )
    assert request.messages[0].parts == parts
    assert request.extras == {"videoMetadata": {"fps": 2}}
    body, out = write_request(request)
    assert body["contents"][0]["parts"] == [
        {"inlineData": {"mimeType": "image/png", "data": PIXEL}},
        {"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}},
        {"inlineData": {"mimeType": "application/pdf", "data": "JVBER"}},
        {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://example.com/a.jpg"}},
        {"fileData": {"mimeType": "video/mp4", "fileUri": "gs://bucket/a.mp4"}},
        {"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/abc"}},
    ]
    assert set(out.dropped) == {"detail", "filename", "videoMetadata"}


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (Image(url=f"data:image/png;base64,{PIXEL}"), {"inlineData": {"mimeType": "image/png", "data": PIXEL}}),
        (
            Image(url="https://e.com/x.WEBP?v=1"),
            {"fileData": {"mimeType": "image/webp", "fileUri": "https://e.com/x.WEBP?v=1"}},
        ),
        (Image(url="https://e.com/x"), {"fileData": {"fileUri": "https://e.com/x"}}),
        (Audio("AA", "audio/mpeg"), {"inlineData": {"mimeType": "audio/mp3", "data": "AA"}}),
        (
            File(text="päng"),
            {"inlineData": {"mimeType": "text/plain", "data": base64.b64encode("päng".encode()).decode()}},
        ),
    ],
)
def test_media_of_other_wires(part: Any, expected: dict[str, Any]) -> None:
    assert write(Message("user", (part,)))["contents"][0]["parts"] == [expected]


@pytest.mark.parametrize(
    "part",
    [File(file_id="file-abc123"), Image(data=PIXEL), Image(), Image(url="data:image/svg+xml,<svg/>"), Audio()],
)
def test_unsupported_media_are_refused(part: Any) -> None:
    with pytest.raises(BadRequest):
        write(Message("user", (part,)))


def test_images_of_results_follow_the_results_for_models_before_3() -> None:
    shown = {"inlineData": {"mimeType": "image/png", "data": PIXEL}}
    called = Message("assistant", (ToolCall("a", "f", "{}", "QUJD"), ToolCall("b", "g")))
    first = Message("user", (ToolResult("a", (Text("one"), Image(data=PIXEL, media_type="image/png"))),))
    second = Message("user", (ToolResult("b", (Text("two"),)),))
    results = {"role": "user", "parts": [
        {"functionResponse": {"name": "f", "response": {"output": "one"}, "id": "a"}},
        {"functionResponse": {"name": "g", "response": {"output": "two"}, "id": "b"}},
    ]}  # fmt: skip
    contents = write(USER, called, first, second, model="gemini-2.5-flash")["contents"]
    assert contents[2:] == [results, {"role": "user", "parts": [shown]}]
    turn = Message("user", (*second.parts, Text("Go on.")))
    contents = write(USER, called, first, turn, model="gemini-2.5-flash")["contents"]
    assert contents[2:] == [results, {"role": "user", "parts": [shown, {"text": "Go on."}]}]


def test_tool_results_with_errors_and_images() -> None:
    body = write(
        USER,
        Message("assistant", (Text("Looking."), ToolCall("a", "f", '{"x": 1.50}', "QUJD"), ToolCall("b", "g"))),
        Message("user", (ToolResult("a", (Text("one"), Text("two"), Image(data=PIXEL, media_type="image/png"))),)),
        Message("user", (ToolResult("b", (Text("broke"),), error=True), Text("Go on."))),
    )
    assert body["contents"][1:] == [
        {"role": "model", "parts": [
            {"text": "Looking."},
            {"functionCall": {"name": "f", "args": {"x": 1.5}, "id": "a"}, "thoughtSignature": "QUJD"},
            {"functionCall": {"name": "g", "args": {}, "id": "b"}},
        ]},
        {"role": "user", "parts": [
            {"functionResponse": {"name": "f", "response": {"output": "one\ntwo"}, "id": "a",
                                  "parts": [{"inlineData": {"mimeType": "image/png", "data": PIXEL}}]}},
            {"functionResponse": {"name": "g", "response": {"error": "broke"}, "id": "b"}},
        ]},
        {"role": "user", "parts": [{"text": "Go on."}]},
    ]  # fmt: skip


def test_arguments_are_sent_unchanged() -> None:
    arguments = '{"big": 12345678901234567890123, "exact": 1.50, "ü": "\\u00fc"}'
    request = Request(model="m", messages=(USER, Message("assistant", (ToolCall("a", "f", arguments),))))
    assert arguments.encode() in CODEC.write_request(request, make_target()).body


@pytest.mark.parametrize("arguments", ["[1]", '{"a":', "nonsense", '"x"'])
def test_arguments_that_are_no_object_are_refused(arguments: str) -> None:
    with pytest.raises(BadRequest, match="must be a JSON object"):
        write(USER, Message("assistant", (ToolCall("a", "f", arguments),)))


def test_a_result_of_an_unknown_call_is_refused() -> None:
    with pytest.raises(BadRequest, match="no message before it"):
        write(Message("user", (ToolResult("zz", (Text("x"),)),)))


def test_thinking_returns_with_its_signature_and_never_as_text() -> None:
    body = write(
        USER,
        Message("assistant", (
            Thinking("Let me see", "U0lH", wire="gemini"),
            Thinking("secret of another", "c2ln", wire="anthropic"),
            Text("It is"), Thinking("", "VEVYVA==", wire="gemini"),
        )),
        Message("assistant", (Thinking("", "Q0FMTA==", wire="gemini"), ToolCall("a", "f"))),
        Message("assistant", (Thinking("", "QUxPTkU=", wire="gemini"),)),
        Message("assistant", (Thinking("only foreign", "c2ln", wire="anthropic"),)),
        Message("assistant", (Thinking("", "V09SRFM=", wire="gemini"), Refusal("No."))),
    )  # fmt: skip
    assert [content["parts"] for content in body["contents"][1:]] == [
        [{"text": "Let me see", "thought": True, "thoughtSignature": "U0lH"},
         {"text": "It is", "thoughtSignature": "VEVYVA=="}],
        [{"functionCall": {"name": "f", "args": {}, "id": "a"}, "thoughtSignature": "Q0FMTA=="}],
        [{"text": "", "thoughtSignature": "QUxPTkU="}],
        [{"text": "", "thoughtSignature": "V09SRFM="}, {"text": "No."}],
    ]  # fmt: skip


def test_signatures_of_a_text_and_of_a_call_both_return() -> None:
    parts = (Text("So"), Thinking("", "VEVYVA==", wire="gemini"), ToolCall("a", "f", "{}", "Q0FMTA=="))
    assert write(USER, Message("assistant", parts))["contents"][1]["parts"] == [
        {"text": "So", "thoughtSignature": "VEVYVA=="},
        {"functionCall": {"name": "f", "args": {}, "id": "a"}, "thoughtSignature": "Q0FMTA=="},
    ]


def test_thinking_of_other_wires_survives_a_client_of_this_wire() -> None:
    foreign = Thinking("", "c2lnbmF0dXJl", wire="anthropic")
    hidden = Thinking("", "", "ZW5jcnlwdGVk", "rs_1", "responses")
    url_safe = seal(foreign).replace("+", "-").replace("/", "_")
    request = read(
        [
            {"role": "user", "parts": [{"text": "Hi"}]},
            {"role": "model", "parts": [{"text": "I th", "thought": True}]},
            {
                "role": "model",
                "parts": [
                    {"text": "ink", "thought": True},
                    {"text": "", "thought": True, "thoughtSignature": url_safe},
                ],
            },
            {
                "role": "model",
                "parts": [{"text": "", "thought": True, "thoughtSignature": seal(hidden)}, {"text": "Hel"}],
            },
            {
                "role": "model",
                "parts": [{"text": "lo"}, {"functionCall": {"name": "f", "id": "a"}, "thoughtSignature": "T1dO"}],
            },
        ]
    )
    assert request.messages[1:] == (
        Message(
            "assistant",
            (
                Thinking("I think", "c2lnbmF0dXJl", wire="anthropic"),
                hidden,
                Text("Hello"),
                ToolCall("a", "f", "{}", "T1dO"),
            ),
        ),
    )


def test_a_signature_that_only_looks_encoded_is_the_providers_own() -> None:
    strange = seal(Thinking("", "s", wire="anthropic"))[:14] + "!!"
    request = read([{"role": "model", "parts": [{"text": "x", "thought": True, "thoughtSignature": strange}]}])
    assert request.messages[0].parts == (Thinking("x", strange, wire="gemini"),)


@pytest.mark.parametrize(
    ("config", "choice"),
    [
        (None, None),
        ({"mode": "AUTO"}, ToolChoice("auto")),
        ({"mode": "none"}, ToolChoice("none")),
        ({"mode": "ANY"}, ToolChoice("required")),
        ({"mode": "ANY", "allowedFunctionNames": ["get_weather", "g"]}, ToolChoice("required", ("get_weather", "g"))),
        ({"mode": "ANY", "allowedFunctionNames": ["g"]}, ToolChoice("tool", ("g",))),
    ],
)
def test_tool_choices(config: Any, choice: ToolChoice | None) -> None:
    declared = [{"name": "get_weather"}, {"name": "g"}]
    fields = {} if config is None else {"toolConfig": {"functionCallingConfig": config}}
    request = read(tools=[{"functionDeclarations": declared}], **fields)
    assert request.tool_choice == choice
    again = write_request(request)[0].get("toolConfig")
    assert again == (None if config is None else {"functionCallingConfig": {**config, "mode": config["mode"].upper()}})


def test_validated_calls_are_strict_tools() -> None:
    request = read(
        tools=[{"functionDeclarations": [{"name": "f"}, {"name": "g"}]}],
        toolConfig={"functionCallingConfig": {"mode": "VALIDATED", "allowedFunctionNames": ["g"]}},
    )
    assert request.tools == (Tool("g", strict=True),)
    assert request.tool_choice == ToolChoice("auto")
    assert write_request(request)[0]["toolConfig"] == {"functionCallingConfig": {"mode": "VALIDATED"}}


def test_a_tool_choice_without_tools_is_not_sent() -> None:
    assert "toolConfig" not in write(tool_choice=ToolChoice("none"))


def test_built_in_tools_stay_on_their_wire() -> None:
    request = read(tools=[{"googleSearch": {}}, {"code_execution": {}}, {"functionDeclarations": {"name": "f"}}])
    assert [tool.name for tool in request.tools] == ["googleSearch", "codeExecution", "f"]
    assert write_request(request)[0]["tools"] == [
        {"functionDeclarations": [{"name": "f"}]}, {"googleSearch": {}}, {"codeExecution": {}},
    ]  # fmt: skip
    with pytest.raises(BadRequest, match="built into models of the anthropic wire"):
        write(tools=(Tool("web_search", builtin={"type": "web_search_20250305"}, wire="anthropic"),))


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"responseMimeType": "text/plain"}, None),
        ({"responseMimeType": "application/json"}, Format("json")),
        ({"responseMimeType": "application/json", "responseJsonSchema": SCHEMA}, Format("schema", SCHEMA)),
        (
            {"responseMimeType": "application/json",
             "responseSchema": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}, "required": ["city"],
                                "propertyOrdering": ["city"]}},
            Format("schema", SCHEMA),
        ),
    ],
)  # fmt: skip
def test_structured_output(config: dict[str, Any], expected: Format | None) -> None:
    request = read(generationConfig=config)
    assert request.format == expected
    again = write_request(request)[0].get("generationConfig")
    if expected is None:
        assert again is None
    elif expected.kind == "json":
        assert again == {"responseMimeType": "application/json"}
    else:
        assert again == {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"cachedContent": "cachedContents/1"}, "cachedContent"),
        ({"generationConfig": {"responseMimeType": "text/x.enum"}}, "generationConfig.responseMimeType"),
        ({"generationConfig": {"responseModalities": ["TEXT", "VIDEO"]}}, "generationConfig.responseModalities"),
        ({"generationConfig": {"responseFormat": [{"text": {}}]}}, "generationConfig.responseFormat"),
        ({"generationConfig": {"responseMimeType": "application/json", "responseJsonSchema": []}},
         "generationConfig.responseJsonSchema"),
        ({"contents": [{"role": "model", "parts": [{"executableCode": {"code": "1"}}]}]},
         "contents[0].parts[0].executableCode"),
        ({"contents": [{"role": "model", "parts": [{"codeExecutionResult": {}}]}]},
         "contents[0].parts[0].codeExecutionResult"),
        ({"contents": [{"role": "robot", "parts": [{"text": "x"}]}]}, "contents[0].role"),
        ({"contents": [{"parts": [{}]}]}, "contents[0].parts[0]"),
        ({"systemInstruction": {"parts": [{"inlineData": {"mimeType": "image/png"}}]}}, "systemInstruction"),
        ({"toolConfig": {"functionCallingConfig": {"mode": "SOMETIMES"}}}, "toolConfig.functionCallingConfig.mode"),
        ({"tools": [{"functionDeclarations": [{"description": "no name"}]}]}, "tools[0].functionDeclarations[0].name"),
        ({"tools": [{"functionDeclarations": [{"name": "f", "parameters": {"properties": {"a": 3}}}]}]},
         "tools[0].functionDeclarations[0].parameters.properties.a"),
        ({"tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": 3}]}]},
         "tools[0].functionDeclarations[0].parametersJsonSchema"),
    ],
)  # fmt: skip
def test_fields_without_a_counterpart_are_refused(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read(**fields)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"thinkingBudget": 0}, Reasoning(effort="none")),
        ({"thinkingBudget": -1}, Reasoning(adaptive=True)),
        ({"thinkingBudget": 2048, "includeThoughts": True}, Reasoning(budget=2048, summary="auto")),
        ({"thinkingLevel": "MINIMAL"}, Reasoning(effort="minimal")),
        ({"thinkingLevel": "xhigh"}, Reasoning(effort="xhigh")),
        ({"thinkingLevel": "THINKING_LEVEL_UNSPECIFIED"}, Reasoning()),
    ],
)
def test_requested_thinking_is_translated(config: dict[str, Any], expected: Reasoning) -> None:
    assert read(generationConfig={"thinkingConfig": config}).reasoning == expected


@pytest.mark.parametrize(
    ("model", "reasoning", "expected", "dropped"),
    [
        ("gemini-2.5-flash", Reasoning("none"), {"thinkingBudget": 0}, False),
        (
            "gemini-2.5-pro",
            Reasoning("medium", summary="auto"),
            {"thinkingBudget": 8192, "includeThoughts": True},
            False,
        ),
        ("gemini-2.5-pro", Reasoning(adaptive=True), {"thinkingBudget": -1, "includeThoughts": True}, False),
        ("gemini-3-flash", Reasoning("minimal"), {"thinkingLevel": "minimal"}, False),
        ("gemini-3.1-pro-preview", Reasoning("minimal"), {"thinkingLevel": "low"}, False),
        ("gemini-3-flash", Reasoning("none"), {"thinkingLevel": "minimal"}, True),
        ("gemini-3.8-flash", Reasoning("xhigh"), {"thinkingLevel": "high"}, False),
        ("gemini-3-flash", Reasoning(budget=4096), {"thinkingBudget": 4096, "includeThoughts": True}, False),
        ("gemini-3-flash", Reasoning(adaptive=True), {"includeThoughts": True}, False),
        ("gemini-3-flash", Reasoning(), None, False),
    ],
)
def test_thinking_is_written_in_the_form_of_the_model(
    model: str, reasoning: Reasoning, expected: Any, dropped: bool
) -> None:
    body, out = write_request(Request(model="m", messages=(USER,), reasoning=reasoning), model)
    assert body.get("generationConfig", {}).get("thinkingConfig") == expected
    assert ("reasoning" in out.dropped) is dropped


def test_tuning_fields_are_dropped_by_name() -> None:
    cached = Text("Hi", cache={"type": "ephemeral"})
    body, out = write_request(
        Request(
            model="m",
            messages=(Message("user", (cached, File(text="x", cite=True)), name="ann"),),
            parallel_tool_calls=False,
            user="u1",
            metadata={"a": "b"},
            service_tier="scale",
            seed=2**40,
            extras={"store": True, "safetySettings": [1], "generationConfig.speechConfig": {"a": 1},
                    "toolConfig.retrievalConfig": {"languageCode": "de"}},
        )
    )  # fmt: skip
    assert set(out.dropped) == {
        "cache_control",
        "citations",
        "name",
        "parallel_tool_calls",
        "user",
        "metadata",
        "service_tier",
        "seed",
        "store",
    }
    assert body["safetySettings"] == [1]
    assert body["generationConfig"] == {"speechConfig": {"a": 1}}
    assert body["toolConfig"] == {"retrievalConfig": {"languageCode": "de"}}


def test_fields_that_only_this_wire_has_are_reported() -> None:
    request = read(
        safetySettings=[{"category": "X"}], labels={"team_name": "a"}, futureField=1, serviceTier="express",
        generation_config={"speech_config": {}, "temperature": 0}, toolConfig={"retrievalConfig": {}},
    )  # fmt: skip
    assert set(request.extras) == {
        "safetySettings", "labels", "futureField", "serviceTier", "generationConfig.speechConfig",
        "toolConfig.retrievalConfig",
    }  # fmt: skip
    assert request.extras["labels"] == {"team_name": "a"}
    assert request.temperature == 0


def test_system_messages_stay_system_messages() -> None:
    later = Message("system", (Text("And polite."),))
    body = write(USER, later, system=(Text("Be brief."),))
    assert body["systemInstruction"] == {"parts": [{"text": "Be brief."}, {"text": "And polite."}]}
    assert body["contents"] == [{"role": "user", "parts": [{"text": "Hi"}]}]
    alone = write(later)
    assert alone == {"contents": [{"role": "user", "parts": [{"text": "And polite."}]}]}


def test_top_logprobs_are_limited() -> None:
    body = write(logprobs=True, top_logprobs=50)
    assert body["generationConfig"] == {"responseLogprobs": True, "logprobs": 20}


def test_a_user_may_not_speak_for_the_model() -> None:
    with pytest.raises(BadRequest, match="may not hold"):
        write(Message("user", (ToolCall("a", "f"),)))
