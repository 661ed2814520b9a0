"""Alembic's way in: runs the migrations on the connection that ``store/migrate.py`` hands over."""

from alembic import context

from antiphon.database.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
