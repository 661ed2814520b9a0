"""Any usage that a provider of any wire reports gives possible counts or none, never a crash or a negative count."""

import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.types import Price, Usage
from antiphon.wires.anthropic import usage as anthropic
from antiphon.wires.bedrock import usage as bedrock
from antiphon.wires.gemini import usage as gemini
from antiphon.wires.openai import usage as openai
from antiphon.wires.responses import usage as responses

ODD = st.one_of(st.integers(-(10**30), 10**30), st.floats(), st.none(), st.booleans(), st.text(max_size=3))
NUMBERS = st.integers(0, 19).flatmap(lambda kind: st.integers(0, 2000) if kind else ODD)
"""Mostly possible counts, so that their conversion is tested too."""
WORDS = st.sampled_from(["standard", "flex", "fast", "us", "ON_DEMAND_FLEX", "", "A b"]) | NUMBERS


def draw_counts(counts: str, **others: Any) -> st.SearchStrategy[dict[str, Any]]:
    first, *more = counts.split()
    return st.fixed_dictionaries({first: NUMBERS}, optional={**dict.fromkeys(more, NUMBERS), **others})


MODALITIES = st.lists(draw_counts("tokenCount", modality=st.sampled_from(["TEXT", "AUDIO", "IMAGE"])), max_size=3)
CREATION = draw_counts("ephemeral_5m_input_tokens ephemeral_1h_input_tokens")
COUNTED = "input_tokens output_tokens cache_creation_input_tokens cache_read_input_tokens"
WRITTEN = draw_counts("ttl_12h_tokens ttl_30m_tokens")
BEFORE = draw_counts("cached_tokens cache_write_tokens audio_tokens image_tokens", cache_write_tokens_details=WRITTEN)
AFTER = draw_counts("reasoning_tokens audio_tokens image_tokens")
USAGES = {
    "chat": draw_counts(
        "prompt_tokens completion_tokens total_tokens", prompt_tokens_details=BEFORE, completion_tokens_details=AFTER
    ),
    "responses": draw_counts("input_tokens output_tokens", input_tokens_details=BEFORE, output_tokens_details=AFTER),
    "messages": draw_counts(
        COUNTED,
        cache_creation=CREATION,
        output_tokens_details=draw_counts("thinking_tokens"),
        server_tool_use=draw_counts("web_search_requests"),
        iterations=st.lists(
            draw_counts(
                COUNTED, type=st.sampled_from(["compaction", "message", "advisor_message"]), cache_creation=CREATION
            ),
            max_size=2,
        ),
        service_tier=WORDS,
        speed=WORDS,
        inference_geo=WORDS,
    ),
    "generate": draw_counts(
        "promptTokenCount cachedContentTokenCount candidatesTokenCount thoughtsTokenCount toolUsePromptTokenCount "
        "totalTokenCount",
        promptTokensDetails=MODALITIES,
        cacheTokensDetails=MODALITIES,
        candidatesTokensDetails=MODALITIES,
        trafficType=WORDS,
        serviceTier=WORDS,
    ),
    "converse": draw_counts(
        "inputTokens outputTokens cacheReadInputTokens cacheWriteInputTokens",
        cacheDetails=st.lists(draw_counts("inputTokens", ttl=st.sampled_from(["5m", "1h", "9d"])), max_size=3),
    ),
}
READERS = {
    "chat": lambda raw: openai.read_usage(raw, "flex"),
    "responses": lambda raw: responses.read_usage(raw),
    "messages": lambda raw: anthropic.read_usage(msgspec.Raw(raw)),
    "generate": lambda raw: gemini.read_usage(raw, 1),
    "converse": lambda raw: bedrock.read_usage(msgspec.Raw(raw)),
}
PRICE = Price("v", *[1] * len(Usage().counts), tiers={"flex": Price("v", input=2)})


@pytest.mark.parametrize("wire", USAGES)
@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_any_usage_is_possible_or_none(wire: str, data: st.DataObject) -> None:
    raw = json.dumps(data.draw(USAGES[wire])).encode()
    used = READERS[wire](raw)
    if used is None:
        return
    assert all(type(count) is int and 0 <= count <= 5 * 10**9 for count in used.counts), used
    assert used.total == used.total_input + used.total_output
    assert not used.service_tier or re.fullmatch(r"[a-z0-9_-]+(\+[a-z0-9_-]+)*", used.service_tier)
    cost = PRICE.compute_cost(used)
    assert cost is None or cost >= 0
    assert cost == sum(used.counts) or used.service_tier
