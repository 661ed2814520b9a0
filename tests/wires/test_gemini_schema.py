"""Schemas between JSON Schema and the Gemini wire's own dialect: what is taken, changed, and refused by its path."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.errors import BadRequest
from antiphon.wires.gemini.json_schema import read_schema, write_schema

TREE = {
    "type": "object",
    "properties": {"children": {"type": "array", "items": {"$ref": "#"}}, "name": {"const": "x"}},
    "required": ["children", "name"],
}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string", "minLength": 2}, None),
        ({"$defs": {"a": {"type": "string"}}, "anyOf": [{"$ref": "#/$defs/a"}, {"type": "null"}]}, None),
        ({"type": "object", "additionalProperties": False, "properties": {"a": True}}, None),
        ({"const": "a"}, {"enum": ["a"]}),
        ({"const": None}, None),
        (
            {"$defs": {"a~b/c": {}}, "items": {"$ref": "#/$defs/a~0b~1c", "description": "why"}},
            {"$defs": {"a~b/c": {}}, "items": {"anyOf": [{"$ref": "#/$defs/a~0b~1c"}], "description": "why"}},
        ),
        (TREE, {**TREE, "properties": {**TREE["properties"], "name": {"enum": ["x"]}}}),  # type: ignore[dict-item]
    ],
)
def test_written_schemas(schema: dict[str, Any], expected: dict[str, Any] | None) -> None:
    assert write_schema(schema, "s") == (schema if expected is None else expected)


NODE = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}, "required": ["next"]}


@pytest.mark.parametrize(
    ("schema", "param"),
    [
        ({"properties": {"a": {"$ref": "https://example.com/s"}}}, "s.properties.a.$ref"),
        ({"items": {"$ref": "#/$defs/missing"}}, "s.items.$ref"),
        ({"items": {"$ref": 3}}, "s.items.$ref"),
        ({"$defs": {"node": NODE}, "anyOf": [{"$ref": "#/$defs/node"}]}, "s.$defs.node.properties.next.$ref"),
        (
            {"$defs": {"a": {"allOf": [{"$ref": "#/$defs/b"}]}, "b": {"anyOf": [{"$ref": "#/$defs/a"}]}}},
            "s.$defs.a.allOf[0].$ref",
        ),
        (
            {"$defs": {"l": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/l"}}}},
            "s.$defs.l.items.$ref",
        ),
    ],
)
def test_unsupported_schemas_are_refused_with_their_path(schema: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        write_schema(schema, "s")
    assert caught.value.param == param
    assert param in caught.value.message


def test_a_recursive_schema_with_an_end_is_accepted() -> None:
    either = {
        "$defs": {"node": {**NODE, "properties": {"next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}}}}
    }
    assert write_schema(either, "s") == either


def test_the_schema_of_a_tool_is_an_object() -> None:
    assert write_schema({"description": "none"}, "s", is_object=True) == {"description": "none", "type": "object"}
    for wrong in ({"type": "string"}, {"anyOf": [{"type": "object"}]}, {"type": ["object", "null"]}):
        with pytest.raises(BadRequest, match="must describe an object"):
            write_schema(wrong, "s", is_object=True)
    with pytest.raises(BadRequest, match="JSON Schema object"):
        write_schema([], "s")


def test_depth_is_bounded_both_ways() -> None:
    deep: dict[str, Any] = {}
    for _ in range(150):
        deep = {"items": deep}
    for turn in (write_schema, read_schema):
        with pytest.raises(BadRequest):
            turn(deep, "s")


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "STRING", "nullable": True, "enum": ["a"]}, {"type": ["string", "null"], "enum": ["a", None]}),
        ({"anyOf": [{"type": "INTEGER"}], "nullable": True}, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        ({"$ref": "#/$defs/a", "nullable": True}, {"anyOf": [{"$ref": "#/$defs/a"}, {"type": "null"}]}),
        (
            {"type": "ARRAY", "minItems": "1", "maxItems": 3, "items": {"type": "NUMBER"}},
            {"type": "array", "minItems": 1, "maxItems": 3, "items": {"type": "number"}},
        ),
        ({"type": "TYPE_UNSPECIFIED", "example": 3}, {"examples": [3]}),
        (
            {"ref": "#/defs/a", "defs": {"a": {"type": "BOOLEAN"}}},
            {"$ref": "#/$defs/a", "$defs": {"a": {"type": "boolean"}}},
        ),
        ({"type": ["STRING", "NULL"], "format": "date"}, {"type": ["string", "null"], "format": "date"}),
    ],
)
def test_the_dialect_of_the_wire_is_read(schema: dict[str, Any], expected: dict[str, Any]) -> None:
    assert read_schema(schema, "s") == expected


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["#", "#/$defs/a", "object", "array", "STRING"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["type", "properties", "required", "items", "anyOf", "allOf", "$ref", "$defs", "a", "minItems",
                         "enum", "const", "nullable", "additionalProperties", "default"]), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(VALUES)
def test_no_schema_crashes(schema: Any) -> None:
    for turn in (write_schema, read_schema):
        try:
            assert isinstance(turn(schema, "s"), dict)
        except BadRequest as error:
            assert error.param
