"""A long line is put in order once for all the cards that show a place in it."""

import pytest

from bot.services import job_snapshots
from tests.services.conftest import ServiceHarness
from tests.services.test_snapshots_and_access import ROOM, acknowledged
from tests.support.factories import MEMBER


async def places(desk: ServiceHarness, *job_ids: str) -> list[int | None]:
    """Return the places that the cards of jobs would show now."""
    return [(await desk.snapshots.get(job_id)).place_in_line for job_id in job_ids]


@pytest.fixture
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let two jobs be a long line."""
    monkeypatch.setattr(job_snapshots, "_LONG_QUEUE", 2)


@pytest.mark.usefixtures("short_patience")
async def test_places_in_a_long_line_are_those_of_a_moment_ago(desk: ServiceHarness) -> None:
    """They are remembered for two seconds; one who has left has none at once, and who is new makes the rest current."""
    first, second, third = [(await acknowledged(desk, MEMBER + number)).id for number in range(3)]
    assert await places(desk, first, second, third) == [1, 2, 3]
    await desk.job_store.claim_batch(1, ROOM)
    assert await places(desk, first, second, third) == [None, 2, 3]
    desk.clock.advance(3)
    assert await places(desk, second, third) == [1, 2]
    await desk.job_store.claim_batch(1, ROOM)
    fourth, fifth = [(await acknowledged(desk, MEMBER + number)).id for number in (4, 5)]
    assert await places(desk, fifth, fourth, third) == [3, 2, 1]


async def test_places_in_a_short_line_are_those_of_now(desk: ServiceHarness) -> None:
    """Nothing is remembered where asking costs little."""
    first, second = [(await acknowledged(desk, MEMBER + number)).id for number in range(2)]
    assert await places(desk, first, second) == [1, 2]
    await desk.job_store.claim_batch(1, ROOM)
    assert await places(desk, first, second) == [None, 1]
