"""PostgreSQL only: errors without values, and bounded waits."""

import asyncio
import traceback
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.util import await_only

from db import postgresql
from db.database import Database
from db.jobs import JobRepository
from db.locks import CLAIMING, advisory_lock, disable_timeout
from db.migrate import migrate
from db.tables import accounts, jobs
from tests.support.databases import Databases
from tests.support.factories import make_context, make_job, make_request

PROMPT, TOKEN = "a very hush-hush fox", "s3cret-interaction-token"
JOB = make_job(place=make_context(token=TOKEN), request=make_request(prompt=PROMPT))


@pytest.fixture
async def server(postgresql_databases: Databases) -> AsyncIterator[Database]:
    """Return a fresh, migrated PostgreSQL database with one job."""
    url = await postgresql_databases.create(migrated=True)
    database = await Database.open(url)
    await database.write(lambda connection: JobRepository(connection).add(JOB))
    yield database
    await database.close()
    await postgresql_databases.drop(url)


def again(**changes: Any) -> Callable[[Connection], None]:
    """Return a transaction to copy the job's row with changes."""

    def write(connection: Connection) -> None:
        row = connection.execute(select(jobs)).mappings().one()
        # By key: the guild's column has another name in the database.
        values = {column.key: row[column] for column in jobs.c}
        connection.execute(insert(jobs).values(values | {"id": "f" * 32, "interaction_id": 5} | changes))

    return write


def private_cast(connection: Connection) -> None:
    """Make the server read a prompt as a number."""
    connection.execute(text("SELECT CAST(prompt AS integer) FROM jobs"))


async def test_autocommit_keeps_what_preceded_a_fault(server: Database) -> None:
    def write(connection: Connection) -> None:
        JobRepository(connection).set_deleted(JOB.id, JOB.created_at)
        private_cast(connection)

    with pytest.raises(DBAPIError) as caught:
        await server.autocommit(write)
    assert "hush-hush" not in str(caught.value)
    deleted = select(jobs.c.deleted_at)
    assert await server.read(lambda connection: connection.execute(deleted).scalar()) == JOB.created_at


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (again(price=0), "ck_jobs_price_positive"),
        (again(interaction_id=JOB.place.interaction_id), "uq_jobs_interaction_id"),
        (again(model=None), 'null value in column "model"'),
        (again(model=PROMPT + 60 * "!"), "(22001): a value"),
        (again(prompt=PROMPT + "\x00"), "(22021): a value"),
        (again(prompt=PROMPT + "\ud800"), "invalid input for query argument $"),
        (again(fence=PROMPT), "invalid input for query argument $"),
        (private_cast, "(22P02): a value"),
    ],
    ids=["check", "unique", "not-null", "too-long", "nul", "surrogate", "wrong-type", "cast"],
)
async def test_database_error_names_the_fault_without_values(
    server: Database, write: Callable[[Connection], None], words: str
) -> None:
    with pytest.raises(DBAPIError) as caught:
        await server.write(write)

    printed = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(caught.value.orig)
    assert words in printed
    assert "hush-hush" not in printed
    assert TOKEN not in printed
    assert "DETAIL" not in printed


async def test_error_caught_inside_a_transaction_has_no_values(server: Database) -> None:
    seen: list[tuple[str, object]] = []

    def write(connection: Connection) -> None:
        try:
            again(price=0)(connection)
        except IntegrityError as error:
            seen.append((str(error), getattr(error.orig, "sqlstate", None)))

    await server.write(write)
    assert seen[0][0].startswith("CheckViolationError (23514): new row for relation")
    assert PROMPT not in seen[0][0]
    assert seen[0][1] == "23514"


async def test_own_errors_propagate_unchanged(server: Database) -> None:
    def refuse(_: Connection) -> None:
        raise LookupError("ours")

    with pytest.raises(LookupError, match="ours"):
        await server.write(refuse)
    with pytest.raises(Exception, match="a time without a zone"):
        await server.write(again(created_at=JOB.created_at.replace(tzinfo=None)))


async def test_hanging_command_times_out_and_connection_is_reusable(
    monkeypatch: pytest.MonkeyPatch, server: Database
) -> None:
    monkeypatch.setattr(postgresql, "_COMMAND_SECONDS", 2.0)
    url = str(await server.read(lambda connection: connection.engine.url.render_as_string(hide_password=False)))
    impatient = await Database.open(url)
    with pytest.raises(TimeoutError):
        await impatient.read(lambda connection: connection.execute(text("SELECT pg_sleep(60)")).scalar())
    assert await impatient.read(lambda connection: connection.execute(select(accounts)).all()) == []
    await impatient.close()


def between_statements(_: Connection) -> None:
    """Pause between two statements."""


def within_a_statement(connection: Connection) -> None:
    """Pause after the first half of a statement's message."""
    driver: Any = connection.connection.driver_connection
    await_only(driver.prepare("SELECT 2"))


@pytest.mark.parametrize("where", [between_statements, within_a_statement])
async def test_paused_transaction_loses_its_lock_and_its_writes(
    monkeypatch: pytest.MonkeyPatch, server: Database, where: Callable[[Connection], None]
) -> None:
    url = str(await server.read(lambda connection: connection.engine.url.render_as_string(hide_password=False)))
    stopped = await Database.open(url)
    with monkeypatch.context() as patch:
        patch.setattr(postgresql, "_IDLE_SECONDS", 1.0)
        patch.setattr(postgresql, "_TRANSACTION_SECONDS", 3.0)
        await stopped.read(lambda connection: connection.execute(text("SELECT 1")))  # connects

    async def go_first() -> None:
        other = await Database.open(url)
        await other.write(lambda connection: advisory_lock(connection, CLAIMING))
        await other.close()

    def stand_still(connection: Connection) -> None:
        advisory_lock(connection, CLAIMING)
        connection.execute(update(jobs).values(fence=99))
        where(connection)
        with ThreadPoolExecutor(1) as elsewhere:  # this thread, with all that would go on in it, waits for that one
            elsewhere.submit(asyncio.run, go_first()).result()
        connection.execute(text("SELECT 1"))

    with pytest.raises(DBAPIError):
        await stopped.write(stand_still)
    assert await stopped.read(lambda connection: connection.execute(select(jobs.c.fence)).scalar()) == JOB.fence
    await stopped.close()


async def test_migration_is_exempt_from_transaction_timeout(
    monkeypatch: pytest.MonkeyPatch, postgresql_databases: Databases
) -> None:
    monkeypatch.setattr(postgresql, "_TRANSACTION_SECONDS", 0.2)
    url = await postgresql_databases.create(migrated=False)
    database = await Database.open(url)

    def write(connection: Connection) -> None:
        disable_timeout(connection)
        connection.execute(text("SELECT pg_sleep(0.4)"))

    await database.write(write)
    assert await migrate(database) != []
    await database.close()
    await postgresql_databases.drop(url)


async def test_exhausted_pool_raises_after_its_timeout(monkeypatch: pytest.MonkeyPatch, server: Database) -> None:
    monkeypatch.setattr(postgresql, "_CONNECTIONS", 1)
    monkeypatch.setattr(postgresql, "_POOL_SECONDS", 0.1)
    url = str(await server.read(lambda connection: connection.engine.url.render_as_string(hide_password=False)))
    small = await Database.open(url)
    holding = asyncio.create_task(
        small.write(lambda connection: connection.execute(text("SELECT pg_sleep(0.5)")).scalar())
    )
    with pytest.raises(PoolTimeoutError):
        await asyncio.gather(
            *(small.read(lambda connection: connection.execute(text("SELECT 1")).scalar()) for _ in range(2))
        )
    await holding
    await small.close()


def end_other_connections(connection: Connection) -> None:
    """End all other connections, as a restart of the server does."""
    end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
    connection.execute(text(end + " WHERE datname = current_database() AND pid <> pg_backend_pid()"))


async def test_idle_connections_that_were_lost_are_replaced(server: Database) -> None:
    url = str(await server.read(lambda connection: connection.engine.url.render_as_string(hide_password=False)))
    other = await Database.open(url)
    slow = text("SELECT pg_backend_pid() FROM pg_sleep(0.2)")

    async def processes() -> set[int]:
        reads = (server.read(lambda connection: connection.execute(slow).scalar_one()) for _ in range(5))
        return set(await asyncio.gather(*reads))

    before = await processes()
    assert len(before) == 5
    await other.write(end_other_connections)
    after = await processes()
    assert len(after) == 5
    assert not before & after
    await other.write(end_other_connections)
    await server.write(again())
    await other.close()


async def test_connection_lost_within_a_transaction_fails_it_once(server: Database) -> None:
    url = str(await server.read(lambda connection: connection.engine.url.render_as_string(hide_password=False)))
    other = await Database.open(url)
    await other.read(lambda connection: connection.execute(text("SELECT 1")))
    calls = 0

    def write(connection: Connection) -> None:
        nonlocal calls
        calls += 1
        connection.execute(update(jobs).values(fence=99))
        await_only(other.write(end_other_connections))
        connection.execute(text("SELECT 1"))

    with pytest.raises(DBAPIError):
        await server.write(write)
    assert calls == 1
    assert await server.read(lambda connection: connection.execute(select(jobs.c.fence)).scalar()) == JOB.fence
    await other.close()
