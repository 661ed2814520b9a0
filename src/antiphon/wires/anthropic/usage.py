"""Messages ``usage`` to disjoint buckets and back (API reference, "Messages": usage; "Prompt caching": tracking).

``input_tokens`` counts what was neither read from nor written to the cache; ``output_tokens`` includes thinking. In a
stream ``message_start`` tells the input, and each ``message_delta`` totals so far, without what did not change.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from antiphon.types import Usage
from antiphon.wires.wire import read_service_tier

_LIMIT = 1_000_000_000
"""More tokens than any one call can have; a larger count is a fault of the provider."""
_BESIDE = frozenset(("compaction",))
"""Iterations that the totals leave out, at the same model's price (API reference, "Usage": iterations)."""
_ELSEWHERE = {"advisor_message": "advisor", "fallback_message": "fallback"}
"""Iterations of other models, whose price is not this one's: the call is marked, and its cost is unknown."""


class _Written(msgspec.Struct):
    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class _Details(msgspec.Struct):
    thinking_tokens: int | None = None


class _Tools(msgspec.Struct):
    web_search_requests: int | None = None


class _Iteration(msgspec.Struct):
    """One of the samplings behind an answer."""

    type: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation: _Written | None = None


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation: _Written | None = None
    output_tokens_details: _Details | None = None
    server_tool_use: _Tools | None = None
    iterations: list[_Iteration] | None = None
    service_tier: Any = None
    speed: Any = None
    inference_geo: Any = None


_decode = msgspec.json.Decoder(_Usage).decode


class Counts:
    """The counts of one answer, gathered over its events: what a later one tells replaces what an earlier one told."""

    __slots__ = (
        *("_input", "_output", "_read", "_written", "_long", "_reasoning"),
        *("_beside", "_others", "_searches", "_sound", "_tier"),
    )

    def __init__(self) -> None:
        self._input: int | None = None
        self._output: int | None = None
        self._read = self._written = self._long = self._reasoning = self._searches = 0
        self._beside: list[_Iteration] = []
        self._others: set[str] = set()
        self._tier = ""
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
        if usage.cache_creation is not None:
            self._long = usage.cache_creation.ephemeral_1h_input_tokens or 0
        if usage.output_tokens_details is not None:
            self._reasoning = usage.output_tokens_details.thinking_tokens or 0
        if usage.server_tool_use is not None:
            self._searches = usage.server_tool_use.web_search_requests or 0
        if usage.iterations is not None:
            self._beside = [each for each in usage.iterations if each.type in _BESIDE]
            self._others = {_ELSEWHERE[each.type] for each in usage.iterations if each.type in _ELSEWHERE}
        self._tier = read_service_tier(usage.service_tier, usage.speed, usage.inference_geo) or self._tier

    def usage(self) -> Usage | None:
        """Return the buckets, or ``None`` where the counts are missing, malformed, negative or impossibly large."""
        if not self._sound or self._input is None or self._output is None:
            return None
        parts = (self._input, self._read, self._written, self._long, self._output, self._reasoning, self._searches)
        if min(parts) < 0 or max(parts) > _LIMIT:
            return None
        # Details never exceed the total; where a server says so, only the total is believed.
        reasoning = self._reasoning if self._reasoning <= self._output else 0
        long = self._long if self._long <= self._written else 0
        counted = Usage(
            input=self._input,
            cache_read=self._read,
            cache_write=self._written - long,
            cache_write_long=long,
            output=self._output - reasoning,
            reasoning=reasoning,
            searches=self._searches,
            service_tier=read_service_tier(self._tier, *self._others) if self._others else self._tier,
        )
        return _with(counted, self._beside) if self._beside else counted


def _later(new: int | None, old: int | None) -> int | None:
    return old if new is None else new


def _with(usage: Usage, beside: Iterable[_Iteration]) -> Usage | None:
    """Add what is billed and stands in no total; ``None`` where one of these counts is impossible."""
    more = [0, 0, 0, 0, 0]
    for each in beside:
        long = each.cache_creation.ephemeral_1h_input_tokens or 0 if each.cache_creation is not None else 0
        written = (_written(each) or 0) - long
        counts = (each.input_tokens or 0, each.cache_read_input_tokens or 0, written, long, each.output_tokens or 0)
        if min(counts) < 0 or max(counts) > _LIMIT:
            return None
        more = [sum(pair) for pair in zip(more, counts, strict=True)]
    return msgspec.structs.replace(
        usage,
        input=usage.input + more[0],
        cache_read=usage.cache_read + more[1],
        cache_write=usage.cache_write + more[2],
        cache_write_long=usage.cache_write_long + more[3],
        output=usage.output + more[4],
    )


def _written(usage: _Usage | _Iteration) -> int | None:
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
    counts = delta(usage, thought)
    return {
        **counts,
        "cache_creation": _creation(usage),
        "service_tier": usage.service_tier if usage.service_tier in ("priority", "batch") else "standard",
        "server_tool_use": counts.get("server_tool_use"),
    }


def _creation(usage: Usage) -> dict[str, int]:
    return {"ephemeral_5m_input_tokens": usage.cache_write, "ephemeral_1h_input_tokens": usage.cache_write_long}


def delta(usage: Usage, thought: bool) -> dict[str, Any]:
    """Return the ``usage`` of a ``message_delta``: totals of the whole answer."""
    counts: dict[str, Any] = {
        "input_tokens": usage.input + usage.audio_input + usage.image_input,
        "cache_creation_input_tokens": usage.cache_write + usage.cache_write_long,
        "cache_read_input_tokens": usage.cache_read + usage.audio_cache_read,
        "output_tokens": usage.total_output,
    }
    if thought or usage.reasoning:
        counts["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    if usage.cache_write_long:
        counts["cache_creation"] = _creation(usage)  # otherwise nobody would see at which price
    if usage.searches:
        counts["server_tool_use"] = {"web_search_requests": usage.searches, "web_fetch_requests": 0}
    return counts
