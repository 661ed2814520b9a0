"""The rows of the matrix: what is asked, and when a provider got it and a client saw it."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from system.matrix.asking import (
    EMPTY,
    PDF,
    PICTURE,
    PIXEL,
    QUOTE,
    SCHEMA,
    SOUND,
    TITLE,
    WEB,
    Ask,
    Part,
    Result,
    Seen,
    Tool,
    Turn,
    said,
)
from system.matrix.natives import TEXT
from system.matrix.received import Got

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
"""What each wire can tell of usage."""
COSTS = {"input": 100, "output": 50, "cache_read": 60, "cache_write": 10, "reasoning": 20}


@dataclass(frozen=True)
class Capability:
    """``got`` looks at the last request, ``seen`` at the last answer; each says whether nothing is missing.

    ``names`` are those under which a gateway may report that it was dropped.
    """

    title: str
    ask: Ask
    got: Callable[[Got], bool] = lambda got: True
    seen: Callable[[Seen], bool] = lambda seen: True
    names: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    """What may be reported beside, because it changes nothing."""
    model: str = "echo"
    native: str = ""
    """A case of ``natives``, in place of the simulator's answer."""
    earlier: bool = False
    """The answer is given by a provider of Gemini's wire, and goes on as history to the one that is looked at."""
    only: str = ""
    """``whole`` or ``stream``, where a row is about one of them."""


def _echoed(text: str) -> Callable[[Seen], bool]:
    return lambda seen: (seen.text, seen.finish, seen.calls) == (text, "stop", [])


def _called(*names: str) -> Callable[[Seen], bool]:
    return lambda seen: [name for _, name, _ in seen.calls] == list(names) and seen.finish == "tools"


def _media(kind: str, data: str, *, url: bool = False) -> Ask:
    part = Part(kind=kind, url=data) if url else Part(kind=kind, data=data)
    return Ask((Turn("user", (part, Part("Look"))),))


_LATER = "file-abc123"
_ASKED = Ask(said("Hi"))


def _heard(seen: Seen) -> bool:
    return seen.sound == bytes(range(1, 10)) and seen.text.strip() in ("", "Grüezi") and seen.finish == "stop"


def _placed(seen: Seen) -> bool:
    """A place in a document: its title, and the words, where the provider's wire tells them."""
    return seen.text == TEXT and [(what in (QUOTE, "file-1", ""), title) for what, title in seen.citations] == [
        (True, TITLE)
    ]


def _after(results: tuple[Result, ...]) -> Ask:
    return Ask(said("weather"), tools=TOOLS, results=results)


_WEATHER = [("get_weather", ARGUMENTS), ("now", {})]
_CALLED = Ask(said("Bern"), tools=(Tool("get_weather"), Tool("other")))


def _choice(word: str) -> Ask:
    return Ask(_CALLED.turns, tools=_CALLED.tools, choice=word)


CAPABILITIES = (
    Capability(
        "text", Ask(said("Grüße, 東京!")), lambda got: got.turns == [("user", "Grüße, 東京!")], _echoed("Grüße, 東京!")
    ),
    Capability("system", Ask(said("Hi"), system="Be brief."), lambda got: got.system == "Be brief.", _echoed("Hi")),
    Capability(
        "several turns",
        Ask(said("One", "Two", "Three")),
        lambda got: got.turns == [("user", "One"), ("assistant", "Two"), ("user", "Three")],
        _echoed("Three"),
    ),
    Capability(
        "image, base64",
        _media("image", PIXEL),
        lambda got: got.media == [("image", PIXEL)] and got.turns == [("user", "Look")],
        _echoed("Look"),
    ),
    Capability(
        "image, URL",
        _media("image", PICTURE, url=True),
        lambda got: got.media == [("image", PICTURE)],
        _echoed("Look"),
    ),
    Capability(
        "PDF, base64",
        _media("file", PDF),
        lambda got: got.media == [("file", PDF)],
        _echoed("Look"),
        beside=("filename", "file.filename", "input_file.filename", "document.name"),
    ),
    Capability(
        "PDF, URL",
        _media("file", PICTURE + ".pdf", url=True),
        lambda got: got.media == [("file", PICTURE + ".pdf")],
        _echoed("Look"),
    ),
    Capability(
        "tools: parallel, without arguments, in Unicode",
        Ask(said("weather"), tools=TOOLS),
        lambda got: got.tools == {"get_weather": ["city"], "now": []},
        lambda seen: [(name, made) for _, name, made in seen.calls] == _WEATHER and seen.finish == "tools",
    ),
    Capability(
        "tool results",
        _after(OK),
        lambda got: (
            got.results == [("18 °C", False, False), ("noon", False, False)] and got.calls == _WEATHER and got.paired
        ),
        _echoed("It is sunny."),
    ),
    Capability(
        "tool result, an error",
        _after((Result("no such city", error=True), Result("noon"))),
        lambda got: got.results[0][:2] == ("no such city", True) or "no such city" in got.results[0][0],
        _echoed("It is sunny."),
    ),
    Capability(
        "tool result with an image",
        _after((Result("18 °C", image=True), Result("noon"))),
        lambda got: got.results[0][0] == "18 °C" and (got.results[0][2] or ("image", PIXEL) in got.media),
        lambda seen: seen.finish == "stop",
    ),
    Capability(
        "tool result with a PDF",
        _after((Result("18 °C", file=True), Result("noon"))),
        lambda got: got.results[0][0] == "18 °C" and PDF.encode() in got.raw,
        lambda seen: seen.finish == "stop",
        beside=("filename", "file.filename", "input_file.filename", "document.name"),
    ),
    Capability(
        "PDF, a provider's file",
        Ask((Turn("user", (Part(kind="file", file_id=_LATER), Part("Look"))),)),
        lambda got: got.media == [("file", _LATER)],
        _echoed("Look"),
    ),
    Capability("sound", _media("audio", SOUND), lambda got: got.media == [("wav", SOUND)], _echoed("Look")),
    Capability("tool choice: auto", _choice("auto"), lambda got: got.choice in ("auto", ""), _echoed("Bern")),
    Capability(
        "tool choice: none", _choice("none"), lambda got: got.choice == "none" or not got.tools, _echoed("Bern")
    ),
    Capability("tool choice: any", _choice("required"), lambda got: got.choice == "required", _called("get_weather")),
    Capability("tool choice: one tool", _choice("other"), lambda got: got.choice == "other", _called("other")),
    Capability(
        "one call at a time",
        Ask(said("Bern"), tools=_CALLED.tools, parallel=False),
        lambda got: got.parallel is False,
        _echoed("Bern"),
        names=("parallel_tool_calls", "tool_choice.disable_parallel_tool_use", "disable_parallel_tool_use"),
    ),
    Capability(
        "structured output",
        Ask(said("Bern"), schema=SCHEMA),
        lambda got: got.schema is not None and sorted(got.schema["properties"]) == ["city"],
        lambda seen: json.loads(seen.text) == {"city": "Bern"} and seen.finish == "stop",
        model="anthropic.claude-sonnet-4-6@echo",
    ),
    Capability(
        "structured output, of a model without it",
        Ask(said("Bern"), schema=SCHEMA),
        lambda got: got.schema is not None,
        lambda seen: seen.finish == "stop",
        names=("format", "response_format", "text", "output_config", "generationConfig", "outputConfig"),
        model="anthropic.claude-3-haiku-20240307@echo",
    ),
    Capability(
        "any JSON object",
        Ask(said("Bern"), json=True),
        lambda got: got.json,
        lambda seen: json.loads(seen.text) == {"text": "Bern"},
        names=("response_format", "text", "generationConfig"),
    ),
    Capability(
        "thinking, shown",
        Ask(said("costs")),
        seen=lambda seen: (seen.thinking, seen.text) == ("Hm.", "Done."),
    ),
    Capability(
        "thinking, kept across a tool's turn",
        _after(OK),
        lambda got: got.signed,
        _echoed("It is sunny."),
    ),
    Capability(
        "stop sequences",
        Ask(said("one END two"), stop=("END",)),
        lambda got: got.stop == ["END"],
        _echoed("one "),
        names=("stop", "stop_sequences", "generationConfig", "inferenceConfig"),
    ),
    Capability(
        "max tokens",
        Ask(said("x" * 100), max_tokens=5),
        lambda got: got.max_tokens == 5,
        lambda seen: (seen.text, seen.finish) == ("x" * 20, "length"),
    ),
    Capability(
        "temperature",
        Ask(said("Hi"), temperature=0.5),
        lambda got: got.temperature == 0.5,
        _echoed("Hi"),
        names=("temperature",),
    ),
    Capability(
        "temperature, zero",
        Ask(said("Hi"), temperature=0.0),
        lambda got: got.temperature == 0,
        _echoed("Hi"),
        names=("temperature",),
    ),
    Capability(
        "top k",
        Ask(said("Hi"), top_k=7),
        lambda got: got.top_k == 7,
        _echoed("Hi"),
        names=("top_k", "generationConfig"),
    ),
    Capability(
        "seed",
        Ask(said("Hi"), seed=7),
        lambda got: got.seed == 7,
        _echoed("Hi"),
        names=("seed", "generationConfig"),
    ),
    Capability(
        "seed, zero",
        Ask(said("Hi"), seed=0),
        lambda got: got.seed == 0,
        _echoed("Hi"),
        names=("seed", "generationConfig"),
    ),
    Capability(
        "penalties",
        Ask(said("Hi"), penalty=0.5),
        lambda got: got.penalty == 0.5,
        _echoed("Hi"),
        names=("presence_penalty", "generationConfig"),
    ),
    Capability(
        "several answers",
        Ask(said("Hi"), n=2),
        lambda got: got.n == 2,
        lambda seen: seen.choices == 2 and seen.text == "Hi",
    ),
    Capability(
        "metadata",
        Ask(said("Hi"), metadata={"trace": "t-1"}),
        lambda got: got.metadata == {"trace": "t-1"},
        _echoed("Hi"),
        names=("metadata", "requestMetadata"),
    ),
    Capability(
        "a conversation by previous_response_id",
        Ask(said("One", "Two", "Three"), previous=True),
        lambda got: [text for role, text in got.turns if role == "user"] == ["One", "Three"],
        _echoed("Three"),
    ),
    Capability(
        "user", Ask(said("Hi"), user="u-1"), lambda got: got.user == "u-1", _echoed("Hi"), names=("user", "metadata")
    ),
    Capability(
        "cache marks",
        Ask(said("Hi"), cache=True),
        lambda got: got.cached,
        _echoed("Hi"),
        names=("cache_control", "cachePoint"),
    ),
    Capability(
        "logprobs",
        Ask(said("Hi there"), logprobs=True),
        lambda got: got.logprobs,
        lambda seen: seen.logprobs == [("Hi t", -0.125), ("here", -0.125)],
        names=("logprobs", "top_logprobs", "include", "generationConfig"),
    ),
    Capability(
        "an image in the answer",
        _ASKED,
        seen=lambda seen: (seen.text, seen.images, seen.finish) == ("Look:Done.", [PIXEL], "stop"),
        native="picture",
    ),
    Capability(
        "an image of an earlier answer",
        _ASKED,
        lambda got: got.media == [("image", PIXEL)],
        lambda seen: seen.text.endswith("Now?"),
        native="picture",
        earlier=True,
    ),
    Capability("sound in the answer, whole", _ASKED, seen=_heard, native="sound", only="whole"),
    Capability("sound in the answer, streamed", _ASKED, seen=_heard, native="sound", only="stream"),
    Capability(
        "citation of a page",
        _ASKED,
        seen=lambda seen: (seen.text, seen.citations, seen.finish) == (TEXT, [(WEB, TITLE)], "stop"),
        native="page",
    ),
    Capability("citation of a place in a document", _ASKED, seen=_placed, native="place"),
    Capability(
        "refusal",
        Ask(said("refuse")),
        seen=lambda seen: (
            "I will not." in (seen.refusal, seen.text) and bool(seen.refusal or seen.finish == "filtered")
        ),
    ),
    Capability(
        "finish: filtered", Ask(said("filter")), seen=lambda seen: (seen.text, seen.finish) == ("I wou", "filtered")
    ),
)
