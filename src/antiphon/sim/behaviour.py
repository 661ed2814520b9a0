"""The grammar of simulated model names: ``[sim/][ANYTHING@]NAME[:OPTION=VALUE]…``, as ``sim/echo:tps=50:first=0.5``.

The text before an ``@`` is ignored here; it is for gateways that choose by the name of a model.

What belongs here: the table of names, the table of options, and reading a name into a :class:`Behaviour`. What does
not: carrying out a behaviour.
"""

import difflib
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

PREFIX = "sim/"


class UnknownBehaviour(ValueError):
    """A model name that the grammar does not allow; the message says what is allowed."""


class Behaviour(msgspec.Struct, frozen=True):
    """How a simulated model behaves; each field but the first three is an option of the same name.

    Times are seconds; ``tps`` is tokens per second, 0 for no limit and ``None`` for the simulator's own default.
    """

    speech: str = "echo"
    fault: str = ""
    status: int = 0
    tps: float | None = None
    first: float = 0.0
    head: float = 0.0
    tokens: int = 20
    after: int = 3
    retry: str = ""
    bytes: int = 0
    by: int = 5
    kind: str = "negative"
    gap: float = 0.1
    p: float = 1.0
    reset: int = 0
    split: int = 0
    eol: str = "lf"
    bom: int = 0
    comments: int = 0
    dim: int = 256
    thinking: int = 0


class ModelKind(msgspec.Struct, frozen=True):
    """A row of the table of names: its help, its options beside the common ones, its defaults."""

    help: str
    options: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = {}


def _make_integer_reader(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,12}", text) or not low <= int(text) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)

    return read


def _make_number_reader(low: float, high: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise ValueError(f"a number from {low:g} to {high:g}")
        return value

    return read


def _make_word_reader(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError("one of " + ", ".join(words))
        return text

    return read


def _read_retry(text: str) -> str:
    if text in ("date", "past", "far", "garbage", "none") or re.fullmatch(r"[0-9]{1,9}", text):
        return text
    raise ValueError("a number of seconds, or one of date, past, far, garbage, none")


OPTIONS: dict[str, tuple[Callable[[str], Any], str]] = {
    "tps": (_make_number_reader(0, 1e6), "tokens per second; 0 is no limit"),
    "first": (_make_number_reader(0, 3600), "seconds before the first token"),
    "head": (_make_number_reader(0, 3600), "seconds before the response head"),
    "split": (_make_integer_reader(0, 65536), "bytes in each write; 0 leaves writes whole"),
    "eol": (_make_word_reader("lf", "crlf", "cr"), "line ending in event streams: lf, crlf or cr"),
    "bom": (_make_integer_reader(0, 1), "1 begins an event stream with a byte order mark"),
    "comments": (_make_integer_reader(0, 1), "1 puts a comment before each event of a stream"),
    "dim": (_make_integer_reader(1, 8192), "dimensions of embeddings, if the request states none"),
    "thinking": (_make_integer_reader(0, 100_000), "tokens of thinking before the answer"),
    "tokens": (_make_integer_reader(0, 100_000), "length of the answer in tokens"),
    "after": (_make_integer_reader(0, 10**9), "tokens before the fault; with a status fault, seconds in Retry-After"),
    "retry": (_read_retry, "Retry-After: seconds, date, past, far, garbage or none"),
    "bytes": (_make_integer_reader(0, 10**9), "bytes of the response, head included, before the cut"),
    "by": (_make_integer_reader(-(10**6), 10**6), "how far Content-Length is off"),
    "kind": (_make_word_reader("negative", "huge", "nan", "text", "null"), "what is wrong with the usage"),
    "gap": (_make_number_reader(0.001, 3600), "seconds between two signs of life"),
    "p": (_make_number_reader(0, 1), "probability of the fault; otherwise the model answers"),
    "reset": (_make_integer_reader(0, 1), "1 cuts by a reset in place of a close"),
}

COMMON_OPTIONS = ("tps", "first", "head", "split", "eol", "bom", "comments", "dim", "thinking")
_LOREM = {"speech": "lorem"}


def _make_fault(help: str, *options: str, **defaults: Any) -> ModelKind:
    return ModelKind(help, (*options, "tokens", "p"), {**_LOREM, **defaults})


KINDS: dict[str, ModelKind] = {
    "echo": ModelKind("answers with the last user message"),
    "fast": ModelKind("echo at 200 tokens per second", (), {"tps": 200.0, "first": 0.05}),
    "slow": ModelKind("echo at 5 tokens per second, after a second", (), {"tps": 5.0, "first": 1.0}),
    "lorem": ModelKind("filler text of a stated length; lorem-200 is lorem:tokens=200", ("tokens",), _LOREM),
    "embed": ModelKind("embeddings: unit vectors made by hashing the input"),
    "mirror": ModelKind(
        "answers with the exact request body in base64, and with unknown fields", (), {"speech": "mirror"}
    ),
    "fault-429": _make_fault("status 429 with Retry-After", "after", "retry", after=1),
    "fault-500": _make_fault("status 500, and so for each other status from 400 to 599", "after", "retry", after=-1),
    "fault-reset": _make_fault("resets the connection before the head"),
    "fault-silence": _make_fault("reads the request and never answers"),
    "fault-stall": _make_fault("goes silent after some tokens", "after"),
    "fault-cut": _make_fault("closes the connection inside an event, after some tokens", "after", "reset"),
    "fault-cut-clean": _make_fault("ends in order after some tokens, with no finish reason and no end marker", "after"),
    "fault-cut-at": _make_fault("closes the connection after an exact number of bytes", "bytes", "reset"),
    "fault-half-close": _make_fault("closes only its sending side after some tokens", "after"),
    "fault-no-done": _make_fault("gives the finish reason, but no end marker"),
    "fault-length": _make_fault("states a wrong Content-Length, also for a stream", "by"),
    "fault-json": _make_fault("an event, or a body, that is not JSON", "after"),
    "fault-html": _make_fault("status 200 with an HTML page"),
    "fault-error-200": _make_fault("status 200 with an error object"),
    "fault-error-midstream": _make_fault("an error object after some tokens", "after"),
    "fault-preamble-error": _make_fault("a role event and a comment, then an error object"),
    "fault-trickle": _make_fault("comments forever (whitespace if the answer is not a stream)", "gap"),
    "fault-no-usage": _make_fault("no usage, asked for or not"),
    "fault-bad-usage": _make_fault("impossible usage", "kind"),
    "fault-204": _make_fault("status 204 and no body"),
    "fault-redirect": _make_fault("a redirect to another host"),
}

_STATUS_FAULT = re.compile(r"fault-([45][0-9]{2})")
_LOREM_LENGTH = re.compile(r"lorem-([0-9]{1,6})")


def parse_model_name(model: str) -> Behaviour:
    """Return the behaviour that a model name asks for, with or without ``sim/``; raises :class:`UnknownBehaviour`."""
    name, *options = model.removeprefix(PREFIX).rpartition("@")[2].split(":")
    if shorthand := _LOREM_LENGTH.fullmatch(name):
        name, options = "lorem", [f"tokens={shorthand[1]}", *options]
    values: dict[str, Any] = {}
    if status := _STATUS_FAULT.fullmatch(name):
        values = {"status": int(status[1]), "fault": "status"}
        name = name if name in KINDS else "fault-500"
    kind = KINDS.get(name)
    if kind is None:
        raise UnknownBehaviour(
            f"there is no simulated model {name[:80]!r}{_suggest(name, KINDS)}; known: {', '.join(KINDS)}"
        )
    if name.startswith("fault-"):
        values.setdefault("fault", name.removeprefix("fault-"))
    return Behaviour(**{**kind.defaults, **values, **_read_options(name, kind, options)})


def _read_options(name: str, kind: ModelKind, options: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    allowed = COMMON_OPTIONS + kind.options
    for option in options:
        key, _, text = option.partition("=")
        if key not in allowed:
            raise UnknownBehaviour(
                f"{name} has no option {key[:80]!r}{_suggest(key, allowed)}; it takes: {', '.join(allowed)}"
            )
        if key in values:
            raise UnknownBehaviour(f"{name} has the option {key} twice")
        try:
            values[key] = OPTIONS[key][0](text)
        except ValueError as error:
            raise UnknownBehaviour(f"{name}: {key} must be {error}, not {text[:80]!r}") from None
    return values


def _suggest(word: str, words: Any) -> str:
    matches = difflib.get_close_matches(word[:80], list(words), 1)
    return f" (did you mean {matches[0]}?)" if matches else ""
