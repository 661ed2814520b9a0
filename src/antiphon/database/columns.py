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
ATTEMPTS = ("call_id", "number", "target", "outcome", "status", "error", "first_output_us", "duration_us")
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


def upsert(table: str, columns: tuple[str, ...], key: str) -> str:
    """Return an insert that replaces every other column if ``key`` is there already."""
    updates = ", ".join(f'"{column}" = excluded."{column}"' for column in columns if column != key)
    return insert(table, columns).replace("DO NOTHING", f'("{key}") DO UPDATE SET {updates}')
