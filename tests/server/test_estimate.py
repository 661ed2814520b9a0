"""The cost estimate: exact for each bucket, equal to the ledger's cost, and unknown if a price is unknown."""

from collections.abc import Iterator
from typing import Any

import pytest

from processes import Answer, Gateway, chat, post

CONFIG = {
    "providers": {
        "far": {"kind": "openai-compatible", "base_url": "http://127.0.0.1:9/v1"},
        "openai": {"api_key": "sk-x"},
    },
    "models": {
        "mine": {"targets": ["sim/echo"], "price": {"input": 2.5, "cache_read": 0.125, "output": 10.000001}},
        "half": {"targets": ["far/x"], "price": {"input": 1}},
        "draw": {"targets": ["far/x"], "price": {"images": 0.04, "searches": 0.01, "cache_write_long": 6}},
    },
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    running = Gateway(tmp_path_factory.mktemp("estimate"), CONFIG)
    yield running
    assert running.stop() == 0
    assert "Traceback" not in running.output, running.output


async def ask(gateway: Gateway, **body: Any) -> Answer:
    return await post(gateway.port, "/v1/cost/estimate", body, gateway.key)


async def test_exact_dollars_for_each_bucket(gateway: Gateway) -> None:
    answer = (await ask(gateway, model="mine", input_tokens=1001, cache_read_tokens=3, output_tokens=7)).json
    assert answer["cost"] == "0.002572875007"
    assert answer["buckets"] == {
        "input": {"tokens": 1001, "dollars_per_million": "2.5", "cost": "0.0025025"},
        "cache_read": {"tokens": 3, "dollars_per_million": "0.125", "cost": "0.000000375"},
        "output": {"tokens": 7, "dollars_per_million": "10.000001", "cost": "0.000070000007"},
    }
    assert answer["price_version"].startswith("config:")
    assert (answer["model"], answer["target"], answer["currency"]) == ("mine", "sim/echo", "USD")


async def test_units_and_long_writes(gateway: Gateway) -> None:
    answer = (await ask(gateway, model="draw", images=3, cache_write_long_tokens=1000, searches=0)).json
    assert answer["cost"] == "0.126"
    assert answer["units"] == {
        "images": {"count": 3, "dollars_each": "0.04", "cost": "0.12"},
        "searches": {"count": 0, "dollars_each": "0.01", "cost": "0"},
    }
    assert answer["buckets"] == {"cache_write_long": {"tokens": 1000, "dollars_per_million": "6", "cost": "0.006"}}
    answer = (await ask(gateway, model="draw", images=1, seconds=60)).json
    assert (answer["cost"], answer["units"]["seconds"]["cost"]) == ("unknown", "unknown")


async def test_a_service_tier_has_its_own_price(gateway: Gateway) -> None:
    counts = {"model": "openai/gpt-5.5", "input_tokens": 1000, "output_tokens": 100}
    costs = [(await ask(gateway, **counts, service_tier=tier)).json["cost"] for tier in ("default", "flex", "Priority")]
    assert costs == ["0.008", "0.004", "0.02"]
    answer = (await ask(gateway, **counts, service_tier="reserved")).json
    assert (answer["cost"], answer["buckets"]["input"]["dollars_per_million"]) == ("unknown", "unknown")
    assert (await ask(gateway, **counts, service_tier=5)).status == 400


async def test_the_estimate_equals_the_charge(gateway: Gateway) -> None:
    called = await chat(gateway, "mine")
    usage = called.json["usage"]
    counts = {"input_tokens": usage["prompt_tokens"], "output_tokens": usage["completion_tokens"]}
    answer = (await ask(gateway, model="mine", **counts)).json
    assert answer["cost"] == called.headers["x-antiphon-cost"]


async def test_an_unknown_cost_is_not_zero(gateway: Gateway) -> None:
    answer = (await ask(gateway, model="half", input_tokens=10, output_tokens=1)).json
    assert (answer["cost"], answer["buckets"]["input"]["cost"]) == ("unknown", "0.00001")
    assert answer["buckets"]["output"] == {"tokens": 1, "dollars_per_million": "unknown", "cost": "unknown"}
    answer = (await ask(gateway, model="half", input_tokens=10, output_tokens=0)).json
    assert (answer["cost"], answer["buckets"]["output"]["cost"]) == ("0.00001", "0")
    answer = (await ask(gateway, model="far/nobody-knows", input_tokens=10)).json
    assert (answer["cost"], answer["price_version"]) == ("unknown", "unknown")
    assert (await ask(gateway, model="far/nobody-knows", input_tokens=0)).json["cost"] == "0"


async def test_a_long_call_has_the_long_context_price(gateway: Gateway) -> None:
    """A separate price for long contexts applies to the whole call, as in the ledger."""
    from antiphon.config import load_config
    from antiphon.engine.response_headers import format_dollars
    from antiphon.types import Usage

    catalog = load_config(str(gateway.config), environ={})
    long = next(
        (entry["id"], price)
        for entry in catalog.list_models()
        if (facts := catalog.find_facts(entry["id"])) and (price := facts.price) and price.long and price.long.output
    )
    name, price = long
    assert price.long_from is not None
    for tokens in (price.long_from, price.long_from + 1):
        answer = (await ask(gateway, model=name, input_tokens=tokens, output_tokens=1000)).json
        cost = price.compute_cost(Usage(input=tokens, output=1000))
        assert cost is not None
        assert answer["cost"] == format_dollars(cost)
        assert answer["price_version"] == price.version


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "model"),
        ({"model": 3, "input_tokens": 1}, "model"),
        ({"model": "mine"}, "input_tokens"),
        ({"model": "mine", "prompt_tokens": 1}, "prompt_tokens"),
        ({"model": "mine", "input_tokens": -1}, "input_tokens"),
        ({"model": "mine", "input_tokens": True}, "input_tokens"),
        ({"model": "mine", "input_tokens": 1.0}, "input_tokens"),
        ({"model": "mine", "input_tokens": "1"}, "input_tokens"),
        ({"model": "mine", "output_tokens": 10**13}, "output_tokens"),
        ({"model": "mine", "output_tokens": 10**40}, "output_tokens"),
        ({"model": "mine", "output_tokens": None}, "output_tokens"),
    ],
)
async def test_invalid_counts_are_refused(gateway: Gateway, body: dict[str, Any], param: str) -> None:
    answer = await post(gateway.port, "/v1/cost/estimate", body, gateway.key)
    assert (answer.status, answer.json["error"]["param"]) == (400, param)


async def test_an_unknown_model(gateway: Gateway) -> None:
    answer = await ask(gateway, model="nothing", input_tokens=1)
    assert (answer.status, answer.json["error"]["code"]) == (404, "model_not_found")
