"""A stop at any moment: what was not sent is sent once by the next engine, what may have been sent never again."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from bot.domain.errors import BooksError, FaultKind
from bot.domain.jobs import Attempt, Job, Outcome, State
from bot.engine import engine as engine_module
from bot.engine.claiming import Hook, Turn
from bot.engine.limits import Limits
from db.attempts import AttemptRepository
from db.database import Database
from tests.engine.gated import Gates
from tests.engine.workshop import Workshop, workshop
from tests.support.clock import let_others_run


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a stop wait for nothing that is under way."""
    monkeypatch.setattr(engine_module, "_GRACE_SECONDS", 0.0)


async def attempts(shop: Workshop, job: Job) -> tuple[Attempt, ...]:
    """Return all attempts of a job."""

    def read(connection: Connection) -> tuple[Attempt, ...]:
        return AttemptRepository(connection).list_for(job.id)

    return await shop.database.read(read)


async def is_sent_once_by_the_next(shop: Workshop, folder: Path, job: Job) -> None:
    """Check that the job waits as if it had never had a turn, and that the next engine sends and finishes it."""
    held = await shop.job(job.id)
    assert (held.state, held.tries, held.provider, held.submitted_at) == (State.HELD, 0, None, None)
    assert await attempts(shop, job) == ()
    assert shop.posts() == 0
    async with workshop(shop.database, folder, server=shop.server, clock=shop.clock) as heir:
        await heir.until(job.id, State.QUEUED, step=0.5)
        heir.server.finish()
        await heir.until(job.id, State.DONE, step=1)
        assert heir.posts() == 1
        assert len(await attempts(heir, job)) == 1
        assert await heir.problems() == []


async def is_never_sent_again(shop: Workshop, folder: Path, job: Job) -> None:
    """Check that the next engine gives the credits back for a job that was sent, and sends nothing."""
    assert (await shop.job(job.id)).state is State.SUBMITTING
    async with workshop(shop.database, folder, server=shop.server, clock=shop.clock) as heir:
        failed = await heir.until(job.id, State.FAILED, step=1)
        assert (failed.fault, failed.charged) == (FaultKind.REPLY_LOST, 0)
        assert (await heir.attempt(job.id)).outcome is Outcome.UNKNOWN
        await heir.quiet(step=10)
        assert heir.posts() == 1
        assert await heir.problems() == []


async def test_who_waits_in_line_is_sent_by_the_next(database: Database, tmp_path: Path) -> None:
    """A stop leaves the line as it is."""
    async with workshop(database, tmp_path, limits=Limits(active_per_provider=0)) as shop:
        job = await shop.asked()
        await shop.settle()
        await shop.engine.stop()
        await shop.engine.release()
        await is_sent_once_by_the_next(shop, tmp_path, job)


async def test_a_claim_that_is_not_sent_yet_is_put_back(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has its slot and is about to be sent when the stop comes."""
    async with workshop(database, tmp_path) as shop:
        reading, go_on = asyncio.Event(), asyncio.Event()
        get = shop.journal.get

        async def slowly(job_id: str) -> tuple[Job, Attempt | None]:
            found = await get(job_id)
            if found[0].state is State.SUBMITTING:
                reading.set()
                await go_on.wait()
            return found

        with monkeypatch.context() as patch:
            patch.setattr(shop.journal, "get", slowly)
            job = await shop.asked()
            await shop.when(reading.is_set)
            stopping = asyncio.create_task(shop.engine.stop())
            await shop.settle()
            go_on.set()
            await stopping
        await shop.engine.release()
        await is_sent_once_by_the_next(shop, tmp_path, job)


async def test_a_claim_that_is_being_made_is_put_back(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stop comes while the transaction that gives the slot is under way."""
    async with workshop(database, tmp_path) as shop:
        claimed, go_on = asyncio.Event(), asyncio.Event()
        claim = shop.journal.claim

        async def slowly(*arguments: Any, **options: Any) -> Turn:
            turn = await claim(*arguments, **options)
            if turn.claims:
                claimed.set()
                await go_on.wait()
            return turn

        monkeypatch.setattr(shop.journal, "claim", slowly)
        job = await shop.asked()
        await shop.when(claimed.is_set)
        assert (await shop.job(job.id)).state is State.SUBMITTING
        stopping = asyncio.create_task(shop.engine.stop())
        await shop.settle()
        go_on.set()
        await stopping
        await shop.engine.release()
        await is_sent_once_by_the_next(shop, tmp_path, job)


async def test_an_answer_that_comes_within_the_grace_is_kept(database: Database, tmp_path: Path) -> None:
    """The stop waits a little for a submit that is under way, and the job goes on with the next engine."""
    gates = Gates()
    async with workshop(database, tmp_path, wrap=gates) as shop:
        gates.gated.after.clear()
        job = await shop.asked()
        await shop.when(gates.gated.waiting.is_set)
        stopping = asyncio.create_task(shop.engine.stop())
        await shop.settle()
        assert not stopping.done()
        gates.gated.open()
        await stopping
        await shop.engine.release()
        assert (await shop.job(job.id)).state is State.QUEUED
        async with workshop(database, tmp_path, server=shop.server, clock=shop.clock) as heir:
            heir.server.finish()
            await heir.until(job.id, State.DONE, step=1)
            assert heir.posts() == 1
            assert await heir.problems() == []


@pytest.mark.usefixtures("impatient")
async def test_a_submit_without_an_answer_is_not_repeated(database: Database, tmp_path: Path) -> None:
    """The provider takes longer than the stop waits: nobody knows, so the credits go back."""
    gates = Gates()
    async with workshop(database, tmp_path, wrap=gates) as shop:
        gates.gated.after.clear()
        job = await shop.asked()
        await shop.when(gates.gated.waiting.is_set)
        await shop.engine.stop()
        await shop.engine.release()
        await is_never_sent_again(shop, tmp_path, job)


@pytest.mark.usefixtures("impatient")
async def test_with_a_webhook_such_a_submit_is_found_again(database: Database, tmp_path: Path) -> None:
    """The next engine waits for the provider's call; with it the pictures come, and are paid for once."""
    gates = Gates()

    def hook(_: str) -> Hook:
        return Hook(url="https://studio.example/webhooks/skillboss/secret", hash="7" * 64)

    async with workshop(database, tmp_path, wrap=gates, hook=hook) as shop:
        gates.gated.after.clear()
        job = await shop.asked()
        await shop.when(gates.gated.waiting.is_set)
        await shop.engine.stop()
        await shop.engine.release()
        made = shop.server.finish()
        async with workshop(database, tmp_path, server=shop.server, clock=shop.clock) as heir:
            await heir.until(job.id, State.UNKNOWN)
            assert await heir.engine.hint("7" * 64, "skillboss", made.id)
            done = await heir.until(job.id, State.DONE)
            assert (done.charged, heir.posts()) == (12, 1)
            assert await heir.problems() == []


@pytest.mark.usefixtures("impatient")
async def test_an_answer_that_could_not_be_written_is_not_asked_for_again(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stop comes while the engine insists on writing an answer down."""
    async with workshop(database, tmp_path) as shop:
        tried = asyncio.Event()

        async def fails(*_: object) -> Job:
            tried.set()
            raise OSError("disk full")

        monkeypatch.setattr(shop.journal, "accepted", fails)
        job = await shop.asked()
        await shop.when(tried.is_set)
        await shop.engine.stop()
        await shop.engine.release()
        await is_never_sent_again(shop, tmp_path, job)


async def test_a_fault_of_ours_after_the_submit_does_not_send_it_again(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer cannot be booked, by a mistake of ours: the job ends, and is not taken for one never sent."""
    async with workshop(database, tmp_path) as shop:

        async def fails(*_: object) -> Job:
            raise BooksError("a mistake")

        monkeypatch.setattr(shop.journal, "accepted", fails)
        job = await shop.asked()
        failed = await shop.until(job.id, State.FAILED, step=1)
        assert (failed.fault, failed.charged) == (FaultKind.REPLY_LOST, 0)
        await shop.quiet(step=10)
        assert shop.posts() == 1
        assert await shop.problems() == []


async def test_a_stop_during_the_start_begins_nothing(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has taken over an earlier one's jobs at that moment: they are given back untouched."""
    async with workshop(database, tmp_path, alone=False) as earlier:
        job = await earlier.asked()
        await earlier.until(job.id, State.QUEUED)
        await earlier.engine.stop()
        waiting = await earlier.asked()
        await earlier.engine.release()
        asked = len(earlier.server.requests)
        async with workshop(
            database, tmp_path, server=earlier.server, clock=earlier.clock, alone=False, start=False
        ) as shop:
            taken, go_on = asyncio.Event(), asyncio.Event()
            take_over = shop.journal.take_over

            async def slowly() -> tuple[Job, ...]:
                jobs = await take_over()
                taken.set()
                await go_on.wait()
                return jobs

            monkeypatch.setattr(shop.journal, "take_over", slowly)
            starting = asyncio.create_task(shop.engine.start())
            await shop.when(taken.is_set)
            await shop.engine.stop()
            go_on.set()
            await starting
            await shop.quiet(step=5)
            assert (await shop.job(job.id)).owner == shop.engine.worker_id
            await shop.engine.release()
            for each in (job, waiting):
                assert (await shop.job(each.id)).owner is None
            assert len(shop.server.requests) == asked
        async with workshop(database, tmp_path, server=earlier.server, clock=earlier.clock, alone=False) as heir:
            heir.server.finish()
            await heir.until(job.id, State.DONE, step=1)
            await heir.until(waiting.id, State.QUEUED, step=1)
            assert heir.posts() == 2
            assert await heir.problems() == []


async def test_a_claim_whose_outcome_is_unknown_is_made_anew(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection breaks after the commit: the job is sent once, and as soon as the database is back."""
    async with workshop(database, tmp_path) as shop:
        claim = shop.journal.claim
        faults = [OSError("connection lost")]

        async def breaks(*arguments: Any, **options: Any) -> Turn:
            turn = await claim(*arguments, **options)
            if turn.claims and faults:
                raise faults.pop()
            return turn

        monkeypatch.setattr(shop.journal, "claim", breaks)
        job = await shop.asked()
        await shop.until(job.id, State.SUBMITTING)
        broken = shop.clock.now()
        await shop.until(job.id, State.QUEUED, step=1)
        assert shop.clock.now() - broken < timedelta(seconds=20)
        assert faults == []
        assert shop.posts() == 1
        assert len(await attempts(shop, job)) == 1
        shop.server.finish()
        await shop.until(job.id, State.DONE, step=1)
        assert await shop.problems() == []


async def test_a_stop_does_not_wait_for_late_pictures(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asking about jobs that ended long ago may take minutes; a supervisor's patience is shorter."""
    async with workshop(sqlite_database, tmp_path) as shop:
        sweeping = asyncio.Event()

        async def for_ever() -> tuple[tuple[str, ...], tuple[str, ...]]:
            sweeping.set()
            await asyncio.Event().wait()
            raise AssertionError

        monkeypatch.setattr(shop.journal, "owned", for_ever)
        await shop.when(sweeping.is_set, step=5)
        async with asyncio.timeout(60):
            await shop.engine.stop()
        await let_others_run()
