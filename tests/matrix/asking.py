"""What a cell of the matrix asks, in words of no wire, and what a client saw of the answer."""

from dataclasses import dataclass, field
from typing import Any

WIRES = ("chat", "responses", "messages", "generate", "converse")

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
PICTURE = "https://example.com/cat.png"
PDF = "JVBERi0xLjQKJUVPRgo="
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
EMPTY: dict[str, Any] = {"type": "object", "properties": {}}


@dataclass(frozen=True)
class Part:
    """Text, or ``kind`` ``image`` or ``file`` with base64 ``data`` or a ``url``."""

    text: str = ""
    kind: str = "text"
    data: str = ""
    url: str = ""


@dataclass(frozen=True)
class Turn:
    role: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Result:
    text: str
    error: bool = False
    image: bool = False


@dataclass(frozen=True)
class Tool:
    name: str
    schema: dict[str, Any] = field(default_factory=lambda: SCHEMA)


@dataclass(frozen=True)
class Ask:
    turns: tuple[Turn, ...]
    system: str = ""
    tools: tuple[Tool, ...] = ()
    choice: str = ""
    """``auto``, ``none``, ``required``, or a tool's name."""
    parallel: bool | None = None
    schema: dict[str, Any] | None = None
    max_tokens: int = 1000
    stop: tuple[str, ...] = ()
    temperature: float | None = None
    top_k: int | None = None
    seed: int | None = None
    user: str = ""
    cache: bool = False
    """The last part is marked as worth caching."""
    logprobs: bool = False
    results: tuple[Result, ...] = ()
    """What the tools give: then a second request is sent, with the answer to the first one in it."""


class NotHere(Exception):
    """The caller's own wire has no words for this."""


class Broken(Exception):
    """The answer said of itself that it failed, in an event that the client does not raise."""


@dataclass
class Seen:
    """What a client saw. ``finish`` is ``stop``, ``length``, ``tools`` or ``filtered``."""

    text: str = ""
    thinking: str = ""
    refusal: str = ""
    calls: list[tuple[str, str, Any]] = field(default_factory=list)
    finish: str = ""
    usage: dict[str, int] = field(default_factory=dict)
    logprobs: list[tuple[str, float]] = field(default_factory=list)
    dropped: tuple[str, ...] = ()
    native: Any = None
    """The answer as this client would send it back."""


def said(*words: str) -> tuple[Turn, ...]:
    """Return turns that alternate between user and assistant."""
    roles = ("user", "assistant")
    return tuple(Turn(roles[number % 2], (Part(text),)) for number, text in enumerate(words))


def dropped_of(headers: Any) -> tuple[str, ...]:
    found = headers.get("x-antiphon-dropped") or ""
    return tuple(name.strip() for name in found.split(",") if name.strip())
