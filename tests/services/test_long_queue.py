"""Cached positions of a long queue."""

import pytest

from bot.services import job_snapshots
from tests.services.conftest import ServiceHarness
from tests.services.test_snapshots_and_access import ROOM, acknowledged
from tests.support.factories import MEMBER


async def positions(services: ServiceHarness, *job_ids: str) -> list[int | None]:
    """Return the current positions on the cards of jobs."""
    return [(await services.snapshots.get(job_id)).queue_position for job_id in job_ids]


@pytest.fixture
def two_jobs_are_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make two jobs a long queue."""
    monkeypatch.setattr(job_snapshots, "_LONG_QUEUE", 2)


@pytest.mark.usefixtures("two_jobs_are_long")
async def test_positions_in_long_queue_are_cached_for_two_seconds(services: ServiceHarness) -> None:
    """A job loses its position at once; a new job refreshes the cache."""
    first, second, third = [(await acknowledged(services, MEMBER + number)).id for number in range(3)]
    assert await positions(services, first, second, third) == [1, 2, 3]
    await services.job_store.claim_batch(1, ROOM)
    assert await positions(services, first, second, third) == [None, 2, 3]
    services.clock.advance(3)
    assert await positions(services, second, third) == [1, 2]
    await services.job_store.claim_batch(1, ROOM)
    fourth, fifth = [(await acknowledged(services, MEMBER + number)).id for number in (4, 5)]
    assert await positions(services, fifth, fourth, third) == [3, 2, 1]


async def test_positions_in_short_queue_are_current(services: ServiceHarness) -> None:
    first, second = [(await acknowledged(services, MEMBER + number)).id for number in range(2)]
    assert await positions(services, first, second) == [1, 2]
    await services.job_store.claim_batch(1, ROOM)
    assert await positions(services, first, second) == [None, 1]
