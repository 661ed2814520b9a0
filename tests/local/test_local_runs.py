"""Texts of one job run in groups of similar length: each once, none over the caps but one text alone."""

from hypothesis import given
from hypothesis import strategies as st

from antiphon.local.onnx_embedder import runs


@given(st.lists(st.integers(0, 20_000), max_size=300))
def test_runs(tokens: list[int]):
    found = runs(tokens)
    assert sorted(number for run in found for number in run) == list(range(len(tokens)))
    for run in found:
        longest = max(tokens[number] for number in run)
        assert len(run) <= 64
        assert len(run) == 1 or len(run) * longest <= 8192
    lengths = [tokens[number] for run in found for number in run]
    assert lengths == sorted(lengths)
