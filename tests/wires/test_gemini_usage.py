"""Golden invoices of the Gemini wire: usageMetadata, as the reference describes it, in disjoint buckets."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.types import BUCKETS, Usage
from antiphon.wires.gemini import usage as usages


def make_details(**counts: int) -> list[dict[str, Any]]:
    return [{"modality": modality, "tokenCount": count} for modality, count in counts.items()]


INVOICES = {
    "plain": (
        {"promptTokenCount": 4, "candidatesTokenCount": 715, "totalTokenCount": 719,
         "promptTokensDetails": make_details(TEXT=4)},
        Usage(input=4, output=715),
    ),
    "thoughts beside the candidates": (
        {"promptTokenCount": 11, "candidatesTokenCount": 1246, "thoughtsTokenCount": 933, "totalTokenCount": 2190},
        Usage(input=11, output=1246, reasoning=933),
    ),
    "thoughts within the candidates, as the total shows": (
        {"promptTokenCount": 10, "candidatesTokenCount": 100, "thoughtsTokenCount": 60, "totalTokenCount": 110},
        Usage(input=10, output=40, reasoning=60),
    ),
    "thoughts only, cut by the limit": (
        {"promptTokenCount": 9, "thoughtsTokenCount": 61, "totalTokenCount": 70},
        Usage(input=9, reasoning=61),
    ),
    "the prompt includes what was cached": (
        {"promptTokenCount": 696_219, "cachedContentTokenCount": 696_190, "candidatesTokenCount": 214,
         "totalTokenCount": 696_433, "promptTokensDetails": make_details(TEXT=696_219),
         "cacheTokensDetails": make_details(TEXT=696_190)},
        Usage(input=29, cache_read=696_190, output=214),
    ),
    "sound, pictures and video": (
        {"promptTokenCount": 1000, "candidatesTokenCount": 50, "totalTokenCount": 1050,
         "promptTokensDetails": make_details(TEXT=200, AUDIO=300, IMAGE=258, VIDEO=242)},
        Usage(input=442, audio_input=300, image_input=258, output=50),
    ),
    "cached sound": (
        {"promptTokenCount": 1000, "cachedContentTokenCount": 800, "candidatesTokenCount": 1, "totalTokenCount": 1001,
         "promptTokensDetails": make_details(TEXT=100, AUDIO=900), "cacheTokensDetails": make_details(AUDIO=800)},
        Usage(input=100, audio_cache_read=800, audio_input=100, output=1),
    ),
    "a cached part that is not split": (
        {"promptTokenCount": 1000, "cachedContentTokenCount": 900, "candidatesTokenCount": 1, "totalTokenCount": 1001,
         "promptTokensDetails": make_details(TEXT=100, AUDIO=600, IMAGE=300)},
        Usage(input=0, cache_read=900, audio_input=100, image_input=0, output=1),
    ),
    "prompts of built-in tools": (
        {"promptTokenCount": 18, "toolUsePromptTokenCount": 10_309, "candidatesTokenCount": 37,
         "thoughtsTokenCount": 214, "totalTokenCount": 10_578, "toolUsePromptTokensDetails": make_details(TEXT=10_309)},
        Usage(input=10_327, output=37, reasoning=214),
    ),
    "speech": (
        {"promptTokenCount": 8, "candidatesTokenCount": 120, "totalTokenCount": 128,
         "candidatesTokensDetails": make_details(AUDIO=120)},
        Usage(input=8, audio_output=120),
    ),
    "cached words and sound": (
        {"promptTokenCount": 1000, "cachedContentTokenCount": 700, "candidatesTokenCount": 1, "totalTokenCount": 1001,
         "promptTokensDetails": make_details(TEXT=400, AUDIO=600),
         "cacheTokensDetails": make_details(TEXT=200, AUDIO=500)},
        Usage(input=200, cache_read=200, audio_input=100, audio_cache_read=500, output=1),
    ),
    "a picture that was made": (
        {"promptTokenCount": 8, "candidatesTokenCount": 1320, "thoughtsTokenCount": 5, "totalTokenCount": 1333,
         "candidatesTokensDetails": make_details(TEXT=30, IMAGE=1290)},
        Usage(input=8, output=30, reasoning=5, image_output=1290),
    ),
    "served at another price": (
        {"promptTokenCount": 8, "candidatesTokenCount": 2, "totalTokenCount": 10, "trafficType": "ON_DEMAND_PRIORITY"},
        Usage(input=8, output=2, service_tier="priority"),
    ),
    "served from what was bought before": (
        {"promptTokenCount": 8, "candidatesTokenCount": 2, "totalTokenCount": 10,
         "trafficType": "PROVISIONED_THROUGHPUT"},
        Usage(input=8, output=2, service_tier="provisioned_throughput"),
    ),
    "served as ever": (
        {"promptTokenCount": 8, "candidatesTokenCount": 2, "totalTokenCount": 10, "trafficType": "ON_DEMAND",
         "serviceTier": "standard"},
        Usage(input=8, output=2),
    ),
    "numbers as strings, as protobuf may write them": (
        {"promptTokenCount": "3", "candidatesTokenCount": "2", "totalTokenCount": "5"},
        Usage(input=3, output=2),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("metadata", "expected"), INVOICES.values(), ids=INVOICES)
def test_invoices(metadata: dict[str, Any], expected: Usage) -> None:
    usage = usages.read_usage(json.dumps(metadata).encode())
    assert usage == expected
    assert usage.total == int(metadata["totalTokenCount"])


@pytest.mark.parametrize(
    "raw",
    [
        b"null", b"[]", b"{}", b'{"promptTokenCount":-1,"candidatesTokenCount":1}', b'{"promptTokenCount":1e99}',
        b'{"promptTokenCount":2000000000}', b'{"promptTokenCount":"many"}', b'{"promptTokenCount":"\xff"}',
        b'{"promptTokenCount":1,"cachedContentTokenCount":5}',
        b'{"promptTokenCount":1,"candidatesTokenCount":1,"candidatesTokensDetails":[{"modality":"AUDIO","tokenCount":9}]}',
        b'{"promptTokenCount":1,"candidatesTokenCount":1,"candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":9}]}',
        b'{"promptTokenCount":9,"cachedContentTokenCount":2,"cacheTokensDetails":[{"modality":"AUDIO","tokenCount":-9}]}',
    ],
)  # fmt: skip
def test_impossible_counts_are_no_gemini_usage(raw: bytes) -> None:
    assert usages.read_usage(raw) is None


COUNTS = st.integers(0, 100_000)


@given(st.builds(Usage, **dict.fromkeys(BUCKETS, COUNTS)))
def test_written_usage_reads_back_the_same(usage: Usage) -> None:
    written = usages.write_usage(usage)
    again = usages.read_usage(json.dumps(written).encode())
    assert again is not None
    assert again.total == usage.total == written["totalTokenCount"]
    folded = msgspec.structs.replace(
        usage, input=usage.input + usage.cache_write + usage.cache_write_long, cache_write=0, cache_write_long=0
    )
    assert again == folded
