"""Which targets a call tries, in which order.

What belongs here: turning a model into a plan. What does not: trying them, which is the engine's work.
"""

import random

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
