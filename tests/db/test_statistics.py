"""Statistics on both kinds of database."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from sqlalchemy import Connection, event, update

from bot.domain.costs import Cost, CostSource, Currency
from bot.domain.jobs import Job, Outcome, State
from bot.domain.statistics import Counts, MemberCredits, Period, RoleCredits, Statistics, Waiting
from db.attempts import AttemptRepository
from db.database import Database
from db.statistics import read_statistics
from db.tables import holds
from tests.support.factories import GUILD, make_attempt, make_context, make_job, make_request
from tests.support.ledger import adding, hold, make_ledger

BEFORE = datetime(2026, 3, 23, 12, 0, tzinfo=UTC)
NOON = datetime(2026, 3, 30, 12, 0, tzinfo=UTC)
REPORTED = Cost(amount=Decimal("0.048"), currency=Currency.USD, source=CostSource.REPORTED)


def job(at: datetime = NOON, *, member: int = 1, guild: int = GUILD, model: str = "reve-2.0", **changes: Any) -> Job:
    """Return a done job of a member, with 12 credits captured after 30 s."""
    values: dict[str, Any] = {"state": State.DONE, "charged": 12, "finished_at": at + timedelta(seconds=30)}
    place = make_context(member_id=member, guild_id=guild)
    request = make_request(model=model)
    return make_job(place=place, request=request, created_at=at, due_at=at, price=100, **{**values, **changes})


async def statistics(
    database: Database, days: int = 7, zone: str = "UTC", *, guild: int | None = GUILD, with_money: bool = False
) -> Statistics:
    """Return the statistics of the days up to `NOON`."""
    period = Period.until(NOON, days, zone)
    return await database.read(partial(read_statistics, period=period, guild_id=guild, with_money=with_money))


async def test_server_without_jobs_has_every_day_with_nothing(database: Database) -> None:
    await database.write(adding(job(guild=GUILD + 1), job(NOON - timedelta(days=7))))
    found = await statistics(database)
    assert [each.day for each in found.days] == list(found.period.days)
    assert all(not each.models and each.waiting is None for each in found.days)
    assert (found.total, found.members, found.roles, found.waiting) == (Counts(), (), (), None)


async def test_jobs_are_counted_by_day_model_and_end(database: Database) -> None:
    yesterday = NOON - timedelta(days=1)
    cancelled = job(yesterday, state=State.CANCELLED, charged=0)
    live = job(yesterday, state=State.QUEUED, charged=None, finished_at=None)
    failed, lost = job(yesterday, state=State.FAILED, charged=0), job(state=State.LOST, charged=0)
    banana = job(model="nano-banana", charged=20)
    await database.write(adding(job(yesterday), cancelled, live, failed, lost, banana, job()))
    *before, first, second = (await statistics(database)).days
    assert not any(each.models for each in before)
    assert first.models == {"reve-2.0": Counts(jobs=4, done=1, failed=1, credits=12)}
    assert second.models == {
        "nano-banana": Counts(jobs=1, done=1, credits=20),
        "reve-2.0": Counts(jobs=2, done=1, failed=1, credits=12),
    }


async def test_deleted_and_private_jobs_count(database: Database) -> None:
    private = job()
    await database.write(adding(job(deleted_at=NOON), private))
    assert (await statistics(database)).total == Counts(jobs=2, done=2, credits=24)


async def test_days_change_at_the_zones_midnight_and_with_summer_time(database: Database) -> None:
    """Berlin's 29 March 2026 has 23 hours: from 23:00 to 22:00 UTC."""
    moments = {
        datetime(2026, 3, 28, 22, 59, 59, 999_999, tzinfo=UTC): date(2026, 3, 28),
        datetime(2026, 3, 28, 23, 0, tzinfo=UTC): date(2026, 3, 29),
        datetime(2026, 3, 29, 21, 59, 59, 999_999, tzinfo=UTC): date(2026, 3, 29),
        datetime(2026, 3, 29, 22, 0, tzinfo=UTC): date(2026, 3, 30),
    }
    await database.write(adding(*map(job, moments)))
    found = await statistics(database, 3, "Europe/Berlin")
    assert {each.day: each.total.jobs for each in found.days} == {
        date(2026, 3, 28): 1,
        date(2026, 3, 29): 2,
        date(2026, 3, 30): 1,
    }


async def test_waiting_time_is_a_time_that_a_job_really_took(database: Database) -> None:
    """The smallest time not exceeded by half, or 90 %, of the jobs."""
    today = [job(finished_at=NOON + timedelta(seconds=each, milliseconds=900)) for each in range(1, 11)]
    yesterday = NOON - timedelta(days=1)
    lone = job(yesterday, finished_at=yesterday + timedelta(seconds=100))
    failed = job(state=State.FAILED, charged=0, finished_at=NOON + timedelta(hours=1))
    await database.write(adding(*today, lone, failed))
    found = await statistics(database)
    assert found.days[-1].waiting == Waiting(median=5, late=9)
    assert found.days[-2].waiting == Waiting(median=100, late=100)
    assert found.waiting == Waiting(median=6, late=10)


async def test_members_after_the_tenth_are_one_sum(database: Database) -> None:
    spenders = [job(member=number, charged=number) for number in range(1, 14)]
    await database.write(adding(*spenders, job(member=13, charged=1), job(member=13, guild=GUILD + 1)))
    found = await statistics(database)
    assert found.members[0] == MemberCredits(member_id=13, jobs=2, credits=14)
    assert [each.member_id for each in found.members] == list(range(13, 3, -1))
    assert (found.other_members, found.other_jobs, found.other_credits) == (3, 3, 1 + 2 + 3)


async def test_credits_are_counted_by_the_role_of_their_allowance(database: Database) -> None:
    """A member's own allowance has no role, that of the server has role 0."""
    ledger = make_ledger()

    def write(connection: Connection) -> None:
        for role_id, price, at in ((None, 1, NOON), (0, 2, NOON), (77, 4, NOON), (77, 8, NOON), (88, 16, BEFORE)):
            each = job(at, charged=price, member=price)
            hold(connection, ledger, each, NOON)
            connection.execute(update(holds).where(holds.c.job_id == each.id).values(role_id=role_id))

    await database.write(write)
    assert (await statistics(database)).roles == (
        RoleCredits(role_id=77, jobs=2, credits=12),
        RoleCredits(role_id=0, jobs=1, credits=2),
        RoleCredits(role_id=None, jobs=1, credits=1),
    )


async def test_statistics_of_a_server_read_its_period_alone(sqlite_database: Database) -> None:
    """All passes over the jobs use the index by time."""
    period, asked = Period.until(NOON, 30), list[tuple[str, Any]]()

    def plans(connection: Connection) -> list[str]:
        def note(_: object, __: object, statement: str, parameters: Any, *___: object) -> None:
            asked.append((statement, parameters))

        event.listen(connection, "before_cursor_execute", note)
        read_statistics(connection, period, guild_id=GUILD, with_money=True)
        event.remove(connection, "before_cursor_execute", note)
        return [
            row[3]
            for statement, parameters in asked
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]

    lines = [line for line in await sqlite_database.read(plans) if " jobs " in line]
    assert len(lines) == 6
    assert {line.partition(" (")[0] for line in lines} == {"SEARCH jobs USING INDEX ix_jobs_community_id_created_at"}


async def test_all_servers_together_have_the_sum(database: Database) -> None:
    await database.write(adding(job(), job(guild=GUILD + 1), job(guild=0)))
    assert (await statistics(database, guild=None)).total.jobs == 3
    assert (await statistics(database, guild=0)).total.jobs == 1


async def test_money_is_of_the_servers_jobs_in_the_period(database: Database) -> None:
    ledger = make_ledger()

    def write(connection: Connection) -> None:
        for each in (job(), job(NOON - timedelta(days=7)), job(guild=GUILD + 1)):
            member, guild = each.place.member_id, each.place.guild_id
            ledger.grant(connection, guild_id=guild, member_id=member, amount=500, actor=1, reason="", now=NOON)
            hold(connection, ledger, each, NOON)
            attempt = make_attempt(each)
            AttemptRepository(connection).add_all([attempt])
            AttemptRepository(connection).end_call(attempt, Outcome.COMPLETED, NOON, cost=REPORTED)

    await database.write(write)
    assert (await statistics(database)).money is None
    (row,) = (await statistics(database, with_money=True)).money or ()
    assert (row.provider, row.model, row.earned, row.spent(Currency.USD)) == (
        "skillboss",
        "reve-2.0",
        12,
        REPORTED.amount,
    )
    (both,) = (await statistics(database, guild=None, with_money=True)).money or ()
    assert both.jobs == 2
