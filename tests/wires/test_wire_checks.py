"""The checks that every wire shares, and the defaults of a wire."""

import msgspec
import pytest

from antiphon.errors import BadRequest
from antiphon.wires.base import BaseWire
from antiphon.wires.checks import check_model_name, make_bad_request_from, quote_body
from antiphon.wires.json_text import encode_json, encode_json_text
from antiphon.wires.table import get_wire
from antiphon.wires.wire import Envelope


class _Item(msgspec.Struct):
    name: str


class _Body(msgspec.Struct):
    items: list[_Item]
    size: int = 0

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ValueError("`size` must be at least 0")


@pytest.mark.parametrize(
    ("body", "path", "message", "param"),
    [
        (b"{}", "", "`items` is missing; this request needs it.", "items"),
        (b'{"items":[{}]}', "", "`items[0].name` is missing; this request needs it.", "items[0].name"),
        (b'{"items":1}', "", "`items` has the wrong type: expected `array`, got `int`.", "items"),
        (b'{"items":[],"size":"a"}', "x", "`x.size` has the wrong type: expected `int`, got `str`.", "x.size"),
        (b"{}", "tools[2]", "`tools[2].items` is missing; this request needs it.", "tools[2].items"),
        (b"[]", "", "The body has the wrong shape: expected `object`, got `array`.", None),
        (b"[]", "tools[2]", "`tools[2]` has the wrong type: expected `object`, got `array`.", "tools[2]"),
        (b'{"items":[],"size":-1}', "", "`size` must be at least 0.", "size"),
    ],
)
def test_a_wrong_type_becomes_an_error_that_names_the_field(
    body: bytes, path: str, message: str, param: str | None
) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(body, type=_Body)
    error = make_bad_request_from(str(caught.value), path)
    assert (error.message, error.param) == (message, param)


@pytest.mark.parametrize("name", ["", "a" * 257, "a\nb"])
def test_a_model_name_that_cannot_be_one_is_refused(name: str) -> None:
    with pytest.raises(BadRequest, match="`model` must be a name of 1 to 256 printable characters") as caught:
        check_model_name(name)
    assert caught.value.param == "model"


def test_a_wire_sets_its_own_limit_and_place_for_a_model_name() -> None:
    check_model_name("a" * 2048, 2048)
    with pytest.raises(BadRequest, match="The path must be a name of 1 to 2048") as caught:
        check_model_name("a" * 2049, 2048, place="The path", param="modelId")
    assert caught.value.param == "modelId"


def test_only_the_beginning_of_a_body_is_quoted() -> None:
    assert quote_body(b"abc\xff") == "'abc\ufffd'"
    assert quote_body(b"a" * 201) == repr("a" * 200) + "…"


def test_integers_of_any_size_are_encoded() -> None:
    assert encode_json({"a": [2**64, -1, "é"]}) == '{"a":[18446744073709551616,-1,"é"]}'.encode()
    assert encode_json_text({"a": 1}) == '{"a":1}'


@pytest.mark.parametrize("operation", ["gemini_embed", "gemini_embed_batch", "gemini_count_tokens"])
def test_a_wire_that_does_not_stream_refuses_to(operation: str) -> None:
    wire = get_wire(operation)
    assert isinstance(wire, BaseWire)
    with pytest.raises(NotImplementedError, match=f"{operation} does not stream"):
        wire.start_stream(Envelope("m", True, True, 1, {}), False)


def test_large_integers_are_encoded_beside_json_that_is_ready() -> None:
    value = {"ready": msgspec.Raw(b'{"a": 1}'), "struct": _Item("x"), "sizes": (2**64, -(2**63) - 1)}
    expected = b'{"ready":{"a": 1},"struct":{"name":"x"},"sizes":[18446744073709551616,-9223372036854775809]}'
    assert encode_json(value) == expected
    assert encode_json({"body": _Body([], 2**70)}) == b'{"body":{"items":[],"size":1180591620717411303424}}'
