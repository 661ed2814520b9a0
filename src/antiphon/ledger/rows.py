"""Records as rows of the tables ``calls`` and ``attempts``."""

from typing import Any

from antiphon.database.columns import ATTEMPTS, CALLS, POSITIONS, insert, upsert
from antiphon.types import Record, Usage

INSERT_CALL = insert("calls", CALLS)
INSERT_ATTEMPT = insert("attempts", ATTEMPTS)
REACH = upsert("positions", POSITIONS, "writer")

_NO_COUNTS = (None,) * 9
_NO_ADDED = (None,) * 8


def call_row(record: Record) -> tuple[Any, ...]:
    """Return the values in the order of ``columns.CALLS``."""
    usage = record.usage
    counts, added = (_NO_COUNTS, _NO_ADDED) if usage is None else _counts(usage)
    return (
        record.id,
        record.time,
        record.operation,
        record.model,
        record.outcome.value,
        record.target,
        record.provider,
        record.key_id,
        record.status,
        record.error,
        record.stream,
        *counts,
        record.cost,
        record.price_version,
        record.first_output_us,
        record.duration_us,
        *added,
    )


def _counts(usage: Usage) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Return the columns of the first migration and the later ones, where none is NULL as in rows of before them."""
    return (
        usage.input,
        usage.cache_read,
        usage.cache_write,
        usage.audio_input,
        usage.image_input,
        usage.output,
        usage.reasoning,
        usage.audio_output,
        usage.estimated,
    ), (
        usage.cache_write_long or None,
        usage.audio_cache_read or None,
        usage.image_output or None,
        usage.images or None,
        usage.seconds or None,
        usage.characters or None,
        usage.searches or None,
        usage.service_tier or None,
    )


def attempt_rows(record: Record) -> list[tuple[Any, ...]]:
    """Return one row for each attempt, numbered from 1, in the order of ``columns.ATTEMPTS``."""
    return [
        (
            record.id,
            number,
            attempt.target,
            attempt.outcome.value,
            attempt.status,
            attempt.error,
            attempt.first_output_us,
            attempt.duration_us,
        )
        for number, attempt in enumerate(record.attempts, 1)
    ]
