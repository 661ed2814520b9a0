"""What was measured as one page: the table, the verdicts, the machine."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from bench.subjects import BARE, OFF, ON

Rows = dict[str, dict[str, dict[str, float]]]
"""Row to subject to figure to value."""


@dataclass(frozen=True)
class Target:
    """A figure: how to find it among the rows, the limit the project promises, if any, and how to show it."""

    what: str
    limit: float | None
    show: str
    find: Callable[[Rows], float]


TARGETS = (
    Target("everything on, CPU per request", 8.0, "{:.1f}× nginx", lambda rows: _ratio(rows, "requests", ON)),
    Target("everything off, CPU per request", 5.0, "{:.1f}× nginx", lambda rows: _ratio(rows, "requests", OFF)),
    Target("everything on, CPU per stream chunk", 2.5, "{:.1f}× nginx", lambda rows: _ratio(rows, "streams", ON)),
    Target(
        "chat in, messages out, CPU per request",
        3.0,
        "{:.1f}× pass-through",
        lambda rows: rows["translation"][ON]["cpu"] / rows["requests"][ON]["cpu"],
    ),
    Target(
        "chat in, messages out, CPU per stream chunk",
        40.0,
        "{:.1f} µs",
        lambda rows: rows["translation"][ON]["chunk"] * 1e6,
    ),
    Target(
        "SDK call in process, synchronous",
        0.15,
        "{:.2f}× openai SDK",
        lambda rows: rows["sdk"]["antiphon"]["sync"] / rows["sdk"]["openai"]["sync"],
    ),
    Target(
        "SDK call in process, asynchronous",
        0.15,
        "{:.2f}× openai SDK",
        lambda rows: rows["sdk"]["antiphon"]["async"] / rows["sdk"]["openai"]["async"],
    ),
    Target("ready, first start", 1.0, "{:.2f} s", lambda rows: rows["ready"][ON]["fresh"]),
    Target("ready, later start", 1.0, "{:.2f} s", lambda rows: rows["ready"][ON]["again"]),
    Target("idle memory (RSS)", 80.0, "{:.0f} MB", lambda rows: rows["held"][ON]["rss"] / 1e6),
    Target("memory per idle stream", 60.0, "{:.1f} KiB", lambda rows: rows["held"][ON]["rss_per_stream"] / 1024),
    Target("import antiphon", 50.0, "{:.0f} ms", lambda rows: rows["imports"]["antiphon"]["module"] * 1e3),
    Target(
        "everything on, CPU per request", None, "{:.1f}× bare Python", lambda rows: _ratio(rows, "requests", ON, BARE)
    ),
    Target(
        "everything on, CPU per stream chunk",
        None,
        "{:.1f}× bare Python",
        lambda rows: _ratio(rows, "streams", ON, BARE),
    ),
    Target(
        "everything off, added p99, one connection", None, "{:,.0f} µs", lambda rows: rows["latency"][OFF]["p99"] * 1e6
    ),
    Target(
        "everything on, added p99, one connection", None, "{:,.0f} µs", lambda rows: rows["latency"][ON]["p99"] * 1e6
    ),
    Target(
        "everything on, p99 at 64 connections",
        None,
        "{:.1f}× everything off",
        lambda rows: rows["requests"][ON]["p99"] / rows["requests"][OFF]["p99"],
    ),
)


def _ratio(rows: Rows, row: str, subject: str, base: str = "nginx") -> float:
    return rows[row][subject]["cpu"] / rows[row][base]["cpu"]


def verdicts(rows: Rows) -> list[dict[str, Any]]:
    """Return each figure that could be measured in this run, and whether its promise was kept, if there is one."""
    found = []
    for target in TARGETS:
        try:
            value = target.find(rows)
        except KeyError:
            continue
        kept = None if target.limit is None else value <= target.limit
        found.append({"what": target.what, "show": target.show, "limit": target.limit, "value": value, "kept": kept})
    return found


@dataclass(frozen=True)
class Column:
    """One column of the table: its row and figure, a factor into the shown unit, and a format."""

    title: str
    row: str
    figure: str
    factor: float
    show: str


COLUMNS = (
    Column("CPU per request", "requests", "cpu", 1e6, "{:,.1f} µs"),
    Column("requests/s", "requests", "rate", 1, "{:,.0f}"),
    Column("CPU per stream chunk", "streams", "cpu", 1e6, "{:,.1f} µs"),
    Column("added latency p50", "latency", "p50", 1e6, "{:,.0f} µs"),
    Column("p99", "latency", "p99", 1e6, "{:,.0f} µs"),
    Column("p99 at 64 connections", "requests", "p99", 1e3, "{:,.1f} ms"),
    Column("ready", "ready", "fresh", 1, "{:.2f} s"),
    Column("idle RSS", "held", "rss", 1e-6, "{:,.0f} MB"),
    Column("idle PSS", "held", "pss", 1e-6, "{:,.0f} MB"),
    Column("per idle stream", "held", "rss_per_stream", 1 / 1024, "{:,.1f} KiB"),
)
RATIOS = {"CPU per request": "requests", "CPU per stream chunk": "streams"}


def markdown(rows: Rows, machine: dict[str, str], how: str) -> str:
    """Return the whole page."""
    parts = [
        "# Benchmarks",
        "Written by `scripts/bench --write`; do not edit. Ratios hold within one run on one machine: compare those.",
        _verdict_table(rows),
        "## One provider, several programs in front of it",
        _subject_table(rows),
        _sdk_table(rows),
        render_walk(rows),
        "## How",
        how,
        "## The machine",
        "\n".join(f"- {name}: {value}" for name, value in machine.items()),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _verdict_table(rows: Rows) -> str:
    words = {None: "–", True: "kept", False: "**missed**"}
    lines = [
        (
            found["what"],
            "–" if found["limit"] is None else "≤ " + found["show"].format(found["limit"]),
            found["show"].format(found["value"]),
            words[found["kept"]],
        )
        for found in verdicts(rows)
    ]
    return "## What is promised\n\n" + _table(("figure", "target", "measured", "verdict"), lines) if lines else ""


def _subject_table(rows: Rows) -> str:
    columns = [column for column in COLUMNS if column.row in rows]
    subjects = list(dict.fromkeys(name for column in columns for name in rows[column.row]))
    if not subjects:
        return ""
    lines = [[subject, *(_cell(rows, column, subject) for column in columns)] for subject in subjects]
    return _table(["in front of the same provider", *(column.title for column in columns)], lines)


def _cell(rows: Rows, column: Column, subject: str) -> str:
    value = rows[column.row].get(subject, {}).get(column.figure)
    if value is None:
        return "–"
    shown = column.show.format(value * column.factor)
    row = RATIOS.get(column.title)
    if row and "nginx" in rows[row]:
        shown += f" ({_ratio(rows, row, subject):.1f}×)"
    return shown


def _sdk_table(rows: Rows) -> str:
    if "sdk" not in rows:
        return ""
    lines = [
        (name, f"{kinds['sync'] * 1e6:,.0f} µs", f"{kinds['async'] * 1e6:,.0f} µs")
        for name, kinds in rows["sdk"].items()
    ]
    return "## One call through an SDK, CPU time\n\n" + _table(("SDK", "synchronous", "asynchronous"), lines)


def render_walk(rows: Rows) -> str:
    """Return the section about what a call walks through."""
    if "walk" not in rows:
        return ""
    lines = [(name, *(f"{value:.0f}" for value in counts.values())) for name, counts in rows["walk"].items()]
    head = ("one call or chunk", "Python calls", "files", "moves between files")
    return "## What a call walks through\n\n" + _table(head, lines)


def _table(head: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    def rendered() -> Iterator[str]:
        titles = list(head)
        yield "| " + " | ".join(titles) + " |"
        yield "|---|" + "--:|" * (len(titles) - 1)
        for line in lines:
            yield "| " + " | ".join(line) + " |"

    return "\n".join(rendered())
