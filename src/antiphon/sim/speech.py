"""What a simulated model says, before any wire gives it a shape."""

from collections.abc import Iterator

import msgspec

from antiphon.sim import text


class ToolCall(msgspec.Struct, frozen=True):
    name: str
    arguments: str
    """JSON text."""


class Said(msgspec.Struct):
    """One choice of an answer: text or tool calls, and why it ended (``None``: nobody says).

    ``whole`` text is a single token, however long.
    """

    text: str = ""
    tools: tuple[ToolCall, ...] = ()
    finish: str | None = "stop"
    whole: bool = False

    def tokens(self) -> int:
        """Return the size of the answer in tokens, which is also how many events of a stream carry it."""
        if self.tools:
            return sum(1 + text.count(tool.arguments) for tool in self.tools)
        return 1 if self.whole else text.count(self.text)

    def pieces(self) -> Iterator[str]:
        """Return the tokens of the text."""
        return iter((self.text,)) if self.whole else text.pieces(self.text)


class Envelope(msgspec.Struct):
    """What every object of one answer shares. ``model`` and ``extra`` are JSON text; ``extra`` begins with a comma."""

    id: str
    created: int
    model: bytes
    extra: bytes = b""


def limited(said: str, stops: str | list[str] | None, most: int | None) -> Said:
    """Return ``said`` up to its first stop sequence, and at most that many tokens of it."""
    for stop in [stops] if isinstance(stops, str) else stops or ():
        if stop:
            said = said.partition(stop)[0]
    if most is not None and text.count(said) > most:
        return Said(said[: max(most, 0) * text.PIECE], finish="length")
    return Said(said)


def usage(prompt: int, completion: int, stated: dict[str, int] | None = None) -> bytes:
    """Return a usage object as JSON text; ``stated`` numbers go before the counted ones."""
    numbers = {"prompt_tokens": prompt, "completion_tokens": completion, "cached_tokens": 0, "reasoning_tokens": 0}
    numbers.update(stated or {})
    numbers.setdefault("total_tokens", numbers["prompt_tokens"] + numbers["completion_tokens"])
    return (
        b'{"prompt_tokens":%(prompt_tokens)d,"completion_tokens":%(completion_tokens)d,"total_tokens":%(total_tokens)d,'
        b'"prompt_tokens_details":{"cached_tokens":%(cached_tokens)d,"audio_tokens":0},'
        b'"completion_tokens_details":{"reasoning_tokens":%(reasoning_tokens)d,"audio_tokens":0,'
        b'"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}'
    ) % {name.encode(): number for name, number in numbers.items()}
