"""The engine: a job's way from held credits to stored images."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection
from structlog.testing import capture_logs

from bot.domain.errors import FaultKind, JobStateError, NotAllowedError
from bot.domain.jobs import Delivery, Outcome, State
from bot.engine.config import EngineConfig
from bot.engine.observer import CardLookup
from bot.providers.base import Provider, Submission, SubmitAnswer
from bot.services.jobs import Actor
from db.database import Database
from db.other_process import OtherProcessRepository
from tests.engine.engine_harness import engine_harness
from tests.support.clock import let_others_run
from tests.support.factories import make_context, make_request
from tests.support.forwarding import ForwardingProvider


async def test_job_passes_every_state_and_is_charged_once(database: Database, tmp_path: Path) -> None:
    # HELD, SUBMITTING, QUEUED, RUNNING, STORING, DONE; the attempt keeps the provider's ids.
    async with engine_harness(database, tmp_path) as harness:
        asked = await harness.create_job()
        await harness.wait_for_state(asked.id, State.QUEUED)
        attempt = await harness.read_attempt(asked.id)
        (made,) = harness.server.jobs
        assert (attempt.handle, attempt.record_id, attempt.outcome) == (made.id, made.record_id, Outcome.OPEN)
        harness.server.advance()
        await harness.wait_for_state(asked.id, State.RUNNING, step=1)
        harness.server.finish()
        done = await harness.wait_for_state(asked.id, State.DONE, step=1)
        assert (done.charged, done.fault, done.provider) == (12, None, "skillboss")
        attempt = await harness.read_attempt(asked.id)
        assert (attempt.outcome, attempt.result) == (Outcome.COMPLETED, ())
        assert await harness.run_audit() == []
        assert len(harness.server.billed) == 1


async def test_job_without_card_is_not_submitted(sqlite_database: Database, tmp_path: Path) -> None:
    async with engine_harness(sqlite_database, tmp_path) as harness:
        snapshot = await harness.job_service.create(make_context(), make_request())
        harness.engine.wake()
        await let_others_run()
        assert (await harness.read_job(snapshot.job.id)).state is State.HELD
        await harness.job_service.abandon(snapshot.job)
        assert (await harness.read_job(snapshot.job.id)).state is State.CANCELLED
        assert harness.count_submits() == 0
        assert await harness.run_audit() == []


async def test_job_beyond_member_slots_waits_for_next_free_slot(sqlite_database: Database, tmp_path: Path) -> None:
    async with engine_harness(sqlite_database, tmp_path, config=EngineConfig(active_per_member=2)) as harness:
        first, second, third = [await harness.create_job() for _ in range(3)]
        await harness.wait_for_state(first.id, State.QUEUED)
        await harness.wait_for_state(second.id, State.QUEUED)
        assert (await harness.read_job(third.id)).state is State.HELD
        for made in harness.server.jobs:
            harness.server.finish(made)
        await harness.wait_for_state(first.id, State.DONE, step=1)
        await harness.wait_for_state(third.id, State.QUEUED, step=1)


async def test_job_beyond_provider_slots_waits_for_next_free_slot(sqlite_database: Database, tmp_path: Path) -> None:
    async with engine_harness(sqlite_database, tmp_path, config=EngineConfig(active_per_provider=1)) as harness:
        first = await harness.create_job()
        await harness.wait_for_state(first.id, State.QUEUED)
        second = await harness.create_job(place=make_context(member_id=43))
        await let_others_run()
        assert (await harness.read_job(second.id)).state is State.HELD
        harness.server.finish()
        await harness.wait_for_state(second.id, State.QUEUED, step=1)


async def test_cancel_of_held_job_costs_and_sends_nothing(sqlite_database: Database, tmp_path: Path) -> None:
    async with engine_harness(sqlite_database, tmp_path, config=EngineConfig(active_per_member=1)) as harness:
        first = await harness.create_job()
        await harness.wait_for_state(first.id, State.QUEUED)
        second = await harness.create_job()
        await harness.cancel(second.id)
        cancelled = await harness.wait_for_state(second.id, State.CANCELLED)
        assert cancelled.charged == 0
        assert harness.count_submits() == 1
        with pytest.raises(JobStateError):
            await harness.cancel(second.id)
        with pytest.raises(NotAllowedError):
            await harness.job_service.cancel(first.id, Actor(member_id=1))
        assert await harness.run_audit() == []


class HeldBack(ForwardingProvider):
    """A provider with a gate before each submit, in front of a real one."""

    def __init__(self, inner: Provider) -> None:
        super().__init__(inner)
        self.gate = asyncio.Event()
        self.reached = asyncio.Event()

    async def submit(self, submission: Submission) -> SubmitAnswer:
        """Wait for the gate, then submit."""
        self.reached.set()
        await self.gate.wait()
        return await super().submit(submission)


async def test_cancel_during_submit_is_sent_after_it(sqlite_database: Database, tmp_path: Path) -> None:
    # The submit ends first, once; then the provider is asked to cancel the job.
    held: list[HeldBack] = []

    def hold(provider: Provider) -> Provider:
        held.append(HeldBack(provider))
        return held[0]

    async with engine_harness(sqlite_database, tmp_path, wrap=hold) as harness:
        job = await harness.create_job()
        await held[0].reached.wait()
        await harness.cancel(job.id)
        await let_others_run()
        assert (await harness.read_job(job.id)).state is State.SUBMITTING
        held[0].gate.set()
        await harness.wait_for_state(job.id, State.CANCELLED, step=0.1)
        assert harness.count_submits() == 1
        assert harness.server.jobs[0].state == "CANCELLED"
        assert await harness.run_audit() == []


async def test_submit_interrupted_by_crash_is_not_repeated(database: Database, tmp_path: Path) -> None:
    # The next engine finds the job SUBMITTING: the hold is released and the possible cost is booked.
    held: list[HeldBack] = []

    def hold(provider: Provider) -> Provider:
        held.append(HeldBack(provider))
        return held[0]

    async with engine_harness(database, tmp_path, wrap=hold) as harness:
        job = await harness.create_job()
        await held[0].reached.wait()
        async with engine_harness(database, tmp_path, server=harness.server, clock=harness.clock) as successor:
            failed = await successor.wait_for_state(job.id, State.FAILED)
            assert (failed.fault, failed.charged) == (FaultKind.REPLY_LOST, 0)
            assert (await successor.read_attempt(job.id)).outcome is Outcome.UNKNOWN
            # The old engine continues late: the fence rejects its answer.
            held[0].gate.set()
            await harness.server.wait_for(lambda: bool(harness.server.jobs))
            await let_others_run()
            assert (await successor.read_job(job.id)).state is State.FAILED
            assert await successor.run_audit() == []


async def test_queued_job_is_finished_by_next_engine(database: Database, tmp_path: Path) -> None:
    async with engine_harness(database, tmp_path) as harness:
        job = await harness.create_job()
        queued = await harness.wait_for_state(job.id, State.QUEUED)
        await harness.engine.stop()
        harness.server.finish()
        async with engine_harness(database, tmp_path, server=harness.server, clock=harness.clock) as successor:
            done = await successor.wait_for_state(job.id, State.DONE, step=1)
            assert done.fence == queued.fence + 1  # the start took the job over
            assert await successor.run_audit() == []


@pytest.mark.parametrize("card", [True, False])
async def test_unacknowledged_job_of_earlier_engine_depends_on_its_card(
    sqlite_database: Database,
    tmp_path: Path,
    card: bool,
) -> None:
    # With its card on Discord the job continues; without, it fails and the hold is released.
    async with engine_harness(sqlite_database, tmp_path, start=False) as earlier:
        snapshot = await earlier.job_service.create(make_context(), make_request())
    async with engine_harness(sqlite_database, tmp_path, start=False) as harness:
        harness.observer.card = CardLookup(exists=card, message_id=7)
        await harness.engine.start()
        if card:
            job = await harness.wait_for_state(snapshot.job.id, State.QUEUED, step=1)
            assert job.place.message_id == 7
        else:
            failed = await harness.wait_for_state(snapshot.job.id, State.FAILED, step=1)
            assert failed.fault is FaultKind.UNACKNOWLEDGED
        assert await harness.run_audit() == []


async def test_stuck_job_is_shown_late_and_then_lost(sqlite_database: Database, tmp_path: Path) -> None:
    # Late after five minutes, LOST after two hours with the hold released.
    async with engine_harness(sqlite_database, tmp_path) as harness:
        job = await harness.create_job()
        await harness.wait_for_state(job.id, State.QUEUED)
        await harness.wait_until_idle()  # its card was refreshed
        told = len(harness.observer.changes)
        await harness.wait_for(lambda: len(harness.observer.changes) > told, step=6)
        age = harness.clock.now() - job.created_at
        assert age > timedelta(minutes=5)
        assert harness.observer.changes[told:] == [job.id]
        lost = await harness.wait_for_state(job.id, State.LOST, step=60)
        assert (lost.fault, lost.charged) == (FaultKind.DEADLINE, 0)
        assert await harness.run_audit() == []


async def test_submit_answer_is_kept_until_database_is_back(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The answer exists nowhere else, and the job is never sent again.
    async with engine_harness(sqlite_database, tmp_path) as harness:
        accepted = harness.job_store.mark_accepted
        failures = iter([OSError("disk full"), OSError("disk full")])

        async def failing(*arguments: object) -> object:
            for failure in failures:
                raise failure
            return await accepted(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(harness.job_store, "mark_accepted", failing)
        job = await harness.create_job()
        await harness.wait_for_state(job.id, State.QUEUED, step=0.5)
        assert harness.count_submits() == 1


async def test_third_not_found_status_fails_job(sqlite_database: Database, tmp_path: Path) -> None:
    async with engine_harness(sqlite_database, tmp_path) as harness:
        job = await harness.create_job()
        await harness.wait_for_state(job.id, State.QUEUED)
        harness.server.faults.add("status", "status", status=404, times=2)
        harness.server.advance()
        await harness.wait_for_state(job.id, State.RUNNING, step=1)
        harness.server.faults.add("status", "status", status=404, times=None)
        failed = await harness.wait_for_state(job.id, State.FAILED, step=1)
        assert failed.fault is FaultKind.NOT_FOUND
        assert await harness.run_audit() == []


async def test_image_download_after_server_error_is_retried(sqlite_database: Database, tmp_path: Path) -> None:
    async with engine_harness(sqlite_database, tmp_path) as harness:
        job = await harness.create_job()
        await harness.wait_for_state(job.id, State.QUEUED)
        harness.server.faults.add("picture", "status", status=500, times=2)
        harness.server.finish()
        done = await harness.wait_for_state(job.id, State.DONE, step=1)
        assert done.charged == 12


async def test_cancel_during_poll_is_handled_right_after_it(sqlite_database: Database, tmp_path: Path) -> None:
    # Not a poll's pause later.
    async with engine_harness(sqlite_database, tmp_path) as harness:
        job = await harness.create_job()
        await harness.wait_for_state(job.id, State.QUEUED)
        asked = len(harness.server.requests)
        harness.server.faults.add("status", "delay", seconds=0.3)
        harness.clock.advance(4)
        await harness.server.wait_for(lambda: len(harness.server.requests) > asked)
        await harness.cancel(job.id)
        await harness.wait_for_state(job.id, State.CANCELLED)


async def test_job_without_acknowledgement_is_checked_by_engine(sqlite_database: Database, tmp_path: Path) -> None:
    # The engine looks up the card itself and ends or continues the job.
    async with engine_harness(sqlite_database, tmp_path) as harness:
        harness.observer.card = CardLookup(exists=False)
        snapshot = await harness.job_service.create(make_context(), make_request())
        harness.clock.advance(19)
        await let_others_run()
        assert (await harness.read_job(snapshot.job.id)).state is State.HELD
        harness.clock.advance(2)
        failed = await harness.wait_for_state(snapshot.job.id, State.FAILED)
        assert failed.fault is FaultKind.UNACKNOWLEDGED
        assert await harness.run_audit() == []


async def test_job_answered_by_another_process_is_withdrawn_unseen(sqlite_database: Database, tmp_path: Path) -> None:
    # Nothing may be shown: the message belongs to the other process.
    async with engine_harness(sqlite_database, tmp_path) as harness:
        other = "f" * 32
        harness.observer.card = CardLookup(exists=False, is_foreign=True, other_job_id=other)
        snapshot = await harness.job_service.create(make_context(), make_request())
        with capture_logs() as log:
            harness.clock.advance(21)
            withdrawn = await harness.wait_for_state(snapshot.job.id, State.CANCELLED)
        assert (withdrawn.charged, withdrawn.delivery) == (0, Delivery.NOWHERE)
        assert harness.count_submits() == 0
        assert [each["event"] for each in log].count("discord.token_used_twice") == 1
        seen = await sqlite_database.read(lambda connection: OtherProcessRepository(connection).last_seen())
        assert seen == withdrawn.finished_at
        assert await harness.run_audit() == []


async def test_card_of_own_job_is_no_sighting_of_another_process(sqlite_database: Database, tmp_path: Path) -> None:
    async with engine_harness(sqlite_database, tmp_path) as harness:
        own = await harness.create_job()
        now = harness.clock.now()
        assert not await sqlite_database.write(lambda each: OtherProcessRepository(each).record(own.id, now))
        assert await sqlite_database.read(lambda connection: OtherProcessRepository(connection).last_seen()) is None


async def test_sighting_of_another_process_is_new_once_a_day(sqlite_database: Database) -> None:
    def record(hours: int) -> Callable[[Connection], bool]:
        at = datetime(2026, 3, 4, tzinfo=UTC) + timedelta(hours=hours)
        return lambda connection: OtherProcessRepository(connection).record("f" * 32, at)

    assert [await sqlite_database.write(record(hours)) for hours in (0, 1, 20, 44, 45)] == [
        True,
        False,
        False,
        True,
        False,
    ]


async def test_job_without_free_provider_is_lost_at_hard_deadline(sqlite_database: Database, tmp_path: Path) -> None:
    async with engine_harness(sqlite_database, tmp_path, config=EngineConfig(active_per_provider=0)) as harness:
        job = await harness.create_job()
        await let_others_run()
        lost = await harness.wait_for_state(job.id, State.LOST, step=100)
        assert lost.charged == 0
        assert await harness.run_audit() == []
