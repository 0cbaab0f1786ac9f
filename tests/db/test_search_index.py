import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, StaticPool, create_engine, event, text

from bot.domain.jobs import Job
from db import search_index
from db.database import Database
from db.history import HistoryRepository
from db.migrate import apply_migrations
from db.prompts import PromptRepository
from db.search_index import SearchIndex
from tests.support.clock import START
from tests.support.databases import SqliteDatabases
from tests.support.searches import (
    MINE,
    add_with_images,
    change_some,
    compare_with_scan,
    ended,
    erase,
    found,
    histories,
    insert,
    searched,
    searched_texts,
    set_deleted,
)

RARE = "🦊🐼🦁"


@pytest.fixture(scope="module")
def memory() -> Iterator[Connection]:
    """Return a migrated SQLite database in memory, for many short tests."""
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"isolation_level": None})
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    with engine.connect() as connection:
        with connection.begin():
            apply_migrations(connection)
        yield connection
    engine.dispose()


async def execute(database: Database, statement: str) -> None:
    """Run one statement."""
    await database.write(lambda connection: connection.execute(text(statement)))


async def test_indexed_and_later_jobs_are_found(sqlite_database: Database) -> None:
    first, later = ended("a red fox"), ended("a grey fox")
    await insert(sqlite_database, first)
    assert await found(sqlite_database, "fox") is None
    await SearchIndex(sqlite_database).extend()
    await insert(sqlite_database, later)
    assert set(await found(sqlite_database, "fox") or []) == {first.id, later.id}
    assert await found(sqlite_database, "wolf") == []
    assert await searched(sqlite_database, "FOX") == [later.id, first.id]


async def test_index_grows_by_batches(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_index, "_AT_ONCE", 2)
    jobs = [ended() for _ in range(5)]
    await insert(sqlite_database, *jobs)
    await SearchIndex(sqlite_database).extend()
    monkeypatch.setattr(search_index, "_LATER", text("SELECT id FROM jobs WHERE :last_row < 0 OR :wanted IS NULL"))
    assert await found(sqlite_database, "fox") == [job.id for job in jobs]


@pytest.mark.parametrize("name", ["MOST_HITS", "_MOST_NEW"])
async def test_frequent_text_and_many_new_jobs_are_left_to_the_scan(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    jobs = [ended() for _ in range(3)]
    if name == "MOST_HITS":
        await insert(sqlite_database, *jobs)
        await SearchIndex(sqlite_database).extend()
    else:
        await SearchIndex(sqlite_database).extend()
        await insert(sqlite_database, *jobs)
    for most, is_used in ((3, True), (2, False)):
        monkeypatch.setattr(search_index, name, most)
        assert (await found(sqlite_database, "fox") is not None) is is_used
        assert await searched(sqlite_database, "fox") == [job.id for job in jobs[::-1]]


async def test_text_of_two_characters_is_left_to_the_scan(sqlite_database: Database) -> None:
    job = ended()
    await insert(sqlite_database, job)
    await SearchIndex(sqlite_database).extend()
    assert await found(sqlite_database, "fo") is None
    assert await searched(sqlite_database, "fo") == [job.id]


def erase_old(connection: Connection, job: Job) -> None:
    """Erase the words of all old jobs."""
    assert job.finished_at is not None
    PromptRepository(connection).erase_old(job.finished_at + timedelta(days=1), START, 100)


@pytest.mark.parametrize("remove", [set_deleted, erase, erase_old])
async def test_erased_words_are_found_no_more_and_leave_the_file(
    sqlite_databases: SqliteDatabases, remove: Callable[[Connection, Job], None]
) -> None:
    url = await sqlite_databases.create(migrated=True)
    database = await Database.open(url)
    file = Path(url.partition("///")[2])
    kept = [ended(f"a boat, number {number}") for number in range(20)]
    gone = ended(RARE)
    try:
        await insert(database, *kept[:10], gone)
        await SearchIndex(database).extend()
        await insert(database, *kept[10:])
        await SearchIndex(database).extend()
        assert await found(database, RARE) == [gone.id]
        assert RARE.encode() in _blocks(file)
        await database.write(lambda connection: remove(connection, gone))
        # The prompt itself stays with the deleted job for a week.
        await execute(database, "UPDATE jobs SET prompt = ''")
        assert await found(database, RARE) == []
        await SearchIndex(database).compact()
        assert await found(database, RARE) == []
        if remove is not erase_old:
            assert len(await found(database, "a boat") or []) == len(kept)
        assert RARE.encode() not in _blocks(file)
    finally:
        await database.close()
    assert RARE.encode() not in await asyncio.to_thread(file.read_bytes)
    await sqlite_databases.drop(url)


def _blocks(file: Path) -> bytes:
    """Return the stored blocks of the index, with deleted entries."""
    connection = sqlite3.connect(file)
    try:
        return b"|".join(row[0] for row in connection.execute("SELECT block FROM prompt_index_data"))
    finally:
        connection.close()


async def test_matches_are_found_without_a_scan_of_jobs(sqlite_database: Database) -> None:
    job = ended()
    await insert(sqlite_database, job)
    await SearchIndex(sqlite_database).extend()

    def plans(connection: Connection) -> list[str]:
        asked: list[tuple[str, Any]] = []

        def note(_: object, __: object, statement: str, parameters: Any, ___: object, ____: object) -> None:
            asked.append((statement, parameters))

        event.listen(connection, "before_cursor_execute", note)
        assert HistoryRepository(connection, MINE, "fox").latest() == job.id
        event.remove(connection, "before_cursor_execute", note)
        return [
            row[3]
            for statement, parameters in asked
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]

    lines = await sqlite_database.read(plans)
    assert any(line.startswith("SCAN prompt_index VIRTUAL TABLE") for line in lines)
    assert [line for line in lines if line.startswith("SCAN jobs")] == []
    assert [line for line in lines if "ix_jobs_listed" in line and "id=?)" not in line] == []


async def test_compact_without_erasures_writes_nothing(sqlite_database: Database) -> None:
    await insert(sqlite_database, ended())
    index = SearchIndex(sqlite_database)
    await index.compact()
    await index.extend()
    version = text("PRAGMA data_version")
    before = await sqlite_database.read(lambda connection: connection.execute(version).scalar())
    await index.extend()
    await index.compact()
    assert await sqlite_database.read(lambda connection: connection.execute(version).scalar()) == before


@pytest.mark.parametrize(
    "damage",
    [
        "DROP TRIGGER prompt_index_erasure",
        "DROP TABLE prompt_index",
        "DROP TABLE prompt_index_state",
        "UPDATE jobs SET rowid = rowid + 100",
    ],
)
async def test_index_that_does_not_fit_is_not_used_and_built_anew(sqlite_database: Database, damage: str) -> None:
    job = ended()
    await insert(sqlite_database, job)
    await SearchIndex(sqlite_database).extend()
    await execute(sqlite_database, damage)
    assert await found(sqlite_database, "fox") is None
    assert await searched(sqlite_database, "fox") == [job.id]
    await SearchIndex(sqlite_database).extend()
    assert await found(sqlite_database, "fox") == [job.id]


async def test_vacuumed_database_is_searched_alike(sqlite_databases: SqliteDatabases) -> None:
    url = await sqlite_databases.create(migrated=True)
    database = await Database.open(url)
    job = ended()
    await insert(database, ended("a boat"), job)
    await SearchIndex(database).extend()
    await database.close()
    with sqlite3.connect(url.partition("///")[2]) as connection:
        connection.execute("VACUUM")
    connection.close()
    database = await Database.open(url)
    assert await searched(database, "fox") == [job.id]
    await database.close()
    await sqlite_databases.drop(url)


@pytest.mark.parametrize("missing", ["fts5(", "trigram"])
async def test_sqlite_without_the_extension_searches_by_scan(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    create = tuple(each.replace(missing, missing.replace("r", "x").replace("5", "9")) for each in search_index._CREATE)
    monkeypatch.setattr(search_index, "_CREATE", create)
    job = ended()
    await insert(sqlite_database, job)
    await SearchIndex(sqlite_database).extend()
    await SearchIndex(sqlite_database).compact()
    assert await found(sqlite_database, "fox") is None
    assert await searched(sqlite_database, "fox") == [job.id]


async def test_other_fault_of_creation_is_raised(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_index, "_CREATE", ("CREATE VIRTUAL NONSENSE",))
    with pytest.raises(Exception, match="syntax error"):
        await SearchIndex(sqlite_database).extend()


@settings(max_examples=50)
@given(jobs=histories(), later=histories(), searches=searched_texts(), data=st.data())
def test_index_and_scan_find_the_same(
    memory: Connection, jobs: list[Job], later: list[Job], searches: list[str], data: st.DataObject
) -> None:
    transaction = memory.begin()
    try:
        add_with_images(memory, jobs)
        search_index._create(memory)
        search_index._extend(memory)
        add_with_images(memory, later)
        change_some(memory, [*jobs, *later], data)
        compare_with_scan(memory, [*jobs, *later], searches, data)
    finally:
        transaction.rollback()
