"""What pydantic found, in the words of the configuration: what was expected, what was found, never a secret."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel

from antiphon.config.document import Path, nearest


def explain(error: Any, model: type[BaseModel]) -> tuple[str, str]:
    """Return problem and hint of one of pydantic's errors, whose place is below ``model``."""
    kind, given = error["type"], error["input"]
    if kind == "extra_forbidden":
        names = _fields(model, error["loc"][:-1])
        return "unknown key", nearest(str(error["loc"][-1]), names) or f"known here: {', '.join(sorted(names))}"
    if kind == "missing":
        return "is missing", ""
    if kind == "literal_error":
        words = error["ctx"]["expected"].replace("'", "")
        near = nearest(given, words.replace(" or ", ", ").split(", ")) if isinstance(given, str) else ""
        shown = f"`{given}`" if isinstance(given, (str, int)) else found(given)
        return f"expected {words}, found {shown}", near
    if kind == "value_error":
        return str(error["ctx"]["error"]), ""
    message = _MESSAGES.get(kind)
    return message(error.get("ctx", {}), found(given)) if message else error["msg"], ""


def _fields(model: type[BaseModel], path: Path) -> set[str]:
    """Return the keys that are known at ``path`` below ``model``."""
    for part in path:
        if isinstance(part, str) and (field := model.model_fields.get(part)) is not None:
            model = next(_models(field.annotation), model)
    return set(model.model_fields)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


_TYPES: Mapping[type, str] = {
    bool: "true or false",
    dict: "a mapping",
    list: "a list",
    type(None): "nothing",
}


def found(value: Any) -> str:
    """Name the type of ``value``, never the value: it may be a secret."""
    for kind, name in _TYPES.items():
        if isinstance(value, kind):
            return name
    return "text" if isinstance(value, str) else "a number"


def _wanted(what: str) -> Callable[[Mapping[str, Any], str], str]:
    return lambda _, found: f"expected {what}, found {found}"


_MESSAGES: Mapping[str, Callable[[Mapping[str, Any], str], str]] = {
    "string_type": _wanted("text"),
    "int_type": _wanted("a whole number"),
    "int_from_float": _wanted("a whole number"),
    "float_type": _wanted("a number"),
    "bool_type": _wanted("true or false"),
    "dict_type": _wanted("a mapping"),
    "model_type": _wanted("a mapping"),
    "list_type": _wanted("a list"),
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
