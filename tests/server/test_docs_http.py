"""``docs/http.md`` says what the code does."""

from pathlib import Path

import pytest

from antiphon.server.limits import Limits
from antiphon.server.routes import ROUTES

PAGE = (Path(__file__).parents[2] / "docs" / "http.md").read_text()


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
        f"takes nothing of its answer | {limits.stall_time:g} s | cut off |",
        f"slow reader | {limits.write_buffer // 1024} KiB",
        f"dropped for up to {limits.linger_time:g} s",
    ):
        assert words in PAGE
