"""Calls, attempts, keys, revision counters, shipping positions."""

from alembic import op
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKeyConstraint,
    Integer,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
)

revision = "0001"
down_revision = None

BUCKETS = (
    "input",
    "cache_read",
    "cache_write",
    "audio_input",
    "image_input",
    "output",
    "reasoning",
    "audio_output",
)


def upgrade() -> None:
    _create_calls()
    _create_attempts()
    _create_keys()
    op.create_table(
        "revision",
        Column("name", Text, nullable=False),
        Column("value", BigInteger, nullable=False),
        PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "positions",
        Column("writer", Text, nullable=False),
        Column("segment", BigInteger, nullable=False),
        Column("offset", BigInteger, nullable=False),
        PrimaryKeyConstraint("writer"),
    )


def _create_calls() -> None:
    op.create_table(
        "calls",
        Column("id", Text, nullable=False),
        Column("time", BigInteger, nullable=False),
        Column("operation", Text, nullable=False),
        Column("model", Text, nullable=False),
        Column("outcome", Text, nullable=False),
        Column("target", Text, nullable=False),
        Column("provider", Text, nullable=False),
        Column("key_id", Text, nullable=False),
        Column("status", Integer, nullable=False),
        Column("error", Text, nullable=False),
        Column("stream", Boolean, nullable=False),
        *(Column(bucket, BigInteger) for bucket in BUCKETS),
        Column("estimated", Boolean),
        Column("cost", BigInteger),
        Column("price_version", Text, nullable=False),
        Column("first_output_us", BigInteger),
        Column("duration_us", BigInteger, nullable=False),
        PrimaryKeyConstraint("id"),
    )
    op.create_index("calls_by_time", "calls", ["time"])


def _create_attempts() -> None:
    op.create_table(
        "attempts",
        Column("call_id", Text, nullable=False),
        Column("number", Integer, nullable=False),
        Column("target", Text, nullable=False),
        Column("outcome", Text, nullable=False),
        Column("status", Integer, nullable=False),
        Column("error", Text, nullable=False),
        Column("first_output_us", BigInteger),
        Column("duration_us", BigInteger, nullable=False),
        PrimaryKeyConstraint("call_id", "number"),
        ForeignKeyConstraint(["call_id"], ["calls.id"], ondelete="CASCADE"),
        sqlite_with_rowid=False,
    )


def _create_keys() -> None:
    op.create_table(
        "keys",
        Column("id", Text, nullable=False),
        Column("name", Text, nullable=False),
        Column("digest", Text, nullable=False),
        Column("models", Text, nullable=False),
        Column("created_at", BigInteger, nullable=False),
        Column("expires_at", BigInteger),
        Column("revoked_at", BigInteger),
        Column("admin", Boolean, nullable=False),
        PrimaryKeyConstraint("id"),
        UniqueConstraint("digest"),
    )
