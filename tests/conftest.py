"""What the whole suite shares: how its tests are divided between processes, and that Ctrl-C works in them."""

import signal
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parent
TOGETHER = ("longtail", "server/operations", "system/exchanges", "system/matrix")
"""Folders whose tests share servers or installations of a session, which a second process would start again."""
FIRST = (
    "longtail",
    "project/test_project_locks",
    "system/matrix",
    "project/test_project_bench",
    "system/faults/test_fault_kill",
    "system/faults/test_fault_chatter",
    "ledger/test_kills",
    "ledger/test_usage",
)
"""Folders and files that take long, so that no process is left with one of them at the end."""


def pytest_configure(config: pytest.Config) -> None:
    """Undo what a shell does to jobs in the background, because tests interrupt themselves and programs they start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let the long ones begin when several processes share the tests; one process takes them as they come."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: get_rank(item.path.relative_to(TESTS).as_posix()))


def get_rank(path: str) -> int:
    """Return how early a file's tests begin; lower is earlier."""
    return next((rank for rank, prefix in enumerate(FIRST) if path.startswith(prefix)), len(FIRST))


def get_group(path: str) -> str:
    """Return the name of the tests that stay together in one process: those of a file, or of a folder."""
    return next((folder for folder in TOGETHER if path.startswith(f"{folder}/")), path)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Divide the tests by :func:`get_group`, in the order of collection."""
    from xdist.scheduler import LoadScopeScheduling

    class GroupScheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return get_group(nodeid.partition("::")[0].removeprefix("tests/"))

    config.option.loadscopereorder = False
    return GroupScheduling(config, log)
