"""Lost replies and late answers: at most one charge, one set of images."""

import asyncio
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, select

from bot.domain.credits import LedgerAccount
from bot.domain.errors import BudgetSpentError, FaultKind, StaleJobError
from bot.domain.images import ResultImage
from bot.domain.jobs import InteractionContext, Job, Outcome, State
from bot.engine.callback_urls import hash_token
from bot.engine.claimer import CallbackUrl
from bot.engine.config import EngineConfig
from bot.providers.base import Failed, Pending
from bot.providers.skillboss import SkillBoss
from bot.services.job_snapshots import JobSnapshotService
from db.database import Database
from db.pictures import ResultImageRepository
from db.tables import postings
from sandbox.providers import MANUAL, Reve2ImgServer
from sandbox.providers import Job as Made
from tests.engine.engine_harness import EngineHarness, engine_harness
from tests.engine.gated_provider import Gates
from tests.support.catalogue import SKILLBOSS
from tests.support.clock import START
from tests.support.costs import in_credits
from tests.support.factories import GUILD, MEMBER, make_context, make_image, make_request
from tests.support.ledger import ending, hold, make_job_for


class CallbackUrls:
    """Builds a webhook URL for each submit.

    The fake provider never calls it by itself.
    """

    def __init__(self) -> None:
        self.hashes: list[str] = []

    def __call__(self, provider: str) -> CallbackUrl:
        """Return a new URL."""
        token = f"token-{len(self.hashes)}"
        self.hashes.append(hash_token(token))
        return CallbackUrl(url=f"https://studio.example/webhooks/{provider}/{token}", hash=hash_token(token))

    async def call(self, harness: EngineHarness, made: Made) -> bool:
        """Call as SkillBoss would about the first submit."""
        return await harness.engine.handle_webhook(self.hashes[0], "skillboss", made.id)


async def lose_reply(harness: EngineHarness, place: InteractionContext | None = None) -> Job:
    """Return a job accepted by the provider, with its reply lost."""
    harness.server.faults.add("submit", "reset_after")
    job = await harness.create_job(place=place)
    await harness.wait_for_state(job.id, State.UNKNOWN)
    return job


async def read_images(harness: EngineHarness, job: Job) -> tuple[ResultImage, ...]:
    """Return the images of a job."""
    return await harness.database.read(lambda connection: ResultImageRepository(connection).list_for(job.id))


async def read_balance(harness: EngineHarness) -> tuple[int, int]:
    """Return the member's available and held credits."""

    def read(connection: Connection) -> tuple[int, int]:
        account = harness.ledger.available(connection, GUILD, MEMBER, harness.clock.now())
        return account.available or 0, account.held

    return await harness.database.read(read)


async def read_possible_cost(harness: EngineHarness) -> int:
    """Return the operator's possible cost for lost replies."""
    total = select(func.coalesce(func.sum(postings.c.amount), 0)).where(postings.c.book == LedgerAccount.UNKNOWN)
    return await harness.database.read(lambda connection: int(connection.execute(total).scalar_one()))


async def read_budget(harness: EngineHarness) -> tuple[int, int, int]:
    """Return the month's credits held, captured and at risk."""
    now = harness.clock.now()
    budget = await harness.database.read(lambda connection: harness.ledger.budget(connection, now))
    return budget.held, budget.captured, budget.at_risk


async def test_webhook_after_lost_reply_finishes_job(database: Database, tmp_path: Path) -> None:
    # The hold stays until the call; then the job is done and charged once.
    urls = CallbackUrls()
    async with engine_harness(database, tmp_path, new_callback_url=urls) as harness:
        job = await lose_reply(harness)
        assert await read_balance(harness) == (188, 12)
        await harness.run_rounds(step=10)
        assert (await harness.read_job(job.id)).state is State.UNKNOWN
        assert await urls.call(harness, harness.server.finish())
        done = await harness.wait_for_state(job.id, State.DONE)
        assert (done.charged, done.fault) == (12, None)
        assert (await harness.read_attempt(job.id)).outcome is Outcome.COMPLETED
        assert len(await read_images(harness, job)) == 1
        assert await read_balance(harness) == (188, 0)
        assert await read_possible_cost(harness) == 0
        assert harness.count_submits() == 1
        assert await harness.run_audit() == []


async def test_webhook_of_failed_job_releases_hold(database: Database, tmp_path: Path) -> None:
    # The provider made nothing, so no possible cost is booked.
    urls = CallbackUrls()
    async with engine_harness(database, tmp_path, new_callback_url=urls) as harness:
        job = await lose_reply(harness)
        (made,) = harness.server.jobs
        harness.server.store.fail(made, "upstream vendor error")
        assert await urls.call(harness, made)
        failed = await harness.wait_for_state(job.id, State.FAILED)
        assert (failed.charged, failed.fault) == (0, FaultKind.GENERATION)
        assert await read_balance(harness) == (200, 0)
        assert await read_possible_cost(harness) == 0
        assert await harness.run_audit() == []


async def test_lost_reply_without_webhook_call_releases_hold_and_late_images_are_free(
    database: Database, tmp_path: Path
) -> None:
    # The hold is released after a quarter of an hour; a later call brings the images once.
    urls = CallbackUrls()
    async with engine_harness(database, tmp_path, new_callback_url=urls) as harness:
        job = await lose_reply(harness)
        await harness.run_rounds(step=44, rounds=20)
        assert (await harness.read_job(job.id)).state is State.UNKNOWN
        failed = await harness.wait_for_state(job.id, State.FAILED, step=5)
        assert (failed.fault, failed.charged) == (FaultKind.REPLY_LOST, 0)
        assert await read_balance(harness) == (200, 0)
        assert await read_possible_cost(harness) == 12
        made = harness.server.finish()
        for _ in range(3):
            assert await urls.call(harness, made)
            await harness.run_rounds(step=10)
        after = await harness.read_job(job.id)
        assert (after.state, after.charged, after.fault) == (State.FAILED, 0, FaultKind.REPLY_LOST)
        assert after.reconcile_at is None
        assert len(await read_images(harness, job)) == 1
        assert len([each for each in harness.server.requests if "/assets/" in each.path]) == 1
        assert await read_balance(harness) == (200, 0)
        assert await read_budget(harness) == (0, 12, 0)  # owed for sure now
        assert await harness.run_audit() == []


async def test_lost_reply_ends_before_its_private_card_closes(database: Database, tmp_path: Path) -> None:
    """Later no token can edit the card, and it would wait for ever."""
    urls = CallbackUrls()
    async with engine_harness(database, tmp_path, new_callback_url=urls) as harness:
        job = await lose_reply(harness, make_context(private=True))
        harness.clock.advance(779)
        await harness.run_rounds()
        assert (await harness.read_job(job.id)).state is State.UNKNOWN
        failed = await harness.wait_for_state(job.id, State.FAILED, step=1)
        assert failed.token_alive(harness.clock.now())
        assert await harness.run_audit() == []


async def test_lost_reply_ends_at_hard_deadline(database: Database, tmp_path: Path) -> None:
    config = EngineConfig(hard_deadline=120, soft_deadline=30)
    async with engine_harness(database, tmp_path, new_callback_url=CallbackUrls(), config=config) as harness:
        job = await lose_reply(harness)
        harness.clock.advance(119)
        await harness.run_rounds()
        assert (await harness.read_job(job.id)).state is State.UNKNOWN
        failed = await harness.wait_for_state(job.id, State.FAILED, step=1)
        assert failed.fault is FaultKind.REPLY_LOST


async def test_lost_reply_without_webhook_url_releases_hold_at_once(database: Database, tmp_path: Path) -> None:
    # The possible cost is the operator's.
    async with engine_harness(database, tmp_path) as harness:
        harness.server.faults.add("submit", "reset_after")
        job = await harness.create_job()
        failed = await harness.wait_for_state(job.id, State.FAILED)
        assert (failed.fault, failed.charged, failed.reconcile_at) == (FaultKind.REPLY_LOST, 0, None)
        assert await read_balance(harness) == (200, 0)
        assert await read_possible_cost(harness) == 12
        await harness.run_rounds(step=10)
        assert harness.count_submits() == 1
        assert await harness.run_audit() == []


async def test_repeated_webhook_calls_bring_images_once(database: Database, tmp_path: Path) -> None:
    # Twice, out of order, after the end, and while a poll reads the same status.
    urls = CallbackUrls()
    async with engine_harness(database, tmp_path, new_callback_url=urls) as harness:
        job = await harness.create_job()
        await harness.wait_for_state(job.id, State.QUEUED)
        polls = len(harness.server.requests)
        harness.server.faults.add("status", "delay", seconds=0.1)
        harness.clock.advance(60)
        await harness.server.wait_for(lambda: len(harness.server.requests) > polls)
        made = harness.server.finish()
        assert await asyncio.gather(*(urls.call(harness, made) for _ in range(5))) == [True] * 5
        done = await harness.wait_for_state(job.id, State.DONE)
        assert await urls.call(harness, made)
        await harness.run_rounds(step=10)
        assert await harness.read_job(job.id) == done
        assert done.charged == 12
        assert len(await read_images(harness, job)) == 1
        assert await read_balance(harness) == (188, 0)
        assert await harness.run_audit() == []


async def test_replayed_webhook_call_reads_status_at_poll_floor(database: Database, tmp_path: Path) -> None:
    urls = CallbackUrls()
    async with engine_harness(database, tmp_path, new_callback_url=urls) as harness:
        job = await harness.create_job()
        await harness.wait_for_state(job.id, State.QUEUED)
        (made,) = harness.server.jobs
        started = harness.clock.monotonic()

        async def reads() -> int:
            return len([each for each in harness.server.requests if each.endpoint == "status"])

        assert await urls.call(harness, made)
        await harness.wait_until_idle()
        assert await reads() == 1  # the first call is followed at once
        for _ in range(5):
            assert await asyncio.gather(*(urls.call(harness, made) for _ in range(40))) == [True] * 40
            await harness.pass_time(1)
        assert harness.clock.monotonic() - started == 5
        assert await reads() == 2  # one more, three seconds after the first
        harness.server.finish(made)
        assert await urls.call(harness, made)
        await harness.wait_for_state(job.id, State.DONE, step=1)
        assert await reads() == 3
        assert await harness.run_audit() == []


async def test_forged_webhook_call_changes_nothing(database: Database, tmp_path: Path) -> None:
    # An unknown URL or another provider's: no handle is recorded.
    urls = CallbackUrls()
    async with engine_harness(database, tmp_path, new_callback_url=urls) as harness:
        job = await lose_reply(harness)
        made = harness.server.finish()
        before = await harness.job_store.get(job.id)
        assert not await harness.engine.handle_webhook(hash_token("a guess"), "skillboss", made.id)
        assert not await harness.engine.handle_webhook(urls.hashes[0], "reve2img", made.id)
        assert not await harness.engine.handle_webhook(urls.hashes[0], "", made.id)
        await harness.run_rounds(step=5)
        assert await harness.job_store.get(job.id) == before
        assert "status" not in {each.endpoint for each in harness.server.requests}


async def test_webhook_handle_never_replaces_submit_handle(database: Database, tmp_path: Path) -> None:
    # Nobody gets another member's image by naming its handle.
    urls = CallbackUrls()
    async with engine_harness(database, tmp_path, new_callback_url=urls) as harness:
        mine, theirs = await harness.create_job(), await harness.create_job()
        for job in (mine, theirs):
            await harness.wait_for_state(job.id, State.QUEUED)
        found = [(job, await harness.read_attempt(job.id)) for job in (mine, theirs)]
        first, own = next(each for each in found if each[1].webhook_hash == urls.hashes[0])
        _, foreigner = next(each for each in found if each[0] is not first)
        foreign = next(made for made in harness.server.jobs if made.id == foreigner.handle)
        harness.server.finish(foreign)
        assert await harness.engine.handle_webhook(urls.hashes[0], "skillboss", foreign.id)
        await harness.run_rounds(step=0.1)
        assert (await harness.read_attempt(first.id)).handle == own.handle
        assert (await harness.read_job(first.id)).state is State.QUEUED


async def test_webhook_call_without_handle_is_only_a_hint(database: Database, tmp_path: Path) -> None:
    # The status is read if possible; nothing else changes.
    urls = CallbackUrls()
    async with engine_harness(database, tmp_path, new_callback_url=urls) as harness:
        job = await lose_reply(harness)
        harness.server.finish()
        assert await harness.engine.handle_webhook(urls.hashes[0], "skillboss", None)
        await harness.run_rounds(step=5)
        assert (await harness.read_job(job.id)).state is State.UNKNOWN


async def test_webhook_before_submit_answer_charges_once(database: Database, tmp_path: Path) -> None:
    # The handle of the answer counts.
    urls, gates = CallbackUrls(), Gates()
    async with engine_harness(database, tmp_path, new_callback_url=urls, wrap=gates) as harness:
        gates.gated.after.clear()
        job = await harness.create_job()
        await harness.wait_for(gates.gated.waiting.is_set)
        made = harness.server.finish()
        assert await urls.call(harness, made)
        await harness.run_rounds()
        assert (await harness.read_job(job.id)).state is State.SUBMITTING
        gates.gated.open()
        done = await harness.wait_for_state(job.id, State.DONE)
        assert done.charged == 12
        assert (await harness.read_attempt(job.id)).handle == made.id
        assert harness.count_submits() == 1
        assert await harness.run_audit() == []


async def test_webhook_at_other_worker_during_submit_is_used_after_lost_reply(
    database: Database, other: Database, tmp_path: Path
) -> None:
    urls, gates = CallbackUrls(), Gates()
    async with (
        engine_harness(database, tmp_path, new_callback_url=urls, wrap=gates, alone=False) as harness,
        engine_harness(other, tmp_path, server=harness.server, clock=harness.clock, alone=False) as second,
    ):
        await second.wait_for_dispatch()
        gates.gated.after.clear()
        gates.gated.loses = True
        job = await harness.create_job()
        await harness.wait_for(gates.gated.waiting.is_set)
        assert await urls.call(second, harness.server.finish())
        gates.gated.open()
        done = await harness.wait_for_state(job.id, State.DONE)
        assert (done.charged, harness.count_submits()) == (12, 1)
        assert await harness.run_audit() == []


async def test_webhook_at_other_worker_after_lost_reply_adopts_job(
    database: Database, other: Database, tmp_path: Path
) -> None:
    urls = CallbackUrls()
    async with (
        engine_harness(database, tmp_path, new_callback_url=urls, alone=False) as harness,
        engine_harness(other, tmp_path, server=harness.server, clock=harness.clock, alone=False) as second,
    ):
        await second.wait_for_dispatch()
        job = await lose_reply(harness)
        assert await urls.call(second, harness.server.finish())
        done = await second.wait_for_state(job.id, State.DONE)
        assert (done.owner, done.charged) == (second.engine.worker_id, 12)
        await harness.run_rounds(step=60)
        assert len(await read_images(harness, job)) == 1
        assert await harness.run_audit() == []


async def test_named_job_with_unreadable_status_is_reconciled_later(database: Database, tmp_path: Path) -> None:
    # The provider calls and is then away: the hold is released, and the images arrive free of charge later.
    urls = CallbackUrls()
    async with engine_harness(database, tmp_path, new_callback_url=urls) as harness:
        job = await lose_reply(harness)
        harness.server.faults.add("status", "status", status=503, times=None)
        assert await urls.call(harness, harness.server.finish())
        failed = await harness.wait_for_state(job.id, State.FAILED, step=10)
        assert (failed.fault, failed.charged) == (FaultKind.REPLY_LOST, 0)
        harness.server.clear_faults()
        await _until_pictures(harness, job)
        assert (await harness.read_job(job.id)).charged == 0
        assert await read_balance(harness) == (200, 0)
        assert await harness.run_audit() == []


async def _until_pictures(harness: EngineHarness, job: Job) -> None:
    for _ in range(200):
        if await read_images(harness, job):
            return
        await harness.pass_time(10)
    raise AssertionError("no images arrived")


async def test_images_of_lost_job_arrive_once_and_free(database: Database, tmp_path: Path) -> None:
    async with engine_harness(database, tmp_path, config=EngineConfig(hard_deadline=60, soft_deadline=30)) as harness:
        job = await harness.create_job()
        gone = await harness.wait_for_state(job.id, State.LOST, step=5)
        assert gone.charged == 0
        await harness.run_rounds(step=60)  # still running
        assert await read_images(harness, job) == ()
        harness.server.finish()
        await _until_pictures(harness, job)
        after = await harness.read_job(job.id)
        assert (after.state, after.charged, after.reconcile_at) == (State.LOST, 0, None)
        assert await read_balance(harness) == (200, 0)
        asked = len(harness.server.requests)
        await harness.run_rounds(step=600)
        assert len(harness.server.requests) == asked
        assert await harness.run_audit() == []


async def test_lost_job_that_failed_is_not_reconciled_again(sqlite_database: Database, tmp_path: Path) -> None:
    async with engine_harness(
        sqlite_database, tmp_path, config=EngineConfig(hard_deadline=60, soft_deadline=30)
    ) as harness:
        job = await harness.create_job()
        await harness.wait_for_state(job.id, State.LOST, step=5)
        harness.server.store.fail(harness.server.jobs[0], "vendor")
        await harness.run_rounds(step=30)
        assert (await harness.read_job(job.id)).reconcile_at is None
        assert await read_images(harness, job) == ()


async def test_lost_job_is_not_reconciled_after_a_week(sqlite_database: Database, tmp_path: Path) -> None:
    # The provider has forgotten it by then.
    async with engine_harness(
        sqlite_database, tmp_path, config=EngineConfig(hard_deadline=60, soft_deadline=30)
    ) as harness:
        job = await harness.create_job()
        await harness.wait_for_state(job.id, State.LOST, step=5)
        await harness.run_rounds(step=3600)
        assert (await harness.read_job(job.id)).reconcile_at is not None
        harness.clock.set_now(START + timedelta(days=7, seconds=1))
        asked = len(harness.server.requests)
        await harness.run_rounds(step=31)
        assert (await harness.read_job(job.id)).reconcile_at is None
        assert len(harness.server.requests) == asked


async def test_jobs_of_removed_provider_wait_for_its_return(sqlite_database: Database, tmp_path: Path) -> None:
    # Running and lost jobs are kept and finished once the key is back.
    config = EngineConfig(hard_deadline=600, soft_deadline=30)
    second = Reve2ImgServer(key="key", latency=MANUAL)
    await second.start()
    async with engine_harness(sqlite_database, tmp_path, config=config) as harness:
        old = await harness.create_job()
        await harness.wait_for_state(old.id, State.LOST, step=20)
        running = await harness.create_job()
        await harness.wait_for_state(running.id, State.QUEUED)
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
            await without.run_rounds(step=15)
            assert (await without.read_job(running.id)).state is State.QUEUED
            assert await read_images(without, old) == ()
        async with engine_harness(
            sqlite_database, tmp_path, server=harness.server, clock=harness.clock, config=config
        ) as again:
            done = await again.wait_for_state(running.id, State.DONE, step=1)
            assert done.charged == 12
            await _until_pictures(again, old)
            assert await again.run_audit() == []
    await second.close()


async def test_failing_reconciliation_does_not_block_others(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with engine_harness(
        sqlite_database, tmp_path, config=EngineConfig(hard_deadline=60, soft_deadline=30)
    ) as harness:
        late = [await harness.create_job() for _ in range(3)]
        for job in late:
            await harness.wait_for_state(job.id, State.LOST, step=5)
        for made in harness.server.jobs:
            harness.server.finish(made)
        broken = late[0].id
        finish = harness.reconciliations.finish

        async def breaks(job: Job, *arguments: Any, **options: Any) -> None:
            if job.id == broken:
                raise LookupError("a fault of ours")
            await finish(job, *arguments, **options)

        monkeypatch.setattr(harness.reconciliations, "finish", breaks)
        for job in late[1:]:
            await _until_pictures(harness, job)
        assert await read_images(harness, late[0]) == ()


async def test_late_images_from_two_workers_are_stored_once(
    database: Database, other: Database, tmp_path: Path
) -> None:
    # Both asked the provider; the second one finds the job settled.
    async with (
        engine_harness(database, tmp_path, start=False) as harness,
        engine_harness(other, tmp_path, server=harness.server, clock=harness.clock, start=False) as second,
    ):
        await harness.worker_store.renew_lease()
        asked = await harness.create_job()
        (claim,) = (await harness.job_store.claim_batch(1, {"skillboss": 1})).claims
        job = await harness.job_store.mark_reply_lost(claim.job, has_callback=False)
        first, again = make_image(job), make_image(job)
        await harness.reconciliations.finish(job, [first])
        await second.reconciliations.finish(job, [again])
        assert await read_images(harness, asked) == (first,)
        with pytest.raises(StaleJobError):
            await harness.job_store.mark_reply_lost(claim.job, has_callback=True)
        assert await read_possible_cost(harness) == 12
        assert await harness.run_audit() == []


async def test_lost_replies_never_bill_more_than_the_budget(database: Database, tmp_path: Path) -> None:
    # Each member gets the credits back; the operator's budget keeps what the provider may bill.
    async with engine_harness(database, tmp_path, budget=60) as harness:
        harness.server.faults.add("submit", "reset_after", times=None)
        for member in range(1, 9):
            place = make_context(member_id=member)
            try:
                job = await harness.create_job(place=place)
            except BudgetSpentError:
                continue
            await harness.wait_for_state(job.id, State.FAILED)
        assert harness.count_submits() == 5
        assert len(harness.server.billed) * 12 <= 60
        assert await read_budget(harness) == (0, 0, 60)
        assert await harness.run_audit() == []


async def test_lost_reply_of_several_images_may_cost_all_of_them(sqlite_database: Database, tmp_path: Path) -> None:
    async with engine_harness(sqlite_database, tmp_path) as harness:
        harness.server.faults.add("submit", "reset_after")
        job = await harness.create_job(request=make_request(images=4))
        await harness.wait_for_state(job.id, State.FAILED)
        assert await read_budget(harness) == (0, 0, 48)


async def test_third_lost_reply_of_a_day_keeps_its_hold_until_the_deadline(database: Database, tmp_path: Path) -> None:
    async with engine_harness(database, tmp_path) as harness:
        harness.server.faults.add("submit", "reset_after", times=None)
        for _ in range(2):
            job = await harness.create_job()
            await harness.wait_for_state(job.id, State.FAILED)
        assert await read_balance(harness) == (200, 0)
        kept = await harness.create_job()
        await harness.wait_for_state(kept.id, State.UNKNOWN)
        await harness.run_rounds(step=300)  # 6,000 of 7,200 s
        assert (await harness.read_job(kept.id)).state is State.UNKNOWN
        assert await read_balance(harness) == (188, 12)
        assert await read_budget(harness) == (12, 0, 24)
        failed = await harness.wait_for_state(kept.id, State.FAILED, step=100)
        assert (failed.fault, failed.charged) == (FaultKind.REPLY_LOST, 0)
        assert failed.finished_at is not None
        assert failed.finished_at - failed.created_at >= timedelta(hours=2)
        assert await read_balance(harness) == (200, 0)
        assert await read_budget(harness) == (0, 0, 36)
        assert await harness.run_audit() == []


async def test_kept_hold_is_shown_on_the_card(sqlite_database: Database, tmp_path: Path) -> None:
    async with engine_harness(sqlite_database, tmp_path) as harness:
        harness.server.faults.add("submit", "reset_after", times=None)
        snapshots = JobSnapshotService(
            catalogue=SKILLBOSS,
            database=sqlite_database,
            ledger=harness.ledger,
            clock=harness.clock,
            hard_deadline=7200,
        )
        for _ in range(3):
            job = await harness.create_job()
            await harness.settle()
        await harness.wait_for_state(job.id, State.UNKNOWN)
        await harness.wait_until_idle()
        assert harness.observer.changes[-1] == job.id
        snapshot = await snapshots.get(job.id)
        assert snapshot.held_until == job.created_at + timedelta(hours=2)


async def test_kept_hold_ends_with_the_answer_of_the_provider(database: Database, tmp_path: Path) -> None:
    urls = CallbackUrls()
    async with engine_harness(database, tmp_path, new_callback_url=urls) as harness:
        now = harness.clock.now()
        for _ in range(2):
            job = make_job_for(now=now)
            await database.write(partial(hold, ledger=harness.ledger, job=job, now=now))
            await database.write(ending(harness.ledger, job, now, at_risk=12))
        kept = await lose_reply(harness)
        await harness.run_rounds(step=60)  # beyond the quarter of an hour
        assert (await harness.read_job(kept.id)).state is State.UNKNOWN
        assert await urls.call(harness, harness.server.finish())
        done = await harness.wait_for_state(kept.id, State.DONE)
        assert done.charged == 12
        assert await read_budget(harness) == (0, 12, 24)
        assert await harness.run_audit() == []


async def test_kept_hold_ends_soon_after_a_late_reply_in_another_process(database: Database, tmp_path: Path) -> None:
    async with engine_harness(database, tmp_path) as harness:
        now = harness.clock.now()
        for _ in range(2):
            job = make_job_for(now=now)
            await database.write(partial(hold, ledger=harness.ledger, job=job, now=now))
            await database.write(ending(harness.ledger, job, now, at_risk=12))
        kept = await lose_reply(harness)
        await harness.settle()
        late_answer = Pending(handle=harness.server.finish().id, running=False)
        assert await harness.job_store.record_late_answer(await harness.read_attempt(kept.id), late_answer)
        late = harness.clock.now()
        done = await harness.wait_for_state(kept.id, State.DONE, step=30)
        assert done.charged == 12
        assert harness.clock.now() - late <= timedelta(minutes=2)
        assert await harness.run_audit() == []


async def test_lost_job_stays_at_risk_until_the_provider_answers(database: Database, tmp_path: Path) -> None:
    async with engine_harness(database, tmp_path) as harness:
        job = await harness.create_job()
        await harness.wait_for_state(job.id, State.QUEUED)
        await harness.wait_for_state(job.id, State.LOST, step=60)
        assert await read_budget(harness) == (0, 0, 12)
        (made,) = harness.server.jobs
        harness.server.store.fail(made, "upstream vendor error")
        await harness.run_rounds(step=60)
        assert await read_budget(harness) == (0, 0, 0)  # the provider made nothing
        assert await read_balance(harness) == (200, 0)
        assert await harness.run_audit() == []


async def test_job_cancelled_by_provider_is_not_at_risk(database: Database, tmp_path: Path) -> None:
    async with engine_harness(database, tmp_path) as harness:
        job = await harness.create_job()
        await harness.wait_for_state(job.id, State.QUEUED)
        (made,) = harness.server.jobs
        harness.server.store.fail(made, "upstream vendor error")
        await harness.wait_for_state(job.id, State.FAILED, step=1)
        assert await read_budget(harness) == (0, 0, 0)


@pytest.mark.parametrize(("broken", "parts"), [(1, (0, 36, 12)), (4, (0, 0, 48))])
async def test_unusable_pictures_are_at_risk(
    database: Database, tmp_path: Path, broken: int, parts: tuple[int, int, int]
) -> None:
    # Made and billed by the provider, but no member pays for them.
    async with engine_harness(database, tmp_path) as harness:
        harness.server.faults.add("picture", "html", times=broken)
        job = await harness.create_job(request=make_request(images=4))
        await harness.wait_for_state(job.id, State.QUEUED)
        harness.server.finish()
        await harness.wait_for_state(job.id, State.DONE if broken < 4 else State.FAILED, step=1)
        assert await read_budget(harness) == parts
        assert await harness.run_audit() == []


@pytest.mark.parametrize("late", [False, True])
async def test_billed_failure_without_pictures_is_the_operators(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, late: bool
) -> None:
    urls = CallbackUrls()

    async def poll(*_: object, **__: object) -> Failed:
        return Failed(kind=FaultKind.NO_PICTURES, cost=in_credits(3))

    async with engine_harness(sqlite_database, tmp_path, new_callback_url=urls) as harness:
        job = await lose_reply(harness)
        (made,) = harness.server.jobs
        if late:
            await harness.wait_for_state(job.id, State.FAILED, step=60)
        monkeypatch.setattr(SkillBoss, "poll", poll)
        assert await urls.call(harness, made)
        await harness.wait_for_state(job.id, State.FAILED)
        await harness.run_rounds(step=10)
        assert await read_budget(harness) == ((0, 12, 0) if late else (0, 0, 12))
        assert await read_balance(harness) == (200, 0)
        assert await harness.run_audit() == []


async def test_lost_reply_ends_in_time_after_clock_was_set_back(sqlite_database: Database, tmp_path: Path) -> None:
    urls = CallbackUrls()
    async with engine_harness(sqlite_database, tmp_path, new_callback_url=urls) as harness:
        job = await lose_reply(harness)
        harness.clock.set_now(harness.clock.now() - timedelta(days=1))
        await harness.run_rounds(step=60)
        assert (await harness.read_job(job.id)).state is State.FAILED
