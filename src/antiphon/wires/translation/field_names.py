"""The caller's own names for what a target cannot take: codecs say them in neutral words, each wire in its own.

A wire's table maps a neutral name to the places where its callers may have said it; what stands in the caller's
document is named, all of it, and the first place where none does. A name that is not in the table is the caller's own.
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from antiphon.errors import BadRequest

FieldNames: TypeAlias = Mapping[str, tuple[str, ...]]


def to_caller_names(names: Iterable[str], spellings: FieldNames, document: dict[str, Any]) -> tuple[str, ...]:
    """Return names as the caller of a wire would write them, each once, in order."""
    return tuple(dict.fromkeys(own for name in names for own in _list_caller_names(name, spellings, document)))


def rename_error_field(error: BadRequest, spellings: FieldNames, document: dict[str, Any]) -> BadRequest:
    """Return an error about a field under the caller's own name of it."""
    if error.param is None or error.param not in spellings:
        return error
    own = _list_caller_names(error.param, spellings, document)[0]
    return BadRequest(error.message.replace(f"`{error.param}`", f"`{own}`"), code=error.code, param=own)


def _list_caller_names(name: str, spellings: FieldNames, document: dict[str, Any]) -> list[str]:
    head, rest = name, ""
    while head and head not in spellings:
        head, _, last = head.rpartition(".")
        rest = f".{last}{rest}"
    if not head:
        return [name]
    places = spellings[head]
    said = [place for place in places if _is_present(place, document)] or [places[0]]
    return [place + rest for place in said]


def _is_present(place: str, document: Any) -> bool:
    for name in place.split("."):
        if type(document) is not dict or name not in document:
            return False
        document = document[name]
    return True
