"""Pace and hourly limit of direct messages, kept in the database."""

import asyncio
from datetime import timedelta

from bot.domain.jobs import Job, State
from bot.domain.preferences import Notice, Preferences
from bot.engine.card_store import NOTICE_FROM, CardStore
from bot.engine.direct_messages import DIRECT_PAUSE, MOST_DIRECT_PER_HOUR
from db.database import Database
from db.preferences import PreferenceRepository
from tests.support.clock import START, ManualClock
from tests.support.factories import MEMBER, make_job
from tests.support.ledger import adding


def build_store(database: Database, clock: ManualClock) -> CardStore:
    """Return the store of a newly started process."""
    return CardStore(database=database, clock=clock)


async def test_direct_messages_after_restarts_keep_pace_and_hourly_limit(database: Database) -> None:
    clock = ManualClock()
    waiting = [make_job(state=State.DONE, finished_at=START) for _ in range(MOST_DIRECT_PER_HOUR + 2)]
    await database.write(adding(*waiting))
    turns = [await build_store(database, clock).begin_direct_message(job.id) for job in waiting]
    allowed = [turn.wait for turn in turns if turn is not None]
    assert allowed == [number * DIRECT_PAUSE.total_seconds() for number in range(MOST_DIRECT_PER_HOUR)]
    assert turns[MOST_DIRECT_PER_HOUR:] == [None, None]

    clock.advance(timedelta(hours=1).total_seconds())
    # Only the first one is an hour old.
    turn = await build_store(database, clock).begin_direct_message(waiting[-1].id)
    assert turn is not None
    assert (turn.is_first, turn.wait) == (True, 0.0)
    assert await build_store(database, clock).begin_direct_message(waiting[-2].id) is None


async def test_concurrent_processes_share_pace_and_hourly_limit(database: Database, other: Database) -> None:
    clock = ManualClock()
    waiting = [make_job(state=State.DONE, finished_at=START) for _ in range(MOST_DIRECT_PER_HOUR + 20)]
    await database.write(adding(*waiting))
    stores = [build_store(each, clock) for each in (database, other)]
    turns = await asyncio.gather(
        *(stores[number % 2].begin_direct_message(job.id) for number, job in enumerate(waiting))
    )
    waits = sorted(turn.wait for turn in turns if turn is not None)
    assert waits == [number * DIRECT_PAUSE.total_seconds() for number in range(MOST_DIRECT_PER_HOUR)]


async def test_planned_direct_message_keeps_its_time(database: Database) -> None:
    clock = ManualClock()
    first, second = make_job(state=State.DONE, finished_at=START), make_job(state=State.DONE, finished_at=START)
    await database.write(adding(first, second))
    store = build_store(database, clock)
    await store.begin_direct_message(first.id)
    await store.begin_direct_message(second.id)
    clock.advance(2)
    again = await store.begin_direct_message(second.id)
    assert again is not None
    assert (again.is_first, again.wait) == (False, DIRECT_PAUSE.total_seconds() - 2)
    clock.advance(again.wait)
    due = await store.begin_direct_message(second.id)
    assert due is not None
    assert (due.is_first, due.wait) == (False, 0.0)


async def test_planned_direct_message_waits_minutes_at_most_if_clock_is_set_back(sqlite_database: Database) -> None:
    clock = ManualClock()
    job = make_job(state=State.DONE, finished_at=START)
    await sqlite_database.write(adding(job))
    store = build_store(sqlite_database, clock)
    await store.begin_direct_message(job.id)
    clock.set_now(START - timedelta(days=1))
    again = await store.begin_direct_message(job.id)
    assert again is not None
    assert again.wait <= 150


def slow_job() -> Job:
    """Return a finished job long enough for a notice."""
    return make_job(state=State.DONE, created_at=START, finished_at=START + NOTICE_FROM)


async def test_notices_share_pace_and_hourly_limit_of_direct_messages(database: Database) -> None:
    clock = ManualClock()
    jobs = [slow_job() for _ in range(MOST_DIRECT_PER_HOUR + 1)]
    await database.write(adding(*jobs))
    await database.write(
        lambda connection: PreferenceRepository(connection).save(MEMBER, Preferences(notice=Notice.DIRECT), START)
    )
    await build_store(database, clock).begin_direct_message(jobs[0].id)
    turns = [await build_store(database, clock).begin_notice(job) for job in jobs[1:]]
    waits = [turn.wait for turn in turns if turn is not None]
    assert waits == [number * DIRECT_PAUSE.total_seconds() for number in range(1, MOST_DIRECT_PER_HOUR)]
    assert turns[-1] is None

    again = await build_store(database, clock).begin_notice(jobs[1])
    assert again is not None
    assert (again.notice, again.is_first, again.wait) == (Notice.DIRECT, False, DIRECT_PAUSE.total_seconds())
