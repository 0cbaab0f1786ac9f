"""Workers sharing a database: take-over of dead ones, fence for late ones.

No wall clock is trusted.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, select, update

from bot.domain.errors import FaultKind, ProviderError, StaleJobError
from bot.domain.jobs import AT_PROVIDER, Attempt, Job, Outcome, State
from bot.engine.claimer import CallbackUrl, ClaimResult, no_callback_url
from bot.engine.config import EngineConfig
from bot.engine.job_store import JobStore
from bot.engine.lease import Lease
from bot.engine.worker_store import WorkerStore
from bot.providers.base import Finished, Pending
from db.database import Database
from db.jobs import JobRepository
from db.tables import jobs, workers
from db.workers import WorkerRepository
from tests.engine.engine_harness import EngineHarness, engine_harness
from tests.engine.gated_provider import GatedProvider, Gates
from tests.support.catalogue import SKILLBOSS
from tests.support.clock import START, ManualClock
from tests.support.factories import make_context, make_id, make_image, make_job, make_request
from tests.support.ledger import hold, make_ledger

UNLIMITED = {"skillboss": 1_000}


class Pair:
    """Two workers with one database.

    `late` has a separate clock that may stand still; `successor` goes on.
    """

    def __init__(self, late: EngineHarness, successor: EngineHarness, gated: GatedProvider) -> None:
        self.late = late
        self.successor = successor
        self.gated = gated

    async def suspend_late(self, job: Job) -> None:
        """Stop the late worker's clock until the successor owns the job."""
        for _ in range(60):
            if (await self.successor.read_job(job.id)).owner == self.successor.engine.worker_id:
                return
            await self.successor.pass_time(1)
        raise AssertionError("no worker took over")

    async def pass_time(self, seconds: int) -> None:
        """Let time pass for both."""
        for _ in range(seconds):
            self.late.clock.advance(1)
            await self.successor.pass_time(1)
            await self.late.wait_until_idle()

    def resume_late(self) -> None:
        """Let the missed time pass for the late worker too."""
        self.late.clock.advance((self.successor.clock.now() - self.late.clock.now()).total_seconds())


@asynccontextmanager
async def pair(
    database: Database, other: Database, folder: Path, *, config: EngineConfig | None = None
) -> AsyncIterator[Pair]:
    """Start two workers with a clock each; the late one has a gated provider."""
    gates = Gates()
    async with (
        engine_harness(database, folder, wrap=gates, config=config, alone=False) as late,
        engine_harness(other, folder, server=late.server, config=config, alone=False) as successor,
    ):
        await successor.wait_for_dispatch()
        try:
            yield Pair(late, successor, gates.gated)
        finally:
            gates.gated.open()


async def test_job_of_dead_worker_is_finished_by_another(database: Database, other: Database, tmp_path: Path) -> None:
    # The other worker takes it over after the lease, not before.
    async with pair(database, other, tmp_path) as two:
        job = await two.late.create_job()
        queued = await two.late.wait_for_state(job.id, State.QUEUED)
        await two.successor.run_rounds(step=1, rounds=14)
        assert (await two.successor.read_job(job.id)).owner == two.late.engine.worker_id
        await two.suspend_late(job)
        two.successor.server.finish()
        done = await two.successor.wait_for_state(job.id, State.DONE, step=1)
        assert (done.fence, done.charged) == (queued.fence + 1, 12)
        two.resume_late()
        await two.late.run_rounds(step=1)
        assert two.late.count_submits() == 1
        assert len(two.successor.server.billed) == 1
        assert await two.successor.run_audit() == []


async def test_worker_without_lease_pauses_until_renewal(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without its lease it polls and claims nothing; it claims new jobs once renewals succeed.
    async with (
        engine_harness(sqlite_database, tmp_path, alone=False) as harness,
        engine_harness(
            sqlite_database, tmp_path, server=harness.server, clock=harness.clock, alone=False, start=False
        ) as other,
    ):
        job = await harness.create_job()
        await harness.wait_for_state(job.id, State.QUEUED)

        async def fails() -> tuple[Job, ...]:
            raise OSError("no way to the database")

        with monkeypatch.context() as patch:
            patch.setattr(harness.worker_store, "renew_lease", fails)
            await harness.run_rounds(step=1)
            assert not harness.lease.is_held
            requests = len(harness.server.requests)
            waiting = await harness.create_job()
            await harness.run_rounds(step=1)
            assert len(harness.server.requests) == requests
            assert (await harness.read_job(waiting.id)).state is State.HELD
            await other.engine.start()
            taken = await other.wait_for_state(waiting.id, State.QUEUED, step=1)
            assert taken.owner == other.engine.worker_id
        await harness.wait_for(lambda: harness.lease.is_held, step=1)
        new = await harness.create_job()
        assert new.owner == harness.engine.worker_id
        await harness.wait_for_state(new.id, State.QUEUED, step=0.5)
        harness.server.finish(harness.server.jobs[0])
        await harness.wait_for_state(job.id, State.DONE, step=1)
        assert harness.count_submits() == 3
        assert await harness.run_audit() == []


async def test_job_is_not_sent_if_lease_ended_during_read(
    database: Database, other: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The database hangs just before the submit: another worker owns the job by then.
    async with pair(database, other, tmp_path) as two:
        reading, go_on = asyncio.Event(), asyncio.Event()
        get = two.late.job_store.get

        async def slowly(job_id: str) -> tuple[Job, Attempt | None]:
            found = await get(job_id)
            if found[0].state is State.SUBMITTING:
                reading.set()
                await go_on.wait()
            return found

        monkeypatch.setattr(two.late.job_store, "get", slowly)
        job = await two.late.create_job()
        await two.late.wait_for(reading.is_set)
        await two.suspend_late(job)
        failed = await two.successor.wait_for_state(job.id, State.FAILED, step=1)
        assert (failed.fault, failed.charged) == (FaultKind.REPLY_LOST, 0)
        two.resume_late()
        await two.late.wait_for(lambda: two.late.lease.is_held)
        go_on.set()
        await two.late.run_rounds(step=1)
        assert two.late.count_submits() == 0
        assert await two.successor.run_audit() == []


async def test_submit_answer_after_lease_is_rejected(database: Database, other: Database, tmp_path: Path) -> None:
    # The other worker released the hold; the late answer changes nothing.
    async with pair(database, other, tmp_path) as two:
        two.gated.after.clear()
        job = await two.late.create_job()
        await two.late.wait_for(two.gated.waiting.is_set)
        await two.suspend_late(job)
        await two.successor.wait_for_state(job.id, State.FAILED, step=1)
        two.gated.open()
        await two.late.run_rounds()
        two.resume_late()
        await two.late.run_rounds(step=1)
        failed = await two.successor.read_job(job.id)
        assert (failed.state, failed.fault, failed.charged) == (State.FAILED, FaultKind.REPLY_LOST, 0)
        assert (await two.successor.read_attempt(job.id)).outcome is Outcome.UNKNOWN
        assert two.successor.count_submits() == 1
        assert await two.successor.run_audit() == []


@pytest.mark.parametrize(
    "state", [State.HELD, State.SUBMITTING, State.UNKNOWN, State.QUEUED, State.RUNNING, State.STORING]
)
async def test_every_write_of_late_worker_is_rejected(database: Database, tmp_path: Path, state: State) -> None:
    async with engine_harness(database, tmp_path, alone=False, start=False) as harness:
        await harness.worker_store.renew_lease()
        job = await bring_to_state(harness, state)
        await database.write(
            lambda connection: connection.execute(update(jobs).values(owner="x", fence=jobs.c.fence + 1))
        )
        before = await harness.job_store.get(job.id)
        for name, step in writes_for(harness.job_store, job).items():
            with pytest.raises(StaleJobError):
                await step()
            assert await harness.job_store.get(job.id) == before, name
        assert await harness.run_audit() == []


async def bring_to_state(harness: EngineHarness, state: State) -> Job:
    """Return a job in this state, moved by the job store alone."""
    created = await harness.create_job()
    if state is State.HELD:
        return await harness.read_job(created.id)
    (claim,) = (await harness.job_store.claim_batch(9, UNLIMITED)).claims
    match state:
        case State.UNKNOWN:
            return await harness.job_store.mark_reply_lost(claim.job, has_callback=True)
        case State.QUEUED:
            return await harness.job_store.mark_accepted(claim.job, Pending(handle="h", running=False))
        case State.RUNNING:
            return await harness.job_store.mark_accepted(claim.job, Pending(handle="h", running=True))
        case State.STORING:
            return await harness.job_store.mark_storing(
                claim.job, Finished(handle="h", image_urls=("https://cdn.example/1.png",))
            )
        case _:
            return claim.job


def writes_for(job_store: JobStore, job: Job) -> dict[str, Callable[[], Awaitable[object]]]:
    """Return the writes of a worker for a job in its state."""
    end: dict[str, Callable[[], Awaitable[object]]] = {
        "failed": lambda: job_store.mark_failed(job, FaultKind.GENERATION),
        "lost": lambda: job_store.mark_lost(job),
        "cancelled": lambda: job_store.mark_cancelled(job),
        "cancel_refused": lambda: job_store.mark_cancel_refused(job),
    }
    storing = {"storing": lambda: job_store.mark_storing(job, Finished(image_urls=("https://cdn.example/2.png",)))}
    refusal = ProviderError(FaultKind.UNAVAILABLE, provider="skillboss")
    match job.state:
        case State.HELD:
            return end
        case State.SUBMITTING:
            return {
                "accepted": lambda: job_store.mark_accepted(job, Pending(handle="other", running=False)),
                "refused": lambda: job_store.mark_refused(job, refusal, 1.0),
                "reply_lost": lambda: job_store.mark_reply_lost(job, has_callback=False),
                "unclaim": lambda: job_store.release_claim(job),
                "failed": end["failed"],
                **storing,
            }
        case State.UNKNOWN:
            return {"give_up": lambda: job_store.give_up(job), "failed": end["failed"], **storing}
        case State.QUEUED:
            return {**end, **storing, "running": lambda: job_store.mark_running(job)}
        case State.RUNNING:
            return {**end, **storing}
        case _:
            return {
                "done": lambda: job_store.mark_done(job, [make_image(job)]),
                "failed": end["failed"],
                "lost": end["lost"],
            }


async def test_jobs_of_stopped_worker_are_taken_over_at_next_renewal(
    database: Database, other: Database, tmp_path: Path
) -> None:
    # A stop releases the lease, so nobody waits for its end. Nothing is sent again.
    async with pair(database, other, tmp_path) as two:
        queued = await two.late.create_job()
        await two.late.wait_for_state(queued.id, State.QUEUED)
        await two.late.engine.stop()
        waiting = await two.late.create_job()
        await two.late.engine.release_lease()
        assert (await two.successor.read_job(queued.id)).owner is None
        await two.successor.run_rounds(step=1, rounds=6)
        taken = await two.successor.wait_for_state(waiting.id, State.QUEUED)
        assert taken.owner == two.successor.engine.worker_id
        two.successor.server.finish(two.successor.server.jobs[0])
        await two.successor.wait_for_state(queued.id, State.DONE, step=1)
        assert two.successor.count_submits() == 2
        assert await two.successor.run_audit() == []


async def test_queued_job_is_claimed_by_other_living_worker(
    database: Database, other: Database, tmp_path: Path
) -> None:
    # The fence tells the first worker, which drops the job.
    async with (
        engine_harness(database, tmp_path, alone=False) as first,
        engine_harness(other, tmp_path, server=first.server, clock=first.clock, alone=False, start=False) as second,
    ):
        await second.worker_store.renew_lease()
        created = await first.job_service.create(make_context(), make_request())
        await first.card_store.mark_acknowledged(created.job.id, 1)  # the job's engine is not woken
        mine = await first.read_job(created.job.id)
        (claim,) = (await second.job_store.claim_batch(9, UNLIMITED)).claims
        assert (claim.job.owner, claim.job.fence) == (second.engine.worker_id, mine.fence + 1)
        with pytest.raises(StaleJobError):
            await first.job_store.mark_cancelled(mine)
        first.engine.wake()
        await first.engine.schedule_now(mine.id)  # a job in SUBMITTING is not adopted
        await first.run_rounds(step=0.2)
        assert (await first.read_job(mine.id)).owner == second.engine.worker_id
        assert first.count_submits() == 0
        assert await first.run_audit() == []


async def test_cancel_at_other_worker_adopts_and_cancels_job(
    database: Database, other: Database, tmp_path: Path
) -> None:
    async with pair(database, other, tmp_path) as two:
        job = await two.late.create_job()
        await two.late.wait_for_state(job.id, State.QUEUED)
        await two.successor.cancel(job.id)
        cancelled = await two.successor.wait_for_state(job.id, State.CANCELLED)
        assert cancelled.owner == two.successor.engine.worker_id
        two.late.clock.advance(30)
        await two.late.run_rounds(step=1)
        assert two.successor.server.jobs[0].state == "CANCELLED"
        assert await two.successor.run_audit() == []


async def test_webhook_at_other_worker_adopts_job(database: Database, other: Database, tmp_path: Path) -> None:
    # The job is polled there at once, and its images arrive once.

    def new_callback_url(_: str) -> CallbackUrl:
        return CallbackUrl(url="https://studio.example/webhooks/skillboss/secret", hash="5" * 64)

    async with (
        engine_harness(database, tmp_path, alone=False, new_callback_url=new_callback_url) as first,
        engine_harness(other, tmp_path, server=first.server, clock=first.clock, alone=False) as second,
    ):
        await second.wait_for_dispatch()
        job = await first.create_job()
        await first.wait_for_state(job.id, State.QUEUED)
        made = first.server.finish()
        assert await second.engine.handle_webhook("5" * 64, "skillboss", made.id)
        done = await second.wait_for_state(job.id, State.DONE)
        assert (done.owner, done.charged) == (second.engine.worker_id, 12)
        await first.run_rounds(step=5)
        assert await first.run_audit() == []


async def test_more_jobs_than_take_over_batch_are_all_taken_over(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with engine_harness(database, tmp_path, alone=False) as earlier:
        orders = [await earlier.create_job() for _ in range(3)]
        for job in orders:
            await earlier.wait_for_state(job.id, State.QUEUED)
        await earlier.engine.stop()
        await earlier.engine.release_lease()
        for module in ("worker_store", "engine"):
            monkeypatch.setattr(f"bot.engine.{module}.TAKE_OVER_BATCH", 2)
        async with engine_harness(
            database, tmp_path, server=earlier.server, clock=earlier.clock, alone=False
        ) as successor:
            for made in successor.server.jobs:
                successor.server.finish(made)
            for job in orders:
                await successor.wait_for_state(job.id, State.DONE, step=1)
            assert successor.count_submits() == 3


async def test_take_over_with_lost_outcome_sends_nothing_again(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The job looks as if claimed here, but its former worker may have sent it.
    async with (
        engine_harness(database, tmp_path, alone=False) as harness,
        engine_harness(
            database, tmp_path, server=harness.server, clock=harness.clock, alone=False, start=False
        ) as earlier,
    ):
        await harness.wait_for_dispatch()
        await earlier.worker_store.renew_lease()
        job = await bring_to_state(earlier, State.SUBMITTING)  # a running engine would claim it for itself
        await database.write(lambda connection: connection.execute(update(jobs).values(owner="gone")))
        take_over = harness.worker_store.take_over

        async def cut_off() -> tuple[Job, ...]:
            await take_over()
            monkeypatch.setattr(harness.worker_store, "take_over", take_over)
            raise ConnectionError("the answer to COMMIT never came")

        monkeypatch.setattr(harness.worker_store, "take_over", cut_off)
        ended = await harness.wait_for_state(job.id, State.FAILED, step=1)
        assert (ended.fault, ended.charged) == (FaultKind.REPLY_LOST, 0)
        assert harness.count_submits() == 0
        assert await harness.run_audit() == []


async def test_take_over_with_pending_outcome_sends_nothing_again(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The commit precedes its reply: until then the job looks as if claimed here.
    async with (
        engine_harness(database, tmp_path, alone=False) as harness,
        engine_harness(
            database, tmp_path, server=harness.server, clock=harness.clock, alone=False, start=False
        ) as earlier,
    ):
        await harness.wait_for_dispatch()
        await earlier.worker_store.renew_lease()
        job = await bring_to_state(earlier, State.SUBMITTING)
        await database.write(lambda connection: connection.execute(update(jobs).values(owner="gone")))
        take_over, claim = harness.worker_store.take_over, harness.job_store.claim_batch
        committed, released = asyncio.Event(), asyncio.Event()

        async def slowly() -> tuple[Job, ...]:
            taken = await take_over()
            committed.set()
            await released.wait()
            return taken

        async def cut_off(*_: object, **__: object) -> ClaimResult:
            monkeypatch.setattr(harness.job_store, "claim_batch", claim)
            raise ConnectionError("the database is away")

        monkeypatch.setattr(harness.worker_store, "take_over", slowly)
        await harness.wait_for(committed.is_set, step=1)
        monkeypatch.setattr(harness.job_store, "claim_batch", cut_off)
        harness.engine.wake()
        await harness.wait_for(lambda: harness.job_store.claim_batch == claim)
        harness.engine.wake()
        for _ in range(5):
            await harness.settle()
            harness.clock.advance(0.2)
        assert (await harness.read_job(job.id)).state is State.SUBMITTING
        released.set()
        ended = await harness.wait_for_state(job.id, State.FAILED, step=1)
        assert (ended.fault, ended.charged) == (FaultKind.REPLY_LOST, 0)
        assert harness.count_submits() == 0
        assert await harness.run_audit() == []


async def test_worker_taken_for_dead_continues_with_its_id(database: Database, other: Database, tmp_path: Path) -> None:
    # It drops the jobs of others and serves new requests.
    async with pair(database, other, tmp_path) as two:
        old = await two.late.create_job()
        await two.late.wait_for_state(old.id, State.QUEUED)
        await two.suspend_late(old)
        two.resume_late()
        await two.pass_time(6)
        assert two.late.lease.is_held
        new = await two.late.create_job()
        taken = await two.late.wait_for_state(new.id, State.QUEUED)
        assert taken.owner == two.late.engine.worker_id
        for made in two.successor.server.jobs:
            two.successor.server.finish(made)
        await two.pass_time(20)
        ends = [await two.successor.read_job(job.id) for job in (new, old)]
        assert [job.state for job in ends] == [State.DONE, State.DONE]
        assert [job.owner for job in ends] == [two.late.engine.worker_id, two.successor.engine.worker_id]
        assert two.successor.count_submits() == 2
        assert await two.successor.run_audit() == []


@pytest.mark.parametrize("hours", [-5, -0.1, 0.1, 5])
async def test_changed_wall_clock_neither_ends_nor_extends_lease(
    database: Database, other: Database, tmp_path: Path, hours: float
) -> None:
    async with pair(database, other, tmp_path) as two:
        job = await two.late.create_job()
        await two.late.wait_for_state(job.id, State.QUEUED)
        for harness in (two.successor, two.late):
            harness.clock.set_now(harness.clock.now() + timedelta(hours=hours))
        await two.pass_time(40)
        kept = await two.successor.read_job(job.id)
        if hours == 5:
            assert kept.state is State.LOST  # its deadline passed by the wall clock
            assert await two.successor.run_audit() == []
            return
        assert kept.owner == two.late.engine.worker_id
        began = two.successor.clock.monotonic()
        await two.suspend_late(job)
        assert 5 <= two.successor.clock.monotonic() - began <= 22
        two.successor.server.finish()
        await two.successor.wait_for_state(job.id, State.DONE, step=1)
        assert await two.successor.run_audit() == []


async def test_queued_jobs_are_claimed_after_clock_is_set_back(sqlite_database: Database, tmp_path: Path) -> None:
    async with engine_harness(sqlite_database, tmp_path, config=EngineConfig(active_per_member=1)) as harness:
        first, second = await harness.create_job(), await harness.create_job()
        await harness.wait_for_state(first.id, State.QUEUED)
        harness.clock.set_now(START - timedelta(hours=5))
        harness.server.finish()
        await harness.wait_for_state(first.id, State.DONE, step=1)
        await harness.wait_for_state(second.id, State.QUEUED, step=1)
        assert harness.clock.now() < START
        assert await harness.run_audit() == []


def test_lease_counts_from_start_of_renewal() -> None:
    # After its end a new term begins.
    clock = ManualClock()
    lease = Lease(worker_id="me", seconds=15, is_alone=False, clock=clock)
    seen = [(lease.is_held, lease.term)]
    began = clock.monotonic()
    clock.advance(9)
    lease.record_renewal(began, {})
    for seconds in (0, 5, 1):
        clock.advance(seconds)
        seen.append((lease.is_held, lease.term))
    lease.record_renewal(clock.monotonic(), {})
    clock.advance(14)
    lease.record_renewal(clock.monotonic(), {})
    seen.append((lease.is_held, lease.term))
    assert seen == [(False, 0), (True, 1), (True, 1), (False, 1), (True, 2)]


def test_other_workers_expire_by_own_monotonic_clock() -> None:
    # The first check uses their last expiry; afterwards a worker is dead once its row is unchanged for a lease.
    clock = ManualClock()
    lease = Lease(worker_id="me", seconds=15, is_alone=False, clock=clock)
    past, future = START - timedelta(minutes=6), START + timedelta(hours=3)
    others = {"long dead": past, "ahead": future}
    assert lease.find_expired(others, clock.monotonic(), clock.now()) == {"long dead": past}
    lease.record_renewal(clock.monotonic(), others)
    clock.advance(14)
    assert lease.find_expired({"ahead": future, "new": past}, clock.monotonic(), clock.now()) == {}
    lease.record_renewal(clock.monotonic(), {"ahead": future, "new": past})
    clock.advance(1)
    others = {"ahead": future, "new": past}
    assert lease.find_expired(others, clock.monotonic(), clock.now()) == {"ahead": future}
    moved = {"ahead": future + timedelta(seconds=5), "new": past}
    assert lease.find_expired(moved, clock.monotonic(), clock.now()) == {}


async def test_worker_renewed_before_removal_is_kept(database: Database) -> None:
    def write(connection: Connection) -> list[str]:
        repository = WorkerRepository(connection)
        repository.renew("a", START, START)
        repository.renew("b", START, START)
        seen = repository.list_others("me")
        repository.renew("a", START, START + timedelta(seconds=5))
        repository.delete_expired(seen)
        return list(connection.execute(select(workers.c.id)).scalars())

    assert await database.write(write) == ["a"]


async def test_concurrent_claims_never_exceed_limits(database: Database, other: Database) -> None:
    # Four dispatchers at two databases, many members, jobs that end in between.
    config = EngineConfig(active_per_member=2, active_per_guild=5, active_per_provider=9)
    chance = random.Random(7)  # noqa: S311 - a fixed sequence
    ledger = make_ledger(allowance=10_000, budget=1_000_000)
    stores: dict[str, JobStore] = {}
    for connected in (database, other, database, other):
        clock = ManualClock()
        lease = Lease(worker_id=make_id(), seconds=15, is_alone=False, clock=clock)
        stores[lease.worker_id] = _job_store(connected, config, clock, lease)
        await WorkerStore(database=connected, clock=clock, lease=lease).renew_lease()

    async def fill(count: int) -> None:
        def write(connection: Connection) -> None:
            for _ in range(count):
                place = make_context(guild_id=chance.randrange(4), member_id=chance.randrange(8))
                hold(connection, ledger, make_job(place=place, acknowledged_at=START))

        await database.write(write)

    claimed: Counter[str] = Counter()
    for _ in range(12):
        await fill(6)
        turns = await asyncio.gather(
            *(job_store.claim_batch(chance.randrange(1, 5), UNLIMITED) for job_store in stores.values()),
            return_exceptions=True,
        )
        claims = [claim for turn in turns if not isinstance(turn, BaseException) for claim in turn.claims]
        assert {type(turn) for turn in turns if isinstance(turn, BaseException)} <= {StaleJobError}
        claimed.update(claim.job.id for claim in claims)
        active = await _active(database)
        assert len(active) <= config.active_per_provider
        guilds = Counter(job.place.guild_id for job in active)
        members = Counter((job.place.guild_id, job.place.member_id) for job in active)
        assert max(guilds.values()) <= 5
        assert max(members.values()) <= 2
        for job in chance.sample(active, len(active) // 2):
            await stores[str(job.owner)].mark_failed(job, FaultKind.GENERATION)
    assert max(claimed.values()) == 1
    assert len(claimed) > 40


def _job_store(database: Database, config: EngineConfig, clock: ManualClock, lease: Lease) -> JobStore:
    return JobStore(
        database=database,
        ledger=make_ledger(allowance=10_000, budget=1_000_000),
        clock=clock,
        config=config,
        lease=lease,
        catalogue=SKILLBOSS,
        new_callback_url=no_callback_url,
    )


async def _active(database: Database) -> list[Job]:
    def read(connection: Connection) -> list[Job]:
        found = connection.execute(select(jobs.c.id).where(jobs.c.state.in_(AT_PROVIDER))).scalars().all()
        return [JobRepository(connection).get(job_id) for job_id in found]

    return await database.read(read)
