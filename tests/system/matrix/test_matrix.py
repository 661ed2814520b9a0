"""Every inbound wire on every outbound wire, with the official clients, through a running gateway."""

import json
from pathlib import Path
from typing import Any

import pytest

from system.matrix.asking import PIXEL, Ask, NotHere, Seen, said
from system.matrix.capabilities import BUCKETS, CAPABILITIES, COSTS, Capability
from system.matrix.natives import ANSWERS, TEXT
from system.matrix.received import Got, received

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:botocore"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:google"),
]

PROVEN = Path(__file__).parent / "proven.json"
USAGE = "usage: all buckets that both wires have"


def outcome(house: Any, capability: Capability, near: str, far: str, stream: bool) -> str:
    """Return how a cell came out: yes, text, dropped, refused, or ``-`` where one of the wires has no words for it."""
    house.asked()
    try:
        got, seen = exchanged(house, capability, near, far, stream)
    except NotHere:
        return "-"
    except Exception as error:  # noqa: BLE001 - each client has classes of its own
        assert status_of(error) in (400, 404), error
        assert len(house.asked()) == bool(capability.ask.results), "the provider refused what the gateway wrote"
        return "refused"
    if any(name.split(".")[0] in [each.split(".")[0] for each in capability.names] for name in seen.dropped):
        return "dropped"
    assert set(seen.dropped) <= set(capability.beside), seen.dropped
    assert capability.got(got), got
    assert capability.seen(seen), seen
    return "text" if seen.as_text else "yes"


def exchanged(house: Any, capability: Capability, near: str, far: str, stream: bool) -> tuple[Got, Seen]:
    """Ask, and go on with the results of tools where there are any."""
    caller, ask, model = house.callers[near], capability.ask, f"{far}/{capability.model}"
    if ask.previous and near == far:
        raise NotHere  # the simulator keeps no conversations of its own
    if capability.earlier:
        return _gone_on(house, caller, capability, near, far, stream)
    if capability.native:
        return _told(house, caller, capability, far, stream)
    history = caller.history(ask)
    seen = caller.ask(model, ask, history, stream)
    if ask.results:
        history = [*history, *seen.native, *caller.results(seen, ask.results)]
        seen = caller.ask(model, ask, history, stream)
    return received(far, house.asked()[-1]["body"]), seen


def _told(house: Any, caller: Any, capability: Capability, far: str, stream: bool) -> tuple[Got, Seen]:
    """Ask a provider that answers as one of its wire does, byte for byte."""
    answer = ANSWERS[capability.native].get(far)
    if answer is None or (stream and not answer[1]):
        raise NotHere
    seen = caller.ask(f"native-{far}/{capability.native}", capability.ask, caller.history(capability.ask), stream)
    return received(far, json.dumps(house.native.asked[-1][2]).encode()), seen


def _gone_on(house: Any, caller: Any, capability: Capability, near: str, far: str, stream: bool) -> tuple[Got, Seen]:
    """Let one provider answer, and ask another with that answer before the question."""
    history = caller.history(capability.ask)
    seen = caller.ask(f"native-generate/{capability.native}", capability.ask, history, stream)
    history = [*history, *seen.native, *caller.history(Ask(said("Now?")))]
    seen = caller.ask(f"{far}/echo", capability.ask, history, stream)
    body = house.asked()[-1]["body"]
    if near == far:  # the caller's own bytes, whatever form the image has there
        assert PIXEL.encode() in body
        return Got(media=[("image", PIXEL)]), seen
    return received(far, body), seen


def status_of(error: Any) -> int:
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        return int(response["ResponseMetadata"]["HTTPStatusCode"])
    return int(getattr(error, "status_code", None) or getattr(error, "code", 0))


@pytest.mark.parametrize("capability", CAPABILITIES, ids=lambda capability: capability.title)
def test_cell(house: Any, proven: Any, capability: Capability, near: str, far: str, stream: bool) -> None:
    if capability.only in ("", "stream" if stream else "whole"):
        proven(capability.title, near, far, outcome(house, capability, near, far, stream))


def test_a_responses_provider_keeps_its_own_conversations(house: Any, stream: bool) -> None:
    caller, ask = house.callers["responses"], Ask(said("One", "Two", "Three"), previous=True)
    seen = caller.ask("native-responses/page", ask, caller.history(ask), stream)
    assert house.native.asked[-1][2]["previous_response_id"] == "resp_n"
    assert len(house.native.asked[-1][2]["input"]) == 1
    assert seen.text == TEXT


def test_usage(house: Any, proven: Any, near: str, far: str, stream: bool) -> None:
    capability = next(each for each in CAPABILITIES if each.title == "thinking, shown")
    _, seen = exchanged(house, capability, near, far, stream)
    told = BUCKETS[near] & BUCKETS[far]
    assert {name: seen.usage[name] for name in told} == {name: COSTS[name] for name in told}
    proven(USAGE, near, far, "yes")


def test_nothing_is_told_that_is_not_tested() -> None:
    assert sorted(json.loads(PROVEN.read_text("utf-8"))) == sorted([USAGE, *(each.title for each in CAPABILITIES)])
