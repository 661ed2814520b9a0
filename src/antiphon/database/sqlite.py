"""SQLite: its pragmas, its files and its locks, which only this module knows."""

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from antiphon.errors import LedgerError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine


class Statements:
    """A transaction on one driver connection."""

    __slots__ = ("_connection",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def execute(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, values).fetchall()

    def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        self._connection.executemany(sql, rows)


class Sqlite:
    """One SQLite file in WAL mode, with one connection per thread.

    ``synchronous`` is FULL because journal segments are deleted after their records are committed here.
    """

    def __init__(self, rest: str) -> None:
        if not rest.startswith("/") or len(rest) < 2:
            raise LedgerError(f"sqlite://{rest} names no file; expected sqlite:///relative/path or sqlite:////absolute")
        self.path = Path(rest[1:]).absolute()
        self._local = threading.local()
        self._open: set[sqlite3.Connection] = set()
        self._engine: Engine | None = None

    def read_version(self) -> str | None:
        if not self.path.exists():
            return None
        with self.read() as transaction:
            names = {name for (name,) in transaction.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if not names:
                return None
            if "alembic_version" not in names:
                raise LedgerError(
                    f"{self.path} is an SQLite file, but not a ledger of Antiphon; name another data directory"
                )
            rows = transaction.execute("SELECT version_num FROM alembic_version")
            return str(rows[0][0]) if rows else "none"

    def create(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # The write-ahead log and its index take the mode of the file itself.
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        from importlib.resources import files  # costs 3 MB, and only a first start needs it

        script = files("antiphon.database").joinpath("schema.sql").read_text()
        with self._guard() as connection:
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
        with self.begin(5.0) as transaction:
            if not transaction.execute("SELECT name FROM sqlite_master WHERE type = 'table'"):
                for statement in filter(str.strip, script.split(";\n")):
                    transaction.execute(statement)

    @contextmanager
    def begin(self, wait: float) -> Iterator[Statements]:
        with self._guard() as connection:
            connection.execute(f"PRAGMA busy_timeout = {int(wait * 1000)}")
            connection.execute("BEGIN IMMEDIATE")
            yield Statements(connection)
            connection.execute("COMMIT")

    @contextmanager
    def read(self) -> Iterator[Statements]:
        with self._guard() as connection:
            connection.execute("BEGIN")
            yield Statements(connection)
            connection.execute("COMMIT")

    @contextmanager
    def _guard(self) -> Iterator[sqlite3.Connection]:
        """Provide this thread's connection; an error of the driver closes it and is raised as a ``LedgerError``."""
        try:
            connection = getattr(self._local, "connection", None) or self._remember(self.connect())
            try:
                yield connection
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            self._forget()
            raise LedgerError(f"the ledger database {self.path} cannot be used: {error}") from error

    def connect(self) -> sqlite3.Connection:
        """Open a connection with the settings that every connection needs; the file must exist."""
        connection = sqlite3.connect(
            f"file:{quote(str(self.path))}?mode=rw", uri=True, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA synchronous = FULL")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _remember(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        self._local.connection = connection
        self._open.add(connection)
        return connection

    def _forget(self) -> None:
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            self._local.connection = None
            self._open.discard(connection)
            with suppress(sqlite3.Error):
                connection.close()

    def make_engine(self) -> "Engine":
        from sqlalchemy import NullPool, create_engine, event

        self._engine = create_engine("sqlite://", creator=self.connect, poolclass=NullPool)

        # The driver does not begin transactions by itself, so that one includes reads and schema changes too.
        @event.listens_for(self._engine, "begin")
        def begin(connection: "Connection") -> None:
            connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))

        return self._engine

    def list_faults(self) -> list[str]:
        with self._guard() as connection:
            checks = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(20)")]
            orphans = connection.execute("PRAGMA foreign_key_check").fetchall()
        return [f"{self.path}: {line}" for line in checks if line != "ok"] + [
            f"{self.path}: row {rowid} of {table} points to a row of {parent} that is not there"
            for table, rowid, parent, _ in orphans
        ]

    def close(self) -> None:
        while self._open:
            self._open.pop().close()
        self._local = threading.local()
        if self._engine is not None:
            self._engine.dispose()
