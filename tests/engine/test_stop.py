"""A stop at any moment: what was not sent is sent once by the next engine, what may have been sent never again."""

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
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a stop wait for nothing that is under way."""
    monkeypatch.setattr(engine_module, "_GRACE_SECONDS", 0.0)


async def attempts(harness: EngineHarness, job: Job) -> tuple[Attempt, ...]:
    """Return all attempts of a job."""

    def read(connection: Connection) -> tuple[Attempt, ...]:
        return AttemptRepository(connection).list_for(job.id)

    return await harness.database.read(read)


async def is_sent_once_by_the_next(harness: EngineHarness, folder: Path, job: Job) -> None:
    """Check that the job waits as if it had never had a turn, and that the next engine sends and finishes it."""
    held = await harness.job(job.id)
    assert (held.state, held.tries, held.provider, held.submitted_at) == (State.HELD, 0, None, None)
    assert await attempts(harness, job) == ()
    assert harness.posts() == 0
    async with engine_harness(harness.database, folder, server=harness.server, clock=harness.clock) as heir:
        await heir.until(job.id, State.QUEUED, step=0.5)
        heir.server.finish()
        await heir.until(job.id, State.DONE, step=1)
        assert heir.posts() == 1
        assert len(await attempts(heir, job)) == 1
        assert await heir.problems() == []


async def is_never_sent_again(harness: EngineHarness, folder: Path, job: Job) -> None:
    """Check that the next engine gives the credits back for a job that was sent, and sends nothing."""
    assert (await harness.job(job.id)).state is State.SUBMITTING
    async with engine_harness(harness.database, folder, server=harness.server, clock=harness.clock) as heir:
        failed = await heir.until(job.id, State.FAILED, step=1)
        assert (failed.fault, failed.charged) == (FaultKind.REPLY_LOST, 0)
        assert (await heir.attempt(job.id)).outcome is Outcome.UNKNOWN
        await heir.quiet(step=10)
        assert heir.posts() == 1
        assert await heir.problems() == []


async def test_who_waits_in_line_is_sent_by_the_next(database: Database, tmp_path: Path) -> None:
    """A stop leaves the line as it is."""
    async with engine_harness(database, tmp_path, config=EngineConfig(active_per_provider=0)) as harness:
        job = await harness.asked()
        await harness.settle()
        await harness.engine.stop()
        await harness.engine.release_lease()
        await is_sent_once_by_the_next(harness, tmp_path, job)


async def test_a_claim_that_is_not_sent_yet_is_put_back(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has its slot and is about to be sent when the stop comes."""
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
            job = await harness.asked()
            await harness.when(reading.is_set)
            stopping = asyncio.create_task(harness.engine.stop())
            await harness.settle()
            go_on.set()
            await stopping
        await harness.engine.release_lease()
        await is_sent_once_by_the_next(harness, tmp_path, job)


async def test_a_claim_that_is_being_made_is_put_back(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stop comes while the transaction that gives the slot is under way."""
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
        job = await harness.asked()
        await harness.when(claimed.is_set)
        assert (await harness.job(job.id)).state is State.SUBMITTING
        stopping = asyncio.create_task(harness.engine.stop())
        await harness.settle()
        go_on.set()
        await stopping
        await harness.engine.release_lease()
        await is_sent_once_by_the_next(harness, tmp_path, job)


async def test_an_answer_that_comes_within_the_grace_is_kept(database: Database, tmp_path: Path) -> None:
    """The stop waits a little for a submit that is under way, and the job goes on with the next engine."""
    gates = Gates()
    async with engine_harness(database, tmp_path, wrap=gates) as harness:
        gates.gated.after.clear()
        job = await harness.asked()
        await harness.when(gates.gated.waiting.is_set)
        stopping = asyncio.create_task(harness.engine.stop())
        await harness.settle()
        assert not stopping.done()
        gates.gated.open()
        await stopping
        await harness.engine.release_lease()
        assert (await harness.job(job.id)).state is State.QUEUED
        async with engine_harness(database, tmp_path, server=harness.server, clock=harness.clock) as heir:
            heir.server.finish()
            await heir.until(job.id, State.DONE, step=1)
            assert heir.posts() == 1
            assert await heir.problems() == []


@pytest.mark.usefixtures("impatient")
async def test_a_submit_without_an_answer_is_not_repeated(database: Database, tmp_path: Path) -> None:
    """The provider takes longer than the stop waits: nobody knows, so the credits go back."""
    gates = Gates()
    async with engine_harness(database, tmp_path, wrap=gates) as harness:
        gates.gated.after.clear()
        job = await harness.asked()
        await harness.when(gates.gated.waiting.is_set)
        await harness.engine.stop()
        await harness.engine.release_lease()
        await is_never_sent_again(harness, tmp_path, job)


@pytest.mark.usefixtures("impatient")
async def test_with_a_webhook_such_a_submit_is_found_again(database: Database, tmp_path: Path) -> None:
    """The next engine waits for the provider's call; with it the pictures come, and are paid for once."""
    gates = Gates()

    def new_callback_url(_: str) -> CallbackUrl:
        return CallbackUrl(url="https://studio.example/webhooks/skillboss/secret", hash="7" * 64)

    async with engine_harness(database, tmp_path, wrap=gates, new_callback_url=new_callback_url) as harness:
        gates.gated.after.clear()
        job = await harness.asked()
        await harness.when(gates.gated.waiting.is_set)
        await harness.engine.stop()
        await harness.engine.release_lease()
        made = harness.server.finish()
        async with engine_harness(database, tmp_path, server=harness.server, clock=harness.clock) as heir:
            await heir.until(job.id, State.UNKNOWN)
            assert await heir.engine.handle_webhook("7" * 64, "skillboss", made.id)
            done = await heir.until(job.id, State.DONE)
            assert (done.charged, heir.posts()) == (12, 1)
            assert await heir.problems() == []


@pytest.mark.usefixtures("impatient")
async def test_an_answer_that_could_not_be_written_is_not_asked_for_again(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stop comes while the engine insists on writing an answer down."""
    async with engine_harness(database, tmp_path) as harness:
        tried = asyncio.Event()

        async def fails(*_: object) -> Job:
            tried.set()
            raise OSError("disk full")

        monkeypatch.setattr(harness.job_store, "mark_accepted", fails)
        job = await harness.asked()
        await harness.when(tried.is_set)
        await harness.engine.stop()
        await harness.engine.release_lease()
        await is_never_sent_again(harness, tmp_path, job)


async def test_a_fault_of_ours_after_the_submit_does_not_send_it_again(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer cannot be booked, by a mistake of ours: the job ends, and is not taken for one never sent."""
    async with engine_harness(database, tmp_path) as harness:

        async def fails(*_: object) -> Job:
            raise LedgerError("a mistake")

        monkeypatch.setattr(harness.job_store, "mark_accepted", fails)
        job = await harness.asked()
        failed = await harness.until(job.id, State.FAILED, step=1)
        assert (failed.fault, failed.charged) == (FaultKind.REPLY_LOST, 0)
        await harness.quiet(step=10)
        assert harness.posts() == 1
        assert await harness.problems() == []


async def test_a_stop_during_the_start_begins_nothing(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has taken over an earlier one's jobs at that moment: they are given back untouched."""
    async with engine_harness(database, tmp_path, alone=False) as earlier:
        job = await earlier.asked()
        await earlier.until(job.id, State.QUEUED)
        await earlier.engine.stop()
        waiting = await earlier.asked()
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
            await harness.when(taken.is_set)
            await harness.engine.stop()
            go_on.set()
            await starting
            await harness.quiet(step=5)
            assert (await harness.job(job.id)).owner == harness.engine.worker_id
            await harness.engine.release_lease()
            for each in (job, waiting):
                assert (await harness.job(each.id)).owner is None
            assert len(harness.server.requests) == asked
        async with engine_harness(database, tmp_path, server=earlier.server, clock=earlier.clock, alone=False) as heir:
            heir.server.finish()
            await heir.until(job.id, State.DONE, step=1)
            await heir.until(waiting.id, State.QUEUED, step=1)
            assert heir.posts() == 2
            assert await heir.problems() == []


async def test_a_claim_whose_outcome_is_unknown_is_made_anew(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection breaks after the commit: the job is sent once, and as soon as the database is back."""
    async with engine_harness(database, tmp_path) as harness:
        claim = harness.job_store.claim_batch
        faults = [OSError("connection lost")]

        async def breaks(*arguments: Any, **options: Any) -> ClaimResult:
            turn = await claim(*arguments, **options)
            if turn.claims and faults:
                raise faults.pop()
            return turn

        monkeypatch.setattr(harness.job_store, "claim_batch", breaks)
        job = await harness.asked()
        await harness.until(job.id, State.SUBMITTING)
        broken = harness.clock.now()
        await harness.until(job.id, State.QUEUED, step=1)
        assert harness.clock.now() - broken < timedelta(seconds=20)
        assert faults == []
        assert harness.posts() == 1
        assert len(await attempts(harness, job)) == 1
        harness.server.finish()
        await harness.until(job.id, State.DONE, step=1)
        assert await harness.problems() == []


async def test_a_stop_does_not_wait_for_late_pictures(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asking about jobs that ended long ago may take minutes; a supervisor's patience is shorter."""
    async with engine_harness(sqlite_database, tmp_path) as harness:
        sweeping = asyncio.Event()

        async def for_ever() -> tuple[tuple[str, ...], tuple[str, ...]]:
            sweeping.set()
            await asyncio.Event().wait()
            raise AssertionError

        monkeypatch.setattr(harness.worker_store, "list_owned", for_ever)
        await harness.when(sweeping.is_set, step=5)
        async with asyncio.timeout(60):
            await harness.engine.stop()
        await let_others_run()
