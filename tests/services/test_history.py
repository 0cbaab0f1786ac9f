"""`HistoryService`: scope, paging, retention and stored searches."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from bot.domain.errors import (
    JobDeletedError,
    NotAllowedError,
    SearchGoneError,
    SearchRunningError,
    TooManyRequestsError,
)
from bot.domain.images import ResultImage
from bot.domain.jobs import Job, State
from bot.domain.searches import SEARCH_LIFETIME
from bot.services.history import JOBS_PER_OVERVIEW, LONGEST_SEARCH, Direction, HistoryService, Overview, Page, Selection
from bot.services.member_limits import MAX_STORED, MOST_PER_WINDOW, FreeAction, MemberLimits
from db.database import Database
from db.jobs import JobRepository
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


MINE = Selection(guild_id=GUILD, member_id=MEMBER)


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
    latest = await history.get(MINE, jobs[2].id)
    assert (latest.job.id, latest.newer, latest.older) == (jobs[2].id, False, True)
    middle = await history.turn(MINE, jobs[2].id, Direction.OLDER)
    assert middle is not None
    assert (middle.job.id, middle.newer, middle.older) == (jobs[1].id, True, True)
    back = await history.turn(MINE, jobs[1].id, Direction.NEWER)
    assert back == latest
    beyond = await history.turn(MINE, jobs[0].id, Direction.OLDER)
    assert beyond == latest


async def test_turn_for_another_member_or_guild_returns_none(database: Database, history: HistoryService) -> None:
    job = ended()
    await database.write(adding(job))
    await store(database, make_image(job))
    for guild, member in ((GUILD, MEMBER + 1), (GUILD + 1, MEMBER), (0, MEMBER + 1)):
        assert await history.open(guild, member) is None
        selection = Selection(guild_id=guild, member_id=member)
        for direction in Direction:
            for target in (job.id, "0" * 32, "f" * 32):
                assert await history.turn(selection, target, direction) is None
                assert await history.browse(selection, target, direction) is None
        assert await history.browse(selection, job.id) is None
        with pytest.raises(NotAllowedError):
            await history.get(selection, job.id)


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
    page = await history.get(MINE, job.id)
    assert (page.pictures, page.removed) == ((kept,), 1)
    overview = await history.open(GUILD, MEMBER)
    assert overview is not None
    assert [(entry.pictures, entry.removed) for entry in overview.entries] == [((kept,), 1)]


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
    assert [entry.job.id for entry in latest.entries] == [jobs[2].id, jobs[0].id]
    older = await history.turn(replace(MINE, search=search), jobs[2].id, Direction.OLDER)
    assert older is not None
    assert older.job.id == jobs[0].id
    assert (older.position, older.total) == (2, 2)
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
    assert (page.entries[0].job.request.prompt, page.turns) == ("a fox again", False)
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
    assert [type(each) for each in done] == [Overview, Overview, SearchRunningError]
    assert isinstance(await others[1], Overview)
    assert await others[0] is None
    assert isinstance(await history.open(GUILD, MEMBER, "fox"), Overview)
    assert (history._turns, history._searching) == ({}, {})


async def test_turns_of_a_search_count_as_searches(database: Database, history: HistoryService) -> None:
    job = ended()
    await database.write(adding(job))
    await store(database, make_image(job))
    page = await history.open(GUILD, MEMBER, "fox")
    assert page is not None
    turns = [history.turn(replace(MINE, search=page.search), job.id, Direction.OLDER) for _ in range(3)]
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


def listed(overview: Overview | None) -> tuple[list[str], int, int]:
    """Return an overview's jobs, its first position, and the number of all."""
    assert overview is not None
    return [entry.job.id for entry in overview.entries], overview.first, overview.total


async def many(database: Database, count: int) -> list[str]:
    """Store jobs with images; return their ids, the latest first."""
    jobs = [ended() for _ in range(count)]
    await database.write(adding(*jobs))
    await store(database, *(make_image(job) for job in jobs))
    return [job.id for job in reversed(jobs)]


@pytest.mark.parametrize("count", [1, 8, 9, 10, 18, 19])
async def test_overviews_visit_each_job_once_in_both_directions(
    database: Database, history: HistoryService, count: int
) -> None:
    ids = await many(database, count)
    expected = [
        (ids[start : start + JOBS_PER_OVERVIEW], start + 1, count) for start in range(0, count, JOBS_PER_OVERVIEW)
    ]
    seen = [listed(await history.open(GUILD, MEMBER))]
    while seen[-1][1] + len(seen[-1][0]) <= count:
        seen.append(listed(await history.browse(MINE, seen[-1][0][-1], Direction.OLDER)))
    assert seen == expected
    back = [seen[-1]]
    while back[-1][1] > 1:
        back.append(listed(await history.browse(MINE, back[-1][0][0], Direction.NEWER)))
    assert back == expected[::-1]


async def test_browse_without_direction_returns_overview_with_job(database: Database, history: HistoryService) -> None:
    ids = await many(database, 20)
    for at, first in ((0, 0), (8, 0), (9, 9), (17, 9), (18, 18), (19, 18)):
        assert listed(await history.browse(MINE, ids[at])) == (ids[first : first + 9], first + 1, 20)


async def test_browse_to_fewer_newer_jobs_than_an_overview_returns_the_latest(
    database: Database, history: HistoryService
) -> None:
    ids = await many(database, 12)
    assert listed(await history.browse(MINE, ids[4], Direction.NEWER)) == (ids[:9], 1, 12)


async def test_browse_from_job_deleted_meanwhile_goes_on_from_its_place(
    database: Database, history: HistoryService
) -> None:
    ids = await many(database, 12)
    await database.write(lambda connection: JobRepository(connection).set_deleted(ids[8], START))
    assert listed(await history.browse(MINE, ids[8], Direction.OLDER)) == (ids[9:], 9, 11)
    assert listed(await history.browse(MINE, ids[8])) == ([*ids[:8], ids[9]], 1, 11)
    with pytest.raises(JobDeletedError):
        await history.get(MINE, ids[8])


async def test_page_counts_its_position(database: Database, history: HistoryService) -> None:
    ids = await many(database, 3)
    places = [await history.get(MINE, each) for each in ids]
    assert [(page.position, page.total) for page in places] == [(1, 3), (2, 3), (3, 3)]


async def test_favourites_are_paged_counted_and_searched_alone(database: Database, history: HistoryService) -> None:
    jobs = [ended(prompt) for prompt in ("a fox", "a boat", "a red fox", "a fox at sea")]
    await database.write(adding(*jobs))
    await store(database, *(make_image(job) for job in jobs))
    favourites = replace(MINE, favourites=True)
    assert await history.browse(favourites, jobs[0].id) is None
    for job in jobs[:3]:
        await history.mark_favourite(job.id, MEMBER, favourite=True)
    assert listed(await history.browse(favourites, jobs[3].id)) == ([jobs[2].id, jobs[1].id, jobs[0].id], 1, 3)
    page = await history.turn(favourites, jobs[1].id, Direction.NEWER)
    assert page is not None
    assert (page.job.id, page.position, page.total, page.newer, page.older) == (jobs[2].id, 1, 3, False, True)
    opened = await history.open(GUILD, MEMBER, "fox")
    assert opened is not None
    found = replace(favourites, search=opened.search)
    assert listed(await history.browse(found, jobs[1].id)) == ([jobs[2].id, jobs[0].id], 1, 2)


async def test_former_favourite_has_no_position_and_both_neighbours(
    database: Database, history: HistoryService
) -> None:
    ids = await many(database, 3)
    for each in ids:
        await history.mark_favourite(each, MEMBER, favourite=True)
    await history.mark_favourite(ids[0], MEMBER, favourite=False)
    page = await history.get(replace(MINE, favourites=True), ids[0])
    assert (page.position, page.total, page.newer, page.older) == (0, 2, False, True)
    await history.mark_favourite(ids[1], MEMBER, favourite=False)
    page = await history.get(replace(MINE, favourites=True), ids[1])
    assert (page.position, page.total, page.newer, page.older) == (0, 1, False, True)


async def test_favourite_of_others_or_deleted_job_is_refused(database: Database, history: HistoryService) -> None:
    ids = await many(database, 2)
    with pytest.raises(NotAllowedError):
        await history.mark_favourite(ids[0], MEMBER + 1, favourite=True)
    await history.mark_favourite(ids[0], MEMBER, favourite=True)
    await database.write(lambda connection: JobRepository(connection).set_deleted(ids[0], START))
    job = await database.read(lambda connection: JobRepository(connection).get(ids[0]))
    assert job.favourite_at is None
    with pytest.raises(JobDeletedError):
        await history.mark_favourite(ids[0], MEMBER, favourite=True)
