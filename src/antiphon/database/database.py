"""The database of the ledger and the keys: transactions for the gateway, an SQLAlchemy engine for queries."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from antiphon.errors import LedgerError

if TYPE_CHECKING:
    from sqlalchemy import Engine

HEAD = "0005"
"""The newest migration. A test compares it with what Alembic says, so that a start need not load Alembic."""

BACKENDS = {"sqlite": "antiphon.database.sqlite:Sqlite"}


class Transaction(Protocol):
    """Statements between begin and commit. Values are positional and marked ``?``."""

    def execute(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows."""

    def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each row."""


class Backend(Protocol):
    """What a kind of database must offer; everything specific to one kind stays behind this."""

    def read_version(self) -> str | None:
        """Return the schema's version, ``None`` for an empty database; raises ``LedgerError`` for a foreign one."""

    def create(self) -> None:
        """Create the newest schema in an empty database; does nothing if another process did so first."""

    def begin(self, wait: float) -> AbstractContextManager[Transaction]: ...

    def read(self) -> AbstractContextManager[Transaction]: ...

    def make_engine(self) -> "Engine": ...

    def list_faults(self) -> list[str]: ...

    def close(self) -> None: ...


class Database:
    """A database by its URL, such as ``sqlite:///data/antiphon.db``. Nothing is opened before the first use.

    The gateway process runs a few fixed statements through :meth:`begin` and :meth:`read`, which on SQLite use the
    driver directly: SQLAlchemy costs 0.4 s and 15 MB to import, and is loaded only for :attr:`engine`.
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
        """Bring the schema up to date, and create the database if there is none.

        Raises ``LedgerError`` if the database is not one of Antiphon's or was written by a newer release.
        """
        version = self._backend.read_version()
        if version is None:
            self._backend.create()
        elif version != HEAD:
            from antiphon.database.migrate import upgrade

            upgrade(self.engine, version)

    def read_version(self) -> str | None:
        """Return the schema's version, ``None`` if the database is empty or missing."""
        return self._backend.read_version()

    def begin(self, wait: float = 5.0) -> AbstractContextManager[Transaction]:
        """Open a transaction that may write; wait up to ``wait`` seconds for another writer to finish."""
        return self._backend.begin(wait)

    def read(self) -> AbstractContextManager[Transaction]:
        """Open a read-only transaction that sees one state of the database."""
        return self._backend.read()

    @cached_property
    def engine(self) -> "Engine":
        """The SQLAlchemy engine; loads SQLAlchemy."""
        return self._backend.make_engine()

    def list_faults(self) -> list[str]:
        """Return the faults that the database finds in its own files."""
        return self._backend.list_faults()

    def close(self) -> None:
        """Close every connection of every thread."""
        self._backend.close()
