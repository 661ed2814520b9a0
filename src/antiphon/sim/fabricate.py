"""JSON that satisfies a JSON Schema, made up: for structured output and for the arguments of forced tool calls.

What belongs here: the parts of JSON Schema that structured output allows. ``pattern``, conditionals and other
keywords are not read.
"""

import math
from typing import Any

import msgspec

_NODES = 2000
_DEPTH = 12
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


class Fabric:
    """Fabricates one value; strings are made of ``text`` where the schema leaves them free.

    A recursive schema is followed only so far, and then given the least it allows.
    """

    def __init__(self, schema: Any, text: str) -> None:
        self._root = schema
        self._text = text
        self._nodes = 0

    def value(self) -> Any:
        """Return the value; ``None`` where nothing can be made of the schema."""
        return self._any(self._root, 0)

    def _any(self, schema: Any, depth: int) -> Any:
        self._nodes += 1
        schema = self._resolve(schema)
        if depth > 4 * _DEPTH or self._nodes > 4 * _NODES:
            return None
        if "const" in schema:
            return schema["const"]
        if isinstance(schema.get("enum"), list) and schema["enum"]:
            return schema["enum"][0]
        for key in ("anyOf", "oneOf"):
            if isinstance(schema.get(key), list) and schema[key]:
                return self._any(self._choice(schema[key], depth), depth + 1)
        return _MAKERS.get(_type(schema), Fabric._null)(self, schema, depth)

    def _resolve(self, schema: Any, nested: int = 0) -> dict[str, Any]:
        for _ in range(16):
            if not isinstance(schema, dict):
                return {}
            reference = schema.get("$ref")
            if not isinstance(reference, str) or not reference.startswith("#"):
                break
            schema = self._pointed(reference)
        parts = schema.get("allOf") if isinstance(schema, dict) else None
        if not isinstance(parts, list) or not parts or nested > _DEPTH or self._nodes > _NODES:
            return schema if isinstance(schema, dict) else {}
        self._nodes += len(parts)
        own = {key: value for key, value in schema.items() if key != "allOf"}
        return _merged([own, *[self._resolve(part, nested + 1) for part in parts]])

    def _pointed(self, reference: str) -> Any:
        found = self._root
        for step in reference.split("/")[1:]:
            found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
        return found

    def _least(self, depth: int) -> bool:
        return depth > _DEPTH or self._nodes > _NODES

    def _choice(self, options: list[Any], depth: int) -> Any:
        if self._least(depth):
            for option in options:
                if isinstance(option, dict) and option.get("type") == "null":
                    return option
        return options[0]

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        properties = schema.get("properties")
        if not isinstance(properties, dict):
            return {}
        required = schema.get("required")
        if self._least(depth):
            properties = {
                name: properties[name] for name in properties if isinstance(required, list) and name in required
            }
        return {name: self._any(part, depth + 1) for name, part in properties.items()}

    def _array(self, schema: dict[str, Any], depth: int) -> list[Any]:
        least = _bounded(schema.get("minItems"), 0)
        size = least if self._least(depth) else max(least, min(1, _bounded(schema.get("maxItems"), 1)))
        given = schema.get("prefixItems")
        prefix = given if isinstance(given, list) else []
        size = max(size, len(prefix))
        return [self._any(part, depth + 1) for part in [*prefix, *[schema.get("items")] * (size - len(prefix))]]

    def _string(self, schema: dict[str, Any], depth: int) -> str:
        form = schema.get("format")
        if isinstance(form, str) and form in _FORMATS:
            return _FORMATS[form]
        least = _bounded(schema.get("minLength"), 0)
        return self._text[: _bounded(schema.get("maxLength"), 1000)].ljust(least, ".")

    def _integer(self, schema: dict[str, Any], depth: int) -> int:
        given = schema.get("multipleOf")
        step = given if isinstance(given, int) and given > 0 else 1
        low, high = _first(schema, "minimum"), _first(schema, "maximum")
        above, below = _first(schema, "exclusiveMinimum"), _first(schema, "exclusiveMaximum")
        low = math.floor(above) + 1 if above is not None else low
        high = math.ceil(below) - 1 if below is not None else high
        if low is not None:
            return math.ceil(low / step) * step
        return 0 if high is None else min(0, math.floor(high / step) * step)

    def _number(self, schema: dict[str, Any], depth: int) -> float:
        low, high = _first(schema, "exclusiveMinimum", "minimum"), _first(schema, "exclusiveMaximum", "maximum")
        if low is None and high is None:
            return 0.0
        low = low if low is not None else (high or 0.0) - 1
        high = high if high is not None else low + 1
        return low / 2 + high / 2

    def _boolean(self, schema: dict[str, Any], depth: int) -> bool:
        return True

    def _null(self, schema: dict[str, Any], depth: int) -> None:
        return None


_MAKERS = {
    "object": Fabric._object,
    "array": Fabric._array,
    "string": Fabric._string,
    "integer": Fabric._integer,
    "number": Fabric._number,
    "boolean": Fabric._boolean,
}


def _type(schema: dict[str, Any]) -> str:
    named = schema.get("type")
    if isinstance(named, list) and named:
        named = named[0]
    if isinstance(named, str):
        return named
    return "array" if "items" in schema else "object" if schema.get("properties") or not schema else "string"


def _merged(parts: list[dict[str, Any]]) -> dict[str, Any]:
    whole: dict[str, Any] = {}
    for part in parts:
        for key, value in part.items():
            if key == "properties" and isinstance(value, dict) and isinstance(whole.get(key), dict):
                whole[key] = {**whole[key], **value}
            elif key == "required" and isinstance(value, list) and isinstance(whole.get(key), list):
                whole[key] = whole[key] + value
            else:
                whole[key] = value
    return whole


def _bounded(value: Any, default: int) -> int:
    return max(0, min(value, 1000)) if isinstance(value, int) else default


def _first(schema: dict[str, Any], *keys: str) -> float | None:
    for key in keys:
        value = schema.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15:
            return value
    return None


def fabricated(schema: Any, text: str) -> str:
    """Return JSON text that satisfies ``schema`` as far as its keywords are read here."""
    return msgspec.json.encode(Fabric(schema, text).value()).decode()
