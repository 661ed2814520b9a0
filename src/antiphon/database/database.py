"""The database behind the ledger and the keys: transactions for the gateway, an SQLAlchemy engine for queries."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from antiphon.errors import LedgerError

if TYPE_CHECKING:
    from sqlalchemy import Engine

HEAD = "0005"
"""The newest migration. A test compares it with Alembic's own answer, so that no start has to load Alembic to ask."""

BACKENDS = {"sqlite": "antiphon.database.sqlite:Sqlite"}


class Transaction(Protocol):
    """What runs between begin and commit. Values are positional and marked ``?``."""

    def execute(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows."""

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each row."""


class Backend(Protocol):
    """What a kind of database must do; everything only one kind understands stays behind this."""

    def version(self) -> str | None:
        """Return the schema's version, ``None`` for an empty database; raises ``LedgerError`` for a foreign one."""

    def create(self) -> None:
        """Lay an empty database out at head; does nothing where another process was first."""

    def begin(self, wait: float) -> AbstractContextManager[Transaction]: ...

    def read(self) -> AbstractContextManager[Transaction]: ...

    def engine(self) -> "Engine": ...

    def faults(self) -> list[str]: ...

    def close(self) -> None: ...


class Database:
    """A database by its URL, such as ``sqlite:///data/antiphon.db``. Nothing is opened before the first use.

    The gateway process writes and reads a few fixed statements through :meth:`begin` and :meth:`read`, which on SQLite
    go straight to the driver: SQLAlchemy costs 0.4 s and 15 MB to import, and is loaded only for :attr:`engine`.
    Every method may block and may be called from any thread; every failure is a ``LedgerError``.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        scheme, _, rest = url.partition("://")
        if scheme not in BACKENDS:
            known = ", ".join(f"{name}://…" for name in BACKENDS)
            raise LedgerError(f"the database URL starts with {scheme!r}; expected one of: {known}")
        module, _, name = BACKENDS[scheme].partition(":")
        self._backend: Backend = getattr(import_module(module), name)(rest)

    def prepare(self) -> None:
        """Bring the schema to head, creating the database where there is none.

        Raises ``LedgerError`` where the database is not ours or was written by a newer release.
        """
        version = self._backend.version()
        if version is None:
            self._backend.create()
        elif version != HEAD:
            from antiphon.database.migrate import upgrade

            upgrade(self.engine, version)

    def version(self) -> str | None:
        """Return the schema's version, ``None`` where the database is empty or missing."""
        return self._backend.version()

    def begin(self, wait: float = 5.0) -> AbstractContextManager[Transaction]:
        """Open a transaction that may write; waits up to ``wait`` seconds for another writer to finish."""
        return self._backend.begin(wait)

    def read(self) -> AbstractContextManager[Transaction]:
        """Open a transaction that sees one state of the database and writes nothing."""
        return self._backend.read()

    @cached_property
    def engine(self) -> "Engine":
        """The SQLAlchemy engine; loads SQLAlchemy."""
        return self._backend.engine()

    def faults(self) -> list[str]:
        """Return what the database itself finds wrong with its files; empty when it is sound."""
        return self._backend.faults()

    def close(self) -> None:
        """Close every connection of every thread."""
        self._backend.close()
