"""Column names in the order in which rows are written, and statements with them; light enough for the gateway process.

The tables themselves are in ``tables.py``, which loads SQLAlchemy; a test keeps the two in step.
"""

ADDED = (
    "cache_write_long",
    "audio_cache_read",
    "image_output",
    "images",
    "seconds",
    "characters",
    "searches",
    "service_tier",
)
"""Columns that later migrations added after those of the first."""
CALLS = (
    "id",
    "time",
    "operation",
    "model",
    "outcome",
    "target",
    "provider",
    "key_id",
    "status",
    "error",
    "stream",
    "input",
    "cache_read",
    "cache_write",
    "audio_input",
    "image_input",
    "output",
    "reasoning",
    "audio_output",
    "estimated",
    "cost",
    "price_version",
    "first_output_us",
    "duration_us",
    *ADDED,
)
CALL_VALUES = (
    "id",
    "time",
    "key_id",
    "input",
    "cache_read",
    "output",
    "reasoning",
    "cost",
    "first_output_us",
    "duration_us",
)
"""The columns in which calls differ."""
CALL_LABELS = (
    "operation",
    "model",
    "target",
    "provider",
    "status",
    "error",
    "price_version",
    "outcome",
    "stream",
    "estimated",
    "cache_write",
    "audio_input",
    "image_input",
    "audio_output",
)
"""The columns in which many calls are equal; :data:`ADDED` are labels too."""
ATTEMPTS = ("call_id", "number", "target", "outcome", "status", "error", "first_output_us", "duration_us")
ATTEMPT_VALUES = ("call_id", "first_output_us", "duration_us")
ATTEMPT_LABELS = ("number", "target", "status", "error", "outcome")
OFTEN_NULL = frozenset(("cost", "first_output_us"))
"""The values that are often NULL. None of them is ever negative."""
KEYS = ("id", "name", "digest", "models", "created_at", "expires_at", "revoked_at", "admin")
REVISION = ("name", "value")
POSITIONS = ("writer", "segment", "offset")
RESPONSES = ("id", "key_id", "previous", "created", "expires", "data")
ITEMS = ("key_id", "id", "response")
BACKGROUND = ("response", "owner", "lease", "cancel")


def select(table: str, columns: tuple[str, ...]) -> str:
    """Return a query for every row, with the columns in the given order."""
    names = ", ".join(f'"{column}"' for column in columns)
    return f"SELECT {names} FROM {table}"  # noqa: S608 - names are those above, never a caller's


def insert(table: str, columns: tuple[str, ...]) -> str:
    """Return an insert that skips rows whose key is there already; values are positional, marked ``?``."""
    names = ", ".join(f'"{column}"' for column in columns)
    return f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(columns))}) ON CONFLICT DO NOTHING"  # noqa: S608


def insert_group(table: str, values: tuple[str, ...], labels: tuple[str, ...], rows: int) -> str:
    """Return an insert of ``rows`` rows that share their labels; it skips rows whose key is there already.

    Bind the values of each row in turn, then the labels once. For NULL in a column of :data:`OFTEN_NULL` bind -1: the
    driver of SQLite takes 0.4 µs to bind a NULL and 0.1 µs to bind an integer.
    """
    names = ", ".join(f'"{column}"' for column in (*values, *labels))
    width = len(values)
    shared = [f"?{rows * width + number}" for number in range(1, len(labels) + 1)]
    lines = []
    for first in range(1, rows * width, width):
        own = [f"nullif(?{at}, -1)" if column in OFTEN_NULL else f"?{at}" for at, column in enumerate(values, first)]
        lines.append(f"({', '.join(own + shared)})")
    return f"INSERT INTO {table} ({names}) VALUES {', '.join(lines)} ON CONFLICT DO NOTHING"  # noqa: S608


def upsert(table: str, columns: tuple[str, ...], key: str) -> str:
    """Return an insert that replaces every other column if ``key`` is there already."""
    updates = ", ".join(f'"{column}" = excluded."{column}"' for column in columns if column != key)
    return insert(table, columns).replace("DO NOTHING", f'("{key}") DO UPDATE SET {updates}')
