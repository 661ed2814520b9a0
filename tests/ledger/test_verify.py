"""Verification: sound ledgers pass, and each kind of damage is found and named."""

import os
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

import pytest
from alembic import command
from alembic.config import Config

from antiphon.database import columns
from antiphon.database.database import Database
from antiphon.database.migrate import LOCATION
from antiphon.errors import LedgerError
from antiphon.ledger.frames import HEADER, PREFIX, write_frame
from antiphon.ledger.journal import Journal
from antiphon.ledger.shipper import Shipper
from antiphon.ledger.usage import report
from antiphon.ledger.verify import Proof, verify
from antiphon.ledger.writer import get_segment_path
from antiphon.types import Price, Record, Usage
from ledger.samples import make_record, make_varied_records


class Ledger:
    """An open journal with ten records, six of them filed."""

    def __init__(self, data: Path, database: Database) -> None:
        self.directory = data / "journal"
        self.database = database
        self.journal = Journal(self.directory)
        self.records: list[Record] = make_varied_records(6)
        for each in self.records:
            self.journal.append(each)
        self.shipper = Shipper(self.directory, database, writer=self.journal.writer, report=self.journal.note_progress)
        self.shipper.ship_once()
        for each in make_varied_records(4, 8):
            self.journal.append(each)
            self.records.append(each)

    def verify(self, **prices: Price) -> Proof:
        return verify(self.directory, self.database, {name.replace("_", "/"): p for name, p in prices.items()}.get)

    def run(self, statement: str, *values: object) -> None:
        with self.database.begin() as transaction:
            transaction.execute(statement, values)

    @property
    def file(self) -> Path:
        return get_segment_path(self.journal.writer.path, 1)


@pytest.fixture
def ledger(data: Path, database: Database):
    ledger = Ledger(data, database)
    yield ledger
    ledger.journal.close()


def make_older_database(path: Path, version: str) -> Database:
    """Return a database as the migrations up to ``version`` made it."""
    path.touch()
    database = Database(f"sqlite:///{path}")
    config = Config()
    config.set_main_option("script_location", LOCATION)
    config.set_main_option("path_separator", "os")
    with database.engine.connect() as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, version)
    return database


def test_a_ledger_of_the_previous_release_is_read_filed_and_verified(tmp_path: Path):
    """Its database has fewer columns and its journal fewer fields; one record is filed and one is not."""
    database = make_older_database(tmp_path / "antiphon.db", "0002")
    names = ("id", "time", "operation", "model", "outcome", "target", "provider", "key_id", "status", "error", "stream",
             "input", "cache_read", "cache_write", "audio_input", "image_input", "output", "reasoning", "audio_output",
             "estimated", "cost", "price_version", "first_output_us", "duration_us")  # fmt: skip
    row = ("call_1", 7, "chat", "m", "success", "p/m", "p", "k", 200, "", 0, 5, 0, 9, 0, 0, 2, 0, 0, 0, 68, "v1", 3, 4)
    filed = (
        b'{"id":"call_1","time":7,"operation":"chat","model":"m","outcome":"success","target":"p/m","provider":"p",'
        b'"key_id":"k","status":200,"usage":{"input":5,"cache_write":9,"output":2},"cost":68,"price_version":"v1",'
        b'"first_output_us":3,"duration_us":4}'
    )
    pending = filed.replace(b"call_1", b"call_2").replace(b'"cache_write":9,', b"")
    writer = tmp_path / "journal" / "w1"
    writer.mkdir(parents=True)
    (writer / "lock").touch()
    frames = [PREFIX.pack(len(payload), crc32(payload)) + payload for payload in (filed, pending)]
    get_segment_path(writer, 1).write_bytes(HEADER + b"".join(frames))
    with database.begin() as transaction:
        transaction.execute(columns.insert("calls", names), row)
        transaction.execute(columns.insert("positions", columns.POSITIONS), ("w1", 1, len(HEADER) + len(frames[0])))
    database.prepare()
    prices = {"p/m": Price("v1", input=2, cache_write=6, output=2)}
    proof = verify(tmp_path / "journal", database, prices.get)
    assert (proof.faults, proof.filed, proof.pending, proof.recomputed) == ([], 1, 1, 1)
    Shipper(tmp_path / "journal", database).adopt()
    total = report(database, "day", prices=prices.get).total
    assert (total.calls, total.tokens["input"], total.tokens["cache_write"], total.cost) == (2, 10, 9, 136)
    assert total.tokens["cache_write_long"] == total.units["images"] == 0
    database.close()


def test_a_sound_ledger_is_sound_at_every_stage(ledger: Ledger):
    proof = ledger.verify()
    assert (proof.sound, proof.calls, proof.filed, proof.pending, proof.notes) == (True, 6, 6, 4, [])
    ledger.shipper.ship_once()
    proof = ledger.verify()
    assert (proof.sound, proof.calls, proof.filed, proof.pending) == (True, 10, 10, 0)
    ledger.journal.close()
    assert ledger.shipper.finish()
    proof = ledger.verify()
    assert (proof.sound, proof.calls, proof.filed, proof.pending) == (True, 10, 0, 0)


def test_an_empty_ledger_is_sound(data: Path, database: Database):
    assert verify(data / "journal", database) == Proof()


def test_a_torn_tail_is_a_note(ledger: Ledger):
    ledger.file.write_bytes(ledger.file.read_bytes()[:-5])
    proof = ledger.verify()
    assert proof.sound
    assert proof.pending == 3
    assert "never acknowledged" in proof.notes[0]


def test_a_record_written_again_after_a_failed_sync_is_not_a_duplicate(ledger: Ledger):
    with ledger.file.open("ab") as file:
        file.write(write_frame(ledger.records[0]))
    assert ledger.verify().sound


def change_bit(ledger: Ledger, place: int) -> None:
    content = bytearray(ledger.file.read_bytes())
    content[place] ^= 1
    ledger.file.write_bytes(bytes(content))


DAMAGE: dict[str, tuple[Callable[[Ledger], object], str]] = {
    "a row is gone": (
        lambda it: it.run("DELETE FROM calls WHERE id = ?", it.records[0].id),
        "marked as filed, but the database does not have it",
    ),
    "an attempt is gone": (
        lambda it: it.run("DELETE FROM attempts"),
        "differs from its row in the database: its attempts",
    ),
    "a cost was changed": (
        lambda it: it.run("UPDATE calls SET cost = coalesce(cost, 0) / 2 + 7"),
        "differs from its row in the database: cost",
    ),
    "a text was changed": (lambda it: it.run("UPDATE calls SET model = 'other'"), "database: model"),
    "a filed frame is damaged": (lambda it: change_bit(it, 200), "is damaged at byte"),
    "a pending frame is damaged": (lambda it: change_bit(it, -3), "is damaged at byte"),
    "the header is damaged": (lambda it: change_bit(it, 3), "does not start as a journal"),
    "the position is inside a frame": (lambda it: it.run('UPDATE positions SET "offset" = "offset" + 9'), "is damaged"),
    "the position is too far": (
        lambda it: it.run('UPDATE positions SET "offset" = ?', it.file.stat().st_size),
        "marked as filed",
    ),
    "an id is in the journal twice with other contents": (
        lambda it: it.journal.append(make_record(id=it.records[-1].id, cost=1)),
        "twice with different contents",
    ),
    "a count is negative": (lambda it: it.run("UPDATE calls SET input = -1"), "negative count or amount"),
    "a cost is negative": (lambda it: it.run("UPDATE calls SET cost = -1"), "negative count or amount"),
    "a segment was set aside": (
        lambda it: it.file.with_name("00000009.segment.damaged").write_bytes(HEADER),
        "save its readable part",
    ),
    "an attempt has no call": (
        lambda it: add_orphaned_attempt(it),
        "points to a row of calls that is not there",
    ),
}


def add_orphaned_attempt(ledger: Ledger) -> None:
    connection = ledger.database._backend.connect()  # type: ignore[attr-defined]
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("INSERT INTO attempts SELECT 'call_none', number, target, outcome, status, error, "
                       "first_output_us, duration_us FROM attempts LIMIT 1")  # fmt: skip
    connection.close()


@pytest.mark.parametrize("name", DAMAGE)
def test_every_damage_is_a_fault_with_a_name(ledger: Ledger, name: str):
    damage, message = DAMAGE[name]
    damage(ledger)
    proof = ledger.verify()
    assert not proof.sound
    assert any(message in fault for fault in proof.faults), proof.faults


def test_costs_are_recomputed_if_the_price_list_is_the_same(data: Path, database: Database):
    price = Price("v1", input=3, output=5)
    journal = Journal(data / "journal")
    usage = Usage(input=10, output=2)
    journal.append(make_record(target="a/x", usage=usage, cost=40))
    journal.append(make_record(target="a/x", usage=usage, cost=None, price_version=""))
    journal.append(make_record(target="a/x", usage=usage, cost=99, price_version="v0"))
    journal.append(make_record(target="a/y", usage=usage, cost=98))
    journal.close()
    Shipper(data / "journal", database).adopt()
    prices = {"a/x": price}
    proof = verify(data / "journal", database, prices.get)
    assert (proof.sound, proof.recomputed) == (True, 1)
    with database.begin() as transaction:
        transaction.execute("UPDATE calls SET cost = 41 WHERE cost = 40")
    proof = verify(data / "journal", database, prices.get)
    assert proof.fault_count == 1
    assert "has the cost 41, but at price version v1 it comes to 40" in proof.faults[0]


def test_a_database_file_with_a_broken_page_is_a_fault(data: Path, database: Database):
    journal = Journal(data / "journal")
    for each in make_varied_records(300):
        journal.append(each)
    journal.close()
    Shipper(data / "journal", database).adopt()
    database.close()
    path = data / "antiphon.db"
    content = bytearray(path.read_bytes())
    assert len(content) > 20 * 4096
    for page in range(5, 15):
        content[page * 4096 : page * 4096 + 100] = os.urandom(100)
    path.write_bytes(bytes(content))
    broken = Database(f"sqlite:///{path}")
    try:
        assert not verify(data / "journal", broken).sound
    except LedgerError as error:
        assert "malformed" in str(error)
    broken.close()
