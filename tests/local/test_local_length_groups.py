"""Texts of one job run in groups of similar length: each once, and only a single text may exceed the limits."""

from hypothesis import given
from hypothesis import strategies as st

from antiphon.local.onnx_embedder import group_by_length


@given(st.lists(st.integers(0, 20_000), max_size=300))
def test_groups(tokens: list[int]):
    groups = group_by_length(tokens)
    assert sorted(number for group in groups for number in group) == list(range(len(tokens)))
    for group in groups:
        longest = max(tokens[number] for number in group)
        assert len(group) <= 64
        assert len(group) == 1 or len(group) * longest <= 8192
    lengths = [tokens[number] for group in groups for number in group]
    assert lengths == sorted(lengths)
