"""There is one way through for every call: the code takes each of its steps in one place."""

import ast
from collections.abc import Callable

import pytest

from project.source import FILES, SOURCE, name_place, parse_file

ROOMS = ("engine", "responses", "runtime.py", "server")
PATHS = [path for path in FILES if path.relative_to(SOURCE).parts[0] in ROOMS]
"""The files that a call passes through above the wires and transports."""


def tries_targets(node: ast.AST) -> bool:
    """A loop over targets that waits for something, as a loop that only chooses does not."""
    if not isinstance(node, ast.For | ast.AsyncFor):
        return False
    header = ast.unparse(node.target) + ast.unparse(node.iter)
    waits = any(isinstance(inner, ast.Await) for line in node.body for inner in ast.walk(line))
    return waits and any(word in header for word in ("target", "candidate", "plan", "tier"))


def sends(node: ast.AST) -> bool:
    return is_call(node, "send") and "transport" in ast.unparse(node)


def admits(node: ast.AST) -> bool:
    return (is_call(node, "admit") or is_call(node, "reserve")) and "call" in ast.unparse(node)


def journals(node: ast.AST) -> bool:
    return is_call(node, "append") and "journal" in ast.unparse(node)


def is_call(node: ast.AST, name: str) -> bool:
    """Say whether a node calls a function or method of this name."""
    return isinstance(node, ast.Call) and name in (getattr(node.func, "attr", ""), getattr(node.func, "id", ""))


STEPS: dict[str, Callable[[ast.AST], bool]] = {
    "tries targets": tries_targets,
    "sends to a target": sends,
    "admits": admits,
    "journals": journals,
}


@pytest.mark.parametrize("step", STEPS)
def test_each_step_of_a_call_stands_in_one_place(step: str):
    nodes = [(path, node) for path in PATHS for node in ast.walk(parse_file(path)) if STEPS[step](node)]
    found = [name_place(path, node) for path, node in nodes]
    assert len(found) == 1, f"code that {step}: {', '.join(found) or 'none was found'}"
