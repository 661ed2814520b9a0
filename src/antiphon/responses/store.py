"""The rows of stored responses: found by id and key, continued, deleted, and removed after 30 days.

What belongs here: rows of bytes, their key, their expiry, and the process that still makes one. What does not: the
content of a response, which the wires read and write. Nothing here runs on the event loop: reads block, and
:meth:`ResponseStore.put` hands its work to a thread.
"""

import logging
from collections import deque
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

import msgspec

from antiphon.clock import monotonic, read_time_us
from antiphon.database.columns import BACKGROUND, ITEMS, RESPONSES, insert
from antiphon.database.database import Database, Transaction
from antiphon.errors import BadRequest, LedgerError

RESPONSE_LIMIT = 4 * 1024 * 1024
"""Bytes of one stored turn, which is a response with its input; a larger one is not stored."""
CONVERSATION_LIMIT = 32 * 1024 * 1024
"""Bytes of all turns that one request continues."""
TURNS_LIMIT = 10_000
RETENTION_DAYS = 30
"""Days that a response is stored, from its own answer or from the latest answer that continues it."""

_DAY = 24 * 3600 * 1_000_000
_SWEEP_SECONDS = 3600.0
_SWEEP_ROWS = 200
_BUSY_SECONDS = 0.25
LEASE_SECONDS = 10.0
"""Seconds after its last renewal for which a process still counts as the owner of a background response."""
_AT_ONCE = 500
"""Item ids in one query."""

_BACK = """
    WITH RECURSIVE chain (id, previous, depth) AS (
        SELECT id, previous, 1 FROM responses WHERE id = ? AND key_id = ? AND expires > ?
        UNION ALL
        SELECT earlier.id, earlier.previous, chain.depth + 1
        FROM chain JOIN responses AS earlier ON earlier.id = chain.previous
        WHERE earlier.key_id = ? AND earlier.expires > ? AND chain.depth < ?
    )
"""
_SIZES = _BACK + (  # noqa: S608 - contains no text of a caller
    "SELECT chain.id, chain.previous, length(responses.data) FROM chain JOIN responses ON responses.id = chain.id "
    "ORDER BY chain.depth DESC"
)
_PROLONG = _BACK + "UPDATE responses SET expires = ? WHERE expires < ? AND id IN (SELECT id FROM chain)"  # noqa: S608
_PUT = insert("responses", RESPONSES) + " RETURNING id"
_PUT_ITEM = insert("items", ITEMS)
_PUT_LEASE = insert("background", BACKGROUND)
_END_LEASE = "DELETE FROM background WHERE response = ?"
_END_OWN_LEASE = "DELETE FROM background WHERE response = ? AND owner = ? RETURNING response"
_END_EXPIRED_LEASE = "DELETE FROM background WHERE response = ? AND lease <= ?"
_RENEW = "UPDATE background SET lease = ? WHERE owner = ? RETURNING response, cancel"
_CANCEL = (
    "UPDATE background SET cancel = 1 WHERE response = ? AND lease > ? "
    "AND EXISTS (SELECT 1 FROM responses WHERE id = ? AND key_id = ?) RETURNING response"
)
_FIND = (
    "SELECT responses.data, background.lease FROM responses LEFT JOIN background ON background.response = responses.id "
    "WHERE responses.id = ? AND responses.key_id = ? AND responses.expires > ?"
)
_HOLDING = (
    "SELECT DISTINCT responses.id, length(responses.data) FROM items JOIN responses ON responses.id = items.response "
    "WHERE items.key_id = ? AND responses.expires > ? AND items.id IN ({})"
)
_FORGET = "DELETE FROM items WHERE response = ?"
_AGAIN = "UPDATE responses SET data = ? WHERE id = ? AND key_id = ? AND expires > ? RETURNING id"
_CHANGE = "UPDATE responses SET data = ? WHERE id = ? AND key_id = ? AND data = ? RETURNING id"
_DELETE = "DELETE FROM responses WHERE id = ? AND key_id = ? AND expires > ? RETURNING id"
_SWEEP = (
    "DELETE FROM responses WHERE id IN (SELECT id FROM responses WHERE expires <= ? ORDER BY expires LIMIT ?) "
    "RETURNING id"
)

log = logging.getLogger("antiphon.responses.store")


class KeptResponse(msgspec.Struct, frozen=True):
    """One response to store.

    ``previous`` is the id of the response that it continues, or empty. ``again`` says that an earlier state of it is
    stored already. ``items`` are the ids of its items, by which it can also be found.
    """

    id: str
    previous: str
    data: bytes
    again: bool = False
    items: tuple[str, ...] = ()
    owner: str = ""
    """The process that makes it in the background, or has made it there; empty for any other response."""


class FoundResponse(msgspec.Struct, frozen=True):
    """A stored response. ``is_owned`` says that a process still makes it and that its lease has not expired."""

    data: bytes
    is_owned: bool = False


class ResponseStore:
    """The stored responses in a database. A response belongs to the key that created it; no other key can see it.

    :meth:`put` may be called from any thread and returns at once. Every other method blocks, and raises ``LedgerError``
    if the database fails.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[tuple[str, Callable[[], KeptResponse], Future[str]]] = deque()
        self._writer = ThreadPoolExecutor(1, "antiphon-responses")
        self._next_sweep = 0.0

    def put(self, key_id: str, make: Callable[[], KeptResponse]) -> "Future[str]":
        """Store what ``make`` returns; the result is an empty text once it is committed, or why that was not possible.

        Responses that arrive while another is being written share one transaction.
        """
        done: Future[str] = Future()
        done.set_running_or_notify_cancel()  # a caller who leaves does not undo the write
        self._waiting.append((key_id, make, done))
        self._writer.submit(self._write)
        return done

    def list_turns(self, key_id: str, response_id: str) -> tuple[list[bytes], str]:
        """Return a response with all turns that it continues, oldest first, and the missing id or an empty text.

        Raises :class:`~antiphon.errors.BadRequest` if they are larger than a request may be.
        """
        now = read_time_us()
        with self._database.read() as transaction:
            rows = transaction.execute(_SIZES, (response_id, key_id, now, key_id, now, TURNS_LIMIT))
            if not rows:
                return [], response_id
            if sum(size for _, _, size in rows) > CONVERSATION_LIMIT or len(rows) >= TURNS_LIMIT:
                raise BadRequest(
                    f"The conversation up to {response_id!r} is larger than the {CONVERSATION_LIMIT >> 20} MiB that a "
                    "request may continue. Begin a new one with the parts that matter.",
                    param="previous_response_id",
                    code="conversation_too_long",
                )
            found = [self._read_data(transaction, name) for name, _, _ in rows]
        return found, rows[0][1]

    def list_holding(self, key_id: str, items: Collection[str]) -> list[bytes]:
        """Return the responses that contain the items, each once; unknown items are skipped.

        Raises :class:`~antiphon.errors.BadRequest` if they are larger than a request may be.
        """
        now = read_time_us()
        names = list(dict.fromkeys(items))
        with self._database.read() as transaction:
            rows: dict[str, int] = {}
            for start in range(0, len(names), _AT_ONCE):
                some = names[start : start + _AT_ONCE]
                query = _HOLDING.format(", ".join("?" * len(some)))
                rows.update(transaction.execute(query, (key_id, now, *some)))
            if sum(rows.values()) > CONVERSATION_LIMIT:
                raise BadRequest(
                    f"The items that `input` names belong to more than {CONVERSATION_LIMIT >> 20} MiB of responses. "
                    "Send the items themselves.",
                    param="input",
                    code="conversation_too_long",
                )
            return [self._read_data(transaction, name) for name in rows]

    def find(self, key_id: str, response_id: str) -> FoundResponse | None:
        """Return one response, or ``None`` if the key has none with this id.

        If the lease of its owner has expired, the owner loses it now, so that a response which was shown as failed is
        not completed later.
        """
        now = read_time_us()
        with self._database.read() as transaction:
            rows = transaction.execute(_FIND, (response_id, key_id, now))
        if not rows:
            return None
        data, lease = rows[0]
        if lease is None or lease > now:
            return FoundResponse(bytes(data), lease is not None)
        with self._database.begin() as transaction:  # unless the owner has renewed it in this moment
            transaction.execute(_END_EXPIRED_LEASE, (response_id, now))
        return self.find(key_id, response_id)

    def renew_leases(self, owner: str) -> dict[str, bool]:
        """Renew the leases of a process; return the ids of the responses that it owns, and whether to cancel each."""
        with self._database.begin(_BUSY_SECONDS) as transaction:
            rows = transaction.execute(_RENEW, (_compute_lease_end(), owner))
        return {response: bool(cancel) for response, cancel in rows}

    def request_cancel(self, key_id: str, response_id: str) -> bool:
        """Ask the owner of a response to cancel it; return false if it has no owner any more."""
        with self._database.begin() as transaction:
            return bool(transaction.execute(_CANCEL, (response_id, read_time_us(), response_id, key_id)))

    def find_holder(self, response_id: str) -> str | None:
        """Return the id of the key that owns a response."""
        with self._database.read() as transaction:
            rows = transaction.execute(
                "SELECT key_id FROM responses WHERE id = ? AND expires > ?", (response_id, read_time_us())
            )
        return str(rows[0][0]) if rows else None

    def change(self, key_id: str, response_id: str, old: bytes, new: bytes) -> bool:
        """Replace ``old`` by ``new``; return false if the row is no longer ``old``."""
        with self._database.begin() as transaction:
            return bool(transaction.execute(_CHANGE, (new, response_id, key_id, old)))

    def delete(self, key_id: str, response_id: str) -> bool:
        """Delete one response; return false if there is none. Responses after it can be read, but not continued."""
        with self._database.begin() as transaction:
            gone = transaction.execute(_DELETE, (response_id, key_id, read_time_us()))
            transaction.execute_many(_FORGET, gone)
            transaction.execute_many(_END_LEASE, gone)
            return bool(gone)

    def sweep(self) -> None:
        """Delete expired responses, a few at a time; reads the database once an hour. The shipper calls it."""
        if monotonic() < self._next_sweep:
            return
        with self._database.begin(_BUSY_SECONDS) as transaction:
            gone = transaction.execute(_SWEEP, (read_time_us(), _SWEEP_ROWS))
            transaction.execute_many(_FORGET, gone)
            transaction.execute_many(_END_LEASE, gone)
        if len(gone) < _SWEEP_ROWS:
            self._next_sweep = monotonic() + _SWEEP_SECONDS

    def close(self) -> None:
        """Wait for pending writes."""
        self._writer.shutdown()

    @staticmethod
    def _read_data(transaction: Transaction, response_id: str) -> bytes:
        ((data,),) = transaction.execute("SELECT data FROM responses WHERE id = ?", (response_id,))
        return bytes(data)

    def _write(self) -> None:
        """Write everything that waits in one transaction; a later call may find nothing left to do."""
        batch = []
        with suppress(IndexError):
            while True:
                batch.append(self._waiting.popleft())
        made = [(key_id, _make(make)) for key_id, make, _ in batch]
        try:
            problems = self._commit(made) if made else []
        except LedgerError as error:
            log.error("%d responses could not be stored: %s", len(batch), error)
            problems = ["the database does not take it"] * len(batch)
        for (_, _, done), problem in zip(batch, problems, strict=True):
            done.set_result(problem)

    def _commit(self, made: list[tuple[str, KeptResponse | str]]) -> list[str]:
        with self._database.begin() as transaction:
            return [kept if isinstance(kept, str) else _put(transaction, key_id, kept) for key_id, kept in made]


def make_sweep(database: Database) -> Callable[[], None]:
    """Return the periodic task that deletes expired responses."""
    return ResponseStore(database).sweep


def _make(make: Callable[[], KeptResponse]) -> KeptResponse | str:
    try:
        kept = make()
    except Exception:
        log.exception("A response could not be stored")
        return "it cannot be read"
    return kept if len(kept.data) <= RESPONSE_LIMIT else f"larger than {RESPONSE_LIMIT >> 20} MiB"


def _put(transaction: Transaction, key_id: str, kept: KeptResponse) -> str:
    now = read_time_us()
    if kept.again:
        if kept.owner and not transaction.execute(_END_OWN_LEASE, (kept.id, kept.owner)):
            return "it was deleted, or its lease expired and it was shown as failed"
        if not transaction.execute(_AGAIN, (kept.data, kept.id, key_id, now)):
            return "it was deleted"
        _put_items(transaction, key_id, kept)
        return ""
    expires = now + RETENTION_DAYS * _DAY
    if not transaction.execute(_PUT, (kept.id, key_id, kept.previous, now, expires, kept.data)):
        return "its id is taken"
    _put_items(transaction, key_id, kept)
    if kept.owner:
        transaction.execute(_PUT_LEASE, (kept.id, kept.owner, _compute_lease_end(), False))
    if kept.previous:
        # Only rows that are a day behind, or each turn of a long conversation would rewrite all earlier turns.
        back = (kept.previous, key_id, now, key_id, now, TURNS_LIMIT)
        transaction.execute(_PROLONG, (*back, expires, expires - _DAY))
    return ""


def _compute_lease_end() -> int:
    return read_time_us() + int(LEASE_SECONDS * 1_000_000)


def _put_items(transaction: Transaction, key_id: str, kept: KeptResponse) -> None:
    transaction.execute_many(_PUT_ITEM, [(key_id, item, kept.id) for item in kept.items])
