"""A request with any wrong value at any place is written for every target, or refused with a clean error.

``full_requests.json`` has a request of each wire with nearly all of its fields.
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


def list_places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if at:
        yield at
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from list_places(value[key], (*at, key))


def replace_at(document: Any, at: tuple[Any, ...], *other: Any) -> Any:
    """Return a copy with another value at a place, or without the value."""
    document = copy.deepcopy(document)
    holder = document
    for key in at[:-1]:
        holder = holder[key]
    if other:
        holder[at[-1]] = other[0]
    else:
        del holder[at[-1]]
    return document


def translate(caller: str, provider: str, document: Any) -> bytes:
    has_model = caller not in IN_PATH
    wire = get_wire(caller)
    envelope = wire.peek(json.dumps(document).encode(), "" if has_model else "m", None if has_model else False)
    wire.count_input_bytes(envelope)
    request = get_codec(caller).read_request(envelope.document, envelope.model, envelope.stream)
    target = Target("p/m", "p", "m", "k", provider, Origin("http", "x", 1), {provider: "/"})
    return get_codec(provider).write_request(request, target).body


@pytest.mark.parametrize(("caller", "provider"), list(itertools.permutations(FULL, 2)))
def test_a_wrong_value_anywhere_is_written_or_refused(caller: str, provider: str) -> None:
    full = FULL[caller]
    assert json.loads(translate(caller, provider, full))
    for at in list_places(full):
        for document in (replace_at(full, at), *(replace_at(full, at, other) for other in ODD)):
            try:
                json.loads(translate(caller, provider, document))
            except (BadRequest, OverflowError):  # the pipeline answers the second with a refusal too
                continue
