"""Whole answers of the Gemini wire, read into the neutral form and written from it."""

import json
from typing import Any

import pytest

from antiphon.errors import BadAnswer
from antiphon.types import Usage
from antiphon.wires.gemini import Gemini
from antiphon.wires.gemini.signatures import seal
from antiphon.wires.translation.neutral import (
    Choice,
    Finish,
    Image,
    Message,
    Refusal,
    Reply,
    Request,
    Text,
    Thinking,
    ToolCall,
)

CODEC = Gemini()
ASKED = Request(model="asked", messages=(Message("user", (Text("Hi"),)),))


def answer(*parts: Any, finish: str | None = "STOP", **more: Any) -> dict[str, Any]:
    candidate = {"content": {"parts": list(parts), "role": "model"}, "index": 0, **more}
    if finish:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "modelVersion": "gemini-3-flash", "responseId": "r1"}


def read(document: Any) -> Reply:
    return CODEC.read_reply(json.dumps(document).encode())


def write(*parts: Any, finish: Finish | None = None, **more: Any) -> dict[str, Any]:
    reply = Reply(id="r1", model="served", choices=(Choice(tuple(parts), finish or Finish("stop"), **more),))
    document: dict[str, Any] = json.loads(CODEC.write_reply(reply, ASKED))
    return document


def test_a_whole_answer_and_back() -> None:
    document = {
        "candidates": [
            {
                "content": {
                    "parts": [
                        {"text": "Weighing…", "thought": True, "thoughtSignature": "U0lH"},
                        {"text": "Both cities."},
                        {"functionCall": {"name": "get_weather", "args": {"city": "東京"}, "id": "c1"},
                         "thoughtSignature": "Q0FMTA=="},
                        {"functionCall": {"name": "get_time", "args": {}, "id": "c2"}},
                    ],
                    "role": "model",
                },
                "finishReason": "STOP",
                "index": 0,
                "logprobsResult": {
                    "chosenCandidates": [{"token": "Bo", "logProbability": -0.5}],
                    "topCandidates": [{"candidates": [{"token": "Bo", "logProbability": -0.5}]}],
                },
            },
            {"content": {"parts": [{"text": "Or"}], "role": "model"}, "finishReason": "MAX_TOKENS", "index": 1},
        ],
        "usageMetadata": {
            "promptTokenCount": 30, "candidatesTokenCount": 12, "totalTokenCount": 62, "cachedContentTokenCount": 10,
            "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 10}], "thoughtsTokenCount": 20,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 30}],
        },
        "modelVersion": "gemini-3-flash",
        "responseId": "r1",
    }  # fmt: skip
    token = {"token": "Bo", "logprob": -0.5, "bytes": [66, 111]}
    expected = Reply(
        id="r1",
        model="gemini-3-flash",
        choices=(
            Choice(
                (
                    Thinking("Weighing…", "U0lH", wire="gemini"),
                    Text("Both cities."),
                    ToolCall("c1", "get_weather", '{"city":"東京"}', "Q0FMTA=="),
                    ToolCall("c2", "get_time"),
                ),
                Finish("tool_calls"),
                {"content": [{**token, "top_logprobs": [token]}]},
            ),
            Choice((Text("Or"),), Finish("length", choice=1)),
        ),
        usage=Usage(input=20, cache_read=10, output=12, reasoning=20),
    )
    raw = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    assert CODEC.read_reply(raw) == expected
    assert json.loads(CODEC.write_reply(expected, ASKED)) == document


@pytest.mark.parametrize(
    ("reason", "neutral"),
    [
        ("STOP", "stop"), ("MAX_TOKENS", "length"), ("CONTINUATION", "pause"),
        *((reason, "content_filter") for reason in (
            "SAFETY", "RECITATION", "LANGUAGE", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY",
            "NO_IMAGE", "SOMETHING_NEW")),
    ],
)  # fmt: skip
def test_finish_reasons(reason: str, neutral: str) -> None:
    assert read(answer({"text": "x"}, finish=reason)).choices[0].finish.reason == neutral


@pytest.mark.parametrize("reason", ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "MISSING_THOUGHT_SIGNATURE"])
def test_a_failed_generation_is_an_error_on_other_wires(reason: str) -> None:
    with pytest.raises(BadAnswer, match=f"{reason}: call:f"):
        read(answer(finish=reason, finishMessage="call:f("))


@pytest.mark.parametrize(
    ("reason", "written"),
    [("stop", "STOP"), ("tool_calls", "STOP"), ("length", "MAX_TOKENS"), ("content_filter", "SAFETY"),
     ("refusal", "SAFETY"), ("pause", "OTHER")],
)  # fmt: skip
def test_written_finish_reasons(reason: Any, written: str) -> None:
    candidate = write(Text("x"), finish=Finish(reason))["candidates"][0]
    assert candidate["finishReason"] == written
    assert ("finishMessage" in candidate) is (reason == "pause")


def test_a_blocked_prompt() -> None:
    reply = read({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 5}})
    assert reply.choices == (Choice((), Finish("content_filter")),)
    assert reply.usage == Usage(input=5)
    assert reply.id


@pytest.mark.parametrize(
    "document",
    [
        {}, {"candidates": []}, {"candidates": [{}]}, {"error": {"message": "no"}}, [], 3,
        answer({"functionCall": {"name": "f", "args": [1]}}), answer({"functionCall": {"name": "f", "args": "x"}}),
        {"promptFeedback": {"blockReason": "BLOCKED_REASON_UNSPECIFIED"}},
    ],
)  # fmt: skip
def test_invalid_answers_are_rejected(document: Any) -> None:
    with pytest.raises(BadAnswer):
        read(document)


def test_an_answer_without_a_finish_reason_is_accepted() -> None:
    assert read(answer({"text": "x"}, finish=None)).choices[0].finish.reason == "stop"


def test_calls_without_ids_get_their_own() -> None:
    parts = (
        read(answer({"functionCall": {"name": "f", "args": None}}, {"functionCall": {"name": "f"}})).choices[0].parts
    )
    ids = {part.id for part in parts if isinstance(part, ToolCall)}
    assert len(ids) == 2
    assert all(isinstance(part, ToolCall) and part.arguments == "{}" for part in parts)


def test_media_and_code_in_an_answer() -> None:
    parts = (
        read(
            answer(
                {"text": "See "},
                {"text": "this:"},
                {"text": "", "thoughtSignature": "QUJD"},
                {"text": "", "thought": True},
                {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
                {"executableCode": {"language": "PYTHON", "code": "print(1)"}},
                {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1\n"}},
            )
        )
        .choices[0]
        .parts
    )
    assert parts == (
        Text("See this:"),
        Thinking("", "QUJD", wire="gemini"),
        Image(data="AAAA", media_type="image/png"),
        Text("\n```python\nprint(1)\n```\n\n```\n1\n\n```\n"),
    )


def test_citations_both_ways() -> None:
    text = "Grüße aus Köln."
    grounding = {
        "groundingChunks": [
            {"web": {"uri": "https://a", "title": "A"}},
            {"retrievedContext": {"title": "B", "text": "q"}},
        ],
        "groundingSupports": [
            {"segment": {"endIndex": 7, "text": "Grüße"}, "groundingChunkIndices": [0, 9, "x"]},
            {"segment": {"startIndex": 12, "endIndex": 17, "text": "Köln"}, "groundingChunkIndices": [0, 1]},
        ],
    }
    cited = {"citationSources": [{"startIndex": 0, "endIndex": 99, "uri": "https://c"}]}
    reply = read(answer({"text": text}, groundingMetadata=grounding, citationMetadata=cited))
    part = reply.choices[0].parts[0]
    assert isinstance(part, Text)
    assert part.citations == (
        {"type": "url_citation", "url": "https://a", "title": "A", "start_index": 0, "end_index": 5},
        {"type": "url_citation", "url": "https://a", "title": "A", "start_index": 10, "end_index": 14},
        {"type": "document_citation", "title": "B", "cited_text": "q", "start_index": 10, "end_index": 14},
        {"type": "url_citation", "url": "https://c", "title": "", "start_index": 0, "end_index": 15},
    )
    written = json.loads(CODEC.write_reply(reply, ASKED))["candidates"][0]["groundingMetadata"]
    assert written["groundingChunks"] == [
        {"web": {"uri": "https://a", "title": "A"}}, {"retrievedContext": {"title": "B", "text": "q"}},
        {"web": {"uri": "https://c", "title": ""}},
    ]  # fmt: skip
    again = read(answer({"text": text}, groundingMetadata=written)).choices[0].parts[0]
    assert again == part


@pytest.mark.parametrize("broken", [3, [], {"groundingChunks": 3, "groundingSupports": [3, {"segment": 3}]},
                                    {"groundingSupports": [{"groundingChunkIndices": 7}]}])  # fmt: skip
def test_malformed_grounding_is_ignored(broken: Any) -> None:
    document = answer({"text": "x"}, groundingMetadata=broken)
    if isinstance(broken, dict):
        assert read(document).choices[0].parts == (Text("x"),)
    else:
        with pytest.raises(BadAnswer):
            read(document)


def test_citations_of_other_wires() -> None:
    nested = {
        "type": "url_citation",
        "url_citation": {"url": "https://a", "title": "A", "start_index": 1, "end_index": 2},
    }
    document = {"type": "char_location", "document_title": "D", "cited_text": "q", "start_char_index": 5}
    candidate = write(Text("ü"), Text("abc", citations=(nested, document)))["candidates"][0]
    assert candidate["groundingMetadata"]["groundingSupports"] == [
        {"segment": {"startIndex": 3, "endIndex": 4, "text": "b"}, "groundingChunkIndices": [0]},
        {"segment": {"startIndex": 2, "endIndex": 5, "text": "abc"}, "groundingChunkIndices": [1]},
    ]


def test_signatures_of_other_wires_are_encoded() -> None:
    foreign, redacted = Thinking("Hm", "c2ln", wire="anthropic"), Thinking("", "", "eA==", wire="anthropic")
    own, unsigned = Thinking("", "QUJD", wire="gemini"), Thinking("plain", wire="openai")
    assert write(foreign, redacted, unsigned, Thinking("bare"), own)["candidates"][0]["content"]["parts"] == [
        {"text": "Hm", "thought": True, "thoughtSignature": seal(foreign)},
        {"text": "", "thought": True, "thoughtSignature": seal(redacted)},
        {"text": "plain", "thought": True, "thoughtSignature": seal(unsigned)},
        {"text": "bare", "thought": True},
        {"text": "", "thoughtSignature": "QUJD"},
    ]
    assert "c2ln" not in seal(foreign)


def test_malformed_calls_are_kept() -> None:
    candidate = write(Text("x"), ToolCall("a", "f", '{"city": "To'), finish=Finish("length"))["candidates"][0]
    assert candidate["finishReason"] == "MALFORMED_FUNCTION_CALL"
    assert candidate["finishMessage"] == 'Malformed function call: f({"city": "To)'
    assert candidate["content"]["parts"] == [{"text": "x"}]


def test_refusals_images_and_empty_answers() -> None:
    image = Image(data="AAAA", media_type="image/png")
    assert write(Refusal("No."), image)["candidates"][0]["content"]["parts"] == [
        {"text": "No."}, {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
    ]  # fmt: skip
    assert write()["candidates"][0]["content"] == {"parts": [{"text": ""}], "role": "model"}
    nameless = Reply(id="r", model="", choices=())
    assert json.loads(CODEC.write_reply(nameless, ASKED))["modelVersion"] == "asked"
