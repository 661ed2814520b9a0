"""What a simulated model says, before any wire gives it a shape."""

from collections.abc import Iterator
from typing import Any

import msgspec

from antiphon.sim import text
from antiphon.types import Usage

_LOGPROB = -0.125


class ToolCall(msgspec.Struct, frozen=True):
    name: str
    arguments: str
    """JSON text."""


class Said(msgspec.Struct):
    """One choice of an answer: thinking, text or tool calls, and why it ended (``None``: nobody says).

    ``whole`` text is a single token, however long. A ``finish`` of ``refusal`` makes the text one.
    """

    text: str = ""
    tools: tuple[ToolCall, ...] = ()
    finish: str | None = "stop"
    whole: bool = False
    thinking: str = ""
    stopped_by: str = ""

    def tokens(self) -> int:
        """Return the size of the answer in tokens, which is also how many events of a stream carry it."""
        thought = self.thinking_tokens()
        if self.tools:
            return thought + sum(1 + text.count(tool.arguments) for tool in self.tools)
        return thought + (1 if self.whole else text.count(self.text))

    def thinking_tokens(self) -> int:
        """Return how many of the tokens are thinking."""
        return text.count(self.thinking)

    def pieces(self) -> Iterator[str]:
        """Return the tokens of the text."""
        return iter((self.text,)) if self.whole else text.pieces(self.text)


class Envelope(msgspec.Struct):
    """What every object of one answer shares. ``model`` and ``extra`` are JSON text; ``extra`` begins with a comma."""

    id: str
    created: int
    model: bytes
    extra: bytes = b""


def logprob(piece: str) -> dict[str, Any]:
    """Return what is told of a token's probability, in OpenAI's shape."""
    return {"token": piece, "logprob": _LOGPROB, "bytes": list(piece.encode()), "top_logprobs": []}


def limited(said: str, stops: tuple[str, ...], most: int | None) -> Said:
    """Return ``said`` up to its first stop sequence, and at most that many tokens of it."""
    met = ""
    for stop in stops:
        if stop and stop in said:
            said, met = said.partition(stop)[0], stop
    if most is not None and text.count(said) > most:
        return Said(said[: max(most, 0) * text.PIECE], finish="length")
    return Said(said, stopped_by=met)


def numbers(prompt: int, completion: int, reasoning: int, stated: dict[str, int] | None = None) -> dict[str, int]:
    """Return the numbers of a usage as OpenAI counts; ``stated`` ones go before the counted ones."""
    found = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "cached_tokens": 0,
        "cache_write_tokens": 0,
        "reasoning_tokens": reasoning,
        **(stated or {}),
    }
    found.setdefault("total_tokens", found["prompt_tokens"] + found["completion_tokens"])
    return found


def usage(counted: dict[str, int]) -> bytes:
    """Return a usage object of OpenAI's as JSON text."""
    written = b',"cache_write_tokens":%d' % counted["cache_write_tokens"] if counted["cache_write_tokens"] else b""
    return (
        b'{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,'
        b'"prompt_tokens_details":{"cached_tokens":%d,"audio_tokens":0%s},'
        b'"completion_tokens_details":{"reasoning_tokens":%d,"audio_tokens":0,'
        b'"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}'
    ) % (
        counted["prompt_tokens"],
        counted["completion_tokens"],
        counted["total_tokens"],
        counted["cached_tokens"],
        written,
        counted["reasoning_tokens"],
    )


def buckets(counted: dict[str, int]) -> Usage:
    """Return the numbers in disjoint buckets, as every other wire is written from."""
    read, written, reasoning = counted["cached_tokens"], counted["cache_write_tokens"], counted["reasoning_tokens"]
    return Usage(
        input=max(counted["prompt_tokens"] - read - written, 0),
        cache_read=read,
        cache_write=written,
        output=max(counted["completion_tokens"] - reasoning, 0),
        reasoning=reasoning,
    )
