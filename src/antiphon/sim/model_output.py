"""What a simulated model produces, before any wire gives it a shape."""

from collections.abc import Iterator
from typing import Any

import msgspec

from antiphon.sim.text import TOKEN_LENGTH, count_tokens, split_tokens

LOGPROB = -0.125
"""The log probability of every simulated token."""


class ToolCall(msgspec.Struct, frozen=True):
    name: str
    arguments: str
    """JSON text."""


class ModelOutput(msgspec.Struct):
    """One choice of an answer: thinking, text or tool calls, and the finish reason (``None`` if it is left out).

    With ``single_token`` the whole text is one token. A ``finish`` of ``refusal`` makes the text a refusal.
    """

    text: str = ""
    tools: tuple[ToolCall, ...] = ()
    finish: str | None = "stop"
    single_token: bool = False
    thinking: str = ""
    stop_sequence: str = ""

    def count_tokens(self) -> int:
        """Return the size of the output in tokens, which is also the number of events that carry it in a stream."""
        thinking = self.count_thinking_tokens()
        if self.tools:
            return thinking + sum(1 + count_tokens(tool.arguments) for tool in self.tools)
        return thinking + (1 if self.single_token else count_tokens(self.text))

    def count_thinking_tokens(self) -> int:
        """Return how many of the tokens are thinking."""
        return count_tokens(self.thinking)

    def split_text(self) -> Iterator[str]:
        """Return the tokens of the text in order."""
        return iter((self.text,)) if self.single_token else split_tokens(self.text)


class AnswerMetadata(msgspec.Struct):
    """What every object of one answer repeats. ``model`` and ``extra`` are JSON text; ``extra`` begins with a comma."""

    id: str
    created: int
    model: bytes
    extra: bytes = b""


def make_logprob(token: str) -> dict[str, Any]:
    """Return the log probability of a token, in OpenAI's shape."""
    return {"token": token, "logprob": LOGPROB, "bytes": list(token.encode()), "top_logprobs": []}


def limit_text(text: str, stops: tuple[str, ...], max_tokens: int | None) -> ModelOutput:
    """Return an output that ends before the first stop sequence in ``text`` and after ``max_tokens`` tokens."""
    stop_sequence = ""
    for stop in stops:
        if stop and stop in text:
            text, stop_sequence = text.partition(stop)[0], stop
    if max_tokens is not None and count_tokens(text) > max_tokens:
        return ModelOutput(text[: max(max_tokens, 0) * TOKEN_LENGTH], finish="length")
    return ModelOutput(text, stop_sequence=stop_sequence)
