"""The page of results: targets and verdicts, tables, method, machine."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from bench.subjects import BARE, OFF, ON

Rows = dict[str, dict[str, dict[str, float]]]
"""Row to subject to figure to value."""


@dataclass(frozen=True)
class Target:
    """A figure: its limit, if the project promises one, its format, and how to compute it from the rows."""

    figure: str
    limit: float | None
    format: str
    compute: Callable[[Rows], float]


TARGETS = (
    Target("everything on, CPU per request", 8.0, "{:.1f}× nginx", lambda rows: _compute_ratio(rows, "requests", ON)),
    Target("everything off, CPU per request", 5.0, "{:.1f}× nginx", lambda rows: _compute_ratio(rows, "requests", OFF)),
    Target(
        "everything on, CPU per stream chunk", 2.5, "{:.1f}× nginx", lambda rows: _compute_ratio(rows, "streams", ON)
    ),
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
    Target("ready, first start", 1.0, "{:.2f} s", lambda rows: rows["ready"][ON]["first"]),
    Target("ready, later start", 1.0, "{:.2f} s", lambda rows: rows["ready"][ON]["later"]),
    Target("idle memory (RSS)", 80.0, "{:.0f} MB", lambda rows: rows["memory"][ON]["rss"] / 1e6),
    Target("memory per idle stream", 60.0, "{:.1f} KiB", lambda rows: rows["memory"][ON]["rss_per_stream"] / 1024),
    Target("import antiphon", 50.0, "{:.0f} ms", lambda rows: rows["imports"]["antiphon"]["module"] * 1e3),
    Target(
        "everything on, CPU per request",
        None,
        "{:.1f}× bare Python",
        lambda rows: _compute_ratio(rows, "requests", ON, BARE),
    ),
    Target(
        "everything on, CPU per stream chunk",
        None,
        "{:.1f}× bare Python",
        lambda rows: _compute_ratio(rows, "streams", ON, BARE),
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


def _compute_ratio(rows: Rows, row: str, subject: str, base: str = "nginx") -> float:
    return rows[row][subject]["cpu"] / rows[row][base]["cpu"]


def list_verdicts(rows: Rows) -> list[dict[str, Any]]:
    """Return the figures of this run; ``met`` says whether a figure is within its limit, ``None`` if it has none."""
    verdicts = []
    for target in TARGETS:
        try:
            value = target.compute(rows)
        except KeyError:
            continue  # the run did not measure the row
        limit = target.limit
        met = None if limit is None else value <= limit
        verdicts.append({"figure": target.figure, "format": target.format, "limit": limit, "value": value, "met": met})
    return verdicts


@dataclass(frozen=True)
class Column:
    """One column of the table: its row and figure, the factor to its unit, and its format."""

    title: str
    row: str
    figure: str
    factor: float
    format: str


COLUMNS = (
    Column("CPU per request", "requests", "cpu", 1e6, "{:,.1f} µs"),
    Column("requests/s", "requests", "rate", 1, "{:,.0f}"),
    Column("CPU per stream chunk", "streams", "cpu", 1e6, "{:,.1f} µs"),
    Column("added latency p50", "latency", "p50", 1e6, "{:,.0f} µs"),
    Column("p99", "latency", "p99", 1e6, "{:,.0f} µs"),
    Column("p99 at 64 connections", "requests", "p99", 1e3, "{:,.1f} ms"),
    Column("ready", "ready", "first", 1, "{:.2f} s"),
    Column("idle RSS", "memory", "rss", 1e-6, "{:,.0f} MB"),
    Column("idle PSS", "memory", "pss", 1e-6, "{:,.0f} MB"),
    Column("per idle stream", "memory", "rss_per_stream", 1 / 1024, "{:,.1f} KiB"),
)
RATIOS = {"CPU per request": "requests", "CPU per stream chunk": "streams"}


def render_page(rows: Rows, machine: dict[str, str], method: str) -> str:
    """Return the whole page."""
    parts = [
        "# Benchmarks",
        "`scripts/bench --write` writes this page; do not edit it. Compare the ratios rather than the absolute\n"
        "figures: both sides of a ratio come from the same run on the same machine.",
        _render_verdicts(rows),
        "## Programs in front of the same provider",
        _render_subjects(rows),
        _render_sdk(rows),
        render_walk(rows),
        "## Method",
        method,
        "## Machine",
        "\n".join(f"- {name}: {value}" for name, value in machine.items()),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _render_verdicts(rows: Rows) -> str:
    words = {None: "–", True: "met", False: "**missed**"}
    lines = [
        (
            verdict["figure"],
            "–" if verdict["limit"] is None else "≤ " + verdict["format"].format(verdict["limit"]),
            verdict["format"].format(verdict["value"]),
            words[verdict["met"]],
        )
        for verdict in list_verdicts(rows)
    ]
    return "## Targets\n\n" + _render_table(("figure", "target", "measured", "verdict"), lines) if lines else ""


def _render_subjects(rows: Rows) -> str:
    columns = [column for column in COLUMNS if column.row in rows]
    subjects = list(dict.fromkeys(name for column in columns for name in rows[column.row]))
    if not subjects:
        return ""
    lines = [[subject, *(_render_cell(rows, column, subject) for column in columns)] for subject in subjects]
    return _render_table(["program", *(column.title for column in columns)], lines)


def _render_cell(rows: Rows, column: Column, subject: str) -> str:
    value = rows[column.row].get(subject, {}).get(column.figure)
    if value is None:
        return "–"
    cell = column.format.format(value * column.factor)
    row = RATIOS.get(column.title)
    if row and "nginx" in rows[row]:
        cell += f" ({_compute_ratio(rows, row, subject):.1f}×)"
    return cell


def _render_sdk(rows: Rows) -> str:
    if "sdk" not in rows:
        return ""
    lines = [
        (name, f"{kinds['sync'] * 1e6:,.0f} µs", f"{kinds['async'] * 1e6:,.0f} µs")
        for name, kinds in rows["sdk"].items()
    ]
    return "## One call through an SDK, CPU time\n\n" + _render_table(("SDK", "synchronous", "asynchronous"), lines)


def render_walk(rows: Rows) -> str:
    """Return the section about the functions and files that a call passes through."""
    if "walk" not in rows:
        return ""
    lines = [(name, *(f"{value:.0f}" for value in counts.values())) for name, counts in rows["walk"].items()]
    head = ("one call or chunk", "Python calls", "files", "moves between files")
    return "## Python calls and files per call\n\n" + _render_table(head, lines)


def _render_table(head: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    def iterate_lines() -> Iterator[str]:
        titles = list(head)
        yield "| " + " | ".join(titles) + " |"
        yield "|---|" + "--:|" * (len(titles) - 1)
        for line in lines:
            yield "| " + " | ".join(line) + " |"

    return "\n".join(iterate_lines())
