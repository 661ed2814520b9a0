"""No code compares a provider's name or knows a family of models: both are data. These tests count what does."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from antiphon.catalog.kinds import load_kinds

SOURCE = Path(__file__).resolve().parents[2] / "src/antiphon"
SEARCHES = ("startswith", "endswith", "__eq__", "__contains__")
NAMES = {name.lower() for name in load_kinds()}

FAMILIES = re.compile(
    r"(?<![a-z0-9])(?<!x-)(gpt|claude|sonnet|haiku|gemini-|gemma|llama|o[134](?![a-z0-9])|grok|deepseek|titan|nova(?![a-z])"
    r"|qwen|mistral|mixtral|magistral|voxtral|command-r|kimi)(?!_embed|codec)",
    re.IGNORECASE,
)
"""Families of models. The ``titan_embed`` and ``nova_embed`` formats are operations, not models."""


def iterate_texts(node: ast.AST) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Constant) and isinstance(inner.value, (str, bytes)):
            yield inner.value.decode("latin-1") if isinstance(inner.value, bytes) else inner.value


def list_comparisons(tree: ast.AST) -> list[int]:
    """Return the lines that compare, match or search for a provider's name, or branch on it."""
    found = []
    for node in ast.walk(tree):
        operands: list[ast.AST] = []
        if isinstance(node, ast.Compare):
            operands = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue):
            operands = [node.value]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in SEARCHES:
            operands = list(node.args)
        if any(isinstance(inner, ast.Attribute) and inner.attr == "__module__" for inner in ast.walk(node)):
            continue  # the module of a class, such as the package `openai`, is not a provider
        if any(text.rstrip("/:").lower() in NAMES for operand in operands for text in iterate_texts(operand)):
            found.append(node.lineno)
    return found


def test_the_number_of_comparisons_with_a_providers_name_is_zero():
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        if lines := list_comparisons(ast.parse(path.read_text("utf-8"))):
            found[str(path.relative_to(SOURCE))] = lines
    assert found == {}


def list_model_names(tree: ast.Module) -> list[tuple[int, str]]:
    """Return the literals that name a family of models; docstrings and other prose do not count."""
    bodies = [node.body for node in ast.walk(tree) if isinstance(getattr(node, "body", None), list)]
    prose = {id(line.value) for body in bodies for line in body if isinstance(line, ast.Expr)}
    return [
        (node.lineno, text)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and id(node) not in prose
        for text in iterate_texts(node)
        if " " not in text and FAMILIES.search(text)
    ]


def test_no_code_names_a_family_of_models():
    found = [
        f"{path.relative_to(SOURCE)}:{line} {text}"
        for path in sorted(SOURCE.rglob("*.py"))
        for line, text in list_model_names(ast.parse(path.read_text("utf-8")))
    ]
    assert found == []


def test_names_of_models_are_counted():
    code = (
        "'About claude-3.'\n"
        "x = [b'gpt-5', r'gemini-(1|2)', 'o3', 'amazon.nova-2', 'us.meta.llama3']\n"
        "y = ['foo3', 'x-gemini-tier', 'titan_embed', 'such as gpt-4', 'novation', 'gemini']\n"
    )
    assert [line for line, _ in list_model_names(ast.parse(code))] == [2] * 5


@pytest.mark.parametrize(
    "code",
    [
        "kind == 'openai'",
        "'groq' != provider",
        "kind in ('azure', 'x')",
        "name.startswith('openrouter/')",
        "match kind:\n  case 'ollama': pass",
        "b'mistral' == name",
    ],
)
def test_a_comparison_is_counted(code: str):
    assert list_comparisons(ast.parse(code))


def test_other_comparisons_are_not():
    assert (
        list_comparisons(
            ast.parse("kind == 'required'; x = {'openai': 1}; y = ['groq']; type(e).__module__ == 'openai'")
        )
        == []
    )
