"""Information about a call beside its answer: its id, the target that answered, the cost."""

from contextlib import suppress
from decimal import Decimal, InvalidOperation

import msgspec

from antiphon.transport.interface import Headers


class CallInfo(msgspec.Struct, frozen=True):
    """Information about one call; ``cost`` is dollars, ``None`` if the price is unknown."""

    call_id: str = ""
    target: str = ""
    attempts: int = 0
    cost: Decimal | None = None


def read_call_info(headers: Headers) -> CallInfo:
    """Return what the response headers of the gateway state; a server of another make states nothing."""
    fields = dict(headers)
    cost: Decimal | None = None
    attempts = 1
    with suppress(KeyError, InvalidOperation, ValueError):
        cost = Decimal(fields[b"x-antiphon-cost"].decode("ascii"))
    with suppress(KeyError, ValueError):
        attempts = int(fields[b"x-antiphon-attempts"])
    return CallInfo(
        call_id=fields.get(b"x-antiphon-call-id", b"").decode("latin-1"),
        target=fields.get(b"x-antiphon-target", b"").decode("latin-1"),
        attempts=attempts,
        cost=cost,
    )
