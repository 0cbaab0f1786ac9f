import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.util import await_only
from structlog.testing import capture_logs

from bot.domain.jobs import Action, Job, Origin
from db import search_index
from db.database import Database
from db.history import HistoryRepository
from db.locks import BUILDING_PROMPT_INDEX
from db.migrate import apply_migrations
from db.postgresql_index import INDEX
from db.search_index import SearchIndex
from db.table_copy import move_aside
from tests.support.databases import Databases, PostgresqlDatabases
from tests.support.factories import make_id
from tests.support.polling import poll
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

PROMPT = "Красная ЛИСА в снегу, 赤い狐の絵, a RED fox: 100% snow_man back\\slash 🦊🐼🦁 Straße İstanbul ÉTÉ"


@pytest.fixture
async def url(postgresql_databases: Databases) -> AsyncIterator[str]:
    """Return the URL of a fresh, migrated PostgreSQL database."""
    url = await postgresql_databases.create(migrated=True)
    yield url
    await postgresql_databases.drop(url)


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    """Return a fresh, migrated PostgreSQL database."""
    database = await Database.open(url)
    yield database
    await database.close()


@pytest.fixture(autouse=True)
def _no_short_histories(monkeypatch: pytest.MonkeyPatch) -> None:
    """Search by the index however few jobs there are."""
    monkeypatch.setattr("db.history._FEW_JOBS", 0)


def undeliver(connection: Connection, *jobs: Job) -> None:
    """Undo the delivery of jobs."""
    ids = {"ids": [job.id for job in jobs]}
    connection.execute(text("UPDATE jobs SET delivered_at = NULL WHERE id = ANY(:ids)"), ids)


async def builders(database: Database) -> list[int]:
    """Return the building sessions, once they wait for a transaction."""
    waiting = text(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
        " AND query LIKE 'CREATE INDEX CONCURRENTLY%' AND wait_event_type = 'Lock'"
    )
    return await database.read(lambda connection: list(connection.execute(waiting).scalars()))


async def test_delivered_and_undelivered_jobs_are_found_without_a_turn_of_the_index(database: Database) -> None:
    first, later, undelivered = ended("a red fox"), ended("a grey fox"), ended("an arctic fox")
    await insert(database, first)
    assert await found(database, "fox") is None
    with capture_logs() as logs:
        await SearchIndex(database).extend()
        await SearchIndex(database).extend()
    assert [each["event"] for each in logs] == ["search_index.built"]
    await insert(database, later, undelivered)
    await database.write(lambda connection: undeliver(connection, undelivered))
    assert set(await found(database, "fox") or []) == {first.id, later.id, undelivered.id}
    assert await found(database, "wolf") == []
    assert await searched(database, "FOX") == [undelivered.id, later.id, first.id]


async def test_new_entries_are_merged_into_the_index(database: Database) -> None:
    await SearchIndex(database).extend()
    merge = text("SELECT gin_clean_pending_list(to_regclass(:name))")

    async def waiting() -> int:
        merged: int = await database.write(lambda connection: connection.execute(merge, {"name": INDEX}).scalar_one())
        return merged

    await insert(database, ended())
    assert await waiting() > 0
    await insert(database, ended())
    await SearchIndex(database).extend()
    assert await waiting() == 0
    assert len(await found(database, "fox") or []) == 2


async def test_replaced_tables_get_an_index_of_their_own(database: Database) -> None:
    await insert(database, ended())
    await SearchIndex(database).extend()

    def replace(connection: Connection) -> None:
        move_aside(connection, "replaced")
        apply_migrations(connection)

    await database.write(replace)
    assert await found(database, "fox") is None
    job = ended()
    await insert(database, job)
    await SearchIndex(database).extend()
    assert await found(database, "fox") == [job.id]


async def test_prompt_with_the_same_sequences_elsewhere_is_no_match(database: Database) -> None:
    job = ended("abc bca cab")
    await insert(database, job)
    await SearchIndex(database).extend()
    assert await found(database, "abcab") == []
    assert await found(database, "bca cab") == [job.id]


async def test_short_and_frequent_text_is_left_to_the_scan(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = [ended() for _ in range(3)]
    await insert(database, *jobs)
    await SearchIndex(database).extend()
    for most, wanted, is_used in ((3, "fox", True), (2, "fox", False), (3, "fo", False)):
        monkeypatch.setattr(search_index, "MOST_HITS", most)
        assert (await found(database, wanted) is not None) is is_used
        assert await searched(database, wanted) == [job.id for job in jobs[::-1]]


@pytest.mark.parametrize(("few", "is_used"), [(1, True), (2, False)])
async def test_short_history_is_scanned(
    database: Database, monkeypatch: pytest.MonkeyPatch, few: int, is_used: bool
) -> None:
    monkeypatch.setattr("db.history._FEW_JOBS", few)
    jobs = [ended() for _ in range(2)]
    await insert(database, *jobs, ended(member_id=MINE.member_id + 1))
    await SearchIndex(database).extend()
    search = await database.read(lambda connection: HistoryRepository(connection, MINE, "fox"))
    assert (search._indexed is not None) is is_used
    assert await searched(database, "fox") == [job.id for job in jobs[::-1]]


@pytest.mark.parametrize("remove", [set_deleted, erase])
async def test_erased_words_are_found_no_more(database: Database, remove: Callable[[Connection, Job], None]) -> None:
    gone, kept = ended("a RED fox"), ended("a red boat")
    await insert(database, gone, kept)
    await SearchIndex(database).extend()
    await database.write(lambda connection: remove(connection, gone))
    assert await found(database, "red fox") == []
    assert await searched(database, "red") == [kept.id]


async def test_matches_are_found_without_a_scan_of_jobs(database: Database) -> None:
    job = ended()
    child = ended("make it snow", Origin(action=Action.EDIT, job_id=job.id, position=0))
    await insert(database, job, child)
    await SearchIndex(database).extend()

    def plans(connection: Connection) -> list[str]:
        asked: list[tuple[str, Any]] = []

        def note(_: object, __: object, statement: str, parameters: Any, ___: object, ____: object) -> None:
            asked.append((statement, parameters))

        # As with many jobs, and as after some searches of a connection.
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        connection.execute(text("SET LOCAL plan_cache_mode = force_generic_plan"))
        event.listen(connection, "before_cursor_execute", note)
        assert HistoryRepository(connection, MINE, "fox").list_latest(9) == [child.id, job.id]
        event.remove(connection, "before_cursor_execute", note)
        return [
            line
            for statement, parameters in asked
            for line in connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars()
        ]

    lines = await database.read(plans)
    assert any(f"Bitmap Index Scan on {INDEX}" in line for line in lines)
    assert [line for line in lines if "Seq Scan" in line] == []


@pytest.mark.parametrize(
    "options",
    ["LOCALE 'C'", "LOCALE 'C.UTF-8'", "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'"],
    ids=["c", "libc", "builtin"],
)
async def test_every_part_of_a_prompt_is_found_in_any_locale(
    postgresql_databases: PostgresqlDatabases, options: str
) -> None:
    url = await postgresql_databases.create_with(f"{options} ENCODING 'UTF8'")
    database = await Database.open(url)
    job, child = ended(PROMPT), ended("made of it")
    parts = [PROMPT[start : start + length] for length in (3, 4, 9, 40) for start in range(len(PROMPT) - length + 1)]
    try:
        await insert(database, job, child, ended("a boat"))
        await SearchIndex(database).extend()

        def read(connection: Connection) -> None:
            connection.execute(text("SET LOCAL enable_seqscan = off"))
            for part in (*(each for each in parts if len(each.strip()) >= 3), PROMPT.swapcase(), "strasse", "été"):
                search = HistoryRepository(connection, MINE, part)
                assert search._indexed == [job.id], part
            for other in ("Красный", "лис в", "狐赤い", "🦁🐼🦊", "100_ snow", "snow%man", "back\\\\slash"):
                assert HistoryRepository(connection, MINE, other)._indexed == [], other

        await database.read(read)
    finally:
        await database.close()
        await postgresql_databases.drop(url)


async def test_database_of_another_encoding_is_searched_by_the_scan(postgresql_databases: PostgresqlDatabases) -> None:
    url = await postgresql_databases.create_with("LOCALE 'C' ENCODING 'SQL_ASCII'")
    database = await Database.open(url)
    job = ended("a füchslein")
    try:
        await insert(database, job)
        await SearchIndex(database).extend()
        assert await found(database, "füchs") is None
        assert await searched(database, "füchs") == [job.id]
    finally:
        await database.close()
        await postgresql_databases.drop(url)


async def test_tables_of_another_owner_are_searched_by_the_scan(database: Database, url: str) -> None:
    job, role = ended(), f"reader_{make_id()}"
    await insert(database, job)

    def execute(*statements: str) -> Callable[[Connection], None]:
        def write(connection: Connection) -> None:
            for statement in statements:
                connection.exec_driver_sql(statement)

        return write

    await database.write(execute(f"CREATE ROLE {role} LOGIN", f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"))
    reader = await Database.open(url.replace("postgres@", f"{role}@"))
    await SearchIndex(reader).extend()
    assert await found(reader, "fox") is None
    assert await searched(reader, "fox") == [job.id]
    await reader.close()
    await database.write(execute(f"DROP OWNED BY {role}", f"DROP ROLE {role}"))


async def test_index_and_scan_find_the_same(database: Database) -> None:
    await SearchIndex(database).extend()

    def compare(connection: Connection) -> None:
        connection.execute(text("SET LOCAL enable_seqscan = off"))

        @settings(max_examples=15)
        @given(jobs=histories(), later=histories(), searches=searched_texts(), data=st.data())
        def check(jobs: list[Job], later: list[Job], searches: list[str], data: st.DataObject) -> None:
            transaction = connection.begin_nested()
            try:
                add_with_images(connection, [*jobs, *later])
                undeliver(connection, *later)
                change_some(connection, [*jobs, *later], data)
                compare_with_scan(connection, [*jobs, *later], searches, data)
            finally:
                transaction.rollback()

        check()

    await database.write(compare)


@pytest.mark.parametrize("end", ["killed", "cancelled"])
async def test_interrupted_build_blocks_nobody_and_begins_again(database: Database, url: str, end: str) -> None:
    first, later = ended("a red fox"), ended("a grey fox")
    await insert(database, first)
    other = await Database.open(url)
    building: list[asyncio.Task[None]] = []

    def read(connection: Connection) -> None:
        connection.execute(text("SELECT count(*) FROM jobs"))  # the build waits for older transactions
        await_only(interrupt())

    async def interrupt() -> None:
        building.append(asyncio.create_task(SearchIndex(database).extend()))
        [builder] = await poll(lambda: builders(database))
        await insert(database, later)
        await SearchIndex(database).extend()  # as another process would
        assert await found(database, "fox") is None
        assert await searched(database, "fox") == [later.id, first.id]
        if end == "cancelled":
            building[0].cancel()
            return
        terminate = text("SELECT pg_terminate_backend(:builder)")
        await database.read(lambda connection: connection.execute(terminate, {"builder": builder}).one())

    await other.read(read)
    [outcome] = await asyncio.gather(*building, return_exceptions=True)
    assert isinstance(outcome, asyncio.CancelledError if end == "cancelled" else DBAPIError)

    async def extended() -> set[str]:
        await SearchIndex(other).extend()
        return set(await found(other, "fox") or [])

    assert await poll(extended) == {first.id, later.id}
    await other.close()


async def test_index_is_built_by_one_process(database: Database, url: str) -> None:
    await insert(database, ended())
    other = await Database.open(url)

    def hold(connection: Connection) -> None:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": BUILDING_PROMPT_INDEX})
        await_only(SearchIndex(database).extend())

    await other.autocommit(hold)
    assert await found(database, "fox") is None
    await asyncio.gather(*(SearchIndex(each).extend() for each in (database, other)))
    assert await found(database, "fox") is not None
    await other.close()
