"""Records as rows of the tables ``calls`` and ``attempts``.

A row consists of values, which are its own, and labels, which many rows share. Rows with the same labels are inserted
together, so that a label is bound once for all of them. Binding one by one is the larger part of what an insert costs.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from operator import attrgetter
from typing import Any

from antiphon.database.columns import (
    ADDED,
    ATTEMPT_LABELS,
    ATTEMPT_VALUES,
    ATTEMPTS,
    CALL_LABELS,
    CALL_VALUES,
    CALLS,
    OFTEN_NULL,
    POSITIONS,
    insert_group,
    upsert,
)
from antiphon.database.database import Transaction
from antiphon.ledger.pacing import do_nothing
from antiphon.types import AttemptRecord, Record

Row = tuple[Any, ...]
Groups = defaultdict[Row, list[Any]]
"""The values of rows, one row after the other, by the labels of these rows."""
Insert = tuple[str, list[Row]]
"""A statement and the parameters of each time that it is run."""

UPSERT_POSITION = upsert("positions", POSITIONS, "writer")
GROUP_SIZES = (32, 8)
"""How many rows with the same labels one statement inserts: 32 rows are 0.1 ms of work."""
SINGLE_ROWS = 8
"""How many rows without a group are inserted between two pauses."""

_get_counts = attrgetter("input", "cache_read", "output", "reasoning")
_NO_COUNTS = (None,) * 4
_RARE_NAMES = ("estimated", "cache_write", "audio_input", "image_input", "audio_output", *ADDED)
_get_rare = attrgetter(*_RARE_NAMES)
_NO_RARE = (None,) * len(_RARE_NAMES)
_NO_ADDED = (None,) * len(ADDED)
_FIRST = len(CALL_LABELS)
_write_insert = cache(insert_group)


class RowBatch:
    """The rows of some records, grouped for their inserts."""

    __slots__ = ("_attempts", "_calls", "records")

    def __init__(self) -> None:
        self.records = 0
        """How many records are in the batch."""
        self._calls: Groups = defaultdict(list)
        self._attempts: Groups = defaultdict(list)

    def add(self, records: Sequence[Record]) -> None:
        self.records += len(records)
        calls, attempts = self._calls, self._attempts
        for record in records:
            labels, values = _split_call(record)
            calls[labels].extend(values)
            for number, attempt in enumerate(record.attempts, 1):
                labels, values = _split_attempt(record.id, number, attempt)
                attempts[labels].extend(values)

    def insert(self, transaction: Transaction, pause: Callable[[], None] = do_nothing) -> None:
        """Insert the rows with pauses. Rows that are in the database already stay as they are."""
        for statement, rows in self._list_inserts():
            transaction.execute_many(statement, rows)
            pause()

    def _list_inserts(self) -> Iterator[Insert]:
        # Rows whose added columns are all NULL leave these out: the driver searches for an adapter of every value that
        # is no text or number, which costs as much as all the rest of a row.
        plain: list[tuple[Row, list[Any]]] = []
        others: list[tuple[Row, list[Any]]] = []
        for key, values in self._calls.items():
            labels = _make_call_labels(key)
            if labels[_FIRST:] == _NO_ADDED:
                plain.append((labels[:_FIRST], values))
            else:
                others.append((labels, values))
        attempts = [(_make_attempt_labels(key), values) for key, values in self._attempts.items()]
        yield from _write_inserts("calls", CALL_VALUES, CALL_LABELS, plain)
        yield from _write_inserts("calls", CALL_VALUES, (*CALL_LABELS, *ADDED), others)
        yield from _write_inserts("attempts", ATTEMPT_VALUES, ATTEMPT_LABELS, attempts)


def make_call_row(record: Record) -> Row:
    """Return a call's row in the order of ``columns.CALLS``."""
    labels, values = _split_call(record)
    named = dict(zip((*CALL_VALUES, *CALL_LABELS, *ADDED), (*values, *_make_call_labels(labels)), strict=True))
    return _order(named, CALLS)


def make_attempt_rows(record: Record) -> list[Row]:
    """Return one row for each attempt, numbered from 1, in the order of ``columns.ATTEMPTS``."""
    rows = []
    for number, attempt in enumerate(record.attempts, 1):
        labels, values = _split_attempt(record.id, number, attempt)
        named = dict(zip((*ATTEMPT_VALUES, *ATTEMPT_LABELS), (*values, *_make_attempt_labels(labels)), strict=True))
        rows.append(_order(named, ATTEMPTS))
    return rows


def _order(named: dict[str, Any], columns: tuple[str, ...]) -> Row:
    return tuple(None if name in OFTEN_NULL and named[name] == -1 else named[name] for name in columns)


def _split_call(record: Record) -> tuple[Row, Row]:
    """Return a key that is equal for calls with the same labels, and the values, with -1 for some NULLs."""
    usage, cost, first_output = record.usage, record.cost, record.first_output_us
    fresh, cached, output, reasoning = _NO_COUNTS if usage is None else _get_counts(usage)
    return (
        record.operation,
        record.model,
        record.target,
        record.provider,
        record.status,
        record.error,
        record.price_version,
        record.outcome,
        record.stream,
        _NO_RARE if usage is None else _get_rare(usage),
    ), (
        record.id,
        record.time,
        record.key_id,
        fresh,
        cached,
        output,
        reasoning,
        -1 if cost is None else cost,
        -1 if first_output is None else first_output,
        record.duration_us,
    )


def _make_call_labels(key: Row) -> Row:
    """Return the labels of a key: an enumeration as text, flags as integers, an added count of zero as NULL."""
    *labels, outcome, stream, (estimated, *counts) = key
    border = len(counts) - len(ADDED)
    return (
        *labels,
        outcome.value,
        int(stream),
        None if estimated is None else int(estimated),
        *counts[:border],
        *(count or None for count in counts[border:]),
    )


def _split_attempt(call: str, number: int, attempt: AttemptRecord) -> tuple[Row, Row]:
    first_output = attempt.first_output_us
    return (number, attempt.target, attempt.status, attempt.error, attempt.outcome), (
        call,
        -1 if first_output is None else first_output,
        attempt.duration_us,
    )


def _make_attempt_labels(key: Row) -> Row:
    return (*key[:-1], key[-1].value)


def _write_inserts(
    table: str, values: tuple[str, ...], labels: tuple[str, ...], groups: Iterable[tuple[Row, list[Any]]]
) -> Iterator[Insert]:
    width = len(values)
    singles: list[Row] = []
    for shared, flat in groups:
        start, end = 0, len(flat)
        for size in GROUP_SIZES:
            step = size * width
            while start + step <= end:
                yield _write_insert(table, values, labels, size), [(*flat[start : start + step], *shared)]
                start += step
        singles += [(*flat[at : at + width], *shared) for at in range(start, end, width)]
    for start in range(0, len(singles), SINGLE_ROWS):
        yield _write_insert(table, values, labels, 1), singles[start : start + SINGLE_ROWS]
