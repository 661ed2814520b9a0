"""What models accept, by the names that hosts give them."""

from pathlib import Path

import pytest

from antiphon.catalog.profiles import get_profile
from antiphon.catalog.profiles.load import HERE, load_families
from antiphon.catalog.profiles.rows import parse_family, read_family
from antiphon.types import Profile

FAMILIES = {family.title: family for family in load_families()}
FAMILY = """
title = "Test"
sources = ["a page"]
checked = "2026-11"
names = 'test-'
version = 'test-(?P<major>\\d+)(?:\\.(?P<minor>\\d+))?'
"""


@pytest.mark.parametrize("path", sorted(HERE.glob("*.toml")), ids=lambda path: path.stem)
def test_every_file_is_read_and_what_is_loaded_is_the_same(path):
    family = read_family(path)
    assert family == FAMILIES[family.title]
    assert family.sources
    assert family.rows


def test_no_model_belongs_to_two_families():
    for family in FAMILIES.values():
        for row in family.rows:
            found = [each.title for each in FAMILIES.values() if each.select_rows(row.example.lower())]
            assert found == [family.title], row.example


def test_every_row_changes_something():
    for family in FAMILIES.values():
        for row in family.rows:
            facts = {}
            for each in family.select_rows(row.example.lower()):
                before = dict(facts)
                facts |= each.facts
                if each is row:
                    assert facts != before, row.example


@pytest.mark.parametrize("model", ["", "glm-5", "m", "arn:aws:bedrock:eu-west-1:1:application-inference-profile/abc"])
def test_an_unknown_model_gets_the_defaults(model: str):
    assert get_profile(model) == Profile()


def test_a_target_holds_the_profile_of_its_model(files):
    catalog = files.load("providers: {anthropic: {api_key: x}}", {})
    assert catalog.resolve("anthropic/claude-opus-5").targets[0].profile is get_profile("claude-opus-5")


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ("[[rows]]\nexample = 'test-1'\nthinkin = 'none'", "unknown field `thinkin`"),
        ("[[rows]]\nexample = 'test-1'\nthinking = 'much'", "Invalid enum value 'much'"),
        ("[[rows]]\nexample = 'other'\nthinking = 'none'", "the row of other does not apply to it"),
        ("[[rows]]\nexample = 'test-1'\nsince = [2, 0]\nthinking = 'none'", "the row of test-1 does not apply to it"),
        ("[[rows]]\nthinking = 'none'", "missing required field `example`"),
    ],
)
def test_a_bad_row_is_refused_with_the_file(rows: str, problem: str):
    with pytest.raises(ValueError, match=r"profiles/test\.toml: .*" + problem):
        parse_family(FAMILY + rows, "test")


def test_later_rows_prevail_and_a_name_without_a_version_means_the_newest():
    first = "[[rows]]\nexample = 'test-1'\nmax_tokens = 1\n"
    second = "[[rows]]\nexample = 'test-2.5'\nsince = [2, 5]\nmax_tokens = 2\n"
    family = parse_family(FAMILY + first + second, "test")
    found = {
        name: len(family.select_rows(name)) for name in ("test-1", "test-2.4", "test-2.5", "test-3", "test-latest")
    }
    assert found == {"test-1": 1, "test-2.4": 1, "test-2.5": 2, "test-3": 2, "test-latest": 2}


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
        ("glm-5", None, "omit", True, False, None),
    ],
)
def test_generations_of_claude(
    model: str, thinking: str | None, off: str, sampling: bool, structured: bool, most: int | None
) -> None:
    found = get_profile(model)
    assert (found.thinking, found.thinking_off, found.sampling, found.structured) == (
        thinking,
        off,
        sampling,
        structured,
    )
    assert found.max_tokens == most


def test_system_turns_and_both_sampling_members() -> None:
    assert get_profile("claude-opus-4-8").system_turns
    assert get_profile("claude-sonnet-5").system_turns
    assert not get_profile("claude-opus-4-7").system_turns
    assert get_profile("claude-sonnet-4-0").temperature_with_top_p
    assert not get_profile("claude-opus-4-1").temperature_with_top_p


@pytest.mark.parametrize(
    ("model", "thinking", "efforts", "media"),
    [
        ("gemini-1.5-pro", "budget", "", False),
        ("gemini-2.5-flash", "budget", "", False),
        ("gemini-robotics-er-1.5-preview", "budget", "", False),
        ("publishers/google/models/gemini-3-flash", "effort", "minimal low medium high", True),
        ("gemini-3-pro-preview", "effort", "low medium high", True),
        ("gemini-flash-latest", "effort", "minimal low medium high", True),
    ],
)
def test_generations_of_gemini(model: str, thinking: str, efforts: str, media: bool) -> None:
    found = get_profile(model)
    assert (found.thinking, found.efforts, found.tool_result_media) == (thinking, tuple(efforts.split()), media)


@pytest.mark.parametrize(
    ("model", "task", "batch"),
    [
        ("gemini-embedding-001", "field", 1),
        ("gemini-embedding-2", "text", 1),
        ("text-multilingual-embedding-002", "field", None),
        ("text-embedding-005", "field", None),
        ("text-embedding-3-small", "text", None),
    ],
)
def test_embedding_models_of_google(model: str, task: str, batch: int | None) -> None:
    found = get_profile(model)
    assert (found.embedding_task, found.embedding_batch) == (task, batch)


@pytest.mark.parametrize(
    ("model", "structured", "top_k"),
    [
        ("mistral.mistral-7b-instruct-v0:2", False, True),
        ("mistral.magistral-small-2509", True, False),
        ("eu.amazon.nova-pro-v1:0", False, True),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/us.amazon.nova-2-lite-v1:0", False, True),
        ("qwen.qwen3-32b-v1:0", True, False),
        ("qwen.qwen2", False, False),
        ("deepseek.r1-v1:0", False, False),
        ("moonshot.kimi-k2-thinking", True, False),
    ],
)
def test_models_on_bedrock(model: str, structured: bool, top_k: bool) -> None:
    found = get_profile(model)
    assert (found.structured, bool(found.top_k_path)) == (structured, top_k)


def test_the_page_about_models_names_every_field() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/models.md").read_text("utf-8")
    assert [field for field in Profile.__struct_fields__ if f"| `{field}` |" not in page] == []
