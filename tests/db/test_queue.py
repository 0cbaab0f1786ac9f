"""The order of the queue, its positions and due times."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from bot.domain.jobs import Job, State
from db.database import Database
from db.fair_share import FairShareRepository
from db.queue import QueueRepository
from tests.support.catalogue import MODEL_IDS
from tests.support.clock import START
from tests.support.factories import GUILD, make_context, make_job
from tests.support.ledger import adding

MEMBER_A, MEMBER_B, MEMBER_C = 1, 2, 3


async def add(database: Database, *jobs: Job) -> None:
    """Insert jobs in one transaction."""
    await database.write(adding(*jobs))


def waiting(member: int, minute: int, *, guild: int = GUILD, **changes: Any) -> Job:
    """Return a job waiting for a slot since `minute`."""
    at = START + timedelta(minutes=minute)
    place = make_context(member_id=member, guild_id=guild)
    return make_job(place=place, created_at=at, due_at=at, acknowledged_at=at, **changes)


async def test_member_served_longest_ago_comes_first(database: Database) -> None:
    of_a = [waiting(MEMBER_A, minute) for minute in (0, 1)]
    of_b, of_c = waiting(MEMBER_B, 2), waiting(MEMBER_C, 3)
    await add(database, *of_a, of_b, of_c)
    for served, expected in ((of_a[0], (of_b, of_c, of_a[0])), (of_b, (of_c, of_a[0], of_b))):
        at = START + timedelta(minutes=served.created_at.minute)

        def serve(connection: Connection, job: Job = served, at: datetime = at) -> None:
            FairShareRepository(connection).record_served([job], at)

        await database.write(serve)
        assert (await queue_of(database))[:3] == tuple(job.id for job in expected)


async def test_guilds_take_turns(database: Database) -> None:
    many = [waiting(member, 0) for member in (MEMBER_A, MEMBER_B, MEMBER_C)]
    small = waiting(MEMBER_A, 1, guild=GUILD + 1)
    await add(database, *many, small)
    assert await queue_of(database) == tuple(job.id for job in (many[0], small, many[1], many[2]))


async def queue_of(database: Database) -> tuple[str, ...]:
    """Return the ids of waiting jobs in order."""
    queue = await database.read(lambda connection: QueueRepository(connection).list_first(9))
    positions = [
        await database.read(lambda connection, job_id=job_id: QueueRepository(connection).position_of(job_id))  # type: ignore[misc]
        for job_id, _ in queue
    ]
    assert positions == list(range(1, len(queue) + 1))
    return tuple(job_id for job_id, _ in queue)


async def test_members_take_turns(database: Database) -> None:
    of_a = [waiting(MEMBER_A, minute) for minute in (0, 1, 2)]
    of_b = [waiting(MEMBER_B, minute) for minute in (3, 4)]
    of_c = waiting(MEMBER_C, 5)
    await add(database, *of_a, *of_b, of_c)
    expected = (of_a[0], of_b[0], of_c, of_a[1], of_b[1], of_a[2])
    queue = await queue_of(database)
    assert queue == tuple(job.id for job in expected)
    now = START + timedelta(hours=1)
    claimable = await database.read(
        lambda connection: QueueRepository(connection).list_claimable(now, 9, 9, models=MODEL_IDS)
    )
    assert claimable == expected


async def test_active_jobs_count_as_turns_of_their_member(database: Database) -> None:
    at_provider = waiting(MEMBER_A, 0, state=State.RUNNING)
    unknown = waiting(MEMBER_A, 0, state=State.UNKNOWN)
    of_a, of_b, of_b_again = waiting(MEMBER_A, 1), waiting(MEMBER_B, 2), waiting(MEMBER_B, 3)
    await add(database, at_provider, unknown, of_a, of_b, of_b_again)
    queue = await queue_of(database)
    assert queue == (of_b.id, of_b_again.id, of_a.id)
    now = START + timedelta(hours=1)
    of_two = await database.read(
        lambda connection: QueueRepository(connection).list_claimable(now, 2, 9, models=MODEL_IDS)
    )
    assert of_two == (of_b, of_b_again)
    of_one = await database.read(
        lambda connection: QueueRepository(connection).list_claimable(now, 1, 9, models=MODEL_IDS)
    )
    assert of_one == (of_b,)


async def test_member_of_two_guilds_has_a_turn_in_each(database: Database) -> None:
    here = waiting(MEMBER_A, 0)
    here_again = waiting(MEMBER_A, 1)
    there = waiting(MEMBER_A, 2, guild=GUILD + 1)
    await add(database, here, here_again, there)
    queue = await queue_of(database)
    assert queue == (here.id, there.id, here_again.id)


async def test_queue_contains_only_acknowledged_waiting_jobs(database: Database) -> None:
    unseen = make_job(place=make_context(member_id=MEMBER_A))
    stopping = waiting(MEMBER_B, 0, cancel_requested_at=START)
    failed = waiting(MEMBER_C, 0, state=State.FAILED, finished_at=START, charged=0)
    backing_off = replace(waiting(4, 0), due_at=START + timedelta(minutes=9))
    due = waiting(5, 1)
    await add(database, unseen, stopping, failed, backing_off, due)

    def read(connection: Connection) -> tuple[tuple[str, ...], tuple[Job, ...], tuple[Job, ...]]:
        queue = QueueRepository(connection)
        now = START + timedelta(minutes=5)
        return (
            tuple(job_id for job_id, _ in queue.list_first(9)),
            queue.list_claimable(now, 3, 9, models=MODEL_IDS),
            queue.list_claimable(now + timedelta(minutes=4), 3, 1, models=MODEL_IDS),
        )

    queue, now_claimable, later_first = await database.read(read)
    assert queue == (backing_off.id, due.id)
    assert now_claimable == (due,)
    assert later_first == (backing_off,)


async def test_next_due_returns_aware_time_of_next_waiting_job(database: Database) -> None:
    soon, later = START + timedelta(seconds=4), START + timedelta(seconds=8)
    await add(
        database,
        waiting(MEMBER_A, 0),
        make_job(due_at=later),
        make_job(due_at=soon),
        make_job(state=State.RUNNING, due_at=START + timedelta(seconds=1)),
    )
    assert await database.read(lambda connection: QueueRepository(connection).next_due(START)) == soon
    assert await database.read(lambda connection: QueueRepository(connection).next_due(soon)) == later
    assert await database.read(lambda connection: QueueRepository(connection).next_due(later)) is None
