"""The shipper files every record once, whatever process dies, and survives a locked database."""

import logging
import os
import sqlite3
import time
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from antiphon.database.columns import ATTEMPTS, CALLS, select
from antiphon.database.database import Database
from antiphon.errors import LedgerError
from antiphon.ledger import periodic as periodic_module
from antiphon.ledger import shipper as shipper_module
from antiphon.ledger.frames import HEADER
from antiphon.ledger.journal import Journal
from antiphon.ledger.pacing import Pacer
from antiphon.ledger.rows import make_attempt_rows, make_call_row
from antiphon.ledger.shipper import Shipper
from antiphon.ledger.writer import DAMAGED, get_segment_path, list_segments
from antiphon.types import Record, Usage
from ledger.running import StartShipper, count_calls, wait_until
from ledger.samples import make_record, make_varied_records
from processes import allow


@pytest.fixture
def shipper(data: Path, database: Database, journal: Journal) -> Shipper:
    return make_shipper(data, database, journal)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch):
    """Do everything at once that is usually done at intervals."""
    for name in ("ADOPT_SECONDS", "FIRST_RETRY_SECONDS", "SLOWEST_RETRY_SECONDS"):
        monkeypatch.setattr(shipper_module, name, 0.02)
    for name in ("TICK_SECONDS", "SHORTEST_PAUSE_SECONDS"):
        monkeypatch.setattr(periodic_module, name, 0.02)


def make_shipper(data: Path, database: Database, journal: Journal) -> Shipper:
    return Shipper(data / "journal", database, writer=journal.writer, report=journal.note_progress)


def append(journal: Journal, records: list[Record]) -> list[Record]:
    for each in records:
        journal.append(each)
    return records


def assert_filed(database: Database, records: list[Record]) -> None:
    """Assert that the database has exactly these records, value by value."""
    with database.read() as transaction:
        calls = transaction.execute(select("calls", CALLS) + " ORDER BY id")
        attempts = transaction.execute(select("attempts", ATTEMPTS) + " ORDER BY call_id, number")
    ordered = sorted(records, key=lambda each: each.id)
    assert calls == [make_call_row(each) for each in ordered]
    assert attempts == [row for each in ordered for row in make_attempt_rows(each)]


def test_own_records_are_filed_in_order_and_closed_segments_are_deleted(
    database: Database, journal: Journal, shipper: Shipper
):
    records = append(journal, make_varied_records(400))
    assert len(list_segments(journal.writer.path)) > 5
    assert shipper.ship_once() == 400
    assert_filed(database, records)
    assert len(list_segments(journal.writer.path)) == 1
    assert journal.unshipped == 0
    assert shipper.ship_once() == 0
    more = append(journal, make_varied_records(30, 8))
    assert shipper.ship_once() == 30
    assert_filed(database, records + more)


def test_records_with_equal_labels_are_filed_like_others(database: Database, journal: Journal, shipper: Shipper):
    """Groups of every size: rows by 32, by 8 and one by one, with and without the rarer columns."""
    plain = [make_record(cost=cost, first_output_us=first) for cost, first in [(None, None), (0, 5), (9, None)] * 27]
    added = [make_record(usage=Usage(input=1, images=2, service_tier="flex")) for _ in range(45)]
    records = append(
        journal, [*plain, *make_varied_records(60, 3), *added, *(make_record(usage=None) for _ in range(9))]
    )
    append(journal, plain[:50])
    shipper.ship_once()
    assert_filed(database, records)


def test_a_record_is_filed_once_even_if_the_position_is_lost(
    data: Path, database: Database, journal: Journal, shipper: Shipper
):
    records = append(journal, make_varied_records(20))
    shipper.ship_once()
    with database.begin() as transaction:
        transaction.execute("DELETE FROM positions")
    make_shipper(data, database, journal).ship_once()
    assert_filed(database, records)


def test_position_and_records_are_one_transaction(database: Database, journal: Journal, shipper: Shipper):
    """If the table of positions refuses, no record may be filed either."""
    records = append(journal, make_varied_records(20))
    with database.begin() as transaction:
        transaction.execute("CREATE TRIGGER no BEFORE INSERT ON positions BEGIN SELECT RAISE(ABORT, 'not now'); END")
    with pytest.raises(LedgerError, match="not now"):
        shipper.ship_once()
    assert_filed(database, [])
    with database.begin() as transaction:
        transaction.execute("DROP TRIGGER no")
    shipper.ship_once()
    assert_filed(database, records)


def test_a_dead_writers_directory_is_adopted_filed_and_removed(data: Path, database: Database, shipper: Shipper):
    gone = Journal(data / "journal", segment_bytes=5000)
    records = append(gone, make_varied_records(100))
    assert shipper.adopt() == 0, "the writer is alive"
    gone.close()
    assert shipper.adopt() == 100
    assert_filed(database, records)
    assert not gone.writer.path.exists()
    with database.read() as transaction:
        assert transaction.execute("SELECT * FROM positions") == []


def test_leftovers_of_a_crash_are_removed(data: Path, shipper: Shipper):
    empty, locked = data / "journal" / "writer_0", data / "journal" / "writer_1"
    empty.mkdir()
    locked.mkdir()
    (locked / "lock").touch()
    (locked / "00000001.segment").write_bytes(HEADER[:7])
    assert shipper.adopt() == 0
    assert not empty.exists()
    assert not locked.exists()


def test_a_torn_tail_is_reported_and_skipped(
    data: Path, database: Database, shipper: Shipper, caplog: pytest.LogCaptureFixture
):
    gone = Journal(data / "journal")
    records = append(gone, make_varied_records(10))
    gone.close()
    path = get_segment_path(gone.writer.path, 1)
    path.write_bytes(path.read_bytes()[:-3])
    assert shipper.adopt() == 9
    assert_filed(database, records[:-1])
    assert "never acknowledged" in caplog.text
    assert not gone.writer.path.exists()


def test_a_damaged_segment_is_kept_and_the_others_are_filed(
    data: Path, database: Database, shipper: Shipper, caplog: pytest.LogCaptureFixture
):
    gone = Journal(data / "journal", segment_bytes=5000)
    records = append(gone, [make_record() for _ in range(30)])
    gone.close()
    path = get_segment_path(gone.writer.path, 2)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    shipper.adopt()
    with database.read() as transaction:
        filed = {call_id for (call_id,) in transaction.execute("SELECT id FROM calls")}
    lost = [each for each in records if each.id not in filed]
    assert 0 < len(lost) < 9
    first = records.index(lost[0])
    assert lost == records[first : first + len(lost)], "more than the rest of one segment is missing"
    kept = path.with_name(path.name + DAMAGED)
    assert kept.read_bytes() == bytes(content)
    assert "damaged at byte" in caplog.text
    assert shipper.adopt() == 0


def test_a_segment_of_a_newer_release_is_left_alone(data: Path, shipper: Shipper, caplog: pytest.LogCaptureFixture):
    newer = Journal(data / "journal")
    append(newer, make_varied_records(3))
    newer.close()
    path = get_segment_path(newer.writer.path, 1)
    path.write_bytes(b"antiphon journal 2\n" + b"?" * 500)
    other = Journal(data / "journal")
    append(other, make_varied_records(5))
    other.close()
    assert shipper.adopt() == 5
    assert path.exists()
    assert shipper.adopt() == 0
    assert caplog.text.count("newer release") == 1


@pytest.mark.usefixtures("quick")
def test_a_locked_database_delays_records_and_is_reported_once(
    data: Path, database: Database, journal: Journal, start_shipper: StartShipper, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.WARNING)
    ticks: list[float] = []
    with closing(sqlite3.connect(data / "antiphon.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        shipper = start_shipper(lambda: ticks.append(time.monotonic()))
        records = append(journal, make_varied_records(50))
        wait_until(lambda: "fails" in caplog.text)
        before = len(ticks)
        wait_until(lambda: len(ticks) > before + 3)
        records += append(journal, make_varied_records(50, 9))
        assert count_calls(database) == 0
        other.execute("COMMIT")
    wait_until(lambda: count_calls(database) == 100)
    wait_until(lambda: "works again" in caplog.text)
    journal.close()
    shipper.stop()
    assert_filed(database, records)
    assert caplog.text.count("moving records from the journal to the database fails") == 1
    assert caplog.text.count("works again") == 1


@pytest.mark.usefixtures("quick")
def test_a_failing_task_is_reported_once_and_stops_no_other(
    data: Path, database: Database, journal: Journal, start_shipper: StartShipper, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.WARNING)
    calls: list[int] = []

    def tick() -> None:
        calls.append(1)
        if 3 <= len(calls) < 8:
            raise ZeroDivisionError

    shipper = start_shipper(tick)
    wait_until(lambda: len(calls) > 10)
    append(journal, make_varied_records(10))
    wait_until(lambda: count_calls(database) == 10)
    journal.close()
    shipper.stop()
    assert caplog.text.count("fails") == 1
    assert caplog.text.count("works again") == 1


def test_stopping_after_closing_files_everything(
    data: Path, database: Database, journal: Journal, start_shipper: StartShipper
):
    shipper = start_shipper()
    records = append(journal, make_varied_records(300))
    journal.close()
    shipper.stop()
    assert_filed(database, records)
    assert list((data / "journal").iterdir()) == []


def test_stopping_keeps_its_time_limit_while_the_database_is_locked(
    data: Path, database: Database, journal: Journal, start_shipper: StartShipper
):
    shipper = start_shipper()
    records = append(journal, make_varied_records(10))
    with closing(sqlite3.connect(data / "antiphon.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        journal.close()
        start = time.monotonic()
        shipper.stop(0.5)
        assert time.monotonic() - start < allow(2)
        assert count_calls(database) == 0
        other.execute("COMMIT")
    assert Shipper(data / "journal", database).adopt() == 10
    assert_filed(database, records)


def test_records_of_dead_writers_count_against_the_cap(data: Path, database: Database):
    gone = Journal(data / "journal")
    append(gone, [make_record() for _ in range(50)])
    gone.close()
    journal = Journal(data / "journal", cap=10_000)
    shipper = make_shipper(data, database, journal)
    with closing(sqlite3.connect(data / "antiphon.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match="locked"):
            shipper.ship_once()
        assert not journal.healthy
        with pytest.raises(LedgerError, match="cap"):
            journal.append(make_record())
        other.execute("COMMIT")
    shipper.ship_once()
    assert journal.healthy
    journal.append(make_record())
    journal.close()


def test_a_record_larger_than_a_reading_is_filed(database: Database, journal: Journal, shipper: Shipper):
    records = append(journal, [make_record(error="x" * 900_000), make_record(), make_record(error="y" * 700_000)])
    assert shipper.ship_once() == 3
    assert_filed(database, records)


def test_an_idle_shipper_rests(database: Database, journal: Journal, start_shipper: StartShipper):
    """It wakes a few times a second for a few system calls; a busy loop would use a whole core."""
    shipper = start_shipper()
    append(journal, make_varied_records(5))
    wait_until(lambda: count_calls(database) == 5)
    thread = shipper.tasks._thread
    status = Path(f"/proc/self/task/{thread.native_id}/stat")
    before = sum(map(int, status.read_text().rsplit(")", 1)[1].split()[11:13]))
    time.sleep(1.5)
    used = sum(map(int, status.read_text().rsplit(")", 1)[1].split()[11:13])) - before
    assert used / os.sysconf("SC_CLK_TCK") <= 0.15
    journal.close()
    shipper.stop()


def test_a_pacer_works_for_an_eighth_of_the_time_that_others_took():
    rests: list[float] = []

    def rest() -> None:
        time.sleep(0.008)
        rests.append(time.monotonic())

    pacer = Pacer(rest, 0.00001)
    while len(rests) < 5:
        pacer.pause()
    gaps = [later - earlier for earlier, later in pairwise(rests)]
    assert min(gaps) >= 0.008 + 0.001
