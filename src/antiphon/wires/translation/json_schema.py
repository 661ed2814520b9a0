"""The JSON Schema that Claude and Converse enforce (Anthropic, guide "Structured outputs", "JSON Schema limitations").

Objects must be closed, schemas must not refer to themselves, and limits on numbers, lengths and counts are not
enforced. Keywords that are not enforced are added to the description, which the model reads, and are reported.
"""

from typing import Any

import msgspec

_LIMITS = frozenset(
    (
        "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength",
        "maxItems", "uniqueItems", "minProperties", "maxProperties",
    )
)  # fmt: skip
_UNFIT_KEYWORDS = frozenset(
    (
        "not", "if", "then", "else", "patternProperties", "propertyNames", "dependentSchemas", "dependentRequired",
        "prefixItems", "contains", "unevaluatedProperties", "unevaluatedItems", "$dynamicRef", "additionalItems",
    )
)  # fmt: skip
_FORMATS = frozenset(
    ("date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid")
)  # fmt: skip
_DEFINITIONS = ("$defs", "definitions")


class FittedSchema(msgspec.Struct, frozen=True):
    """A schema that can be enforced, and the keywords of the original that are not enforced."""

    schema: dict[str, Any]
    unenforced: tuple[str, ...]


class _Unfit(Exception):
    """The schema has no counterpart."""


def fit_schema(schema: dict[str, Any]) -> FittedSchema | None:
    """Return a schema in the form that strict modes enforce, or ``None`` if it has no counterpart."""
    unenforced: dict[str, None] = {}
    try:
        if _is_recursive(schema):
            return None
        return FittedSchema(_fit(schema, unenforced), tuple(unenforced))
    except _Unfit:
        return None


def _fit(schema: Any, unenforced: dict[str, None]) -> dict[str, Any]:
    if type(schema) is not dict or not _UNFIT_KEYWORDS.isdisjoint(schema):
        raise _Unfit
    result: dict[str, Any] = {}
    notes: list[str] = []
    for key, value in schema.items():
        if _is_unenforced(key, value):
            unenforced[key] = None
            notes.append(f"{key}: {msgspec.json.encode(value).decode()}")
        else:
            result["anyOf" if key == "oneOf" else key] = _fit_member(key, value, unenforced)
    kind = result.get("type")
    if kind == "object" or (type(kind) is list and "object" in kind) or "properties" in result:
        if result.setdefault("additionalProperties", False) is not False:
            raise _Unfit
    elif "additionalProperties" in result:
        raise _Unfit
    if notes:
        description = result.get("description")
        result["description"] = f"{description} ({', '.join(notes)})" if type(description) is str else ", ".join(notes)
    return result


def _is_unenforced(key: str, value: Any) -> bool:
    if key == "format":
        return type(value) is not str or value not in _FORMATS
    return key in _LIMITS or (key == "minItems" and value not in (0, 1))


def _fit_member(key: str, value: Any, unenforced: dict[str, None]) -> Any:
    if key in ("anyOf", "oneOf", "allOf"):
        return [_fit(part, unenforced) for part in _check_list(value)]
    if key == "items":
        return _fit(value, unenforced)
    if key == "properties" or key in _DEFINITIONS:
        return {name: _fit(part, unenforced) for name, part in _check_object(value).items()}
    if key == "enum" and any(type(item) in (dict, list) for item in _check_list(value)):
        raise _Unfit
    if key == "$ref" and not (type(value) is str and value.startswith("#")):
        raise _Unfit
    return value


def _check_list(value: Any) -> list[Any]:
    if type(value) is not list:
        raise _Unfit
    return value


def _check_object(value: Any) -> dict[str, Any]:
    if type(value) is not dict:
        raise _Unfit
    return value


def _is_recursive(schema: dict[str, Any]) -> bool:
    """Say whether a chain of references comes back to itself; each definition is visited once."""
    edges: dict[str, set[str]] = {"#": _find_references(schema, outside=True)}
    for keyword in _DEFINITIONS:
        definitions = schema.get(keyword)
        if type(definitions) is dict:
            edges |= {
                f"#/{keyword}/{name}": _find_references(part, outside=False) for name, part in definitions.items()
            }
    open_refs: list[str | None] = ["#"]
    path: list[str] = []
    visited: set[str] = set()
    while open_refs:
        ref = open_refs.pop()
        if ref is None:  # everything below the last definition on the path was visited
            visited.add(path.pop())
        elif ref in path:
            return True
        elif ref not in visited:
            path.append(ref)
            open_refs += [None, *edges.get(ref, ())]
    return False


def _find_references(schema: Any, *, outside: bool) -> set[str]:
    references: set[str] = set()
    nodes = [schema]
    while nodes:
        node = nodes.pop()
        if type(node) is dict:
            if type(ref := node.get("$ref")) is str:
                references.add(ref)
            nodes += [value for key, value in node.items() if not (outside and node is schema and key in _DEFINITIONS)]
        elif type(node) is list:
            nodes += node
    return references
