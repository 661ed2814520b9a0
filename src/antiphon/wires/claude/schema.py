"""JSON Schema as structured outputs of this wire take it (guide "Structured outputs", "JSON Schema limitations").

Objects must be closed, schemas must not refer to themselves, and limits on numbers, lengths and counts are not
enforced. What is not enforced is told to the model in the description instead, and reported.
"""

from typing import Any

import msgspec

_LIMITS = frozenset(
    (
        "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength",
        "maxItems", "uniqueItems", "minProperties", "maxProperties",
    )
)  # fmt: skip
_UNFIT = frozenset(
    (
        "not", "if", "then", "else", "patternProperties", "propertyNames", "dependentSchemas", "dependentRequired",
        "prefixItems", "contains", "unevaluatedProperties", "unevaluatedItems", "$dynamicRef", "additionalItems",
    )
)  # fmt: skip
_FORMATS = frozenset(
    ("date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid")
)  # fmt: skip
_DEFINITIONS = ("$defs", "definitions")


class Fitted(msgspec.Struct, frozen=True):
    """A schema that the wire takes, and the keywords that are only told, not enforced."""

    schema: dict[str, Any]
    told: tuple[str, ...]


class _Unfit(Exception):
    """The schema has no counterpart."""


def fit(schema: dict[str, Any]) -> Fitted | None:
    """Return a schema as strict modes of this wire take it, or ``None`` where it has no counterpart."""
    told: dict[str, None] = {}
    try:
        if _refers_to_itself(schema):
            return None
        return Fitted(_fit(schema, told), tuple(told))
    except _Unfit:
        return None


def _fit(schema: Any, told: dict[str, None]) -> dict[str, Any]:
    if type(schema) is not dict or not _UNFIT.isdisjoint(schema):
        raise _Unfit
    fitted: dict[str, Any] = {}
    notes: list[str] = []
    for key, value in schema.items():
        if _only_told(key, value):
            told[key] = None
            notes.append(f"{key}: {msgspec.json.encode(value).decode()}")
        else:
            fitted["anyOf" if key == "oneOf" else key] = _fit_member(key, value, told)
    kind = fitted.get("type")
    if kind == "object" or (type(kind) is list and "object" in kind) or "properties" in fitted:
        if fitted.setdefault("additionalProperties", False) is not False:
            raise _Unfit
    elif "additionalProperties" in fitted:
        raise _Unfit
    if notes:
        before = fitted.get("description")
        fitted["description"] = f"{before} ({', '.join(notes)})" if type(before) is str else ", ".join(notes)
    return fitted


def _only_told(key: str, value: Any) -> bool:
    if key == "format":
        return type(value) is not str or value not in _FORMATS
    return key in _LIMITS or (key == "minItems" and value not in (0, 1))


def _fit_member(key: str, value: Any, told: dict[str, None]) -> Any:
    if key in ("anyOf", "oneOf", "allOf"):
        return [_fit(part, told) for part in _listed(value)]
    if key == "items":
        return _fit(value, told)
    if key == "properties" or key in _DEFINITIONS:
        return {name: _fit(part, told) for name, part in _named(value).items()}
    if key == "enum" and any(type(item) in (dict, list) for item in _listed(value)):
        raise _Unfit
    if key == "$ref" and not (type(value) is str and value.startswith("#")):
        raise _Unfit
    return value


def _listed(value: Any) -> list[Any]:
    if type(value) is not list:
        raise _Unfit
    return value


def _named(value: Any) -> dict[str, Any]:
    if type(value) is not dict:
        raise _Unfit
    return value


def _refers_to_itself(schema: dict[str, Any]) -> bool:
    """Tell whether following references ever comes back: each definition's references, walked once."""
    edges: dict[str, set[str]] = {"#": _references(schema, outside=True)}
    for where in _DEFINITIONS:
        definitions = schema.get(where)
        if type(definitions) is dict:
            edges |= {f"#/{where}/{name}": _references(part, outside=False) for name, part in definitions.items()}
    open_refs: list[str | None] = ["#"]
    path: list[str] = []
    done: set[str] = set()
    while open_refs:
        ref = open_refs.pop()
        if ref is None:  # everything below the last one on the path was followed
            done.add(path.pop())
        elif ref in path:
            return True
        elif ref not in done:
            path.append(ref)
            open_refs += [None, *edges.get(ref, ())]
    return False


def _references(schema: Any, *, outside: bool) -> set[str]:
    found: set[str] = set()
    nodes = [schema]
    while nodes:
        node = nodes.pop()
        if type(node) is dict:
            if type(ref := node.get("$ref")) is str:
                found.add(ref)
            nodes += [value for key, value in node.items() if not (outside and node is schema and key in _DEFINITIONS)]
        elif type(node) is list:
            nodes += node
    return found
