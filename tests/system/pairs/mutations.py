"""Documents that are nearly valid: a valid one with a few random changes."""

import copy
from typing import Any

from hypothesis import strategies as st

WORDS = (
    "type", "text", "role", "user", "assistant", "system", "tool", "model", "function", "image_url", "input_image",
    "input_file", "tool_use", "tool_result", "thinking", "redacted_thinking", "document", "file", "custom",
    "function_call", "reasoning", "message", "item_reference", "json_schema", "json_object", "any", "none", "required",
    "get_weather", "call_1", "$ref", "anyOf", "object", "array", "string", "#", "#/properties/city",
    "data:image/png;base64,AAAA", "data:;base64,%", "https://h/a.png", "http://", "{", "{}", "[]", "{\"a\": NaN}",
    "STOP", "stop", "length", "end_turn", "refusal", "error", "ephemeral", "1h", "auto", "AUTO", "text/plain", "\u2028",
)  # fmt: skip
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, -1, 1, 7, 10**9, 2**31, 2**53 + 1, 2**63, -(2**63) - 1, 2**64, 10**30]),
    st.sampled_from([0.5, -0.0, 1e308, 1e-320]),
    st.sampled_from(WORDS),
    st.text(st.characters(codec="utf-8"), max_size=5),
    st.sampled_from([[], {}, [None], [[]], [{}], {"": None}, {"type": None}, {"type": "text"}, ["a", 1], [[[[]]]]]),
)


def list_places(value: Any) -> list[tuple[Any, Any]]:
    """Return every (container, key) within a value."""
    inner: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inner = [(value, key) for key in value]
    elif isinstance(value, list):
        inner = [(value, number) for number in range(len(value))]
    return inner + [place for container, key in inner for place in list_places(container[key])]


@st.composite
def draw_mutation(draw: st.DrawFn, document: Any, most: int = 3) -> Any:
    """Draw a copy of a document with up to ``most`` members replaced, removed, doubled, renamed or swapped."""
    document = copy.deepcopy(document)
    for _ in range(draw(st.integers(0, most))):
        found = list_places(document)
        if not found:
            break
        container, key = draw(st.sampled_from(found))
        match draw(st.sampled_from(["replace", "replace", "replace", "remove", "double", "wrap", "swap", "add"])):
            case "replace":
                container[key] = copy.deepcopy(draw(ODD))
            case "remove":
                del container[key]
            case "double" if isinstance(container, list):
                container.insert(key, copy.deepcopy(container[key]))
            case "wrap":
                container[key] = [container[key]]
            case "swap":
                other, at = draw(st.sampled_from(found))
                container[key] = copy.deepcopy(other[at])
            case _ if isinstance(container, dict):
                container[draw(st.sampled_from([*map(str, container), *WORDS]))] = copy.deepcopy(draw(ODD))
    return document
