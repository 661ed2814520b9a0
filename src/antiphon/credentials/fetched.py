"""What a source gives: secrets, and how long they hold."""

import re
from collections.abc import Iterable, Mapping

import msgspec

from antiphon.types import Secret

_LONGEST = 300
_OPAQUE = re.compile(r"[A-Za-z0-9+_=.~-]{40,}")
"""What may be a key, a token or an assertion: longer than any word or identifier that helps a reader."""


class Fetched(msgspec.Struct, frozen=True, eq=False):
    """Secrets by the names under which requests are signed with them; for a token: header name to value.

    ``seconds`` is how long they hold from now, or ``None`` where they have no end: they are then read again after a
    while, because they may be replaced where they come from.
    """

    secrets: Mapping[str, Secret]
    seconds: float | None = None


def unusable(fetched: Fetched) -> str:
    """Say why what was fetched cannot be sent, or nothing. A value with a line end would be a second header."""
    if fetched.seconds is not None and fetched.seconds <= 0:
        return "gave a credential that has ended already; compare this machine's clock"
    values = [secret.reveal() for secret in fetched.secrets.values()]
    if not values or not all(value and value.isascii() and value.isprintable() for value in values):
        return "gave a credential that no header can carry"
    return ""


def reason(error: BaseException, secrets: Iterable[Secret] = ()) -> str:
    """Return what an error of a maker's library says, on one line and without anything that could be a secret."""
    text = " ".join(str(error).split())
    for secret in secrets:
        text = text.replace(secret.reveal(), "…")
    text = _OPAQUE.sub("…", text)
    return f"{type(error).__name__}: {text[:_LONGEST]}" if text else type(error).__name__
