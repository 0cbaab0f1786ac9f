"""The daily limit of lost replies that release their hold at once."""

import asyncio

from sqlalchemy import Connection

from bot.domain.jobs import Job, State
from bot.engine.config import EngineConfig
from bot.engine.job_store import JobStore
from bot.engine.lease import Lease
from db.attempts import AttemptRepository
from db.audit import audit
from db.database import Database
from db.jobs import JobRepository
from tests.support.catalogue import SKILLBOSS
from tests.support.clock import ManualClock
from tests.support.factories import GUILD, make_attempt, make_context, make_id, make_job
from tests.support.ledger import hold, make_ledger


def build_store(database: Database) -> JobStore:
    """Return the store of a newly started process."""
    clock = ManualClock()
    return JobStore(
        database=database,
        ledger=make_ledger(allowance=1000),
        clock=clock,
        config=EngineConfig(),
        lease=Lease(worker_id=make_id(), seconds=15, is_alone=True, clock=clock),
        catalogue=SKILLBOSS,
    )


async def begin_submits(database: Database, guild_ids: list[int]) -> list[Job]:
    """Return one SUBMITTING job of the same member for each guild."""
    ledger = make_ledger(allowance=1000)

    def write(connection: Connection) -> list[Job]:
        begun = []
        for guild_id in guild_ids:
            job = make_job(place=make_context(guild_id=guild_id))
            hold(connection, ledger, job)
            AttemptRepository(connection).add_all([make_attempt(job)])
            begun.append(JobRepository(connection).advance(job, State.SUBMITTING, provider="skillboss"))
        return begun

    return await database.write(write)


async def test_concurrent_lost_replies_keep_to_the_daily_limit(database: Database, other: Database) -> None:
    # A member has an account in each guild, but one limit.
    jobs = await begin_submits(database, [GUILD, GUILD + 1] * 6)
    store, second = build_store(database), build_store(other)
    unknown = [await store.mark_reply_lost(job, has_callback=True) for job in jobs[:6]]
    ends = [each.give_up(job) for each, job in zip([store, second] * 3, unknown, strict=True)]
    ends += [
        each.mark_reply_lost(job, has_callback=False) for each, job in zip([store, second] * 3, jobs[6:], strict=True)
    ]
    states = [job.state for job in await asyncio.gather(*ends)]
    assert (states.count(State.FAILED), states.count(State.UNKNOWN)) == (2, 10)
    assert await database.read(audit) == []
