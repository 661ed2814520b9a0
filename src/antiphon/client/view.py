"""Attribute access to a decoded JSON object, so that every field is reachable, known or not."""

from collections.abc import Iterator
from typing import Any, ClassVar, Self

import msgspec

_encode = msgspec.json.encode


class View:
    """One JSON object. Read it by attribute or by key; it compares by value and can be sent again without loss.

    A declared field (an annotation of the subclass) that the object does not have is ``None``, as in OpenAI's own
    models; any other name raises ``AttributeError``. Inner objects are views, and lists of objects are lists of views.
    """

    __slots__ = ("_data",)
    __hash__ = None  # type: ignore[assignment]

    _data: dict[str, Any]
    _declared: ClassVar[frozenset[str]] = frozenset()
    _nested: ClassVar[dict[str, "type[View]"]] = {}

    def __init_subclass__(cls) -> None:
        fields = (name for name in cls.__annotations__ if not name.startswith("_"))
        cls._declared = cls._declared.union(fields)

    def __new__(cls, data: dict[str, Any] | None = None, *_: Any) -> Self:
        view = object.__new__(cls)
        if data is not None:
            view._data = data
        return view

    def __getattr__(self, name: str) -> Any:
        # Python calls this only for names that are no slot and no property.
        if name[:1] == "_":
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError:
            if name in self._declared:
                return None
        known = ", ".join(sorted(self._data)) or "none"
        raise AttributeError(f"{type(self).__name__} has no field {name!r}; its fields are: {known}")

    def __getitem__(self, name: str) -> Any:
        value = self._data[name]
        kind = type(value)
        if kind is dict:
            return self._nested.get(name, View)(value)
        if kind is list and value and type(value[0]) is dict:
            inner = self._nested.get(name, View)
            return [inner(item) if type(item) is dict else item for item in value]
        return value

    def __contains__(self, name: object) -> bool:
        return name in self._data

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        return self._data == other._data if isinstance(other, View) else NotImplemented

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self._data.items())})"

    def keys(self) -> Iterator[str]:
        """Return the names of the fields of the object, so that ``dict(view)`` and ``**view`` work."""
        return iter(self._data)

    def get(self, name: str, default: Any = None) -> Any:
        """Return a field, or ``default`` if the object does not have it."""
        return self[name] if name in self._data else default

    def json(self) -> dict[str, Any]:
        """Return the decoded object itself, with every field that the provider sent; do not change it."""
        return self._data

    def model_dump(self, *, exclude_none: bool = False) -> dict[str, Any]:
        """Return the object as plain dicts and lists, named as in OpenAI's models; a copy."""
        plain: dict[str, Any] = _copy(self._data, exclude_none)
        return plain

    def model_dump_json(self, *, indent: int | None = None) -> str:
        """Return the object as JSON text, named as in OpenAI's models."""
        text = _encode(self._data)
        return (msgspec.json.format(text, indent=indent) if indent else text).decode()


def _copy(value: Any, exclude_none: bool) -> Any:
    if type(value) is dict:
        return {key: _copy(inner, exclude_none) for key, inner in value.items() if not (exclude_none and inner is None)}
    return [_copy(item, exclude_none) for item in value] if type(value) is list else value
