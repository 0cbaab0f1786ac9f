"""The engine: from held credits to stored pictures, with every turn that a job can take."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.errors import FaultKind, JobStateError, NotAllowedError
from bot.domain.jobs import Outcome, State
from bot.domain.models import Offer
from bot.domain.requests import GenerationRequest
from bot.engine.config import EngineConfig
from bot.engine.observer import CardLookup
from bot.providers.base import CancelOutcome, Provider, Status, Submission
from bot.services.jobs import Actor
from db.database import Database
from tests.engine.engine_harness import engine_harness
from tests.support.clock import let_others_run
from tests.support.factories import make_context, make_request


async def test_a_job_goes_its_way_and_is_charged_once(database: Database, tmp_path: Path) -> None:
    """HELD, SUBMITTING, QUEUED, RUNNING, STORING, DONE: the attempt keeps its ids, the books their balance."""
    async with engine_harness(database, tmp_path) as harness:
        asked = await harness.asked()
        await harness.until(asked.id, State.QUEUED)
        attempt = await harness.attempt(asked.id)
        (made,) = harness.server.jobs
        assert (attempt.handle, attempt.record_id, attempt.outcome) == (made.id, made.record_id, Outcome.OPEN)
        harness.server.advance()
        await harness.until(asked.id, State.RUNNING, step=1)
        harness.server.finish()
        done = await harness.until(asked.id, State.DONE, step=1)
        assert (done.charged, done.fault, done.provider) == (12, None, "skillboss")
        attempt = await harness.attempt(asked.id)
        assert (attempt.outcome, attempt.result) == (Outcome.COMPLETED, ())
        assert await harness.problems() == []
        assert len(harness.server.billed) == 1


async def test_a_job_without_its_card_is_not_submitted(sqlite_database: Database, tmp_path: Path) -> None:
    """Nothing is sent to a provider before the member has the card."""
    async with engine_harness(sqlite_database, tmp_path) as harness:
        snapshot = await harness.generation.create(make_context(), make_request())
        harness.engine.wake()
        await let_others_run()
        assert (await harness.job(snapshot.job.id)).state is State.HELD
        await harness.generation.abandon(snapshot.job)
        assert (await harness.job(snapshot.job.id)).state is State.CANCELLED
        assert harness.posts() == 0
        assert await harness.problems() == []


async def test_a_member_has_so_many_slots_and_waits_for_the_next(sqlite_database: Database, tmp_path: Path) -> None:
    """With two slots a member, the third job waits until one of the others ends."""
    async with engine_harness(sqlite_database, tmp_path, config=EngineConfig(active_per_member=2)) as harness:
        first, second, third = [await harness.asked() for _ in range(3)]
        await harness.until(first.id, State.QUEUED)
        await harness.until(second.id, State.QUEUED)
        assert (await harness.job(third.id)).state is State.HELD
        for made in harness.server.jobs:
            harness.server.finish(made)
        await harness.until(first.id, State.DONE, step=1)
        await harness.until(third.id, State.QUEUED, step=1)


async def test_a_provider_has_so_many_slots(sqlite_database: Database, tmp_path: Path) -> None:
    """With one slot at the provider, members take turns."""
    async with engine_harness(sqlite_database, tmp_path, config=EngineConfig(active_per_provider=1)) as harness:
        first = await harness.asked()
        await harness.until(first.id, State.QUEUED)
        second = await harness.asked(place=make_context(member_id=43))
        await let_others_run()
        assert (await harness.job(second.id)).state is State.HELD
        harness.server.finish()
        await harness.until(second.id, State.QUEUED, step=1)


async def test_a_cancel_before_the_submit_costs_nothing_and_sends_nothing(
    sqlite_database: Database, tmp_path: Path
) -> None:
    """A job that still waits here is cancelled at once."""
    async with engine_harness(sqlite_database, tmp_path, config=EngineConfig(active_per_member=1)) as harness:
        first = await harness.asked()
        await harness.until(first.id, State.QUEUED)
        second = await harness.asked()
        await harness.cancel(second.id)
        cancelled = await harness.until(second.id, State.CANCELLED)
        assert cancelled.charged == 0
        assert harness.posts() == 1
        with pytest.raises(JobStateError):
            await harness.cancel(second.id)
        with pytest.raises(NotAllowedError):
            await harness.generation.cancel(first.id, Actor(member_id=1))
        assert await harness.problems() == []


class HeldBack:
    """A provider whose submit waits for `gate`, in front of a real one."""

    def __init__(self, inner: Provider) -> None:
        self.gate = asyncio.Event()
        self.reached = asyncio.Event()
        self._inner = inner

    @property
    def name(self) -> str:
        """The real one's name."""
        return self._inner.name

    @property
    def takes_webhooks(self) -> bool:
        """What the real one says."""
        return self._inner.takes_webhooks

    def parse_webhook(self, body: object) -> str | None:
        """Read as the real one does."""
        return self._inner.parse_webhook(body)

    async def submit(self, request: GenerationRequest, offer: Offer, *, webhook_url: str | None = None) -> Submission:
        """Wait, then submit."""
        self.reached.set()
        await self.gate.wait()
        return await self._inner.submit(request, offer, webhook_url=webhook_url)

    async def poll(self, handle: str, *, hide: tuple[str, ...] = ()) -> Status:
        """Ask the real one."""
        return await self._inner.poll(handle, hide=hide)

    async def cancel(self, handle: str) -> CancelOutcome:
        """Ask the real one."""
        return await self._inner.cancel(handle)


async def test_a_cancel_while_the_submit_is_under_way_is_carried_out_after_it(
    sqlite_database: Database, tmp_path: Path
) -> None:
    """The submit ends first, once; then the provider is asked to drop the job."""
    held: list[HeldBack] = []

    def hold(provider: Provider) -> Provider:
        held.append(HeldBack(provider))
        return held[0]

    async with engine_harness(sqlite_database, tmp_path, wrap=hold) as harness:
        job = await harness.asked()
        await held[0].reached.wait()
        await harness.cancel(job.id)
        await let_others_run()
        assert (await harness.job(job.id)).state is State.SUBMITTING
        held[0].gate.set()
        await harness.until(job.id, State.CANCELLED, step=0.1)
        assert harness.posts() == 1
        assert harness.server.jobs[0].state == "CANCELLED"
        assert await harness.problems() == []


async def test_an_engine_that_dies_in_a_submit_leaves_it_unrepeated(database: Database, tmp_path: Path) -> None:
    """The next engine finds the job SUBMITTING: its credits go back, the possible cost is booked, nothing is sent."""
    held: list[HeldBack] = []

    def hold(provider: Provider) -> Provider:
        held.append(HeldBack(provider))
        return held[0]

    async with engine_harness(database, tmp_path, wrap=hold) as harness:
        job = await harness.asked()
        await held[0].reached.wait()
        async with engine_harness(database, tmp_path, server=harness.server, clock=harness.clock) as heir:
            failed = await heir.until(job.id, State.FAILED)
            assert (failed.fault, failed.charged) == (FaultKind.REPLY_LOST, 0)
            assert (await heir.attempt(job.id)).outcome is Outcome.UNKNOWN
            # The old engine wakes up late: its answer is rejected by the fence.
            held[0].gate.set()
            await harness.server.wait_for(lambda: bool(harness.server.jobs))
            await let_others_run()
            assert (await heir.job(job.id)).state is State.FAILED
            assert await heir.problems() == []


async def test_a_job_of_an_earlier_engine_goes_on(database: Database, tmp_path: Path) -> None:
    """QUEUED at the stop, the job is polled and finished by the next engine."""
    async with engine_harness(database, tmp_path) as harness:
        job = await harness.asked()
        queued = await harness.until(job.id, State.QUEUED)
        await harness.engine.stop()
        harness.server.finish()
        async with engine_harness(database, tmp_path, server=harness.server, clock=harness.clock) as heir:
            done = await heir.until(job.id, State.DONE, step=1)
            assert done.fence == queued.fence + 1  # the start took it over
            assert await heir.problems() == []


@pytest.mark.parametrize("card", [True, False])
async def test_an_unanswered_command_of_an_earlier_engine_depends_on_its_card(
    sqlite_database: Database,
    tmp_path: Path,
    card: bool,  # noqa: FBT001
) -> None:
    """With its card on Discord the job goes on; without, it ends and the credits go back."""
    async with engine_harness(sqlite_database, tmp_path, start=False) as earlier:
        snapshot = await earlier.generation.create(make_context(), make_request())
    async with engine_harness(sqlite_database, tmp_path, start=False) as harness:
        harness.observer.card = CardLookup(there=card, message_id=7)
        await harness.engine.start()
        if card:
            job = await harness.until(snapshot.job.id, State.QUEUED, step=1)
            assert job.place.message_id == 7
        else:
            failed = await harness.until(snapshot.job.id, State.FAILED, step=1)
            assert failed.fault is FaultKind.UNACKNOWLEDGED
        assert await harness.problems() == []


async def test_the_soft_deadline_is_shown_and_the_hard_one_ends_the_job(
    sqlite_database: Database, tmp_path: Path
) -> None:
    """A stuck job is shown late after five minutes and LOST after two hours, with everything returned."""
    async with engine_harness(sqlite_database, tmp_path) as harness:
        job = await harness.asked()
        await harness.until(job.id, State.QUEUED)
        await harness.idle()  # it has said so
        told = len(harness.observer.changes)
        await harness.when(lambda: len(harness.observer.changes) > told, step=6)
        age = harness.clock.now() - job.created_at
        assert age > timedelta(minutes=5)
        assert harness.observer.changes[told:] == [job.id]
        lost = await harness.until(job.id, State.LOST, step=60)
        assert (lost.fault, lost.charged) == (FaultKind.DEADLINE, 0)
        assert await harness.problems() == []


async def test_an_answer_is_written_down_however_long_the_database_is_away(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A submit's answer exists nowhere else: it is kept and written when the database is back, and never resent."""
    async with engine_harness(sqlite_database, tmp_path) as harness:
        accepted = harness.job_store.mark_accepted
        failures = iter([OSError("disk full"), OSError("disk full")])

        async def failing(*arguments: object) -> object:
            for failure in failures:
                raise failure
            return await accepted(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(harness.job_store, "mark_accepted", failing)
        job = await harness.asked()
        await harness.until(job.id, State.QUEUED, step=0.5)
        assert harness.posts() == 1


async def test_a_provider_that_forgot_the_job_ends_it_after_three_looks(
    sqlite_database: Database, tmp_path: Path
) -> None:
    """A 404 may only be late; three of them end the job for nothing."""
    async with engine_harness(sqlite_database, tmp_path) as harness:
        job = await harness.asked()
        await harness.until(job.id, State.QUEUED)
        harness.server.faults.add("status", "status", status=404, times=2)
        harness.server.advance()
        await harness.until(job.id, State.RUNNING, step=1)
        harness.server.faults.add("status", "status", status=404, times=None)
        failed = await harness.until(job.id, State.FAILED, step=1)
        assert failed.fault is FaultKind.NOT_FOUND
        assert await harness.problems() == []


async def test_a_picture_that_is_not_there_yet_is_fetched_again(sqlite_database: Database, tmp_path: Path) -> None:
    """A picture server that answers 500 is asked again before the job is settled."""
    async with engine_harness(sqlite_database, tmp_path) as harness:
        job = await harness.asked()
        await harness.until(job.id, State.QUEUED)
        harness.server.faults.add("picture", "status", status=500, times=2)
        harness.server.finish()
        done = await harness.until(job.id, State.DONE, step=1)
        assert done.charged == 12


async def test_a_cancel_during_a_look_is_not_put_off_by_it(sqlite_database: Database, tmp_path: Path) -> None:
    """A hint that comes while the provider is asked is followed at once, not a poll's pause later."""
    async with engine_harness(sqlite_database, tmp_path) as harness:
        job = await harness.asked()
        await harness.until(job.id, State.QUEUED)
        asked = len(harness.server.requests)
        harness.server.faults.add("status", "delay", seconds=0.3)
        harness.clock.advance(4)
        await harness.server.wait_for(lambda: len(harness.server.requests) > asked)
        await harness.cancel(job.id)
        await harness.until(job.id, State.CANCELLED)


async def test_a_job_that_nobody_acknowledges_is_seen_to(sqlite_database: Database, tmp_path: Path) -> None:
    """If whoever should acknowledge a job is gone, the engine looks for its card itself, and settles it."""
    async with engine_harness(sqlite_database, tmp_path) as harness:
        harness.observer.card = CardLookup(there=False)
        snapshot = await harness.generation.create(make_context(), make_request())
        harness.clock.advance(19)
        await let_others_run()
        assert (await harness.job(snapshot.job.id)).state is State.HELD
        harness.clock.advance(2)
        failed = await harness.until(snapshot.job.id, State.FAILED)
        assert failed.fault is FaultKind.UNACKNOWLEDGED
        assert await harness.problems() == []


async def test_a_job_that_no_provider_takes_ends_at_the_hard_deadline(
    sqlite_database: Database, tmp_path: Path
) -> None:
    """Waiting here for ever holds no credits for ever."""
    async with engine_harness(sqlite_database, tmp_path, config=EngineConfig(active_per_provider=0)) as harness:
        job = await harness.asked()
        await let_others_run()
        lost = await harness.until(job.id, State.LOST, step=100)
        assert lost.charged == 0
        assert await harness.problems() == []
