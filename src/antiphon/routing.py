"""Which targets a call tries, in which order.

What belongs here: turning a model into a plan. What does not: trying them, which is the engine's work.
"""

import random
from collections.abc import Callable
from itertools import zip_longest

from msgspec import structs

from antiphon.types import Model, Strategy, Target

MAX_ATTEMPTS = 4


def plan(model: Model) -> tuple[Target, ...]:
    """Return the targets to try, best first, each once, at most :data:`MAX_ATTEMPTS`.

    ``weighted`` draws the first by weight; the others follow in their order, fallbacks (weight 0) last.
    """
    targets = model.targets
    if len(targets) == 1:
        return targets
    if model.strategy is Strategy.WEIGHTED and any(model.weights):
        first = random.choices(range(len(targets)), weights=model.weights)[0]
        targets = (targets[first], *targets[:first], *targets[first + 1 :])
    return targets[:MAX_ATTEMPTS]


def narrowed(model: Model, keep: Callable[[Target], bool]) -> Model | None:
    """Return the model with those of its targets that ``keep`` says, or ``None`` where it says none."""
    ways = [
        (target, weight)
        for target, weight in zip_longest(model.targets, model.weights, fillvalue=0)
        if isinstance(target, Target) and keep(target)
    ]
    if not ways:
        return None
    targets, weights = zip(*ways, strict=True)
    return structs.replace(model, targets=targets, weights=weights)
