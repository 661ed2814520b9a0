"""The schema at head, for queries and for checking the migrations. Amounts are picodollars, times microseconds."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, LargeBinary, MetaData, Table, Text

from antiphon.database.columns import ADDED, CALLS
from antiphon.types import COUNTS

metadata = MetaData()

calls = Table(
    "calls",
    metadata,
    Column("id", Text, primary_key=True),
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
    # NULL in every count: nothing was reported or counted. NULL cost: the price is unknown, which is not zero.
    *(Column(name, BigInteger) for name in CALLS if name in COUNTS and name not in ADDED),
    Column("estimated", Boolean),
    Column("cost", BigInteger),
    Column("price_version", Text, nullable=False),
    Column("first_output_us", BigInteger),
    Column("duration_us", BigInteger, nullable=False),
    *(Column(name, BigInteger if name in COUNTS else Text) for name in ADDED),
    Index("calls_by_time", "time"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("call_id", Text, ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("target", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("error", Text, nullable=False),
    Column("first_output_us", BigInteger),
    Column("duration_us", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

keys = Table(
    "keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("digest", Text, nullable=False, unique=True),
    Column("models", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("admin", Boolean, nullable=False),
)

revision = Table(
    "revision",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

positions = Table(
    "positions",
    metadata,
    Column("writer", Text, primary_key=True),
    Column("segment", BigInteger, nullable=False),
    Column("offset", BigInteger, nullable=False),
)

responses = Table(
    "responses",
    metadata,
    Column("id", Text, primary_key=True),
    Column("key_id", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
    # The last column: whoever follows a conversation back need not read over it.
    Column("data", LargeBinary, nullable=False),
    Index("responses_by_expiry", "expires"),
)

background = Table(
    "background",
    metadata,
    Column("response", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("lease", BigInteger, nullable=False),
    Column("cancel", Boolean, nullable=False),
    Index("background_by_owner", "owner"),
)

items = Table(
    "items",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("response", Text, nullable=False),
    Index("items_by_response", "response"),
)
