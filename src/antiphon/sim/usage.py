"""The usage that the simulator states, counted as OpenAI counts."""

import msgspec

from antiphon.types import Usage


class UsageCounts(msgspec.Struct, frozen=True):
    """Token counts of one answer; cached tokens are part of the prompt, reasoning tokens of the completion."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0


def count_usage(prompt: int, completion: int, reasoning: int, scripted: dict[str, int] | None = None) -> UsageCounts:
    """Return the counts of an answer; the ``scripted`` ones replace the counted ones."""
    counts = {"prompt_tokens": prompt, "completion_tokens": completion, "reasoning_tokens": reasoning}
    counts |= scripted or {}
    counts.setdefault("total_tokens", counts["prompt_tokens"] + counts["completion_tokens"])
    return UsageCounts(**counts)


def write_usage(counts: UsageCounts) -> bytes:
    """Return OpenAI's usage object as JSON text."""
    cache_write = b',"cache_write_tokens":%d' % counts.cache_write_tokens if counts.cache_write_tokens else b""
    return (
        b'{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,'
        b'"prompt_tokens_details":{"cached_tokens":%d,"audio_tokens":0%s},'
        b'"completion_tokens_details":{"reasoning_tokens":%d,"audio_tokens":0,'
        b'"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}'
    ) % (
        counts.prompt_tokens,
        counts.completion_tokens,
        counts.total_tokens,
        counts.cached_tokens,
        cache_write,
        counts.reasoning_tokens,
    )


def to_neutral_usage(counts: UsageCounts) -> Usage:
    """Return the counts in disjoint buckets, from which every other wire is written."""
    return Usage(
        input=max(counts.prompt_tokens - counts.cached_tokens - counts.cache_write_tokens, 0),
        cache_read=counts.cached_tokens,
        cache_write=counts.cache_write_tokens,
        output=max(counts.completion_tokens - counts.reasoning_tokens, 0),
        reasoning=counts.reasoning_tokens,
    )
