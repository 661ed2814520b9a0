"""A credential as its source returns it: secrets, and how long they are valid."""

import re
from collections.abc import Iterable, Mapping

import msgspec

from antiphon.types import Secret

_MAX_LENGTH = 300
_OPAQUE = re.compile(r"[A-Za-z0-9+_=.~-]{40,}")
"""Text that may be a key, a token or an assertion: longer than any word or identifier that helps a reader."""


class Credential(msgspec.Struct, frozen=True, eq=False):
    """Secrets by the names under which requests are signed with them; for a token: header name to value.

    ``seconds`` is how long they are valid from now, or ``None`` if they do not expire. Those are read again after a
    while, because they may be replaced at their source.
    """

    secrets: Mapping[str, Secret]
    seconds: float | None = None


def describe_defect(credential: Credential) -> str:
    """Return why ``credential`` cannot be sent, or ``""``. A value with a line break would be a second header."""
    if credential.seconds is not None and credential.seconds <= 0:
        return "returned a credential that has already expired; check this machine's clock"
    values = [secret.reveal() for secret in credential.secrets.values()]
    if not values or not all(value and value.isascii() and value.isprintable() for value in values):
        return "returned a credential that cannot be sent in a header"
    return ""


def describe_error(error: BaseException, secrets: Iterable[Secret] = ()) -> str:
    """Return the message of an error of a vendor's library, on one line and without anything that could be a secret."""
    text = " ".join(str(error).split())
    for secret in secrets:
        text = text.replace(secret.reveal(), "…")
    text = _OPAQUE.sub("…", text)
    return f"{type(error).__name__}: {text[:_MAX_LENGTH]}" if text else type(error).__name__
