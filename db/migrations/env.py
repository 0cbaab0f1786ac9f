"""Alembic's entry point.

It runs the migrations on the connection and in the transaction of `db.migrate`.
"""

from alembic import context

import db.tables  # noqa: F401 - registers the tables
from db.columns import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
context.run_migrations()
