from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from antiphon.database.database import Database
from antiphon.ledger.journal import Journal
from ledger.running import RunningShipper, StartShipper


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory."""
    return tmp_path / "data"


@pytest.fixture
def database(data: Path) -> Iterator[Database]:
    """Its ledger database, prepared."""
    database = Database(f"sqlite:///{data / 'antiphon.db'}")
    database.prepare()
    yield database
    database.close()


@pytest.fixture
def journal(data: Path) -> Iterator[Journal]:
    """Its journal, in small segments."""
    journal = Journal(data / "journal", segment_bytes=20_000)
    yield journal
    journal.close()


@pytest.fixture
def start_shipper(database: Database, journal: Journal) -> Iterator[StartShipper]:
    """Start shippers of the journal; those that a failed test leaves running end with it."""
    with ExitStack() as running:

        def start(*tasks: Callable[[], object], separate: bool = False) -> RunningShipper:
            shipper = RunningShipper(database, journal, *tasks, separate=separate)
            running.callback(shipper.stop, 0)
            return shipper

        yield start
        journal.close()
