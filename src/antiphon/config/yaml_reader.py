"""Reads a YAML file as plain values, with lines and environment variables.

The format is narrower than YAML 1.1, on purpose: ``yes``, ``no``, ``on``, dates and ``12:30`` are text; a repeated key,
a tag, a line break inside a value or a file of exploding aliases is a fault. ``${NAME}`` and ``${NAME:-default}`` are
replaced inside text values, ``$$`` is a dollar sign.
"""

import difflib
import re
from collections.abc import Mapping
from typing import Any

import yaml

from antiphon.config.document import DecimalNumber, Document, Path, VariableText, format_path
from antiphon.errors import Fault

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 32
MAX_VALUES = 20_000

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_TAG = "tag:yaml.org,2002:"
_SCALAR_TAGS = frozenset(_TAG + name for name in ("null", "bool", "int", "float", "str", "timestamp", "value", "merge"))

# `{` ends a plain scalar inside `{…}`, so `{api_key: ${NAME}}` would not be YAML. Each `${…}` is therefore replaced
# by a marker of private-use characters before the file is parsed, and the marker by its value afterwards.
_REFERENCE = re.compile(r"\$\$|\$\{(?:[^}\r\n]*\}|[A-Za-z0-9_]*)")
_OPEN, _CLOSE = "\ue000", "\ue001"
# YAML takes the last three for line breaks, which no editor counts.
_FORBIDDEN = frozenset((_OPEN, _CLOSE, "\x85", "\u2028", "\u2029"))
_MARKER = re.compile(f"{_OPEN}([0-9]+){_CLOSE}")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def parse_yaml(text: str, file: str, environ: Mapping[str, str]) -> Document:
    """Return the values of ``text``; the document's ``faults`` list everything that is wrong with it as YAML."""
    document = Document(file)
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        document.add_fault((), f"the file is larger than {MAX_BYTES} bytes")
        return document
    if forbidden := sorted(_FORBIDDEN.intersection(text)):
        codes = ", ".join(f"U+{ord(char):04X}" for char in forbidden)
        document.add_fault((), f"the file contains characters that are not allowed: {codes}")
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
        document.add_fault((), f"is not YAML: {str(error).splitlines()[0]}")
        return document
    if root is not None:
        reader = _NodeReader(document, references, environ)
        try:
            values = reader.read(root, ())
        except _LimitExceeded:
            return document
        if isinstance(values, dict):
            document.values = values
        elif values is not None:
            document.add_fault((), "a configuration must be a mapping of keys to values")
    return document


def _mark(reference: str, references: list[str]) -> str:
    if reference == "$$":
        return reference
    references.append(reference)
    return f"{_OPEN}{len(references) - 1}{_CLOSE}"


def _unmark(text: str, references: list[str]) -> str:
    return _MARKER.sub(lambda match: references[int(match[1])], text)


def _check_depth(text: str) -> None:
    """Reject deep nesting before anything recursive reads the file."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                mark: Any = event.start_mark
                raise yaml.MarkedYAMLError(problem=f"nested deeper than {MAX_DEPTH}", problem_mark=mark)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


class _LimitExceeded(Exception):
    """Raised to stop reading after the fault was recorded."""


class _NodeReader:
    """Turns nodes into values and records lines and faults; aliases are expanded up to a limit."""

    def __init__(self, document: Document, references: list[str], environ: Mapping[str, str]) -> None:
        self._document = document
        self._references = references
        self._environ = environ
        self._open: set[int] = set()
        self._count = 0

    def read(self, node: Any, path: Path) -> Any:
        line = node.start_mark.line + 1
        self._document.lines.setdefault(path, line)
        self._count += 1
        if self._count > MAX_VALUES or len(path) > MAX_DEPTH or id(node) in self._open:
            self._document.add_fault(path, "is too large for a configuration, or is an alias that refers to itself")
            raise _LimitExceeded
        if isinstance(node, yaml.ScalarNode):
            return self._read_scalar(node, path)
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self._read_mapping(node, path)
            return self._read_sequence(node, path)
        finally:
            self._open.discard(id(node))

    def _read_sequence(self, node: Any, path: Path) -> list[Any]:
        if node.tag != f"{_TAG}seq":
            self._document.add_fault(path, f"the tag {node.tag!r} is not supported")
        return [self.read(item, (*path, number)) for number, item in enumerate(node.value)]

    def _read_mapping(self, node: Any, path: Path) -> dict[str, Any]:
        if node.tag != f"{_TAG}map":
            self._document.add_fault(path, f"the tag {node.tag!r} is not supported")
        values: dict[str, Any] = {}
        merges: list[Any] = []
        for key_node, value_node in node.value:
            if key_node.tag == f"{_TAG}merge" and not key_node.style:
                merges.append(value_node)
                continue
            key = self._read_key(key_node, path)
            if key is None:
                continue
            key_path = (*path, key)
            line = key_node.start_mark.line + 1
            if key in values:
                first = self._document.lines[key_path]
                problem = f"is given twice (first on line {first})"
                self._document.faults.append(Fault(self._document.file, line, format_path(key_path), problem))
                continue
            self._document.lines[key_path] = line
            values[key] = self.read(value_node, key_path)
        for value_node in merges:
            self._merge(value_node, path, values)
        return values

    def _merge(self, node: Any, path: Path, values: dict[str, Any]) -> None:
        """Add the keys of the alias behind ``<<`` that the mapping itself does not have."""
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for source in nodes:
            if not isinstance(source, yaml.MappingNode) or id(source) in self._open:
                self._document.add_fault(path, "`<<` needs a mapping, such as an alias of one")
                continue
            lines = {key: line for key, line in self._document.lines.items() if key[: len(path)] == path}
            merged = self.read(source, path)
            self._document.lines.update(lines)
            for key, value in (merged or {}).items():
                values.setdefault(key, value)

    def _read_key(self, node: Any, path: Path) -> str | None:
        if not isinstance(node, yaml.ScalarNode):
            self._add_fault_at(node, path, "a key must be text")
            return None
        if _MARKER.search(node.value):
            self._add_fault_at(node, path, "a key cannot contain a variable")
            return None
        if _has_control(node.value) or not node.value:
            self._add_fault_at(node, path, "a key is empty or contains a line break or control character")
            return None
        return str(node.value)

    def _read_scalar(self, node: Any, path: Path) -> Any:
        text: str = node.value
        if node.tag not in _SCALAR_TAGS:
            self._document.add_fault(path, f"the tag {node.tag!r} is not supported")
            return None
        if _MARKER.search(text):
            return self._expand(text, path)
        if not node.style:
            if text in _NULL:
                return None
            if text in _BOOL:
                return _BOOL[text]
            if _INT.fullmatch(text) and len(text) < 19:
                return int(text)
            if _FLOAT.fullmatch(text) and len(text) < 40:
                return DecimalNumber(text)
        return self._check_text(text.replace("$$", "$"), path)

    def _expand(self, text: str, path: Path) -> VariableText:
        """Replace the variables in ``text``; the result is empty if one of them has a fault."""
        names: list[str] = []
        complete = True
        out, end = "", 0
        for match in _MARKER.finditer(text):
            value = self._look_up(self._references[int(match[1])], path, names)
            complete = complete and value is not None
            out += text[end : match.start()].replace("$$", "$") + (value or "")
            end = match.end()
        out += text[end:].replace("$$", "$")
        self._document.variables[path] = tuple(names)
        return VariableText(self._check_text(out, path) if complete else "")

    def _look_up(self, reference: str, path: Path, names: list[str]) -> str | None:
        match = _VARIABLE.fullmatch(reference)
        if match is None:
            hint = "write ${NAME} or ${NAME:-default}, or $$ for $"
            self._document.add_fault(path, f"`{reference}` is not a variable", hint)
            return None
        name, default = match[1], match[2]
        names.append(name)
        value = self._environ.get(name)
        if default is not None:
            return value or default
        if value is None:
            close = difflib.get_close_matches(name, list(self._environ), n=1, cutoff=0.85)
            hint = f"did you mean ${{{close[0]}}}?" if close else f"export {name}, or write ${{{name}:-default}}"
            self._document.add_fault(path, f"the environment variable {name} is not set", hint)
        return value

    def _check_text(self, text: str, path: Path) -> str:
        if _has_control(text):
            self._document.add_fault(path, "contains a line break or a control character")
        return text

    def _add_fault_at(self, node: Any, path: Path, problem: str) -> None:
        line = node.start_mark.line + 1
        self._document.faults.append(Fault(self._document.file, line, format_path(path), problem))


def _has_control(text: str) -> bool:
    return any(ord(char) < 32 or 127 <= ord(char) < 160 or char in "\u2028\u2029\ufeff" for char in text)
