import asyncio
import multiprocessing
import shutil
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from db.columns import metadata
from db.database import Database
from db.key_value import KeyValueRepository
from db.migrate import MIGRATIONS, NewerDatabaseError, migrate, pending_migrations

ALL = ["0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008"]
BROKEN = '''"""Breaks half way."""

import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{after}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table("half", sa.Column("id", sa.Integer(), primary_key=True))
    op.execute("INSERT INTO facts (name, value) VALUES ('half', 'done')")
    raise RuntimeError("the power went out")
'''


def tables(connection: Connection) -> set[str]:
    """Return the names of all tables."""
    return set(inspect(connection).get_table_names())


def schema(connection: Connection) -> dict[str, object]:
    """Return all that the database says of its tables, comparable."""
    seen = inspect(connection)
    where = f"{connection.dialect.name}_where"
    return {
        name: (
            [(column["name"], str(column["type"]), column["nullable"]) for column in seen.get_columns(name)],
            seen.get_pk_constraint(name)["constrained_columns"],
            sorted((str(key["name"]), key["referred_table"]) for key in seen.get_foreign_keys(name)),
            sorted((str(check["name"]), _plain(check["sqltext"])) for check in seen.get_check_constraints(name)),
            sorted((str(unique["name"]), *unique["column_names"]) for unique in seen.get_unique_constraints(name)),
            sorted(
                (
                    str(index["name"]),
                    *map(str, index["column_names"]),
                    _plain(index.get("dialect_options", {}).get(where)),
                )
                for index in seen.get_indexes(name)
            ),
        )
        for name in seen.get_table_names()
    }


def _plain(sql: object) -> str:
    return "".join(str(sql).lower().split()).replace("jobs.", "").replace("pictures.", "")


def revision(connection: Connection) -> str | None:
    """Return the latest migration that was applied."""
    return MigrationContext.configure(connection).get_current_revision()


async def test_the_migrations_make_the_tables_that_the_code_expects(database: Database) -> None:
    """Alembic finds no difference between `db.tables` and a migrated database."""
    options = {"compare_type": True, "compare_server_default": True}
    differences = await database.read(
        lambda connection: compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    )
    assert differences == []


async def test_the_migrations_make_the_constraints_that_the_code_expects(
    database: Database, empty_database: Database
) -> None:
    """Alembic compares neither checks nor partial indexes, so the tables are made from the code and compared too."""
    await empty_database.write(metadata.create_all)
    migrated = await database.read(schema)
    del migrated["alembic_version"]
    assert migrated == await empty_database.read(schema)


async def test_an_empty_database_is_brought_up_to_date(empty_database: Database) -> None:
    """What is pending is told beforehand and applied; then nothing is pending."""
    assert await pending_migrations(empty_database) == ALL
    assert await migrate(empty_database) == ALL
    assert await pending_migrations(empty_database) == []
    assert await empty_database.read(revision) == ALL[-1]


async def test_migrating_again_does_nothing(database: Database) -> None:
    """A start with an up-to-date database changes neither tables nor rows."""
    await database.write(lambda connection: KeyValueRepository(connection).save("colour", "teal"))
    before = await database.read(schema)
    assert await migrate(database) == []
    assert await database.read(schema) == before
    assert await database.read(lambda connection: KeyValueRepository(connection).find("colour")) == "teal"


async def test_a_newer_database_is_refused_and_untouched(database: Database) -> None:
    """An older version of the product must not run on tables that it does not know."""
    await database.write(lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '8888'")))
    before = await database.read(schema)
    with pytest.raises(NewerDatabaseError) as caught:
        await migrate(database)
    assert caught.value.revision == "8888"
    with pytest.raises(NewerDatabaseError):
        await pending_migrations(database)
    assert await database.read(schema) == before
    assert await database.read(revision) == "8888"


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """Return the real migrations with one more that breaks half way; the path has what configurations trip over."""
    folder = tmp_path / "50% done" / "migrations"
    shutil.copytree(MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / "9999_broken.py").write_text(BROKEN.format(after=ALL[-1]))
    return folder


async def test_an_interrupted_migration_leaves_the_old_state(database: Database, broken: Path) -> None:
    """All pending migrations are one transaction: when the last one breaks, the database is as it was."""
    before = await database.read(schema)
    assert await pending_migrations(database, broken) == ["9999"]
    with pytest.raises(RuntimeError, match="power"):
        await migrate(database, broken)
    assert await database.read(schema) == before
    assert await database.read(revision) == ALL[-1]
    assert await database.read(lambda connection: KeyValueRepository(connection).find("half")) is None


async def test_an_interrupted_first_start_leaves_nothing(empty_database: Database, broken: Path) -> None:
    """The next start begins at the beginning, and goes well."""
    with pytest.raises(RuntimeError, match="power"):
        await migrate(empty_database, broken)
    assert await empty_database.read(tables) == set()
    assert await migrate(empty_database) == ALL


async def test_two_connections_migrate_at_once(empty_database: Database, empty_database_url: str) -> None:
    """One of them does it, the other one finds it done."""
    other = await Database.open(empty_database_url)
    try:
        applied = await asyncio.gather(migrate(empty_database), migrate(other))
    finally:
        await other.close()
    assert sorted(applied) == [[], ALL]


async def test_two_processes_migrate_at_once(empty_database_url: str) -> None:
    """Shards that start together on an empty database all start."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        applied = await asyncio.to_thread(pool.map, _migrate_in_process, [empty_database_url] * 2)
        pool.close()
        pool.join()
    assert sorted(applied) == [[], ALL]


def _migrate_in_process(url: str) -> list[str]:
    async def run() -> list[str]:
        database = await Database.open(url)
        try:
            return await migrate(database)
        finally:
            await database.close()

    return asyncio.run(run())
