"""The JSON Schemas that Claude and Converse enforce."""

from typing import Any

import pytest

from antiphon.wires.translation.json_schema import fit_schema

OPEN = {"type": "object", "properties": {"a": {"type": "string"}}}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {}, "additionalProperties": False},
        {"type": "array", "items": {"type": ["string", "null"]}, "minItems": 1},
        {"anyOf": [{"type": "string", "format": "date"}, {"enum": ["a", 1, None]}, {"const": True}]},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"type": "number"}}},
        {
            "type": "object",
            "properties": {"a": {"$ref": "#/$defs/x"}, "b": {"$ref": "#/$defs/x"}},
            "additionalProperties": False,
            "$defs": {"x": {"type": "string", "pattern": "^a", "default": "a", "title": "X"}},
        },
    ],
)
def test_a_schema_that_fits_stays_unchanged(schema: dict[str, Any]) -> None:
    fitted = fit_schema(schema)
    assert fitted is not None
    assert (fitted.schema, fitted.unenforced) == (schema, ())


def test_objects_are_closed_at_every_depth() -> None:
    fitted = fit_schema({"type": "array", "items": {"anyOf": [OPEN, {"type": ["object", "null"]}]}})
    assert fitted is not None
    assert [part["additionalProperties"] for part in fitted.schema["items"]["anyOf"]] == [False, False]


def test_limits_go_into_the_description() -> None:
    fitted = fit_schema(
        {
            "type": "array",
            "minItems": 2,
            "maxItems": 3,
            "items": {"type": "string", "maxLength": 5, "format": "colour", "description": "A name."},
        }
    )
    assert fitted is not None
    assert fitted.schema == {
        "type": "array",
        "description": "minItems: 2, maxItems: 3",
        "items": {"type": "string", "description": 'A name. (maxLength: 5, format: "colour")'},
    }
    assert fitted.unenforced == ("minItems", "maxItems", "maxLength", "format")


def test_one_of_becomes_any_of() -> None:
    fitted = fit_schema({"oneOf": [{"type": "string"}, {"type": "number"}]})
    assert fitted is not None
    assert fitted.schema == {"anyOf": [{"type": "string"}, {"type": "number"}]}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "additionalProperties": True},
        {"type": "object", "additionalProperties": {"type": "string"}},
        {"additionalProperties": True},
        {"not": {"type": "string"}},
        {"type": "array", "prefixItems": []},
        {"type": "array", "items": True},
        {"type": "object", "properties": {"a": True}},
        {"type": "object", "properties": []},
        {"anyOf": {}},
        {"enum": [{"a": 1}]},
        {"enum": "a"},
        {"$ref": "https://x/schema.json"},
        {"$ref": "#"},
        {"$ref": 5},
        {"$ref": ""},
        {
            "$ref": "#/$defs/a",
            "$defs": {"a": {"items": {"$ref": "#/$defs/b"}}, "b": {"allOf": [{"$ref": "#/$defs/a"}]}},
        },
        {"type": "object", "properties": {"child": {"$ref": "#"}}},
        {"$defs": []},
    ],
)
def test_schemas_without_a_counterpart(schema: dict[str, Any]) -> None:
    assert fit_schema(schema) is None
