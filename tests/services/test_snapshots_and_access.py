"""Balances, snapshots and status."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection

from bot.domain.errors import FaultKind, JobNotFoundError, NotAdmittedError, NotInServerError
from bot.domain.jobs import Job, State
from bot.engine.health import ProviderHealth
from bot.providers.base import Pending
from db.jobs import JobRepository
from tests.services.conftest import Open, ServiceHarness
from tests.support.clock import START
from tests.support.factories import GUILD, MEMBER, make_context, make_image, make_job, make_request

ROOM = {"skillboss": 9}


async def acknowledged(services: ServiceHarness, member: int = MEMBER) -> Job:
    """Return a new job in the queue."""
    job = (await services.jobs.create(make_context(member_id=member), make_request())).job
    await services.jobs.mark_acknowledged(job.id, 1)
    services.clock.advance(1)
    return job


async def measured(services: ServiceHarness, *durations: float) -> None:
    """Insert unpaid finished jobs of these durations in seconds."""

    def write(connection: Connection) -> None:
        for duration in durations:
            job = make_job(
                state=State.DONE, submitted_at=START, finished_at=START + timedelta(seconds=duration), charged=0
            )
            JobRepository(connection).add(job)

    await services.database.write(write)


async def test_balance_contains_allowance_grants_holds_and_renewal(services: ServiceHarness) -> None:
    await services.database.write(
        lambda connection: services.ledger.grant(
            connection,
            guild_id=GUILD,
            member_id=MEMBER,
            amount=50,
            actor=1,
            reason="thanks",
            now=services.clock.now(),
        )
    )
    await services.jobs.create(make_context(), make_request(images=2))
    balance = await services.credits.balance(GUILD, MEMBER, ())
    assert (balance.available, balance.left, balance.used) == (226, 176, 24)
    assert (balance.granted, balance.held, [job.price for job in balance.running]) == (50, 24, [24])
    assert balance.renews_at.isoformat() == "2026-03-15T00:00:00+00:00"


async def test_a_new_day_brings_a_new_allowance(services: ServiceHarness) -> None:
    """After midnight the whole allowance is there again."""
    await services.jobs.abandon((await services.jobs.create(make_context(), make_request())).job)
    services.clock.advance(24 * 3600)
    assert (await services.credits.balance(GUILD, MEMBER, ())).left == 200


async def test_a_balance_where_there_is_none(open_services: Open) -> None:
    """Outside servers, and where the studio is not open, there is no balance."""
    services = open_services(admitted=None)
    with pytest.raises(NotInServerError):
        await services.credits.balance(0, MEMBER, ())
    with pytest.raises(NotAdmittedError):
        await services.credits.balance(GUILD, MEMBER, ())


async def test_queue_position_counts_from_one_and_needs_a_card(services: ServiceHarness) -> None:
    first, second = await acknowledged(services), await acknowledged(services)
    other = await acknowledged(services, member=MEMBER + 1)
    places = [(await services.snapshots.get(job.id)).queue_position for job in (first, other, second)]
    assert places == [1, 2, 3]
    unseen = (await services.jobs.create(make_context(), make_request())).job
    assert (await services.snapshots.get(unseen.id)).queue_position is None
    await services.job_store.claim_batch(1, ROOM)
    assert (await services.snapshots.get(first.id)).queue_position is None
    assert (await services.snapshots.get(other.id)).queue_position == 1


async def test_snapshot_of_done_job_has_images_and_balance(services: ServiceHarness) -> None:
    job = await acknowledged(services)
    (claim,) = (await services.job_store.claim_batch(1, ROOM)).claims
    pictures = [make_image(job, position=0), make_image(job, position=1)]
    storing = await services.database.write(
        lambda connection: JobRepository(connection).advance(claim.job, State.STORING)
    )
    await services.job_store.mark_done(storing, pictures[:1])
    snapshot = await services.snapshots.get(job.id)
    assert snapshot.pictures == (pictures[0],)
    assert snapshot.available == 188
    assert snapshot.queue_position is None


async def test_snapshot_of_unknown_job_raises(services: ServiceHarness) -> None:
    with pytest.raises(JobNotFoundError):
        await services.snapshots.get("f" * 32)


class TestUsualSeconds:
    """Usual durations of a model, from jobs without ledger entries."""

    @pytest.fixture(autouse=True)
    async def _delete_jobs(self, services: ServiceHarness) -> AsyncIterator[None]:
        """Delete the jobs afterwards, so that the final audit passes."""
        yield
        await services.database.write(lambda connection: connection.exec_driver_sql("DELETE FROM jobs"))

    async def test_fewer_than_five_jobs_have_no_usual_seconds(self, services: ServiceHarness) -> None:
        await measured(services, 10, 20, 30, 40)
        assert await services.snapshots.usual_seconds("reve-2.0") is None

    async def test_usual_seconds_are_median_and_ninetieth_percentile(self, services: ServiceHarness) -> None:
        await measured(services, *range(1, 20))
        assert await services.snapshots.usual_seconds("reve-2.0") == (10, 18)
        assert await services.snapshots.usual_seconds("seedream-5") is None

    async def test_usual_seconds_use_latest_fifty_jobs(self, services: ServiceHarness) -> None:
        await measured(services, *[9_000] * 20)
        services.clock.advance(1)
        late = START + timedelta(days=1)

        def write(connection: Connection) -> None:
            for _ in range(50):
                job = make_job(state=State.DONE, submitted_at=late, finished_at=late + timedelta(seconds=7), charged=0)
                JobRepository(connection).add(job)

        await services.database.write(write)
        assert await services.snapshots.usual_seconds("reve-2.0") == (7, 7)

    async def test_usual_seconds_are_cached_for_a_minute(self, services: ServiceHarness) -> None:
        assert await services.snapshots.usual_seconds("reve-2.0") is None
        await measured(services, *[30] * 5)
        services.clock.advance(60)
        assert await services.snapshots.usual_seconds("reve-2.0") is None
        services.clock.advance(1)
        assert await services.snapshots.usual_seconds("reve-2.0") == (30, 30)


async def test_status_counts_jobs_and_lists_providers_in_order(services: ServiceHarness) -> None:
    await acknowledged(services)
    await acknowledged(services)
    (claim,) = (await services.job_store.claim_batch(1, ROOM)).claims
    queued = await services.status.get(GUILD)
    assert (queued.waiting, queued.working) == (2, 0)  # one of them at the provider
    await services.job_store.mark_accepted(claim.job, Pending(handle="h", running=True))
    status = await services.status.get(GUILD)
    assert (status.waiting, status.working) == (1, 1)
    assert [health.provider for health in status.providers] == ["skillboss", "reve2img"]
    assert list(status.usual_seconds) == ["reve-2.0", "nano-banana", "nano-banana-pro", "seedream-5"]


async def test_status_omits_models_without_a_provider(open_services: Open) -> None:
    status = await open_services(providers=("skillboss",)).status.get(GUILD)
    assert list(status.usual_seconds) == ["reve-2.0", "nano-banana-pro"]


async def test_status_shows_provider_fault_until_next_success(services: ServiceHarness) -> None:
    services.health.record_fault("skillboss", FaultKind.UNAVAILABLE, START)
    (skillboss, reve2img) = (await services.status.get(GUILD)).providers
    assert skillboss == ProviderHealth(provider="skillboss", fault=FaultKind.UNAVAILABLE, since=START)
    assert reve2img == ProviderHealth(provider="reve2img")
    services.health.record_success("skillboss", START)
    assert (await services.status.get(GUILD)).providers[0] == replace(skillboss, fault=None)


async def test_new_job_has_its_position_before_its_card(services: ServiceHarness) -> None:
    """As once the card is there: a stranger's first job overtakes."""
    first = await services.jobs.create(make_context(), make_request())
    assert first.queue_position == 1
    await services.jobs.mark_acknowledged(first.job.id, 1)
    second = await services.jobs.create(make_context(), make_request())
    assert second.queue_position == 2
    await services.jobs.mark_acknowledged(second.job.id, 2)
    other = await services.jobs.create(make_context(member_id=MEMBER + 1), make_request())
    assert other.queue_position == 2
    await services.jobs.mark_acknowledged(other.job.id, 3)
    assert (await services.snapshots.get(other.job.id)).queue_position == 2


async def test_job_beyond_own_limit_names_members_other_jobs(services: ServiceHarness) -> None:
    """Three are being made; the fourth waits for one, the seventh for two."""
    jobs = [await acknowledged(services) for _ in range(7)]
    assert len((await services.job_store.claim_batch(3, ROOM)).claims) == 3
    waiting = [await services.snapshots.get(job.id) for job in jobs[3:]]
    assert [each.queue_position for each in waiting] == [1, 2, 3, 4]
    assert [each.own_first for each in waiting] == [3, 4, 5, 6]
    assert [each.forecast_seconds for each in waiting] == [None] * 4
    other = await acknowledged(services, member=MEMBER + 1)
    assert (await services.snapshots.get(other.id)).own_first == 0
    new = await services.jobs.create(make_context(), make_request())
    assert (new.own_first, new.queue_position) == (7, 6)
    services.snapshots._usual["reve-2.0"] = (services.clock.monotonic(), (8, 12))
    waiting = [await services.snapshots.get(job.id) for job in jobs[3:]]
    assert [each.forecast_seconds for each in waiting] == [16, 16, 16, 24]
    assert (await services.snapshots.get(other.id)).forecast_seconds is None


async def test_forecast_multiplies_by_shared_slots(open_services: Open) -> None:
    services = open_services(providers=("skillboss",), active_per_provider=1)
    services.snapshots._usual["reve-2.0"] = (services.clock.monotonic(), (8, 12))
    jobs = [await acknowledged(services, member=MEMBER + number) for number in range(4)]
    await services.job_store.claim_batch(1, {"skillboss": 1})
    snapshots = [await services.snapshots.get(job.id) for job in jobs[1:]]
    assert [(each.queue_position, each.forecast_seconds) for each in snapshots] == [(1, 16), (2, 24), (3, 32)]
    assert [each.own_first for each in snapshots] == [0, 0, 0]


@pytest.mark.parametrize(
    ("slots", "room", "forecasts"),
    [
        ({"active_per_provider": 1}, {"skillboss": 1, "reve2img": 1}, [16, 16, 24]),
        ({"active_per_guild": 2}, {"skillboss": 2}, [16, 16, 24]),
    ],
    ids=["slots of two providers", "slots of the server"],
)
async def test_forecast_counts_all_slots_of_a_lane(
    open_services: Open, slots: dict[str, int], room: dict[str, int], forecasts: list[int]
) -> None:
    """Two run; the third and fourth wait for one of them, the fifth for two."""
    services = open_services(**slots)
    services.snapshots._usual["reve-2.0"] = (services.clock.monotonic(), (8, 12))
    jobs = [await acknowledged(services, member=MEMBER + number) for number in range(5)]
    assert len((await services.job_store.claim_batch(2, room)).claims) == 2
    assert [(await services.snapshots.get(job.id)).forecast_seconds for job in jobs[2:]] == forecasts
