"""The rows of the matrix: a question, what the provider must receive, and what the client must see."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from system.matrix.natives import TEXT
from system.matrix.questions import (
    EMPTY,
    PDF,
    PICTURE,
    PIXEL,
    QUOTE,
    SCHEMA,
    SOUND,
    TITLE,
    WEB,
    Answer,
    Part,
    Question,
    Result,
    Tool,
    Turn,
    make_turns,
)
from system.matrix.received_requests import ReceivedRequest

ARGUMENTS = {"city": 'Zürich 東京 "🌦"'}
TOOLS = (Tool("get_weather"), Tool("now", EMPTY))
OK = (Result("18 °C"), Result("noon"))
BUCKETS = {
    "chat": {"input", "output", "cache_read", "cache_write", "reasoning"},
    "responses": {"input", "output", "cache_read", "cache_write", "reasoning"},
    "messages": {"input", "output", "cache_read", "cache_write", "reasoning"},
    "generate": {"input", "output", "cache_read", "reasoning"},
    "converse": {"input", "output", "cache_read", "cache_write"},
}
"""The buckets of usage that each wire has."""
COSTS = {"input": 100, "output": 50, "cache_read": 60, "cache_write": 10, "reasoning": 20}


@dataclass(frozen=True)
class Capability:
    """``check_request`` gets the last request, ``check_answer`` the last answer; each returns whether it is complete.

    ``names`` are those under which a gateway may report that it was dropped.
    """

    title: str
    question: Question
    check_request: Callable[[ReceivedRequest], bool] = lambda received: True
    check_answer: Callable[[Answer], bool] = lambda answer: True
    names: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    """Names that may be reported as dropped without any effect on the outcome."""
    model: str = "echo"
    native: str = ""
    """A case of ``natives``, in place of the simulator's answer."""
    earlier: bool = False
    """A provider of Gemini's wire gives the answer; it is then part of the history that the tested provider gets."""
    only: str = ""
    """``whole`` or ``stream``, if the row is about only one of them."""


def _expect_text(text: str) -> Callable[[Answer], bool]:
    return lambda answer: (answer.text, answer.finish, answer.calls) == (text, "stop", [])


def _expect_calls(*names: str) -> Callable[[Answer], bool]:
    return lambda answer: [name for _, name, _ in answer.calls] == list(names) and answer.finish == "tools"


def _ask_about_media(kind: str, data: str, *, url: bool = False) -> Question:
    part = Part(kind=kind, url=data) if url else Part(kind=kind, data=data)
    return Question((Turn("user", (part, Part("Look"))),))


_FILE_ID = "file-abc123"
_HELLO = Question(make_turns("Hi"))


def _has_sound(answer: Answer) -> bool:
    return answer.sound == bytes(range(1, 10)) and answer.text.strip() in ("", "Grüezi") and answer.finish == "stop"


def _has_place(answer: Answer) -> bool:
    """Return whether an answer cites a place in a document: its title and, if the provider's wire has it, the quote."""
    return answer.text == TEXT and [(what in (QUOTE, "file-1", ""), title) for what, title in answer.citations] == [
        (True, TITLE)
    ]


def _ask_with_results(results: tuple[Result, ...]) -> Question:
    return Question(make_turns("weather"), tools=TOOLS, results=results)


_WEATHER = [("get_weather", ARGUMENTS), ("now", {})]
_WITH_TOOLS = Question(make_turns("Bern"), tools=(Tool("get_weather"), Tool("other")))


def _ask_with_choice(word: str) -> Question:
    return Question(_WITH_TOOLS.turns, tools=_WITH_TOOLS.tools, choice=word)


CAPABILITIES = (
    Capability(
        "text",
        Question(make_turns("Grüße, 東京!")),
        lambda received: received.turns == [("user", "Grüße, 東京!")],
        _expect_text("Grüße, 東京!"),
    ),
    Capability(
        "system",
        Question(make_turns("Hi"), system="Be brief."),
        lambda received: received.system == "Be brief.",
        _expect_text("Hi"),
    ),
    Capability(
        "several turns",
        Question(make_turns("One", "Two", "Three")),
        lambda received: received.turns == [("user", "One"), ("assistant", "Two"), ("user", "Three")],
        _expect_text("Three"),
    ),
    Capability(
        "image, base64",
        _ask_about_media("image", PIXEL),
        lambda received: received.media == [("image", PIXEL)] and received.turns == [("user", "Look")],
        _expect_text("Look"),
    ),
    Capability(
        "image, URL",
        _ask_about_media("image", PICTURE, url=True),
        lambda received: received.media == [("image", PICTURE)],
        _expect_text("Look"),
    ),
    Capability(
        "PDF, base64",
        _ask_about_media("file", PDF),
        lambda received: received.media == [("file", PDF)],
        _expect_text("Look"),
        beside=("filename", "file.filename", "input_file.filename", "document.name"),
    ),
    Capability(
        "PDF, URL",
        _ask_about_media("file", PICTURE + ".pdf", url=True),
        lambda received: received.media == [("file", PICTURE + ".pdf")],
        _expect_text("Look"),
    ),
    Capability(
        "tools: parallel, without arguments, in Unicode",
        Question(make_turns("weather"), tools=TOOLS),
        lambda received: received.tools == {"get_weather": ["city"], "now": []},
        lambda answer: [(name, made) for _, name, made in answer.calls] == _WEATHER and answer.finish == "tools",
    ),
    Capability(
        "tool results",
        _ask_with_results(OK),
        lambda received: (
            received.results == [("18 °C", False, False), ("noon", False, False)]
            and received.calls == _WEATHER
            and received.paired
        ),
        _expect_text("It is sunny."),
    ),
    Capability(
        "tool result, an error",
        _ask_with_results((Result("no such city", error=True), Result("noon"))),
        lambda received: received.results[0][:2] == ("no such city", True) or "no such city" in received.results[0][0],
        _expect_text("It is sunny."),
    ),
    Capability(
        "tool result with an image",
        _ask_with_results((Result("18 °C", image=True), Result("noon"))),
        lambda received: (
            received.results[0][0] == "18 °C" and (received.results[0][2] or ("image", PIXEL) in received.media)
        ),
        lambda answer: answer.finish == "stop",
    ),
    Capability(
        "tool result with a PDF",
        _ask_with_results((Result("18 °C", file=True), Result("noon"))),
        lambda received: received.results[0][0] == "18 °C" and PDF.encode() in received.raw,
        lambda answer: answer.finish == "stop",
        beside=("filename", "file.filename", "input_file.filename", "document.name"),
    ),
    Capability(
        "PDF, a provider's file",
        Question((Turn("user", (Part(kind="file", file_id=_FILE_ID), Part("Look"))),)),
        lambda received: received.media == [("file", _FILE_ID)],
        _expect_text("Look"),
    ),
    Capability(
        "sound",
        _ask_about_media("audio", SOUND),
        lambda received: received.media == [("wav", SOUND)],
        _expect_text("Look"),
    ),
    Capability(
        "tool choice: auto",
        _ask_with_choice("auto"),
        lambda received: received.choice in ("auto", ""),
        _expect_text("Bern"),
    ),
    Capability(
        "tool choice: none",
        _ask_with_choice("none"),
        lambda received: received.choice == "none" or not received.tools,
        _expect_text("Bern"),
    ),
    Capability(
        "tool choice: any",
        _ask_with_choice("required"),
        lambda received: received.choice == "required",
        _expect_calls("get_weather"),
    ),
    Capability(
        "tool choice: one tool",
        _ask_with_choice("other"),
        lambda received: received.choice == "other",
        _expect_calls("other"),
    ),
    Capability(
        "one call at a time",
        Question(make_turns("Bern"), tools=_WITH_TOOLS.tools, parallel=False),
        lambda received: received.parallel is False,
        _expect_text("Bern"),
        names=("parallel_tool_calls", "tool_choice.disable_parallel_tool_use", "disable_parallel_tool_use"),
    ),
    Capability(
        "structured output",
        Question(make_turns("Bern"), schema=SCHEMA),
        lambda received: received.schema is not None and sorted(received.schema["properties"]) == ["city"],
        lambda answer: json.loads(answer.text) == {"city": "Bern"} and answer.finish == "stop",
        model="anthropic.claude-sonnet-4-6@echo",
    ),
    Capability(
        "structured output, of a model without it",
        Question(make_turns("Bern"), schema=SCHEMA),
        lambda received: received.schema is not None,
        lambda answer: answer.finish == "stop",
        names=("format", "response_format", "text", "output_config", "generationConfig", "outputConfig"),
        model="anthropic.claude-3-haiku-20240307@echo",
    ),
    Capability(
        "any JSON object",
        Question(make_turns("Bern"), json=True),
        lambda received: received.json,
        lambda answer: json.loads(answer.text) == {"text": "Bern"},
        names=("response_format", "text", "generationConfig"),
    ),
    Capability(
        "thinking, shown",
        Question(make_turns("costs")),
        check_answer=lambda answer: (answer.thinking, answer.text) == ("Hm.", "Done."),
    ),
    Capability(
        "thinking, kept across a tool's turn",
        _ask_with_results(OK),
        lambda received: received.signed,
        _expect_text("It is sunny."),
    ),
    Capability(
        "stop sequences",
        Question(make_turns("one END two"), stop=("END",)),
        lambda received: received.stop == ["END"],
        _expect_text("one "),
        names=("stop", "stop_sequences", "generationConfig", "inferenceConfig"),
    ),
    Capability(
        "max tokens",
        Question(make_turns("x" * 100), max_tokens=5),
        lambda received: received.max_tokens == 5,
        lambda answer: (answer.text, answer.finish) == ("x" * 20, "length"),
    ),
    Capability(
        "temperature",
        Question(make_turns("Hi"), temperature=0.5),
        lambda received: received.temperature == 0.5,
        _expect_text("Hi"),
        names=("temperature",),
    ),
    Capability(
        "temperature, zero",
        Question(make_turns("Hi"), temperature=0.0),
        lambda received: received.temperature == 0,
        _expect_text("Hi"),
        names=("temperature",),
    ),
    Capability(
        "top k",
        Question(make_turns("Hi"), top_k=7),
        lambda received: received.top_k == 7,
        _expect_text("Hi"),
        names=("top_k", "generationConfig"),
    ),
    Capability(
        "seed",
        Question(make_turns("Hi"), seed=7),
        lambda received: received.seed == 7,
        _expect_text("Hi"),
        names=("seed", "generationConfig"),
    ),
    Capability(
        "seed, zero",
        Question(make_turns("Hi"), seed=0),
        lambda received: received.seed == 0,
        _expect_text("Hi"),
        names=("seed", "generationConfig"),
    ),
    Capability(
        "penalties",
        Question(make_turns("Hi"), penalty=0.5),
        lambda received: received.penalty == 0.5,
        _expect_text("Hi"),
        names=("presence_penalty", "generationConfig"),
    ),
    Capability(
        "several answers",
        Question(make_turns("Hi"), n=2),
        lambda received: received.n == 2,
        lambda answer: answer.choices == 2 and answer.text == "Hi",
    ),
    Capability(
        "metadata",
        Question(make_turns("Hi"), metadata={"trace": "t-1"}),
        lambda received: received.metadata == {"trace": "t-1"},
        _expect_text("Hi"),
        names=("metadata", "requestMetadata"),
    ),
    Capability(
        "a conversation by previous_response_id",
        Question(make_turns("One", "Two", "Three"), previous=True),
        lambda received: [text for role, text in received.turns if role == "user"] == ["One", "Three"],
        _expect_text("Three"),
    ),
    Capability(
        "user",
        Question(make_turns("Hi"), user="u-1"),
        lambda received: received.user == "u-1",
        _expect_text("Hi"),
        names=("user", "metadata"),
    ),
    Capability(
        "cache marks",
        Question(make_turns("Hi"), cache=True),
        lambda received: received.cached,
        _expect_text("Hi"),
        names=("cache_control", "cachePoint"),
    ),
    Capability(
        "logprobs",
        Question(make_turns("Hi there"), logprobs=True),
        lambda received: received.logprobs,
        lambda answer: answer.logprobs == [("Hi t", -0.125), ("here", -0.125)],
        names=("logprobs", "top_logprobs", "include", "generationConfig"),
    ),
    Capability(
        "an image in the answer",
        _HELLO,
        check_answer=lambda answer: (answer.text, answer.images, answer.finish) == ("Look:Done.", [PIXEL], "stop"),
        native="picture",
    ),
    Capability(
        "an image of an earlier answer",
        _HELLO,
        lambda received: received.media == [("image", PIXEL)],
        lambda answer: answer.text.endswith("Now?"),
        native="picture",
        earlier=True,
    ),
    Capability("sound in the answer, whole", _HELLO, check_answer=_has_sound, native="sound", only="whole"),
    Capability("sound in the answer, streamed", _HELLO, check_answer=_has_sound, native="sound", only="stream"),
    Capability(
        "citation of a page",
        _HELLO,
        check_answer=lambda answer: (answer.text, answer.citations, answer.finish) == (TEXT, [(WEB, TITLE)], "stop"),
        native="page",
    ),
    Capability("citation of a place in a document", _HELLO, check_answer=_has_place, native="place"),
    Capability(
        "refusal",
        Question(make_turns("refuse")),
        check_answer=lambda answer: (
            "I will not." in (answer.refusal, answer.text) and bool(answer.refusal or answer.finish == "filtered")
        ),
    ),
    Capability(
        "finish: filtered",
        Question(make_turns("filter")),
        check_answer=lambda answer: (answer.text, answer.finish) == ("I wou", "filtered"),
    ),
)
