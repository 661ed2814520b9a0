"""The database: its version is read without Alembic, its schema equals the migrations, and its files are private."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from antiphon.database import columns, tables
from antiphon.database.database import HEAD, Database
from antiphon.database.migrate import LOCATION, upgrade
from antiphon.errors import LedgerError


def read_schema(database: Database) -> list[str]:
    with database.read() as transaction:
        rows = transaction.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid")
    return [" ".join(sql.split()) for (sql,) in rows]


@pytest.fixture
def migrated(tmp_path: Path):
    """A database that the migrations made."""
    (tmp_path / "migrated.db").touch()
    database = Database(f"sqlite:///{tmp_path / 'migrated.db'}")
    upgrade(database.engine, None)
    yield database
    database.close()


def test_head_is_the_latest_migration():
    config = Config()
    config.set_main_option("script_location", LOCATION)
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_a_new_database_equals_a_migrated_one(database: Database, migrated: Database):
    """If this fails after a new migration, put the migrated schema into database/schema.sql."""
    assert read_schema(database) == read_schema(migrated)
    assert database.read_version() == migrated.read_version() == HEAD


def test_the_migrations_make_the_tables_that_queries_use(migrated: Database):
    with migrated.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []


@pytest.mark.parametrize("name", ["calls", "attempts", "keys", "revision", "positions", "responses"])
def test_plain_statements_match_the_tables(name: str):
    table = tables.metadata.tables[name]
    names = getattr(columns, name.upper())
    assert names == tuple(column.name for column in table.columns)
    for dialect in (sqlite, postgresql):
        values = dict.fromkeys(names)
        compiled = str(dialect.insert(table).values(values).on_conflict_do_nothing().compile(dialect=dialect.dialect()))
        plain = columns.insert(name, names)
        assert plain.split("VALUES")[0].replace('"', "") == compiled.replace("\n", "").split("VALUES")[0].replace(
            '"', ""
        )
        assert plain.endswith("ON CONFLICT DO NOTHING")
        assert compiled.endswith("ON CONFLICT DO NOTHING")


def test_files_are_private(database: Database, data: Path):
    with database.begin() as transaction:
        transaction.execute(columns.insert("revision", columns.REVISION), ("x", 1))
    files = list(data.iterdir())
    assert {file.name for file in files} == {"antiphon.db", "antiphon.db-wal", "antiphon.db-shm"}
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert data.stat().st_mode & 0o777 == 0o700


def test_transactions_are_atomic_and_settings_are_as_promised(database: Database):
    statement = columns.insert("revision", columns.REVISION)
    with pytest.raises(RuntimeError), database.begin() as transaction:
        transaction.execute(statement, ("gone", 1))
        raise RuntimeError
    with database.begin() as transaction:
        transaction.execute(statement, ("kept", 1))
    with database.engine.connect() as connection:
        assert connection.execute(select(tables.revision.c.name)).all() == [("kept",)]
        pragmas = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in
                   ("journal_mode", "foreign_keys", "synchronous")}  # fmt: skip
    assert pragmas == {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 2}


def test_a_reader_sees_one_state(database: Database):
    statement = columns.insert("revision", columns.REVISION)
    with database.read() as reader:
        assert reader.execute("SELECT count(*) FROM revision") == [(0,)]
        with ThreadPoolExecutor(1) as pool:
            pool.submit(write, database, statement).result()
        assert reader.execute("SELECT count(*) FROM revision") == [(0,)]
    with database.read() as reader:
        assert reader.execute("SELECT count(*) FROM revision") == [(1,)]


def write(database: Database, statement: str) -> None:
    with database.begin() as transaction:
        transaction.execute(statement, ("x", 1))


def test_simultaneous_starts_make_one_database(tmp_path: Path):
    program = (
        "import sys; from antiphon.database.database import Database\n"
        "database = Database(sys.argv[1]); database.prepare(); print(database.read_version())"
    )
    url = f"sqlite:///{tmp_path / 'new' / 'antiphon.db'}"
    starts = [
        subprocess.Popen([sys.executable, "-c", program, url], stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    assert [start.communicate()[0].strip() for start in starts] == [HEAD] * 4
    assert all(start.returncode == 0 for start in starts)


def test_neither_sqlalchemy_nor_alembic_is_loaded_to_start(data: Path):
    program = (
        "import sys; from antiphon.database.database import Database; from antiphon.callers.keys import Keys\n"
        "from antiphon.ledger.shipper import Shipper\n"
        "for _ in 'first', 'second':\n"
        "    database = Database(sys.argv[1]); database.prepare()\n"
        "    Keys(database).ensure_admin(sys.argv[2]); database.close()\n"
        "print(sorted({'sqlalchemy', 'alembic'} & set(sys.modules)))"
    )
    started = [sys.executable, "-c", program, f"sqlite:///{data / 'antiphon.db'}", str(data / "admin.key")]
    done = subprocess.run(started, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_database_of_the_first_release_is_brought_to_head(tmp_path: Path):
    (tmp_path / "antiphon.db").touch()
    database = Database(f"sqlite:///{tmp_path / 'antiphon.db'}")
    config = Config()
    config.set_main_option("script_location", LOCATION)
    config.set_main_option("path_separator", "os")
    with database.engine.connect() as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    with database.begin() as transaction:
        transaction.execute(columns.insert("revision", columns.REVISION), ("keys", 7))
    assert database.read_version() == "0001"
    database.prepare()
    with database.read() as transaction:
        assert transaction.execute("SELECT * FROM revision") == [("keys", 7)]
        assert transaction.execute("SELECT * FROM responses") == []
    assert database.read_version() == HEAD
    database.close()


def test_a_newer_schema_is_refused_and_left_alone(database: Database):
    with database.begin() as transaction:
        transaction.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(LedgerError, match=r"9999.*newer"):
        database.prepare()
    assert database.read_version() == "9999"


def test_a_foreign_file_is_refused_and_left_alone(tmp_path: Path):
    import sqlite3
    from contextlib import closing

    foreign = tmp_path / "antiphon.db"
    with closing(sqlite3.connect(foreign)) as connection:
        connection.execute("CREATE TABLE photos (id)")
    before = foreign.read_bytes()
    with pytest.raises(LedgerError, match="not a ledger"):
        Database(f"sqlite:///{foreign}").prepare()
    foreign.write_bytes(b"this is not SQLite" * 100)
    with pytest.raises(LedgerError, match="not a database"):
        Database(f"sqlite:///{foreign}").prepare()
    assert before != foreign.read_bytes()


def test_reading_does_not_create_a_missing_file(tmp_path: Path):
    database = Database(f"sqlite:///{tmp_path / 'none.db'}")
    assert database.read_version() is None
    with pytest.raises(LedgerError, match="unable to open"), database.read() as transaction:
        transaction.execute("SELECT 1")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("url", ["postgresql://localhost/x", "antiphon.db", "sqlite://", "sqlite:///", ""])
def test_an_unknown_url_is_refused_with_the_expected_form(url: str):
    with pytest.raises(LedgerError, match="sqlite://"):
        Database(url)


def test_a_directory_with_odd_characters_works(tmp_path: Path):
    database = Database(f"sqlite:///{tmp_path / 'a b?c#d%20é' / 'antiphon.db'}")
    database.prepare()
    with database.engine.connect() as connection:
        assert connection.execute(select(tables.calls)).all() == []
    assert (tmp_path / "a b?c#d%20é" / "antiphon.db").exists()
    database.close()
