"""A submit whose answer was lost, and answers that come late: paid for at most once, and one set of pictures."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select

from bot.domain.credits import LedgerAccount
from bot.domain.errors import FaultKind, StaleJobError
from bot.domain.images import ResultImage
from bot.domain.jobs import Job, Outcome, State
from bot.engine.callback_urls import hash_of
from bot.engine.claimer import CallbackUrl
from bot.engine.config import EngineConfig
from db.database import Database
from db.pictures import ResultImageRepository
from db.tables import postings
from sandbox.providers import MANUAL, Reve2ImgServer
from sandbox.providers import Job as Made
from tests.engine.engine_harness import EngineHarness, engine_harness
from tests.engine.gated_provider import Gates
from tests.support.clock import START
from tests.support.factories import GUILD, MEMBER, make_image


class Hooks:
    """Makes an address for each submit, which the stand-in does not call by itself."""

    def __init__(self) -> None:
        self.hashes: list[str] = []

    def __call__(self, provider: str) -> CallbackUrl:
        """Return a new one."""
        token = f"token-{len(self.hashes)}"
        self.hashes.append(hash_of(token))
        return CallbackUrl(url=f"https://studio.example/webhooks/{provider}/{token}", hash=hash_of(token))

    async def call(self, harness: EngineHarness, made: Made) -> bool:
        """Call as SkillBoss would about the first submit."""
        return await harness.engine.handle_webhook(self.hashes[0], "skillboss", made.id)


async def lost(harness: EngineHarness) -> Job:
    """Return a job that the provider has taken, with the answer lost on its way."""
    harness.server.faults.add("submit", "reset_after")
    job = await harness.asked()
    await harness.until(job.id, State.UNKNOWN)
    return job


async def pictures(harness: EngineHarness, job: Job) -> tuple[ResultImage, ...]:
    """Return a job's pictures."""
    return await harness.database.read(lambda connection: ResultImageRepository(connection).list_for(job.id))


async def spendable(harness: EngineHarness) -> tuple[int, int]:
    """Return what the member can spend, and what is held."""

    def read(connection: Connection) -> tuple[int, int]:
        account = harness.ledger.available(connection, GUILD, MEMBER, harness.clock.now())
        return account.available, account.held

    return await harness.database.read(read)


async def possible_cost(harness: EngineHarness) -> int:
    """Return what the operator may owe for lost replies."""
    total = select(func.coalesce(func.sum(postings.c.amount), 0)).where(postings.c.book == LedgerAccount.UNKNOWN)
    return await harness.database.read(lambda connection: int(connection.execute(total).scalar_one()))


async def test_a_webhook_brings_the_pictures_of_a_lost_reply(database: Database, tmp_path: Path) -> None:
    """The credits stay held until the provider calls; then the job is done and charged once."""
    hooks = Hooks()
    async with engine_harness(database, tmp_path, new_callback_url=hooks) as harness:
        job = await lost(harness)
        assert await spendable(harness) == (188, 12)
        await harness.quiet(step=10)
        assert (await harness.job(job.id)).state is State.UNKNOWN
        assert await hooks.call(harness, harness.server.finish())
        done = await harness.until(job.id, State.DONE)
        assert (done.charged, done.fault) == (12, None)
        assert (await harness.attempt(job.id)).outcome is Outcome.COMPLETED
        assert len(await pictures(harness, job)) == 1
        assert await spendable(harness) == (188, 0)
        assert await possible_cost(harness) == 0
        assert harness.posts() == 1
        assert await harness.problems() == []


async def test_a_webhook_of_a_failure_gives_the_credits_back(database: Database, tmp_path: Path) -> None:
    """The provider tells that it made nothing: nobody owes anything."""
    hooks = Hooks()
    async with engine_harness(database, tmp_path, new_callback_url=hooks) as harness:
        job = await lost(harness)
        (made,) = harness.server.jobs
        harness.server.store.fail(made, "upstream vendor error")
        assert await hooks.call(harness, made)
        failed = await harness.until(job.id, State.FAILED)
        assert (failed.charged, failed.fault) == (0, FaultKind.GENERATION)
        assert await spendable(harness) == (200, 0)
        assert await possible_cost(harness) == 0
        assert await harness.problems() == []


async def test_without_a_call_the_credits_go_back_and_late_pictures_are_free(
    database: Database, tmp_path: Path
) -> None:
    """After a quarter of an hour, not before; a call after that brings the pictures once, and changes nothing else."""
    hooks = Hooks()
    async with engine_harness(database, tmp_path, new_callback_url=hooks) as harness:
        job = await lost(harness)
        await harness.quiet(step=44, rounds=20)
        assert (await harness.job(job.id)).state is State.UNKNOWN
        failed = await harness.until(job.id, State.FAILED, step=5)
        assert (failed.fault, failed.charged) == (FaultKind.REPLY_LOST, 0)
        assert await spendable(harness) == (200, 0)
        assert await possible_cost(harness) == 12
        made = harness.server.finish()
        for _ in range(3):
            assert await hooks.call(harness, made)
            await harness.quiet(step=10)
        after = await harness.job(job.id)
        assert (after.state, after.charged, after.fault) == (State.FAILED, 0, FaultKind.REPLY_LOST)
        assert after.reconcile_at is None
        assert len(await pictures(harness, job)) == 1
        assert len([each for each in harness.server.requests if "/assets/" in each.path]) == 1
        assert await spendable(harness) == (200, 0)
        assert await possible_cost(harness) == 12
        assert await harness.problems() == []


async def test_without_webhooks_the_credits_go_back_at_once(database: Database, tmp_path: Path) -> None:
    """Nobody would ever tell, so nobody waits; the possible cost is the operator's."""
    async with engine_harness(database, tmp_path) as harness:
        harness.server.faults.add("submit", "reset_after")
        job = await harness.asked()
        failed = await harness.until(job.id, State.FAILED)
        assert (failed.fault, failed.charged, failed.reconcile_at) == (FaultKind.REPLY_LOST, 0, None)
        assert await spendable(harness) == (200, 0)
        assert await possible_cost(harness) == 12
        await harness.quiet(step=10)
        assert harness.posts() == 1
        assert await harness.problems() == []


async def test_many_calls_at_once_bring_one_set_of_pictures(database: Database, tmp_path: Path) -> None:
    """Delivered twice, out of order, again when all is over, and while a poll sees the same."""
    hooks = Hooks()
    async with engine_harness(database, tmp_path, new_callback_url=hooks) as harness:
        job = await harness.asked()
        await harness.until(job.id, State.QUEUED)
        polls = len(harness.server.requests)
        harness.server.faults.add("status", "delay", seconds=0.1)
        harness.clock.advance(60)
        await harness.server.wait_for(lambda: len(harness.server.requests) > polls)
        made = harness.server.finish()
        assert await asyncio.gather(*(hooks.call(harness, made) for _ in range(5))) == [True] * 5
        done = await harness.until(job.id, State.DONE)
        assert await hooks.call(harness, made)
        await harness.quiet(step=10)
        assert await harness.job(job.id) == done
        assert done.charged == 12
        assert len(await pictures(harness, job)) == 1
        assert await spendable(harness) == (188, 0)
        assert await harness.problems() == []


async def test_a_forged_call_does_nothing(database: Database, tmp_path: Path) -> None:
    """An unknown address, or another provider's: not even a handle is noted."""
    hooks = Hooks()
    async with engine_harness(database, tmp_path, new_callback_url=hooks) as harness:
        job = await lost(harness)
        made = harness.server.finish()
        before = await harness.job_store.get(job.id)
        assert not await harness.engine.handle_webhook(hash_of("a guess"), "skillboss", made.id)
        assert not await harness.engine.handle_webhook(hooks.hashes[0], "reve2img", made.id)
        assert not await harness.engine.handle_webhook(hooks.hashes[0], "", made.id)
        await harness.quiet(step=5)
        assert await harness.job_store.get(job.id) == before
        assert "status" not in {each.endpoint for each in harness.server.requests}


async def test_what_a_call_says_never_replaces_the_provider_s_own_answer(database: Database, tmp_path: Path) -> None:
    """A job that is known by its handle stays known by it: nobody gets another's picture by naming it."""
    hooks = Hooks()
    async with engine_harness(database, tmp_path, new_callback_url=hooks) as harness:
        mine, theirs = await harness.asked(), await harness.asked()
        for job in (mine, theirs):
            await harness.until(job.id, State.QUEUED)
        found = [(job, await harness.attempt(job.id)) for job in (mine, theirs)]
        first, own = next(each for each in found if each[1].webhook_hash == hooks.hashes[0])
        _, foreigner = next(each for each in found if each[0] is not first)
        foreign = next(made for made in harness.server.jobs if made.id == foreigner.handle)
        harness.server.finish(foreign)
        assert await harness.engine.handle_webhook(hooks.hashes[0], "skillboss", foreign.id)
        await harness.quiet(step=0.1)
        assert (await harness.attempt(first.id)).handle == own.handle
        assert (await harness.job(first.id)).state is State.QUEUED


async def test_a_call_without_a_name_is_only_a_hint(database: Database, tmp_path: Path) -> None:
    """A body that names nothing has the status read where it can be, and else changes nothing."""
    hooks = Hooks()
    async with engine_harness(database, tmp_path, new_callback_url=hooks) as harness:
        job = await lost(harness)
        harness.server.finish()
        assert await harness.engine.handle_webhook(hooks.hashes[0], "skillboss", None)
        await harness.quiet(step=5)
        assert (await harness.job(job.id)).state is State.UNKNOWN


async def test_a_call_may_be_quicker_than_the_submit_s_own_answer(database: Database, tmp_path: Path) -> None:
    """The answer's own word counts, and the job is charged once."""
    hooks, gates = Hooks(), Gates()
    async with engine_harness(database, tmp_path, new_callback_url=hooks, wrap=gates) as harness:
        gates.gated.after.clear()
        job = await harness.asked()
        await harness.when(gates.gated.waiting.is_set)
        made = harness.server.finish()
        assert await hooks.call(harness, made)
        await harness.quiet()
        assert (await harness.job(job.id)).state is State.SUBMITTING
        gates.gated.open()
        done = await harness.until(job.id, State.DONE)
        assert done.charged == 12
        assert (await harness.attempt(job.id)).handle == made.id
        assert harness.posts() == 1
        assert await harness.problems() == []


async def test_a_call_at_another_process_is_remembered_when_the_answer_is_lost(
    database: Database, other: Database, tmp_path: Path
) -> None:
    """Named there while it was being sent here: once its reply is lost, its status is read at once."""
    hooks, gates = Hooks(), Gates()
    async with (
        engine_harness(database, tmp_path, new_callback_url=hooks, wrap=gates, alone=False) as harness,
        engine_harness(other, tmp_path, server=harness.server, clock=harness.clock, alone=False) as second,
    ):
        await second.looked()
        gates.gated.after.clear()
        gates.gated.loses = True
        job = await harness.asked()
        await harness.when(gates.gated.waiting.is_set)
        assert await hooks.call(second, harness.server.finish())
        gates.gated.open()
        done = await harness.until(job.id, State.DONE)
        assert (done.charged, harness.posts()) == (12, 1)
        assert await harness.problems() == []


async def test_a_lost_reply_is_found_by_a_call_at_another_process(
    database: Database, other: Database, tmp_path: Path
) -> None:
    """That process takes the job, and the first one lets go of it."""
    hooks = Hooks()
    async with (
        engine_harness(database, tmp_path, new_callback_url=hooks, alone=False) as harness,
        engine_harness(other, tmp_path, server=harness.server, clock=harness.clock, alone=False) as second,
    ):
        await second.looked()
        job = await lost(harness)
        assert await hooks.call(second, harness.server.finish())
        done = await second.until(job.id, State.DONE)
        assert (done.owner, done.charged) == (second.engine.worker_id, 12)
        await harness.quiet(step=60)
        assert len(await pictures(harness, job)) == 1
        assert await harness.problems() == []


async def test_a_named_job_whose_status_cannot_be_read_is_asked_about_further(
    database: Database, tmp_path: Path
) -> None:
    """The provider calls and is then away for long: the credits go back, and the pictures come free when it is back."""
    hooks = Hooks()
    async with engine_harness(database, tmp_path, new_callback_url=hooks) as harness:
        job = await lost(harness)
        harness.server.faults.add("status", "status", status=503, times=None)
        assert await hooks.call(harness, harness.server.finish())
        failed = await harness.until(job.id, State.FAILED, step=10)
        assert (failed.fault, failed.charged) == (FaultKind.REPLY_LOST, 0)
        harness.server.clear_faults()
        await _until_pictures(harness, job)
        assert (await harness.job(job.id)).charged == 0
        assert await spendable(harness) == (200, 0)
        assert await harness.problems() == []


async def _until_pictures(harness: EngineHarness, job: Job) -> None:
    for _ in range(200):
        if await pictures(harness, job):
            return
        await harness.pass_time(10)
    raise AssertionError("no pictures came")


async def test_a_job_that_came_after_its_deadline_is_free(database: Database, tmp_path: Path) -> None:
    """LOST, with everything returned; the provider finishes all the same: its pictures come, once, for nothing."""
    async with engine_harness(database, tmp_path, config=EngineConfig(hard_deadline=60, soft_deadline=30)) as harness:
        job = await harness.asked()
        gone = await harness.until(job.id, State.LOST, step=5)
        assert gone.charged == 0
        await harness.quiet(step=60)  # still at work
        assert await pictures(harness, job) == ()
        harness.server.finish()
        await _until_pictures(harness, job)
        after = await harness.job(job.id)
        assert (after.state, after.charged, after.reconcile_at) == (State.LOST, 0, None)
        assert await spendable(harness) == (200, 0)
        asked = len(harness.server.requests)
        await harness.quiet(step=600)
        assert len(harness.server.requests) == asked
        assert await harness.problems() == []


async def test_who_ended_otherwise_is_not_asked_about_any_more(sqlite_database: Database, tmp_path: Path) -> None:
    """The provider says that the lost job failed: that is the end of it."""
    async with engine_harness(
        sqlite_database, tmp_path, config=EngineConfig(hard_deadline=60, soft_deadline=30)
    ) as harness:
        job = await harness.asked()
        await harness.until(job.id, State.LOST, step=5)
        harness.server.store.fail(harness.server.jobs[0], "vendor")
        await harness.quiet(step=30)
        assert (await harness.job(job.id)).reconcile_at is None
        assert await pictures(harness, job) == ()


async def test_after_a_week_nobody_asks_any_more(sqlite_database: Database, tmp_path: Path) -> None:
    """The provider has forgotten by then."""
    async with engine_harness(
        sqlite_database, tmp_path, config=EngineConfig(hard_deadline=60, soft_deadline=30)
    ) as harness:
        job = await harness.asked()
        await harness.until(job.id, State.LOST, step=5)
        await harness.quiet(step=3600)
        assert (await harness.job(job.id)).reconcile_at is not None
        harness.clock.set_now(START + timedelta(days=7, seconds=1))
        asked = len(harness.server.requests)
        await harness.quiet(step=31)
        assert (await harness.job(job.id)).reconcile_at is None
        assert len(harness.server.requests) == asked


async def test_a_provider_without_a_key_may_come_back(sqlite_database: Database, tmp_path: Path) -> None:
    """Its jobs, running or lost, are left alone meanwhile, and finished once the operator has put it back."""
    config = EngineConfig(hard_deadline=600, soft_deadline=30)
    second = Reve2ImgServer(key="key", latency=MANUAL)
    await second.start()
    async with engine_harness(sqlite_database, tmp_path, config=config) as harness:
        old = await harness.asked()
        await harness.until(old.id, State.LOST, step=20)
        running = await harness.asked()
        await harness.until(running.id, State.QUEUED)
        await harness.engine.stop()
        await harness.engine.release_lease()
        for made in harness.server.jobs:
            harness.server.finish(made)
        async with engine_harness(
            sqlite_database,
            tmp_path,
            server=harness.server,
            clock=harness.clock,
            config=config,
            second=second,
            skillboss=False,
        ) as without:
            await without.quiet(step=15)
            assert (await without.job(running.id)).state is State.QUEUED
            assert await pictures(without, old) == ()
        async with engine_harness(
            sqlite_database, tmp_path, server=harness.server, clock=harness.clock, config=config
        ) as again:
            done = await again.until(running.id, State.DONE, step=1)
            assert done.charged == 12
            await _until_pictures(again, old)
            assert await again.problems() == []
    await second.close()


async def test_one_that_breaks_does_not_keep_the_others_waiting(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours about one late job: the others' pictures come all the same."""
    async with engine_harness(
        sqlite_database, tmp_path, config=EngineConfig(hard_deadline=60, soft_deadline=30)
    ) as harness:
        late = [await harness.asked() for _ in range(3)]
        for job in late:
            await harness.until(job.id, State.LOST, step=5)
        for made in harness.server.jobs:
            harness.server.finish(made)
        broken = late[0].id
        get = harness.job_store.get

        async def breaks(job_id: str) -> object:
            if job_id == broken:
                raise LookupError("a fault of ours")
            return await get(job_id)

        monkeypatch.setattr(harness.job_store, "get", breaks)
        for job in late[1:]:
            await _until_pictures(harness, job)
        assert await pictures(harness, late[0]) == ()


async def test_late_pictures_that_two_processes_bring_are_kept_once(
    database: Database, other: Database, tmp_path: Path
) -> None:
    """Both have asked the provider; the second finds that it is settled."""
    async with (
        engine_harness(database, tmp_path, start=False) as harness,
        engine_harness(other, tmp_path, server=harness.server, clock=harness.clock, start=False) as second,
    ):
        await harness.worker_store.renew_lease()
        asked = await harness.asked()
        (claim,) = (await harness.job_store.claim_batch(1, {"skillboss": 1})).claims
        job = await harness.job_store.mark_reply_lost(claim.job, has_callback=False)
        first, again = make_image(job), make_image(job)
        await harness.job_store.finish_reconciliation(job, [first])
        await second.job_store.finish_reconciliation(job, [again])
        assert await pictures(harness, asked) == (first,)
        with pytest.raises(StaleJobError):
            await harness.job_store.mark_reply_lost(claim.job, has_callback=True)
        assert await possible_cost(harness) == 12
        assert await harness.problems() == []
