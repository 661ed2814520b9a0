"""Schemas between JSON Schema and this wire's own ``Schema`` (API reference, "Schema", "GenerationConfig").

Antiphon reads both forms. ``Schema`` is a dialect of OpenAPI 3.0: types in capitals, ``nullable``,
``propertyOrdering``, counts as strings. It writes JSON Schema only (``parametersJsonSchema``, ``responseJsonSchema``),
as the reference restricts it: a ``$ref`` has no sibling members, and a cycle may only go through properties that are
not required.
"""

from typing import Any

from antiphon.errors import BadRequest

_COUNTS = ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")
_SCHEMA_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SCHEMA_FIELDS = ("items", "additionalProperties", "not")
_SCHEMA_MAPS = ("properties", "$defs", "definitions")
_REPLACED_FIELDS = frozenset(("nullable", "propertyOrdering", "example", "defs", "ref"))
_DEPTH = 100


def write_schema(schema: Any, path: str, *, is_object: bool = False) -> dict[str, Any]:
    """Return a JSON Schema in the form that this wire takes.

    ``path`` is the caller's path to it. With ``is_object``, as for tools, it must describe an object. Raises
    :class:`~antiphon.errors.BadRequest` naming the path of a part that this wire cannot take.
    """
    if type(schema) is not dict:
        raise BadRequest(f"`{path}` must be a JSON Schema object.", param=path)
    result = _SchemaWriter(schema).write(schema, path, 0)
    if not is_object:
        return result
    if "type" not in result and "$ref" not in result and not any(key in result for key in _SCHEMA_LISTS):
        result["type"] = "object"
    if result.get("type") != "object":
        raise BadRequest(f"`{path}` must describe an object, which this model needs for a tool.", param=path)
    return result


class _SchemaWriter:
    """Writes one schema and checks its references, so that an error can name the path."""

    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root

    def write(self, schema: dict[str, Any], path: str, depth: int) -> dict[str, Any]:
        if depth > _DEPTH:
            raise BadRequest(f"The schema nests deeper than {_DEPTH} levels at `{path}`.", param=path)
        result = {key: self._write_value(key, value, path, depth) for key, value in schema.items()}
        if "const" in result and type(result["const"]) in (str, int, float) and "enum" not in result:
            result["enum"] = [result.pop("const")]
        if "$ref" in result:
            self._follow(result["$ref"], path)
            if any(not key.startswith("$") for key in result):
                result = {"anyOf": [{"$ref": result.pop("$ref")}], **result}
        return result

    def _write_value(self, key: str, value: Any, path: str, depth: int) -> Any:
        inner_path = f"{path}.{key}"
        if key in _SCHEMA_MAPS and type(value) is dict:
            return {name: self._write_inner(item, f"{inner_path}.{name}", depth) for name, item in value.items()}
        if key in _SCHEMA_LISTS and type(value) is list:
            return [self._write_inner(item, f"{inner_path}[{index}]", depth) for index, item in enumerate(value)]
        return self._write_inner(value, inner_path, depth) if key in _SCHEMA_FIELDS else value

    def _write_inner(self, schema: Any, path: str, depth: int) -> Any:
        """Write an inner schema, which may also be true or false."""
        return self.write(schema, path, depth + 1) if type(schema) is dict else schema

    def _follow(self, reference: Any, path: str) -> None:
        if self._find_target(reference) is None:
            raise BadRequest(
                f"`{path}.$ref` points to {reference!r}, which is not in this schema.", param=f"{path}.$ref"
            )
        if self._must_contain(reference, reference, set()):
            raise BadRequest(
                f"`{path}.$ref` points to {reference!r}, which needs itself: a cycle may only go through properties "
                "that are not required, for this model.",
                param=f"{path}.$ref",
            )

    def _find_target(self, reference: Any) -> Any:
        if type(reference) is not str or not reference.startswith("#"):
            return None
        schema: Any = self._root
        for segment in reference[1:].split("/")[1:]:
            name = segment.replace("~1", "/").replace("~0", "~")
            schema = schema.get(name) if type(schema) is dict else None
        return schema if type(schema) is dict else None

    def _must_contain(self, reference: str, goal: str, visited: set[str]) -> bool:
        """Say whether every value of ``reference`` contains a value of ``goal``."""
        if reference in visited:
            return False
        visited.add(reference)
        return any(
            inner == goal or self._must_contain(inner, goal, visited)
            for inner in self._list_required(self._find_target(reference), 0)
        )

    def _list_required(self, schema: Any, depth: int) -> set[str]:
        """Return the references that every value of ``schema`` contains."""
        if type(schema) is not dict or depth > _DEPTH:
            return set()
        if type(schema.get("$ref")) is str:
            return {schema["$ref"]}
        references: set[str] = set()
        properties, required = schema.get("properties"), schema.get("required")
        if type(properties) is dict and type(required) is list:
            for name in required:
                references |= self._list_required(properties.get(name) if type(name) is str else None, depth + 1)
        for key in ("anyOf", "oneOf"):
            if type(schema.get(key)) is list and schema[key]:
                references |= set.intersection(*(self._list_required(item, depth + 1) for item in schema[key]))
        if type(schema.get("allOf")) is list:
            references = references.union(*(self._list_required(item, depth + 1) for item in schema["allOf"]))
        if type(schema.get("minItems")) is int and schema["minItems"] > 0:
            references |= self._list_required(schema.get("items"), depth + 1)
        return references


def read_schema(schema: Any, path: str, depth: int = 0) -> dict[str, Any]:
    """Return this wire's own ``Schema`` as JSON Schema; raises :class:`~antiphon.errors.BadRequest` naming the path."""
    if type(schema) is not dict or depth > _DEPTH:
        raise BadRequest(f"`{path}` must be a Schema object of reasonable depth.", param=path)
    result = {key: _read_value(key, value, path, depth) for key, value in schema.items() if key not in _REPLACED_FIELDS}
    if type(schema.get("ref")) is str:
        result["$ref"] = schema["ref"].replace("#/defs/", "#/$defs/", 1)
    if type(schema.get("defs")) is dict:
        result["$defs"] = {
            name: read_schema(item, f"{path}.defs.{name}", depth + 1) for name, item in schema["defs"].items()
        }
    if "example" in schema:
        result["examples"] = [schema["example"]]
    if result.get("type") == "type_unspecified":
        del result["type"]
    return _make_nullable(result) if schema.get("nullable") in (True, "true") else result


def _read_value(key: str, value: Any, path: str, depth: int) -> Any:
    inner_path = f"{path}.{key}"
    if key == "type":
        kinds = [kind.lower() if type(kind) is str else kind for kind in (value if type(value) is list else [value])]
        return kinds if type(value) is list else kinds[0]
    if key in _SCHEMA_MAPS and type(value) is dict:
        return {name: read_schema(item, f"{inner_path}.{name}", depth + 1) for name, item in value.items()}
    if key in _SCHEMA_LISTS and type(value) is list:
        return [read_schema(item, f"{inner_path}[{index}]", depth + 1) for index, item in enumerate(value)]
    if key in _SCHEMA_FIELDS and type(value) is dict:
        return read_schema(value, inner_path, depth + 1)
    if key in _COUNTS and type(value) is str and value.isdecimal():
        return int(value)
    return value


def _make_nullable(schema: dict[str, Any]) -> dict[str, Any]:
    kind = schema.get("type")
    if type(kind) is str:
        result = {**schema, "type": [kind, "null"]}
        if type(result.get("enum")) is list:
            result["enum"] = [*result["enum"], None]
        return result
    if type(schema.get("anyOf")) is list:
        return {**schema, "anyOf": [*schema["anyOf"], {"type": "null"}]}
    return {"anyOf": [schema, {"type": "null"}]} if schema else schema
