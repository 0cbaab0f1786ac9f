"""Fair order of slots, and jobs during outages.

Providers, image hosts, disks and databases are away for a while.
"""

import errno
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from bot.domain.errors import FaultKind, StaleJobError
from bot.domain.images import ImageFile
from bot.domain.jobs import Job, State
from bot.engine.circuit_breaker import FAILURES_TO_OPEN, FIRST_PAUSE_SECONDS
from bot.engine.config import EngineConfig
from db.audit import audit
from db.database import Database
from db.queue import QueueRepository
from sandbox.providers import MANUAL, Reve2ImgServer
from tests.engine.engine_harness import EngineHarness, engine_harness
from tests.support.factories import GUILD, make_context, make_image, make_request

FIRST_MEMBER, SECOND_MEMBER, OTHER_GUILDS_MEMBER = 1, 2, 3
HERE, THERE = GUILD, GUILD + 1


@asynccontextmanager
async def two_providers(
    database: Database, folder: Path, config: EngineConfig | None = None
) -> AsyncIterator[tuple[EngineHarness, Reve2ImgServer]]:
    """Start a harness with a second provider."""
    second = Reve2ImgServer(key="key", latency=MANUAL)
    await second.start()
    try:
        async with engine_harness(database, folder, config=config, second=second) as harness:
            yield harness, second
    finally:
        await second.close()


async def queue_job(harness: EngineHarness, member: int, *, guild: int = HERE, **request: Any) -> Job:
    """Return a queued job without waking the engine.

    A dispatch of the start that still ran would take some of a test's jobs.
    """
    await harness.wait_until_idle()
    place = make_context(member_id=member, guild_id=guild)
    snapshot = await harness.job_service.create(place, make_request(**request))
    await harness.card_store.mark_acknowledged(snapshot.job.id, 1)
    return snapshot.job


def sent_prompts(harness: EngineHarness) -> list[str]:
    """Return the prompts sent to the first provider, in order."""
    return [made.request.prompt for made in harness.server.jobs]


async def read_states(harness: EngineHarness, jobs: list[Job]) -> list[State]:
    """Return the states of the jobs."""
    return [(await harness.read_job(job.id)).state for job in jobs]


async def test_slots_alternate_between_guilds_and_members(database: Database, tmp_path: Path) -> None:
    # One job each, guild by guild, then the second ones.
    async with engine_harness(database, tmp_path, config=EngineConfig(active_per_provider=4)) as harness:
        for number in range(3):
            await queue_job(harness, FIRST_MEMBER, prompt=f"first {number}")
        await queue_job(harness, SECOND_MEMBER, prompt="second 0")
        for number in range(2):
            await queue_job(harness, OTHER_GUILDS_MEMBER, guild=THERE, prompt=f"elsewhere {number}")
        harness.engine.wake()
        await harness.server.wait_for(lambda: len(sent_prompts(harness)) == 4)
        assert sorted(sent_prompts(harness)) == ["elsewhere 0", "elsewhere 1", "first 0", "second 0"]
        harness.server.finish(next(made for made in harness.server.jobs if made.request.prompt == "first 0"))
        await harness.wait_for(lambda: len(sent_prompts(harness)) == 5, step=1)
        assert sent_prompts(harness)[4] == "first 1"


async def test_job_for_free_provider_passes_queue_of_full_provider(sqlite_database: Database, tmp_path: Path) -> None:
    config = EngineConfig(active_per_provider=1)
    async with two_providers(sqlite_database, tmp_path, config) as (harness, second):
        for number in range(101):
            await queue_job(harness, 100 + number, prompt=f"{number}", model="nano-banana")
        last = await queue_job(harness, FIRST_MEMBER, prompt="last")
        harness.engine.wake()
        taken = await harness.wait_for_state(last.id, State.QUEUED)
        assert taken.provider == "skillboss"
        assert len(second.jobs) == 1


async def test_guild_at_its_limit_does_not_block_others(database: Database, tmp_path: Path) -> None:
    # Its second job waits although the provider has a free slot.
    async with engine_harness(database, tmp_path, config=EngineConfig(active_per_guild=1)) as harness:
        here = [await queue_job(harness, FIRST_MEMBER), await queue_job(harness, SECOND_MEMBER)]
        there = await queue_job(harness, OTHER_GUILDS_MEMBER, guild=THERE)
        harness.engine.wake()
        await harness.wait_for_state(here[0].id, State.QUEUED)
        await harness.wait_for_state(there.id, State.QUEUED)
        await harness.run_rounds(step=1)
        assert (await harness.read_job(here[1].id)).state is State.HELD
        for made in harness.server.jobs:
            harness.server.finish(made)
        await harness.wait_for_state(here[1].id, State.QUEUED, step=1)


async def test_queue_position_is_order_of_submits(database: Database, tmp_path: Path) -> None:
    # When one job leaves the queue, the others' cards are refreshed.
    async with engine_harness(database, tmp_path, config=EngineConfig(active_per_provider=0)) as harness:
        jobs = [await queue_job(harness, member) for member in (FIRST_MEMBER, FIRST_MEMBER, SECOND_MEMBER)]

        async def places() -> list[int | None]:
            def read(connection: Connection) -> list[int | None]:
                return [QueueRepository(connection).position_of(job.id) for job in jobs]

            return await database.read(read)

        assert await places() == [1, 3, 2]
        harness.engine.wake()
        await harness.run_rounds(step=1)
        harness.observer.changes.clear()
        await harness.job_store.request_cancel(jobs[0].id)
        await harness.engine.schedule_now(jobs[0].id)
        await harness.wait_for_state(jobs[0].id, State.CANCELLED)
        assert await places() == [None, 1, 2]
        await harness.run_rounds(step=1)
        assert {jobs[1].id, jobs[2].id} <= set(harness.observer.changes)


async def test_failing_provider_gets_one_probe_after_pause(database: Database, tmp_path: Path) -> None:
    # After five refusals in a row, other jobs wait instead of failing one by one, until a probe succeeds.
    async with engine_harness(database, tmp_path, config=EngineConfig(active_per_provider=1)) as harness:
        harness.server.faults.add("submit", "status", status=503, times=FAILURES_TO_OPEN + 1)
        jobs = [await queue_job(harness, member) for member in range(1, 9)]
        harness.engine.wake()
        await harness.wait_for(lambda: harness.count_submits() == FAILURES_TO_OPEN)
        opened = harness.clock.monotonic()
        await harness.run_rounds(step=0.5, rounds=28)
        assert harness.count_submits() == FAILURES_TO_OPEN
        assert set(await read_states(harness, jobs)) == {State.HELD}
        await harness.wait_for(lambda: harness.count_submits() == FAILURES_TO_OPEN + 1, step=0.5)  # a failing probe
        await harness.run_rounds(step=1, rounds=25)
        assert harness.count_submits() == FAILURES_TO_OPEN + 1
        await harness.wait_for(lambda: len(harness.server.jobs) == 1, step=0.5)  # a successful probe
        assert harness.clock.monotonic() - opened >= 3 * FIRST_PAUSE_SECONDS
        harness.server.finish()
        await harness.wait_for(lambda: len(harness.server.jobs) == 2, step=1)  # the circuit is closed again
        assert State.FAILED not in await read_states(harness, jobs)
        assert await harness.run_audit() == []


async def test_job_refused_for_key_goes_to_second_provider(database: Database, tmp_path: Path) -> None:
    # The next job does not try the first provider.
    async with two_providers(database, tmp_path) as (harness, second):
        harness.server.faults.add("submit", "status", status=401, times=None)
        job = await harness.create_job()
        queued = await harness.wait_for_state(job.id, State.RUNNING, step=0.1)
        assert (queued.provider, queued.tries, harness.count_submits()) == ("reve2img", 1, 1)
        another = await harness.create_job()
        assert (await harness.wait_for_state(another.id, State.RUNNING)).tries == 0
        assert (harness.count_submits(), len(second.jobs)) == (1, 2)
        for made in second.jobs:
            second.finish(made)
        done = await harness.wait_for_state(job.id, State.DONE, step=1)
        assert done.charged == 12
        assert await harness.run_audit() == []


@pytest.mark.parametrize(
    "refusal", [{"status": 429, "retry_after": "60"}, {"status": 429}, {"status": 503}, {"status": 500}]
)
async def test_second_provider_takes_over_at_first_refusal(
    database: Database, tmp_path: Path, refusal: dict[str, Any]
) -> None:
    async with two_providers(database, tmp_path) as (harness, second):
        harness.server.faults.add("submit", "status", times=None, **refusal)
        job = await harness.create_job()
        running = await harness.wait_for_state(job.id, State.RUNNING)  # no time passes
        assert (running.provider, running.tries, harness.count_submits()) == ("reve2img", 1, 1)
        second.finish()
        await harness.wait_for_state(job.id, State.DONE, step=1)
        assert await harness.run_audit() == []


@pytest.mark.parametrize(("refusal", "pause"), [({"status": 429, "retry_after": "3"}, 3.0), ({"status": 503}, 1.5)])
async def test_only_free_provider_is_asked_again_after_its_pause(
    database: Database, tmp_path: Path, refusal: dict[str, Any], pause: float
) -> None:
    # The first provider's circuit is open: the pause is the second one's alone.
    async with two_providers(database, tmp_path) as (harness, second):
        harness.server.faults.add("submit", "status", status=401, times=None)
        first = await harness.create_job()
        await harness.wait_for_state(first.id, State.RUNNING, step=0.1)
        second.faults.add("submit", "status", times=2, **refusal)
        began = harness.clock.monotonic()
        job = await harness.create_job()
        await harness.wait_until_idle()
        assert (await harness.read_job(job.id)).tries == 1
        running = await harness.wait_for_state(job.id, State.RUNNING, step=0.25)
        assert (running.provider, running.tries) == ("reve2img", 2)
        assert harness.clock.monotonic() - began >= 2 * pause
        assert await harness.run_audit() == []


async def test_provider_that_names_a_time_gets_no_submit_before(sqlite_database: Database, tmp_path: Path) -> None:
    # Not for other jobs either.
    async with engine_harness(sqlite_database, tmp_path) as harness:
        harness.server.faults.add("submit", "status", status=429, retry_after="60")
        first = await harness.create_job()
        await harness.wait_until_idle()
        second = await harness.create_job()
        await harness.run_rounds(step=2.5)
        assert await read_states(harness, [first, second]) == [State.HELD, State.HELD]
        assert harness.count_submits() == 1
        for job in (first, second):
            await harness.wait_for_state(job.id, State.QUEUED, step=2.5)
        assert harness.count_submits() == 3


async def test_job_for_failing_providers_fails_after_soft_deadline(database: Database, tmp_path: Path) -> None:
    async with engine_harness(database, tmp_path) as harness:
        harness.server.faults.add("submit", "status", status=503, times=None)
        jobs = [await queue_job(harness, member) for member in range(1, 9)]
        harness.engine.wake()
        for job in jobs:
            failed = await harness.wait_for_state(job.id, State.FAILED, step=2)
            assert (failed.fault, failed.charged) == (FaultKind.UNAVAILABLE, 0)
        age = (harness.clock.now() - jobs[0].created_at).total_seconds()
        assert 300 < age < 1_300  # the check after five minutes, or after ten if a probe was due at the first
        assert harness.count_submits() < 4 * len(jobs)  # most jobs were not tried as often as allowed
        assert await harness.run_audit() == []


async def test_retry_after_of_a_day_is_shortened(sqlite_database: Database, tmp_path: Path) -> None:
    # A day would be later than the deadline: a minute is used.
    async with engine_harness(sqlite_database, tmp_path) as harness:
        job = await harness.create_job()
        await harness.wait_for_state(job.id, State.QUEUED)
        harness.server.faults.add("status", "status", status=429, retry_after="86400")
        await harness.wait_until_idle()
        harness.clock.advance(5)
        await harness.server.wait_for(lambda: "status" in {each.endpoint for each in harness.server.requests})
        harness.server.finish()
        began = harness.clock.monotonic()
        await harness.wait_for_state(job.id, State.DONE, step=1)
        assert 50 <= harness.clock.monotonic() - began <= 80


async def test_job_finished_in_time_but_polled_late_is_done(sqlite_database: Database, tmp_path: Path) -> None:
    # No engine ran until the deadline had passed.
    async with engine_harness(sqlite_database, tmp_path) as harness:
        job = await harness.create_job()
        await harness.wait_for_state(job.id, State.QUEUED)
        harness.server.finish()
        harness.clock.advance(7_300)
        done = await harness.wait_for_state(job.id, State.DONE)
        assert done.charged == 12
        assert await harness.run_audit() == []


async def test_job_with_unreachable_image_host_is_done_later(database: Database, tmp_path: Path) -> None:
    async with engine_harness(database, tmp_path) as harness:
        job = await harness.create_job()
        await harness.wait_for_state(job.id, State.QUEUED)
        harness.server.faults.add("picture", "status", status=503, times=None)
        harness.server.finish()
        await harness.wait_for_state(job.id, State.STORING, step=1)
        await harness.run_rounds(step=30)
        assert (await harness.read_job(job.id)).state is State.STORING
        harness.server.clear_faults()
        done = await harness.wait_for_state(job.id, State.DONE, step=5)
        assert done.charged == 12
        assert await harness.run_audit() == []


async def test_missing_images_are_not_charged(sqlite_database: Database, tmp_path: Path) -> None:
    # After a quarter of an hour the job ends; only the images that arrived are charged.
    async with engine_harness(sqlite_database, tmp_path) as harness:
        job = await harness.create_job(request=make_request(images=2))
        await harness.wait_for_state(job.id, State.QUEUED)
        keep = harness.image_service.store_url
        made = harness.server.finish()

        async def only_the_first(url: str, **options: Any) -> ImageFile:
            if url != harness.server.picture_urls(made)[0]:
                raise OSError(errno.ENOSPC, "disk full")
            return await keep(url, **options)

        harness.image_service.store_url = only_the_first  # type: ignore[method-assign]
        done = await harness.wait_for_state(job.id, State.DONE, step=10)
        assert done.charged == 12
        assert (harness.clock.now() - job.created_at).total_seconds() > 900
        assert await harness.run_audit() == []


async def test_job_on_full_disk_is_done_once_disk_has_space(sqlite_database: Database, tmp_path: Path) -> None:
    async with engine_harness(sqlite_database, tmp_path) as harness:
        job = await harness.create_job()
        await harness.wait_for_state(job.id, State.QUEUED)
        keep = harness.image_service.store_url

        async def full(_: str, **__: object) -> ImageFile:
            raise OSError(errno.ENOSPC, "No space left on device")

        harness.image_service.store_url = full  # type: ignore[assignment, method-assign]
        harness.server.finish()
        await harness.wait_for_state(job.id, State.STORING, step=1)
        await harness.run_rounds(step=15)
        harness.image_service.store_url = keep  # type: ignore[method-assign]
        done = await harness.wait_for_state(job.id, State.DONE, step=5)
        assert done.charged == 12
        assert await harness.run_audit() == []


async def test_job_not_found_for_half_a_minute_continues(sqlite_database: Database, tmp_path: Path) -> None:
    async with engine_harness(sqlite_database, tmp_path) as harness:
        job = await harness.create_job()
        await harness.wait_for_state(job.id, State.QUEUED)
        harness.server.faults.add("status", "status", status=404, times=None)
        polls = len(harness.server.requests)
        await harness.run_rounds(step=1, rounds=30)
        await harness.wait_for(lambda: len(harness.server.requests) >= polls + 3)
        assert (await harness.read_job(job.id)).state is State.QUEUED
        harness.server.clear_faults()
        harness.server.finish()
        assert (await harness.wait_for_state(job.id, State.DONE, step=1)).charged == 12


@pytest.mark.parametrize("after", [False, True], ids=["not written", "written, but nobody was told"])
@pytest.mark.parametrize("first", range(7))
async def test_failing_write_is_survived_with_one_submit_and_one_charge(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int, *, after: bool
) -> None:
    # Any write of a job's life fails, before or after its commit.
    async with engine_harness(sqlite_database, tmp_path) as harness:
        snapshot = await harness.job_service.create(make_context(), make_request())
        await harness.card_store.mark_acknowledged(snapshot.job.id, 1)
        await harness.settle()
        writes, numbers = sqlite_database.write, itertools.count()
        broken: list[int] = []

        async def write(function: Callable[[Connection], Any]) -> Any:
            if (number := next(numbers)) not in (first, first + 1):
                return await writes(function)
            broken.append(number)
            if after:
                await writes(function)
            raise OSError("the database is away")

        monkeypatch.setattr(sqlite_database, "write", write)
        harness.engine.wake()
        await harness.wait_for(lambda: harness.server.jobs, step=2)
        harness.server.finish()
        done = await harness.wait_for_state(snapshot.job.id, State.DONE, step=2)
        assert done.charged == 12
        await harness.wait_for(lambda: len(broken) == 2, step=2)  # the last write may break after the end
        assert harness.count_submits() == 1
        assert await harness.run_audit() == []


async def test_paused_dispatch_claims_nothing_until_responses_are_sent(
    sqlite_database: Database, tmp_path: Path
) -> None:
    async with engine_harness(sqlite_database, tmp_path) as harness:
        with harness.job_service.pause_dispatch():
            job = await harness.create_job()
            await harness.run_rounds()
            assert (await harness.read_job(job.id)).state is State.HELD
        await harness.wait_for_state(job.id, State.QUEUED)


async def test_constantly_paused_dispatch_claims_once_a_second(sqlite_database: Database, tmp_path: Path) -> None:
    async with engine_harness(sqlite_database, tmp_path) as harness:
        with harness.job_service.pause_dispatch():
            for _ in range(2):
                job = await harness.create_job()
                await harness.run_rounds(step=0.2, rounds=4)
                assert (await harness.read_job(job.id)).state is State.HELD
                await harness.wait_for_state(job.id, State.QUEUED, step=0.1)


async def test_late_done_is_rejected_by_state_and_not_by_stored_images(database: Database, tmp_path: Path) -> None:
    async with engine_harness(database, tmp_path) as harness:
        job = await harness.create_job()
        await harness.wait_for_state(job.id, State.QUEUED)
        harness.server.finish()
        done = await harness.wait_for_state(job.id, State.DONE, step=1)
        late = replace(done, state=State.STORING, finished_at=None, charged=None)

        with pytest.raises(StaleJobError):
            await harness.job_store.mark_done(late, [make_image(late)])

        assert await harness.read_job(job.id) == done
        assert await harness.database.read(audit) == []
