"""Budgets of servers: limits by admins and operator, forecasts."""

import asyncio
from datetime import timedelta

import pytest

from bot.domain.errors import BudgetLimitError, BudgetSpentError
from bot.domain.guild_budgets import parse_limit
from bot.engine.ledger import Ledger
from bot.services.budgets import BudgetService
from db.audit import audit
from db.audit_log import AuditLogRepository
from db.database import Database
from tests.support.clock import START, ManualClock
from tests.support.factories import GUILD, MEMBER, make_id
from tests.support.ledger import end, hold, make_job_for

ADMIN = 77


def ledger_with(*, each: int | None = None, everyone: int = 10_000) -> Ledger:
    return Ledger(allowance=100_000, budget=everyone, guild_budget=each, new_id=make_id)


def service(database: Database, ledger: Ledger, clock: ManualClock | None = None) -> BudgetService:
    return BudgetService(database=database, ledger=ledger, clock=clock or ManualClock(), new_id=make_id)


async def spend(database: Database, ledger: Ledger, images: int = 1, *, member: int = MEMBER) -> None:
    """Hold a job of 12 credits an image."""
    job = make_job_for(images, member=member)
    await database.write(lambda connection: hold(connection, ledger, job))


async def test_admins_limit_stops_new_jobs_and_can_be_removed(database: Database) -> None:
    ledger = ledger_with()
    budgets = service(database, ledger)
    shown = await budgets.set_limit(GUILD, 24, actor_id=ADMIN)
    assert (shown.budget.limit, shown.left, shown.limits.admins) == (24, 24, 24)
    await spend(database, ledger, 2)
    with pytest.raises(BudgetSpentError) as caught:
        await spend(database, ledger)
    assert caught.value.of_guild
    await budgets.set_limit(GUILD, None, actor_id=ADMIN)
    await spend(database, ledger)
    assert not (await budgets.get(GUILD)).is_limited
    assert await database.read(audit) == []


async def test_limit_below_what_is_used_stops_new_jobs_and_keeps_running_ones(database: Database) -> None:
    ledger = ledger_with()
    budgets = service(database, ledger)
    job = make_job_for(3)
    await database.write(lambda connection: hold(connection, ledger, job))
    shown = await budgets.set_limit(GUILD, 10, actor_id=ADMIN)
    assert (shown.budget.used, shown.budget.left) == (36, 0)
    with pytest.raises(BudgetSpentError):
        await spend(database, ledger)
    await database.write(lambda connection: end(connection, ledger, job, 36))
    assert (await budgets.get(GUILD)).budget.captured == 36
    assert await database.read(audit) == []


async def test_admins_limit_above_the_operators_is_refused_with_the_highest(database: Database) -> None:
    budgets = service(database, ledger_with(each=500, everyone=2_000))
    with pytest.raises(BudgetLimitError) as caught:
        await budgets.set_limit(GUILD, 501, actor_id=ADMIN)
    assert (caught.value.highest, caught.value.by_operator) == (500, True)
    assert (await budgets.get(GUILD)).limits.admins is None
    await budgets.set_cap(GUILD, 5_000)
    with pytest.raises(BudgetLimitError) as caught:
        await budgets.set_limit(GUILD, 2_001, actor_id=ADMIN)
    assert caught.value.highest == 2_000  # all servers together have no more
    await budgets.set_limit(GUILD, 2_000, actor_id=ADMIN)


async def test_operators_cap_replaces_the_default_and_counts_with_the_admins(database: Database) -> None:
    ledger = ledger_with(each=500)
    budgets = service(database, ledger)
    assert (await budgets.get(GUILD)).budget.limit == 500
    assert (await budgets.set_cap(GUILD, 900)).budget.limit == 900
    assert (await budgets.set_limit(GUILD, 700, actor_id=ADMIN)).budget.limit == 700
    assert (await budgets.set_cap(GUILD, 0)).budget.limit == 0
    with pytest.raises(BudgetSpentError):
        await spend(database, ledger)
    assert (await budgets.set_cap(GUILD, None)).budget.limit == 500


async def test_changes_of_limits_are_in_the_audit_log(database: Database) -> None:
    budgets = service(database, ledger_with())
    for same in range(2):  # a change to the same limit is none
        await budgets.set_limit(GUILD, 24, actor_id=ADMIN + same)
    await budgets.set_limit(GUILD, None, actor_id=ADMIN)
    for _ in range(2):
        await budgets.set_cap(GUILD, 50)
    entries = await database.read(lambda each: AuditLogRepository(each).list(GUILD, limit=9))
    assert [(each.action, each.actor_id, dict(each.detail)) for each in reversed(entries)] == [
        ("budget.limit", ADMIN, {"before": None, "after": 24}),
        ("budget.limit", ADMIN, {"before": 24, "after": None}),
        ("budget.cap", 0, {"before": None, "after": 50}),
    ]


async def test_concurrent_jobs_of_two_processes_stay_within_a_guilds_limit(database: Database, other: Database) -> None:
    ledger = ledger_with()
    await service(database, ledger).set_limit(GUILD, 60, actor_id=ADMIN)

    async def refuses(member: int) -> bool:
        try:
            await spend(database if member % 2 else other, ledger, member=member)
        except BudgetSpentError:
            return True
        return False

    refused = await asyncio.gather(*(refuses(member) for member in range(1, 21)))
    assert refused.count(False) == 5
    assert (await service(database, ledger).get(GUILD)).budget.used == 60
    assert await database.read(audit) == []


async def test_forecast_names_the_day_of_the_end_from_the_jobs_of_the_week(database: Database) -> None:
    ledger, clock = ledger_with(), ManualClock()
    budgets = service(database, ledger, clock)
    await budgets.set_limit(GUILD, 600, actor_id=ADMIN)
    assert (await budgets.get(GUILD)).forecast is None
    for _ in range(10):
        await spend(database, ledger)
    assert (await budgets.get(GUILD)).forecast is None  # minutes are not enough
    clock.advance(timedelta(days=1).total_seconds())
    forecast = (await budgets.get(GUILD)).forecast
    assert forecast is not None
    assert forecast.a_day == 120
    assert forecast.ends_on == (START + timedelta(days=5)).date()


async def test_shell_lists_servers_with_jobs_or_limits(database: Database) -> None:
    ledger = ledger_with()
    budgets = service(database, ledger)
    await spend(database, ledger)
    await budgets.set_cap(GUILD + 1, 100)
    of_all, guilds = await budgets.list()
    assert of_all.used == 12
    assert [(guild, each.budget.used, each.limits.operators) for guild, each in guilds] == [
        (GUILD, 12, None),
        (GUILD + 1, 0, 100),
    ]


@pytest.mark.parametrize("typed", ["-1", "1,000", "1.000", "1e3", "", "lots", str(2**63), "٣", "1 000"])
def test_odd_amount_is_refused(typed: str) -> None:
    with pytest.raises(BudgetLimitError):
        parse_limit(typed)


@pytest.mark.parametrize(("typed", "limit"), [("0", 0), (" 1000 ", 1000), ("None", None), ("1000000000", 10**9)])
def test_amount_is_read_as_typed(typed: str, limit: int | None) -> None:
    assert parse_limit(typed) == limit
