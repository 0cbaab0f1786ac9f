import asyncio
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.exc import DBAPIError, OperationalError

from db import postgresql, sqlite
from db.database import Database
from db.key_value import KeyValueRepository
from tests.support.databases import Databases


def saving(name: str, value: str = "1") -> Callable[[Connection], None]:
    """Return a transaction to save a value."""
    return lambda connection: KeyValueRepository(connection).save(name, value)


def finding(name: str) -> Callable[[Connection], str | None]:
    """Return a transaction to find a value."""
    return lambda connection: KeyValueRepository(connection).find(name)


async def test_write_returns_result_and_later_read_sees_it(database: Database) -> None:
    def write(connection: Connection) -> str:
        KeyValueRepository(connection).save("colour", "teal")
        return "saved"

    assert await database.write(write) == "saved"
    assert await database.read(finding("colour")) == "teal"


async def test_write_is_visible_to_another_process(database: Database, other: Database) -> None:
    await database.write(saving("colour", "teal"))
    assert await other.read(finding("colour")) == "teal"


async def test_autocommit_result_is_durable_and_seen_by_others(database: Database, other: Database) -> None:
    def write(connection: Connection) -> str:
        KeyValueRepository(connection).save("colour", "teal")
        return "saved"

    assert await database.autocommit(write) == "saved"
    assert await other.read(finding("colour")) == "teal"


async def test_long_running_read_sees_data_and_cannot_write(database: Database) -> None:
    await database.write(saving("colour", "teal"))
    assert await database.read(finding("colour"), long_running=True) == "teal"
    with pytest.raises(DBAPIError):
        await database.read(saving("colour", "red"), long_running=True)
    assert not database.busy


async def test_raising_function_is_rolled_back_and_error_propagates(database: Database) -> None:
    def write(connection: Connection) -> None:
        KeyValueRepository(connection).save("first", "1")
        KeyValueRepository(connection).save("second", "2")
        raise LookupError("the third")

    with pytest.raises(LookupError, match="the third"):
        await database.write(write)
    assert await database.read(finding("first")) is None
    assert await database.read(finding("second")) is None
    await database.write(saving("after"))
    assert await database.read(finding("after")) == "1"


async def test_read_cannot_write(database: Database) -> None:
    with pytest.raises(DBAPIError, match=r"read-?only"):
        await database.read(saving("sneaky"))
    assert await database.read(finding("sneaky")) is None


async def test_read_sees_one_snapshot_during_concurrent_write(database: Database) -> None:
    loop = asyncio.get_running_loop()
    seen: list[str | None] = []

    if database.dialect == "postgresql":
        # A function runs on the loop here, so the write must come from a thread with another loop.
        def write_meanwhile() -> None:
            thread = threading.Thread(target=lambda: asyncio.run(_write_elsewhere(database_url)))
            thread.start()
            thread.join()
    else:

        def write_meanwhile() -> None:
            asyncio.run_coroutine_threadsafe(database.write(saving("colour", "red")), loop).result(10)

    database_url = str(await database.read(lambda connection: connection.engine.url.render_as_string()))

    def read(connection: Connection) -> None:
        seen.append(KeyValueRepository(connection).find("colour"))
        write_meanwhile()
        seen.append(KeyValueRepository(connection).find("colour"))

    await database.write(saving("colour", "teal"))
    await database.read(read)
    assert seen == ["teal", "teal"]
    assert await database.read(finding("colour")) == "red"


async def _write_elsewhere(url: str) -> None:
    other = await Database.open(url)
    await other.write(saving("colour", "red"))
    await other.close()


async def test_cancelled_write_is_completed(database: Database) -> None:
    task = asyncio.create_task(database.write(saving("kept")))
    await asyncio.sleep(0)  # it has begun
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # Writes are in turn on SQLite, and `close` waits for them on both.
    await _finish_writes(database)
    assert await database.read(finding("kept")) == "1"


async def test_failed_cancelled_write_does_not_affect_next_write(database: Database) -> None:
    def write(connection: Connection) -> None:
        KeyValueRepository(connection).save("lost", "1")
        raise LookupError

    faults: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    task = asyncio.create_task(database.write(write))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await _finish_writes(database)
    await database.write(saving("next"))
    assert await database.read(finding("lost")) is None
    assert await database.read(finding("next")) == "1"
    assert faults == []


async def test_close_waits_for_running_writes(database_url: str) -> None:
    database = await Database.open(database_url)
    tasks = [asyncio.create_task(database.write(saving(f"fact {number}"))) for number in range(5)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await database.close()
    again = await Database.open(database_url)
    kept = [await again.read(finding(f"fact {number}")) for number in range(5)]
    await again.close()
    assert kept == ["1"] * 5


async def test_concurrent_increments_in_two_processes_are_all_counted(database: Database, other: Database) -> None:
    def count_up(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT value FROM facts WHERE name = 'count' FOR UPDATE"))
        facts = KeyValueRepository(connection)
        facts.save("count", str(int(facts.find("count") or 0) + 1))

    await database.write(saving("count", "0"))
    await asyncio.gather(*(each.write(count_up) for each in (database, other) for _ in range(20)))
    assert await database.read(finding("count")) == "40"


async def test_sqlite_writer_uses_wal_full_sync_and_foreign_keys(sqlite_database: Database) -> None:
    def pragmas(connection: Connection) -> list[object]:
        names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        return [connection.execute(text(f"PRAGMA {name}")).scalar() for name in names]

    full = 2
    assert await sqlite_database.write(pragmas) == ["wal", full, 1, 10_000]


async def test_sqlite_readers_are_in_wal_and_read_only(sqlite_database: Database) -> None:
    def pragmas(connection: Connection) -> list[object]:
        return [connection.execute(text(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "query_only")]

    assert await sqlite_database.read(pragmas) == ["wal", 1]


async def test_sqlite_serves_three_reads_at_once(sqlite_database: Database) -> None:
    together = threading.Barrier(3)
    met = await asyncio.gather(*(sqlite_database.read(lambda _: together.wait(10)) for _ in range(3)))
    assert sorted(met) == [0, 1, 2]


async def test_connections_share_compiled_statements(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two databases share nothing."""
    caches: list[dict[Any, Any]] = []

    def new_cache() -> dict[Any, Any]:
        caches.append({})
        return caches[-1]

    urls = [await databases.create(migrated=True) for _ in range(2)]
    for backend in (sqlite, postgresql):
        monkeypatch.setattr(backend, "statement_cache", new_cache)
    for url in urls:
        database = await Database.open(url)
        for run in (database.write, database.search, database.read):
            assert await run(finding("colour")) is None
        await database.close()
        await databases.drop(url)
    assert [len(cache) for cache in caches] == [1, 1]


async def test_open_sqlite_creates_missing_folder(tmp_path: Path) -> None:
    file = tmp_path / "data" / "deep" / "atelier.db"
    database = await Database.open(f"sqlite+aiosqlite:///{file}")
    await database.close()
    assert file.exists()


@pytest.mark.parametrize(
    "url", ["sqlite+aiosqlite://", "sqlite+aiosqlite:///:memory:", "mysql://root@localhost/atelier"]
)
async def test_open_unsupported_url_raises(url: str) -> None:
    with pytest.raises(ValueError, match=r"needs a file|is not supported"):
        await Database.open(url)


async def test_open_file_of_another_kind_raises_and_leaves_no_thread(tmp_path: Path) -> None:
    file = tmp_path / "notes.db"
    file.write_text("these are my notes " * 100)
    before = set(threading.enumerate())
    with pytest.raises(Exception, match="not a database"):
        await Database.open(f"sqlite+aiosqlite:///{file}")
    # The loop's own pool keeps its threads.
    left = [each for each in threading.enumerate() if each not in before and not each.name.startswith("asyncio_")]
    for thread in left:
        thread.join(10)
    assert [thread for thread in left if thread.is_alive()] == []
    assert file.read_text().startswith("these are my notes")


async def _finish_writes(database: Database) -> None:
    while database._running:
        await asyncio.wait(database._running)


async def test_sqlite_reads_waiting_together_share_a_transaction(sqlite_database: Database) -> None:
    threads: list[int] = []

    def read(connection: Connection) -> int:
        threads.append(threading.get_ident())
        return int(connection.exec_driver_sql("SELECT 1").scalar_one())

    assert await asyncio.gather(*(sqlite_database.read(read) for _ in range(5))) == [1] * 5
    assert len(set(threads)) == 1


async def test_sqlite_read_behind_a_slow_one_gets_another_reader(sqlite_database: Database) -> None:
    """Though both began to wait together."""
    done = threading.Event()
    slow = asyncio.create_task(sqlite_database.read(lambda _: done.wait(30)))
    quick = [asyncio.create_task(sqlite_database.read(lambda _: done.is_set())) for _ in range(5)]
    assert await asyncio.gather(*quick) == [False] * 5
    done.set()
    assert await slow


async def test_sqlite_error_of_a_read_is_its_own(sqlite_database: Database) -> None:
    def broken(_: Connection) -> int:
        raise ValueError("broken")

    reads = [sqlite_database.read(each) for each in (lambda _: 1, broken, lambda _: 3)]
    one, error, three = await asyncio.gather(*reads, return_exceptions=True)
    assert (one, str(error), three) == (1, "broken", 3)


async def test_sqlite_lost_read_transaction_is_the_error_of_its_reads(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None of them waits for ever, and the next ones are served."""

    def fails(*_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as broken:
        broken.setattr(SQLiteDialect_pysqlite, "do_commit", fails)
        reads = [sqlite_database.read(lambda _: 1) for _ in range(3)]
        errors = await asyncio.gather(*reads, return_exceptions=True)
    assert [type(each) for each in errors] == [OperationalError] * 3
    assert await sqlite_database.read(lambda _: 2) == 2


async def test_sqlite_read_sees_every_commit_before_it(sqlite_database: Database) -> None:
    """Also while others read all the time."""
    await sqlite_database.write(lambda connection: connection.exec_driver_sql("CREATE TABLE counted (number INTEGER)"))

    def count(connection: Connection) -> int:
        return int(connection.exec_driver_sql("SELECT count(*) FROM counted").scalar_one())

    def add(connection: Connection) -> None:
        connection.exec_driver_sql("INSERT INTO counted VALUES (1)")

    async def writes_and_reads() -> None:
        for _ in range(20):
            await sqlite_database.write(add)
            expected = next(numbers)
            assert await sqlite_database.read(count) >= expected

    numbers = iter(range(1, 1000))
    await asyncio.gather(*(writes_and_reads() for _ in range(8)))
    assert await sqlite_database.read(count) == 160


def work(connection: Connection) -> None:
    """Keep a reader busy for some milliseconds."""
    count = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) SELECT count(*) FROM n"
    assert connection.exec_driver_sql(count).scalar_one() == 10000


async def test_sqlite_long_read_gets_a_reader_while_short_ones_keep_coming(sqlite_database: Database) -> None:
    done = asyncio.Event()

    async def keep_reading() -> None:
        while not done.is_set():
            await sqlite_database.read(work)

    reading = asyncio.gather(*(keep_reading() for _ in range(100)))
    try:
        async with asyncio.timeout(30):
            for _ in range(4):  # until all readers are busy
                await sqlite_database.read(work)
            for _ in range(3):
                await sqlite_database.read(lambda _: None, long_running=True)
    finally:
        done.set()
        await reading


async def test_sqlite_reads_end_about_in_the_order_in_which_they_were_asked_for(sqlite_database: Database) -> None:
    """Though readers share them, and a turn is longer than the patience."""
    ended: list[int] = []

    async def read(number: int) -> None:
        await sqlite_database.read(work)
        ended.append(number)

    await asyncio.gather(*(read(number) for number in range(150)))
    assert max(abs(place - number) for place, number in enumerate(ended)) < 100


async def test_sqlite_reads_do_not_go_on_after_an_undone_transaction(sqlite_database: Database) -> None:
    """Some errors undo it; later reads of the group are of one state again."""
    states: list[bool] = []

    def undo(connection: Connection) -> None:
        connection.exec_driver_sql("ROLLBACK")

    def look(connection: Connection) -> None:
        driver: Any = connection.connection.dbapi_connection
        states.append(driver.in_transaction)

    await asyncio.gather(sqlite_database.read(undo), *(sqlite_database.read(look) for _ in range(3)))
    assert states == [True] * 3
