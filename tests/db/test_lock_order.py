"""Order and extent of locks of several items, on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.util import await_only

from bot.domain.credits import Account
from db.accounts import AccountRepository
from db.cards import CardRepository, DeliveredJob, PostedCard
from db.database import Database
from db.jobs import JobRepository
from tests.support.clock import START
from tests.support.databases import Databases
from tests.support.factories import GUILD, MEMBER, make_context, make_job

ONE, OTHER = sorted((make_job(), make_job()), key=lambda job: job.id)
NEW, NEWER = make_job(place=make_context(interaction_id=1)), make_job(place=make_context(interaction_id=2))
LATER = START + timedelta(seconds=5)

Write = Callable[[Connection], object]


@pytest.fixture
async def server(postgresql_databases: Databases) -> AsyncIterator[tuple[Database, Database]]:
    """Return a PostgreSQL database with two jobs, opened twice."""
    url = await postgresql_databases.create(migrated=True)
    database, other = await Database.open(url), await Database.open(url)
    await database.write(lambda connection: JobRepository(connection).add_all([ONE, OTHER]))
    yield database, other
    await database.close()
    await other.close()
    await postgresql_databases.drop(url)


def account(member: int, *, guild: int = GUILD) -> Account:
    """Return an empty account."""
    return Account(guild_id=guild, member_id=member)


@dataclass(frozen=True, kw_only=True)
class Case:
    """Writes of two items: of each, and of both in the wrong order."""

    first: Write
    second: Write
    both: Write
    is_refused: bool = False


CASES = {
    "cards": Case(
        first=lambda connection: JobRepository(connection).request_cancel(ONE.id, START),
        second=lambda connection: JobRepository(connection).request_cancel(OTHER.id, START),
        both=lambda connection: CardRepository(connection).set_acknowledged(
            [PostedCard(job_id=job.id, message_id=5, at=LATER) for job in (OTHER, ONE)]
        ),
    ),
    "deliveries": Case(
        first=lambda connection: JobRepository(connection).request_cancel(ONE.id, START),
        second=lambda connection: JobRepository(connection).request_cancel(OTHER.id, START),
        both=lambda connection: CardRepository(connection).set_delivered(
            [DeliveredJob(job_id=job.id, at=LATER) for job in (OTHER, ONE)]
        ),
    ),
    "new accounts": Case(
        first=lambda connection: AccountRepository(connection).lock(GUILD, MEMBER),
        second=lambda connection: AccountRepository(connection).lock(GUILD, MEMBER + 1),
        both=lambda connection: AccountRepository(connection).add_all([account(MEMBER + 1), account(MEMBER)]),
        is_refused=True,
    ),
    "new jobs": Case(
        first=lambda connection: JobRepository(connection).add(NEW),
        second=lambda connection: JobRepository(connection).add(NEWER),
        both=lambda connection: JobRepository(connection).add_all([NEWER, NEW]),
        is_refused=True,
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
async def test_transactions_of_the_same_items_never_wait_in_a_circle(
    server: tuple[Database, Database], case: Case
) -> None:
    database, other = server
    waiting: list[asyncio.Task[object]] = []

    def write(connection: Connection) -> None:
        connection.execute(text("SET LOCAL lock_timeout = '500ms'"))
        case.first(connection)
        waiting.append(asyncio.create_task(other.write(case.both)))
        while not connection.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar_one():
            await_only(asyncio.sleep(0))
        case.second(connection)

    await database.write(write)
    (result,) = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(result, IntegrityError) is case.is_refused


async def test_accounts_of_other_pairs_are_not_locked(server: tuple[Database, Database]) -> None:
    """A member of two guilds would wait for a job of the one in the other."""
    database, other = server
    pairs = [(guild, member) for guild in (GUILD, GUILD + 1) for member in (MEMBER, MEMBER + 1)]
    await database.write(
        lambda connection: AccountRepository(connection).add_all([account(each, guild=guild) for guild, each in pairs])
    )

    def lock(connection: Connection) -> None:
        connection.execute(text("SET LOCAL lock_timeout = '500ms'"))
        AccountRepository(connection).lock_all(pairs[1:3])

    def write(connection: Connection) -> None:
        AccountRepository(connection).lock_all([pairs[0], pairs[3]])
        await_only(other.write(lock))

    await database.write(write)
