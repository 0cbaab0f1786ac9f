"""A submit whose answer was lost, and answers that come late: paid for at most once, and one set of pictures."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select

from bot.domain.credits import Book
from bot.domain.errors import FaultKind, StaleJobError
from bot.domain.jobs import Job, Outcome, Picture, State
from bot.engine.claiming import Hook
from bot.engine.limits import Limits
from bot.engine.webhooks import hash_of
from bot.sandbox.providers import MANUAL, Reve2ImgServer
from bot.sandbox.providers import Job as Made
from db.database import Database
from db.pictures import PictureRepository
from db.tables import postings
from tests.engine.gated import Gates
from tests.engine.workshop import Workshop, workshop
from tests.support.clock import START
from tests.support.factories import COMMUNITY, MEMBER, a_picture


class Hooks:
    """Makes an address for each submit, which the stand-in does not call by itself."""

    def __init__(self) -> None:
        self.hashes: list[str] = []

    def __call__(self, provider: str) -> Hook:
        """Return a new one."""
        token = f"token-{len(self.hashes)}"
        self.hashes.append(hash_of(token))
        return Hook(url=f"https://studio.example/webhooks/{provider}/{token}", hash=hash_of(token))

    async def call(self, shop: Workshop, made: Made) -> bool:
        """Call as SkillBoss would about the first submit."""
        return await shop.engine.hint(self.hashes[0], "skillboss", made.id)


async def lost(shop: Workshop) -> Job:
    """Return a job that the provider has taken, with the answer lost on its way."""
    shop.server.faults.add("submit", "reset_after")
    job = await shop.asked()
    await shop.until(job.id, State.UNKNOWN)
    return job


async def pictures(shop: Workshop, job: Job) -> tuple[Picture, ...]:
    """Return a job's pictures."""
    return await shop.database.read(lambda connection: PictureRepository(connection).list_for(job.id))


async def spendable(shop: Workshop) -> tuple[int, int]:
    """Return what the member can spend, and what is held."""

    def read(connection: Connection) -> tuple[int, int]:
        account = shop.books.available(connection, COMMUNITY, MEMBER, shop.clock.now())
        return account.available, account.held

    return await shop.database.read(read)


async def possible_cost(shop: Workshop) -> int:
    """Return what the operator may owe for lost replies."""
    total = select(func.coalesce(func.sum(postings.c.amount), 0)).where(postings.c.book == Book.UNKNOWN)
    return await shop.database.read(lambda connection: int(connection.execute(total).scalar_one()))


async def test_a_webhook_brings_the_pictures_of_a_lost_reply(database: Database, tmp_path: Path) -> None:
    """The credits stay held until the provider calls; then the job is done and charged once."""
    hooks = Hooks()
    async with workshop(database, tmp_path, hook=hooks) as shop:
        job = await lost(shop)
        assert await spendable(shop) == (188, 12)
        await shop.quiet(step=10)
        assert (await shop.job(job.id)).state is State.UNKNOWN
        assert await hooks.call(shop, shop.server.finish())
        done = await shop.until(job.id, State.DONE)
        assert (done.charged, done.fault) == (12, None)
        assert (await shop.attempt(job.id)).outcome is Outcome.COMPLETED
        assert len(await pictures(shop, job)) == 1
        assert await spendable(shop) == (188, 0)
        assert await possible_cost(shop) == 0
        assert shop.posts() == 1
        assert await shop.problems() == []


async def test_a_webhook_of_a_failure_gives_the_credits_back(database: Database, tmp_path: Path) -> None:
    """The provider tells that it made nothing: nobody owes anything."""
    hooks = Hooks()
    async with workshop(database, tmp_path, hook=hooks) as shop:
        job = await lost(shop)
        (made,) = shop.server.jobs
        shop.server.studio.fail(made, "upstream vendor error")
        assert await hooks.call(shop, made)
        failed = await shop.until(job.id, State.FAILED)
        assert (failed.charged, failed.fault) == (0, FaultKind.GENERATION)
        assert await spendable(shop) == (200, 0)
        assert await possible_cost(shop) == 0
        assert await shop.problems() == []


async def test_without_a_call_the_credits_go_back_and_late_pictures_are_free(
    database: Database, tmp_path: Path
) -> None:
    """After a quarter of an hour, not before; a call after that brings the pictures once, and changes nothing else."""
    hooks = Hooks()
    async with workshop(database, tmp_path, hook=hooks) as shop:
        job = await lost(shop)
        await shop.quiet(step=44, rounds=20)
        assert (await shop.job(job.id)).state is State.UNKNOWN
        failed = await shop.until(job.id, State.FAILED, step=5)
        assert (failed.fault, failed.charged) == (FaultKind.REPLY_LOST, 0)
        assert await spendable(shop) == (200, 0)
        assert await possible_cost(shop) == 12
        made = shop.server.finish()
        for _ in range(3):
            assert await hooks.call(shop, made)
            await shop.quiet(step=10)
        after = await shop.job(job.id)
        assert (after.state, after.charged, after.fault) == (State.FAILED, 0, FaultKind.REPLY_LOST)
        assert after.reconcile_at is None
        assert len(await pictures(shop, job)) == 1
        assert len([each for each in shop.server.requests if "/assets/" in each.path]) == 1
        assert await spendable(shop) == (200, 0)
        assert await possible_cost(shop) == 12
        assert await shop.problems() == []


async def test_without_webhooks_the_credits_go_back_at_once(database: Database, tmp_path: Path) -> None:
    """Nobody would ever tell, so nobody waits; the possible cost is the operator's."""
    async with workshop(database, tmp_path) as shop:
        shop.server.faults.add("submit", "reset_after")
        job = await shop.asked()
        failed = await shop.until(job.id, State.FAILED)
        assert (failed.fault, failed.charged, failed.reconcile_at) == (FaultKind.REPLY_LOST, 0, None)
        assert await spendable(shop) == (200, 0)
        assert await possible_cost(shop) == 12
        await shop.quiet(step=10)
        assert shop.posts() == 1
        assert await shop.problems() == []


async def test_many_calls_at_once_bring_one_set_of_pictures(database: Database, tmp_path: Path) -> None:
    """Delivered twice, out of order, again when all is over, and while a poll sees the same."""
    hooks = Hooks()
    async with workshop(database, tmp_path, hook=hooks) as shop:
        job = await shop.asked()
        await shop.until(job.id, State.QUEUED)
        polls = len(shop.server.requests)
        shop.server.faults.add("status", "delay", seconds=0.1)
        shop.clock.advance(60)
        await shop.server.wait_for(lambda: len(shop.server.requests) > polls)
        made = shop.server.finish()
        assert await asyncio.gather(*(hooks.call(shop, made) for _ in range(5))) == [True] * 5
        done = await shop.until(job.id, State.DONE)
        assert await hooks.call(shop, made)
        await shop.quiet(step=10)
        assert await shop.job(job.id) == done
        assert done.charged == 12
        assert len(await pictures(shop, job)) == 1
        assert await spendable(shop) == (188, 0)
        assert await shop.problems() == []


async def test_a_forged_call_does_nothing(database: Database, tmp_path: Path) -> None:
    """An unknown address, or another provider's: not even a handle is noted."""
    hooks = Hooks()
    async with workshop(database, tmp_path, hook=hooks) as shop:
        job = await lost(shop)
        made = shop.server.finish()
        before = await shop.journal.get(job.id)
        assert not await shop.engine.hint(hash_of("a guess"), "skillboss", made.id)
        assert not await shop.engine.hint(hooks.hashes[0], "reve2img", made.id)
        assert not await shop.engine.hint(hooks.hashes[0], "", made.id)
        await shop.quiet(step=5)
        assert await shop.journal.get(job.id) == before
        assert "status" not in {each.endpoint for each in shop.server.requests}


async def test_what_a_call_says_never_replaces_the_provider_s_own_answer(database: Database, tmp_path: Path) -> None:
    """A job that is known by its handle stays known by it: nobody gets another's picture by naming it."""
    hooks = Hooks()
    async with workshop(database, tmp_path, hook=hooks) as shop:
        mine, theirs = await shop.asked(), await shop.asked()
        for job in (mine, theirs):
            await shop.until(job.id, State.QUEUED)
        found = [(job, await shop.attempt(job.id)) for job in (mine, theirs)]
        first, own = next(each for each in found if each[1].webhook_hash == hooks.hashes[0])
        _, foreigner = next(each for each in found if each[0] is not first)
        foreign = next(made for made in shop.server.jobs if made.id == foreigner.handle)
        shop.server.finish(foreign)
        assert await shop.engine.hint(hooks.hashes[0], "skillboss", foreign.id)
        await shop.quiet(step=0.1)
        assert (await shop.attempt(first.id)).handle == own.handle
        assert (await shop.job(first.id)).state is State.QUEUED


async def test_a_call_without_a_name_is_only_a_hint(database: Database, tmp_path: Path) -> None:
    """A body that names nothing has the status read where it can be, and else changes nothing."""
    hooks = Hooks()
    async with workshop(database, tmp_path, hook=hooks) as shop:
        job = await lost(shop)
        shop.server.finish()
        assert await shop.engine.hint(hooks.hashes[0], "skillboss", None)
        await shop.quiet(step=5)
        assert (await shop.job(job.id)).state is State.UNKNOWN


async def test_a_call_may_be_quicker_than_the_submit_s_own_answer(database: Database, tmp_path: Path) -> None:
    """The answer's own word counts, and the job is charged once."""
    hooks, gates = Hooks(), Gates()
    async with workshop(database, tmp_path, hook=hooks, wrap=gates) as shop:
        gates.gated.after.clear()
        job = await shop.asked()
        await shop.when(gates.gated.waiting.is_set)
        made = shop.server.finish()
        assert await hooks.call(shop, made)
        await shop.quiet()
        assert (await shop.job(job.id)).state is State.SUBMITTING
        gates.gated.open()
        done = await shop.until(job.id, State.DONE)
        assert done.charged == 12
        assert (await shop.attempt(job.id)).handle == made.id
        assert shop.posts() == 1
        assert await shop.problems() == []


async def test_a_call_at_another_process_is_remembered_when_the_answer_is_lost(
    database: Database, other: Database, tmp_path: Path
) -> None:
    """Named there while it was being sent here: once its reply is lost, its status is read at once."""
    hooks, gates = Hooks(), Gates()
    async with (
        workshop(database, tmp_path, hook=hooks, wrap=gates, alone=False) as shop,
        workshop(other, tmp_path, server=shop.server, clock=shop.clock, alone=False) as second,
    ):
        await second.looked()
        gates.gated.after.clear()
        gates.gated.loses = True
        job = await shop.asked()
        await shop.when(gates.gated.waiting.is_set)
        assert await hooks.call(second, shop.server.finish())
        gates.gated.open()
        done = await shop.until(job.id, State.DONE)
        assert (done.charged, shop.posts()) == (12, 1)
        assert await shop.problems() == []


async def test_a_lost_reply_is_found_by_a_call_at_another_process(
    database: Database, other: Database, tmp_path: Path
) -> None:
    """That process takes the job, and the first one lets go of it."""
    hooks = Hooks()
    async with (
        workshop(database, tmp_path, hook=hooks, alone=False) as shop,
        workshop(other, tmp_path, server=shop.server, clock=shop.clock, alone=False) as second,
    ):
        await second.looked()
        job = await lost(shop)
        assert await hooks.call(second, shop.server.finish())
        done = await second.until(job.id, State.DONE)
        assert (done.owner, done.charged) == (second.engine.worker_id, 12)
        await shop.quiet(step=60)
        assert len(await pictures(shop, job)) == 1
        assert await shop.problems() == []


async def test_a_named_job_whose_status_cannot_be_read_is_asked_about_further(
    database: Database, tmp_path: Path
) -> None:
    """The provider calls and is then away for long: the credits go back, and the pictures come free when it is back."""
    hooks = Hooks()
    async with workshop(database, tmp_path, hook=hooks) as shop:
        job = await lost(shop)
        shop.server.faults.add("status", "status", status=503, times=None)
        assert await hooks.call(shop, shop.server.finish())
        failed = await shop.until(job.id, State.FAILED, step=10)
        assert (failed.fault, failed.charged) == (FaultKind.REPLY_LOST, 0)
        shop.server.mend()
        await _until_pictures(shop, job)
        assert (await shop.job(job.id)).charged == 0
        assert await spendable(shop) == (200, 0)
        assert await shop.problems() == []


async def _until_pictures(shop: Workshop, job: Job) -> None:
    for _ in range(200):
        if await pictures(shop, job):
            return
        await shop.pass_time(10)
    raise AssertionError("no pictures came")


async def test_a_job_that_came_after_its_deadline_is_free(database: Database, tmp_path: Path) -> None:
    """LOST, with everything returned; the provider finishes all the same: its pictures come, once, for nothing."""
    async with workshop(database, tmp_path, limits=Limits(hard_deadline=60, soft_deadline=30)) as shop:
        job = await shop.asked()
        gone = await shop.until(job.id, State.LOST, step=5)
        assert gone.charged == 0
        await shop.quiet(step=60)  # still at work
        assert await pictures(shop, job) == ()
        shop.server.finish()
        await _until_pictures(shop, job)
        after = await shop.job(job.id)
        assert (after.state, after.charged, after.reconcile_at) == (State.LOST, 0, None)
        assert await spendable(shop) == (200, 0)
        asked = len(shop.server.requests)
        await shop.quiet(step=600)
        assert len(shop.server.requests) == asked
        assert await shop.problems() == []


async def test_who_ended_otherwise_is_not_asked_about_any_more(sqlite_database: Database, tmp_path: Path) -> None:
    """The provider says that the lost job failed: that is the end of it."""
    async with workshop(sqlite_database, tmp_path, limits=Limits(hard_deadline=60, soft_deadline=30)) as shop:
        job = await shop.asked()
        await shop.until(job.id, State.LOST, step=5)
        shop.server.studio.fail(shop.server.jobs[0], "vendor")
        await shop.quiet(step=30)
        assert (await shop.job(job.id)).reconcile_at is None
        assert await pictures(shop, job) == ()


async def test_after_a_week_nobody_asks_any_more(sqlite_database: Database, tmp_path: Path) -> None:
    """The provider has forgotten by then."""
    async with workshop(sqlite_database, tmp_path, limits=Limits(hard_deadline=60, soft_deadline=30)) as shop:
        job = await shop.asked()
        await shop.until(job.id, State.LOST, step=5)
        await shop.quiet(step=3600)
        assert (await shop.job(job.id)).reconcile_at is not None
        shop.clock.set_now(START + timedelta(days=7, seconds=1))
        asked = len(shop.server.requests)
        await shop.quiet(step=31)
        assert (await shop.job(job.id)).reconcile_at is None
        assert len(shop.server.requests) == asked


async def test_a_provider_without_a_key_may_come_back(sqlite_database: Database, tmp_path: Path) -> None:
    """Its jobs, running or lost, are left alone meanwhile, and finished once the operator has put it back."""
    limits = Limits(hard_deadline=600, soft_deadline=30)
    second = Reve2ImgServer(key="key", latency=MANUAL)
    await second.start()
    async with workshop(sqlite_database, tmp_path, limits=limits) as shop:
        old = await shop.asked()
        await shop.until(old.id, State.LOST, step=20)
        running = await shop.asked()
        await shop.until(running.id, State.QUEUED)
        await shop.engine.stop()
        await shop.engine.release()
        for made in shop.server.jobs:
            shop.server.finish(made)
        async with workshop(
            sqlite_database,
            tmp_path,
            server=shop.server,
            clock=shop.clock,
            limits=limits,
            second=second,
            skillboss=False,
        ) as without:
            await without.quiet(step=15)
            assert (await without.job(running.id)).state is State.QUEUED
            assert await pictures(without, old) == ()
        async with workshop(sqlite_database, tmp_path, server=shop.server, clock=shop.clock, limits=limits) as again:
            done = await again.until(running.id, State.DONE, step=1)
            assert done.charged == 12
            await _until_pictures(again, old)
            assert await again.problems() == []
    await second.close()


async def test_one_that_breaks_does_not_keep_the_others_waiting(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours about one late job: the others' pictures come all the same."""
    async with workshop(sqlite_database, tmp_path, limits=Limits(hard_deadline=60, soft_deadline=30)) as shop:
        late = [await shop.asked() for _ in range(3)]
        for job in late:
            await shop.until(job.id, State.LOST, step=5)
        for made in shop.server.jobs:
            shop.server.finish(made)
        broken = late[0].id
        get = shop.journal.get

        async def breaks(job_id: str) -> object:
            if job_id == broken:
                raise LookupError("a fault of ours")
            return await get(job_id)

        monkeypatch.setattr(shop.journal, "get", breaks)
        for job in late[1:]:
            await _until_pictures(shop, job)
        assert await pictures(shop, late[0]) == ()


async def test_late_pictures_that_two_processes_bring_are_kept_once(
    database: Database, other: Database, tmp_path: Path
) -> None:
    """Both have asked the provider; the second finds that it is settled."""
    async with (
        workshop(database, tmp_path, start=False) as shop,
        workshop(other, tmp_path, server=shop.server, clock=shop.clock, start=False) as second,
    ):
        await shop.journal.renew()
        asked = await shop.asked()
        (claim,) = (await shop.journal.claim(1, {"skillboss": 1})).claims
        job = await shop.journal.reply_lost(claim.job, hooked=False)
        first, again = a_picture(job), a_picture(job)
        await shop.journal.reconciled(job, [first])
        await second.journal.reconciled(job, [again])
        assert await pictures(shop, asked) == (first,)
        with pytest.raises(StaleJobError):
            await shop.journal.reply_lost(claim.job, hooked=True)
        assert await possible_cost(shop) == 12
        assert await shop.problems() == []
