"""The rows of the matrix: what is asked, and when a provider got it and a client saw it."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from matrix.asking import EMPTY, PDF, PICTURE, PIXEL, SCHEMA, Ask, Part, Result, Seen, Tool, Turn, said
from matrix.received import Got

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


def _echoed(text: str) -> Callable[[Seen], bool]:
    return lambda seen: (seen.text, seen.finish, seen.calls) == (text, "stop", [])


def _called(*names: str) -> Callable[[Seen], bool]:
    return lambda seen: [name for _, name, _ in seen.calls] == list(names) and seen.finish == "tools"


def _media(kind: str, data: str, *, url: bool = False) -> Ask:
    part = Part(kind=kind, url=data) if url else Part(kind=kind, data=data)
    return Ask((Turn("user", (part, Part("Look"))),))


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
        beside=("filename",),
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
        names=("stop", "stop_sequences", "stopSequences"),
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
    Capability("top k", Ask(said("Hi"), top_k=7), lambda got: got.top_k == 7, _echoed("Hi"), names=("top_k", "topK")),
    Capability("seed", Ask(said("Hi"), seed=7), lambda got: got.seed == 7, _echoed("Hi"), names=("seed",)),
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
        names=("logprobs", "top_logprobs"),
    ),
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
