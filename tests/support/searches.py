"""Jobs for searches of `/history`, and their comparison with the scan."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Any, Final

from hypothesis import strategies as st
from sqlalchemy import Connection

from bot.domain.jobs import Action, Job, Origin, State
from bot.domain.requests import KEEP_AS_IT_IS
from db.database import Database
from db.history import HistoryRepository, HistoryScope, Place
from db.jobs import JobRepository
from db.pictures import ResultImageRepository
from db.prompts import PromptRepository
from db.search_index import find_prompts
from tests.support.clock import START
from tests.support.factories import GUILD, MEMBER, make_context, make_image, make_job, make_request
from tests.support.ledger import adding

MINE: Final = HistoryScope(GUILD, MEMBER)
# Few letters, so that texts often match; with the characters that query languages treat specially.
_LETTERS: Final = "aB%_\"'\\ *-ßÉ🦊İ(^"


def ended(prompt: str = "a red fox", origin: Origin | None = None, **place: Any) -> Job:
    """Return an ended job."""
    job = make_job(
        request=make_request(prompt=prompt),
        place=make_context(**place),
        state=State.DONE,
        finished_at=START,
        delivered_at=START,
        charged=0,
    )
    return replace(job, origin=origin)


async def insert(database: Database, *jobs: Job) -> None:
    """Insert jobs, each with an image."""
    await database.write(lambda connection: add_with_images(connection, jobs))


def add_with_images(connection: Connection, jobs: Sequence[Job]) -> None:
    """Insert jobs, each with an image, within a transaction."""
    adding(*jobs)(connection)
    ResultImageRepository(connection).add_all([make_image(job) for job in jobs], START)


def set_deleted(connection: Connection, job: Job) -> None:
    """Delete a job."""
    JobRepository(connection).set_deleted(job.id, START)


def erase(connection: Connection, job: Job) -> None:
    """Erase a job's words."""
    PromptRepository(connection).erase([job.id], START)


async def found(database: Database, wanted: str) -> list[str] | None:
    """Return the ids found by the index; None without it."""
    return await database.read(lambda connection: find_prompts(connection, wanted))


async def searched(database: Database, search: str, scope: HistoryScope = MINE) -> list[str]:
    """Return the ids of the history's matches, the latest first."""
    return await database.read(lambda connection: HistoryRepository(connection, scope, search).list_latest(100))


@st.composite
def histories(draw: st.DrawFn) -> list[Job]:
    """Return jobs of two members in two guilds, some made from earlier ones."""
    jobs: list[Job] = []
    for _ in range(draw(st.integers(1, 9))):
        origin = None
        is_made_of_another: bool = draw(st.booleans())
        if jobs and is_made_of_another:
            action = draw(st.sampled_from([Action.EDIT, Action.UPSCALE, Action.REFERENCE]))
            origin = Origin(action=action, job_id=draw(st.sampled_from(jobs)).id, position=0)
        prompt = draw(st.text(_LETTERS, min_size=1, max_size=12) | st.just(KEEP_AS_IT_IS))
        place: dict[str, Any] = {
            "member_id": draw(st.sampled_from([MEMBER, MEMBER + 1])),
            "guild_id": draw(st.sampled_from([GUILD, GUILD + 1])),
            "private": draw(st.sampled_from([False, True])),
        }
        jobs.append(ended(prompt, origin, **place))
    return jobs


def searched_texts() -> st.SearchStrategy[list[str]]:
    """Return texts of the letters of `histories`."""
    return st.lists(st.text(_LETTERS, min_size=1, max_size=5).filter(str.strip), min_size=1, max_size=3)


def change_some(connection: Connection, jobs: list[Job], data: st.DataObject) -> None:
    """Delete some of the jobs, erase the words of some, and choose favourites."""
    for job in data.draw(st.lists(st.sampled_from(jobs), max_size=3)):
        data.draw(st.sampled_from([set_deleted, erase]))(connection, job)
    for job in data.draw(st.lists(st.sampled_from(jobs), max_size=2)):
        JobRepository(connection).set_favourite(job.id, START)


def compare_with_scan(connection: Connection, jobs: list[Job], searches: list[str], data: st.DataObject) -> None:
    """Search for texts and parts of prompts, by index and by scan."""
    # Parts of the prompts are searched more often than chance would.
    parts = [job.request.prompt[:4] for job in jobs if job.request.prompt[:4].strip()]
    for search, guild, favourites in product([*searches, *parts[:4]], (0, GUILD), (False, True)):
        scope = HistoryScope(guild, MEMBER, favourites)
        history = HistoryRepository(connection, scope, search)
        scan = HistoryRepository(connection, scope, search)
        scan._indexed = None
        near = data.draw(st.sampled_from(jobs)).id
        assert _all_of(history, near) == _all_of(scan, near)


def _all_of(history: HistoryRepository, job_id: str) -> tuple[list[str], list[str], list[str], Place]:
    return (
        history.list_latest(100),
        history.list_older(job_id, 2),
        history.list_newer(job_id, 2),
        history.locate(job_id),
    )
