"""``usageMetadata`` to disjoint buckets and back (API reference, "UsageMetadata").

According to the reference, the prompt's count includes cached content, the candidates' count does not include thoughts,
and the prompts of built-in tools are counted separately; the total is the sum. The details split the prompt, the cached
part, the tools' prompts and the candidates by modality.
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
        metadata = _decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    if metadata.prompt_token_count is metadata.candidates_token_count is metadata.total_token_count is None:
        return None
    usage = _read_buckets(metadata, searches)
    return usage if min(usage.counts) >= 0 and max(usage.counts) <= _LIMIT else None


def count_searches(grounding: Iterable[Any]) -> int:
    """Return the number of web queries in the grounding of candidates; each is one search."""
    lists = [metadata.get("webSearchQueries") for metadata in grounding if type(metadata) is dict]
    return sum(type(query) is str and bool(query) for queries in lists if type(queries) is list for query in queries)


def _read_buckets(metadata: _Metadata, searches: int) -> Usage:
    cache_read, tool_prompts = metadata.cached_content_token_count or 0, metadata.tool_use_prompt_token_count or 0
    thoughts, candidates = metadata.thoughts_token_count or 0, metadata.candidates_token_count or 0
    prompt = metadata.prompt_token_count or 0
    if thoughts and metadata.total_token_count == prompt + tool_prompts + candidates:
        candidates -= thoughts  # the total shows that the candidates' count includes them
    audio = _count_uncached(metadata, "AUDIO")
    image = _count_uncached(metadata, "IMAGE")
    input_tokens = prompt + tool_prompts - cache_read - audio - image
    if input_tokens < 0:  # the cached part is not split by modality, so it must include these
        missing = min(-input_tokens, image)
        image, input_tokens = image - missing, input_tokens + missing
        missing = min(-input_tokens, audio)
        audio, input_tokens = audio - missing, input_tokens + missing
    audio_cache_read = min(_count_modality(metadata.cache_tokens_details, "AUDIO"), cache_read)
    audio_output, image_output = (
        _count_modality(metadata.candidates_tokens_details, "AUDIO"),
        _count_modality(metadata.candidates_tokens_details, "IMAGE"),
    )
    traffic = str(metadata.traffic_type or "").lower().removeprefix("traffic_type_").removeprefix("on_demand_")
    return Usage(
        input=input_tokens,
        cache_read=cache_read - audio_cache_read,
        audio_input=audio,
        audio_cache_read=audio_cache_read,
        image_input=image,
        output=candidates - audio_output - image_output,
        reasoning=thoughts,
        audio_output=audio_output,
        image_output=image_output,
        searches=searches,
        service_tier=read_service_tier(metadata.service_tier, traffic),
    )


def _count_uncached(metadata: _Metadata, modality: str) -> int:
    """Return the uncached tokens of a modality in the prompt and in the prompts of tools."""
    prompt = _count_modality(metadata.prompt_tokens_details, modality)
    cached = _count_modality(metadata.cache_tokens_details, modality)
    return prompt - cached + _count_modality(metadata.tool_use_prompt_tokens_details, modality)


def _count_modality(counts: _Counts, modality: str) -> int:
    return sum(count.token_count or 0 for count in counts or () if count.modality == modality)


def write_usage(usage: Usage) -> dict[str, Any]:
    """Return ``usageMetadata`` for buckets; this wire has no field for cache writes, which count as prompt."""
    cached, cached_audio = usage.cache_read, usage.audio_cache_read
    text = usage.input + cached + usage.cache_write + usage.cache_write_long
    metadata: dict[str, Any] = {
        "promptTokenCount": usage.total_input,
        "candidatesTokenCount": usage.total_output - usage.reasoning,
        "totalTokenCount": usage.total,
    }
    if cached or cached_audio:
        metadata["cachedContentTokenCount"] = cached + cached_audio
        metadata["cacheTokensDetails"] = _write_details(TEXT=cached, AUDIO=cached_audio)
    if usage.reasoning:
        metadata["thoughtsTokenCount"] = usage.reasoning
    metadata["promptTokensDetails"] = _write_details(
        TEXT=text, AUDIO=usage.audio_input + cached_audio, IMAGE=usage.image_input
    )
    if usage.audio_output or usage.image_output:
        metadata["candidatesTokensDetails"] = _write_details(
            TEXT=usage.output, AUDIO=usage.audio_output, IMAGE=usage.image_output
        )
    return metadata


def _write_details(**counts: int) -> list[dict[str, Any]]:
    return [{"modality": modality, "tokenCount": count} for modality, count in counts.items() if count]
