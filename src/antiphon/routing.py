"""Routing: from a model to a plan of the targets to try.

What belongs here: which targets, in which order, and why. What does not: trying them, which is the engine's work.
"""

import random
from collections.abc import Callable

import msgspec

from antiphon.types import Model, Strategy, Target, Tier

MAX_ATTEMPTS = 4


class Candidate(msgspec.Struct, frozen=True, eq=False):
    """One target of a plan; ``tier`` counts from 0, ``score`` is its share of the tier, ``reason`` explains it."""

    target: Target
    tier: int
    score: float
    reason: str


class Plan(msgspec.Struct, frozen=True, eq=False):
    """The targets to try, best first, each once. ``total_seconds`` is the longest that any of them allows the call."""

    candidates: tuple[Candidate, ...]
    total_seconds: float


def make_plan(model: Model) -> Plan:
    """Return the plan for a call: tier after tier, at most :data:`MAX_ATTEMPTS` targets."""
    if len(model.targets) == 1:
        target = model.targets[0]
        return Plan((Candidate(target, 0, 1.0, "the only target"),), target.timeouts.total)
    candidates: list[Candidate] = []
    for number, tier in enumerate(model.tiers):
        candidates += _order_tier(number, tier)
        if len(candidates) >= MAX_ATTEMPTS:
            break
    chosen = tuple(candidates[:MAX_ATTEMPTS])
    return Plan(chosen, max(candidate.target.timeouts.total for candidate in chosen))


def filter_targets(model: Model, keep: Callable[[Target], bool]) -> Model | None:
    """Return the model with the targets for which ``keep`` is true, or ``None`` where there are none."""
    tiers = tuple(kept for tier in model.tiers if (kept := _filter_tier(tier, keep)) is not None)
    return Model(model.name, tiers) if tiers else None


def _order_tier(number: int, tier: Tier) -> list[Candidate]:
    """Return a tier's targets: the first drawn by weight where the strategy says so, the others in their order."""
    targets, weights = tier.targets, tier.weights
    place = f"fallback tier {number}" if number else "first tier"
    total = sum(weights)
    if tier.strategy is not Strategy.WEIGHTED or not total:
        return [Candidate(target, number, 1.0, f"{place}, in the configured order") for target in targets]
    drawn = random.choices(range(len(targets)), weights=weights)[0]
    order = [drawn, *(index for index in range(len(targets)) if index != drawn)]
    return [
        Candidate(
            targets[index],
            number,
            weights[index] / total,
            f"{place}, {'drawn by' if index == drawn else 'behind the draw, with'} weight {weights[index]} of {total}",
        )
        for index in order
    ]


def _filter_tier(tier: Tier, keep: Callable[[Target], bool]) -> Tier | None:
    kept = [index for index, target in enumerate(tier.targets) if keep(target)]
    if len(kept) == len(tier.targets):
        return tier
    if not kept:
        return None
    weights = tuple(tier.weights[index] for index in kept) if tier.weights else ()
    return Tier(tuple(tier.targets[index] for index in kept), weights, tier.strategy)
