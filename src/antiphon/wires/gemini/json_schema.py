"""Schemas between JSON Schema and this wire's own ``Schema`` (API reference, "Schema", "GenerationConfig").

Written is always JSON Schema (``parametersJsonSchema``, ``responseJsonSchema``), as the reference restricts it: a
``$ref`` stands alone, and a cycle may only go through properties that are not required. Read are both; ``Schema`` is a
dialect of OpenAPI 3.0: types in capitals, ``nullable``, ``propertyOrdering``, counts as strings.
"""

from typing import Any

from antiphon.errors import BadRequest

_COUNTS = ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")
_LISTED = ("anyOf", "oneOf", "allOf", "prefixItems")
_SINGLE = ("items", "additionalProperties", "not")
_NAMED = ("properties", "$defs", "definitions")
_DROPPED = frozenset(("nullable", "propertyOrdering", "example", "defs", "ref"))
_DEPTH = 100


def write_schema(schema: Any, at: str, *, of_object: bool = False) -> dict[str, Any]:
    """Return a JSON Schema in the form this wire takes.

    ``at`` is the caller's path to it; ``of_object`` wants the schema of an object, as tools do. Raises
    :class:`~antiphon.errors.BadRequest` naming the path of what cannot be taken.
    """
    if type(schema) is not dict:
        raise BadRequest(f"`{at}` must be a JSON Schema object.", param=at)
    written = _SchemaWriter(schema).write(schema, at, 0)
    if not of_object:
        return written
    if "type" not in written and "$ref" not in written and not any(key in written for key in _LISTED):
        written["type"] = "object"
    if written.get("type") != "object":
        raise BadRequest(f"`{at}` must describe an object, which this model needs for a tool.", param=at)
    return written


class _SchemaWriter:
    """Writes one schema and checks its references, so that an error can name the path."""

    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root

    def write(self, schema: dict[str, Any], at: str, depth: int) -> dict[str, Any]:
        if depth > _DEPTH:
            raise BadRequest(f"The schema nests deeper than {_DEPTH} levels at `{at}`.", param=at)
        made = {key: self._write_value(key, value, at, depth) for key, value in schema.items()}
        if "const" in made and type(made["const"]) in (str, int, float) and "enum" not in made:
            made["enum"] = [made.pop("const")]
        if "$ref" in made:
            self._follow(made["$ref"], at)
            if any(not key.startswith("$") for key in made):
                made = {"anyOf": [{"$ref": made.pop("$ref")}], **made}
        return made

    def _write_value(self, key: str, value: Any, at: str, depth: int) -> Any:
        path = f"{at}.{key}"
        if key in _NAMED and type(value) is dict:
            return {name: self._write_inner(item, f"{path}.{name}", depth) for name, item in value.items()}
        if key in _LISTED and type(value) is list:
            return [self._write_inner(item, f"{path}[{index}]", depth) for index, item in enumerate(value)]
        return self._write_inner(value, path, depth) if key in _SINGLE else value

    def _write_inner(self, schema: Any, at: str, depth: int) -> Any:
        """Write an inner schema, which may also be true or false."""
        return self.write(schema, at, depth + 1) if type(schema) is dict else schema

    def _follow(self, reference: Any, at: str) -> None:
        if self._find_target(reference) is None:
            raise BadRequest(f"`{at}.$ref` points to {reference!r}, which is not in this schema.", param=f"{at}.$ref")
        if self._must_contain(reference, reference, set()):
            raise BadRequest(
                f"`{at}.$ref` points to {reference!r}, which needs itself: a cycle may only go through properties "
                "that are not required, for this model.",
                param=f"{at}.$ref",
            )

    def _find_target(self, reference: Any) -> Any:
        if type(reference) is not str or not reference.startswith("#"):
            return None
        found: Any = self._root
        for step in reference[1:].split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            found = found.get(name) if type(found) is dict else None
        return found if type(found) is dict else None

    def _must_contain(self, reference: str, goal: str, seen: set[str]) -> bool:
        """Return whether every value of ``reference`` contains a value of ``goal``."""
        if reference in seen:
            return False
        seen.add(reference)
        return any(
            step == goal or self._must_contain(step, goal, seen)
            for step in self._list_required(self._find_target(reference), 0)
        )

    def _list_required(self, schema: Any, depth: int) -> set[str]:
        """Return the references that every value of ``schema`` contains."""
        if type(schema) is not dict or depth > _DEPTH:
            return set()
        if type(schema.get("$ref")) is str:
            return {schema["$ref"]}
        found: set[str] = set()
        properties, required = schema.get("properties"), schema.get("required")
        if type(properties) is dict and type(required) is list:
            for name in required:
                found |= self._list_required(properties.get(name) if type(name) is str else None, depth + 1)
        for key in ("anyOf", "oneOf"):
            if type(schema.get(key)) is list and schema[key]:
                found |= set.intersection(*(self._list_required(item, depth + 1) for item in schema[key]))
        if type(schema.get("allOf")) is list:
            found = found.union(*(self._list_required(item, depth + 1) for item in schema["allOf"]))
        if type(schema.get("minItems")) is int and schema["minItems"] > 0:
            found |= self._list_required(schema.get("items"), depth + 1)
        return found


def read_schema(schema: Any, at: str, depth: int = 0) -> dict[str, Any]:
    """Return this wire's own ``Schema`` as JSON Schema; raises :class:`~antiphon.errors.BadRequest` naming the path."""
    if type(schema) is not dict or depth > _DEPTH:
        raise BadRequest(f"`{at}` must be a Schema object of reasonable depth.", param=at)
    made = {key: _read_value(key, value, at, depth) for key, value in schema.items() if key not in _DROPPED}
    if type(schema.get("ref")) is str:
        made["$ref"] = schema["ref"].replace("#/defs/", "#/$defs/", 1)
    if type(schema.get("defs")) is dict:
        made["$defs"] = {
            name: read_schema(item, f"{at}.defs.{name}", depth + 1) for name, item in schema["defs"].items()
        }
    if "example" in schema:
        made["examples"] = [schema["example"]]
    if made.get("type") == "type_unspecified":
        del made["type"]
    return _make_nullable(made) if schema.get("nullable") in (True, "true") else made


def _read_value(key: str, value: Any, at: str, depth: int) -> Any:
    path = f"{at}.{key}"
    if key == "type":
        kinds = [kind.lower() if type(kind) is str else kind for kind in (value if type(value) is list else [value])]
        return kinds if type(value) is list else kinds[0]
    if key in _NAMED and type(value) is dict:
        return {name: read_schema(item, f"{path}.{name}", depth + 1) for name, item in value.items()}
    if key in _LISTED and type(value) is list:
        return [read_schema(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]
    if key in _SINGLE and type(value) is dict:
        return read_schema(value, path, depth + 1)
    if key in _COUNTS and type(value) is str and value.isdecimal():
        return int(value)
    return value


def _make_nullable(schema: dict[str, Any]) -> dict[str, Any]:
    kind = schema.get("type")
    if type(kind) is str:
        made = {**schema, "type": [kind, "null"]}
        if type(made.get("enum")) is list:
            made["enum"] = [*made["enum"], None]
        return made
    if type(schema.get("anyOf")) is list:
        return {**schema, "anyOf": [*schema["anyOf"], {"type": "null"}]}
    return {"anyOf": [schema, {"type": "null"}]} if schema else schema
