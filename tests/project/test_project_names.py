"""Function names: each begins with a verb, and few are a bare past participle. The ceilings may only go down."""

import ast
import re
from pathlib import Path

import pytest

from project.source import FILES, Function, iterate_functions, name_place

NOT_VERBS = 2
"""How many function names may begin with something else than a verb."""
PARTICIPLES = 0
"""How many function names may be one past participle and nothing else."""

VERBS = frozenset(Path(__file__).with_name("verbs.txt").read_text(encoding="utf-8").split())
"""The verbs that a function's name may begin with, in their base form."""
DICTATED = {
    *("connection_made", "connection_lost", "data_received", "eof_received", "buffer_updated"),  # asyncio
    *("fileno", "keys", "main", "next"),  # Python
    *("json", "model_dump", "model_dump_json"),  # pydantic, whose models our answers stand in for
    *("before", "before_last_byte"),  # the points of a hook
}
"""Names that are not free to choose."""
IRREGULAR = frozenset(Path(__file__).with_name("participles.txt").read_text(encoding="utf-8").split())
"""Past participles that do not end in -ed."""


def list_names(path: Path) -> list[tuple[str, str]]:
    """Return the name and place of each function that could be named freely."""
    return [
        (function.name, name_place(path, function))
        for function in iterate_functions(path)
        if not function.name.startswith("__") and function.name not in DICTATED and not is_attribute(function)
    ]


def is_attribute(function: Function) -> bool:
    """Say whether a function is read like a value."""
    return any(re.search(r"property|\.setter$", ast.unparse(decorator)) for decorator in function.decorator_list)


def begins_with_verb(name: str) -> bool:
    return name.strip("_").partition("_")[0] in VERBS


def is_participle(name: str) -> bool:
    word = name.strip("_")
    regular = word.endswith("ed") and "_" not in word and word not in VERBS
    return regular or word in IRREGULAR - VERBS


def test_functions_begin_with_a_verb():
    names = [(name, place) for path in FILES for name, place in list_names(path)]
    found = [f"{place} {name}" for name, place in names if not begins_with_verb(name)]
    assert len(found) <= NOT_VERBS, f"{len(found)} function names do not begin with a verb (verbs.txt): {found}"


def test_few_functions_are_a_bare_participle():
    names = [(name, place) for path in FILES for name, place in list_names(path)]
    found = [f"{place} {name}" for name, place in names if is_participle(name)]
    assert len(found) <= PARTICIPLES, f"{len(found)} function names are a bare past participle: {found}"


@pytest.mark.parametrize(
    ("name", "verb", "participle"),
    [
        ("read_usage", True, False),
        ("_find", True, False),
        ("is_open", True, False),
        ("told", False, True),
        ("_joined", False, True),
        ("usage", False, False),
        ("embed", True, False),
        ("joined_lines", False, False),
    ],
)
def test_names_are_told_apart(name: str, verb: bool, participle: bool):
    assert (begins_with_verb(name), is_participle(name)) == (verb, participle)


@pytest.mark.parametrize("name", ["verbs.txt", "participles.txt"])
def test_word_lists_are_sorted_and_have_each_word_once(name: str):
    words = Path(__file__).with_name(name).read_text(encoding="utf-8").split()
    assert words == sorted(set(words))
