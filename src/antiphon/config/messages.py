"""Messages for pydantic's errors: what was expected and what was found, never a secret."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel

from antiphon.config.document import Path, hint_at_nearest


def explain_error(error: Any, model: type[BaseModel]) -> tuple[str, str]:
    """Return the problem and hint for one of pydantic's errors, whose location is below ``model``."""
    kind, value = error["type"], error["input"]
    if kind == "extra_forbidden":
        names = _list_keys(model, error["loc"][:-1])
        hint = hint_at_nearest(str(error["loc"][-1]), names)
        return "unknown key", hint or f"known here: {', '.join(sorted(names))}"
    if kind == "missing":
        return "is missing", ""
    if kind == "literal_error":
        expected = error["ctx"]["expected"].replace("'", "")
        hint = hint_at_nearest(value, expected.replace(" or ", ", ").split(", ")) if isinstance(value, str) else ""
        shown = f"`{value}`" if isinstance(value, (str, int)) else name_type(value)
        return f"expected {expected}, found {shown}", hint
    if kind == "value_error":
        return str(error["ctx"]["error"]), ""
    write = _MESSAGES.get(kind)
    return write(error.get("ctx", {}), name_type(value)) if write else error["msg"], ""


def _list_keys(model: type[BaseModel], path: Path) -> set[str]:
    """Return the keys that are known at ``path`` below ``model``."""
    for part in path:
        if isinstance(part, str) and (field := model.model_fields.get(part)) is not None:
            model = next(_find_models(field.annotation), model)
    return set(model.model_fields)


def _find_models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _find_models(argument)


_TYPES: Mapping[type, str] = {
    bool: "true or false",
    dict: "a mapping",
    list: "a list",
    type(None): "nothing",
}


def name_type(value: Any) -> str:
    """Name the type of ``value``, never the value: it may be a secret."""
    for kind, name in _TYPES.items():
        if isinstance(value, kind):
            return name
    return "text" if isinstance(value, str) else "a number"


def _expect(expected: str) -> Callable[[Mapping[str, Any], str], str]:
    return lambda _, found: f"expected {expected}, found {found}"


_MESSAGES: Mapping[str, Callable[[Mapping[str, Any], str], str]] = {
    "string_type": _expect("text"),
    "int_type": _expect("a whole number"),
    "int_from_float": _expect("a whole number"),
    "float_type": _expect("a number"),
    "bool_type": _expect("true or false"),
    "dict_type": _expect("a mapping"),
    "model_type": _expect("a mapping"),
    "list_type": _expect("a list"),
    "greater_than": lambda ctx, _: f"must be more than {ctx['gt']:g}",
    "greater_than_equal": lambda ctx, _: f"must be at least {ctx['ge']:g}",
    "less_than_equal": lambda ctx, _: f"must be at most {ctx['le']:g}",
    "string_too_short": lambda _, __: "is empty",
    "string_too_long": lambda ctx, _: f"is longer than {ctx['max_length']} characters",
    "too_short": lambda _, found: "is empty" if found == "text" else "is empty; it needs at least one entry",
    "too_long": lambda ctx, found: (
        f"has more than {ctx['max_length']} {'characters' if found == 'text' else 'entries'}"
    ),
}
"""Type of pydantic's error to a function that writes the message from its context and the type that was found."""
