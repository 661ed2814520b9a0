"""``usageMetadata`` to disjoint buckets and back (API reference, "UsageMetadata").

What the reference says: the prompt's count includes cached content; the candidates' count does not include thoughts;
the prompts of built-in tools are counted beside the prompt; the total is all of these. The details split the prompt,
the cached part, the tools' prompts and the candidates by modality.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from antiphon.types import Usage
from antiphon.wires.wire import read_service_tier

_LIMIT = 1_000_000_000
"""More tokens than any one call can have; a larger count is a fault of the provider."""


class _Count(msgspec.Struct, rename="camel", frozen=True):
    modality: str | None = None
    token_count: int | None = None


_Counts = list[_Count] | None


class _Metadata(msgspec.Struct, rename="camel", frozen=True):
    prompt_token_count: int | None = None
    cached_content_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    total_token_count: int | None = None
    traffic_type: Any = None
    service_tier: Any = None
    prompt_tokens_details: _Counts = None
    cache_tokens_details: _Counts = None
    candidates_tokens_details: _Counts = None
    tool_use_prompt_tokens_details: _Counts = None


_decode = msgspec.json.Decoder(_Metadata, strict=False).decode


def read_usage(raw: bytes, searches: int = 0) -> Usage | None:
    """Return the buckets, or ``None`` if the object is missing, malformed, negative or impossibly large.

    ``searches`` comes from :func:`count_searches`, because the counts do not include it.
    """
    try:
        said = _decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    if said.prompt_token_count is None and said.candidates_token_count is None and said.total_token_count is None:
        return None
    usage = _read_buckets(said, searches)
    return usage if min(usage.counts) >= 0 and max(usage.counts) <= _LIMIT else None


def count_searches(grounding: Iterable[Any]) -> int:
    """Return the number of web queries in the grounding of candidates; each is one search."""
    named = [told.get("webSearchQueries") for told in grounding if type(told) is dict]
    return sum(type(query) is str and bool(query) for queries in named if type(queries) is list for query in queries)


def _read_buckets(said: _Metadata, searched: int) -> Usage:
    cached, tools = said.cached_content_token_count or 0, said.tool_use_prompt_token_count or 0
    thoughts, candidates = said.thoughts_token_count or 0, said.candidates_token_count or 0
    prompt = said.prompt_token_count or 0
    if thoughts and said.total_token_count == prompt + tools + candidates:
        candidates -= thoughts  # the total shows that the candidates' count includes them
    audio = _count_uncached(said, "AUDIO")
    image = _count_uncached(said, "IMAGE")
    plain = prompt + tools - cached - audio - image
    if plain < 0:  # the cached part is not split by modality, so it must include these
        short = min(-plain, image)
        image, plain = image - short, plain + short
        short = min(-plain, audio)
        audio, plain = audio - short, plain + short
    heard = min(_count_modality(said.cache_tokens_details, "AUDIO"), cached)
    spoken, drawn = (
        _count_modality(said.candidates_tokens_details, "AUDIO"),
        _count_modality(said.candidates_tokens_details, "IMAGE"),
    )
    traffic = str(said.traffic_type or "").lower().removeprefix("traffic_type_").removeprefix("on_demand_")
    return Usage(
        input=plain,
        cache_read=cached - heard,
        audio_input=audio,
        audio_cache_read=heard,
        image_input=image,
        output=candidates - spoken - drawn,
        reasoning=thoughts,
        audio_output=spoken,
        image_output=drawn,
        searches=searched,
        service_tier=read_service_tier(said.service_tier, traffic),
    )


def _count_uncached(said: _Metadata, modality: str) -> int:
    """Return the uncached tokens of a modality in the prompt and in the prompts of tools."""
    read_anew = _count_modality(said.prompt_tokens_details, modality) - _count_modality(
        said.cache_tokens_details, modality
    )
    return read_anew + _count_modality(said.tool_use_prompt_tokens_details, modality)


def _count_modality(counts: _Counts, modality: str) -> int:
    return sum(count.token_count or 0 for count in counts or () if count.modality == modality)


def write_usage(usage: Usage) -> dict[str, Any]:
    """Return ``usageMetadata`` for buckets; this wire has no field for cache writes, which count as prompt."""
    cached, heard = usage.cache_read, usage.audio_cache_read
    text = usage.input + cached + usage.cache_write + usage.cache_write_long
    metadata: dict[str, Any] = {
        "promptTokenCount": usage.total_input,
        "candidatesTokenCount": usage.total_output - usage.reasoning,
        "totalTokenCount": usage.total,
    }
    if cached or heard:
        metadata["cachedContentTokenCount"] = cached + heard
        metadata["cacheTokensDetails"] = _write_details(TEXT=cached, AUDIO=heard)
    if usage.reasoning:
        metadata["thoughtsTokenCount"] = usage.reasoning
    metadata["promptTokensDetails"] = _write_details(
        TEXT=text, AUDIO=usage.audio_input + heard, IMAGE=usage.image_input
    )
    if usage.audio_output or usage.image_output:
        spoken, drawn = usage.audio_output, usage.image_output
        metadata["candidatesTokensDetails"] = _write_details(TEXT=usage.output, AUDIO=spoken, IMAGE=drawn)
    return metadata


def _write_details(**counts: int) -> list[dict[str, Any]]:
    return [{"modality": modality, "tokenCount": count} for modality, count in counts.items() if count]
