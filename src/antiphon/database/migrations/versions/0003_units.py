"""Buckets of tokens that have prices of their own, units that are no tokens, and the service tier.

Rows that are there keep NULL in them: nobody counted these apart.
"""

from alembic import op
from sqlalchemy import BigInteger, Column, Text

revision = "0003"
down_revision = "0002"

COUNTS = (
    "cache_write_long",
    "audio_cache_read",
    "image_output",
    "images",
    "seconds",
    "characters",
    "searches",
)


def upgrade() -> None:
    for name in COUNTS:
        op.add_column("calls", Column(name, BigInteger))
    op.add_column("calls", Column("service_tier", Text))
