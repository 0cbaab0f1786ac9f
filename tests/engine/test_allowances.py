"""Allowances of roles and members, and budgets of guilds, in the ledger."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection

from bot.domain.allowances import AllowanceEntry, AllowanceSource, PeriodKind
from bot.domain.credits import Account
from bot.domain.errors import BudgetSpentError, InsufficientCreditsError
from bot.domain.jobs import Job
from bot.engine.ledger import Ledger
from db.accounts import AccountRepository
from db.allowances import AllowanceRepository
from db.audit import audit
from db.budgets import BudgetRepository
from db.database import Database
from db.guilds import GuildRepository
from db.ledger import LedgerRepository
from tests.support.clock import START
from tests.support.factories import GUILD, MEMBER, make_context, make_id, make_job, make_request
from tests.support.ledger import end, hold, make_ledger

PAINTERS, PATRONS = 501, 502
OTHER_GUILD = GUILD + 1


def job_with(
    roles: Sequence[int] = (), images: int = 1, *, now: datetime = START, member: int = MEMBER, guild: int = GUILD
) -> Job:
    """Return a job of 12 credits per image for a member with roles."""
    place = make_context(roles=tuple(roles), member_id=member, guild_id=guild)
    return make_job(place=place, request=make_request(images=images), created_at=now, due_at=now)


async def allow(database: Database, *entries: AllowanceEntry, guild: int = GUILD) -> None:
    """Store allowances."""

    def write(connection: Connection) -> None:
        for entry in entries:
            AllowanceRepository(connection).set(guild, entry)

    await database.write(write)


async def hold_one(database: Database, ledger: Ledger, job: Job, now: datetime = START) -> Account:
    """Hold a job in a separate transaction."""
    return await database.write(lambda connection: hold(connection, ledger, job, now))


async def end_one(database: Database, ledger: Ledger, job: Job, charge: int, now: datetime = START) -> None:
    """Settle a job in a separate transaction."""
    await database.write(lambda connection: end(connection, ledger, job, charge, now))


async def move_to(database: Database, zone: str) -> None:
    """Set the guild's time zone."""
    await database.write(lambda each: GuildRepository(each).change_settings(GUILD, {"time_zone": zone}))


async def left(database: Database, ledger: Ledger, roles: Sequence[int] = (), now: datetime = START) -> int | None:
    """Return the spendable credits of a member with roles."""
    account = await database.read(lambda connection: ledger.available(connection, GUILD, MEMBER, now, roles))
    return account.available


async def test_own_allowance_counts_without_known_roles(database: Database) -> None:
    ledger = make_ledger(allowance=24)
    await hold_one(database, ledger, job_with())
    await allow(database, AllowanceEntry(amount=100, period=PeriodKind.WEEK, member_id=MEMBER))
    account, terms = await database.read(lambda each: ledger.view(each, GUILD, MEMBER, START))
    assert (account.available, account.spent, terms.allowance.source) == (88, 12, AllowanceSource.MEMBER)
    await database.write(lambda each: AllowanceRepository(each).remove(GUILD, member_id=MEMBER))
    account, terms = await database.read(lambda each: ledger.view(each, GUILD, MEMBER, START))
    assert (account.available, terms.allowance.source) == (12, AllowanceSource.LAST)


async def test_role_gained_and_lost_during_a_hold_counts_what_was_spent(database: Database) -> None:
    ledger = make_ledger(allowance=24)
    await allow(database, AllowanceEntry(role_id=PATRONS, amount=120))
    job = job_with([PATRONS], images=4)
    await hold_one(database, ledger, job)
    assert await left(database, ledger, [PATRONS]) == 72
    assert await left(database, ledger) == 0
    with pytest.raises(InsufficientCreditsError) as caught:
        await hold_one(database, ledger, job_with())
    assert (caught.value.available, caught.value.allowance) == (0, 24)
    await end_one(database, ledger, job, 12)
    # 12 of 24 are spent without the role, and 12 of 120 with it.
    assert (await left(database, ledger), await left(database, ledger, [PATRONS])) == (12, 108)
    assert await database.read(audit) == []


async def test_allowances_of_several_roles_never_add_up(database: Database) -> None:
    ledger = make_ledger(allowance=0)
    await allow(database, *(AllowanceEntry(role_id=role, amount=12 * (role - 500)) for role in range(501, 511)))
    for _ in range(10):
        await hold_one(database, ledger, job_with(range(501, 511)))
    for roles in (range(501, 511), [510], [505], []):
        with pytest.raises(InsufficientCreditsError):
            await hold_one(database, ledger, job_with(roles))
    assert await database.read(audit) == []


async def test_simultaneous_commands_with_credits_for_one_hold_once(database: Database) -> None:
    ledger = make_ledger(allowance=0)
    await allow(database, AllowanceEntry(role_id=PAINTERS, amount=12))
    held = await asyncio.gather(
        *(hold_one(database, ledger, job_with([PAINTERS])) for _ in range(50)), return_exceptions=True
    )
    assert sum(isinstance(each, Account) for each in held) == 1
    assert sum(isinstance(each, InsufficientCreditsError) for each in held) == 49
    assert await database.read(audit) == []


async def test_unlimited_role_pays_nothing_of_the_grants(database: Database) -> None:
    ledger = make_ledger(allowance=24)
    await allow(database, AllowanceEntry(role_id=PATRONS, amount=None))
    await database.write(
        lambda each: ledger.grant(each, guild_id=GUILD, member_id=MEMBER, amount=30, actor=1, reason="", now=START)
    )
    job = job_with([PATRONS], images=4)
    account = await hold_one(database, ledger, job)
    assert (account.available, account.granted, account.held, account.spent) == (None, 30, 48, 48)
    # The role goes while the job runs: nothing of the usual 24 is left, the grant is.
    assert await left(database, ledger) == 30
    await end_one(database, ledger, job, 36)
    assert await left(database, ledger) == 30
    assert await left(database, ledger, [PATRONS]) is None
    assert await database.read(audit) == []


async def test_member_in_two_guilds_has_two_allowances(database: Database) -> None:
    ledger = make_ledger(allowance=12)
    await allow(database, AllowanceEntry(member_id=MEMBER, amount=0))
    with pytest.raises(InsufficientCreditsError):
        await hold_one(database, ledger, job_with())
    await hold_one(database, ledger, job_with(guild=OTHER_GUILD))
    assert await database.read(audit) == []


async def test_allowance_renews_at_midnight_of_the_servers_time_zone(database: Database) -> None:
    """On the evening before summer time begins in Berlin."""
    ledger = make_ledger(allowance=12)
    await move_to(database, "Europe/Berlin")
    evening, midnight = datetime(2026, 3, 28, 22, 59, tzinfo=UTC), datetime(2026, 3, 28, 23, 0, tzinfo=UTC)
    job = job_with(now=evening)
    await hold_one(database, ledger, job, evening)
    with pytest.raises(InsufficientCreditsError) as caught:
        await hold_one(database, ledger, job_with(now=evening), evening)
    assert caught.value.renews_at == midnight
    await hold_one(database, ledger, job_with(now=midnight), midnight)
    # A release of yesterday's hold is no second allowance of today.
    await end_one(database, ledger, job, 0, midnight)
    assert await left(database, ledger, now=midnight) == 0
    with pytest.raises(InsufficientCreditsError) as caught:
        await hold_one(database, ledger, job_with(now=midnight), midnight)
    assert caught.value.renews_at == datetime(2026, 3, 29, 22, 0, tzinfo=UTC)
    assert await database.read(audit) == []


async def test_moved_time_zone_issues_no_allowance_twice(database: Database) -> None:
    ledger = make_ledger(allowance=24)
    now = datetime(2026, 3, 14, 13, tzinfo=UTC)
    await hold_one(database, ledger, job_with(images=2, now=now), now)
    for zone in ("Pacific/Auckland", "UTC", "Pacific/Auckland", "Pacific/Honolulu"):
        await move_to(database, zone)
        with pytest.raises(InsufficientCreditsError):
            # In Auckland it is another day, but the job was made on that day there too.
            await hold_one(database, ledger, job_with(now=now), now)
    assert await database.read(audit) == []


async def test_change_from_days_to_months_counts_the_months_jobs(database: Database) -> None:
    ledger = make_ledger(allowance=24)
    for day in (1, 2):
        now = datetime(2026, 3, day, tzinfo=UTC)
        job = job_with(images=2, now=now)
        await hold_one(database, ledger, job, now)
        await end_one(database, ledger, job, 12 if day == 1 else 24, now)
    await allow(database, AllowanceEntry(amount=60, period=PeriodKind.MONTH))
    third = datetime(2026, 3, 3, tzinfo=UTC)
    assert await left(database, ledger, now=third) == 24
    running = job_with(images=2, now=third)
    await hold_one(database, ledger, running, third)
    await allow(database, AllowanceEntry(amount=30, period=PeriodKind.DAY))
    assert await left(database, ledger, now=third) == 6
    await end_one(database, ledger, running, 0, third)
    assert await left(database, ledger, now=third) == 30
    assert await database.read(audit) == []


async def test_hold_records_the_role_of_its_allowance(database: Database) -> None:
    ledger = make_ledger()
    await allow(database, AllowanceEntry(role_id=PATRONS, amount=500), AllowanceEntry(member_id=MEMBER + 1, amount=500))
    jobs = [job_with([PATRONS]), job_with(), job_with(member=MEMBER + 1)]
    for job in jobs:
        await hold_one(database, ledger, job)

    def roles(connection: Connection) -> list[int | None]:
        return [LedgerRepository(connection).get_hold(job.id).role_id for job in jobs]

    assert await database.read(roles) == [PATRONS, 0, None]


@pytest.mark.parametrize(("admins", "operators", "most"), [(24, None, 2), (None, 36, 3), (60, 36, 3), (24, 36, 2)])
async def test_guild_budget_is_the_lower_limit(
    database: Database, admins: int | None, operators: int | None, most: int
) -> None:
    ledger = make_ledger(allowance=1000)
    await database.write(
        lambda each: GuildRepository(each).change_settings(GUILD, {"monthly_budget": admins, "budget_cap": operators})
    )
    for member in range(most):
        await hold_one(database, ledger, job_with(member=member + 1))
    with pytest.raises(BudgetSpentError) as caught:
        await hold_one(database, ledger, job_with(member=99))
    assert (caught.value.of_guild, caught.value.renews_at) == (True, datetime(2026, 4, 1, tzinfo=UTC))
    await hold_one(database, ledger, job_with(guild=OTHER_GUILD))
    assert await database.read(lambda each: AccountRepository(each).find(GUILD, 99)) is None
    assert await database.read(audit) == []


async def test_guild_budget_is_counted_like_the_operators(database: Database) -> None:
    ledger = make_ledger(allowance=1000)
    done, lost, running = (job_with(), job_with(images=2), job_with(guild=OTHER_GUILD))
    for job in (done, lost, running):
        await hold_one(database, ledger, job)
    await end_one(database, ledger, done, 12)
    await database.write(lambda each: end(each, ledger, lost, 0, START, at_risk=24))

    def read(connection: Connection) -> list[tuple[int, int, int]]:
        found = [BudgetRepository(connection, guild).find("2026-03", 100) for guild in (0, GUILD, OTHER_GUILD)]
        return [(each.held, each.captured, each.at_risk) for each in found]

    assert await database.read(read) == [(12, 12, 24), (0, 12, 24), (12, 0, 0)]
    assert await database.read(audit) == []


async def test_outside_servers_only_the_operators_budget_counts(database: Database) -> None:
    ledger = Ledger(allowance=100, budget=24, guild_budget=1, new_id=make_id)
    await hold_one(database, ledger, job_with(guild=0, images=2))
    with pytest.raises(BudgetSpentError) as caught:
        await hold_one(database, ledger, job_with(guild=0, member=7))
    assert not caught.value.of_guild
    assert await database.read(audit) == []


async def test_later_read_without_roles_shows_the_allowance_last_in_force(database: Database) -> None:
    ledger = make_ledger(allowance=24)
    await allow(database, AllowanceEntry(role_id=PATRONS, amount=120))
    await hold_one(database, ledger, job_with([PATRONS]))

    def read(connection: Connection) -> list[int | None]:
        days = (START, START + timedelta(days=1))
        return [ledger.available(connection, GUILD, MEMBER, day).available for day in days]

    assert await database.read(read) == [108, 120]


async def test_return_from_a_zone_ahead_by_another_kind_of_period_is_sound(database: Database) -> None:
    """The day goes back, but its jobs count: nothing is issued twice."""
    ledger, now = make_ledger(allowance=24), datetime(2026, 3, 14, 13, tzinfo=UTC)
    await move_to(database, "Pacific/Auckland")
    await hold_one(database, ledger, job_with(now=now), now)
    await move_to(database, "UTC")
    for entry in (AllowanceEntry(amount=60, period=PeriodKind.WEEK), AllowanceEntry(amount=60)):
        await allow(database, entry)
        now += timedelta(minutes=1)
        await hold_one(database, ledger, job_with(now=now), now)
    assert await left(database, ledger, now=now) == 24
    assert await database.read(audit) == []


async def test_zone_moved_during_a_hold_gives_no_second_allowance(database: Database) -> None:
    """In the new zone, the job of the day before was made today."""
    ledger = make_ledger(allowance=24)
    evening, morning = datetime(2026, 3, 14, 13, tzinfo=UTC), datetime(2026, 3, 15, 0, 30, tzinfo=UTC)
    yesterdays, todays = job_with(images=2, now=evening), job_with(images=2, now=morning)
    await hold_one(database, ledger, yesterdays, evening)
    await hold_one(database, ledger, todays, morning)
    await move_to(database, "Pacific/Auckland")
    await end_one(database, ledger, yesterdays, 0, morning)
    assert await left(database, ledger, now=morning) == 0
    await end_one(database, ledger, todays, 12, morning)
    assert await left(database, ledger, now=morning) == 12
    assert await database.read(audit) == []


async def test_zone_moved_to_the_west_renews_after_the_day_that_had_its_allowance(database: Database) -> None:
    ledger, now = make_ledger(allowance=24), datetime(2026, 3, 14, 13, tzinfo=UTC)
    await move_to(database, "Pacific/Auckland")
    await hold_one(database, ledger, job_with(images=2, now=now), now)
    await move_to(database, "UTC")
    with pytest.raises(InsufficientCreditsError) as caught:
        await hold_one(database, ledger, job_with(now=now), now)
    renewal = datetime(2026, 3, 16, tzinfo=UTC)
    assert caught.value.renews_at == renewal
    last_minute = renewal - timedelta(minutes=1)
    assert [await left(database, ledger, now=each) for each in (now, last_minute, renewal)] == [0, 0, 24]


async def test_zones_and_kinds_of_period_in_turn_renew_one_day_once(database: Database) -> None:
    """Each hour the server moves to the zone of the last midnight.

    The week between them lets the day go back.
    """
    ledger = make_ledger(allowance=24)
    now = datetime(2026, 3, 14, 12, 30, tzinfo=UTC)
    await database.write(
        lambda each: ledger.grant(each, guild_id=GUILD, member_id=MEMBER, amount=120, actor=1, reason="", now=now)
    )
    for offset in (12, 11, 10):
        await move_to(database, f"Etc/GMT-{offset}")
        await allow(database, AllowanceEntry(amount=0, period=PeriodKind.WEEK))
        await hold_one(database, ledger, job_with(now=now), now)
        await allow(database, AllowanceEntry(amount=24))
        account = await hold_one(database, ledger, job_with(images=2, now=now), now)
        now += timedelta(hours=1)
    # Three jobs in weeks and two in the day are paid from the grant.
    assert account.granted == 120 - 3 * 12 - 2 * 24
    assert await database.read(audit) == []


async def test_day_that_went_back_without_an_allowance_is_sound(database: Database) -> None:
    """Granted credits pay, so no allowance is issued in the earlier day."""
    ledger, now = make_ledger(allowance=24), datetime(2026, 3, 14, 13, tzinfo=UTC)
    await move_to(database, "Pacific/Auckland")
    await hold_one(database, ledger, job_with(images=2, now=now), now)
    await database.write(
        lambda each: ledger.grant(each, guild_id=GUILD, member_id=MEMBER, amount=24, actor=1, reason="", now=now)
    )
    await move_to(database, "UTC")
    for entry in (AllowanceEntry(amount=12, period=PeriodKind.WEEK), AllowanceEntry(amount=24)):
        await allow(database, entry)
        now += timedelta(minutes=1)
        await hold_one(database, ledger, job_with(now=now), now)
    assert await database.read(audit) == []
