"""Golden invoices: the usage in the guides, as buckets and as exact cost."""

from typing import Any

import msgspec
import pytest

from antiphon.types import Price, Usage
from antiphon.wires.anthropic import usage
from antiphon.wires.anthropic.usage import UsageCounts

DOLLARS_PER_MILLION = 1_000_000
"""One dollar per million tokens, in picodollars per token."""

RATES = {
    "input": 3 * 10**6,
    "cache_read": 300_000,
    "cache_write": 3_750_000,
    "cache_write_long": 6 * 10**6,
    "output": 15 * 10**6,
    "reasoning": 15 * 10**6,
    "searches": 10**10,
}
FAST = Price("test", **{name: amount if name == "searches" else 2 * amount for name, amount in RATES.items()})
PRICE = Price("test", **RATES, tiers={"fast": FAST})


def encode_raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))


@pytest.mark.parametrize(
    ("usage_object", "buckets", "cost"),
    [
        # A plain call.
        ({"input_tokens": 2095, "output_tokens": 503}, Usage(input=2095, output=503), 13_830_000_000),
        # The first call of a cached conversation writes the whole long document.
        (
            {
                "input_tokens": 21,
                "cache_creation_input_tokens": 188086,
                "cache_read_input_tokens": 0,
                "output_tokens": 393,
            },
            Usage(input=21, cache_write=188086, output=393),
            711_280_500_000,
        ),
        # The second call reads it.
        (
            {
                "input_tokens": 21,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 188086,
                "output_tokens": 393,
            },
            Usage(input=21, cache_read=188086, output=393),
            62_383_800_000,
        ),
        # Both lifetimes at once; their sum is the total.
        (
            {
                "input_tokens": 2048,
                "cache_read_input_tokens": 1800,
                "cache_creation_input_tokens": 248,
                "output_tokens": 503,
                "cache_creation": {"ephemeral_5m_input_tokens": 148, "ephemeral_1h_input_tokens": 100},
            },
            Usage(input=2048, cache_read=1800, cache_write=148, cache_write_long=100, output=503),
            15_384_000_000,
        ),
        # The breakdown without a total.
        (
            {
                "input_tokens": 1,
                "output_tokens": 1,
                "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 6},
            },
            Usage(input=1, cache_write=4, cache_write_long=6, output=1),
            69_000_000,
        ),
        # Thinking is part of the output and also reported separately.
        (
            {"input_tokens": 100, "output_tokens": 1500, "output_tokens_details": {"thinking_tokens": 1200}},
            Usage(input=100, output=300, reasoning=1200),
            22_800_000_000,
        ),
        # A breakdown that contradicts its total is ignored.
        (
            {
                "input_tokens": 1,
                "output_tokens": 1,
                "cache_creation_input_tokens": 3,
                "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 6},
            },
            Usage(input=1, cache_write=3, output=1),
            29_250_000,
        ),
        # A web search is billed beside the tokens; a service tier changes no count.
        (
            {
                "input_tokens": 105,
                "output_tokens": 6039,
                "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 1},
                "service_tier": "standard",
                "inference_geo": "global",
                "speed": "standard",
            },
            Usage(input=105, output=6039, searches=2),
            110_900_000_000,
        ),
        # A faster answer costs more; its searches do not.
        (
            {
                "input_tokens": 100,
                "output_tokens": 10,
                "speed": "fast",
                "server_tool_use": {"web_search_requests": 1},
                "inference_geo": "not_available",
            },
            Usage(input=100, output=10, searches=1, service_tier="fast"),
            10_900_000_000,
        ),
        # Compaction is billed but not in the totals; the iterations of a message are.
        (
            {
                "input_tokens": 10,
                "output_tokens": 20,
                "iterations": [
                    {
                        "type": "compaction",
                        "input_tokens": 1000,
                        "output_tokens": 100,
                        "cache_read_input_tokens": 7,
                        "cache_creation_input_tokens": 30,
                        "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
                    },
                    {"type": "message", "input_tokens": 10, "output_tokens": 20},
                ],
            },
            Usage(input=1010, cache_read=7, cache_write=10, cache_write_long=20, output=120),
            4_989_600_000,
        ),
        # Another model gave part of the answer, at a price that is not in this model's list.
        (
            {
                "input_tokens": 10,
                "output_tokens": 20,
                "iterations": [{"type": "advisor_message", "model": "other", "input_tokens": 5, "output_tokens": 5}],
            },
            Usage(input=10, output=20, service_tier="advisor"),
            None,
        ),
        # Contracts and regions without a price in the list.
        (
            {
                "input_tokens": 105,
                "output_tokens": 6039,
                "cache_read_input_tokens": 7123,
                "cache_creation_input_tokens": 7345,
                "server_tool_use": {"web_search_requests": 1, "web_fetch_requests": 0},
                "service_tier": "priority",
                "inference_geo": "us",
            },
            Usage(input=105, cache_read=7123, cache_write=7345, output=6039, searches=1, service_tier="priority+us"),
            None,
        ),
        # Details that contradict the total are ignored.
        (
            {"input_tokens": 1, "output_tokens": 5, "output_tokens_details": {"thinking_tokens": 9}},
            Usage(input=1, output=5),
            78_000_000,
        ),
        ({"input_tokens": 1, "output_tokens": 0, "cache_read_input_tokens": None}, Usage(input=1), 3_000_000),
    ],
)
def test_golden_invoices(usage_object: dict[str, Any], buckets: Usage, cost: int | None) -> None:
    counted = usage.read_usage(encode_raw(usage_object))
    assert counted == buckets
    assert PRICE.compute_cost(buckets) == cost


@pytest.mark.parametrize(
    "usage_object",
    [
        {},
        None,
        {"input_tokens": 1},
        {"output_tokens": 1},
        {"input_tokens": -1, "output_tokens": 1},
        {"input_tokens": 1, "output_tokens": 10**10},
        {"input_tokens": "1", "output_tokens": 1},
        {"input_tokens": 1, "output_tokens": 1, "cache_read_input_tokens": -5},
        {"input_tokens": 1, "output_tokens": 1, "cache_creation": {"ephemeral_1h_input_tokens": -5}},
        {"input_tokens": 1, "output_tokens": 1, "server_tool_use": {"web_search_requests": -1}},
        {"input_tokens": 1, "output_tokens": 1, "server_tool_use": {"web_search_requests": 10**10}},
        {"input_tokens": 1, "output_tokens": 1, "iterations": [{"type": "compaction", "input_tokens": -1}]},
        {"input_tokens": 1, "output_tokens": 1, "iterations": [{"type": "compaction", "input_tokens": 10**10}]},
        [],
    ],
)
def test_impossible_counts_are_no_usage(usage_object: Any) -> None:
    assert usage.read_usage(encode_raw(usage_object)) is None
    assert usage.read_usage(msgspec.UNSET) is None


def test_a_stream_has_totals_without_those_that_did_not_change() -> None:
    counts = UsageCounts()
    counts.add(
        encode_raw(
            {"input_tokens": 25, "cache_read_input_tokens": 7, "cache_creation_input_tokens": 9, "output_tokens": 1}
        )
    )
    counts.add(encode_raw({"output_tokens": 80}))
    counts.add(encode_raw({"output_tokens": 120, "output_tokens_details": {"thinking_tokens": 50}}))
    assert counts.sum() == Usage(input=25, cache_read=7, cache_write=9, output=70, reasoning=50)
    counts.add(encode_raw({"input_tokens": 3000, "output_tokens": 200}))
    assert counts.sum() == Usage(input=3000, cache_read=7, cache_write=9, output=150, reasoning=50)


def test_written_usage_always_has_the_cache_fields() -> None:
    written = usage.write_usage(
        Usage(input=3, audio_input=2, image_input=1, cache_write=5, output=4, audio_output=6), False
    )
    assert written == {
        "input_tokens": 6,
        "cache_creation_input_tokens": 5,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 0},
        "output_tokens": 10,
        "service_tier": "standard",
        "server_tool_use": None,
    }
    assert usage.write_usage(Usage(), True)["output_tokens_details"] == {"thinking_tokens": 0}
    assert usage.write_delta_usage(Usage(output=1, reasoning=8), False) == {
        "input_tokens": 0,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": 9,
        "output_tokens_details": {"thinking_tokens": 8},
    }


@pytest.mark.parametrize("buckets", [Usage(1, 2, 3, output=4, reasoning=5), Usage(), Usage(input=9, output=1)])
def test_written_usage_reads_back(buckets: Usage) -> None:
    assert usage.read_usage(encode_raw(usage.write_usage(buckets, True))) == buckets


def test_long_cache_writes_are_always_reported_separately() -> None:
    counted = Usage(input=3, cache_write=5, cache_write_long=7, output=4, searches=2)
    for usage_object in (usage.write_usage(counted, False), usage.write_delta_usage(counted, False)):
        assert usage_object["cache_creation_input_tokens"] == 12
        assert usage_object["cache_creation"] == {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 7}
        assert usage_object["server_tool_use"] == {"web_search_requests": 2, "web_fetch_requests": 0}
        assert usage.read_usage(encode_raw(usage_object)) == counted
    assert "cache_creation" not in usage.write_delta_usage(Usage(cache_write=5), False)
