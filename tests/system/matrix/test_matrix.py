"""Every caller's wire on every target's wire, with the official clients, through a running gateway."""

import json
from pathlib import Path
from typing import Any

import pytest

from system.matrix.capabilities import BUCKETS, CAPABILITIES, COSTS, Capability
from system.matrix.natives import ANSWERS, TEXT
from system.matrix.questions import PIXEL, Answer, Question, Unsupported, make_turns
from system.matrix.received_requests import ReceivedRequest, read_request

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:botocore"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:google"),
]

PROVEN = Path(__file__).parent / "proven.json"
USAGE = "usage: all buckets that both wires have"


def find_outcome(matrix: Any, capability: Capability, caller_wire: str, target_wire: str, stream: bool) -> str:
    """Return the outcome of a cell: yes, text, dropped, refused, or ``-`` if one of the wires cannot express it."""
    matrix.take_requests()
    try:
        received, answer = run_exchange(matrix, capability, caller_wire, target_wire, stream)
    except Unsupported:
        return "-"
    except Exception as error:  # noqa: BLE001 - each client has its own classes
        assert get_status(error) in (400, 404), error
        assert len(matrix.take_requests()) == bool(capability.question.results), (
            "the provider refused what the gateway wrote"
        )
        return "refused"
    if any(name.split(".")[0] in [each.split(".")[0] for each in capability.names] for name in answer.dropped):
        return "dropped"
    assert set(answer.dropped) <= set(capability.beside), answer.dropped
    assert capability.check_request(received), received
    assert capability.check_answer(answer), answer
    return "text" if answer.as_text else "yes"


def run_exchange(
    matrix: Any, capability: Capability, caller_wire: str, target_wire: str, stream: bool
) -> tuple[ReceivedRequest, Answer]:
    """Ask, and send the results of tools if there are any."""
    caller, question, model = matrix.callers[caller_wire], capability.question, f"{target_wire}/{capability.model}"
    if question.previous and caller_wire == target_wire:
        raise Unsupported  # the simulator stores no conversations
    if capability.earlier:
        return _continue_elsewhere(matrix, caller, capability, caller_wire, target_wire, stream)
    if capability.native:
        return _ask_native(matrix, caller, capability, target_wire, stream)
    history = caller.make_history(question)
    answer = caller.ask(model, question, history, stream)
    if question.results:
        history = [*history, *answer.native, *caller.make_results(answer, question.results)]
        answer = caller.ask(model, question, history, stream)
    return read_request(target_wire, matrix.take_requests()[-1]["body"]), answer


def _ask_native(
    matrix: Any, caller: Any, capability: Capability, target_wire: str, stream: bool
) -> tuple[ReceivedRequest, Answer]:
    """Ask a provider that gives the handwritten answer of its wire."""
    native = ANSWERS[capability.native].get(target_wire)
    if native is None or (stream and not native[1]):
        raise Unsupported
    answer = caller.ask(
        f"native-{target_wire}/{capability.native}",
        capability.question,
        caller.make_history(capability.question),
        stream,
    )
    return read_request(target_wire, json.dumps(matrix.native.requests[-1][2]).encode()), answer


def _continue_elsewhere(
    matrix: Any, caller: Any, capability: Capability, caller_wire: str, target_wire: str, stream: bool
) -> tuple[ReceivedRequest, Answer]:
    """Let one provider answer, and ask another with that answer in the history."""
    history = caller.make_history(capability.question)
    answer = caller.ask(f"native-generate/{capability.native}", capability.question, history, stream)
    history = [*history, *answer.native, *caller.make_history(Question(make_turns("Now?")))]
    answer = caller.ask(f"{target_wire}/echo", capability.question, history, stream)
    body = matrix.take_requests()[-1]["body"]
    if caller_wire == target_wire:  # the caller's own bytes, in which the image may have any form
        assert PIXEL.encode() in body
        return ReceivedRequest(media=[("image", PIXEL)]), answer
    return read_request(target_wire, body), answer


def get_status(error: Any) -> int:
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        return int(response["ResponseMetadata"]["HTTPStatusCode"])
    return int(getattr(error, "status_code", None) or getattr(error, "code", 0))


@pytest.mark.parametrize("capability", CAPABILITIES, ids=lambda capability: capability.title)
def test_cell(
    matrix: Any, proven: Any, capability: Capability, caller_wire: str, target_wire: str, stream: bool
) -> None:
    if capability.only in ("", "stream" if stream else "whole"):
        proven(
            capability.title,
            caller_wire,
            target_wire,
            find_outcome(matrix, capability, caller_wire, target_wire, stream),
        )


def test_a_responses_provider_keeps_its_own_conversations(matrix: Any, stream: bool) -> None:
    caller, question = matrix.callers["responses"], Question(make_turns("One", "Two", "Three"), previous=True)
    answer = caller.ask("native-responses/page", question, caller.make_history(question), stream)
    assert matrix.native.requests[-1][2]["previous_response_id"] == "resp_n"
    assert len(matrix.native.requests[-1][2]["input"]) == 1
    assert answer.text == TEXT


def test_usage(matrix: Any, proven: Any, caller_wire: str, target_wire: str, stream: bool) -> None:
    capability = next(each for each in CAPABILITIES if each.title == "thinking, shown")
    _, answer = run_exchange(matrix, capability, caller_wire, target_wire, stream)
    buckets = BUCKETS[caller_wire] & BUCKETS[target_wire]
    assert {name: answer.usage[name] for name in buckets} == {name: COSTS[name] for name in buckets}
    proven(USAGE, caller_wire, target_wire, "yes")


def test_the_documented_rows_are_the_tested_ones() -> None:
    assert sorted(json.loads(PROVEN.read_text("utf-8"))) == sorted([USAGE, *(each.title for each in CAPABILITIES)])
