import asyncio
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, event, select

from bot.domain.jobs import LONGEST_CHAIN, Action, Job, Origin, State
from bot.domain.requests import KEEP_AS_IT_IS
from db.database import Database
from db.history import HistoryRepository, HistoryScope, _searched_page
from db.jobs import JobRepository
from db.pictures import ResultImageRepository
from db.search_index import SearchIndex
from db.tables import jobs as jobs_table
from tests.support.clock import START
from tests.support.factories import GUILD, MEMBER, make_context, make_image, make_job, make_request
from tests.support.ledger import adding

MINE = HistoryScope(GUILD, MEMBER)


@pytest.fixture(autouse=True)
def _no_short_histories(monkeypatch: pytest.MonkeyPatch) -> None:
    """Search by the index on PostgreSQL, too, however few jobs there are."""
    monkeypatch.setattr("db.history._FEW_JOBS", 0)


def ended(prompt: str = "a fox", *, state: State = State.DONE, **place: Any) -> Job:
    """Return an ended job."""
    return make_job(
        request=make_request(prompt=prompt), place=make_context(**place), state=state, finished_at=START, charged=0
    )


def made_of(parent: Job, action: Action, prompt: str = KEEP_AS_IT_IS, **place: Any) -> Job:
    """Return an ended job made from another's first image."""
    return replace(ended(prompt, **place), origin=Origin(action=action, job_id=parent.id, position=0))


async def insert(database: Database, *jobs: Job, pictured: Iterable[Job] | None = None) -> None:
    """Insert jobs, each (or those named) with an image."""
    await database.write(adding(*jobs))
    pictures = [make_image(job) for job in (jobs if pictured is None else pictured)]
    await database.write(lambda connection: ResultImageRepository(connection).add_all(pictures, START))


async def walk(database: Database, scope: HistoryScope = MINE, search: str | None = None) -> list[str]:
    """Return the ids on all pages, latest first.

    A search finds the same by the index and by the scan.
    """

    def read(connection: Connection, *, scan: bool) -> list[str]:
        history = HistoryRepository(connection, scope, search)
        if scan:
            history._indexed = None
        found = []
        at = history.latest()
        while at is not None:
            found.append(at)
            at = history.older(at)
        return found

    if search is not None:
        await SearchIndex(database).extend()
    indexed, scanned = [await database.read(partial(read, scan=scan)) for scan in (False, True)]
    assert indexed == scanned
    return indexed


async def test_older_and_newer_visit_each_job_once(database: Database) -> None:
    jobs = [ended() for _ in range(3)]
    await insert(database, *jobs)
    ids = [job.id for job in jobs]
    assert await walk(database) == ids[::-1]

    def back(connection: Connection) -> list[str | None]:
        history = HistoryRepository(connection, MINE)
        return [history.newer(ids[0]), history.newer(ids[1]), history.newer(ids[2])]

    assert await database.read(back) == [ids[1], ids[2], None]


async def test_history_contains_only_own_jobs_of_this_guild(database: Database) -> None:
    mine, elsewhere = ended(), ended(guild_id=GUILD + 1)
    theirs = ended(member_id=MEMBER + 1)
    outside = ended(guild_id=0)
    await insert(database, mine, elsewhere, theirs, outside)
    assert await walk(database) == [mine.id]
    # Outside servers it is all that is one's own: a server may be gone, or one may have left it.
    assert set(await walk(database, HistoryScope(0, MEMBER))) == {mine.id, elsewhere.id, outside.id}
    after = await database.read(lambda connection: HistoryRepository(connection, MINE).older(theirs.id))
    assert after == mine.id


async def test_history_contains_every_ended_job_with_images(database: Database) -> None:
    late = [ended(state=State.LOST), ended(state=State.FAILED)]
    removed, without, under_way = ended(), ended(state=State.FAILED), make_job(state=State.STORING)
    await insert(database, *late, removed, without, under_way, pictured=[*late, removed, under_way])
    await database.write(
        lambda connection: ResultImageRepository(connection).remove_stored_before(START.replace(year=2030), START, 1)
    )
    assert await walk(database) == [removed.id, late[1].id, late[0].id]


SEARCHES = [
    ("Fox", True),
    ("RED FOX", True),
    ("x in", True),
    ("foxes", False),
    ("100%", True),
    ("100_", False),
    ("snow_man", True),
    ("%", True),
    ("r_d", False),
    ("back\\slash", True),
    ("\\", True),
    ("ÄPFEL", True),
    ("äpfel", True),
    ("öpfel", False),
    ("été", True),
    ("🦊", True),
    ("🦁", False),
]


@pytest.mark.parametrize(("search", "found"), SEARCHES)
async def test_search_ignores_case_and_takes_wildcards_literally(database: Database, search: str, found: bool) -> None:
    job = ended("a Red fox in 100% snow_man back\\slash Äpfel ÉTÉ 🦊")
    await insert(database, job, ended("a boat"))
    assert await walk(database, search=search) == ([job.id] if found else [])


async def test_search_skips_database_matches_that_are_no_real_matches(database: Database) -> None:
    wanted = ended("crème")
    await insert(database, wanted, *(ended("crime") for _ in range(25)))
    assert await walk(database, search="CRÈME") == [wanted.id]


@pytest.mark.parametrize("word", ["fox", "Füchslein"])
@pytest.mark.parametrize("action", [Action.UPSCALE, Action.CUT_OUT, Action.EDIT, Action.VARY, Action.AGAIN])
async def test_search_matches_prompts_of_earlier_versions_of_an_image(
    database: Database, word: str, action: Action
) -> None:
    fox = ended(f"a red {word}")
    child = made_of(fox, action)
    grandchild = made_of(child, Action.EDIT, "make it snow")
    await insert(database, fox, child, grandchild)
    assert await walk(database, search=word) == [grandchild.id, child.id, fox.id]
    assert await walk(database, search="snow") == [grandchild.id]


@pytest.mark.parametrize("search", ["cat", "chaton né"])
async def test_search_ignores_prompts_of_reference_images(database: Database, search: str) -> None:
    cat = ended(f"a {search}")
    drawn = made_of(cat, Action.REFERENCE, "a harbour")
    larger = made_of(drawn, Action.UPSCALE)
    await insert(database, cat, drawn, larger)
    assert await walk(database, search=search) == [cat.id]
    assert await walk(database, search="harbour") == [larger.id, drawn.id]


@pytest.mark.parametrize("search", ["Keep this picture", "exactly"])
async def test_search_ignores_the_processing_instruction(database: Database, search: str) -> None:
    fox = ended("a fox")
    larger = made_of(fox, Action.UPSCALE)
    edit = made_of(larger, Action.EDIT, "make it snow")
    await insert(database, fox, larger, edit)
    assert await walk(database, search=search) == []


@pytest.mark.parametrize("word", ["fox", "Füchslein"])
@pytest.mark.parametrize(
    ("owner", "private", "deleted", "found"),
    [
        (MEMBER, False, False, True),
        (MEMBER, True, False, True),
        (MEMBER, False, True, False),
        (MEMBER + 1, False, False, True),
        (MEMBER + 1, True, False, False),
        (MEMBER + 1, False, True, False),
    ],
)
async def test_search_ignores_invisible_prompts_of_ancestors(
    database: Database, word: str, owner: int, *, private: bool, deleted: bool, found: bool
) -> None:
    """A private prompt must not be guessable; a deleted one is gone."""
    parent = ended(f"a {word}", member_id=owner, private=private)
    between = made_of(parent, Action.UPSCALE, member_id=MEMBER + 2)
    child = made_of(between, Action.EDIT, "make it snow")
    await insert(database, parent, between, child)
    if deleted:
        await database.write(lambda connection: JobRepository(connection).set_deleted(parent.id, START))
    assert (child.id in await walk(database, search=word)) == found
    assert await walk(database, search="snow") == [child.id]


@pytest.mark.parametrize("word", ["fox", "Füchslein"])
async def test_search_follows_at_most_the_longest_chain_of_ancestors(database: Database, word: str) -> None:
    chain = [made_of(ended(), Action.EDIT, f"a {word}")]
    for _ in range(LONGEST_CHAIN + 1):
        chain.append(made_of(chain[-1], Action.UPSCALE))
    await insert(database, *chain)
    assert await walk(database, search=word) == [job.id for job in reversed(chain[:-1])]


def statements_of(connection: Connection, read: Callable[[], object]) -> list[str]:
    """Return the statements executed by `read`."""
    asked: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        asked.append(statement)

    event.listen(connection, "before_cursor_execute", note)
    read()
    event.remove(connection, "before_cursor_execute", note)
    return asked


@pytest.mark.parametrize("search", ["fox", "日", "crème"])
async def test_search_executes_one_statement_past_hundreds_of_mismatches(database: Database, search: str) -> None:
    await insert(database, *(ended("crime") for _ in range(300)))

    def read(connection: Connection) -> tuple[list[str], list[str]]:
        history = HistoryRepository(connection, MINE, search)
        return statements_of(connection, history.latest), statements_of(connection, lambda: history.newer("0" * 32))

    latest, newer = await database.read(read)
    assert (len(latest), len(newer)) == (1, 1)


@pytest.fixture
def short_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a search read 30 jobs only."""
    monkeypatch.setattr("db.history._searched_page", partial(_searched_page, most=30))


@pytest.mark.usefixtures("short_search")
async def test_search_stops_after_the_maximum_of_jobs(database: Database) -> None:
    far, *between = [ended("日"), *(ended("crime") for _ in range(15))]
    near, *since = [ended("日本"), *(ended("crime") for _ in range(15))]
    await insert(database, far, *between, near, *since)
    assert await walk(database, search="本") == [near.id]
    assert await walk(database, search="日") == [near.id, far.id]

    await insert(database, *(ended("crime") for _ in range(15)))
    assert await walk(database, search="日") == []


@pytest.mark.parametrize(
    ("scope", "index"),
    [
        (MINE, "ix_jobs_listed (member_id=? AND community_id=?"),
        (MINE._replace(favourites=True), "ix_jobs_favourite (member_id=?"),
        (HistoryScope(0, MEMBER, favourites=True), "ix_jobs_favourite (member_id=?"),
    ],
)
@pytest.mark.parametrize("search", [None, "fox", "日"])
async def test_history_statements_use_the_index_of_their_jobs(
    sqlite_database: Database, scope: HistoryScope, index: str, search: str | None
) -> None:
    def plans(connection: Connection) -> list[str]:
        asked: list[tuple[str, Any]] = []

        def note(_: object, __: object, statement: str, parameters: Any, ___: object, ____: object) -> None:
            asked.append((statement, parameters))

        history = HistoryRepository(connection, scope, search)
        event.listen(connection, "before_cursor_execute", note)
        history.latest()
        history.newer("0" * 32)
        if search is None:
            history.locate("0" * 32)
        event.remove(connection, "before_cursor_execute", note)
        return [
            row[3]
            for statement, parameters in asked
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]

    lines = await sqlite_database.read(plans)
    ways = [" AND id<?)", " AND id>?)", *([")"] if search is None else [])]
    assert [line for line in lines if " jobs " in line] == [f"SEARCH jobs USING INDEX {index}{way}" for way in ways]
    assert [line for line in lines if line.startswith("SCAN") and line not in ("SCAN near", "SCAN chain")] == []


@pytest.mark.parametrize(
    ("prompt", "search", "found"),
    [
        ("a house in the Stra\u00dfe", "strasse", True),
        ("a house in the strasse", "STRA\u00dfE", True),
        ("\uff33\uff34\uff32\uff21\uff33\uff33\uff25", "stra\u00dfe", True),
        ("the \ufb01lter", "FILTER", True),
        ("e\u0301te\u0301", "\u00c9T\u00c9", True),
        ("\u039f\u03b4\u03cc\u03c2", "\u039f\u0394\u039f\u03a3", False),
        ("\u1f48\u03b4\u03cc\u03c2", "\u1f40\u03b4\u03cc\u03c3", True),
        ("two\nwords", "two words", True),
        ("two \t\u3000 words", "two words", True),
        ("two words", "two  words", True),
        ("twowords", "two words", False),
    ],
)
async def test_search_compares_normalized_texts(database: Database, prompt: str, search: str, found: bool) -> None:
    """Alike on both databases, also in an earlier version's prompt."""
    job = ended(prompt)
    larger = made_of(job, Action.UPSCALE)
    await insert(database, job, larger)
    assert await walk(database, search=search) == ([larger.id, job.id] if found else [])


async def test_search_does_not_match_across_two_prompts(database: Database) -> None:
    fox = ended("a fox")
    edit = made_of(fox, Action.EDIT, "make it snow")
    await insert(database, fox, edit)
    assert await walk(database, search="snow a fox") == []


async def test_deleted_prompt_is_found_nowhere(database: Database) -> None:
    """Its words stay for the card's chain, and not for searches."""
    fox = ended("a fox")
    larger = made_of(fox, Action.UPSCALE)
    await insert(database, fox, larger)
    await database.write(lambda connection: JobRepository(connection).set_deleted(fox.id, START))
    assert await walk(database, search="fox") == []
    stored = await database.read(
        lambda connection: connection.execute(select(jobs_table.c.search_text)).scalars().all()
    )
    assert stored == [None, None]


async def test_search_leaves_other_readers_free(database: Database) -> None:
    """Searches wait for each other; reads pass them."""
    running = threading.Event()
    reads_done = threading.Event()

    def search(connection: Connection) -> bool:
        connection.exec_driver_sql("SELECT 1")
        running.set()
        return reads_done.is_set()

    searches = [asyncio.create_task(database.search(search)) for _ in range(20)]
    await asyncio.to_thread(running.wait, 60)
    for _ in range(10):
        assert await walk(database) == []
    reads_done.set()
    assert len(await asyncio.gather(*searches)) == 20
