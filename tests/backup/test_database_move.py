"""Moves between SQLite and PostgreSQL, in every direction."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, insert, inspect, select, update
from sqlalchemy.util import await_only

from bot.backup import BackupError, Moved, database_move, move_database, moved_lines
from bot.backup.database_copy import copy_to_file
from bot.domain.jobs import State
from db.audit import audit
from db.columns import metadata
from db.database import Database
from db.locks import MIGRATING
from db.process_lock import hold_process_lock
from db.table_copy import copy_rows
from db.tables import accounts, facts, workers
from sandbox.providers import MANUAL, SkillBossServer
from tests.backup.rows import Rows, fill_empty_tables, read_everything
from tests.backup.studio import NOW, SECRETS, open_studio, settings_of
from tests.engine.engine_harness import engine_harness
from tests.support.databases import Databases
from tests.support.factories import make_id

LATER = NOW + timedelta(hours=1)


@pytest.fixture(params=["sqlite", "postgresql"])
def targets(request: pytest.FixtureRequest) -> Databases:
    """Return the factory of each kind of target in turn."""
    maker: Databases = request.getfixturevalue(f"{request.param}_databases")
    return maker


@pytest.fixture
async def target(targets: Databases) -> AsyncIterator[str]:
    """Return the URL of a database without tables."""
    url = await targets.create(migrated=False)
    yield url
    await targets.drop(url)


@pytest.fixture
async def foreign(
    database_url: str, sqlite_databases: Databases, postgresql_databases: Databases
) -> AsyncIterator[str]:
    """Return the URL of a database without tables, of the other kind."""
    maker = postgresql_databases if database_url.startswith("sqlite") else sqlite_databases
    url = await maker.create(migrated=False)
    yield url
    await maker.drop(url)


async def fill(url: str, folder: Path) -> Rows:
    """Fill a database with rows in every table, and return them."""
    async with open_studio(url, folder) as studio:
        await studio.database.write(fill_empty_tables)
    return await read_everything(url)


async def move(source: str, target: str, folder: Path, *, force: bool = False) -> Moved:
    """Move a database an hour after its last row."""
    return await move_database(settings_of(source, folder), target, LATER, force=force)


async def tables_of(url: str) -> list[str]:
    """Return the names of a database's tables."""
    database = await Database.open(url)
    try:
        return await database.read(lambda connection: inspect(connection).get_table_names())
    finally:
        await database.close()


async def write(url: str, statement: Any, values: Any = None) -> None:
    """Change a database as another process does."""
    database = await Database.open(url)
    try:
        await database.write(lambda connection: connection.execute(statement, values))
    finally:
        await database.close()


def file_of(url: str) -> Path:
    """Return the file of a SQLite database."""
    return Path(url.removeprefix("sqlite+aiosqlite:///"))


async def test_every_row_of_every_table_arrives(database_url: str, target: str, tmp_path: Path) -> None:
    """With tokens, running jobs, forms and microseconds."""
    before = await fill(database_url, tmp_path)
    moved = await move(database_url, target, tmp_path)
    assert await read_everything(target) == before
    assert await read_everything(database_url) == before
    assert moved.rows == {name: len(rows) for name, rows in before.items()}
    assert min(moved.rows.values()) >= 1
    assert set(moved.rows) == set(metadata.tables)
    assert all(secret in repr(before) for secret in SECRETS[:4])
    assert moved.live_jobs == 6

    database = await Database.open(target)
    assert len(await database.read(audit)) == moved.ledger_faults
    await database.close()


async def test_ledger_balances_and_lines_say_what_is_next(
    sqlite_databases: Databases, postgresql_databases: Databases, tmp_path: Path
) -> None:
    source = await sqlite_databases.create(migrated=True)
    target = await postgresql_databases.create(migrated=True)
    async with open_studio(source, tmp_path):
        pass
    moved = await move(source, target.replace("postgres@", "postgres:s3cret@"), tmp_path)
    lines = list(moved_lines(moved))
    assert lines[0].startswith(
        f"Moved {sum(moved.rows.values())} rows of {len(metadata.tables)} tables, with 8 jobs, to"
    )
    assert "postgres:***@" in lines[0]
    assert lines[1:] == [
        "Each table has as many rows as before, and the ledger balances.",
        "6 jobs not ended: the next start goes on with them.",
        f"The old one is unchanged: {source}. Start no bot on it: its jobs would be made twice.",
        "Next: set DATABASE_URL to the new address, and start the bot. DATA_DIR stays: it has the secret key.",
    ]
    await postgresql_databases.drop(target)


async def test_fault_halfway_leaves_the_target_empty_and_can_be_repeated(
    database_url: str, foreign: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await fill(database_url, tmp_path)

    def fail_halfway(source: Connection, target: Connection, tables: list[Any], *rest: Any) -> dict[str, int]:
        copy_rows(source, target, tables[: len(tables) // 2], *rest)
        raise ConnectionResetError(104, "Connection reset by peer")

    with monkeypatch.context() as patched:
        patched.setattr(database_move, "copy_rows", fail_halfway)
        with pytest.raises(BackupError, match=r"ConnectionResetError|Connection reset by peer"):
            await move(database_url, foreign, tmp_path)
    assert await tables_of(foreign) == []
    await move(database_url, foreign, tmp_path)
    assert await read_everything(foreign) == before


async def test_cancelled_move_leaves_the_target_empty(
    database_url: str, foreign: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although a transaction runs on when its caller is cancelled."""
    await fill(database_url, tmp_path)
    loop = asyncio.get_running_loop()

    def cancel_halfway(source: Connection, target: Connection, tables: list[Any], *rest: Any) -> dict[str, int]:
        done = copy_rows(source, target, tables[:9], *rest)
        loop.call_soon_threadsafe(moving.cancel)
        return done | copy_rows(source, target, tables[9:], *rest)

    monkeypatch.setattr(database_move, "copy_rows", cancel_halfway)
    moving = asyncio.create_task(move(database_url, foreign, tmp_path))
    with pytest.raises(asyncio.CancelledError):
        await moving
    assert await tables_of(foreign) == []


async def test_lost_rows_are_found(
    database_url: str, foreign: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(database_url, tmp_path)

    def lose(source: Connection, target: Connection, *rest: Any) -> dict[str, int]:
        done = copy_rows(source, target, *rest)
        return done | {"facts": target.execute(facts.delete()).rowcount - 1}

    monkeypatch.setattr(database_move, "copy_rows", lose)
    with pytest.raises(BackupError, match=r"other numbers of rows than the copy: facts\. Nothing was moved"):
        await move(database_url, foreign, tmp_path)
    assert await tables_of(foreign) == []


async def test_wrong_credits_are_found_by_the_audit(
    database_url: str, foreign: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(database_url, tmp_path)

    def change(source: Connection, target: Connection, *rest: Any) -> dict[str, int]:
        done = copy_rows(source, target, *rest)
        target.execute(update(accounts).values(granted=accounts.c.granted + 7))
        return done

    monkeypatch.setattr(database_move, "copy_rows", change)
    with pytest.raises(BackupError, match="The ledger does not balance in the new database"):
        await move(database_url, foreign, tmp_path)
    assert await tables_of(foreign) == []


async def test_running_bot_is_left_alone(database_url: str, foreign: str, tmp_path: Path) -> None:
    await fill(database_url, tmp_path)
    await write(
        database_url, insert(workers), {"id": make_id(), "started_at": NOW, "expires_at": LATER + timedelta(seconds=9)}
    )
    with ExitStack() as running:
        if database_url.startswith("sqlite"):
            running.enter_context(hold_process_lock(file_of(database_url)))
        with pytest.raises(BackupError, match=r"A bot runs on the old database. Stop it first; nothing was moved\."):
            await move(database_url, foreign, tmp_path)
    assert await tables_of(foreign) == []


async def test_bot_that_starts_waits_for_the_copy(
    postgresql_databases: Databases, sqlite_databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = await postgresql_databases.create(migrated=True), await sqlite_databases.create(migrated=False)
    bot = await Database.open(source)
    free: list[bool] = []

    def watch(*arguments: Any) -> dict[str, int]:
        wanted = select(func.pg_try_advisory_xact_lock(MIGRATING))
        free.append(await_only(bot.read(lambda connection: connection.execute(wanted).scalar_one())))
        return copy_rows(*arguments)

    monkeypatch.setattr(database_move, "copy_rows", watch)
    await move(source, target, tmp_path)
    assert free == [False]
    await bot.close()
    await postgresql_databases.drop(source)


async def test_bot_that_starts_during_the_copy_stops_the_move(
    postgresql_databases: Databases, sqlite_databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It got the lock of migrations just before the move."""
    source, target = await postgresql_databases.create(migrated=True), await sqlite_databases.create(migrated=False)

    async def start_meanwhile(*arguments: Any) -> dict[str, int]:
        copied = await copy_to_file(*arguments)
        lease = {"id": make_id(), "started_at": NOW, "expires_at": LATER + timedelta(seconds=9)}
        await write(source, insert(workers), lease)
        return copied

    monkeypatch.setattr(database_move, "copy_to_file", start_meanwhile)
    with pytest.raises(BackupError, match="A bot runs on the old database"):
        await move(source, target, tmp_path)
    assert await tables_of(target) == []
    await postgresql_databases.drop(source)


async def test_used_target_is_replaced_by_force_alone_and_kept(
    sqlite_databases: Databases, targets: Databases, tmp_path: Path
) -> None:
    source, target = await sqlite_databases.create(migrated=True), await targets.create(migrated=True)
    before, used = await fill(source, tmp_path / "from"), await fill(target, tmp_path / "to")
    with pytest.raises(BackupError, match=r"in use already, and nothing was changed\. With --force it is replaced"):
        await move(source, target, tmp_path)
    assert await read_everything(target) == used
    moved = await move(source, target, tmp_path, force=True)
    assert await read_everything(target) == before
    assert moved.aside is not None
    if target.startswith("sqlite"):
        assert await read_everything(f"sqlite+aiosqlite:///{moved.aside}") == used
    await targets.drop(target)


async def test_same_database_is_refused(database_url: str, tmp_path: Path) -> None:
    await fill(database_url, tmp_path)
    with pytest.raises(BackupError, match="This is the database of your settings already"):
        await move(database_url, database_url, tmp_path, force=True)


async def test_source_without_tables_or_file_is_refused(
    empty_database_url: str, postgresql_databases: Databases, tmp_path: Path
) -> None:
    target = await postgresql_databases.create(migrated=False)
    missing = "There is no database yet" if empty_database_url.startswith("sqlite") else "is empty"
    with pytest.raises(BackupError, match=missing):
        await move(empty_database_url, target, tmp_path)
    assert await tables_of(target) == []
    await postgresql_databases.drop(target)


async def test_old_and_damaged_sources_are_refused(
    sqlite_databases: Databases, postgresql_databases: Databases, tmp_path: Path
) -> None:
    source, target = await sqlite_databases.create(migrated=True), await postgresql_databases.create(migrated=False)
    await fill(source, tmp_path)
    with closing(sqlite3.connect(file_of(source))) as connection, connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("UPDATE postings SET movement_id = 'gone' WHERE rowid = 1")
    with pytest.raises(BackupError, match="The old database is damaged: a row of postings refers to a missing one"):
        await move(source, target, tmp_path)
    with closing(sqlite3.connect(file_of(source))) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    with pytest.raises(BackupError, match="Run `atelier migrate` first"):
        await move(source, target, tmp_path)
    assert await tables_of(target) == []
    await postgresql_databases.drop(target)


async def test_unreachable_target_is_named(sqlite_databases: Databases, tmp_path: Path) -> None:
    source = await sqlite_databases.create(migrated=True)
    with pytest.raises(BackupError, match=r"^The database at 127\.0\.0\.1 cannot be reached: ") as caught:
        await move(source, "postgresql+asyncpg://a:s3cret@127.0.0.1:1/atelier", tmp_path)
    assert "s3cret" not in str(caught.value)


async def test_running_job_is_finished_at_the_new_place(database_url: str, foreign: str, tmp_path: Path) -> None:
    """It is submitted once, and charged once."""
    server = SkillBossServer(key="key", latency=MANUAL)
    await server.start()
    database = await Database.open(database_url)
    async with engine_harness(database, tmp_path, server=server) as harness:
        job = await harness.create_job()
        await harness.wait_for_state(job.id, State.QUEUED)
    await database.close()
    await move(database_url, foreign, tmp_path)

    database = await Database.open(foreign)
    async with engine_harness(database, tmp_path, server=server) as harness:
        server.finish()
        done = await harness.wait_for_state(job.id, State.DONE, step=1)
        assert done.charged == 12
        assert await harness.run_audit() == []
    await database.close()
    assert len(server.jobs) == 1
    await server.close()
