"""Migration of a database to this version.

All pending migrations run in one transaction.
"""

from pathlib import Path
from typing import Final

from sqlalchemy import Column, Connection, MetaData, String, Table, inspect, select

from bot.domain.errors import AtelierError
from db.database import Database
from db.locks import MIGRATING, advisory_lock, disable_timeout

MIGRATIONS: Final = Path(__file__).parent / "migrations"
_VERSION: Final = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))


class NewerDatabaseError(AtelierError):
    """A newer version of the product has migrated this database.

    This version must not touch it.
    """

    code = "newer_database"

    def __init__(self, revision: str) -> None:
        super().__init__()
        self.revision = revision


async def migrate(database: Database, migrations: Path = MIGRATIONS) -> list[str]:
    """Apply pending migrations and return their revisions.

    Several processes may call it at once: PostgreSQL's advisory lock and SQLite's single writer serialize them.

    Raises:
        NewerDatabaseError: a newer version has migrated the database.
    """
    return await database.write(lambda connection: _upgrade(connection, migrations))


def apply_migrations(connection: Connection) -> list[str]:
    """Apply pending migrations inside the caller's transaction."""
    return _upgrade(connection, MIGRATIONS)


def current_revision(connection: Connection) -> str | None:
    """Return the database's revision, or None before the first migration."""
    if not inspect(connection).has_table(_VERSION.name):
        return None
    return connection.execute(select(_VERSION.c.version_num)).scalar()


async def pending_migrations(database: Database, migrations: Path = MIGRATIONS) -> list[str]:
    """Return the pending revisions, oldest first.

    Raises:
        NewerDatabaseError: a newer version has migrated the database.
    """
    return await database.read(lambda connection: _pending(connection, migrations))


def _upgrade(connection: Connection, migrations: Path) -> list[str]:
    disable_timeout(connection)
    advisory_lock(connection, MIGRATING)
    pending = _pending(connection, migrations)
    if pending:
        # It takes a tenth of a usual start, which has nothing to migrate.
        from alembic import command  # noqa: PLC0415 - see above
        from alembic.config import Config  # noqa: PLC0415 - as above

        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(migrations).replace("%", "%%"))
        command.upgrade(config, "head")
    return pending


def _pending(connection: Connection, migrations: Path) -> list[str]:
    current = current_revision(connection)
    revisions = list_revisions(migrations)
    if current is None:
        return revisions
    if current not in revisions:
        raise NewerDatabaseError(current)
    return revisions[revisions.index(current) + 1 :]


def list_revisions(migrations: Path) -> list[str]:
    """Return all revisions, oldest first: a file's name begins with its own."""
    return sorted(path.name.partition("_")[0] for path in (migrations / "versions").glob("*.py"))
