"""Plans: tiers in order, draws by weight inside a tier only, a reason for every candidate."""

from collections import Counter

import pytest

from antiphon.routing import MAX_ATTEMPTS, filter_targets, make_plan
from antiphon.types import Model, Origin, Strategy, Target, Tier, Timeouts


def make_target(name: str, total: float = 600.0) -> Target:
    origin = Origin("http", "h", 80)
    return Target(name, "p", name, "kind", "openai", origin, {"chat": "/x"}, timeouts=Timeouts(total=total))


A, B, C, D, E, F = (make_target(name) for name in "abcdef")


def list_names(model: Model) -> list[str]:
    return [candidate.target.name for candidate in make_plan(model).candidates]


def test_a_fallback_is_never_drawn_before_the_first_tier() -> None:
    model = Model("m", (Tier((A, B), (1, 1), Strategy.WEIGHTED), Tier((C,))))
    firsts = Counter(list_names(model)[0] for _ in range(200))
    assert set(firsts) == {"a", "b"}
    assert all(list_names(model)[2] == "c" for _ in range(20))


def test_a_fallback_that_is_weighted_draws_by_its_own_weights() -> None:
    model = Model("m", (Tier((A,)), Tier((B, C), (0, 1), Strategy.WEIGHTED)))
    assert {tuple(list_names(model)) for _ in range(50)} == {("a", "c", "b")}


def test_the_order_of_the_configuration_holds_without_weights() -> None:
    assert list_names(Model("m", (Tier((A, B)), Tier((C,))))) == ["a", "b", "c"]


def test_a_plan_has_at_most_so_many_candidates() -> None:
    assert list_names(Model("m", (Tier((A, B, C)), Tier((D, E, F))))) == ["a", "b", "c", "d"]
    assert MAX_ATTEMPTS == 4


def test_every_candidate_says_why_it_is_there() -> None:
    plan = make_plan(Model("m", (Tier((A, B), (7, 3), Strategy.WEIGHTED), Tier((C,)))))
    reasons = {each.target.name: (each.tier, each.score, each.reason) for each in plan.candidates}
    assert reasons["a"][:2] == (0, 0.7)
    assert "weight 7 of 10" in reasons["a"][2]
    assert reasons["b"][:2] == (0, 0.3)
    assert reasons["c"] == (1, 1.0, "fallback tier 1, in the configured order")
    assert make_plan(Model("m", (Tier((A,)),))).candidates[0].reason == "the only target"


def test_the_total_deadline_is_the_calls_not_the_first_targets() -> None:
    quick, patient = make_target("quick", 1.0), make_target("patient", 30.0)
    assert make_plan(Model("m", (Tier((quick,)), Tier((patient,))))).total_seconds == 30.0


@pytest.mark.parametrize(("kept", "names"), [({"a"}, ["a"]), ({"b", "c"}, ["b", "c"]), ({"c"}, ["c"])])
def test_filtering_keeps_tiers_and_weights(kept: set[str], names: list[str]) -> None:
    model = Model("m", (Tier((A, B), (1, 2), Strategy.WEIGHTED), Tier((C,))))
    filtered = filter_targets(model, lambda target: target.name in kept)
    assert filtered is not None
    assert [target.name for target in filtered.targets] == names
    assert all(len(tier.weights) in (0, len(tier.targets)) for tier in filtered.tiers)
    assert filter_targets(model, lambda target: False) is None
