"""Responses that are kept for their callers, so that a conversation can go on from them."""

from alembic import op
from sqlalchemy import BigInteger, Column, LargeBinary, PrimaryKeyConstraint, Text

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "responses",
        Column("id", Text, nullable=False),
        Column("key_id", Text, nullable=False),
        Column("previous", Text, nullable=False),
        Column("created", BigInteger, nullable=False),
        Column("expires", BigInteger, nullable=False),
        Column("data", LargeBinary, nullable=False),
        PrimaryKeyConstraint("id"),
    )
    op.create_index("responses_by_expiry", "responses", ["expires"])
