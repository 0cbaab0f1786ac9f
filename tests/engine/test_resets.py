"""Grants, takes and resets in the ledger, while jobs run."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from bot.domain.allowances import MAX_CREDITS, AllowanceEntry, PeriodKind
from bot.domain.credits import Account
from bot.domain.errors import GrantTooLargeError, InsufficientCreditsError, NothingGrantedError, NothingUsedError
from bot.domain.jobs import Job
from bot.engine.ledger import Ledger
from db.allowances import AllowanceRepository
from db.audit import audit
from db.database import Database
from tests.engine.test_allowances import PATRONS, allow, end_one, hold_one, job_with, left
from tests.support.clock import START
from tests.support.databases import Databases
from tests.support.factories import GUILD, MEMBER
from tests.support.ledger import end, hold, make_ledger


async def change(database: Database, ledger: Ledger, name: str, **values: Any) -> Any:
    """Run a change of a member's credits in a separate transaction."""
    fixed = {"guild_id": GUILD, "member_id": MEMBER, "actor": 9, "reason": "", "now": START}
    return await database.write(lambda each: getattr(ledger, name)(each, **(fixed | values)))


async def test_release_of_a_hold_from_before_a_reset_gives_nothing_back_twice(database: Database) -> None:
    ledger = make_ledger(allowance=48)
    before = job_with(images=2)
    await hold_one(database, ledger, before)
    account, used = await change(database, ledger, "reset", roles=())
    assert (used, account.allowance, account.held) == (24, 48, 24)
    after = job_with(images=3)
    await hold_one(database, ledger, after)
    await end_one(database, ledger, before, 0)
    assert await left(database, ledger) == 12
    await end_one(database, ledger, after, 0)
    assert await left(database, ledger) == 48
    assert await database.read(audit) == []


async def test_reset_is_not_undone_by_another_period(database: Database) -> None:
    ledger = make_ledger(allowance=24)
    await hold_one(database, ledger, job_with(images=2))
    await change(database, ledger, "reset", roles=())
    await hold_one(database, ledger, job_with())
    await allow(database, AllowanceEntry(amount=24, period=PeriodKind.MONTH))
    assert await left(database, ledger) == 12
    await hold_one(database, ledger, job_with())
    with pytest.raises(InsufficientCreditsError):
        await hold_one(database, ledger, job_with())
    assert await database.read(audit) == []


async def test_reset_forgives_this_period_and_no_earlier_one(database: Database) -> None:
    ledger = make_ledger(allowance=48)
    tomorrow = START + timedelta(days=1)
    await hold_one(database, ledger, job_with(images=2))
    running = job_with(images=3, now=tomorrow)
    await hold_one(database, ledger, running, tomorrow)
    await change(database, ledger, "reset", roles=(), now=tomorrow)
    await allow(database, AllowanceEntry(amount=100, period=PeriodKind.MONTH))
    assert await left(database, ledger, now=tomorrow) == 76
    await end_one(database, ledger, running, 0, tomorrow)
    assert await left(database, ledger, now=tomorrow) == 76
    assert await database.read(audit) == []


DAYS = {PeriodKind.DAY: "%Y-%m-%d", PeriodKind.WEEK: "%G-%V", PeriodKind.MONTH: "%Y-%m"}
STEPS = st.one_of(
    st.tuples(st.just("hold"), st.integers(1, 2)),
    st.tuples(st.just("hold"), st.integers(1, 2)),
    st.tuples(st.just("end"), st.integers(0, 2)),
    st.tuples(st.just("wait"), st.sampled_from([24, 24, 24 * 5])),
    st.tuples(st.just("allow"), st.sampled_from(PeriodKind)),
    st.tuples(st.just("reset"), st.none()),
)


def play(connection: Connection, ledger: Ledger, member: int, steps: list[tuple[str, Any]]) -> None:
    """Run steps for a member and compare the used allowance after each."""
    now, kind = START, PeriodKind.DAY
    # The open jobs; and each use by job: its credits and its time, until a reset forgives it.
    running: list[Job] = []
    uses: dict[str, tuple[int, datetime]] = {}

    def counting() -> list[str]:
        return [job for job, (_, at) in uses.items() if at.strftime(DAYS[kind]) == now.strftime(DAYS[kind])]

    def used() -> int:
        return sum(uses[job][0] for job in counting())

    for name, value in [("allow", kind), *steps, *(("allow", each) for each in PeriodKind)]:
        if name == "allow":
            kind = value
            entry = AllowanceEntry(member_id=member, amount=9_999, period=kind)
            AllowanceRepository(connection).set(GUILD, entry)
        elif name == "wait":
            now += timedelta(hours=value)
        elif name == "hold":
            job = job_with(member=member, images=value, now=now)
            hold(connection, ledger, job, now)
            running.append(job)
            uses[job.id] = job.price, now
        elif name == "end" and running:
            job = running.pop()
            charge = min(job.price, 12 * value)
            end(connection, ledger, job, charge, now)
            if job.id in uses:
                uses[job.id] = charge, uses[job.id][1]
        elif name == "reset" and used() > 0:
            ledger.reset(connection, guild_id=GUILD, member_id=member, roles=(), actor=9, reason="", now=now)
            for job_id in counting():
                del uses[job_id]
        assert ledger.available(connection, GUILD, member, now, ()).spent == used()


async def test_used_is_what_this_period_spent_and_no_reset_forgave(sqlite_databases: Databases) -> None:
    """In any order of jobs, resets and changes of the period."""
    database = await Database.open(await sqlite_databases.create(migrated=True))
    ledger, members = make_ledger(budget=MAX_CREDITS), itertools.count(1)

    def check(connection: Connection) -> None:
        @settings(max_examples=25)
        @given(steps=st.lists(STEPS, min_size=5, max_size=12))
        def run(steps: list[tuple[str, Any]]) -> None:
            play(connection, ledger, next(members), steps)

        run()
        assert audit(connection) == []

    await database.write(check)
    await database.close()


async def test_reset_of_nothing_is_refused(database: Database) -> None:
    ledger = make_ledger(allowance=24)
    for roles in ((), None):
        with pytest.raises(NothingUsedError):
            await change(database, ledger, "reset", roles=roles)
    job = job_with()
    await hold_one(database, ledger, job)
    await end_one(database, ledger, job, 12)
    with pytest.raises(NothingUsedError):
        await change(database, ledger, "reset", roles=None, now=datetime(2026, 3, 15, 12, tzinfo=UTC))
    assert await database.read(audit) == []


async def test_reset_without_known_roles_keeps_the_allowance_in_force(database: Database) -> None:
    ledger = make_ledger(allowance=24)
    await allow(database, AllowanceEntry(role_id=PATRONS, amount=120))
    await hold_one(database, ledger, job_with([PATRONS], images=4))
    account, used = await change(database, ledger, "reset", roles=None)
    assert (used, account.issued, account.allowance) == (48, 120, 120)
    assert await database.read(audit) == []


async def test_reset_of_an_unlimited_allowance_counts_after_its_end(database: Database) -> None:
    ledger = make_ledger(allowance=24)
    await allow(database, AllowanceEntry(role_id=PATRONS, amount=None))
    running = job_with([PATRONS], images=4)
    await hold_one(database, ledger, running)
    await database.write(lambda each: AllowanceRepository(each).remove(GUILD, role_id=PATRONS))
    assert await left(database, ledger, [PATRONS]) == 0
    await change(database, ledger, "reset", roles=(PATRONS,))
    assert await left(database, ledger, [PATRONS]) == 24
    await end_one(database, ledger, running, 12)
    assert await left(database, ledger, [PATRONS]) == 24
    assert await database.read(audit) == []


async def test_take_leaves_held_credits_with_their_jobs(database: Database) -> None:
    ledger = make_ledger(allowance=0)
    await change(database, ledger, "grant", amount=30)
    job = job_with(images=2)
    await hold_one(database, ledger, job)
    account, taken = await change(database, ledger, "take", amount=30)
    assert (taken, account.granted, account.held) == (6, 0, 24)
    with pytest.raises(NothingGrantedError) as caught:
        await change(database, ledger, "take", amount=1)
    assert caught.value.held == 24
    await end_one(database, ledger, job, 12)
    assert await left(database, ledger) == 12
    assert await database.read(audit) == []


async def test_simultaneous_takes_take_what_there_is(database: Database) -> None:
    ledger = make_ledger(allowance=0)
    await change(database, ledger, "grant", amount=100)
    done = await asyncio.gather(
        *(change(database, ledger, "take", amount=30) for _ in range(20)), return_exceptions=True
    )
    assert sorted(each[1] for each in done if isinstance(each, tuple)) == [10, 30, 30, 30]
    assert sum(isinstance(each, NothingGrantedError) for each in done) == 16
    assert await database.read(audit) == []


async def test_grant_beyond_an_account_counts_held_credits(database: Database) -> None:
    ledger = make_ledger(allowance=0)
    await change(database, ledger, "grant", amount=MAX_CREDITS)
    job = job_with()
    await hold_one(database, ledger, job)
    with pytest.raises(GrantTooLargeError) as caught:
        await change(database, ledger, "grant", amount=1)
    assert caught.value.room == 0
    await end_one(database, ledger, job, 12)
    account = await change(database, ledger, "grant", amount=12)
    assert isinstance(account, Account)
    assert account.granted == MAX_CREDITS
    assert await database.read(audit) == []
