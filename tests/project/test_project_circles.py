"""Files that import each other: none may, wherever the import stands: for types and inside functions too."""

import ast
from collections.abc import Iterable
from pathlib import Path

from project.source import FILES, SOURCE, parse_file

MODULES = {".".join(("antiphon", *path.relative_to(SOURCE).with_suffix("").parts)): path for path in FILES}
MODULES = {name.removesuffix(".__init__"): path for name, path in MODULES.items()}


def list_imports(path: Path) -> set[str]:
    """Return the modules of the package that a file imports anywhere in it."""
    found = set()
    for node in ast.walk(parse_file(path)):
        if isinstance(node, ast.ImportFrom) and node.module:
            # A name of a package is a module of its own or something that the package's own file holds.
            found |= {
                each if (each := f"{node.module}.{alias.name}") in MODULES else node.module for alias in node.names
            }
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & MODULES.keys()


def find_circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """Return the groups of nodes of which each reaches every other."""
    reached = {node: reach(graph, graph[node]) for node in graph}
    circles = [
        frozenset(other for other in reached[node] if node in reached[other]) for node in graph if node in reached[node]
    ]
    return [set(circle) for circle in dict.fromkeys(circles)]


def reach(graph: dict[str, set[str]], start: Iterable[str]) -> set[str]:
    seen: set[str] = set()
    waiting = list(start)
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting += graph[node]
    return seen


def test_no_file_imports_itself_by_way_of_others():
    circles = find_circles({name: list_imports(path) for name, path in MODULES.items()})
    assert not circles, "\n".join(" ".join(sorted(circle)) for circle in circles)


def test_circles_are_found():
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": {"e"}, "e": {"e"}, "f": {"a"}}
    assert find_circles(graph) == [{"a", "b", "c"}, {"e"}]
