"""Reports on usage: what was called, what it used, what it cost, and what it would cost now. Exact integers only."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, tzinfo
from functools import cache
from operator import eq, ge, lt
from typing import Any

import msgspec
from sqlalchemy import Column, ColumnElement, Connection, RowMapping, and_, case, func, literal, or_, select
from sqlalchemy.exc import SQLAlchemyError

from antiphon.database.database import Database
from antiphon.database.tables import calls, keys
from antiphon.errors import LedgerError
from antiphon.ledger.period import from_us
from antiphon.types import BUCKETS, COUNTS, INPUT, PICO, UNITS, Outcome, Price, Usage

Prices = Callable[[str], Price | None]
"""Returns the current price of a target by its name, ``None`` if it is unknown."""

QUARTER_US = 900 * 1_000_000
"""Midnight falls on a quarter of an hour in every zone, so sums by the quarter hour add up to days of any zone."""

HALF = 1 << 32
"""Both halves of a 64-bit integer are summed apart, because databases differ in what they do if a sum does not fit."""

GROUPS: dict[str, ColumnElement[Any]] = {
    "day": calls.c.time // QUARTER_US,
    "model": calls.c.model,
    "key": calls.c.key_id,
    "call": calls.c.id,
}
"""The groups that usage can be listed by."""

COUNTED = (*(calls.c[name] for name in COUNTS), calls.c.service_tier)
"""The columns that :func:`usage_of` reads."""
_DETAILS = (
    *("time", "operation", "model", "target", "key_id", "outcome", "status", "error", "stream", "price_version"),
    "service_tier",
)
_DURATIONS = ("first_output_us", "duration_us")
_SOMETHING = or_(*(calls.c[name] > 0 for name in COUNTS))


class Filter(msgspec.Struct, frozen=True):
    """The calls that count: from ``since`` up to but not including ``until`` (microseconds), of a model, with a key."""

    since: int | None = None
    until: int | None = None
    model: str | None = None
    key: str | None = None

    def list_conditions(self) -> list[ColumnElement[bool]]:
        wanted: tuple[tuple[int | str | None, Callable[[Any, Any], ColumnElement[bool]], Column[Any]], ...] = (
            (self.since, ge, calls.c.time),
            (self.until, lt, calls.c.time),
            (self.model, eq, calls.c.model),
            (self.key, eq, calls.c.key_id),
        )
        return [compare(column, value) for value, compare, column in wanted if value is not None]


class Line(msgspec.Struct):
    """Sums over calls. ``cost`` is in picodollars, for the calls whose price was known; ``unpriced`` counts the others.

    ``repriced`` is the cost at current prices, ``None`` if nobody asked for it.
    """

    group: str
    detail: dict[str, Any] = {}
    calls: int = 0
    errors: int = 0
    partial: int = 0
    cancelled: int = 0
    estimated: int = 0
    tokens: dict[str, int] = msgspec.field(default_factory=lambda: dict.fromkeys(BUCKETS, 0))
    units: dict[str, int] = msgspec.field(default_factory=lambda: dict.fromkeys(UNITS, 0))
    cost: int = 0
    priced: int = 0
    unpriced: int = 0
    repriced: int | None = None
    repriced_priced: int = 0
    repriced_unpriced: int = 0

    @property
    def total_tokens(self) -> int:
        return sum(self.tokens.values())

    @property
    def known_cost(self) -> int | None:
        """The cost, or ``None`` if something was used and none of its prices is known."""
        return None if self.unpriced and not self.priced else self.cost

    @property
    def total_input(self) -> int:
        return sum(count for bucket, count in self.tokens.items() if bucket in INPUT)

    @property
    def known_repriced(self) -> int | None:
        """The same for :attr:`repriced`."""
        return None if self.repriced_unpriced and not self.repriced_priced else self.repriced

    def add(self, other: "Line") -> None:
        for name in ("calls", "errors", "partial", "cancelled", "estimated", "cost", "priced", "unpriced"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for mine, others in ((self.tokens, other.tokens), (self.units, other.units)):
            for name, count in others.items():
                mine[name] += count

    def reprice(self, cost: int | None) -> None:
        """Count one call at its current price."""
        self.repriced = (self.repriced or 0) + (cost or 0)
        self.repriced_priced += cost is not None
        self.repriced_unpriced += cost is None


class Report(msgspec.Struct, frozen=True):
    """The lines of a report and their total, which includes the lines that a limit left out."""

    by: str
    lines: list[Line]
    total: Line
    left_out: int = 0


def report(
    database: Database,
    by: str,
    filter: Filter = Filter(),  # noqa: B008 - frozen, and named as on the command line
    *,
    zone: tzinfo = UTC,
    limit: int | None = None,
    prices: Prices | None = None,
) -> Report:
    """Add up the ledger by one of :data:`GROUPS`; days are those of ``zone``.

    Days come in order, models and keys by cost, calls newest first. With ``prices`` every call is also priced again;
    nothing stored changes. Raises ``LedgerError`` if the database cannot be read.
    """
    try:
        with database.engine.connect() as connection:
            total = Line("total")
            for line in _sum_calls(connection, literal("total"), filter):
                total = line
            if by == "call":
                lines = _list_calls(connection, filter, zone, limit)
            else:
                lines = _list_groups(connection, by, filter, zone)
            if prices is not None:
                _reprice(connection, by, filter, zone, prices, lines, total)
            if by == "key":
                _name_keys(connection, lines)
    except SQLAlchemyError as error:
        raise LedgerError(f"the ledger database cannot be read: {error}") from error
    count = total.calls if by == "call" else len(lines)
    shown = list(lines.values())[:limit]
    return Report(by, shown, total, count - len(shown))


def _sum_calls(connection: Connection, group: ColumnElement[Any], filter: Filter) -> Iterator[Line]:
    """Yield a line for each value of ``group`` that has calls."""
    counts = {
        "errors": calls.c.outcome == Outcome.ERROR.value,
        "partial": calls.c.outcome == Outcome.PARTIAL.value,
        "cancelled": calls.c.outcome == Outcome.CANCELLED.value,
        "estimated": calls.c.estimated,
        "priced": and_(calls.c.cost.is_not(None), _SOMETHING),
        "unpriced": and_(calls.c.cost.is_(None), _SOMETHING),
    }
    columns = [func.sum(case((condition, 1), else_=0)).label(name) for name, condition in counts.items()]
    for name in (*COUNTS, "cost"):
        columns += [
            func.sum(calls.c[name] // HALF).label(f"{name}_high"),
            func.sum(calls.c[name] % HALF).label(f"{name}_low"),
        ]
    query = select(group.label("group"), func.count().label("calls"), *columns)
    for row in connection.execute(query.where(*filter.list_conditions()).group_by("group")).mappings():
        whole: dict[str, int] = {
            name: int(row[f"{name}_high"] or 0) * HALF + int(row[f"{name}_low"] or 0) for name in (*COUNTS, "cost")
        }
        yield Line(
            group=str(row["group"]),
            calls=row["calls"],
            cost=whole.pop("cost"),
            tokens={name: whole[name] for name in BUCKETS},
            units={name: whole[name] for name in UNITS},
            errors=row["errors"],
            partial=row["partial"],
            cancelled=row["cancelled"],
            estimated=row["estimated"],
            priced=row["priced"],
            unpriced=row["unpriced"],
        )


def _list_groups(connection: Connection, by: str, filter: Filter, zone: tzinfo) -> dict[str, Line]:
    lines: dict[str, Line] = {}
    for line in _sum_calls(connection, GROUPS[by], filter):
        line.group = _format_day(int(line.group), zone) if by == "day" else line.group
        if line.group in lines:
            lines[line.group].add(line)
        else:
            lines[line.group] = line
    order = (lambda line: line.group) if by == "day" else (lambda line: (-line.cost, -line.calls, line.group))
    return {line.group: line for line in sorted(lines.values(), key=order)}


def _format_day(quarter: int, zone: tzinfo) -> str:
    return from_us(quarter * QUARTER_US, zone).date().isoformat()


def _list_calls(connection: Connection, filter: Filter, zone: tzinfo, limit: int | None) -> dict[str, Line]:
    query = select(calls).where(*filter.list_conditions()).order_by(calls.c.time.desc(), calls.c.id.desc()).limit(limit)
    return {row["id"]: _make_call_line(row, zone) for row in connection.execute(query).mappings()}


def _make_call_line(row: RowMapping, zone: tzinfo) -> Line:
    outcome = row["outcome"]
    tokens = {bucket: row[bucket] or 0 for bucket in BUCKETS}
    units = {name: row[name] or 0 for name in UNITS}
    paid = any((*tokens.values(), *units.values()))
    detail = {name: row[name] for name in (*_DETAILS, *_DURATIONS)}
    detail["time"] = from_us(row["time"], zone).isoformat(timespec="microseconds")
    return Line(
        group=row["id"],
        detail=detail,
        calls=1,
        errors=int(outcome == Outcome.ERROR.value),
        partial=int(outcome == Outcome.PARTIAL.value),
        cancelled=int(outcome == Outcome.CANCELLED.value),
        estimated=int(row["estimated"] or 0),
        tokens=tokens,
        units=units,
        cost=row["cost"] or 0,
        priced=int(paid and row["cost"] is not None),
        unpriced=int(paid and row["cost"] is None),
    )


def _reprice(
    connection: Connection,
    by: str,
    filter: Filter,
    zone: tzinfo,
    prices: Prices,
    lines: Mapping[str, Line],
    total: Line,
) -> None:
    """Price each call by itself, because a price may depend on the call's length."""
    for line in (*lines.values(), total):
        line.repriced = 0
    query = select(GROUPS[by], calls.c.target, *COUNTED)
    known = cache(prices)
    for group, target, *counts in connection.execute(query.where(*filter.list_conditions(), _SOMETHING)):
        price = known(target)
        cost = None if price is None else price.compute_cost(read_usage(counts))
        total.reprice(cost)
        shown = lines.get(_format_day(group, zone) if by == "day" else group)
        if shown is not None:
            shown.reprice(cost)


def read_usage(counted: Sequence[Any]) -> Usage:
    """Return the usage of a row whose columns are in the order of :data:`COUNTED`; an absent count is zero."""
    *counts, tier = counted
    used: dict[str, Any] = {name: count or 0 for name, count in zip(COUNTS, counts, strict=True)}
    return Usage(**used, service_tier=tier or "")


def _name_keys(connection: Connection, lines: Mapping[str, Line]) -> None:
    names = {row.id: row.name for row in connection.execute(select(keys.c.id, keys.c.name))}
    for line in lines.values():
        line.detail = {"name": names.get(line.group, "")}


def format_dollars(picodollars: int) -> str:
    """Return an amount in dollars, exactly, with at least two decimal places."""
    whole, rest = divmod(picodollars, PICO)
    return f"{whole}.{f'{rest:012d}'.rstrip('0').ljust(2, '0')}"
