"""There is no comparison with a provider's name anywhere in the code; this counts them."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from antiphon.catalog.kinds import load_kinds

SOURCE = Path(__file__).resolve().parents[2] / "src/antiphon"
SEARCHES = ("startswith", "endswith", "__eq__", "__contains__")
NAMES = {name.lower() for name in load_kinds()}


def texts(node: ast.AST) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Constant) and isinstance(inner.value, (str, bytes)):
            yield inner.value.decode("latin-1") if isinstance(inner.value, bytes) else inner.value


def comparisons(tree: ast.AST) -> list[int]:
    """Return the lines on which a provider's name is compared, matched, searched for or branched on."""
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
            continue  # where a class comes from, such as the package `openai`, is no provider
        if any(text.rstrip("/:").lower() in NAMES for operand in operands for text in texts(operand)):
            found.append(node.lineno)
    return found


def test_the_number_of_comparisons_with_a_providers_name_is_zero():
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        if lines := comparisons(ast.parse(path.read_text("utf-8"))):
            found[str(path.relative_to(SOURCE))] = lines
    assert found == {}


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
    assert comparisons(ast.parse(code))


def test_other_comparisons_are_not():
    assert (
        comparisons(ast.parse("kind == 'required'; x = {'openai': 1}; y = ['groq']; type(e).__module__ == 'openai'"))
        == []
    )
