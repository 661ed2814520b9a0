"""What the standalone simulator remembers of the requests it served, for a checker to compare with other accounts."""

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

import msgspec

from antiphon import clock
from antiphon.sim.performance import Step

Content: TypeAlias = bytes
_MOST_ENTRIES = 200_000


class Served(msgspec.Struct, kw_only=True):
    """One request and what became of its answer.

    ``time`` is microseconds since the epoch; ``bytes`` counts what was written, head and framing included; ``tokens``
    the ones written. ``ended`` is ``""`` while it goes on, then ``complete``, ``left`` (the client closed first) or how
    the fault ended it. ``closed_after`` is seconds from the request to the client's close, where that came before
    the end. ``authorization`` is the start of the credential header's SHA-256, never the credential. ``headers`` (names
    in lower case, without credentials), ``body`` and ``answer`` are kept by a server that records.
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
    headers: dict[str, str] = {}
    body: Content = b""
    answer: Content = b""


_CREDENTIALS = (b"authorization", b"x-api-key", b"x-goog-api-key", b"x-amz-security-token", b"cookie")


def noted(method: bytes, path: bytes, headers: Mapping[bytes, bytes]) -> Served:
    """Return the entry of a request that came just now."""
    credential = next((headers[name] for name in _CREDENTIALS if name in headers), b"")
    return Served(
        id=clock.new_id("served"),
        time=clock.now_us(),
        method=method.decode("latin-1"),
        path=path.decode("latin-1"),
        authorization=hashlib.sha256(credential).hexdigest()[:16] if credential else "",
    )


def shown(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """Return header fields as text, without credentials."""
    return {
        name.decode("latin-1"): value.decode("latin-1") for name, value in headers.items() if name not in _CREDENTIALS
    }


def recorded(steps: Iterable[Step], entry: Served) -> Iterator[Step]:
    """Yield the steps of an answer's body, and keep their bytes in the entry."""
    for step in steps:
        entry.answer += step[1]
        yield step


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
