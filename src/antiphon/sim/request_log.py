"""The log of the standalone simulator: the requests it served, for a checker to compare with other accounts."""

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

import msgspec

from antiphon import clock
from antiphon.sim.response_plan import Step

Content: TypeAlias = bytes
_MAX_ENTRIES = 200_000


class LogEntry(msgspec.Struct, kw_only=True):
    """One request and the outcome of its response.

    ``time`` is microseconds since the epoch. ``bytes`` counts the bytes written, head and framing included, and
    ``tokens`` the tokens written. ``ended`` is ``""`` while the response goes on, then ``complete``, ``left`` (the
    client closed first), ``cut`` or ``reset``. ``closed_after`` is the seconds from the request to the client's close
    if the client closed before the end. ``authorization`` is the start of the credential header's SHA-256, never the
    credential. A server that records also keeps ``headers`` (names in lower case, without credentials), ``body`` and
    ``answer``.
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


def make_entry(method: bytes, path: bytes, headers: Mapping[bytes, bytes]) -> LogEntry:
    """Return the entry of a request that has just arrived."""
    credential = next((headers[name] for name in _CREDENTIALS if name in headers), b"")
    return LogEntry(
        id=clock.make_id("served"),
        time=clock.read_time_us(),
        method=method.decode("latin-1"),
        path=path.decode("latin-1"),
        authorization=hashlib.sha256(credential).hexdigest()[:16] if credential else "",
    )


def remove_credentials(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """Return headers as text, without credentials."""
    return {
        name.decode("latin-1"): value.decode("latin-1") for name, value in headers.items() if name not in _CREDENTIALS
    }


def record_answer(steps: Iterable[Step], entry: LogEntry) -> Iterator[Step]:
    """Yield the steps of a response body, and keep their bytes in the entry."""
    for step in steps:
        entry.answer += step[1]
        yield step


class RequestLog:
    """The last 200,000 requests, oldest first."""

    def __init__(self) -> None:
        self._entries: deque[LogEntry] = deque(maxlen=_MAX_ENTRIES)

    def add(self, entry: LogEntry) -> None:
        """Add a request; its entry is completed while it is answered."""
        self._entries.append(entry)

    def list_entries(self) -> list[LogEntry]:
        """Return every entry, oldest first."""
        return list(self._entries)

    def clear(self) -> None:
        """Remove every entry."""
        self._entries.clear()
