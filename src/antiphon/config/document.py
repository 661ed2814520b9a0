"""The values of a configuration file, with the line of each value and the variables it was made of."""

import difflib
from collections.abc import Iterable
from typing import Any, TypeAlias

from antiphon.errors import Fault

Path: TypeAlias = tuple[str | int, ...]


class DecimalNumber(float):
    """A number with a fraction, and the text it was written as, which is exact."""

    text: str

    def __new__(cls, text: str) -> "DecimalNumber":
        number = super().__new__(cls, text)
        number.text = text
        return number


class VariableText(str):
    """Text that contains an environment variable; a variable can give a number only as text."""

    __slots__ = ()


class Document:
    """The values of a file; ``lines`` gives the line of a path, ``variables`` the variables in a value."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.values: dict[str, Any] = {}
        self.lines: dict[Path, int] = {}
        self.variables: dict[Path, tuple[str, ...]] = {}
        self.faults: list[Fault] = []
        self._faulty: set[Path] = set()

    def find_line(self, path: Path) -> int | None:
        """Return the line of ``path``, or of the nearest value that contains it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)

    def add_fault(self, path: Path, problem: str, hint: str = "") -> None:
        """Record a fault at ``path``."""
        self._faulty.add(path)
        self.faults.append(Fault(self.file, self.find_line(path), format_path(path), problem, hint))

    def is_faulty(self, path: Path) -> bool:
        """Say whether ``path``, or a value that contains it, already has a fault: one is enough."""
        return any(path[:length] in self._faulty for length in range(1, len(path) + 1))


def format_path(path: Iterable[str | int]) -> str:
    """Return a path as people write it: ``models.smart.targets[0]``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text or "(file)"


def hint_at_nearest(name: str, names: Iterable[str]) -> str:
    """Return ``did you mean `x`?`` with the most similar of ``names``, or ``""``."""
    matches = difflib.get_close_matches(name[:100], list(names), n=1, cutoff=0.6)
    return f"did you mean `{matches[0]}`?" if matches else ""
