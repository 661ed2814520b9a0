from collections.abc import Iterator
from pathlib import Path

import pytest

from antiphon.database.database import Database


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
