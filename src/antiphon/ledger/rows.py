"""Records as rows of the tables ``calls`` and ``attempts``."""

from collections.abc import Sequence
from typing import Any

from antiphon.database.columns import ADDED, ATTEMPTS, CALLS, POSITIONS, insert, upsert
from antiphon.database.database import Transaction
from antiphon.types import Outcome, Record, Usage

UPSERT_POSITION = upsert("positions", POSITIONS, "writer")

_FIRST = len(CALLS) - len(ADDED)
"""Columns of the first migration; the others are NULL in most rows."""
_INSERT_CALL = insert("calls", CALLS)
_INSERT_FIRST = insert("calls", CALLS[:_FIRST])
_INSERT_ATTEMPT = insert("attempts", ATTEMPTS)
_OUTCOMES = {outcome: outcome.value for outcome in Outcome}
_NO_COUNTS = (None,) * 9
_NO_ADDED = (None,) * len(ADDED)


def insert_records(transaction: Transaction, records: Sequence[Record]) -> None:
    """Insert the calls and attempts of records; calls that are there already stay as they are.

    The driver searches for an adapter of each value that is no text, integer or float, which costs as much as all the
    rest of a row. So columns that are NULL are left out, and flags are integers.
    """
    calls = [make_call_row(record) for record in records]
    transaction.execute_many(_INSERT_FIRST, [row[:_FIRST] for row in calls if row[_FIRST:] == _NO_ADDED])
    transaction.execute_many(_INSERT_CALL, [row for row in calls if row[_FIRST:] != _NO_ADDED])
    transaction.execute_many(_INSERT_ATTEMPT, [row for record in records for row in make_attempt_rows(record)])


def make_call_row(record: Record) -> tuple[Any, ...]:
    """Return the values in the order of ``columns.CALLS``."""
    usage = record.usage
    counts, added = (_NO_COUNTS, _NO_ADDED) if usage is None else _split_counts(usage)
    return (
        record.id,
        record.time,
        record.operation,
        record.model,
        _OUTCOMES[record.outcome],
        record.target,
        record.provider,
        record.key_id,
        record.status,
        record.error,
        int(record.stream),
        *counts,
        record.cost,
        record.price_version,
        record.first_output_us,
        record.duration_us,
        *added,
    )


def _split_counts(usage: Usage) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Return the columns of the first migration and the later ones; a later one without a count is NULL."""
    added: tuple[Any, ...] = _NO_ADDED
    if usage.other_bits or usage.service_tier:
        added = (
            usage.cache_write_long or None,
            usage.audio_cache_read or None,
            usage.image_output or None,
            usage.images or None,
            usage.seconds or None,
            usage.characters or None,
            usage.searches or None,
            usage.service_tier or None,
        )
    return (
        usage.input,
        usage.cache_read,
        usage.cache_write,
        usage.audio_input,
        usage.image_input,
        usage.output,
        usage.reasoning,
        usage.audio_output,
        int(usage.estimated),
    ), added


def make_attempt_rows(record: Record) -> list[tuple[Any, ...]]:
    """Return one row for each attempt, numbered from 1, in the order of ``columns.ATTEMPTS``."""
    return [
        (
            record.id,
            number,
            attempt.target,
            _OUTCOMES[attempt.outcome],
            attempt.status,
            attempt.error,
            attempt.first_output_us,
            attempt.duration_us,
        )
        for number, attempt in enumerate(record.attempts, 1)
    ]
