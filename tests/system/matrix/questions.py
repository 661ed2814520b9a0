"""The question of a cell of the matrix and the answer as a client saw it, without the terms of any one wire."""

import base64
import re
from dataclasses import dataclass, field
from typing import Any

WIRES = ("chat", "responses", "messages", "generate", "converse")

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
PICTURE = "https://example.com/cat.png"
PDF = "JVBERi0xLjQKJUVPRgo="
_SAMPLES = bytes(range(1, 10))
_WAV = "52494646 2d000000 57415645 666d7420 10000000 0100 0100 c05d0000 80bb0000 0200 1000 64617461 09000000"
SOUND = base64.b64encode(bytes.fromhex(_WAV) + _SAMPLES).decode()
"""A WAV file of nine bytes: 16 bit, 24 kHz."""
WEB, TITLE, QUOTE = "https://example.com/zurich", "Zürich", "Grüezi mitenand"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
EMPTY: dict[str, Any] = {"type": "object", "properties": {}}


@dataclass(frozen=True)
class Part:
    """Text, or ``kind`` ``image``, ``file`` or ``audio`` by base64 ``data``, ``url``, or a provider's ``file_id``."""

    text: str = ""
    kind: str = "text"
    data: str = ""
    url: str = ""
    file_id: str = ""


@dataclass(frozen=True)
class Turn:
    role: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Result:
    text: str
    error: bool = False
    image: bool = False
    file: bool = False


@dataclass(frozen=True)
class Tool:
    name: str
    schema: dict[str, Any] = field(default_factory=lambda: SCHEMA)


@dataclass(frozen=True)
class Question:
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
    """The last part has a cache mark."""
    logprobs: bool = False
    results: tuple[Result, ...] = ()
    """The tools' results; a second request is sent with them and with the first answer."""
    json: bool = False
    """The answer must be any JSON object."""
    metadata: dict[str, str] = field(default_factory=dict)
    n: int = 1
    penalty: float | None = None
    previous: bool = False
    """Only the last turn is sent, with the id of the answer to the turns before it."""


class Unsupported(Exception):
    """The caller's own wire cannot express the question."""


class FailedAnswer(Exception):
    """The answer reported a failure in an event that the client does not raise."""


@dataclass
class Answer:
    """An answer as a client saw it. ``finish`` is ``stop``, ``length``, ``tools`` or ``filtered``."""

    text: str = ""
    thinking: str = ""
    refusal: str = ""
    calls: list[tuple[str, str, Any]] = field(default_factory=list)
    finish: str = ""
    usage: dict[str, int] = field(default_factory=dict)
    logprobs: list[tuple[str, float]] = field(default_factory=list)
    dropped: tuple[str, ...] = ()
    images: list[str] = field(default_factory=list)
    sound: bytes = b""
    """Samples without a file header."""
    citations: list[tuple[str, str]] = field(default_factory=list)
    """The URL, or the quote if there is none; and the title."""
    as_text: bool = False
    """An image or a sound was described in text."""
    choices: int = 1
    native: Any = None
    """The answer as this client would send it back."""


def make_turns(*words: str) -> tuple[Turn, ...]:
    """Return turns that alternate between user and assistant."""
    roles = ("user", "assistant")
    return tuple(Turn(roles[number % 2], (Part(text),)) for number, text in enumerate(words))


def read_dropped(headers: Any) -> tuple[str, ...]:
    names = headers.get("x-antiphon-dropped") or ""
    return tuple(name.strip() for name in names.split(",") if name.strip())


_LINK = re.compile(r"\n?(?:(\w+)\n)?!?\[(image|audio)\]\(data:[\w/;=]+;base64,([\w+/=]+)\)\n?")


def add_sound(answer: Answer, data: str) -> None:
    """Add a sound or a piece of one, with or without a file header."""
    samples = base64.b64decode(data)
    answer.sound += samples[44:] if samples.startswith(b"RIFF") else samples


def extract_media(answer: Answer) -> Answer:
    """Move images and sound from the text into their own fields, for wires that have them in the text."""
    for words, kind, data in _LINK.findall(answer.text):
        answer.as_text = True
        if kind == "image":
            answer.images.append(data)
        else:
            add_sound(answer, data)
            assert words in ("", "Grüezi")
    answer.text = _LINK.sub("", answer.text)
    return answer
