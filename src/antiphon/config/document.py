"""A YAML file as plain values, with the line of every value and the variables it came from.

What is narrower than YAML 1.1, on purpose: ``yes``, ``no``, ``on``, dates and ``12:30`` are text; a key given twice, a
tag, a line break inside a value or a file of exploding aliases is a fault. ``${NAME}`` and ``${NAME:-default}`` are
replaced inside text values, ``$$`` is a dollar sign.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import yaml

from antiphon.errors import Fault

Path: TypeAlias = tuple[str | int, ...]

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 32
MAX_VALUES = 20_000

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_TAG = "tag:yaml.org,2002:"
_PLAIN_TAGS = frozenset(_TAG + name for name in ("null", "bool", "int", "float", "str", "timestamp", "value", "merge"))

# `{` ends a plain scalar inside `{…}`, so `{api_key: ${NAME}}` would not be YAML. Each `${…}` is therefore replaced
# by a marker of private-use characters before the file is parsed, and the marker by its value afterwards.
_REFERENCE = re.compile(r"\$\$|\$\{(?:[^}\r\n]*\}|[A-Za-z0-9_]*)")
_OPEN, _CLOSE = "\ue000", "\ue001"
# YAML takes the last three for line breaks, which no editor counts.
_STRANGE = frozenset((_OPEN, _CLOSE, "\x85", "\u2028", "\u2029"))
_MARKER = re.compile(f"{_OPEN}([0-9]+){_CLOSE}")
_NAMED = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


class Written(float):
    """A number with a fraction, and the text it was written as, which is exact."""

    text: str

    def __new__(cls, text: str) -> "Written":
        number = super().__new__(cls, text)
        number.text = text
        return number


class FromVariable(str):
    """Text that came from an environment variable, which can only say numbers as text."""

    __slots__ = ()


class Document:
    """The values of a file; ``lines`` gives the line of a path, ``variables`` the variables a value was made of."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.values: dict[str, Any] = {}
        self.lines: dict[Path, int] = {}
        self.variables: dict[Path, tuple[str, ...]] = {}
        self.faults: list[Fault] = []
        self._faulty: set[Path] = set()

    def line(self, path: Path) -> int | None:
        """Return the line of ``path``, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)

    def fault(self, path: Path, problem: str, hint: str = "") -> None:
        """Note a fault at ``path``."""
        self._faulty.add(path)
        self.faults.append(Fault(self.file, self.line(path), dotted(path), problem, hint))

    def is_faulty(self, path: Path) -> bool:
        """Say whether ``path``, or something around it, already has a fault: one is enough."""
        return any(path[:length] in self._faulty for length in range(1, len(path) + 1))


def dotted(path: Iterable[str | int]) -> str:
    """Return a path as people write it: ``models.smart.targets[0]``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text or "(file)"


def nearest(name: str, names: Iterable[str]) -> str:
    """Return ``did you mean `x`?`` for the most similar of ``names``, or nothing."""
    found = difflib.get_close_matches(name[:100], list(names), n=1, cutoff=0.6)
    return f"did you mean `{found[0]}`?" if found else ""


def parse(text: str, file: str, environ: Mapping[str, str]) -> Document:
    """Return what ``text`` says; its ``faults`` hold everything that is wrong with it as YAML."""
    document = Document(file)
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        document.fault((), f"the file is larger than {MAX_BYTES} bytes")
        return document
    if strange := sorted(_STRANGE.intersection(text)):
        found = ", ".join(f"U+{ord(char):04X}" for char in strange)
        document.fault((), f"the file contains characters that are not allowed: {found}")
        return document
    references: list[str] = []
    marked = _REFERENCE.sub(lambda match: _mark(match[0], references), text)
    try:
        _check_depth(marked)
        root = yaml.compose(marked, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = _unmark(" ".join(part for part in (error.context, error.problem) if part), references)
        document.faults.append(Fault(file, mark.line + 1 if mark else None, "(file)", f"is not YAML: {problem}"))
        return document
    except (yaml.YAMLError, UnicodeError) as error:
        document.fault((), f"is not YAML: {str(error).splitlines()[0]}")
        return document
    if root is not None:
        reader = _Reader(document, references, environ)
        try:
            values = reader.value(root, ())
        except _TooMuch:
            return document
        if isinstance(values, dict):
            document.values = values
        elif values is not None:
            document.fault((), "a configuration is a mapping of keys to values")
    return document


def _mark(reference: str, references: list[str]) -> str:
    if reference == "$$":
        return reference
    references.append(reference)
    return f"{_OPEN}{len(references) - 1}{_CLOSE}"


def _unmark(text: str, references: list[str]) -> str:
    return _MARKER.sub(lambda match: references[int(match[1])], text)


def _check_depth(text: str) -> None:
    """Refuse deep nesting before anything recursive reads the file."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                mark: Any = event.start_mark
                raise yaml.MarkedYAMLError(problem=f"nested deeper than {MAX_DEPTH}", problem_mark=mark)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


class _TooMuch(Exception):
    """Reading stops: the fault is noted."""


class _Reader:
    """Turns nodes into values, noting lines and faults; aliases are expanded within a bound."""

    def __init__(self, document: Document, references: list[str], environ: Mapping[str, str]) -> None:
        self._document = document
        self._references = references
        self._environ = environ
        self._open: set[int] = set()
        self._count = 0

    def value(self, node: Any, path: Path) -> Any:
        line = node.start_mark.line + 1
        self._document.lines.setdefault(path, line)
        self._count += 1
        if self._count > MAX_VALUES or len(path) > MAX_DEPTH or id(node) in self._open:
            self._document.fault(path, "is more than a configuration can hold, or an alias that refers to itself")
            raise _TooMuch
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        self._open.add(id(node))
        try:
            return self._mapping(node, path) if isinstance(node, yaml.MappingNode) else self._sequence(node, path)
        finally:
            self._open.discard(id(node))

    def _sequence(self, node: Any, path: Path) -> list[Any]:
        if node.tag != f"{_TAG}seq":
            self._document.fault(path, f"the tag {node.tag!r} is not supported")
        return [self.value(item, (*path, number)) for number, item in enumerate(node.value)]

    def _mapping(self, node: Any, path: Path) -> dict[str, Any]:
        if node.tag != f"{_TAG}map":
            self._document.fault(path, f"the tag {node.tag!r} is not supported")
        found: dict[str, Any] = {}
        merged: list[Any] = []
        for key_node, value_node in node.value:
            if key_node.tag == f"{_TAG}merge" and not key_node.style:
                merged.append(value_node)
                continue
            key = self._key(key_node, path)
            if key is None:
                continue
            where = (*path, key)
            line = key_node.start_mark.line + 1
            if key in found:
                first = self._document.lines[where]
                fault = Fault(self._document.file, line, dotted(where), f"is given twice (first on line {first})")
                self._document.faults.append(fault)
                continue
            self._document.lines[where] = line
            found[key] = self.value(value_node, where)
        for value_node in merged:
            self._merge(value_node, path, found)
        return found

    def _merge(self, node: Any, path: Path, found: dict[str, Any]) -> None:
        """Fill in what an alias behind ``<<`` has and the mapping itself has not."""
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for each in nodes:
            if not isinstance(each, yaml.MappingNode) or id(each) in self._open:
                self._document.fault(path, "`<<` wants a mapping, such as the alias of one")
                continue
            kept = {key: line for key, line in self._document.lines.items() if key[: len(path)] == path}
            extra = self.value(each, path)
            self._document.lines.update(kept)
            for key, value in (extra or {}).items():
                found.setdefault(key, value)

    def _key(self, node: Any, path: Path) -> str | None:
        if not isinstance(node, yaml.ScalarNode):
            self._fault_at(node, path, "a key must be text")
            return None
        if _MARKER.search(node.value):
            self._fault_at(node, path, "a key cannot contain a variable")
            return None
        if _control(node.value) or not node.value:
            self._fault_at(node, path, "a key is empty or contains a line break or control character")
            return None
        return str(node.value)

    def _scalar(self, node: Any, path: Path) -> Any:
        text: str = node.value
        if node.tag not in _PLAIN_TAGS:
            self._document.fault(path, f"the tag {node.tag!r} is not supported")
            return None
        if _MARKER.search(text):
            return self._expanded(text, path)
        if not node.style:
            if text in _NULL:
                return None
            if text in _BOOL:
                return _BOOL[text]
            if _INT.fullmatch(text) and len(text) < 19:
                return int(text)
            if _FLOAT.fullmatch(text) and len(text) < 40:
                return Written(text)
        return self._checked(text.replace("$$", "$"), path)

    def _expanded(self, text: str, path: Path) -> FromVariable:
        names: list[str] = []
        whole = True
        out, end = "", 0
        for match in _MARKER.finditer(text):
            value = self._variable(self._references[int(match[1])], path, names)
            whole = whole and value is not None
            out += text[end : match.start()].replace("$$", "$") + (value or "")
            end = match.end()
        out += text[end:].replace("$$", "$")
        self._document.variables[path] = tuple(names)
        return FromVariable(self._checked(out, path) if whole else "")

    def _variable(self, reference: str, path: Path, names: list[str]) -> str | None:
        match = _NAMED.fullmatch(reference)
        if match is None:
            self._document.fault(
                path, f"`{reference}` is not a variable", "write ${NAME} or ${NAME:-default}, or $$ for $"
            )
            return None
        name, default = match[1], match[2]
        names.append(name)
        value = self._environ.get(name)
        if default is not None:
            return value or default
        if value is None:
            close = difflib.get_close_matches(name, list(self._environ), n=1, cutoff=0.85)
            hint = f"did you mean ${{{close[0]}}}?" if close else f"export {name}, or write ${{{name}:-default}}"
            self._document.fault(path, f"the environment variable {name} is not set", hint)
        return value

    def _checked(self, text: str, path: Path) -> str:
        if _control(text):
            self._document.fault(path, "contains a line break or a control character")
        return text

    def _fault_at(self, node: Any, path: Path, problem: str) -> None:
        line = node.start_mark.line + 1
        self._document.faults.append(Fault(self._document.file, line, dotted(path), problem))


def _control(text: str) -> bool:
    return any(ord(char) < 32 or 127 <= ord(char) < 160 or char in "\u2028\u2029\ufeff" for char in text)
