"""Messages ``usage`` to disjoint buckets and back (API reference, "Messages": usage; "Prompt caching": tracking).

``input_tokens`` counts the tokens that were neither read from the cache nor written to it; ``output_tokens`` includes
thinking. In a stream ``message_start`` has the input, and each ``message_delta`` has the totals that changed.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from antiphon.types import Usage
from antiphon.wires.wire import read_service_tier

_LIMIT = 1_000_000_000
"""More tokens than any one call can have; a larger count is a fault of the provider."""
_NOT_IN_TOTALS = frozenset(("compaction",))
"""Iterations that the totals leave out, at the same model's price (API reference, "Usage": iterations)."""
_OTHER_MODELS = {"advisor_message": "advisor", "fallback_message": "fallback"}
"""Iterations of other models, which have other prices: the call is marked, and its cost is unknown."""


class _CacheCreation(msgspec.Struct):
    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class _OutputDetails(msgspec.Struct):
    thinking_tokens: int | None = None


class _ServerTools(msgspec.Struct):
    web_search_requests: int | None = None


class _Iteration(msgspec.Struct):
    """One of the samplings behind an answer."""

    type: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation: _CacheCreation | None = None


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation: _CacheCreation | None = None
    output_tokens_details: _OutputDetails | None = None
    server_tool_use: _ServerTools | None = None
    iterations: list[_Iteration] | None = None
    service_tier: Any = None
    speed: Any = None
    inference_geo: Any = None


_decode = msgspec.json.Decoder(_Usage).decode


class UsageCounts:
    """The counts of one answer, collected from its events; a later count replaces an earlier one."""

    __slots__ = (
        *("_input", "_output", "_cache_read", "_cache_written", "_cache_written_long", "_reasoning", "_searches"),
        *("_other_models", "_outside_totals", "_tier", "_valid"),
    )

    def __init__(self) -> None:
        self._input: int | None = None
        self._output: int | None = None
        self._cache_read = self._cache_written = self._cache_written_long = self._reasoning = self._searches = 0
        self._outside_totals: list[_Iteration] = []
        self._other_models: set[str] = set()
        self._tier = ""
        self._valid = True

    def add(self, raw: msgspec.Raw | msgspec.UnsetType) -> None:
        """Add one undecoded ``usage`` object; a malformed one makes the counts invalid."""
        if raw is msgspec.UNSET:
            return
        try:
            usage = _decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self._valid = False
            return
        self._input = _prefer(usage.input_tokens, self._input)
        self._output = _prefer(usage.output_tokens, self._output)
        self._cache_read = _prefer(usage.cache_read_input_tokens, self._cache_read) or 0
        self._cache_written = _prefer(_read_cache_written(usage), self._cache_written) or 0
        if usage.cache_creation is not None:
            self._cache_written_long = usage.cache_creation.ephemeral_1h_input_tokens or 0
        if usage.output_tokens_details is not None:
            self._reasoning = usage.output_tokens_details.thinking_tokens or 0
        if usage.server_tool_use is not None:
            self._searches = usage.server_tool_use.web_search_requests or 0
        if usage.iterations is not None:
            types = {iteration.type for iteration in usage.iterations}
            self._outside_totals = [iteration for iteration in usage.iterations if iteration.type in _NOT_IN_TOTALS]
            self._other_models = {_OTHER_MODELS[name] for name in types if name in _OTHER_MODELS}
        self._tier = read_service_tier(usage.service_tier, usage.speed, usage.inference_geo) or self._tier

    def sum(self) -> Usage | None:
        """Return the buckets, or ``None`` if the counts are missing, malformed, negative or impossibly large."""
        if not self._valid or self._input is None or self._output is None:
            return None
        cache_writes, long_writes = self._cache_written, self._cache_written_long
        counts = (
            self._input,
            self._cache_read,
            cache_writes,
            long_writes,
            self._output,
            self._reasoning,
            self._searches,
        )
        if min(counts) < 0 or max(counts) > _LIMIT:
            return None
        # If a server's details exceed its total, only the total counts.
        reasoning = self._reasoning if self._reasoning <= self._output else 0
        long_writes = long_writes if long_writes <= cache_writes else 0
        usage = Usage(
            input=self._input,
            cache_read=self._cache_read,
            cache_write=cache_writes - long_writes,
            cache_write_long=long_writes,
            output=self._output - reasoning,
            reasoning=reasoning,
            searches=self._searches,
            service_tier=read_service_tier(self._tier, *self._other_models) if self._other_models else self._tier,
        )
        return _add_iterations(usage, self._outside_totals) if self._outside_totals else usage


def _prefer(new: int | None, old: int | None) -> int | None:
    return old if new is None else new


def _add_iterations(usage: Usage, iterations: Iterable[_Iteration]) -> Usage | None:
    """Add iterations that are billed but not in the totals; ``None`` if one of their counts is impossible."""
    sums = [0, 0, 0, 0, 0]
    for iteration in iterations:
        creation = iteration.cache_creation
        long_writes = creation.ephemeral_1h_input_tokens or 0 if creation is not None else 0
        short_writes = (_read_cache_written(iteration) or 0) - long_writes
        counts = (
            iteration.input_tokens or 0,
            iteration.cache_read_input_tokens or 0,
            short_writes,
            long_writes,
            iteration.output_tokens or 0,
        )
        if min(counts) < 0 or max(counts) > _LIMIT:
            return None
        sums = [sum(pair) for pair in zip(sums, counts, strict=True)]
    return msgspec.structs.replace(
        usage,
        input=usage.input + sums[0],
        cache_read=usage.cache_read + sums[1],
        cache_write=usage.cache_write + sums[2],
        cache_write_long=usage.cache_write_long + sums[3],
        output=usage.output + sums[4],
    )


def _read_cache_written(usage: _Usage | _Iteration) -> int | None:
    if usage.cache_creation_input_tokens is not None or usage.cache_creation is None:
        return usage.cache_creation_input_tokens
    parts = usage.cache_creation
    return (parts.ephemeral_5m_input_tokens or 0) + (parts.ephemeral_1h_input_tokens or 0)


def read_usage(raw: msgspec.Raw | msgspec.UnsetType) -> Usage | None:
    """Return the buckets of a whole answer's usage, or ``None`` if it has no possible counts."""
    counts = UsageCounts()
    counts.add(raw)
    return counts.sum()


def write_usage(usage: Usage, has_thinking: bool) -> dict[str, Any]:
    """Return the ``usage`` of a message; an answer with thinking has the details of its output."""
    counts = write_delta_usage(usage, has_thinking)
    return {
        **counts,
        "cache_creation": _write_cache_creation(usage),
        "service_tier": usage.service_tier if usage.service_tier in ("priority", "batch") else "standard",
        "server_tool_use": counts.get("server_tool_use"),
    }


def _write_cache_creation(usage: Usage) -> dict[str, int]:
    return {"ephemeral_5m_input_tokens": usage.cache_write, "ephemeral_1h_input_tokens": usage.cache_write_long}


def write_delta_usage(usage: Usage, has_thinking: bool) -> dict[str, Any]:
    """Return the ``usage`` of a ``message_delta``: the totals of the whole answer."""
    counts: dict[str, Any] = {
        "input_tokens": usage.input + usage.audio_input + usage.image_input,
        "cache_creation_input_tokens": usage.cache_write + usage.cache_write_long,
        "cache_read_input_tokens": usage.cache_read + usage.audio_cache_read,
        "output_tokens": usage.total_output,
    }
    if has_thinking or usage.reasoning:
        counts["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    if usage.cache_write_long:
        counts["cache_creation"] = _write_cache_creation(usage)  # the two lifetimes have different prices
    if usage.searches:
        counts["server_tool_use"] = {"web_search_requests": usage.searches, "web_fetch_requests": 0}
    return counts
