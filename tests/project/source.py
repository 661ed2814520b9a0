"""The package's source as syntax trees, for the tests that count something in it."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).resolve().parents[2] / "src" / "antiphon"
FILES = tuple(sorted(SOURCE.rglob("*.py")))

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def parse_file(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def iterate_functions(path: Path) -> Iterator[Function]:
    return (node for node in ast.walk(parse_file(path)) if isinstance(node, Function))


def name_place(path: Path, node: Any) -> str:
    """Return the file and line of a node as an editor takes them."""
    return f"{path.relative_to(SOURCE)}:{node.lineno}"
