"""Reads scripts from YAML strictly: every mistake is reported with its line.

A script has one key, ``rules``, a list. A rule has ``exact`` (the whole last user message) or ``match`` (a regular
expression searched in it), optionally ``model``, and at least one of ``reply`` (text), ``tools`` (a list of ``name``
and ``arguments``), ``fault`` (as in a model name, without ``fault-``), ``delay`` (seconds before the first token),
``tps`` (tokens per second), ``usage`` (numbers to state in place of the counted ones), ``thinking`` (text before the
answer) and ``finish`` (``length``, ``content_filter`` or ``refusal``, which makes the reply a refusal). The first
matching rule answers. A rule with ``tools`` calls them; once the conversation ends in a tool's result it answers with
its ``reply``.
"""

import difflib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import yaml

from antiphon.errors import ConfigError, Fault
from antiphon.sim.behaviour import Behaviour, UnknownBehaviour, parse_model_name
from antiphon.sim.model_output import ToolCall
from antiphon.sim.script import Rule, Script

USAGE_NUMBERS = (
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
)
FINISHES = ("length", "content_filter", "refusal")


def load_script(path: str) -> Script:
    """Read a script file; raises :class:`~antiphon.errors.ConfigError` with every fault in it."""
    try:
        source = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            [Fault(path, None, "script", f"cannot be read: {error}", "give a YAML file in UTF-8")]
        ) from None
    return parse_script(source, path)


def parse_script(source: str, file: str = "script") -> Script:
    """Read a script's text; ``file`` is its name in messages. Raises as :func:`load_script`."""
    try:
        root = yaml.compose(source, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "invalid YAML"
        raise ConfigError([Fault(file, mark.line + 1 if mark else None, "script", f"is not YAML: {problem}")]) from None
    except RecursionError:
        raise ConfigError([Fault(file, None, "script", "is nested too deeply")]) from None
    reader = _Reader(file)
    rules = reader.read_script(root)
    if reader.faults:
        raise ConfigError(reader.faults)
    return Script(tuple(rules))


class _Reader:
    """Turns YAML nodes into rules and collects the faults in them."""

    def __init__(self, file: str) -> None:
        self._file = file
        self.faults: list[Fault] = []

    def read_script(self, root: yaml.Node | None) -> list[Rule]:
        if root is None:
            self.faults.append(Fault(self._file, None, "script", "is empty", "begin with 'rules:'"))
            return []
        entries = self._read_mapping(root, "script", ("rules",))
        if entries is None:
            return []
        if "rules" not in entries:
            self._add_fault(root, "rules", "is missing", "begin with 'rules:'")
            return []
        node = entries["rules"]
        if not isinstance(node, yaml.SequenceNode):
            self._add_fault(node, "rules", "must be a list")
            return []
        rules = [self._read_rule(item, f"rules[{number}]") for number, item in enumerate(node.value)]
        self._check_reachable(rules, node.value)
        return rules

    def _read_rule(self, node: yaml.Node, field: str) -> Rule:
        entries = self._read_mapping(node, field, tuple(_RULE_FIELDS))
        if entries is None:
            return Rule()
        if ("exact" in entries) == ("match" in entries):
            self._add_fault(node, field, "must have either 'exact' or 'match'")
        if not entries.keys() - {"exact", "match", "model"}:
            self._add_fault(
                node,
                field,
                "does nothing",
                "add 'reply', 'tools', 'fault', 'usage' or another of: " + ", ".join(_RULE_FIELDS),
            )
        values = {}
        for name, value in entries.items():
            try:
                values[name] = _RULE_FIELDS[name](self, value, f"{field}.{name}")
            except ValueError as error:
                self._add_fault(value, f"{field}.{name}", str(error))
        return Rule(**values)

    def _check_reachable(self, rules: list[Rule], nodes: list[yaml.Node]) -> None:
        for number, rule in enumerate(rules):
            if rule.exact is None and rule.match is None:
                continue  # reported already
            for earlier in rules[:number]:
                same = earlier.exact == rule.exact and _get_pattern(earlier) == _get_pattern(rule)
                if same and earlier.model in (None, rule.model) and not (earlier.tools and earlier.reply is None):
                    first = nodes[rules.index(earlier)].start_mark.line + 1
                    self._add_fault(nodes[number], f"rules[{number}]", f"can never apply: line {first} answers first")
                    break

    def _read_mapping(self, node: yaml.Node, field: str, known: tuple[str, ...]) -> dict[str, yaml.Node] | None:
        if not isinstance(node, yaml.MappingNode):
            self._add_fault(node, field, "must be a mapping with the keys " + ", ".join(known))
            return None
        entries: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = str(key.value)
            if name not in known:
                matches = difflib.get_close_matches(name, known, 1)
                hint = f"did you mean {matches[0]}?" if matches else "known: " + ", ".join(known)
                self._add_fault(key, f"{field}.{name}", "unknown key", hint)
            elif name in entries:
                self._add_fault(key, f"{field}.{name}", "given twice")
            else:
                entries[name] = value
        return entries

    def _add_fault(self, node: yaml.Node, field: str, problem: str, hint: str = "") -> None:
        self.faults.append(Fault(self._file, node.start_mark.line + 1, field, problem, hint))

    def read_text(self, node: yaml.Node, field: str) -> str:
        if not isinstance(node, yaml.ScalarNode) or node.tag != "tag:yaml.org,2002:str":
            raise ValueError("must be text; put it in quotes")
        try:
            node.value.encode()
        except UnicodeEncodeError:
            raise ValueError("holds half of a surrogate pair, which is not text") from None
        return str(node.value)

    def read_pattern(self, node: yaml.Node, field: str) -> re.Pattern[str]:
        try:
            return re.compile(self.read_text(node, field))
        except re.error as error:
            raise ValueError(f"is not a regular expression: {error}") from None

    def read_finish(self, node: yaml.Node, field: str) -> str:
        word = self.read_text(node, field)
        if word not in FINISHES:
            raise ValueError("must be one of: " + ", ".join(FINISHES))
        return word

    def read_number(self, node: yaml.Node, field: str) -> float:
        value = _build_value(node)
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= 1e6:
            raise ValueError("must be a number from 0 to 1000000")
        return float(value)

    def read_fault(self, node: yaml.Node, field: str) -> Behaviour:
        try:
            return parse_model_name("fault-" + self.read_text(node, field))
        except UnknownBehaviour as error:
            raise ValueError(str(error)) from None

    def read_usage(self, node: yaml.Node, field: str) -> dict[str, int]:
        entries = self._read_mapping(node, field, USAGE_NUMBERS) or {}
        values = {}
        for name, value in entries.items():
            number = _build_value(value)
            if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < 2**53:
                self._add_fault(value, f"{field}.{name}", "must be a whole number, 0 or more")
            else:
                values[name] = number
        return values

    def read_tools(self, node: yaml.Node, field: str) -> tuple[ToolCall, ...]:
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            raise ValueError("must be a list of tool calls")
        return tuple(self._read_tool(item, f"{field}[{number}]") for number, item in enumerate(node.value))

    def _read_tool(self, node: yaml.Node, field: str) -> ToolCall:
        entries = self._read_mapping(node, field, ("name", "arguments"))
        if entries is None:
            return ToolCall("", "{}")
        if "name" not in entries:
            self._add_fault(node, f"{field}.name", "is missing")
            return ToolCall("", "{}")
        name = self.read_text(entries["name"], field)
        arguments = _build_value(entries["arguments"]) if "arguments" in entries else {}
        if isinstance(arguments, str):
            return ToolCall(name, arguments)  # unchanged, so that a script can give broken arguments
        try:
            return ToolCall(name, msgspec.json.encode(arguments).decode())
        except (TypeError, UnicodeEncodeError, RecursionError) as error:
            raise ValueError(f"{field}.arguments cannot be JSON: {error}") from None


_RULE_FIELDS: dict[str, Callable[[_Reader, yaml.Node, str], Any]] = {
    "exact": _Reader.read_text,
    "match": _Reader.read_pattern,
    "model": _Reader.read_text,
    "reply": _Reader.read_text,
    "tools": _Reader.read_tools,
    "fault": _Reader.read_fault,
    "delay": _Reader.read_number,
    "tps": _Reader.read_number,
    "usage": _Reader.read_usage,
    "thinking": _Reader.read_text,
    "finish": _Reader.read_finish,
}


def _build_value(node: yaml.Node) -> Any:
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_document(node)
    except yaml.YAMLError as error:
        raise ValueError(f"is not a plain value: {getattr(error, 'problem', error)}") from None
    finally:
        loader.dispose()


def _get_pattern(rule: Rule) -> str | None:
    return rule.match.pattern if rule.match is not None else None
