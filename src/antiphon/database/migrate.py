"""Brings an older schema up to date. Loads Alembic, so only a start that has to migrate imports this module."""

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from antiphon.errors import LedgerError

LOCATION = "antiphon.database:migrations"


def upgrade(engine: Engine, version: str | None) -> None:
    """Run every migration after ``version`` in one transaction; a second process waits for it and has nothing to do."""
    config = Config()
    config.set_main_option("script_location", LOCATION)
    config.set_main_option("path_separator", "os")
    try:
        if version is not None:
            ScriptDirectory.from_config(config).get_revision(version)
    except CommandError as error:
        raise LedgerError(
            f"the ledger database has schema version {version}, which this release does not know: it was written by a "
            "newer one; install that release, or name another data directory"
        ) from error
    try:
        with engine.connect().execution_options(begin="BEGIN IMMEDIATE") as connection, connection.begin():
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except SQLAlchemyError as error:
        raise LedgerError(f"the ledger database could not be migrated from version {version}: {error}") from error
