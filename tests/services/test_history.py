"""`HistoryService`: scope, paging, retention and stored searches."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from bot.domain.errors import SearchGoneError, SearchRunningError, TooManyRequestsError
from bot.domain.images import ResultImage
from bot.domain.jobs import Job, State
from bot.domain.searches import SEARCH_LIFETIME
from bot.services.history import LONGEST_SEARCH, Direction, HistoryService, Page
from bot.services.member_limits import MAX_STORED, MOST_PER_WINDOW, FreeAction, MemberLimits
from db.database import Database
from db.pictures import ResultImageRepository
from db.tables import searches
from tests.support.clock import START, ManualClock
from tests.support.factories import GUILD, MEMBER, make_id, make_image, make_job, make_request
from tests.support.ledger import adding


def ended(prompt: str = "a fox") -> Job:
    """Return an ended job."""
    return make_job(
        request=make_request(prompt=prompt, images=2),
        state=State.DONE,
        finished_at=START,
        delivered_at=START,
        charged=24,
    )


async def store(database: Database, *pictures: ResultImage, days_ago: int = 0) -> None:
    """Record pictures."""
    at = START - timedelta(days=days_ago)
    await database.write(lambda connection: ResultImageRepository(connection).add_all(pictures, at))


@pytest.fixture
def history(database: Database, clock: ManualClock) -> HistoryService:
    """Return the service."""
    return HistoryService(database=database, clock=clock, new_id=make_id, limits=MemberLimits(clock=clock))


async def test_turn_reaches_the_neighbours_that_a_page_announces(database: Database, history: HistoryService) -> None:
    jobs = [ended() for _ in range(3)]
    await database.write(adding(*jobs))
    await store(database, *(make_image(job) for job in jobs))
    latest = await history.open(GUILD, MEMBER)
    assert latest is not None
    assert (latest.job.id, latest.newer, latest.older) == (jobs[2].id, False, True)
    middle = await history.turn(GUILD, MEMBER, jobs[2].id, Direction.OLDER)
    assert middle is not None
    assert (middle.job.id, middle.newer, middle.older) == (jobs[1].id, True, True)
    back = await history.turn(GUILD, MEMBER, jobs[1].id, Direction.NEWER)
    assert back == latest
    beyond = await history.turn(GUILD, MEMBER, jobs[0].id, Direction.OLDER)
    assert beyond == latest


async def test_turn_for_another_member_or_guild_returns_none(database: Database, history: HistoryService) -> None:
    job = ended()
    await database.write(adding(job))
    await store(database, make_image(job))
    for guild, member in ((GUILD, MEMBER + 1), (GUILD + 1, MEMBER), (0, MEMBER + 1)):
        assert await history.open(guild, member) is None
        for direction in Direction:
            assert await history.turn(guild, member, job.id, direction) is None
            assert await history.turn(guild, member, "0" * 32, direction) is None
            assert await history.turn(guild, member, "f" * 32, direction) is None


async def test_page_lists_kept_images_and_counts_removed_ones(database: Database, history: HistoryService) -> None:
    job = ended()
    await database.write(adding(job))
    aged, kept = make_image(job), make_image(job, position=1)
    await store(database, aged, days_ago=31)
    await store(database, kept)
    month_ago = START - timedelta(days=30)
    await database.write(
        lambda connection: ResultImageRepository(connection).remove_stored_before(month_ago, START, 10)
    )
    page = await history.open(GUILD, MEMBER)
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
async def test_query_is_normalized_to_one_bounded_line(
    database: Database, history: HistoryService, typed: str | None, wanted: str | None
) -> None:
    job = ended(f"two words a fox half a pair {'x' * 400}")
    await database.write(adding(job))
    await store(database, make_image(job))
    page = await history.open(GUILD, MEMBER, typed)
    assert page is not None
    assert (page.search and page.search.query) == wanted


ODD_QUERY = "a*b_c `x` ~~y~~ \u202e"


async def test_turn_with_a_stored_search_skips_jobs_that_do_not_match(
    database: Database, history: HistoryService
) -> None:
    jobs = [ended(prompt) for prompt in (f"first {ODD_QUERY} z", "another", f"second {ODD_QUERY.upper()} z")]
    await database.write(adding(*jobs))
    await store(database, *(make_image(job) for job in jobs))
    latest = await history.open(GUILD, MEMBER, ODD_QUERY)
    assert latest is not None
    assert latest.search is not None
    search = await history.get_search(latest.search.id, MEMBER)
    assert search == latest.search
    older = await history.turn(GUILD, MEMBER, latest.job.id, Direction.OLDER, search)
    assert older is not None
    assert (latest.job.id, older.job.id) == (jobs[2].id, jobs[0].id)
    assert (older.newer, older.older, older.search) == (True, False, search)


async def test_get_search_of_another_member_raises_search_gone(database: Database, history: HistoryService) -> None:
    job = ended()
    await database.write(adding(job))
    await store(database, make_image(job))
    page = await history.open(GUILD, MEMBER, "fox")
    assert page is not None
    assert page.search is not None
    with pytest.raises(SearchGoneError):
        await history.get_search(page.search.id, MEMBER + 1)


async def test_get_search_after_its_lifetime_raises_search_gone(
    database: Database, history: HistoryService, clock: ManualClock
) -> None:
    job = ended()
    await database.write(adding(job))
    await store(database, make_image(job))
    page = await history.open(GUILD, MEMBER, "fox")
    assert page is not None
    assert page.search is not None
    clock.advance((SEARCH_LIFETIME + timedelta(seconds=1)).total_seconds())
    with pytest.raises(SearchGoneError):
        await history.get_search(page.search.id, MEMBER)


async def test_search_without_a_match_is_not_stored(database: Database, history: HistoryService) -> None:
    assert await history.open(GUILD, MEMBER, "fox") is None
    assert await database.read(lambda connection: connection.execute(select(searches)).all()) == []


async def test_search_on_full_disk_shows_page_without_buttons(sqlite_database: Database) -> None:
    # The page is read; only the search behind its buttons cannot be stored.
    jobs = ended("a fox"), ended("a fox again")
    await sqlite_database.write(adding(*jobs))
    await store(sqlite_database, *(make_image(job) for job in jobs))
    raw = sqlite_database._backend._writer._connection._conn  # type: ignore[attr-defined]
    raw.execute("PRAGMA query_only = ON")
    page = await HistoryService(
        database=sqlite_database, clock=ManualClock(), new_id=make_id, limits=MemberLimits(clock=ManualClock())
    ).open(GUILD, MEMBER, "fox")
    assert page is not None
    assert (page.job.request.prompt, page.newer, page.older) == ("a fox again", False, False)
    raw.execute("PRAGMA query_only = OFF")


async def test_third_search_at_a_time_is_refused(database: Database, history: HistoryService) -> None:
    """One runs, one waits; others and plain pages are not concerned."""
    job = ended()
    await database.write(adding(job))
    await store(database, make_image(job))
    searches = [asyncio.create_task(history.open(GUILD, MEMBER, "fox")) for _ in range(3)]
    others = [
        asyncio.create_task(history.open(GUILD, MEMBER + 1, "fox")),
        asyncio.create_task(history.open(GUILD, MEMBER)),
    ]
    done = await asyncio.gather(*searches, return_exceptions=True)
    assert [type(each) for each in done] == [Page, Page, SearchRunningError]
    assert isinstance(await others[1], Page)
    assert await others[0] is None
    assert isinstance(await history.open(GUILD, MEMBER, "fox"), Page)
    assert (history._turns, history._searching) == ({}, {})


async def test_turns_of_a_search_count_as_searches(database: Database, history: HistoryService) -> None:
    job = ended()
    await database.write(adding(job))
    await store(database, make_image(job))
    page = await history.open(GUILD, MEMBER, "fox")
    assert page is not None
    turns = [history.turn(GUILD, MEMBER, job.id, Direction.OLDER, page.search) for _ in range(3)]
    done = await asyncio.gather(*turns, return_exceptions=True)
    assert [type(each) for each in done] == [Page, Page, SearchRunningError]


async def test_searches_of_a_minute_are_limited(history: HistoryService, clock: ManualClock) -> None:
    for _ in range(MOST_PER_WINDOW[FreeAction.SEARCH]):
        await history.open(GUILD, MEMBER, "fox")
        clock.advance(1)
    with pytest.raises(TooManyRequestsError) as caught:
        await history.open(GUILD, MEMBER, "fox")
    assert caught.value.retry_at == START + timedelta(minutes=1)
    await history.open(GUILD, MEMBER)
    clock.advance((caught.value.retry_at - clock.now()).total_seconds())
    await history.open(GUILD, MEMBER, "fox")


async def test_stored_searches_of_a_member_are_capped(
    database: Database, history: HistoryService, clock: ManualClock
) -> None:
    """The oldest goes."""
    job = ended()
    await database.write(adding(job))
    await store(database, make_image(job))
    pages = []
    for _ in range(MAX_STORED + 1):
        clock.advance(3)
        pages.append(await history.open(GUILD, MEMBER, "fox"))
    stored = [page.search.id for page in pages if page is not None and page.search is not None]
    with pytest.raises(SearchGoneError):
        await history.get_search(stored[0], MEMBER)
    assert (await history.get_search(stored[1], MEMBER)).id == stored[1]
