"""The supervisor files records in a child process, or in this process if none can be started."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from antiphon import Antiphon
from antiphon.database.database import Database
from antiphon.ledger.journal import Journal
from antiphon.ledger.shipper import Shipper
from ledger.running import StartShipper, count_calls, wait_until
from ledger.samples import make_record


@pytest.fixture(autouse=True)
def _earlier_children() -> Iterator[None]:
    """Note the children from before a test: servers that other tests share for a session."""
    EARLIER.update(child.pid for child in psutil.Process(os.getpid()).children())
    yield
    EARLIER.clear()


EARLIER: set[int] = set()


def list_children() -> list[psutil.Process]:
    """Return the children that a test has started."""
    return [child for child in psutil.Process(os.getpid()).children() if child.pid not in EARLIER]


def wait_for_child() -> psutil.Process:
    """Return the child once it runs its program."""
    wait_until(lambda: any("antiphon.ledger.shipper_process" in child.cmdline() for child in list_children()))
    [child] = list_children()
    return child


def append(journal: Journal, count: int) -> None:
    for _ in range(count):
        journal.append(make_record())


def test_a_child_process_files_records_and_reports_its_progress(
    data: Path, database: Database, journal: Journal, start_shipper: StartShipper
):
    running = start_shipper(separate=True)
    append(journal, 200)
    assert journal.unshipped > 0
    wait_until(lambda: count_calls(database) == 200)
    wait_until(lambda: journal.unshipped == 0)
    [child] = list_children()
    assert child.nice() > os.nice(0)
    append(journal, 200)
    journal.close()
    running.stop()
    assert count_calls(database) == 400
    assert list((data / "journal").iterdir()) == []
    assert list_children() == []


def test_a_child_that_dies_is_replaced_by_one_that_continues(
    database: Database, journal: Journal, start_shipper: StartShipper
):
    running = start_shipper(separate=True)
    append(journal, 200)
    wait_until(lambda: journal.unshipped == 0)
    [first] = list_children()
    first.kill()
    append(journal, 10)
    wait_until(lambda: [child for child in list_children() if child.pid != first.pid])
    append(journal, 200)
    wait_until(lambda: journal.unshipped == 0)
    assert count_calls(database) == 410
    journal.close()
    running.stop()


def test_a_child_has_its_own_process_group_in_this_session(
    database: Database, journal: Journal, start_shipper: StartShipper
):
    """Ctrl-C at a terminal does not reach it, and its niceness counts where sessions have equal shares of a core."""
    running = start_shipper(separate=True)
    child = wait_for_child()
    assert os.getpgid(child.pid) == child.pid
    assert os.getsid(child.pid) == os.getsid(0)
    journal.close()
    running.stop()


def test_records_are_filed_while_others_use_every_core(
    database: Database, journal: Journal, start_shipper: StartShipper
):
    running = start_shipper(separate=True)
    wait_for_child()
    hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        for count in (1000, 2000):
            append(journal, 1000)
            wait_until(lambda count=count: count_calls(database) == count, 20)
            with database.begin(2.0) as transaction:
                transaction.execute("UPDATE revision SET value = value")
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()
    journal.close()
    running.stop()


def test_a_directory_whose_child_is_alive_is_not_adopted(
    data: Path, database: Database, journal: Journal, start_shipper: StartShipper
):
    running = start_shipper(separate=True)
    child = wait_for_child()
    child.send_signal(signal.SIGSTOP)
    append(journal, 10)
    journal.close()
    assert Shipper(data / "journal", database).adopt() == 0
    child.send_signal(signal.SIGCONT)
    running.stop()
    assert count_calls(database) == 10


@pytest.mark.parametrize("interpreter", ["", "/nowhere/python", "/bin/false"])
def test_without_a_child_this_process_files_records(
    database: Database,
    journal: Journal,
    start_shipper: StartShipper,
    interpreter: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(sys, "executable", interpreter)
    running = start_shipper(separate=True)
    append(journal, 100)
    wait_until(lambda: count_calls(database) == 100)
    wait_until(lambda: journal.unshipped == 0)
    time.sleep(1)
    append(journal, 100)
    wait_until(lambda: count_calls(database) == 200)
    journal.close()
    running.stop()
    assert "shipper process" in caplog.text
    assert caplog.text.count("shipper process") < 5


def test_a_child_that_does_not_end_in_time_is_killed_and_this_process_files_the_rest(
    data: Path, database: Database, journal: Journal, start_shipper: StartShipper
):
    running = start_shipper(separate=True)
    child = wait_for_child()
    child.send_signal(signal.SIGSTOP)
    append(journal, 10)
    journal.close()
    running.stop(0.2)
    assert count_calls(database) == 10
    assert list_children() == []
    assert list((data / "journal").iterdir()) == []


def test_a_program_with_the_sdk_starts_no_process(data: Path):
    with Antiphon(data=str(data)) as client:
        client.chat("sim/echo", "hello")
        time.sleep(1)
        assert list_children() == []
        with closing(Database(f"sqlite:///{data / 'antiphon.db'}")) as database:
            assert count_calls(database) == 1
