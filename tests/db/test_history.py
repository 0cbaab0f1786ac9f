from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, event

from bot.domain.jobs import LONGEST_CHAIN, Action, Job, Origin, State
from bot.domain.remix import KEEP_AS_IT_IS
from db.database import Database
from db.history import HistoryRepository, HistoryScope
from db.jobs import JobRepository
from db.pictures import ResultImageRepository
from tests.support.clock import START
from tests.support.factories import GUILD, MEMBER, make_context, make_image, make_job, make_request
from tests.support.ledger import adding

MINE = HistoryScope(GUILD, MEMBER)


def ended(prompt: str = "a fox", *, state: State = State.DONE, **place: Any) -> Job:
    """Return a job that has ended."""
    return make_job(
        request=make_request(prompt=prompt), place=make_context(**place), state=state, finished_at=START, charged=0
    )


def made_of(parent: Job, action: Action, prompt: str = KEEP_AS_IT_IS, **place: Any) -> Job:
    """Return an ended job that was made of another's first picture."""
    return replace(ended(prompt, **place), origin=Origin(action=action, job_id=parent.id, position=0))


async def keep(database: Database, *jobs: Job, pictured: Iterable[Job] | None = None) -> None:
    """Insert jobs, each (or those named) with a picture."""
    await database.write(adding(*jobs))
    pictures = [make_image(job) for job in (jobs if pictured is None else pictured)]
    await database.write(lambda connection: ResultImageRepository(connection).add_all(pictures, START))


async def walk(database: Database, whose: HistoryScope = MINE, search: str | None = None) -> list[str]:
    """Return the ids on all pages, from the latest to the oldest."""

    def read(connection: Connection) -> list[str]:
        history = HistoryRepository(connection, whose, search)
        found = []
        at = history.latest()
        while at is not None:
            found.append(at)
            at = history.older(at)
        return found

    return await database.read(read)


async def test_the_latest_comes_first_and_both_ways_lead_back(database: Database) -> None:
    """From the latest to the oldest and back, each once."""
    jobs = [ended() for _ in range(3)]
    await keep(database, *jobs)
    ids = [job.id for job in jobs]
    assert await walk(database) == ids[::-1]

    def back(connection: Connection) -> list[str | None]:
        history = HistoryRepository(connection, MINE)
        return [history.newer(ids[0]), history.newer(ids[1]), history.newer(ids[2])]

    assert await database.read(back) == [ids[1], ids[2], None]


async def test_only_ones_own_jobs_of_this_community(database: Database) -> None:
    """Others' jobs and those of other communities are not there, even where one pages from one of them."""
    mine, elsewhere = ended(), ended(guild_id=GUILD + 1)
    theirs = ended(member_id=MEMBER + 1)
    outside = ended(guild_id=0)
    await keep(database, mine, elsewhere, theirs, outside)
    assert await walk(database) == [mine.id]
    # Outside servers it is all that is one's own: a server may be gone, or one may have left it.
    assert set(await walk(database, HistoryScope(0, MEMBER))) == {mine.id, elsewhere.id, outside.id}
    after = await database.read(lambda connection: HistoryRepository(connection, MINE).older(theirs.id))
    assert after == mine.id


async def test_what_has_pictures_and_has_ended(database: Database) -> None:
    """Every end with pictures is there, removed ones too; what is under way or had none is not."""
    late = [ended(state=State.LOST), ended(state=State.FAILED)]
    removed, without, under_way = ended(), ended(state=State.FAILED), make_job(state=State.STORING)
    await keep(database, *late, removed, without, under_way, pictured=[*late, removed, under_way])
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
async def test_a_search_is_a_part_of_the_prompt_in_any_case(database: Database, search: str, found: bool) -> None:  # noqa: FBT001
    """Whatever the case, also beyond ASCII; what LIKE would take for a wildcard stands for itself."""
    job = ended("a Red fox in 100% snow_man back\\slash Äpfel ÉTÉ 🦊")
    await keep(database, job, ended("a boat"))
    assert await walk(database, search=search) == ([job.id] if found else [])


async def test_false_friends_of_a_search_do_not_hide_what_is_behind_them(database: Database) -> None:
    """Prompts that only the database takes for a match are passed over, however many they are."""
    wanted = ended("crème")
    await keep(database, wanted, *(ended("crime") for _ in range(25)))
    assert await walk(database, search="CRÈME") == [wanted.id]


@pytest.mark.parametrize("word", ["fox", "Füchslein"])
@pytest.mark.parametrize("action", [Action.UPSCALE, Action.CUT_OUT, Action.EDIT, Action.VARY, Action.AGAIN])
async def test_what_was_made_of_a_picture_is_found_by_its_words(database: Database, word: str, action: Action) -> None:
    """An enlarged fox is still a fox, and so is what was made of that; both kinds of search know."""
    fox = ended(f"a red {word}")
    child = made_of(fox, action)
    grandchild = made_of(child, Action.EDIT, "make it snow")
    await keep(database, fox, child, grandchild)
    assert await walk(database, search=word) == [grandchild.id, child.id, fox.id]
    assert await walk(database, search="snow") == [grandchild.id]


@pytest.mark.parametrize("search", ["cat", "chaton né"])
async def test_a_picture_to_go_by_lends_no_words(database: Database, search: str) -> None:
    """What was only drawn by another picture is something new, and so is what comes of it."""
    cat = ended(f"a {search}")
    drawn = made_of(cat, Action.REFERENCE, "a harbour")
    larger = made_of(drawn, Action.UPSCALE)
    await keep(database, cat, drawn, larger)
    assert await walk(database, search=search) == [cat.id]
    assert await walk(database, search="harbour") == [larger.id, drawn.id]


@pytest.mark.parametrize("search", ["Keep this picture", "exactly"])
async def test_our_own_instruction_is_no_word_of_a_member(database: Database, search: str) -> None:
    """Neither a picture that was only processed nor what was made of that is found by what we told the model."""
    fox = ended("a fox")
    larger = made_of(fox, Action.UPSCALE)
    edit = made_of(larger, Action.EDIT, "make it snow")
    await keep(database, fox, larger, edit)
    assert await walk(database, search=search) == []


@pytest.mark.parametrize("word", ["fox", "Füchslein"])
@pytest.mark.parametrize(
    ("whose", "private", "deleted", "found"),
    [
        (MEMBER, False, False, True),
        (MEMBER, True, False, True),
        (MEMBER, False, True, True),
        (MEMBER + 1, False, False, True),
        (MEMBER + 1, True, False, False),
        (MEMBER + 1, False, True, False),
    ],
)
async def test_only_words_that_one_can_see_find_anything(
    database: Database, word: str, whose: int, *, private: bool, deleted: bool, found: bool
) -> None:
    """Another's private prompt, or one that they deleted, cannot be guessed at by searching for what was made of it."""
    parent = ended(f"a {word}", member_id=whose, private=private)
    between = made_of(parent, Action.UPSCALE, member_id=MEMBER + 2)
    child = made_of(between, Action.EDIT, "make it snow")
    await keep(database, parent, between, child)
    if deleted:
        await database.write(lambda connection: JobRepository(connection).set_deleted(parent.id, START))
    assert (child.id in await walk(database, search=word)) == found
    assert await walk(database, search="snow") == [child.id]


@pytest.mark.parametrize("word", ["fox", "Füchslein"])
async def test_words_are_looked_for_as_far_back_as_a_page_tells(database: Database, word: str) -> None:
    """A chain without end would be one statement without end; one whose beginning is gone is searched as it is."""
    chain = [made_of(ended(), Action.EDIT, f"a {word}")]
    for _ in range(LONGEST_CHAIN + 1):
        chain.append(made_of(chain[-1], Action.UPSCALE))
    await keep(database, *chain)
    assert await walk(database, search=word) == [job.id for job in reversed(chain[:-1])]


def statements_of(connection: Connection, read: Callable[[], object]) -> list[str]:
    """Return the statements that are run for what is read."""
    asked: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        asked.append(statement)

    event.listen(connection, "before_cursor_execute", note)
    read()
    event.remove(connection, "before_cursor_execute", note)
    return asked


@pytest.mark.parametrize("search", ["fox", "日", "crème"])
async def test_one_statement_whatever_is_sought(database: Database, search: str) -> None:
    """Hundreds of prompts that do not match are no reason to ask the database again."""
    await keep(database, *(ended("crime") for _ in range(300)))

    def read(connection: Connection) -> tuple[list[str], list[str]]:
        history = HistoryRepository(connection, MINE, search)
        return statements_of(connection, history.latest), statements_of(connection, lambda: history.newer("0" * 32))

    latest, newer = await database.read(read)
    assert (len(latest), len(newer)) == (1, 1)


async def test_a_search_beyond_ascii_goes_through_so_many_jobs(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is further away is not found, and the bound holds for the whole search."""
    monkeypatch.setattr("db.history._MAX_SEARCHED", 30)
    far, *between = [ended("日"), *(ended("crime") for _ in range(15))]
    near, *since = [ended("日本"), *(ended("crime") for _ in range(15))]
    await keep(database, far, *between, near, *since)
    assert await walk(database, search="本") == [near.id]
    assert await walk(database, search="日") == [near.id, far.id]

    await keep(database, *(ended("crime") for _ in range(15)))
    assert await walk(database, search="日") == []


@pytest.mark.parametrize("search", [None, "fox", "日"])
async def test_old_jobs_cost_nothing(sqlite_database: Database, search: str | None) -> None:
    """Each way goes through the member's index, and never through the table."""

    def plans(connection: Connection) -> list[str]:
        asked: list[tuple[str, Any]] = []

        def note(_: object, __: object, statement: str, parameters: Any, ___: object, ____: object) -> None:
            asked.append((statement, parameters))

        event.listen(connection, "before_cursor_execute", note)
        history = HistoryRepository(connection, MINE, search)
        history.latest()
        history.newer("0" * 32)
        event.remove(connection, "before_cursor_execute", note)
        return [
            row[3]
            for statement, parameters in asked
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]

    lines = await sqlite_database.read(plans)
    way = "SEARCH jobs USING INDEX ix_jobs_member (community_id=? AND member_id=? AND id"
    assert [line for line in lines if " jobs " in line] == [f"{way}<?)", f"{way}>?)"]
    assert [line for line in lines if line.startswith("SCAN") and line not in ("SCAN near", "SCAN chain")] == []
