"""Made-up JSON that satisfies a JSON Schema: for structured output and for the arguments of forced tool calls.

What belongs here: the parts of JSON Schema that structured output allows. ``pattern``, conditionals and other keywords
are ignored.
"""

import math
from typing import Any

import msgspec

_MAX_NODES = 2000
_MAX_DEPTH = 12
_MAX_REFERENCES = 16
_MAX_LENGTH = 1000
_MAX_BOUND = 1e15
_FORMATS = {
    "date-time": "2024-01-01T00:00:00Z",
    "date": "2024-01-01",
    "time": "00:00:00Z",
    "duration": "PT1S",
    "email": "sim@example.com",
    "hostname": "example.com",
    "uri": "https://example.com/",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def fabricate_json(schema: Any, text: str) -> str:
    """Return JSON text that satisfies the keywords of ``schema`` which this module reads."""
    return msgspec.json.encode(JsonFabricator(schema, text).make_value()).decode()


class JsonFabricator:
    """Makes one value for a schema; strings are taken from ``text`` where the schema allows any.

    A recursive schema is followed to a limit; beyond it the value is the smallest that the schema allows.
    """

    def __init__(self, schema: Any, text: str) -> None:
        self._root = schema
        self._text = text
        self._nodes = 0

    def make_value(self) -> Any:
        """Return the value; ``None`` if the schema describes none."""
        return self._make(self._root, 0)

    def _make(self, schema: Any, depth: int) -> Any:
        self._nodes += 1
        schema = self._resolve(schema)
        if depth > 4 * _MAX_DEPTH or self._nodes > 4 * _MAX_NODES:
            return None
        if "const" in schema:
            return schema["const"]
        if isinstance(schema.get("enum"), list) and schema["enum"]:
            return schema["enum"][0]
        for key in ("anyOf", "oneOf"):
            if isinstance(schema.get(key), list) and schema[key]:
                return self._make(self._choose(schema[key], depth), depth + 1)
        maker = _MAKERS.get(_infer_type(schema))
        return None if maker is None else maker(self, schema, depth)

    def _resolve(self, schema: Any, nesting: int = 0) -> dict[str, Any]:
        """Return a schema with its references followed and its ``allOf`` merged."""
        for _ in range(_MAX_REFERENCES):
            if not isinstance(schema, dict):
                return {}
            reference = schema.get("$ref")
            if not isinstance(reference, str) or not reference.startswith("#"):
                break
            schema = self._follow(reference)
        parts = schema.get("allOf") if isinstance(schema, dict) else None
        if not isinstance(parts, list) or not parts or nesting > _MAX_DEPTH or self._nodes > _MAX_NODES:
            return schema if isinstance(schema, dict) else {}
        self._nodes += len(parts)
        own = {key: value for key, value in schema.items() if key != "allOf"}
        return _merge_schemas([own, *[self._resolve(part, nesting + 1) for part in parts]])

    def _follow(self, reference: str) -> Any:
        found = self._root
        for step in reference.split("/")[1:]:
            found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
        return found

    def _is_over_limit(self, depth: int) -> bool:
        return depth > _MAX_DEPTH or self._nodes > _MAX_NODES

    def _choose(self, options: list[Any], depth: int) -> Any:
        if self._is_over_limit(depth):
            for option in options:
                if isinstance(option, dict) and option.get("type") == "null":
                    return option
        return options[0]

    def _make_object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        properties = schema.get("properties")
        if not isinstance(properties, dict):
            return {}
        required = schema.get("required")
        if self._is_over_limit(depth):
            names = required if isinstance(required, list) else ()
            properties = {name: part for name, part in properties.items() if name in names}
        return {name: self._make(part, depth + 1) for name, part in properties.items()}

    def _make_array(self, schema: dict[str, Any], depth: int) -> list[Any]:
        least = _clamp_length(schema.get("minItems"), 0)
        size = least
        if not self._is_over_limit(depth):
            size = max(least, min(1, _clamp_length(schema.get("maxItems"), 1)))
        items = schema.get("prefixItems")
        prefix = items if isinstance(items, list) else []
        size = max(size, len(prefix))
        return [self._make(part, depth + 1) for part in [*prefix, *[schema.get("items")] * (size - len(prefix))]]

    def _make_string(self, schema: dict[str, Any], depth: int) -> str:
        form = schema.get("format")
        if isinstance(form, str) and form in _FORMATS:
            return _FORMATS[form]
        least = _clamp_length(schema.get("minLength"), 0)
        return self._text[: _clamp_length(schema.get("maxLength"), _MAX_LENGTH)].ljust(least, ".")

    def _make_integer(self, schema: dict[str, Any], depth: int) -> int:
        multiple = schema.get("multipleOf")
        step = multiple if isinstance(multiple, int) and multiple > 0 else 1
        low, high = _find_bound(schema, "minimum"), _find_bound(schema, "maximum")
        above, below = _find_bound(schema, "exclusiveMinimum"), _find_bound(schema, "exclusiveMaximum")
        low = math.floor(above) + 1 if above is not None else low
        high = math.ceil(below) - 1 if below is not None else high
        if low is not None:
            return math.ceil(low / step) * step
        return 0 if high is None else min(0, math.floor(high / step) * step)

    def _make_number(self, schema: dict[str, Any], depth: int) -> float:
        low = _find_bound(schema, "exclusiveMinimum", "minimum")
        high = _find_bound(schema, "exclusiveMaximum", "maximum")
        if low is None and high is None:
            return 0.0
        low = low if low is not None else (high or 0.0) - 1
        high = high if high is not None else low + 1
        return low / 2 + high / 2

    def _make_boolean(self, schema: dict[str, Any], depth: int) -> bool:
        return True


_MAKERS = {
    "object": JsonFabricator._make_object,
    "array": JsonFabricator._make_array,
    "string": JsonFabricator._make_string,
    "integer": JsonFabricator._make_integer,
    "number": JsonFabricator._make_number,
    "boolean": JsonFabricator._make_boolean,
}


def _infer_type(schema: dict[str, Any]) -> str:
    named = schema.get("type")
    if isinstance(named, list) and named:
        named = named[0]
    if isinstance(named, str):
        return named
    return "array" if "items" in schema else "object" if schema.get("properties") or not schema else "string"


def _merge_schemas(parts: list[dict[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for part in parts:
        for key, value in part.items():
            if key == "properties" and isinstance(value, dict) and isinstance(merged.get(key), dict):
                merged[key] = {**merged[key], **value}
            elif key == "required" and isinstance(value, list) and isinstance(merged.get(key), list):
                merged[key] = merged[key] + value
            else:
                merged[key] = value
    return merged


def _clamp_length(value: Any, default: int) -> int:
    return max(0, min(value, _MAX_LENGTH)) if isinstance(value, int) else default


def _find_bound(schema: dict[str, Any], *keys: str) -> float | None:
    for key in keys:
        value = schema.get(key)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < _MAX_BOUND:
            return value
    return None
