"""Looking back: whose jobs, which page, and what is left of it."""

from datetime import timedelta

import pytest

from bot.domain.images import ResultImage
from bot.domain.jobs import Job, State
from bot.services.history import LONGEST_SEARCH, Direction, HistoryService
from db.database import Database
from db.pictures import ResultImageRepository
from tests.support.clock import START
from tests.support.factories import GUILD, MEMBER, make_image, make_job, make_request
from tests.support.ledger import adding


def ended(prompt: str = "a fox") -> Job:
    """Return a job that has ended."""
    return make_job(
        request=make_request(prompt=prompt, images=2),
        state=State.DONE,
        finished_at=START,
        delivered_at=START,
        charged=24,
    )


async def keep(database: Database, *pictures: ResultImage, days_ago: int = 0) -> None:
    """Record pictures."""
    at = START - timedelta(days=days_ago)
    await database.write(lambda connection: ResultImageRepository(connection).add_all(pictures, at))


@pytest.fixture
def history(database: Database) -> HistoryService:
    """Return the service."""
    return HistoryService(database=database)


async def test_a_page_knows_its_neighbours(database: Database, history: HistoryService) -> None:
    """Each page tells whether there are others on either side, and turning leads there."""
    jobs = [ended() for _ in range(3)]
    await database.write(adding(*jobs))
    await keep(database, *(make_image(job) for job in jobs))
    latest = await history.latest(GUILD, MEMBER)
    assert latest is not None
    assert (latest.job.id, latest.newer, latest.older) == (jobs[2].id, False, True)
    middle = await history.turn(GUILD, MEMBER, jobs[2].id, Direction.OLDER)
    assert middle is not None
    assert (middle.job.id, middle.newer, middle.older) == (jobs[1].id, True, True)
    back = await history.turn(GUILD, MEMBER, jobs[1].id, Direction.NEWER)
    assert back == latest
    beyond = await history.turn(GUILD, MEMBER, jobs[0].id, Direction.OLDER)
    assert beyond == latest


async def test_nobody_else_sees_anything(database: Database, history: HistoryService) -> None:
    """Another member, or the same one in another community, has no page, whatever job they page from."""
    job = ended()
    await database.write(adding(job))
    await keep(database, make_image(job))
    for guild, member in ((GUILD, MEMBER + 1), (GUILD + 1, MEMBER), (0, MEMBER + 1)):
        assert await history.latest(guild, member) is None
        for direction in Direction:
            assert await history.turn(guild, member, job.id, direction) is None
            assert await history.turn(guild, member, "0" * 32, direction) is None
            assert await history.turn(guild, member, "f" * 32, direction) is None


async def test_pictures_past_their_retention_are_counted(database: Database, history: HistoryService) -> None:
    """What is still kept comes with the page; what is not is counted."""
    job = ended()
    await database.write(adding(job))
    aged, kept = make_image(job), make_image(job, position=1)
    await keep(database, aged, days_ago=31)
    await keep(database, kept)
    month_ago = START - timedelta(days=30)
    await database.write(
        lambda connection: ResultImageRepository(connection).remove_stored_before(month_ago, START, 10)
    )
    page = await history.latest(GUILD, MEMBER)
    assert page is not None
    assert (page.pictures, page.removed) == ((kept,), 1)


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("  two \n words ", "two words"),
        ("a\x00fox", "a fox"),
        ("half a pair \ud83e", "half a pair"),
        (" \t ", None),
        ("x" * 300, "x" * LONGEST_SEARCH),
        (None, None),
    ],
)
async def test_a_search_is_made_what_a_prompt_can_have(
    database: Database, history: HistoryService, typed: str | None, wanted: str | None
) -> None:
    """Whatever was typed is one line of bounded length that every database takes."""
    job = ended(f"two words a fox half a pair {'x' * 400}")
    await database.write(adding(job))
    await keep(database, make_image(job))
    page = await history.latest(GUILD, MEMBER, typed)
    assert page is not None
    assert page.search == wanted
