"""Checks that all wires share: wrong types in a caller's body, a model's name, unreadable answers."""

from typing import Any, TypeVar

import msgspec

from antiphon.errors import BadAnswer, BadRequest

MODEL_LIMIT = 256
"""Characters in a model's name; wires with longer names pass their own limit."""
DECODE_ERRORS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""Everything that msgspec raises for JSON that it cannot decode, or cannot decode as the type asked for."""
_EXCERPT_BYTES = 200
T = TypeVar("T")


def read_fields(value: Any, kind: type[T], path: str = "", *, strict: bool = True) -> T:
    """Return decoded JSON as the struct ``kind``; raises :class:`BadRequest` naming the field that does not fit.

    ``path`` is the path of the value in the body, if it is not the whole body. Without ``strict``, numbers and booleans
    may be written as strings.
    """
    try:
        return msgspec.convert(value, kind, strict=strict)
    except msgspec.ValidationError as error:
        raise make_bad_request_from(str(error), path) from None


def make_bad_request_from(problem: str, path: str = "") -> BadRequest:
    """Return the error for the text of a ``msgspec.ValidationError``; it names the field that is wrong.

    msgspec writes "Expected `str`, got `int` - at `$.messages[0].role`". ``path`` is the path of the decoded value in
    the body, if it is not the whole body. A message that begins with a backtick comes from a ``__post_init__`` of a
    request type, names its field first, and is used unchanged.
    """
    reason, _, place = problem.partition(" - at ")
    field = f"{path}{place.strip('`').removeprefix('$')}".removeprefix(".")
    if "missing required field" in reason:
        missing = reason.rpartition("`")[0].rpartition("`")[2]
        field = f"{field}.{missing}" if field else missing
        return BadRequest(f"`{field}` is missing; this request needs it.", param=field)
    if reason.startswith("`"):
        return BadRequest(f"{reason}.", param=reason.split("`")[1])
    reason = f"{reason[:1].lower()}{reason[1:]}"
    if not field:
        return BadRequest(f"The body has the wrong shape: {reason}.")
    return BadRequest(f"`{field}` has the wrong type: {reason}.", param=field)


def check_model_name(name: str, limit: int = MODEL_LIMIT, *, place: str = "`model`", param: str = "model") -> None:
    """Raise :class:`BadRequest` if ``name`` cannot name a model; ``place`` says where the caller wrote it."""
    if not name or len(name) > limit or not name.isprintable():
        raise BadRequest(f"{place} must be a name of 1 to {limit} printable characters.", param=param)


def make_bad_answer_from(body: bytes) -> BadAnswer:
    """Return the error for an answer that could not be decoded."""
    return BadAnswer(f"The provider's answer is not valid JSON of this wire: {quote_body(body)}")


def quote_body(body: bytes) -> str:
    """Return the beginning of a body in quotes, safe to show in a message."""
    text = body[:_EXCERPT_BYTES].decode("utf-8", "replace")
    return repr(text) + ("…" if len(body) > _EXCERPT_BYTES else "")
