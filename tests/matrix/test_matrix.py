"""Every inbound wire on every outbound wire, with the official clients, through a running gateway."""

import json
from pathlib import Path
from typing import Any

import pytest

from matrix.asking import NotHere, Seen
from matrix.capabilities import BUCKETS, CAPABILITIES, COSTS, Capability
from matrix.received import Got, received

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:botocore"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:google"),
]

PROVEN = Path(__file__).parent / "proven.json"
USAGE = "usage: all buckets that both wires have"


def outcome(house: Any, capability: Capability, near: str, far: str, stream: bool) -> str:
    """Return how a cell came out: ``yes``, ``dropped``, ``refused``, or ``-`` where the caller has no words for it."""
    house.asked()
    try:
        got, seen = exchanged(house, capability, near, far, stream)
    except NotHere:
        return "-"
    except Exception as error:  # noqa: BLE001 - each client has classes of its own
        assert status_of(error) == 400, error
        assert len(house.asked()) == bool(capability.ask.results), "the provider refused what the gateway wrote"
        return "refused"
    if any(name.split(".")[0] in [each.split(".")[0] for each in capability.names] for name in seen.dropped):
        return "dropped"
    assert set(seen.dropped) <= set(capability.beside), seen.dropped
    assert capability.got(got), got
    assert capability.seen(seen), seen
    return "yes"


def exchanged(house: Any, capability: Capability, near: str, far: str, stream: bool) -> tuple[Got, Seen]:
    """Ask, and go on with the results of tools where there are any."""
    caller, ask, model = house.callers[near], capability.ask, f"{far}/{capability.model}"
    history = caller.history(ask)
    seen = caller.ask(model, ask, history, stream)
    if ask.results:
        history = [*history, *seen.native, *caller.results(seen, ask.results)]
        seen = caller.ask(model, ask, history, stream)
    return received(far, house.asked()[-1]["body"]), seen


def status_of(error: Any) -> int:
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        return int(response["ResponseMetadata"]["HTTPStatusCode"])
    return int(getattr(error, "status_code", None) or getattr(error, "code", 0))


@pytest.mark.parametrize("capability", CAPABILITIES, ids=lambda capability: capability.title)
def test_cell(house: Any, proven: Any, capability: Capability, near: str, far: str, stream: bool) -> None:
    proven(capability.title, near, far, outcome(house, capability, near, far, stream))


def test_usage(house: Any, proven: Any, near: str, far: str, stream: bool) -> None:
    capability = next(each for each in CAPABILITIES if each.title == "thinking, shown")
    _, seen = exchanged(house, capability, near, far, stream)
    told = BUCKETS[near] & BUCKETS[far]
    assert {name: seen.usage[name] for name in told} == {name: COSTS[name] for name in told}
    proven(USAGE, near, far, "yes")


def test_nothing_is_told_that_is_not_tested() -> None:
    assert sorted(json.loads(PROVEN.read_text("utf-8"))) == sorted([USAGE, *(each.title for each in CAPABILITIES)])
