"""What a model takes, by the names that hosts give it."""

import pytest

from antiphon.wires.claude.generations import effort_for, effort_of, generation_of


@pytest.mark.parametrize(
    ("model", "thinking", "off", "sampling", "structured", "most"),
    [
        ("claude-3-haiku-20240307", "none", "omit", True, False, 4096),
        ("claude-3-5-sonnet-20241022", "none", "omit", True, False, 8192),
        ("claude-3-7-sonnet-latest", "budget", "omit", True, False, 32_000),
        ("claude-sonnet-4-20250514", "budget", "omit", True, False, 32_000),
        ("claude-opus-4-1-20250805", "budget", "omit", True, False, 32_000),
        ("claude-haiku-4-5", "budget", "omit", True, True, 64_000),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "budget", "omit", True, True, 64_000),
        ("claude-opus-4-5@20251101", "budget", "omit", True, True, 64_000),
        ("claude-sonnet-4-6", "adaptive", "omit", True, True, 128_000),
        ("anthropic/claude-sonnet-4.6", "adaptive", "omit", True, True, 128_000),
        ("claude-opus-4-7", "adaptive", "omit", False, True, 128_000),
        ("claude-opus-5", "adaptive", "disabled", False, True, 128_000),
        ("claude-opus-5-5", "adaptive", "never", False, True, 128_000),
        ("claude-sonnet-5", "adaptive", "disabled", False, True, 128_000),
        ("claude-sonnet-5-5", "adaptive", "between_tools", False, True, 128_000),
        ("claude-haiku-5-5", "adaptive", "disabled", False, True, 128_000),
        ("claude-fable-5-2", "adaptive", "never", False, True, 128_000),
        ("claude-mythos-preview", "adaptive", "never", False, True, 128_000),
        ("Claude-Opus-6-20270101", "adaptive", "never", False, True, 128_000),
        ("claude-opus-latest", "adaptive", "never", False, True, 128_000),
        ("glm-5", "budget", "omit", True, False, 8192),
    ],
)
def test_generations(model: str, thinking: str, off: str, sampling: bool, structured: bool, most: int) -> None:
    found = generation_of(model)
    assert (found.thinking, found.off, found.sampling, found.structured) == (thinking, off, sampling, structured)
    assert found.max_tokens == most


def test_system_turns_and_both_sampling_members() -> None:
    assert generation_of("claude-opus-4-8").system_turns
    assert generation_of("claude-sonnet-5").system_turns
    assert not generation_of("claude-opus-4-7").system_turns
    assert generation_of("claude-sonnet-4-0").both
    assert not generation_of("claude-opus-4-1").both


@pytest.mark.parametrize(
    ("model", "effort", "expected"),
    [
        ("claude-opus-5-5", "xhigh", "xhigh"),
        ("claude-opus-4-6", "xhigh", "max"),
        ("claude-opus-4-6", "minimal", "low"),
        ("claude-opus-4-5", "high", ""),
        ("claude-opus-5-5", "enormous", ""),
    ],
)
def test_the_nearest_effort(model: str, effort: str, expected: str) -> None:
    assert effort_of(effort, generation_of(model)) == expected


def test_efforts_for_budgets() -> None:
    assert [effort_for(budget) for budget in (0, 4096, 10_000, 20_000, 60_000)] == [
        "low",
        "low",
        "medium",
        "high",
        "xhigh",
    ]
