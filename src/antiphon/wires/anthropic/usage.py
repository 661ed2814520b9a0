"""Messages ``usage`` to disjoint buckets and back (API reference, "Messages": usage; "Prompt caching": tracking).

``input_tokens`` counts what was neither read from nor written to the cache; ``output_tokens`` includes thinking. In a
stream ``message_start`` tells the input, and each ``message_delta`` totals so far, without what did not change.
"""

from typing import Any

import msgspec

from antiphon.types import Usage

_LIMIT = 1_000_000_000
"""More tokens than any one call can have; a larger count is a fault of the provider."""


class _Written(msgspec.Struct):
    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class _Details(msgspec.Struct):
    thinking_tokens: int | None = None


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation: _Written | None = None
    output_tokens_details: _Details | None = None


_decode = msgspec.json.Decoder(_Usage).decode


class Counts:
    """The counts of one answer, gathered over its events: what a later one tells replaces what an earlier one told."""

    __slots__ = ("_input", "_output", "_read", "_reasoning", "_sound", "_written")

    def __init__(self) -> None:
        self._input: int | None = None
        self._output: int | None = None
        self._read = self._written = self._reasoning = 0
        self._sound = True

    def add(self, raw: msgspec.Raw | msgspec.UnsetType) -> None:
        """Take one ``usage`` object as it came; a malformed one spoils the counts."""
        if raw is msgspec.UNSET:
            return
        try:
            usage = _decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self._sound = False
            return
        self._input = _later(usage.input_tokens, self._input)
        self._output = _later(usage.output_tokens, self._output)
        self._read = _later(usage.cache_read_input_tokens, self._read) or 0
        self._written = _later(_written(usage), self._written) or 0
        if usage.output_tokens_details is not None:
            self._reasoning = usage.output_tokens_details.thinking_tokens or 0

    def usage(self) -> Usage | None:
        """Return the buckets, or ``None`` where the counts are missing, malformed, negative or impossibly large."""
        if not self._sound or self._input is None or self._output is None:
            return None
        parts = (self._input, self._read, self._written, self._output, self._reasoning)
        if min(parts) < 0 or max(parts) > _LIMIT:
            return None
        # Details never exceed the total; where a server says so, only the total is believed.
        reasoning = self._reasoning if self._reasoning <= self._output else 0
        return Usage(
            input=self._input,
            cache_read=self._read,
            cache_write=self._written,
            output=self._output - reasoning,
            reasoning=reasoning,
        )


def _later(new: int | None, old: int | None) -> int | None:
    return old if new is None else new


def _written(usage: _Usage) -> int | None:
    if usage.cache_creation_input_tokens is not None or usage.cache_creation is None:
        return usage.cache_creation_input_tokens
    parts = usage.cache_creation
    return (parts.ephemeral_5m_input_tokens or 0) + (parts.ephemeral_1h_input_tokens or 0)


def read(raw: msgspec.Raw | msgspec.UnsetType) -> Usage | None:
    """Return the buckets of a whole answer's usage, or ``None`` where it says none that can be."""
    counts = Counts()
    counts.add(raw)
    return counts.usage()


def whole(usage: Usage, thought: bool) -> dict[str, Any]:
    """Return the ``usage`` of a message; ``thought`` says that the answer holds thinking, which brings the details."""
    return {
        **delta(usage, thought),
        "cache_creation": {"ephemeral_5m_input_tokens": usage.cache_write, "ephemeral_1h_input_tokens": 0},
        "service_tier": "standard",
        "server_tool_use": None,
    }


def delta(usage: Usage, thought: bool) -> dict[str, Any]:
    """Return the ``usage`` of a ``message_delta``: totals of the whole answer."""
    counts: dict[str, Any] = {
        "input_tokens": usage.input + usage.audio_input + usage.image_input,
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cache_read,
        "output_tokens": usage.total_output,
    }
    if thought or usage.reasoning:
        counts["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    return counts
