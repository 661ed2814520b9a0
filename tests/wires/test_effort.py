"""Conversion between an effort and a budget of thinking tokens."""

import pytest

from antiphon.types import Profile
from antiphon.wires.translation.effort import choose_effort, estimate_budget, estimate_effort


@pytest.mark.parametrize(
    ("efforts", "effort", "expected"),
    [
        ("low medium high xhigh max", "xhigh", "xhigh"),
        ("low medium high max", "xhigh", "max"),
        ("low medium high max", "minimal", "low"),
        ("low medium high", "max", "high"),
        ("", "high", ""),
        ("low medium high", "enormous", ""),
    ],
)
def test_the_nearest_supported_effort_is_chosen(efforts: str, effort: str, expected: str) -> None:
    assert choose_effort(effort, Profile(efforts=tuple(efforts.split()))) == expected


def test_efforts_for_budgets() -> None:
    assert [estimate_effort(budget) for budget in (0, 4096, 10_000, 20_000, 60_000)] == [
        "low",
        "low",
        "medium",
        "high",
        "xhigh",
    ]


def test_budgets_for_efforts() -> None:
    assert [estimate_budget(effort) for effort in ("minimal", "high", "unheard-of")] == [1024, 16_384, 8192]
