"""Converts between the two measures of how much to think: an effort and a number of tokens."""

from antiphon.types import Profile

LEAST_BUDGET = 1024
"""The smallest number of thinking tokens that a model with budgets accepts."""
_BUDGETS = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16_384, "xhigh": 32_000}
_EFFORTS = ("minimal", "low", "medium", "high", "xhigh", "max")
_BUDGET_STEPS = ((4096, "low"), (12_288, "medium"), (24_576, "high"))


def estimate_budget(effort: str) -> int:
    """Return the thinking tokens that correspond to an effort."""
    return _BUDGETS.get(effort, _BUDGETS["medium"])


def estimate_effort(budget: int) -> str:
    """Return the effort that corresponds to a number of thinking tokens."""
    return next((effort for limit, effort in _BUDGET_STEPS if budget <= limit), "xhigh")


def choose_effort(effort: str, profile: Profile) -> str:
    """Return the nearest effort that a model knows: the next higher one, or its highest if there is none.

    Returns ``""`` if ``effort`` is not an effort, or if the model knows none.
    """
    if effort in profile.efforts or effort not in _EFFORTS or not profile.efforts:
        return effort if effort in profile.efforts else ""
    higher = _EFFORTS[_EFFORTS.index(effort) :]
    return next((step for step in higher if step in profile.efforts), profile.efforts[-1])
