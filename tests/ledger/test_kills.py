"""``kill -9`` at any moment: every acknowledged record is in the ledger exactly once."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from antiphon.database.database import Database
from antiphon.ledger.shipper import Shipper
from antiphon.ledger.verify import verify

APPEND = """
import asyncio, os, sys
from ledger.samples import make_record
from antiphon.ledger.journal import Journal

async def append_records(journal):
    while True:
        each = make_record()
        confirmed = journal.append(each)
        if confirmed is not None:
            await confirmed
        else:
            await asyncio.sleep(0)
        os.write(1, each.id.encode() + b"\\n")

async def main():
    journal = Journal(sys.argv[1], sys.argv[2], segment_bytes=50_000)
    await asyncio.gather(*(append_records(journal) for _ in range(20)))

asyncio.run(main())
"""

SHIP = """
import os, sys
from ledger.samples import make_record
from antiphon.ledger.journal import Journal
from antiphon.ledger.shipper import Shipper
from antiphon.database.database import Database

database = Database(sys.argv[2])
database.prepare()
journal = Journal(sys.argv[1], segment_bytes=20_000)
shipper = Shipper(sys.argv[1], database, writer=journal.writer, report=journal.note_progress)
while True:
    for _ in range(30):
        each = make_record()
        journal.append(each)
        os.write(1, each.id.encode() + b"\\n")
    shipper.ship_once()
"""


def run_and_kill(program: str, *arguments: str, after: float) -> list[str]:
    """Start a program, kill it ``after`` seconds from its first acknowledgement, and return the acknowledged ids."""
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen([sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, env=environ) as child:
        assert child.stdout is not None
        first = child.stdout.readline()
        if after:
            time.sleep(after)
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read()
    assert child.returncode == -signal.SIGKILL
    # The last line may be cut by the kill: its record counts as not acknowledged.
    return [line.decode() for line in (first + rest).split(b"\n")[:-1]]


def list_filed_ids(database: Database) -> list[str]:
    with database.read() as transaction:
        return [call_id for (call_id,) in transaction.execute("SELECT id FROM calls")]


@pytest.mark.parametrize("durability", ["process", "disk"])
def test_every_acknowledged_record_survives_ten_kills(data: Path, database: Database, durability: str):
    chance = random.Random(11)
    acknowledged: list[str] = []
    for _ in range(10):
        acknowledged += run_and_kill(APPEND, str(data / "journal"), durability, after=chance.random() * 0.05)
    assert len(acknowledged) >= 10
    assert verify(data / "journal", database).faults == []
    Shipper(data / "journal", database).adopt()
    ids = list_filed_ids(database)
    assert set(acknowledged) <= set(ids)
    assert len(ids) == len(set(ids))
    # One process writes from one thread: at most what was under way in each of its tasks was not acknowledged.
    assert len(ids) <= len(acknowledged) + 10 * 20
    assert verify(data / "journal", database).faults == []


def test_kills_while_shipping_lose_and_double_nothing(data: Path, database: Database):
    chance = random.Random(12)
    acknowledged: list[str] = []
    for _ in range(10):
        acknowledged += run_and_kill(SHIP, str(data / "journal"), database.url, after=chance.random() * 0.1)
        proof = verify(data / "journal", database)
        assert proof.faults == []
    Shipper(data / "journal", database).adopt()
    ids = list_filed_ids(database)
    assert set(acknowledged) <= set(ids)
    assert len(ids) == len(set(ids))
    assert len(ids) <= len(acknowledged) + 10
    proof = verify(data / "journal", database)
    assert (proof.faults, proof.calls, proof.pending) == ([], len(ids), 0)
