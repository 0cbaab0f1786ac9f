"""Balances, snapshots and the status: what the services read for people."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection

from bot.domain.errors import FaultKind, JobNotFoundError, NotAdmittedError, NotInServerError
from bot.domain.jobs import Job, State
from bot.engine.health import ProviderHealth
from db.jobs import JobRepository
from tests.services.conftest import Open, ServiceHarness
from tests.support.clock import START
from tests.support.factories import GUILD, MEMBER, make_context, make_image, make_job, make_request

ROOM = {"skillboss": 9}


async def acknowledged(desk: ServiceHarness, member: int = MEMBER) -> Job:
    """Return a new job that waits in line."""
    job = (await desk.generation.create(make_context(member_id=member), make_request())).job
    await desk.generation.mark_acknowledged(job.id, 1)
    desk.clock.advance(1)
    return job


async def measured(desk: ServiceHarness, *durations: float) -> None:
    """Write down finished jobs that took so many seconds, without their credits."""

    def write(connection: Connection) -> None:
        for duration in durations:
            job = make_job(
                state=State.DONE, submitted_at=START, finished_at=START + timedelta(seconds=duration), charged=0
            )
            JobRepository(connection).add(job)

    await desk.database.write(write)


async def test_a_balance(desk: ServiceHarness) -> None:
    """A balance has what is left of today, what was granted, what is held, and when the next allowance comes."""
    await desk.database.write(
        lambda connection: desk.ledger.grant(
            connection,
            guild_id=GUILD,
            member_id=MEMBER,
            amount=50,
            actor=1,
            reason="thanks",
            now=desk.clock.now(),
        )
    )
    await desk.generation.create(make_context(), make_request(images=2))
    balance = await desk.credits.balance(GUILD, MEMBER)
    assert (balance.available, balance.allowance, balance.granted, balance.held) == (226, 176, 50, 24)
    assert balance.renews_at.isoformat() == "2026-03-15T00:00:00+00:00"


async def test_a_new_day_brings_a_new_allowance(desk: ServiceHarness) -> None:
    """After midnight the whole allowance is there again."""
    await desk.generation.abandon((await desk.generation.create(make_context(), make_request())).job)
    desk.clock.advance(24 * 3600)
    assert (await desk.credits.balance(GUILD, MEMBER)).allowance == 200


async def test_a_balance_where_there_is_none(open_desk: Open) -> None:
    """Outside servers, and where the studio is not open, there is no balance."""
    desk = open_desk(admitted=None)
    with pytest.raises(NotInServerError):
        await desk.credits.balance(0, MEMBER)
    with pytest.raises(NotAdmittedError):
        await desk.credits.balance(GUILD, MEMBER)


async def test_the_place_in_line(desk: ServiceHarness) -> None:
    """The place counts from one, members take turns, and a job without a card has no place yet."""
    first, second = await acknowledged(desk), await acknowledged(desk)
    other = await acknowledged(desk, member=MEMBER + 1)
    places = [(await desk.snapshots.get(job.id)).place_in_line for job in (first, other, second)]
    assert places == [1, 2, 3]
    unseen = (await desk.generation.create(make_context(), make_request())).job
    assert (await desk.snapshots.get(unseen.id)).place_in_line is None
    await desk.job_store.claim_batch(1, ROOM)
    assert (await desk.snapshots.get(first.id)).place_in_line is None
    assert (await desk.snapshots.get(other.id)).place_in_line == 1


async def test_the_snapshot_of_an_end(desk: ServiceHarness) -> None:
    """A finished job's snapshot has its pictures in order and what the member can spend now."""
    job = await acknowledged(desk)
    (claim,) = (await desk.job_store.claim_batch(1, ROOM)).claims
    pictures = [make_image(job, position=0), make_image(job, position=1)]
    storing = await desk.database.write(lambda connection: JobRepository(connection).advance(claim.job, State.STORING))
    await desk.job_store.mark_done(storing, pictures[:1])
    snapshot = await desk.snapshots.get(job.id)
    assert snapshot.pictures == (pictures[0],)
    assert snapshot.available == 188
    assert snapshot.place_in_line is None


async def test_the_snapshot_of_nothing(desk: ServiceHarness) -> None:
    """An unknown job has no snapshot."""
    with pytest.raises(JobNotFoundError):
        await desk.snapshots.get("f" * 32)


class TestUsualSeconds:
    """How long a model usually takes; these jobs were never paid for, so the books are not looked at."""

    @pytest.fixture(autouse=True)
    async def _emptied(self, desk: ServiceHarness) -> AsyncIterator[None]:
        """Take the jobs out again, so that the books are in order."""
        yield
        await desk.database.write(lambda connection: connection.exec_driver_sql("DELETE FROM jobs"))

    async def test_nothing_is_said_before_enough_was_measured(self, desk: ServiceHarness) -> None:
        """Four finished jobs are too few."""
        await measured(desk, 10, 20, 30, 40)
        assert await desk.snapshots.usual_seconds("reve-2.0") is None

    async def test_the_middle_and_the_slow(self, desk: ServiceHarness) -> None:
        """The two numbers are the median and the ninetieth percentile."""
        await measured(desk, *range(1, 20))
        assert await desk.snapshots.usual_seconds("reve-2.0") == (10, 18)
        assert await desk.snapshots.usual_seconds("seedream-5") is None

    async def test_only_the_latest_jobs_count(self, desk: ServiceHarness) -> None:
        """After fifty faster jobs the older, slower ones are forgotten."""
        await measured(desk, *[9_000] * 20)
        desk.clock.advance(1)
        late = START + timedelta(days=1)

        def write(connection: Connection) -> None:
            for _ in range(50):
                job = make_job(state=State.DONE, submitted_at=late, finished_at=late + timedelta(seconds=7), charged=0)
                JobRepository(connection).add(job)

        await desk.database.write(write)
        assert await desk.snapshots.usual_seconds("reve-2.0") == (7, 7)

    async def test_it_is_measured_once_a_minute(self, desk: ServiceHarness) -> None:
        """Cards are drawn often, so the measure is remembered for a minute."""
        assert await desk.snapshots.usual_seconds("reve-2.0") is None
        await measured(desk, *[30] * 5)
        desk.clock.advance(60)
        assert await desk.snapshots.usual_seconds("reve-2.0") is None
        desk.clock.advance(1)
        assert await desk.snapshots.usual_seconds("reve-2.0") == (30, 30)


async def test_the_status_counts_the_line(desk: ServiceHarness) -> None:
    """The status counts what waits and what is drawn, and lists the providers in the operator's order."""
    await acknowledged(desk)
    await acknowledged(desk)
    await desk.job_store.claim_batch(1, ROOM)
    status = await desk.status.get()
    assert (status.waiting, status.working) == (1, 1)
    assert [health.provider for health in status.providers] == ["skillboss", "reve2img"]
    assert list(status.usual_seconds) == ["reve-2.0", "nano-banana", "nano-banana-pro", "seedream-5"]


async def test_the_status_names_only_what_is_offered(open_desk: Open) -> None:
    """Models that no configured provider offers are not in the status."""
    status = await open_desk(providers=("skillboss",)).status.get()
    assert list(status.usual_seconds) == ["reve-2.0"]


async def test_the_status_tells_a_provider_in_trouble(desk: ServiceHarness) -> None:
    """A provider's fault is told with its beginning, and is over with its next good answer."""
    desk.health.record_fault("skillboss", FaultKind.UNAVAILABLE, START)
    (skillboss, reve2img) = (await desk.status.get()).providers
    assert skillboss == ProviderHealth(provider="skillboss", fault=FaultKind.UNAVAILABLE, since=START)
    assert reve2img == ProviderHealth(provider="reve2img")
    desk.health.record_success("skillboss", START)
    assert (await desk.status.get()).providers[0] == replace(skillboss, fault=None)
