"""What the standalone simulator remembers of the requests it served, for a checker to compare with other accounts."""

import hashlib
from collections import deque

import msgspec

from antiphon import clock

_MOST_ENTRIES = 200_000


class Served(msgspec.Struct, kw_only=True):
    """One request and what became of its answer.

    ``time`` is microseconds since the epoch; ``bytes`` counts what was written, head and framing included; ``tokens``
    the ones written. ``ended`` is ``""`` while it goes on, then ``complete``, ``left`` (the client closed first) or how
    the fault ended it. ``closed_after`` is seconds from the request to the client's close, where that came before
    the end. ``authorization`` is the start of the credential header's SHA-256, never the credential.
    """

    id: str
    time: int
    method: str
    path: str
    authorization: str
    operation: str = ""
    model: str = ""
    status: int = 0
    bytes: int = 0
    tokens: int = 0
    completed: bool = False
    ended: str = ""
    closed_after: float | None = None


def noted(method: bytes, path: bytes, authorization: bytes) -> Served:
    """Return the entry of a request that came just now."""
    return Served(
        id=clock.new_id("served"),
        time=clock.now_us(),
        method=method.decode("latin-1"),
        path=path.decode("latin-1"),
        authorization=hashlib.sha256(authorization).hexdigest()[:16] if authorization else "",
    )


class Log:
    """The last requests served, oldest first; older ones are forgotten."""

    def __init__(self) -> None:
        self._entries: deque[Served] = deque(maxlen=_MOST_ENTRIES)

    def add(self, entry: Served) -> None:
        """Remember a request; its entry is filled in as it is answered."""
        self._entries.append(entry)

    def entries(self) -> list[Served]:
        """Return every entry, oldest first."""
        return list(self._entries)

    def clear(self) -> None:
        """Forget every entry."""
        self._entries.clear()
