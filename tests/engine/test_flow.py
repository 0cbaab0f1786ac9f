"""Who gets a slot when, and how jobs come through trouble: providers, pictures, disks and databases that are away."""

import errno
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from bot.domain.errors import FaultKind
from bot.domain.images import ImageFile
from bot.domain.jobs import Job, State
from bot.engine.circuit_breaker import FIRST_PAUSE, TROUBLES_TO_OPEN
from bot.engine.config import EngineConfig
from db.database import Database
from db.queue import QueueRepository
from sandbox.providers import MANUAL, Reve2ImgServer
from tests.engine.engine_harness import EngineHarness, engine_harness
from tests.support.factories import GUILD, make_context, make_request

ANNA, BERT, CLEO = 1, 2, 3
HERE, THERE = GUILD, GUILD + 1


@asynccontextmanager
async def two_providers(
    database: Database, folder: Path, config: EngineConfig | None = None
) -> AsyncIterator[tuple[EngineHarness, Reve2ImgServer]]:
    """Start a workshop with a second provider."""
    second = Reve2ImgServer(key="key", latency=MANUAL)
    await second.start()
    try:
        async with engine_harness(database, folder, config=config, second=second) as harness:
            yield harness, second
    finally:
        await second.close()


async def waiting(harness: EngineHarness, member: int, *, guild: int = HERE, **request: Any) -> Job:
    """Return a job that is in line, without telling the engine yet."""
    place = make_context(member_id=member, guild_id=guild)
    snapshot = await harness.generation.create(place, make_request(**request))
    await harness.job_store.mark_acknowledged(snapshot.job.id, 1)
    return snapshot.job


def sent(harness: EngineHarness) -> list[str]:
    """Return the prompts of what the first provider has taken, in order."""
    return [made.request.prompt for made in harness.server.jobs]


async def states(harness: EngineHarness, jobs: list[Job]) -> list[State]:
    """Return the jobs' states."""
    return [(await harness.job(job.id)).state for job in jobs]


async def test_members_and_communities_take_turns(database: Database, tmp_path: Path) -> None:
    """Who asked first and often does not get all the slots: one each, community by community, then the second ones."""
    async with engine_harness(database, tmp_path, config=EngineConfig(active_per_provider=4)) as harness:
        for number in range(3):
            await waiting(harness, ANNA, prompt=f"anna {number}")
        await waiting(harness, BERT, prompt="bert 0")
        for number in range(2):
            await waiting(harness, CLEO, guild=THERE, prompt=f"cleo {number}")
        harness.engine.wake()
        await harness.server.wait_for(lambda: len(sent(harness)) == 4)
        assert sorted(sent(harness)) == ["anna 0", "bert 0", "cleo 0", "cleo 1"]
        harness.server.finish(next(made for made in harness.server.jobs if made.request.prompt == "anna 0"))
        await harness.when(lambda: len(sent(harness)) == 5, step=1)
        assert sent(harness)[4] == "anna 1"


async def test_jobs_of_a_full_provider_do_not_hide_the_others(sqlite_database: Database, tmp_path: Path) -> None:
    """A hundred wait for the one slot of a provider: who came last, and wants another provider, goes at once."""
    config = EngineConfig(active_per_provider=1)
    async with two_providers(sqlite_database, tmp_path, config) as (harness, second):
        for number in range(101):
            await waiting(harness, 100 + number, prompt=f"{number}", model="nano-banana")
        last = await waiting(harness, ANNA, prompt="last")
        harness.engine.wake()
        taken = await harness.until(last.id, State.QUEUED)
        assert taken.provider == "skillboss"
        assert len(second.jobs) == 1


async def test_a_community_has_so_many_slots(database: Database, tmp_path: Path) -> None:
    """The busy community's second job waits although the provider has room; the other community's goes at once."""
    async with engine_harness(database, tmp_path, config=EngineConfig(active_per_guild=1)) as harness:
        here = [await waiting(harness, ANNA), await waiting(harness, BERT)]
        there = await waiting(harness, CLEO, guild=THERE)
        harness.engine.wake()
        await harness.until(here[0].id, State.QUEUED)
        await harness.until(there.id, State.QUEUED)
        await harness.quiet(step=1)
        assert (await harness.job(here[1].id)).state is State.HELD
        for made in harness.server.jobs:
            harness.server.finish(made)
        await harness.until(here[1].id, State.QUEUED, step=1)


async def test_places_in_line_are_those_in_which_jobs_go(database: Database, tmp_path: Path) -> None:
    """Each sees how many go before; when one leaves the line the others are told."""
    async with engine_harness(database, tmp_path, config=EngineConfig(active_per_provider=0)) as harness:
        jobs = [await waiting(harness, member) for member in (ANNA, ANNA, BERT)]

        async def places() -> list[int | None]:
            def read(connection: Connection) -> list[int | None]:
                return [QueueRepository(connection).position_of(job.id) for job in jobs]

            return await database.read(read)

        assert await places() == [1, 3, 2]
        harness.engine.wake()
        await harness.quiet(step=1)
        harness.observer.changes.clear()
        await harness.job_store.request_cancel(jobs[0].id)
        await harness.engine.schedule_now(jobs[0].id)
        await harness.until(jobs[0].id, State.CANCELLED)
        assert await places() == [None, 1, 2]
        await harness.quiet(step=1)
        assert {jobs[1].id, jobs[2].id} <= set(harness.observer.changes)


async def test_a_provider_in_trouble_is_left_alone_and_then_tried(database: Database, tmp_path: Path) -> None:
    """Five refusals in a row: the others wait in line instead of failing one by one, until one probe goes well."""
    async with engine_harness(database, tmp_path, config=EngineConfig(active_per_provider=1)) as harness:
        harness.server.faults.add("submit", "status", status=503, times=TROUBLES_TO_OPEN + 1)
        jobs = [await waiting(harness, member) for member in range(1, 9)]
        harness.engine.wake()
        await harness.when(lambda: harness.posts() == TROUBLES_TO_OPEN)
        opened = harness.clock.monotonic()
        await harness.quiet(step=0.5, rounds=28)
        assert harness.posts() == TROUBLES_TO_OPEN
        assert set(await states(harness, jobs)) == {State.HELD}
        await harness.when(lambda: harness.posts() == TROUBLES_TO_OPEN + 1, step=0.5)  # a probe, which fails
        await harness.quiet(step=1, rounds=25)
        assert harness.posts() == TROUBLES_TO_OPEN + 1
        await harness.when(lambda: len(harness.server.jobs) == 1, step=0.5)  # a probe that goes well
        assert harness.clock.monotonic() - opened >= 3 * FIRST_PAUSE
        harness.server.finish()
        await harness.when(lambda: len(harness.server.jobs) == 2, step=1)  # and all is as it was
        assert State.FAILED not in await states(harness, jobs)
        assert await harness.problems() == []


async def test_another_provider_takes_over(database: Database, tmp_path: Path) -> None:
    """The first rejects the key: the job goes to the second at once, and the next job does not even ask the first."""
    async with two_providers(database, tmp_path) as (harness, second):
        harness.server.faults.add("submit", "status", status=401, times=None)
        job = await harness.asked()
        queued = await harness.until(job.id, State.RUNNING, step=0.1)
        assert (queued.provider, queued.tries, harness.posts()) == ("reve2img", 1, 1)
        another = await harness.asked()
        assert (await harness.until(another.id, State.RUNNING)).tries == 0
        assert (harness.posts(), len(second.jobs)) == (1, 2)
        for made in second.jobs:
            second.finish(made)
        done = await harness.until(job.id, State.DONE, step=1)
        assert done.charged == 12
        assert await harness.problems() == []


async def test_who_waits_for_providers_in_trouble_is_told_at_last(database: Database, tmp_path: Path) -> None:
    """After the soft deadline a job that nobody would take ends, and the credits are back."""
    async with engine_harness(database, tmp_path) as harness:
        harness.server.faults.add("submit", "status", status=503, times=None)
        jobs = [await waiting(harness, member) for member in range(1, 9)]
        harness.engine.wake()
        for job in jobs:
            failed = await harness.until(job.id, State.FAILED, step=2)
            assert (failed.fault, failed.charged) == (FaultKind.UNAVAILABLE, 0)
        age = (harness.clock.now() - jobs[0].created_at).total_seconds()
        assert 300 < age < 1_300  # the look after five minutes, or after ten where a probe was due at the first
        assert harness.posts() < 4 * len(jobs)  # not each of them was tried to the end
        assert await harness.problems() == []


async def test_a_provider_that_asks_for_a_day_s_patience_is_asked_sooner(
    sqlite_database: Database, tmp_path: Path
) -> None:
    """A Retry-After of a day would be later than the deadline: a minute it is."""
    async with engine_harness(sqlite_database, tmp_path) as harness:
        job = await harness.asked()
        await harness.until(job.id, State.QUEUED)
        harness.server.faults.add("status", "status", status=429, retry_after="86400")
        await harness.idle()
        harness.clock.advance(5)
        await harness.server.wait_for(lambda: "status" in {each.endpoint for each in harness.server.requests})
        harness.server.finish()
        began = harness.clock.monotonic()
        await harness.until(job.id, State.DONE, step=1)
        assert 50 <= harness.clock.monotonic() - began <= 80


async def test_a_job_that_is_looked_at_too_late_is_delivered_all_the_same(
    sqlite_database: Database, tmp_path: Path
) -> None:
    """Finished in time, but nobody was here to see it until the deadline had passed: its member gets it."""
    async with engine_harness(sqlite_database, tmp_path) as harness:
        job = await harness.asked()
        await harness.until(job.id, State.QUEUED)
        harness.server.finish()
        harness.clock.advance(7_300)
        done = await harness.until(job.id, State.DONE)
        assert done.charged == 12
        assert await harness.problems() == []


async def test_pictures_that_cannot_be_fetched_are_waited_for(database: Database, tmp_path: Path) -> None:
    """Their host is away for ten minutes: the job is done when it is back."""
    async with engine_harness(database, tmp_path) as harness:
        job = await harness.asked()
        await harness.until(job.id, State.QUEUED)
        harness.server.faults.add("picture", "status", status=503, times=None)
        harness.server.finish()
        await harness.until(job.id, State.STORING, step=1)
        await harness.quiet(step=30)
        assert (await harness.job(job.id)).state is State.STORING
        harness.server.clear_faults()
        done = await harness.until(job.id, State.DONE, step=5)
        assert done.charged == 12
        assert await harness.problems() == []


async def test_pictures_that_never_come_are_not_paid_for(sqlite_database: Database, tmp_path: Path) -> None:
    """After a quarter of an hour the job ends, and what did come is all that is charged."""
    async with engine_harness(sqlite_database, tmp_path) as harness:
        job = await harness.asked(request=make_request(images=2))
        await harness.until(job.id, State.QUEUED)
        keep = harness.image_service.store_url
        made = harness.server.finish()

        async def only_the_first(url: str) -> ImageFile:
            if url != harness.server.picture_urls(made)[0]:
                raise OSError(errno.ENOSPC, "disk full")
            return await keep(url)

        harness.image_service.store_url = only_the_first  # type: ignore[method-assign]
        done = await harness.until(job.id, State.DONE, step=10)
        assert done.charged == 12
        assert (harness.clock.now() - job.created_at).total_seconds() > 900
        assert await harness.problems() == []


async def test_a_full_disk_is_waited_for(sqlite_database: Database, tmp_path: Path) -> None:
    """Nothing can be stored for a while: the job is done once the operator has made room."""
    async with engine_harness(sqlite_database, tmp_path) as harness:
        job = await harness.asked()
        await harness.until(job.id, State.QUEUED)
        keep = harness.image_service.store_url

        async def full(_: str) -> ImageFile:
            raise OSError(errno.ENOSPC, "No space left on device")

        harness.image_service.store_url = full  # type: ignore[assignment, method-assign]
        harness.server.finish()
        await harness.until(job.id, State.STORING, step=1)
        await harness.quiet(step=15)
        harness.image_service.store_url = keep  # type: ignore[method-assign]
        done = await harness.until(job.id, State.DONE, step=5)
        assert done.charged == 12
        assert await harness.problems() == []


async def test_a_provider_that_does_not_know_the_job_for_a_while_is_asked_again(
    sqlite_database: Database, tmp_path: Path
) -> None:
    """Half a minute of 404, as after a failover there: the job goes on."""
    async with engine_harness(sqlite_database, tmp_path) as harness:
        job = await harness.asked()
        await harness.until(job.id, State.QUEUED)
        harness.server.faults.add("status", "status", status=404, times=None)
        polls = len(harness.server.requests)
        await harness.quiet(step=1, rounds=30)
        await harness.when(lambda: len(harness.server.requests) >= polls + 3)
        assert (await harness.job(job.id)).state is State.QUEUED
        harness.server.clear_faults()
        harness.server.finish()
        assert (await harness.until(job.id, State.DONE, step=1)).charged == 12


@pytest.mark.parametrize("after", [False, True], ids=["not written", "written, but nobody was told"])
@pytest.mark.parametrize("first", range(7))
async def test_a_database_that_is_away_for_a_moment_costs_nothing(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int, *, after: bool
) -> None:
    """Whichever write of a job's life breaks, and whether it was done: one submit, one charge, one set of pictures."""
    async with engine_harness(sqlite_database, tmp_path) as harness:
        snapshot = await harness.generation.create(make_context(), make_request())
        await harness.job_store.mark_acknowledged(snapshot.job.id, 1)
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
        await harness.when(lambda: harness.server.jobs, step=2)
        harness.server.finish()
        done = await harness.until(snapshot.job.id, State.DONE, step=2)
        assert done.charged == 12
        await harness.when(lambda: len(broken) == 2, step=2)  # if the last write of its life was not the last to break
        assert harness.posts() == 1
        assert await harness.problems() == []


async def test_answers_come_before_pictures(sqlite_database: Database, tmp_path: Path) -> None:
    """While somebody waits for an answer nothing new is sent to providers, until they have it."""
    async with engine_harness(sqlite_database, tmp_path) as harness:
        with harness.generation.pause_dispatch():
            job = await harness.asked()
            await harness.quiet()
            assert (await harness.job(job.id)).state is State.HELD
        await harness.until(job.id, State.QUEUED)


async def test_who_is_in_line_does_not_wait_for_answers_without_end(sqlite_database: Database, tmp_path: Path) -> None:
    """Commands may come all the time: slots are given once a second all the same."""
    async with engine_harness(sqlite_database, tmp_path) as harness:
        with harness.generation.pause_dispatch():
            for _ in range(2):
                job = await harness.asked()
                await harness.quiet(step=0.2, rounds=4)
                assert (await harness.job(job.id)).state is State.HELD
                await harness.until(job.id, State.QUEUED, step=0.1)
