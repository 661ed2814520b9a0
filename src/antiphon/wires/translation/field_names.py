"""The caller's own names of fields: codecs use neutral names, and reports and errors use those of the caller's wire.

A wire's table maps a neutral name to the places where its callers may write the field. All places that the caller's
document has are named, or the first place if it has none. A name that is not in the table is the caller's own.
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from antiphon.errors import BadRequest

FieldNames: TypeAlias = Mapping[str, tuple[str, ...]]


def to_caller_names(names: Iterable[str], field_names: FieldNames, document: dict[str, Any]) -> tuple[str, ...]:
    """Return neutral names as the caller of a wire writes them, without repetition, in order."""
    return tuple(dict.fromkeys(own for name in names for own in _list_caller_names(name, field_names, document)))


def rename_error_field(error: BadRequest, field_names: FieldNames, document: dict[str, Any]) -> BadRequest:
    """Return an error about a neutral field as an error about the caller's own field."""
    if error.param is None or error.param not in field_names:
        return error
    own = _list_caller_names(error.param, field_names, document)[0]
    return BadRequest(error.message.replace(f"`{error.param}`", f"`{own}`"), code=error.code, param=own)


def _list_caller_names(name: str, field_names: FieldNames, document: dict[str, Any]) -> list[str]:
    head, rest = name, ""
    while head and head not in field_names:
        head, _, last = head.rpartition(".")
        rest = f".{last}{rest}"
    if not head:
        return [name]
    places = field_names[head]
    present = [place for place in places if _is_present(place, document)] or [places[0]]
    return [place + rest for place in present]


def _is_present(place: str, document: Any) -> bool:
    for name in place.split("."):
        if type(document) is not dict or name not in document:
            return False
        document = document[name]
    return True
