"""The caller's names of fields: codecs use neutral names, and reports and errors use those of the caller's wire.

A wire's table maps a neutral name to the paths at which its callers may write the field. The caller's names are all
paths that its document has, or the first path if it has none. A name that is not in the table is already the caller's.
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from antiphon.errors import BadRequest

FieldNames: TypeAlias = Mapping[str, tuple[str, ...]]


def to_caller_names(names: Iterable[str], field_names: FieldNames, document: dict[str, Any]) -> tuple[str, ...]:
    """Return neutral names as the caller of a wire writes them, without repetition, in order."""
    caller_names = [path for name in names for path in _list_caller_names(name, field_names, document)]
    return tuple(dict.fromkeys(caller_names))


def rename_error_field(error: BadRequest, field_names: FieldNames, document: dict[str, Any]) -> BadRequest:
    """Return an error about a neutral field as an error about the caller's field."""
    if error.param is None or error.param not in field_names:
        return error
    caller_name = _list_caller_names(error.param, field_names, document)[0]
    return BadRequest(error.message.replace(f"`{error.param}`", f"`{caller_name}`"), code=error.code, param=caller_name)


def _list_caller_names(name: str, field_names: FieldNames, document: dict[str, Any]) -> list[str]:
    head, tail = name, ""
    while head and head not in field_names:
        head, _, last = head.rpartition(".")
        tail = f".{last}{tail}"
    if not head:
        return [name]
    paths = field_names[head]
    present = [path for path in paths if _is_present(path, document)] or [paths[0]]
    return [path + tail for path in present]


def _is_present(path: str, document: Any) -> bool:
    for name in path.split("."):
        if type(document) is not dict or name not in document:
            return False
        document = document[name]
    return True
