"""The types of values in ``antiphon.yaml``: text, numbers, sizes, secrets and prices, with their limits."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, TypeAdapter, WithJsonSchema

from antiphon.catalog.prices import parse_dollars, parse_unit_dollars
from antiphon.catalog.settings import GIB, KIB, MIB
from antiphon.config.document import DecimalNumber, VariableText
from antiphon.types import Secret

_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+")
_SIZE = re.compile(r"([0-9]+) ?(KiB|MiB|GiB)")
_UNITS = {"KiB": KIB, "MiB": MIB, "GiB": GIB}


def _read_integer(value: Any) -> Any:
    """Convert text that came from a variable to a whole number."""
    if isinstance(value, VariableText) and re.fullmatch(r"[-+]?[0-9]{1,18}", value):
        return int(value)
    return value


def _read_number(value: Any) -> Any:
    if isinstance(value, VariableText) and re.fullmatch(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)", value):
        return float(value)
    return float(value) if isinstance(value, DecimalNumber) else value


def _read_size(value: Any) -> Any:
    if isinstance(value, str) and (match := _SIZE.fullmatch(value)):
        return int(match[1]) * _UNITS[match[2]]
    size = _read_integer(value)
    if not isinstance(size, int) or isinstance(size, bool):
        raise ValueError("expected a whole number of bytes, or a number with KiB, MiB or GiB, such as `32 MiB`")
    return size


def _read_text(value: Any) -> Any:
    return str(value) if isinstance(value, VariableText) else value


def _read_flag(value: Any) -> Any:
    return {"true": True, "false": False}.get(value, value) if isinstance(value, VariableText) else value


def _read_secret(value: Any) -> Secret:
    if not isinstance(value, str):
        raise ValueError("expected text; put a key that consists of digits in quotes")
    if not value.strip():
        raise ValueError("the secret is empty")
    if value != value.strip() or not value.isascii():
        raise ValueError("the secret has spaces around it or characters that are not allowed in a header")
    return Secret(value)


def _read_dollars(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, DecimalNumber, VariableText)):
        raise ValueError("expected a number of dollars per million tokens")
    return parse_dollars(value.text if isinstance(value, DecimalNumber) else str(value))


def _read_unit_dollars(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, DecimalNumber, VariableText)):
        raise ValueError("expected a number of dollars")
    return parse_unit_dollars(value.text if isinstance(value, DecimalNumber) else str(value))


OWN_PATHS = ("v1", "v1beta", "model", "metrics", "health")
"""The first segments of the gateway's own paths."""


def _check_prefix(value: str) -> str:
    """Check a path under which the API is also served, which must not begin like one of the gateway's own paths."""
    segments = value.split("/")[1:]
    if not _PREFIX.fullmatch(value) or {".", ".."} & set(segments):
        raise ValueError(
            f"`{value}` is not a prefix: expected a path such as /api/v1/litellm, which starts with a slash, does not "
            "end with one, and contains only letters, digits and `-._~`"
        )
    if segments[0] in OWN_PATHS:
        raise ValueError(f"`{value}` begins like the gateway's own /{segments[0]}; begin with another word")
    return value


def _check_overlap(value: list[str]) -> list[str]:
    for prefix in value:
        if sum(f"{prefix}/".startswith(f"{other}/") for other in value) > 1:
            raise ValueError(f"`{prefix}` is listed twice or lies under another prefix, so paths would be ambiguous")
    return value


Text = Annotated[str, BeforeValidator(_read_text), Field(min_length=1, max_length=1024)]
Name = Annotated[str, BeforeValidator(_read_text), Field(min_length=1, max_length=256)]
Flag = Annotated[bool, BeforeValidator(_read_flag)]
Seconds = Annotated[float, BeforeValidator(_read_number), Field(gt=0, le=86_400, allow_inf_nan=False)]
Port = Annotated[int, BeforeValidator(_read_integer), Field(ge=0, le=65_535)]
Weight = Annotated[int, BeforeValidator(_read_integer), Field(ge=0, le=1_000_000)]
Workers = Annotated[int, BeforeValidator(_read_integer), Field(ge=1, le=64)]
InFlight = Annotated[int, BeforeValidator(_read_integer), Field(ge=1, le=10_000)]
SecretText = Annotated[Secret, PlainValidator(_read_secret), WithJsonSchema({"type": "string", "minLength": 1})]
Dollars = Annotated[int, PlainValidator(_read_dollars), WithJsonSchema({"type": "number", "minimum": 0})]
UnitDollars = Annotated[int, PlainValidator(_read_unit_dollars), WithJsonSchema({"type": "number", "minimum": 0})]
Prefixes = Annotated[
    list[Annotated[Name, AfterValidator(_check_prefix)]], AfterValidator(_check_overlap), Field(max_length=16)
]


_LIST = TypeAdapter(list[Name])
_SOURCES = TypeAdapter(dict[Name, Text])


def _read_models(value: Any) -> Any:
    """Validate a list of names, or a mapping of names to folders; separately, so that a fault has its own path."""
    return (_SOURCES if isinstance(value, dict) else _LIST).validate_python(value, strict=True)


_MODELS_SCHEMA = {
    "anyOf": [
        {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 256}},
        {"type": "object", "additionalProperties": {"type": "string", "minLength": 1, "maxLength": 1024}},
    ]
}
Models = Annotated[list[str] | dict[str, str], PlainValidator(_read_models), WithJsonSchema(_MODELS_SCHEMA)]


def _make_size_schema(low: int, high: int) -> dict[str, Any]:
    integer = {"type": "integer", "minimum": low, "maximum": high}
    return {"anyOf": [integer, {"type": "string", "pattern": f"^{_SIZE.pattern}$"}]}


BodyLimit = Annotated[
    int, BeforeValidator(_read_size), Field(ge=KIB, le=2 * GIB), WithJsonSchema(_make_size_schema(KIB, 2 * GIB))
]
JournalCap = Annotated[
    int, BeforeValidator(_read_size), Field(ge=MIB, le=1024 * GIB), WithJsonSchema(_make_size_schema(MIB, 1024 * GIB))
]
