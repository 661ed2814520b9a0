"""The process that makes a response in the background, until when its lease holds, and whether to cancel it."""

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, PrimaryKeyConstraint, Text

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "background",
        Column("response", Text, nullable=False),
        Column("owner", Text, nullable=False),
        Column("lease", BigInteger, nullable=False),
        Column("cancel", Boolean, nullable=False),
        PrimaryKeyConstraint("response"),
    )
    op.create_index("background_by_owner", "background", ["owner"])
