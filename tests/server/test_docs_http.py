"""``docs/http.md`` agrees with the code."""

import re
from pathlib import Path

import pytest

from antiphon.server.http.limits import Limits
from antiphon.server.routes import ROUTES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "http.md").read_text()


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path.decode())
def test_every_route_is_documented(route):
    assert f"| {route.method} | `{route.path.decode()}` | {route.needs.value} |" in PAGE


def test_no_other_route_is_documented():
    rows = [line for line in PAGE.splitlines() if line.startswith(("| GET |", "| POST |", "| DELETE |"))]
    assert len(rows) == len(ROUTES)


def test_limits_are_documented():
    limits = Limits()
    for words in (
        f"| request line | {limits.request_line // 1024} KiB | 414 |",
        f"| request head | {limits.head // 1024} KiB, {limits.fields} fields | 431 |",
        f"| request body (`server.body_limit`) | {limits.body // 1024**2} MiB | 413;",
        f"connection's start | {limits.head_time:g} s | 408 |",
        f"| time for a complete body | {limits.body_time:g} s | 408 |",
        f"| idle kept-alive connection | {limits.idle_time:g} s | closed |",
        f"reads nothing of its answer | {limits.stall_time:g} s | the connection is closed |",
        f"slow reader | {limits.write_buffer // 1024} KiB",
        f"dropped for up to {limits.linger_time:g} s",
    ):
        assert words in PAGE


def test_every_header_of_ours_is_documented():
    sources = "".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    pages = PAGE + (ROOT / "docs" / "operations.md").read_text()
    names = set(re.findall(r"b\"(x-antiphon-[a-z-]+)\"", sources))
    assert len(names) >= 7
    assert {name for name in names if f"`{name}`" not in pages and f"**`{name}`**" not in pages} == set()
