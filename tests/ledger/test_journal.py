"""The journal keeps appended records whatever happens to its last bytes, and no trace of refused ones."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Thread

import msgspec
import pytest

from antiphon.errors import LedgerError
from antiphon.ledger import journal as journal_module
from antiphon.ledger.frames import HEADER, PREFIX, FrameScan, write_frame
from antiphon.ledger.journal import Journal
from antiphon.ledger.writer import Writer, get_segment_path, list_segments
from antiphon.types import COUNTS, Outcome, Record, Usage
from ledger.samples import make_record, make_varied_records


@pytest.fixture
def journal(data: Path) -> Iterator[Journal]:
    journal = Journal(data / "journal")
    yield journal
    journal.close()


def read(path: Path) -> list[Record]:
    """Return every record of a writer's directory; fail if a segment holds anything else."""
    found: list[Record] = []
    for number in list_segments(path):
        data = get_segment_path(path, number).read_bytes()
        assert data.startswith(HEADER)
        scan = FrameScan(data[len(HEADER) :], len(HEADER))
        assert not scan.fault
        assert not scan.torn
        assert scan.end == len(data)
        found += scan.records
    return found


def test_appended_records_are_read_back(journal: Journal):
    records = make_varied_records(500)
    for each in records:
        assert journal.append(each) is None
    assert read(journal.writer.path) == records


def test_segments_roll_and_only_the_owner_may_read(data: Path):
    journal = Journal(data / "journal", segment_bytes=2000)
    records = make_varied_records(100)
    for each in records:
        journal.append(each)
    path = journal.writer.path
    assert len(list_segments(path)) > 10
    assert read(path) == records
    assert {entry.stat().st_mode & 0o777 for entry in path.iterdir()} == {0o600}
    assert path.stat().st_mode & 0o777 == 0o700
    journal.close()


def test_a_lone_surrogate_in_an_error_loses_only_itself(journal: Journal):
    journal.append(make_record(error="bad \ud800 text", model="m\udfff"))
    [found] = read(journal.writer.path)
    assert found.error == "bad ? text"
    assert found.model == "m?"
    assert found.outcome is Outcome.SUCCESS


@pytest.mark.parametrize(
    "changes",
    [
        {"cost": -1},
        {"cost": 2**63},
        {"usage": Usage(input=-1)},
        {"usage": Usage(audio_output=2**63)},
        {"usage": Usage(reasoning=2**80)},
        {"usage": Usage(cache_write_long=-1)},
        {"usage": Usage(input=5, images=-1)},
        {"usage": Usage(searches=2**63)},
        {"error": "x" * (1 << 20)},
    ],
    ids=[
        *("negative cost", "huge cost", "negative count", "huge count", "enormous count"),
        *("negative bucket", "negative unit", "huge unit", "huge text"),
    ],
)
def test_an_impossible_record_is_refused_and_leaves_no_byte(journal: Journal, changes: dict[str, object]):
    good = make_record()
    journal.append(good)
    with pytest.raises(LedgerError, match=r"call_\w+"):
        journal.append(make_record(**changes))
    assert journal.healthy
    assert read(journal.writer.path) == [good]


@pytest.mark.parametrize("name", COUNTS)
def test_each_count_is_checked(journal: Journal, name: str):
    for count in (-1, 2**63):
        with pytest.raises(LedgerError, match=f"impossible counts.*{name} {count}"):
            journal.append(make_record(usage=Usage(**{"input": 1, "output": 2, name: count})))
    journal.append(make_record(usage=Usage(**{"input": 1, "output": 2, name: 2**63 - 1})))


def test_fields_of_a_later_release_are_ignored():
    known = make_record()
    later = msgspec.json.encode({**msgspec.to_builtins(known), "panel": {"members": [1, 2]}, "zz": None})
    frame = write_frame(known)
    from zlib import crc32

    scan = FrameScan(PREFIX.pack(len(later), crc32(later)) + later + frame, 0)
    assert scan.records == [known, known]


def test_truncation_at_any_byte_loses_no_earlier_record_and_invents_none():
    records = make_varied_records(6)
    frames = [write_frame(each) for each in records]
    whole = b"".join(frames)
    border = len(whole) - len(frames[-1])
    for size in range(border, len(whole)):
        scan = FrameScan(whole[:size], 100)
        assert scan.records == records[:-1]
        assert (scan.end, scan.torn, scan.fault) == (100 + border, size - border, "")


def test_corruption_of_any_byte_loses_no_earlier_record_and_invents_none():
    records = make_varied_records(5)
    frames = [write_frame(each) for each in records]
    whole = b"".join(frames)
    border = len(whole) - len(frames[-1])
    for place in range(border, len(whole)):
        for flip in (1, 128, 255):
            data = bytearray(whole)
            data[place] ^= flip
            scan = FrameScan(bytes(data), 0)
            assert scan.records == records[:-1]
            assert scan.end == border
            assert scan.fault or scan.torn


def test_a_tail_of_zeros_counts_as_torn_and_not_as_damaged():
    frame = write_frame(make_record())
    scan = FrameScan(frame + bytes(5000), 0)
    assert (len(scan.records), scan.torn, scan.fault) == (1, 5000, "")
    assert FrameScan(frame + bytes(100) + frame, 0).fault


def test_two_writers_never_share_a_file(data: Path):
    one, two = Journal(data / "journal"), Journal(data / "journal")
    first, second = make_varied_records(50, 1), make_varied_records(50, 2)
    for a, b in zip(first, second, strict=True):
        one.append(a)
        two.append(b)
    assert one.writer.path != two.writer.path
    assert read(one.writer.path) == first
    assert read(two.writer.path) == second
    assert Writer.adopt(one.writer.path) is None
    one.close()
    adopted = Writer.adopt(one.writer.path)
    assert adopted is not None
    adopted.release()
    two.close()


def test_a_closed_journal_refuses(journal: Journal):
    journal.close()
    journal.close()
    assert not journal.healthy
    with pytest.raises(LedgerError, match="closed"):
        journal.append(make_record())


def test_records_beyond_the_cap_are_refused_until_others_are_shipped(data: Path):
    journal = Journal(data / "journal", cap=2000)
    with pytest.raises(LedgerError, match="cap"):
        for _ in range(100):
            journal.append(make_record())
    assert journal.unshipped <= 2000
    size = get_segment_path(journal.writer.path, 1).stat().st_size
    journal.note_progress(1, size, 0)
    assert journal.unshipped == 0
    journal.append(make_record())
    assert journal.healthy
    journal.note_progress(1, size, 2000)
    assert not journal.healthy
    with pytest.raises(LedgerError, match="cap"):
        journal.append(make_record())
    journal.close()


def test_a_directory_that_cannot_be_made_is_a_clear_error(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match="cannot be written"):
        Journal(tmp_path / "file" / "journal")


LIMITED = """
import os, resource, signal, sys, time
from ledger.samples import make_record
from antiphon.errors import LedgerError
from antiphon.ledger.journal import Journal

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
journal = Journal(sys.argv[1])
acknowledged = []
def go(count):
    refused = 0
    for _ in range(count):
        each = make_record()
        try:
            journal.append(each)
            acknowledged.append(each.id)
        except LedgerError:
            refused += 1
    return refused
assert go(10) == 0
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
assert go(100) > 0, "the limit was not reached"
assert not journal.healthy
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
start = time.monotonic()
while not journal.healthy:
    assert time.monotonic() - start < 5
    time.sleep(0.01)
assert go(10) == 0
print("\\n".join(acknowledged))
os._exit(0)
"""


def test_a_file_that_may_not_grow_recovers_without_a_torn_frame(data: Path):
    """Beyond the limit the kernel writes a part of a frame and then fails, as a broken disk does."""
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(data / "journal")], capture_output=True, text=True, env=environ, check=False
    )
    assert done.returncode == 0, done.stderr
    [path] = (data / "journal").iterdir()
    assert [each.id for each in read(path)] == done.stdout.split()
    assert done.stderr.count("cannot be written") == 1, "one line for one change of state"
    assert done.stderr.count("can be written again") == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("mounting a small file system is not permitted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("durability", ["process", "disk"])
async def test_a_full_disk_refuses_and_recovers(
    small_disk: Path, durability: journal_module.Durability, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(journal_module, "RETRY_SECONDS", 0.05)
    journal = Journal(small_disk / "journal", durability)
    with closing(journal):
        await fill_and_recover(small_disk, journal)


async def fill_and_recover(small_disk: Path, journal: Journal) -> None:
    acknowledged = []
    with pytest.raises(LedgerError, match="No space left"):
        for _ in range(2000):
            each = make_record()
            if (confirmed := journal.append(each)) is not None:
                await confirmed
            acknowledged.append(each)
    assert acknowledged
    assert not journal.healthy
    with pytest.raises(LedgerError):
        journal.append(make_record())
    assert read(journal.writer.path) == acknowledged

    subprocess.run(["mount", "-o", "remount,size=512k", str(small_disk)], check=True)
    for _ in range(100):
        if journal.healthy:
            break
        await asyncio.sleep(0.05)
    each = make_record()
    if (confirmed := journal.append(each)) is not None:
        await confirmed
    assert read(journal.writer.path) == [*acknowledged, each]


async def test_disk_durability_confirms_every_record(data: Path):
    journal = Journal(data / "journal", "disk", segment_bytes=20_000)
    records = make_varied_records(300)

    async def append_durably(each: Record) -> None:
        confirmed = journal.append(each)
        assert confirmed is not None
        await confirmed

    await asyncio.wait_for(asyncio.gather(*map(append_durably, records)), 10)
    assert sorted(each.id for each in read(journal.writer.path)) == sorted(each.id for each in records)
    files = {str(entry.readlink()) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()}
    assert sum(str(journal.writer.path) in name for name in files) <= 3, "old segments were left open"
    journal.close()


def break_sync(journal: Journal) -> tuple[int, int]:
    """Replace the segment by a pipe, which can be written; every sync of it fails with EINVAL."""
    reading, writing = os.pipe()
    os.dup2(writing, journal._file)
    return reading, writing


async def test_a_failed_sync_abandons_the_file_and_writes_its_records_again(data: Path):
    journal = Journal(data / "journal", "disk")
    first = make_record()
    await (journal.append(first) or asyncio.sleep(0))
    pipe = break_sync(journal)
    records = make_varied_records(20)
    confirmations = [journal.append(each) for each in records]
    await asyncio.wait_for(asyncio.gather(*(each for each in confirmations if each is not None)), 10)
    assert len(list_segments(journal.writer.path)) == 2
    assert read(journal.writer.path) == [first, *records]
    journal.close()
    for file in pipe:
        os.close(file)


async def test_a_sync_that_fails_twice_is_never_called_durable(data: Path, monkeypatch: pytest.MonkeyPatch):
    journal = Journal(data / "journal", "disk")
    await (journal.append(make_record()) or asyncio.sleep(0))
    pipes = [break_sync(journal)]
    roll = journal._roll

    def fail_to_roll() -> None:
        roll()
        pipes.append(break_sync(journal))

    monkeypatch.setattr(journal, "_roll", fail_to_roll)
    confirmed = journal.append(make_record())
    assert confirmed is not None
    with pytest.raises(LedgerError, match="synced to the disk"):
        await asyncio.wait_for(confirmed, 10)
    assert not journal.healthy
    journal.close()
    for pipe in pipes:
        for file in pipe:
            os.close(file)


async def test_closing_in_another_thread_confirms_waiting_records(data: Path):
    journal = Journal(data / "journal", "disk")
    confirmations = [journal.append(make_record()) for _ in range(50)]
    thread = Thread(target=journal.close)
    thread.start()
    await asyncio.wait_for(asyncio.gather(*(each for each in confirmations if each is not None)), 10)
    thread.join()


def test_loading_the_journal_loads_no_database():
    program = (
        "import sys, antiphon.ledger.journal; print(sorted({'sqlalchemy', 'sqlite3', 'alembic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
