"""Keys: who may call. They are looked up in memory and stored as digests; changes count everywhere within a second."""

import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from antiphon.clock import make_id, read_time_us
from antiphon.database.columns import KEYS, insert, select
from antiphon.database.database import Database, Transaction
from antiphon.errors import KeyStoreError, Unauthorized
from antiphon.types import Caller

PREFIX = "ap-"
ENTROPY_BYTES = 32
KEY_LENGTH = len(PREFIX) + 43
LONGEST_NAME = 200

_SELECT = select("keys", KEYS) + " ORDER BY created_at, id"
_BUMP = "INSERT INTO revision (name, value) VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = revision.value + 1"
_REVISION = "SELECT value FROM revision WHERE name = ?"


class Key(msgspec.Struct, frozen=True):
    """Everything that is known of a key but the key itself. Times are microseconds since the epoch."""

    id: str
    name: str
    models: tuple[str, ...]
    created_at: int
    expires_at: int | None
    revoked_at: int | None
    admin: bool

    def state(self, now: int) -> str:
        """Return ``active``, ``expired`` or ``revoked``."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"


class Snapshot:
    """All keys at one revision, by digest. It is replaced as a whole and never changed."""

    __slots__ = ("callers", "revision", "revoked")

    def __init__(self, revision: int, rows: Iterable[tuple[bytes, Key]]) -> None:
        self.revision = revision
        self.callers: dict[bytes, Caller] = {}
        self.revoked: set[bytes] = set()
        for digest, key in rows:
            if key.revoked_at is None:
                self.callers[digest] = Caller(key.id, key.name, frozenset(key.models), key.expires_at, key.admin)
            else:
                self.revoked.add(digest)


class Keys:
    """The keys in a database. ``lookup`` uses memory only. Every other method blocks, and raises ``KeyStoreError`` if
    the request is wrong and ``LedgerError`` if the database fails.

    Call :meth:`refresh` at least every half second, so that changes of other processes count within a second.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._snapshot = Snapshot(-1, ())
        self.refresh()

    def lookup(self, token: str | bytes) -> Caller:
        """Return the caller whose key this is; raises ``Unauthorized``. SHA-256 digests are compared."""
        data = token.encode(errors="replace") if isinstance(token, str) else token
        digest = sha256(data).digest()
        snapshot = self._snapshot
        caller = snapshot.callers.get(digest)
        if caller is None:
            if digest in snapshot.revoked:
                raise Unauthorized("This API key has been revoked. Ask whoever runs this gateway for a new one.")
            raise Unauthorized("Unknown API key. Create one with `antiphon keys create`.")
        if caller.expires_at is not None and caller.expires_at <= read_time_us():
            raise Unauthorized("This API key has expired. Ask whoever runs this gateway for a new one.")
        return caller

    def refresh(self) -> None:
        """Read the keys again if they have changed; otherwise this is one small query."""
        with self._database.read() as transaction:
            revision = _read_revision(transaction)
            if revision != self._snapshot.revision:
                self._snapshot = Snapshot(revision, _read_keys(transaction))

    def create(
        self,
        name: str = "",
        models: Iterable[str] = (),
        expires_at: int | None = None,
        admin: bool = False,
    ) -> tuple[str, str]:
        """Create a key and return its id and the key itself, which is not stored and cannot be shown again.

        Empty ``models`` means every model; ``expires_at`` is microseconds since the epoch.
        """
        key = PREFIX + secrets.token_urlsafe(ENTROPY_BYTES)
        key_id = self._register(key, name, models, expires_at, admin)
        assert key_id is not None, "256 random bits came twice"
        return key_id, key

    def _register(self, key: str, name: str, models: Iterable[str], expires_at: int | None, admin: bool) -> str | None:
        """Store a key's digest and return its new id, ``None`` if the key is stored already."""
        _check_text("name", name, empty=True)
        names = sorted(set(models))
        for model in names:
            _check_text("model", model)
        now = read_time_us()
        if expires_at is not None and expires_at <= now:
            raise KeyStoreError("the key would have expired already; give a time in the future")
        key_id = make_id("key")
        row = (key_id, name, _digest(key).hex(), msgspec.json.encode(names).decode(), now, expires_at, None, admin)
        with self._database.begin() as transaction:
            if transaction.execute("SELECT id FROM keys WHERE digest = ?", (row[2],)):
                return None
            transaction.execute(insert("keys", KEYS), row)
            transaction.execute(_BUMP, ("keys",))
        self.refresh()
        return key_id

    def revoke(self, key_id: str) -> Key:
        """Revoke a key for good and return its earlier state; a key that was revoked before keeps its first date."""
        with self._database.begin() as transaction:
            found = [key for _, key in _read_keys(transaction) if key.id == key_id]
            if not found:
                raise KeyStoreError(f"there is no key with the id {key_id!r}; `antiphon keys list` shows them all")
            if found[0].revoked_at is None:
                transaction.execute("UPDATE keys SET revoked_at = ? WHERE id = ?", (read_time_us(), key_id))
                transaction.execute(_BUMP, ("keys",))
        self.refresh()
        return found[0]

    def list(self) -> list[Key]:
        """Return every key, oldest first, including revoked and expired ones."""
        with self._database.read() as transaction:
            return [key for _, key in _read_keys(transaction)]

    def ensure_admin(self, path: str | Path) -> str | None:
        """Create the admin key on the first start, in a file that only its owner can read; return it only if it is new.

        A key that is in the file but not in the database is registered: somebody put it there beforehand, or the last
        start died in between. If the database has had an admin key, a missing file stays missing, because its owner
        removed it. Raises ``KeyStoreError`` if the file does not hold a proper key.
        """
        path = Path(path)
        try:
            if not path.exists():
                if any(key.admin for key in self.list()):
                    return None
                _write_key_file(path, PREFIX + secrets.token_urlsafe(ENTROPY_BYTES))
            key = _read_key_file(path)
        except OSError as error:
            raise KeyStoreError(f"the admin key {path} can neither be read nor made: {error}") from error
        return key if self._register(key, "admin", (), None, True) is not None else None


def _digest(key: str) -> bytes:
    return sha256(key.encode()).digest()


def _read_revision(transaction: Transaction) -> int:
    rows = transaction.execute(_REVISION, ("keys",))
    return int(rows[0][0]) if rows else 0


def _read_keys(transaction: Transaction) -> "list[tuple[bytes, Key]]":
    return [_make_key(*row) for row in transaction.execute(_SELECT)]


def _make_key(key_id: str, name: str, digest: str, models: str, *rest: Any) -> tuple[bytes, Key]:
    created_at, expires_at, revoked_at, admin = rest
    names = msgspec.json.decode(models, type=tuple[str, ...])
    return bytes.fromhex(digest), Key(key_id, name, names, created_at, expires_at, revoked_at, bool(admin))


def _check_text(what: str, text: str, *, empty: bool = False) -> None:
    if not text.isprintable() or len(text) > LONGEST_NAME or (not text.strip() and not (empty and not text)):
        raise KeyStoreError(
            f"{text!r} is not a {what}: expected 1 to {LONGEST_NAME} printable characters without line breaks"
        )


def _write_key_file(path: Path, key: str) -> None:
    """Write the key to a new file, complete from the start; leave a file that another process made first."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, key.encode() + b"\n")
        os.fsync(file)
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        os.close(file)
        draft.unlink()


def _read_key_file(path: Path) -> str:
    key = path.read_text(errors="replace").strip()
    if len(key) != KEY_LENGTH or not key.startswith(PREFIX) or len(set(key)) < 16:
        raise KeyStoreError(
            f"{path} does not hold a key as Antiphon makes them ({PREFIX} and 43 characters): an empty or guessable "
            "secret is refused; delete the file to have a new admin key made"
        )
    return key
