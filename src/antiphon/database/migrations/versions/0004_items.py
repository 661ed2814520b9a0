"""Where each item of a kept response is, so that a request can refer to it by its id alone."""

from alembic import op
from sqlalchemy import Column, PrimaryKeyConstraint, Text

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "items",
        Column("key_id", Text, nullable=False),
        Column("id", Text, nullable=False),
        Column("response", Text, nullable=False),
        PrimaryKeyConstraint("key_id", "id"),
    )
    op.create_index("items_by_response", "items", ["response"])
