"""A stop at any moment.

Unsent jobs are sent once by the next engine; jobs that may have been sent are never sent again.
"""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from bot.domain.errors import FaultKind, LedgerError
from bot.domain.jobs import Attempt, Job, Outcome, State
from bot.engine import engine as engine_module
from bot.engine.claimer import CallbackUrl, ClaimResult
from bot.engine.config import EngineConfig
from db.attempts import AttemptRepository
from db.database import Database
from tests.engine.engine_harness import EngineHarness, engine_harness
from tests.engine.gated_provider import Gates
from tests.support.clock import let_others_run


@pytest.fixture
def no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the grace of a stop to zero."""
    monkeypatch.setattr(engine_module, "_GRACE_SECONDS", 0.0)


async def read_attempts(harness: EngineHarness, job: Job) -> tuple[Attempt, ...]:
    """Return all attempts of a job."""

    def read(connection: Connection) -> tuple[Attempt, ...]:
        return AttemptRepository(connection).list_for(job.id)

    return await harness.database.read(read)


async def check_sent_once_by_next_engine(harness: EngineHarness, folder: Path, job: Job) -> None:
    """Check the job: unclaimed now, then sent once by the next engine."""
    held = await harness.read_job(job.id)
    assert (held.state, held.tries, held.provider, held.submitted_at) == (State.HELD, 0, None, None)
    assert await read_attempts(harness, job) == ()
    assert harness.count_submits() == 0
    async with engine_harness(harness.database, folder, server=harness.server, clock=harness.clock) as successor:
        await successor.wait_for_state(job.id, State.QUEUED, step=0.5)
        successor.server.finish()
        await successor.wait_for_state(job.id, State.DONE, step=1)
        assert successor.count_submits() == 1
        assert len(await read_attempts(successor, job)) == 1
        assert await successor.run_audit() == []


async def check_never_sent_again(harness: EngineHarness, folder: Path, job: Job) -> None:
    """Check the job: its hold is released by the next engine, nothing is sent."""
    assert (await harness.read_job(job.id)).state is State.SUBMITTING
    async with engine_harness(harness.database, folder, server=harness.server, clock=harness.clock) as successor:
        failed = await successor.wait_for_state(job.id, State.FAILED, step=1)
        assert (failed.fault, failed.charged) == (FaultKind.REPLY_LOST, 0)
        assert (await successor.read_attempt(job.id)).outcome is Outcome.UNKNOWN
        await successor.run_rounds(step=10)
        assert successor.count_submits() == 1
        assert await successor.run_audit() == []


async def test_queued_job_is_submitted_by_next_engine(database: Database, tmp_path: Path) -> None:
    async with engine_harness(database, tmp_path, config=EngineConfig(active_per_provider=0)) as harness:
        job = await harness.create_job()
        await harness.settle()
        await harness.engine.stop()
        await harness.engine.release_lease()
        await check_sent_once_by_next_engine(harness, tmp_path, job)


async def test_unsent_claim_is_released_at_stop(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The job has its slot and is about to be sent.
    async with engine_harness(database, tmp_path) as harness:
        reading, go_on = asyncio.Event(), asyncio.Event()
        get = harness.job_store.get

        async def slowly(job_id: str) -> tuple[Job, Attempt | None]:
            found = await get(job_id)
            if found[0].state is State.SUBMITTING:
                reading.set()
                await go_on.wait()
            return found

        with monkeypatch.context() as patch:
            patch.setattr(harness.job_store, "get", slowly)
            job = await harness.create_job()
            await harness.wait_for(reading.is_set)
            stopping = asyncio.create_task(harness.engine.stop())
            await harness.settle()
            go_on.set()
            await stopping
        await harness.engine.release_lease()
        await check_sent_once_by_next_engine(harness, tmp_path, job)


async def test_claim_committed_during_stop_is_released(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The stop comes during the claim transaction.
    async with engine_harness(database, tmp_path) as harness:
        claimed, go_on = asyncio.Event(), asyncio.Event()
        claim = harness.job_store.claim_batch

        async def slowly(*arguments: Any, **options: Any) -> ClaimResult:
            turn = await claim(*arguments, **options)
            if turn.claims:
                claimed.set()
                await go_on.wait()
            return turn

        monkeypatch.setattr(harness.job_store, "claim_batch", slowly)
        job = await harness.create_job()
        await harness.wait_for(claimed.is_set)
        assert (await harness.read_job(job.id)).state is State.SUBMITTING
        stopping = asyncio.create_task(harness.engine.stop())
        await harness.settle()
        go_on.set()
        await stopping
        await harness.engine.release_lease()
        await check_sent_once_by_next_engine(harness, tmp_path, job)


async def test_submit_answer_within_grace_is_stored(database: Database, tmp_path: Path) -> None:
    # The job continues with the next engine.
    gates = Gates()
    async with engine_harness(database, tmp_path, wrap=gates) as harness:
        gates.gated.after.clear()
        job = await harness.create_job()
        await harness.wait_for(gates.gated.waiting.is_set)
        stopping = asyncio.create_task(harness.engine.stop())
        await harness.settle()
        assert not stopping.done()
        gates.gated.open()
        await stopping
        await harness.engine.release_lease()
        assert (await harness.read_job(job.id)).state is State.QUEUED
        async with engine_harness(database, tmp_path, server=harness.server, clock=harness.clock) as successor:
            successor.server.finish()
            await successor.wait_for_state(job.id, State.DONE, step=1)
            assert successor.count_submits() == 1
            assert await successor.run_audit() == []


@pytest.mark.usefixtures("no_grace")
async def test_submit_without_answer_at_stop_is_not_repeated(database: Database, tmp_path: Path) -> None:
    # The provider takes longer than the grace: the hold is released.
    gates = Gates()
    async with engine_harness(database, tmp_path, wrap=gates) as harness:
        gates.gated.after.clear()
        job = await harness.create_job()
        await harness.wait_for(gates.gated.waiting.is_set)
        await harness.engine.stop()
        await harness.engine.release_lease()
        await check_never_sent_again(harness, tmp_path, job)


@pytest.mark.usefixtures("no_grace")
async def test_submit_without_answer_at_stop_is_found_by_webhook(database: Database, tmp_path: Path) -> None:
    # The next engine waits for the call; the images are charged once.
    gates = Gates()

    def new_callback_url(_: str) -> CallbackUrl:
        return CallbackUrl(url="https://studio.example/webhooks/skillboss/secret", hash="7" * 64)

    async with engine_harness(database, tmp_path, wrap=gates, new_callback_url=new_callback_url) as harness:
        gates.gated.after.clear()
        job = await harness.create_job()
        await harness.wait_for(gates.gated.waiting.is_set)
        await harness.engine.stop()
        await harness.engine.release_lease()
        made = harness.server.finish()
        async with engine_harness(database, tmp_path, server=harness.server, clock=harness.clock) as successor:
            await successor.wait_for_state(job.id, State.UNKNOWN)
            assert await successor.engine.handle_webhook("7" * 64, "skillboss", made.id)
            done = await successor.wait_for_state(job.id, State.DONE)
            assert (done.charged, successor.count_submits()) == (12, 1)
            assert await successor.run_audit() == []


@pytest.mark.usefixtures("no_grace")
async def test_unwritten_answer_at_stop_is_not_requested_again(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The stop comes while the engine retries to store the answer.
    async with engine_harness(database, tmp_path) as harness:
        tried = asyncio.Event()

        async def fails(*_: object) -> Job:
            tried.set()
            raise OSError("disk full")

        monkeypatch.setattr(harness.job_store, "mark_accepted", fails)
        job = await harness.create_job()
        await harness.wait_for(tried.is_set)
        await harness.engine.stop()
        await harness.engine.release_lease()
        await check_never_sent_again(harness, tmp_path, job)


async def test_internal_fault_after_submit_does_not_send_again(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The answer cannot be stored through a mistake of ours: the job ends and is not taken for unsent.
    async with engine_harness(database, tmp_path) as harness:

        async def fails(*_: object) -> Job:
            raise LedgerError("a mistake")

        monkeypatch.setattr(harness.job_store, "mark_accepted", fails)
        job = await harness.create_job()
        failed = await harness.wait_for_state(job.id, State.FAILED, step=1)
        assert (failed.fault, failed.charged) == (FaultKind.REPLY_LOST, 0)
        await harness.run_rounds(step=10)
        assert harness.count_submits() == 1
        assert await harness.run_audit() == []


async def test_stop_during_start_begins_nothing(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Jobs of an earlier engine, taken over at this moment, are given back untouched.
    async with engine_harness(database, tmp_path, alone=False) as earlier:
        job = await earlier.create_job()
        await earlier.wait_for_state(job.id, State.QUEUED)
        await earlier.engine.stop()
        waiting = await earlier.create_job()
        await earlier.engine.release_lease()
        asked = len(earlier.server.requests)
        async with engine_harness(
            database, tmp_path, server=earlier.server, clock=earlier.clock, alone=False, start=False
        ) as harness:
            taken, go_on = asyncio.Event(), asyncio.Event()
            take_over = harness.worker_store.take_over

            async def slowly() -> tuple[Job, ...]:
                jobs = await take_over()
                taken.set()
                await go_on.wait()
                return jobs

            monkeypatch.setattr(harness.worker_store, "take_over", slowly)
            starting = asyncio.create_task(harness.engine.start())
            await harness.wait_for(taken.is_set)
            await harness.engine.stop()
            go_on.set()
            await starting
            await harness.run_rounds(step=5)
            assert (await harness.read_job(job.id)).owner == harness.engine.worker_id
            await harness.engine.release_lease()
            for each in (job, waiting):
                assert (await harness.read_job(each.id)).owner is None
            assert len(harness.server.requests) == asked
        async with engine_harness(
            database, tmp_path, server=earlier.server, clock=earlier.clock, alone=False
        ) as successor:
            successor.server.finish()
            await successor.wait_for_state(job.id, State.DONE, step=1)
            await successor.wait_for_state(waiting.id, State.QUEUED, step=1)
            assert successor.count_submits() == 2
            assert await successor.run_audit() == []


async def test_claim_with_lost_outcome_is_made_again(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The connection breaks after the commit: the job is sent once, as soon as the database is back.
    async with engine_harness(database, tmp_path) as harness:
        claim = harness.job_store.claim_batch
        faults = [OSError("connection lost")]

        async def breaks(*arguments: Any, **options: Any) -> ClaimResult:
            turn = await claim(*arguments, **options)
            if turn.claims and faults:
                raise faults.pop()
            return turn

        monkeypatch.setattr(harness.job_store, "claim_batch", breaks)
        job = await harness.create_job()
        # Not for a state: a wake-up at this moment has the claim made again at once.
        await harness.wait_for(lambda: not faults)
        broken = harness.clock.now()
        await harness.wait_for_state(job.id, State.QUEUED, step=1)
        assert harness.clock.now() - broken < timedelta(seconds=20)
        assert faults == []
        assert harness.count_submits() == 1
        assert len(await read_attempts(harness, job)) == 1
        harness.server.finish()
        await harness.wait_for_state(job.id, State.DONE, step=1)
        assert await harness.run_audit() == []


async def test_stop_does_not_wait_for_reconciliation(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Asking about ended jobs may take minutes; a supervisor waits less.
    async with engine_harness(sqlite_database, tmp_path) as harness:
        sweeping = asyncio.Event()

        async def for_ever() -> tuple[tuple[str, ...], tuple[str, ...]]:
            sweeping.set()
            await asyncio.Event().wait()
            raise AssertionError

        monkeypatch.setattr(harness.worker_store, "list_owned", for_ever)
        await harness.wait_for(sweeping.is_set, step=5)
        async with asyncio.timeout(60):
            await harness.engine.stop()
        await let_others_run()
