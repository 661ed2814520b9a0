"""The facts about models: complete, exact, and from a stated source."""

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import msgspec
import pytest

from antiphon.catalog.kinds import load_kinds
from antiphon.catalog.models import ModelFacts, load_facts
from antiphon.catalog.prices import format_per_million, make_price, parse_dollars
from antiphon.config import load_config
from antiphon.types import COUNTS, UNITS, Price, Usage

ROOT = Path(__file__).resolve().parents[2]
RAW = json.loads((ROOT / "src/antiphon/catalog/facts.json").read_text("utf-8"))


def run_script(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, ROOT / "scripts" / name, *arguments], capture_output=True, text=True)


def test_the_file_is_complete_and_from_the_pinned_sources():
    result = run_script("facts", "--check")
    assert result.returncode == 0, result.stderr


def test_an_edit_by_hand_is_detected(tmp_path: Path):
    catalog = tmp_path / "src/antiphon/catalog"
    catalog.mkdir(parents=True)
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts/facts").write_text((ROOT / "scripts/facts").read_text("utf-8"), "utf-8")
    text = (ROOT / "src/antiphon/catalog/facts.json").read_text("utf-8")
    (catalog / "facts.json").write_text(text.replace('"input":2500000', '"input":2500001', 1), "utf-8")
    result = subprocess.run(
        [sys.executable, tmp_path / "scripts/facts", "--check"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert "edited by hand" in result.stderr


def test_the_sources_are_named():
    assert [source["name"] for source in RAW["sources"]] == ["litellm", "genai-prices"]
    assert all(source["version"] and len(source["sha256"]) == 64 for source in RAW["sources"])
    litellm = tuple(map(int, RAW["sources"][0]["version"].split(".")))
    assert litellm >= (1, 84, 0)
    assert load_facts().versions == tuple(f"{s['name']}-{s['version']}" for s in RAW["sources"])


def test_only_existing_kinds_have_facts():
    assert set(RAW["models"]) <= set(load_kinds())
    for kind in (
        "openai",
        "anthropic",
        "gemini",
        "bedrock",
        "vertex",
        "azure",
        "mistral",
        "cohere",
        "groq",
        "openrouter",
    ):
        assert len(RAW["models"][kind]) >= 12


def test_the_file_stays_small():
    assert (ROOT / "src/antiphon/catalog/facts.json").stat().st_size < 600_000


SERVED = {
    "chat": {"chat", "messages", "generate", "converse"},
    "responses": {"responses"},
    "completions": {"completions"},
    "embeddings": {"embeddings", "gemini_embed"},
    **{name: {name} for name in ("rerank", "moderations", "images", "image_edits", "speech", "transcriptions")},
}


@pytest.mark.parametrize("kind", RAW["models"])
def test_a_known_model_has_an_operation_of_its_kind(kind: str):
    offered = {
        operation for row in load_kinds().values() if row.facts_kind == kind for operation in row.list_operations()
    }
    for name, row in RAW["models"][kind].items():
        assert SERVED[row.get("op", "chat")] & offered, name


def test_a_kind_shares_facts_only_with_a_kind_that_has_some():
    borrowed = {kind.facts for kind in load_kinds().values()} - {""}
    assert borrowed <= set(RAW["models"])
    assert not borrowed & {kind.name for kind in load_kinds().values() if kind.facts}


def test_the_sample_of_a_row_is_a_model_of_its_kind():
    for kind in load_kinds().values():
        known = set(load_facts().list_names(kind.facts_kind)) if kind.listed else set()
        assert kind.sample in known if known else kind.sample or kind.models, kind.name


def test_every_number_is_a_non_negative_integer():
    for kind, rows in RAW["models"].items():
        for name, row in rows.items():
            tier_steps = [step for tier in row.get("tiers", {}).values() if isinstance(tier, list) for step in tier]
            prices = [row.get("price", {}), *row.get("long", [0, {}])[1:], *tier_steps]
            for price in prices:
                assert set(price) <= set(COUNTS), (kind, name)
                assert all(type(amount) is int and amount >= 0 for amount in price.values()), (kind, name)
            for key in ("context", "output"):
                assert key not in row or (type(row[key]) is int and row[key] > 0), (kind, name)
            assert row.get("op", "chat") in SERVED


def test_a_factor_yields_integer_prices():
    for kind, rows in RAW["models"].items():
        for name, row in rows.items():
            factors = [Fraction(tier) for tier in row.get("tiers", {}).values() if isinstance(tier, str)]
            for step in (row.get("price", {}), *row.get("long", [0, {}])[1:]) if factors else ():
                tokens = [amount for bucket, amount in step.items() if bucket not in UNITS]
                assert all((amount * by).denominator == 1 for amount in tokens for by in factors), (kind, name)


def test_every_row_decodes():
    facts = load_facts()
    for kind, rows in RAW["models"].items():
        for name in rows:
            assert isinstance(facts.find(kind, name), ModelFacts)


def test_well_known_models():
    facts = load_facts()
    mini = facts.find("openai", "gpt-4o-mini")
    assert mini is not None
    assert mini.price is not None
    assert msgspec.structs.replace(mini.price, tiers=None) == make_price(
        {"input": 150_000, "cache_read": 75_000, "output": 600_000, "searches": 25 * 10**9}, "litellm-1.109.1"
    )
    assert (mini.context, mini.max_output, mini.operation, mini.tier) == (128_000, 16_384, "chat", "low")
    assert mini.capabilities is not None
    assert {"vision", "tools", "json", "streaming"} <= mini.capabilities
    small = facts.find("openai", "text-embedding-3-small")
    assert small is not None
    assert (small.operation, small.price and small.price.input) == ("embeddings", 20_000)
    claude = facts.find("anthropic", "claude-haiku-4-5")
    assert claude is not None
    assert claude.price is not None
    written = {"cache_read": 100_000, "cache_write": 1_250_000, "cache_write_long": 2_000_000}
    assert msgspec.structs.replace(claude.price, tiers=None) == make_price(
        {"input": 1_000_000, **written, "output": 5_000_000, "searches": 10**10}, "litellm-1.109.1"
    )
    codex = facts.find("openai", "gpt-5-codex")
    assert codex is not None
    assert codex.operation == "responses"
    assert facts.find("openai", "no-such-model") is None
    assert facts.find("no-such-kind", "gpt-4o") is None


@pytest.mark.parametrize(
    ("kind", "model", "usage", "cost"),
    [
        ("openai", "tts-1", Usage(characters=1000), 15 * 10**9),
        ("openai", "whisper-1", Usage(seconds=60), 6 * 10**9),
        ("groq", "whisper-large-v3", Usage(seconds=60), 60 * 30_830_000),
        (
            "openai",
            "gpt-image-2",
            Usage(input=10, image_input=100, image_output=1000),
            50 * 10**6 + 800 * 10**6 + 3 * 10**10,
        ),
        ("openai", "gpt-4o-mini-tts", Usage(input=10, audio_output=100), 6 * 10**6 + 12 * 10**8),
        ("openai", "omni-moderation-latest", Usage(input=1), 0),
        ("cohere", "rerank-v3.5", Usage(searches=2), 4 * 10**9),
        ("cohere", "rerank-v3.5", Usage(input=2), None),
        ("anthropic", "claude-opus-4-6", Usage(input=1, searches=3), 5_000_000 + 3 * 10**10),
        ("anthropic", "claude-opus-4-6", Usage(input=10, searches=1, service_tier="us"), 55_000_000 + 10**10),
        ("anthropic", "claude-opus-4-6", Usage(input=10, service_tier="priority"), None),
        ("openai", "gpt-5.5", Usage(input=10, output=1, service_tier="flex"), 25_000_000 + 15_000_000),
        ("openai", "gpt-5.5", Usage(input=272_001, service_tier="flex", searches=1), 272_001 * 5_000_000 + 10**10),
        ("openai", "gpt-5.5", Usage(input=10, service_tier="priority"), 125_000_000),
        ("openai", "gpt-5.5", Usage(input=272_001, service_tier="priority"), None),
        ("openai", "gpt-6-astra", Usage(cache_write=2, cache_write_long=1), 2 * 12_500_000 + 25_000_000),
        ("gemini", "gemini-2.5-flash", Usage(cache_read=1, audio_cache_read=1, searches=0), 130_000),
        ("gemini", "gemini-2.5-flash", Usage(input=1, searches=1), None),
        ("gemini", "gemini-2.5-flash-image", Usage(input=10, image_output=1290), 3_000_000 + 1290 * 30_000_000),
    ],
)
def test_units_and_tiers_have_a_price_if_the_list_has_one(
    kind: str, model: str, usage: Usage, cost: int | None
) -> None:
    facts = load_facts().find(kind, model)
    assert facts is not None
    assert facts.price is not None
    assert facts.price.compute_cost(usage) == cost


def test_withdrawn_models_have_a_price_but_are_not_listed():
    facts = load_facts()
    withdrawn = [
        (k, n) for k, rows in RAW["models"].items() for n, r in rows.items() if r.get("until", "9") <= "2026-11"
    ]
    assert withdrawn
    for kind, name in withdrawn:
        assert facts.has(kind, name)
        assert name not in set(facts.list_names(kind))


def test_long_contexts_have_their_own_price():
    long = [(k, n) for k, rows in RAW["models"].items() for n, row in rows.items() if "long" in row]
    assert long
    for kind, name in long:
        facts = load_facts().find(kind, name)
        assert facts is not None
        price = facts.price
        assert price is not None
        assert price.long is not None
        assert price.long_from is not None
        assert price.input is not None
        assert price.long.input is not None
        below, above = Usage(input=price.long_from), Usage(input=price.long_from + 1)
        assert price.compute_cost(below) == price.long_from * price.input
        assert price.compute_cost(above) == (price.long_from + 1) * price.long.input


@pytest.mark.parametrize(
    ("text", "amount"),
    [("0", 0), ("2.5", 2_500_000), ("0.15", 150_000), ("0.000001", 1), ("1e-6", 1), ("75", 75_000_000), ("1E2", 10**8)],
)
def test_dollars_become_picodollars_exactly(text: str, amount: int):
    assert parse_dollars(text) == amount


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "1e-7", "0.1234567", "free", "", "1e99"])
def test_an_invalid_price_is_rejected(text: str):
    with pytest.raises(ValueError, match="is "):
        parse_dollars(text)


@pytest.mark.parametrize(
    ("amount", "text"),
    [(None, "unknown"), (0, "$0.00"), (150_000, "$0.15"), (1, "$0.000001"), (10**7, "$10.00"), (2_500_000, "$2.50")],
)
def test_picodollars_are_formatted_exactly(amount: int | None, text: str):
    assert format_per_million(amount) == text


def test_buckets_fall_back_or_stay_unknown():
    price = make_price({"input": 10, "output": 20}, "v")
    fallbacks = {"cache_read": 10, "cache_write": 10, "audio_cache_read": 10, "image_input": 10, "reasoning": 20}
    assert price == Price("v", input=10, output=20, **fallbacks)
    assert price.compute_cost(Usage(input=1, cache_read=1, cache_write=1, image_input=1, output=1, reasoning=1)) == 80
    for name in ("cache_write_long", "audio_input", "audio_output", "image_output", *UNITS):
        assert price.compute_cost(Usage(input=1, **{name: 1})) is None, name
    assert make_price({"output": 5}, "v").compute_cost(Usage(input=1)) is None
    assert make_price({"output": 5}, "v").compute_cost(Usage(output=2)) == 10


@pytest.mark.parametrize(
    ("price", "tier"),
    [
        (None, None),
        ({"output": 1}, None),
        ({"input": 0, "output": 0}, "free"),
        ({"input": 0}, "free"),
        ({"input": 0, "output": 4}, "low"),
        ({"input": 999_999, "output": 999_999}, "low"),
        ({"input": 1_000_000, "output": 1_000_000}, "mid"),
        ({"input": 4_999_999, "output": 4_999_999}, "mid"),
        ({"input": 5_000_000, "output": 5_000_000}, "high"),
        ({"input": 20_000}, "low"),
    ],
)
def test_tiers(price: dict[str, int] | None, tier: str | None):
    assert ModelFacts(price=make_price(price, "v") if price is not None else None).tier == tier


def test_local_servers_have_a_known_price_of_zero():
    catalog = load_config(environ={"OLLAMA_HOST": "127.0.0.1"}, probes={})
    price = catalog.resolve("ollama/anything").targets[0].price
    assert price is not None
    assert price.compute_cost(Usage(**dict.fromkeys(COUNTS, 5), service_tier="whatever")) == 0
    facts = catalog.find_facts("ollama/anything")
    assert facts is not None
    assert facts.tier == "free"


def test_simulated_models_have_a_small_price():
    price = load_config(environ={}, probes={}).resolve("sim/echo").targets[0].price
    assert price is not None
    assert (price.input, price.output) == (150_000, 600_000)


def test_an_unknown_model_has_no_price():
    catalog = load_config(environ={"OPENAI_API_KEY": "k"}, probes={})
    assert catalog.resolve("openai/brand-new").targets[0].price is None
    assert catalog.find_facts("openai/brand-new") is None
