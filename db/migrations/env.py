"""Alembic's entry: runs the migrations on the connection that `db.migrate` hands over, inside its transaction."""

from alembic import context

import db.tables  # noqa: F401 - registers the tables
from db.columns import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
context.run_migrations()
