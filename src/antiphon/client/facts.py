"""What is said about an answer beside the answer: which call it was, who answered, at what cost."""

from contextlib import suppress
from decimal import Decimal, InvalidOperation

import msgspec

from antiphon.transport.interface import Headers


class Facts(msgspec.Struct, frozen=True):
    """Facts about one call; ``cost`` is dollars, ``None`` where the price is unknown."""

    call_id: str = ""
    target: str = ""
    attempts: int = 0
    cost: Decimal | None = None


def facts_of(headers: Headers) -> Facts:
    """Return what the response headers of the gateway say; a server of another make says nothing."""
    fields = dict(headers)
    cost: Decimal | None = None
    attempts = 1
    with suppress(KeyError, InvalidOperation, ValueError):
        cost = Decimal(fields[b"x-antiphon-cost"].decode("ascii"))
    with suppress(KeyError, ValueError):
        attempts = int(fields[b"x-antiphon-attempts"])
    return Facts(
        call_id=fields.get(b"x-antiphon-call-id", b"").decode("latin-1"),
        target=fields.get(b"x-antiphon-target", b"").decode("latin-1"),
        attempts=attempts,
        cost=cost,
    )
