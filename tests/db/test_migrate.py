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

ALL = sorted(each.name[:4] for each in (MIGRATIONS / "versions").glob("[0-9]*.py"))
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
    """Return the whole schema in a comparable form."""
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
    """Return the latest applied migration."""
    return MigrationContext.configure(connection).get_current_revision()


async def test_migrated_tables_equal_declared_tables(database: Database) -> None:
    options = {"compare_type": True, "compare_server_default": True}
    differences = await database.read(
        lambda connection: compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    )
    assert differences == []


async def test_migrated_constraints_equal_declared_constraints(database: Database, empty_database: Database) -> None:
    """Alembic compares neither checks nor partial indexes."""
    await empty_database.write(metadata.create_all)
    migrated = await database.read(schema)
    del migrated["alembic_version"]
    assert migrated == await empty_database.read(schema)


async def test_migrate_empty_database_applies_all_pending(empty_database: Database) -> None:
    assert [f"{number:04}" for number in range(1, len(ALL) + 1)] == ALL
    assert await pending_migrations(empty_database) == ALL
    assert await migrate(empty_database) == ALL
    assert await pending_migrations(empty_database) == []
    assert await empty_database.read(revision) == ALL[-1]


async def test_migrate_up_to_date_database_changes_nothing(database: Database) -> None:
    await database.write(lambda connection: KeyValueRepository(connection).save("colour", "teal"))
    before = await database.read(schema)
    assert await migrate(database) == []
    assert await database.read(schema) == before
    assert await database.read(lambda connection: KeyValueRepository(connection).find("colour")) == "teal"


async def test_migrate_newer_database_raises_and_changes_nothing(database: Database) -> None:
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
    """Return the migrations plus a failing one.

    The path contains a percent sign, which configuration files interpret.
    """
    folder = tmp_path / "50% done" / "migrations"
    shutil.copytree(MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / "9999_broken.py").write_text(BROKEN.format(after=ALL[-1]))
    return folder


async def test_failed_migration_leaves_old_state(database: Database, broken: Path) -> None:
    before = await database.read(schema)
    assert await pending_migrations(database, broken) == ["9999"]
    with pytest.raises(RuntimeError, match="power"):
        await migrate(database, broken)
    assert await database.read(schema) == before
    assert await database.read(revision) == ALL[-1]
    assert await database.read(lambda connection: KeyValueRepository(connection).find("half")) is None


async def test_failed_first_migration_leaves_empty_database(empty_database: Database, broken: Path) -> None:
    with pytest.raises(RuntimeError, match="power"):
        await migrate(empty_database, broken)
    assert await empty_database.read(tables) == set()
    assert await migrate(empty_database) == ALL


async def test_two_concurrent_migrations_apply_each_revision_once(
    empty_database: Database, empty_database_url: str
) -> None:
    other = await Database.open(empty_database_url)
    try:
        applied = await asyncio.gather(migrate(empty_database), migrate(other))
    finally:
        await other.close()
    assert sorted(applied) == [[], ALL]


async def test_two_processes_migrating_at_once_both_succeed(empty_database_url: str) -> None:
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
