"""Whatever stands at any place of a request: it is read and written for every target, or refused with a clean error.

``full_requests.json`` has, for each wire, one request with nearly every field that wire knows.
"""

import copy
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from antiphon.errors import BadRequest
from antiphon.types import Origin, Target
from antiphon.wires.table import get_codec, get_wire

FULL = json.loads((Path(__file__).parent / "full_requests.json").read_text(encoding="utf-8"))
IN_PATH = ("generate", "converse")
"""Wires whose requests do not name the model."""
ODD: tuple[Any, ...] = (None, -1, 1.5, "x", True, [5], [{}], {"type": [5]})


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if at:
        yield at
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from places(value[key], (*at, key))


def spoiled(document: Any, at: tuple[Any, ...], *odd: Any) -> Any:
    """Return a copy with something else at a place, or nothing."""
    document = copy.deepcopy(document)
    holder = document
    for key in at[:-1]:
        holder = holder[key]
    if odd:
        holder[at[-1]] = odd[0]
    else:
        del holder[at[-1]]
    return document


def translated(near: str, far: str, document: Any) -> bytes:
    inside = near not in IN_PATH
    wire = get_wire(near)
    envelope = wire.peek(json.dumps(document).encode(), "" if inside else "m", None if inside else False)
    wire.count_input_bytes(envelope)
    request = get_codec(near).read_request(envelope.document, envelope.model, envelope.stream)
    target = Target("p/m", "p", "m", "k", far, Origin("http", "x", 1), {far: "/"})
    return get_codec(far).write_request(request, target).body


@pytest.mark.parametrize(("near", "far"), list(itertools.permutations(FULL, 2)))
def test_one_wrong_value_anywhere(near: str, far: str) -> None:
    full = FULL[near]
    assert json.loads(translated(near, far, full))
    for at in places(full):
        for document in (spoiled(full, at), *(spoiled(full, at, odd) for odd in ODD)):
            try:
                json.loads(translated(near, far, document))
            except (BadRequest, OverflowError):  # the bridge answers the second with a refusal of its own
                continue
