"""Workers that share a database: who dies is replaced, who wakes up late is rejected, no wall clock is trusted."""

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
from tests.support.clock import START, ManualClock
from tests.support.factories import make_context, make_id, make_image, make_job, make_request
from tests.support.ledger import hold, make_ledger

PLENTY = {"skillboss": 1_000}


class Pair:
    """Two workers at one database: `late` has a clock of its own that may stand still, `heir` goes on."""

    def __init__(self, late: EngineHarness, heir: EngineHarness, gated: GatedProvider) -> None:
        self.late = late
        self.heir = heir
        self.gated = gated

    async def late_hangs(self, job: Job) -> None:
        """Let the late one's lease end, while its own clock stands still, until the other one has the job."""
        for _ in range(60):
            if (await self.heir.job(job.id)).owner == self.heir.engine.worker_id:
                return
            await self.heir.pass_time(1)
        raise AssertionError("nobody took over")

    async def both_go_on(self, seconds: int) -> None:
        """Let time pass for both."""
        for _ in range(seconds):
            self.late.clock.advance(1)
            await self.heir.pass_time(1)
            await self.late.idle()

    def late_wakes(self) -> None:
        """Let the time that has passed elsewhere pass for the late one too."""
        self.late.clock.advance((self.heir.clock.now() - self.late.clock.now()).total_seconds())


@asynccontextmanager
async def pair(
    database: Database, other: Database, folder: Path, *, config: EngineConfig | None = None
) -> AsyncIterator[Pair]:
    """Start two workers with a clock each; the first one's provider has gates."""
    gates = Gates()
    async with (
        engine_harness(database, folder, wrap=gates, config=config, alone=False) as late,
        engine_harness(other, folder, server=late.server, config=config, alone=False) as heir,
    ):
        await heir.looked()
        try:
            yield Pair(late, heir, gates.gated)
        finally:
            gates.gated.open()


async def test_a_dead_worker_s_jobs_are_finished_by_another(
    database: Database, other: Database, tmp_path: Path
) -> None:
    """QUEUED at one that falls silent: after its lease, not before, the other one follows the job to its end."""
    async with pair(database, other, tmp_path) as two:
        job = await two.late.asked()
        queued = await two.late.until(job.id, State.QUEUED)
        await two.heir.quiet(step=1, rounds=14)
        assert (await two.heir.job(job.id)).owner == two.late.engine.worker_id
        await two.late_hangs(job)
        two.heir.server.finish()
        done = await two.heir.until(job.id, State.DONE, step=1)
        assert (done.fence, done.charged) == (queued.fence + 1, 12)
        two.late_wakes()
        await two.late.quiet(step=1)
        assert two.late.posts() == 1
        assert len(two.heir.server.billed) == 1
        assert await two.heir.problems() == []


async def test_a_worker_that_cannot_renew_stops_and_goes_on_later(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its lease it asks nobody and claims nothing; once renewals go well again it takes up new jobs."""
    async with (
        engine_harness(sqlite_database, tmp_path, alone=False) as harness,
        engine_harness(
            sqlite_database, tmp_path, server=harness.server, clock=harness.clock, alone=False, start=False
        ) as other,
    ):
        job = await harness.asked()
        await harness.until(job.id, State.QUEUED)

        async def fails() -> tuple[Job, ...]:
            raise OSError("no way to the database")

        with monkeypatch.context() as patch:
            patch.setattr(harness.worker_store, "renew_lease", fails)
            await harness.quiet(step=1)
            assert not harness.lease.is_held
            asked = len(harness.server.requests)
            waiting = await harness.asked()
            await harness.quiet(step=1)
            assert len(harness.server.requests) == asked
            assert (await harness.job(waiting.id)).state is State.HELD
            await other.engine.start()
            taken = await other.until(waiting.id, State.QUEUED, step=1)
            assert taken.owner == other.engine.worker_id
        await harness.when(lambda: harness.lease.is_held, step=1)
        new = await harness.asked()
        assert new.owner == harness.engine.worker_id
        await harness.until(new.id, State.QUEUED, step=0.5)
        harness.server.finish(harness.server.jobs[0])
        await harness.until(job.id, State.DONE, step=1)
        assert harness.posts() == 3
        assert await harness.problems() == []


async def test_a_job_is_not_sent_when_the_lease_ended_while_it_was_read(
    database: Database, other: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that hangs for long, just before the submit: the job is another's by then, so nothing is sent."""
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
        job = await two.late.asked()
        await two.late.when(reading.is_set)
        await two.late_hangs(job)
        failed = await two.heir.until(job.id, State.FAILED, step=1)
        assert (failed.fault, failed.charged) == (FaultKind.REPLY_LOST, 0)
        two.late_wakes()
        await two.late.when(lambda: two.late.lease.is_held)
        go_on.set()
        await two.late.quiet(step=1)
        assert two.late.posts() == 0
        assert await two.heir.problems() == []


async def test_an_answer_that_comes_after_the_lease_is_not_written(
    database: Database, other: Database, tmp_path: Path
) -> None:
    """Sent by one that hangs then: the other gives the credits back, and the late answer changes nothing."""
    async with pair(database, other, tmp_path) as two:
        two.gated.after.clear()
        job = await two.late.asked()
        await two.late.when(two.gated.waiting.is_set)
        await two.late_hangs(job)
        await two.heir.until(job.id, State.FAILED, step=1)
        two.gated.open()
        await two.late.quiet()
        two.late_wakes()
        await two.late.quiet(step=1)
        failed = await two.heir.job(job.id)
        assert (failed.state, failed.fault, failed.charged) == (State.FAILED, FaultKind.REPLY_LOST, 0)
        assert (await two.heir.attempt(job.id)).outcome is Outcome.UNKNOWN
        assert two.heir.posts() == 1
        assert await two.heir.problems() == []


@pytest.mark.parametrize(
    "state", [State.HELD, State.SUBMITTING, State.UNKNOWN, State.QUEUED, State.RUNNING, State.STORING]
)
async def test_a_late_worker_is_rejected_in_every_state(database: Database, tmp_path: Path, state: State) -> None:
    """Whatever it has learnt meanwhile: no step of a worker whose job was taken over is written."""
    async with engine_harness(database, tmp_path, alone=False, start=False) as harness:
        await harness.worker_store.renew_lease()
        job = await brought_to(harness, state)
        await database.write(
            lambda connection: connection.execute(update(jobs).values(owner="x", fence=jobs.c.fence + 1))
        )
        before = await harness.job_store.get(job.id)
        for name, step in steps_from(harness.job_store, job).items():
            with pytest.raises(StaleJobError):
                await step()
            assert await harness.job_store.get(job.id) == before, name
        assert await harness.problems() == []


async def brought_to(harness: EngineHarness, state: State) -> Job:
    """Return a job in this state, by the journal alone."""
    asked = await harness.asked()
    if state is State.HELD:
        return await harness.job(asked.id)
    (claim,) = (await harness.job_store.claim_batch(9, PLENTY)).claims
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


def steps_from(job_store: JobStore, job: Job) -> dict[str, Callable[[], Awaitable[object]]]:
    """Return the steps that a worker might want to take with a job in its state."""
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


async def test_a_worker_that_stops_leaves_its_jobs_to_the_next_renewal(
    database: Database, other: Database, tmp_path: Path
) -> None:
    """A stop gives the lease back: the other one need not wait for its end, and nothing is sent again."""
    async with pair(database, other, tmp_path) as two:
        queued = await two.late.asked()
        await two.late.until(queued.id, State.QUEUED)
        await two.late.engine.stop()
        waiting = await two.late.asked()
        await two.late.engine.release_lease()
        assert (await two.heir.job(queued.id)).owner is None
        await two.heir.quiet(step=1, rounds=6)
        taken = await two.heir.until(waiting.id, State.QUEUED)
        assert taken.owner == two.heir.engine.worker_id
        two.heir.server.finish(two.heir.server.jobs[0])
        await two.heir.until(queued.id, State.DONE, step=1)
        assert two.heir.posts() == 2
        assert await two.heir.problems() == []


async def test_a_waiting_job_goes_to_whoever_has_its_turn(database: Database, other: Database, tmp_path: Path) -> None:
    """A living worker's job in line is claimed by another: the fence tells the first, which drops it."""
    async with (
        engine_harness(database, tmp_path, alone=False) as first,
        engine_harness(other, tmp_path, server=first.server, clock=first.clock, alone=False, start=False) as second,
    ):
        await second.worker_store.renew_lease()
        asked = await first.generation.create(make_context(), make_request())
        await first.job_store.mark_acknowledged(asked.job.id, 1)  # its own engine is not woken
        mine = await first.job(asked.job.id)
        (claim,) = (await second.job_store.claim_batch(9, PLENTY)).claims
        assert (claim.job.owner, claim.job.fence) == (second.engine.worker_id, mine.fence + 1)
        with pytest.raises(StaleJobError):
            await first.job_store.mark_cancelled(mine)
        first.engine.wake()
        await first.engine.schedule_now(mine.id)  # a hint at the first one: SUBMITTING is nobody else's
        await first.quiet(step=0.2)
        assert (await first.job(mine.id)).owner == second.engine.worker_id
        assert first.posts() == 0
        assert await first.problems() == []


async def test_a_cancel_is_pressed_wherever_it_comes_in(database: Database, other: Database, tmp_path: Path) -> None:
    """The press reaches another process than the one that follows the job: that one takes it and cancels it."""
    async with pair(database, other, tmp_path) as two:
        job = await two.late.asked()
        await two.late.until(job.id, State.QUEUED)
        await two.heir.cancel(job.id)
        cancelled = await two.heir.until(job.id, State.CANCELLED)
        assert cancelled.owner == two.heir.engine.worker_id
        two.late.clock.advance(30)
        await two.late.quiet(step=1)
        assert two.heir.server.jobs[0].state == "CANCELLED"
        assert await two.heir.problems() == []


async def test_a_webhook_is_heard_wherever_it_comes_in(database: Database, other: Database, tmp_path: Path) -> None:
    """A webhook at another process has the job looked at there, at once, and its pictures come once."""

    def new_callback_url(_: str) -> CallbackUrl:
        return CallbackUrl(url="https://studio.example/webhooks/skillboss/secret", hash="5" * 64)

    async with (
        engine_harness(database, tmp_path, alone=False, new_callback_url=new_callback_url) as first,
        engine_harness(other, tmp_path, server=first.server, clock=first.clock, alone=False) as second,
    ):
        await second.looked()
        job = await first.asked()
        await first.until(job.id, State.QUEUED)
        made = first.server.finish()
        assert await second.engine.handle_webhook("5" * 64, "skillboss", made.id)
        done = await second.until(job.id, State.DONE)
        assert (done.owner, done.charged) == (second.engine.worker_id, 12)
        await first.quiet(step=5)
        assert await first.problems() == []


async def test_more_jobs_than_one_transaction_takes_over_are_all_taken_up(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start after a crash serves each of them, however many there are."""
    async with engine_harness(database, tmp_path, alone=False) as earlier:
        orders = [await earlier.asked() for _ in range(3)]
        for job in orders:
            await earlier.until(job.id, State.QUEUED)
        await earlier.engine.stop()
        await earlier.engine.release_lease()
        for module in ("worker_store", "engine"):
            monkeypatch.setattr(f"bot.engine.{module}.TAKE_OVER_BATCH", 2)
        async with engine_harness(database, tmp_path, server=earlier.server, clock=earlier.clock, alone=False) as heir:
            for made in heir.server.jobs:
                heir.server.finish(made)
            for job in orders:
                await heir.until(job.id, State.DONE, step=1)
            assert heir.posts() == 3


async def test_a_take_over_whose_outcome_was_lost_sends_nothing_again(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job is this worker's now, as if claimed here; but another may have sent it, so it is not sent once more."""
    async with (
        engine_harness(database, tmp_path, alone=False) as harness,
        engine_harness(
            database, tmp_path, server=harness.server, clock=harness.clock, alone=False, start=False
        ) as earlier,
    ):
        await harness.looked()
        await earlier.worker_store.renew_lease()
        job = await brought_to(earlier, State.SUBMITTING)  # this one's engine would claim it for itself
        await database.write(lambda connection: connection.execute(update(jobs).values(owner="gone")))
        take_over = harness.worker_store.take_over

        async def cut_off() -> tuple[Job, ...]:
            await take_over()
            monkeypatch.setattr(harness.worker_store, "take_over", take_over)
            raise ConnectionError("the answer to COMMIT never came")

        monkeypatch.setattr(harness.worker_store, "take_over", cut_off)
        ended = await harness.until(job.id, State.FAILED, step=1)
        assert (ended.fault, ended.charged) == (FaultKind.REPLY_LOST, 0)
        assert harness.posts() == 0
        assert await harness.problems() == []


async def test_a_take_over_whose_outcome_is_on_its_way_sends_nothing_again(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another may have sent is this worker's before this worker hears so, and looks as if claimed here."""
    async with (
        engine_harness(database, tmp_path, alone=False) as harness,
        engine_harness(
            database, tmp_path, server=harness.server, clock=harness.clock, alone=False, start=False
        ) as earlier,
    ):
        await harness.looked()
        await earlier.worker_store.renew_lease()
        job = await brought_to(earlier, State.SUBMITTING)
        await database.write(lambda connection: connection.execute(update(jobs).values(owner="gone")))
        take_over, claim = harness.worker_store.take_over, harness.job_store.claim_batch
        committed, heard = asyncio.Event(), asyncio.Event()

        async def slowly() -> tuple[Job, ...]:
            taken = await take_over()
            committed.set()
            await heard.wait()
            return taken

        async def cut_off(*_: object, **__: object) -> ClaimResult:
            monkeypatch.setattr(harness.job_store, "claim_batch", claim)
            raise ConnectionError("the database is away")

        monkeypatch.setattr(harness.worker_store, "take_over", slowly)
        await harness.when(committed.is_set, step=1)
        monkeypatch.setattr(harness.job_store, "claim_batch", cut_off)
        harness.engine.wake()
        await harness.when(lambda: harness.job_store.claim_batch == claim)
        harness.engine.wake()
        for _ in range(5):
            await harness.settle()
            harness.clock.advance(0.2)
        assert (await harness.job(job.id)).state is State.SUBMITTING
        heard.set()
        ended = await harness.until(job.id, State.FAILED, step=1)
        assert (ended.fault, ended.charged) == (FaultKind.REPLY_LOST, 0)
        assert harness.posts() == 0
        assert await harness.problems() == []


async def test_a_worker_that_was_taken_for_dead_goes_on_under_its_name(
    database: Database, other: Database, tmp_path: Path
) -> None:
    """It drops what another has, and serves what is asked of it from now on."""
    async with pair(database, other, tmp_path) as two:
        old = await two.late.asked()
        await two.late.until(old.id, State.QUEUED)
        await two.late_hangs(old)
        two.late_wakes()
        await two.both_go_on(6)
        assert two.late.lease.is_held
        new = await two.late.asked()
        taken = await two.late.until(new.id, State.QUEUED)
        assert taken.owner == two.late.engine.worker_id
        for made in two.heir.server.jobs:
            two.heir.server.finish(made)
        await two.both_go_on(20)
        ends = [await two.heir.job(job.id) for job in (new, old)]
        assert [job.state for job in ends] == [State.DONE, State.DONE]
        assert [job.owner for job in ends] == [two.late.engine.worker_id, two.heir.engine.worker_id]
        assert two.heir.posts() == 2
        assert await two.heir.problems() == []


@pytest.mark.parametrize("hours", [-5, -0.1, 0.1, 5])
async def test_a_wall_clock_that_is_set_neither_ends_nor_extends_a_lease(
    database: Database, other: Database, tmp_path: Path, hours: float
) -> None:
    """Set by hours in either direction: who lives keeps its jobs, and who dies then is replaced after its lease."""
    async with pair(database, other, tmp_path) as two:
        job = await two.late.asked()
        await two.late.until(job.id, State.QUEUED)
        for harness in (two.heir, two.late):
            harness.clock.set_now(harness.clock.now() + timedelta(hours=hours))
        await two.both_go_on(40)
        kept = await two.heir.job(job.id)
        if hours == 5:
            assert kept.state is State.LOST  # its deadline passed, by the only clock there is
            assert await two.heir.problems() == []
            return
        assert kept.owner == two.late.engine.worker_id
        began = two.heir.clock.monotonic()
        await two.late_hangs(job)
        assert 5 <= two.heir.clock.monotonic() - began <= 22
        two.heir.server.finish()
        await two.heir.until(job.id, State.DONE, step=1)
        assert await two.heir.problems() == []


async def test_jobs_in_line_go_on_when_the_clock_is_set_back(sqlite_database: Database, tmp_path: Path) -> None:
    """Five hours back: who waits for a slot gets it as before, not when the clock is there again."""
    async with engine_harness(sqlite_database, tmp_path, config=EngineConfig(active_per_member=1)) as harness:
        first, second = await harness.asked(), await harness.asked()
        await harness.until(first.id, State.QUEUED)
        harness.clock.set_now(START - timedelta(hours=5))
        harness.server.finish()
        await harness.until(first.id, State.DONE, step=1)
        await harness.until(second.id, State.QUEUED, step=1)
        assert harness.clock.now() < START
        assert await harness.problems() == []


def test_a_lease_lasts_from_the_beginning_of_its_renewal() -> None:
    """A renewal that took long is counted from when it began; after the end a new term begins."""
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


def test_the_others_are_watched_by_the_own_clock() -> None:
    """At first by what they wrote long ago; then one is dead that writes nothing new for the length of a lease."""
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


async def test_a_worker_that_renews_at_the_last_moment_is_not_forgotten(database: Database) -> None:
    """Between the look and the removal its row has moved on, so it stays."""

    def write(connection: Connection) -> list[str]:
        repository = WorkerRepository(connection)
        repository.renew("a", START, START)
        repository.renew("b", START, START)
        seen = repository.list_others("me")
        repository.renew("a", START, START + timedelta(seconds=5))
        repository.delete_expired(seen)
        return list(connection.execute(select(workers.c.id)).scalars())

    assert await database.write(write) == ["a"]


async def test_two_that_claim_at_once_never_pass_a_limit(database: Database, other: Database) -> None:
    """Four dispatchers at two databases, forty members, jobs that end in between: no limit is ever passed."""
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
            *(job_store.claim_batch(chance.randrange(1, 5), PLENTY) for job_store in stores.values()),
            return_exceptions=True,
        )
        claims = [claim for turn in turns if not isinstance(turn, BaseException) for claim in turn.claims]
        assert {type(turn) for turn in turns if isinstance(turn, BaseException)} <= {StaleJobError}
        claimed.update(claim.job.id for claim in claims)
        active = await _active(database)
        assert len(active) <= config.active_per_provider
        communities = Counter(job.place.guild_id for job in active)
        members = Counter((job.place.guild_id, job.place.member_id) for job in active)
        assert max(communities.values()) <= 5
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
        providers=("skillboss",),
        new_callback_url=no_callback_url,
    )


async def _active(database: Database) -> list[Job]:
    def read(connection: Connection) -> list[Job]:
        found = connection.execute(select(jobs.c.id).where(jobs.c.state.in_(AT_PROVIDER))).scalars().all()
        return [JobRepository(connection).get(job_id) for job_id in found]

    return await database.read(read)
