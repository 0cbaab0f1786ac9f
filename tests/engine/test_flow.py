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
from bot.domain.jobs import Job, State
from bot.engine.breaker import FIRST_PAUSE, TROUBLES_TO_OPEN
from bot.engine.limits import Limits
from bot.images.store import StoredPicture
from bot.sandbox.providers import MANUAL, Reve2ImgServer
from db.database import Database
from db.line import LineRepository
from tests.engine.workshop import Workshop, workshop
from tests.support.factories import COMMUNITY, a_place, a_request

ANNA, BERT, CLEO = 1, 2, 3
HERE, THERE = COMMUNITY, COMMUNITY + 1


@asynccontextmanager
async def two_providers(
    database: Database, folder: Path, limits: Limits | None = None
) -> AsyncIterator[tuple[Workshop, Reve2ImgServer]]:
    """Start a workshop with a second provider."""
    second = Reve2ImgServer(key="key", latency=MANUAL)
    await second.start()
    try:
        async with workshop(database, folder, limits=limits, second=second) as shop:
            yield shop, second
    finally:
        await second.close()


async def waiting(shop: Workshop, member: int, *, community: int = HERE, **request: Any) -> Job:
    """Return a job that is in line, without telling the engine yet."""
    place = a_place(member_id=member, community_id=community)
    snapshot = await shop.generation.request(place, a_request(**request))
    await shop.journal.acknowledged(snapshot.job.id, 1)
    return snapshot.job


def sent(shop: Workshop) -> list[str]:
    """Return the prompts of what the first provider has taken, in order."""
    return [made.order.prompt for made in shop.server.jobs]


async def states(shop: Workshop, jobs: list[Job]) -> list[State]:
    """Return the jobs' states."""
    return [(await shop.job(job.id)).state for job in jobs]


async def test_members_and_communities_take_turns(database: Database, tmp_path: Path) -> None:
    """Who asked first and often does not get all the slots: one each, community by community, then the second ones."""
    async with workshop(database, tmp_path, limits=Limits(active_per_provider=4)) as shop:
        for number in range(3):
            await waiting(shop, ANNA, prompt=f"anna {number}")
        await waiting(shop, BERT, prompt="bert 0")
        for number in range(2):
            await waiting(shop, CLEO, community=THERE, prompt=f"cleo {number}")
        shop.engine.wake()
        await shop.server.wait_for(lambda: len(sent(shop)) == 4)
        assert sorted(sent(shop)) == ["anna 0", "bert 0", "cleo 0", "cleo 1"]
        shop.server.finish(next(made for made in shop.server.jobs if made.order.prompt == "anna 0"))
        await shop.when(lambda: len(sent(shop)) == 5, step=1)
        assert sent(shop)[4] == "anna 1"


async def test_jobs_of_a_full_provider_do_not_hide_the_others(sqlite_database: Database, tmp_path: Path) -> None:
    """A hundred wait for the one slot of a provider: who came last, and wants another provider, goes at once."""
    limits = Limits(active_per_provider=1)
    async with two_providers(sqlite_database, tmp_path, limits) as (shop, second):
        for number in range(101):
            await waiting(shop, 100 + number, prompt=f"{number}", model="nano-banana")
        last = await waiting(shop, ANNA, prompt="last")
        shop.engine.wake()
        taken = await shop.until(last.id, State.QUEUED)
        assert taken.provider == "skillboss"
        assert len(second.jobs) == 1


async def test_a_community_has_so_many_slots(database: Database, tmp_path: Path) -> None:
    """The busy community's second job waits although the provider has room; the other community's goes at once."""
    async with workshop(database, tmp_path, limits=Limits(active_per_community=1)) as shop:
        here = [await waiting(shop, ANNA), await waiting(shop, BERT)]
        there = await waiting(shop, CLEO, community=THERE)
        shop.engine.wake()
        await shop.until(here[0].id, State.QUEUED)
        await shop.until(there.id, State.QUEUED)
        await shop.quiet(step=1)
        assert (await shop.job(here[1].id)).state is State.HELD
        for made in shop.server.jobs:
            shop.server.finish(made)
        await shop.until(here[1].id, State.QUEUED, step=1)


async def test_places_in_line_are_those_in_which_jobs_go(database: Database, tmp_path: Path) -> None:
    """Each sees how many go before; when one leaves the line the others are told."""
    async with workshop(database, tmp_path, limits=Limits(active_per_provider=0)) as shop:
        jobs = [await waiting(shop, member) for member in (ANNA, ANNA, BERT)]

        async def places() -> list[int | None]:
            def read(connection: Connection) -> list[int | None]:
                return [LineRepository(connection).place_of(job.id) for job in jobs]

            return await database.read(read)

        assert await places() == [1, 3, 2]
        shop.engine.wake()
        await shop.quiet(step=1)
        shop.observer.changes.clear()
        await shop.journal.request_cancel(jobs[0].id)
        await shop.engine.look_at(jobs[0].id)
        await shop.until(jobs[0].id, State.CANCELLED)
        assert await places() == [None, 1, 2]
        await shop.quiet(step=1)
        assert {jobs[1].id, jobs[2].id} <= set(shop.observer.changes)


async def test_a_provider_in_trouble_is_left_alone_and_then_tried(database: Database, tmp_path: Path) -> None:
    """Five refusals in a row: the others wait in line instead of failing one by one, until one probe goes well."""
    async with workshop(database, tmp_path, limits=Limits(active_per_provider=1)) as shop:
        shop.server.faults.add("submit", "status", status=503, times=TROUBLES_TO_OPEN + 1)
        jobs = [await waiting(shop, member) for member in range(1, 9)]
        shop.engine.wake()
        await shop.when(lambda: shop.posts() == TROUBLES_TO_OPEN)
        opened = shop.clock.monotonic()
        await shop.quiet(step=0.5, rounds=28)
        assert shop.posts() == TROUBLES_TO_OPEN
        assert set(await states(shop, jobs)) == {State.HELD}
        await shop.when(lambda: shop.posts() == TROUBLES_TO_OPEN + 1, step=0.5)  # a probe, which fails
        await shop.quiet(step=1, rounds=25)
        assert shop.posts() == TROUBLES_TO_OPEN + 1
        await shop.when(lambda: len(shop.server.jobs) == 1, step=0.5)  # a probe that goes well
        assert shop.clock.monotonic() - opened >= 3 * FIRST_PAUSE
        shop.server.finish()
        await shop.when(lambda: len(shop.server.jobs) == 2, step=1)  # and all is as it was
        assert State.FAILED not in await states(shop, jobs)
        assert await shop.problems() == []


async def test_another_provider_takes_over(database: Database, tmp_path: Path) -> None:
    """The first rejects the key: the job goes to the second at once, and the next job does not even ask the first."""
    async with two_providers(database, tmp_path) as (shop, second):
        shop.server.faults.add("submit", "status", status=401, times=None)
        job = await shop.asked()
        queued = await shop.until(job.id, State.RUNNING, step=0.1)
        assert (queued.provider, queued.tries, shop.posts()) == ("reve2img", 1, 1)
        another = await shop.asked()
        assert (await shop.until(another.id, State.RUNNING)).tries == 0
        assert (shop.posts(), len(second.jobs)) == (1, 2)
        for made in second.jobs:
            second.finish(made)
        done = await shop.until(job.id, State.DONE, step=1)
        assert done.charged == 12
        assert await shop.problems() == []


async def test_who_waits_for_providers_in_trouble_is_told_at_last(database: Database, tmp_path: Path) -> None:
    """After the soft deadline a job that nobody would take ends, and the credits are back."""
    async with workshop(database, tmp_path) as shop:
        shop.server.faults.add("submit", "status", status=503, times=None)
        jobs = [await waiting(shop, member) for member in range(1, 9)]
        shop.engine.wake()
        for job in jobs:
            failed = await shop.until(job.id, State.FAILED, step=2)
            assert (failed.fault, failed.charged) == (FaultKind.UNAVAILABLE, 0)
        age = (shop.clock.now() - jobs[0].created_at).total_seconds()
        assert 300 < age < 1_300  # the look after five minutes, or after ten where a probe was due at the first
        assert shop.posts() < 4 * len(jobs)  # not each of them was tried to the end
        assert await shop.problems() == []


async def test_a_provider_that_asks_for_a_day_s_patience_is_asked_sooner(
    sqlite_database: Database, tmp_path: Path
) -> None:
    """A Retry-After of a day would be later than the deadline: a minute it is."""
    async with workshop(sqlite_database, tmp_path) as shop:
        job = await shop.asked()
        await shop.until(job.id, State.QUEUED)
        shop.server.faults.add("status", "status", status=429, retry_after="86400")
        await shop.idle()
        shop.clock.advance(5)
        await shop.server.wait_for(lambda: "status" in {each.endpoint for each in shop.server.requests})
        shop.server.finish()
        began = shop.clock.monotonic()
        await shop.until(job.id, State.DONE, step=1)
        assert 50 <= shop.clock.monotonic() - began <= 80


async def test_a_job_that_is_looked_at_too_late_is_delivered_all_the_same(
    sqlite_database: Database, tmp_path: Path
) -> None:
    """Finished in time, but nobody was here to see it until the deadline had passed: its member gets it."""
    async with workshop(sqlite_database, tmp_path) as shop:
        job = await shop.asked()
        await shop.until(job.id, State.QUEUED)
        shop.server.finish()
        shop.clock.advance(7_300)
        done = await shop.until(job.id, State.DONE)
        assert done.charged == 12
        assert await shop.problems() == []


async def test_pictures_that_cannot_be_fetched_are_waited_for(database: Database, tmp_path: Path) -> None:
    """Their host is away for ten minutes: the job is done when it is back."""
    async with workshop(database, tmp_path) as shop:
        job = await shop.asked()
        await shop.until(job.id, State.QUEUED)
        shop.server.faults.add("picture", "status", status=503, times=None)
        shop.server.finish()
        await shop.until(job.id, State.STORING, step=1)
        await shop.quiet(step=30)
        assert (await shop.job(job.id)).state is State.STORING
        shop.server.mend()
        done = await shop.until(job.id, State.DONE, step=5)
        assert done.charged == 12
        assert await shop.problems() == []


async def test_pictures_that_never_come_are_not_paid_for(sqlite_database: Database, tmp_path: Path) -> None:
    """After a quarter of an hour the job ends, and what did come is all that is charged."""
    async with workshop(sqlite_database, tmp_path) as shop:
        job = await shop.asked(request=a_request(images=2))
        await shop.until(job.id, State.QUEUED)
        keep = shop.keeper.keep
        made = shop.server.finish()

        async def only_the_first(url: str) -> StoredPicture:
            if url != shop.server.picture_urls(made)[0]:
                raise OSError(errno.ENOSPC, "disk full")
            return await keep(url)

        shop.keeper.keep = only_the_first  # type: ignore[method-assign]
        done = await shop.until(job.id, State.DONE, step=10)
        assert done.charged == 12
        assert (shop.clock.now() - job.created_at).total_seconds() > 900
        assert await shop.problems() == []


async def test_a_full_disk_is_waited_for(sqlite_database: Database, tmp_path: Path) -> None:
    """Nothing can be stored for a while: the job is done once the operator has made room."""
    async with workshop(sqlite_database, tmp_path) as shop:
        job = await shop.asked()
        await shop.until(job.id, State.QUEUED)
        keep = shop.keeper.keep

        async def full(_: str) -> StoredPicture:
            raise OSError(errno.ENOSPC, "No space left on device")

        shop.keeper.keep = full  # type: ignore[assignment, method-assign]
        shop.server.finish()
        await shop.until(job.id, State.STORING, step=1)
        await shop.quiet(step=15)
        shop.keeper.keep = keep  # type: ignore[method-assign]
        done = await shop.until(job.id, State.DONE, step=5)
        assert done.charged == 12
        assert await shop.problems() == []


async def test_a_provider_that_does_not_know_the_job_for_a_while_is_asked_again(
    sqlite_database: Database, tmp_path: Path
) -> None:
    """Half a minute of 404, as after a failover there: the job goes on."""
    async with workshop(sqlite_database, tmp_path) as shop:
        job = await shop.asked()
        await shop.until(job.id, State.QUEUED)
        shop.server.faults.add("status", "status", status=404, times=None)
        polls = len(shop.server.requests)
        await shop.quiet(step=1, rounds=30)
        await shop.when(lambda: len(shop.server.requests) >= polls + 3)
        assert (await shop.job(job.id)).state is State.QUEUED
        shop.server.mend()
        shop.server.finish()
        assert (await shop.until(job.id, State.DONE, step=1)).charged == 12


@pytest.mark.parametrize("after", [False, True], ids=["not written", "written, but nobody was told"])
@pytest.mark.parametrize("first", range(7))
async def test_a_database_that_is_away_for_a_moment_costs_nothing(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int, *, after: bool
) -> None:
    """Whichever write of a job's life breaks, and whether it was done: one submit, one charge, one set of pictures."""
    async with workshop(sqlite_database, tmp_path) as shop:
        snapshot = await shop.generation.request(a_place(), a_request())
        await shop.journal.acknowledged(snapshot.job.id, 1)
        await shop.settle()
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
        shop.engine.wake()
        await shop.when(lambda: shop.server.jobs, step=2)
        shop.server.finish()
        done = await shop.until(snapshot.job.id, State.DONE, step=2)
        assert done.charged == 12
        await shop.when(lambda: len(broken) == 2, step=2)  # if the last write of its life was not the last to break
        assert shop.posts() == 1
        assert await shop.problems() == []


async def test_answers_come_before_pictures(sqlite_database: Database, tmp_path: Path) -> None:
    """While somebody waits for an answer nothing new is sent to providers, until they have it."""
    async with workshop(sqlite_database, tmp_path) as shop:
        with shop.generation.answering():
            job = await shop.asked()
            await shop.quiet()
            assert (await shop.job(job.id)).state is State.HELD
        await shop.until(job.id, State.QUEUED)


async def test_who_is_in_line_does_not_wait_for_answers_without_end(sqlite_database: Database, tmp_path: Path) -> None:
    """Commands may come all the time: slots are given once a second all the same."""
    async with workshop(sqlite_database, tmp_path) as shop:
        with shop.generation.answering():
            for _ in range(2):
                job = await shop.asked()
                await shop.quiet(step=0.2, rounds=4)
                assert (await shop.job(job.id)).state is State.HELD
                await shop.until(job.id, State.QUEUED, step=0.1)
