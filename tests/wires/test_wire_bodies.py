"""Strict checks and exact changes of bodies, compared with a full parse by Python's JSON reader."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.errors import BadRequest
from antiphon.wires import body as bodies

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
KEYS = st.one_of(TEXT, st.sampled_from(["model", "stream_options", 'quo"te', 'a":', "back\\", '\\":', "mod\u0065l"]))
NUMBERS = st.one_of(st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXT, st.sampled_from(['":', '{"model":"x"}', "\\", 'x\\":'])),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)


class Pairs(list[tuple[str, Any]]):
    """The members of an object as they were written, with duplicates."""


@st.composite
def draw_json(draw: st.DrawFn, value: Any) -> str:
    """Draw one of the legal ways to write a value: with spaces, with escapes, with duplicates as :class:`Pairs`."""
    space = draw(st.sampled_from(["", "", " ", "\n\t "]))
    if isinstance(value, dict):
        value = Pairs(value.items())
    if isinstance(value, Pairs):
        members = [
            f"{space}{draw(draw_string(key))}{space}:{space}{draw(draw_json(item))}{space}" for key, item in value
        ]
        return "{" + ",".join(members) + space + "}"
    if isinstance(value, list):
        return "[" + ",".join(f"{space}{draw(draw_json(item))}{space}" for item in value) + "]"
    return draw(draw_string(value)) if isinstance(value, str) else json.dumps(value)


@st.composite
def draw_string(draw: st.DrawFn, text: str) -> str:
    """Draw one of the legal ways to write a string, with some of its letters escaped."""
    if draw(st.booleans()):
        return json.dumps(text, ensure_ascii=draw(st.booleans()))
    pieces = []
    for letter in text:
        if ord(letter) < 0x10000 and draw(st.booleans()):
            pieces.append(f"\\u{ord(letter):04x}")
        else:
            pieces.append(json.dumps(letter, ensure_ascii=False)[1:-1])
    return '"' + "".join(pieces) + '"'


def parse(body: bytes) -> Any:
    return json.loads(body)


def has_duplicates(body: bytes) -> bool:
    found = []

    def note_duplicates(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found.append(len({key for key, _ in items}) != len(items))
        return dict(items)

    json.loads(body, object_pairs_hook=note_duplicates)
    return any(found)


def convert_integers(value: Any) -> Any:
    """Return a value with integers as floats, because those beyond 64 bits may be read as floats."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return float(value)
    if isinstance(value, list):
        return [convert_integers(item) for item in value]
    if isinstance(value, dict):
        return {key: convert_integers(item) for key, item in value.items()}
    return value


@settings(max_examples=400, deadline=None)
@given(st.data(), st.dictionaries(KEYS, VALUES, max_size=6))
def test_legal_bodies_have_the_value_of_a_full_parse(data: st.DataObject, value: dict[str, Any]) -> None:
    body = data.draw(draw_json(value)).encode()
    assert not has_duplicates(body)
    assert convert_integers(bodies.check(body)) == convert_integers(parse(body))


@settings(max_examples=400, deadline=None)
@given(st.data(), st.dictionaries(KEYS, VALUES, min_size=1, max_size=5), VALUES, st.integers(0, 3))
def test_a_key_written_twice_is_refused_at_any_depth(
    data: st.DataObject, value: dict[str, Any], other: Any, depth: int
) -> None:
    key = data.draw(st.sampled_from(sorted(value)))
    members = Pairs(value.items())
    members.insert(data.draw(st.integers(0, len(members))), (key, other))
    document: Any = members
    for _ in range(depth):
        document = data.draw(st.sampled_from([{"in": document}, {"in": [1, document]}]))
    body = data.draw(draw_json(document)).encode()
    assert has_duplicates(body)
    with pytest.raises(BadRequest, match="twice"):
        bodies.check(body)


@settings(max_examples=300, deadline=None)
@given(st.data(), st.dictionaries(KEYS, VALUES, max_size=5), TEXT)
def test_replacing_a_member_changes_that_member_and_no_other_byte(
    data: st.DataObject, value: dict[str, Any], model: str
) -> None:
    value = {**value, "model": model}
    items = data.draw(st.permutations(list(value.items())))
    if data.draw(st.booleans()):
        items = [("nested", {"model": model, "deeper": [{"model": model}]}), *items]
    items = list(dict(items).items())
    body = data.draw(draw_json(dict(items))).encode()
    changed = bodies.replace(body, "model", b'"the new one"')
    assert parse(changed) == {**parse(body), "model": "the new one"}
    start, end = bodies._find_value(body, "model")
    assert json.loads(body[start:end]) == model
    assert changed == body[:start] + b'"the new one"' + body[end:]


@pytest.mark.parametrize("copies", [1, 2, 3, 50])
@pytest.mark.parametrize("spelling", [b'"model"', b'"mod\\u0065l"', b'"\\u006dodel"'])
def test_the_top_level_member_is_found_among_look_alikes(copies: int, spelling: bytes) -> None:
    nested = b",".join(b'{"model":"gpt"}' for _ in range(copies))
    for body in (
        b'{"messages":[%b],%b :  "gpt","z":[%b]}' % (nested, spelling, nested),
        b'{%b:"gpt","messages":[%b]}' % (spelling, nested),
        b'{"messages":[%b],"model_":"gpt",%b:"gpt"}' % (nested, spelling),
        b'{"text":"\\"model\\":\\"gpt\\"",%b:"gpt"}' % spelling,
    ):
        expected = {**parse(body), "model": "other"}
        assert parse(bodies.replace(body, "model", b'"other"')) == expected


def test_a_ten_megabyte_body_is_spliced_exactly() -> None:
    image = "A" * 10_000_000
    body = json.dumps({"messages": [{"role": "user", "content": image, "model": "m"}], "model": "m"}).encode()
    bodies.check(body)
    changed = bodies.replace(body, "model", b'"n"')
    assert changed == body[: body.rindex(b'"m"')] + b'"n"}'


@pytest.mark.parametrize("body", [b'{"a":1}', b' \n{ "a":1}', b'{"a":{"stream_options":1}}'])
def test_inserting_puts_a_member_first(body: bytes) -> None:
    changed = bodies.insert(body, "stream_options", b'{"include_usage":true}')
    assert parse(changed) == {"stream_options": {"include_usage": True}, **parse(body)}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"[]", "one JSON object"),
        (b'"x"', "one JSON object"),
        (b'{"a":1}{"b":2}', "trailing"),
        (b'{"a":NaN}', "not valid JSON"),
        (b'{"a":-Infinity}', "not valid JSON"),
        (b'{"a":1e999}', "finite"),
        (b'{"a":"\\ud800"}', "not valid JSON"),
        (b'{"a":"\\udc00\\ud800"}', "not valid JSON"),
        (b'{"a":"\xff"}', "not valid JSON"),
        (b'{"\xed\xa0\x80":1}', "not valid JSON"),
        (b'{"a":"\x00"}', "not valid JSON"),
        (b"\xef\xbb\xbf{}", "not valid JSON"),
        (b'{"a":01}', "not valid JSON"),
        (b"{'a':1}", "not valid JSON"),
        (b'{"a":' * 129 + b"1" + b"}" * 129, "deeper"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "deeper"),
        (b'{"a":1,"a" :2}', "twice"),
        (b'{"b\\"":1,"b\\u0022":2}', "twice"),
        (b'{"x":99999999999999999999999999,"y":1,"y":2}', "twice"),
        (b'{"k":1,"k":2,"\\u003a":3}', "twice"),
        (b'{"k":1,"k":2,"v":"\\u003A \\u00e9"}', "twice"),
        (b"{" + b",".join(b'"k%d":1' % i for i in range(100_001)) + b"}", "members"),
        (b'{"a":[' + b"0," * 1_000_001 + b"0]}", "values"),
    ],
    ids=lambda value: value if isinstance(value, str) else repr(value[:20]),
)
def test_illegal_bodies_are_refused_with_a_reason(body: bytes, says: str) -> None:
    with pytest.raises(BadRequest, match=says) as caught:
        bodies.check(body)
    assert caught.value.status == 400


def test_depth_at_the_limit_passes() -> None:
    bodies.check(b'{"a":' * 128 + b"1" + b"}" * 128)
    bodies.check(b'{"a":[' + b"{}," * 5000 + b"{}]}")


def test_long_runs_of_backslashes_take_linear_time() -> None:
    run = b"\\\\" * 200_000
    bodies.check(b'{"a' + run + b'":1}')
    with pytest.raises(BadRequest, match="twice"):
        bodies.check(b'{"a' + run + b'":1,"b":1,"b":2}')
