"""Looking back: a member's own finished jobs, one at a time, with their pictures."""

import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection

from bot.domain.images import ResultImage
from bot.domain.jobs import Job
from bot.services.details import Link, read_lineage
from db.database import Database
from db.history import HistoryRepository, HistoryScope
from db.jobs import JobRepository
from db.pictures import ResultImageRepository

LONGEST_SEARCH: Final = 100


class Direction(StrEnum):
    """Which way to turn a page."""

    NEWER = "newer"
    OLDER = "older"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One job with the pictures that are still kept; `removed` counts those whose retention has ended.

    `newer` and `older` tell whether there are jobs on either side; `search` is what all of them have in their prompt;
    `chain` are the jobs before this one, from which it was made.
    """

    job: Job
    pictures: tuple[ResultImage, ...]
    removed: int
    newer: bool
    older: bool
    search: str | None = None
    chain: tuple[Link, ...] = ()


class HistoryService:
    """Reads past jobs. Whoever asks sees their own alone, of the community that they ask in (outside one, of all)."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def latest(self, guild_id: int, member_id: int, search: str | None = None) -> Page | None:
        """Return the latest job that has pictures, and `search` in its prompt; None where there is none."""
        wanted = _tidied(search)

        def read(connection: Connection) -> Page | None:
            history = HistoryRepository(connection, HistoryScope(guild_id, member_id), wanted)
            return _page(connection, history, history.latest(), wanted)

        return await self._database.read(read)

    async def turn(
        self, guild_id: int, member_id: int, job_id: str, direction: Direction, search: str | None = None
    ) -> Page | None:
        """Return the page next to that of `job_id`; the latest where there is none, and None where there is no page."""
        wanted = _tidied(search)

        def read(connection: Connection) -> Page | None:
            history = HistoryRepository(connection, HistoryScope(guild_id, member_id), wanted)
            found = history.newer(job_id) if direction is Direction.NEWER else history.older(job_id)
            return _page(connection, history, found or history.latest(), wanted)

        return await self._database.read(read)


def _page(connection: Connection, history: HistoryRepository, job_id: str | None, search: str | None) -> Page | None:
    if job_id is None:
        return None
    kept = ResultImageRepository(connection)
    job = JobRepository(connection).get(job_id)
    return Page(
        job=job,
        pictures=kept.list_for(job_id),
        removed=kept.count_removed(job_id),
        newer=history.newer(job_id) is not None,
        older=history.older(job_id) is not None,
        search=search,
        chain=read_lineage(connection, job),
    )


def _tidied(search: str | None) -> str | None:
    """Return a search on one line, of bounded length, without what no prompt has; None where nothing is left."""
    if search is None:
        return None
    printable = "".join(" " if unicodedata.category(sign) in ("Cc", "Cs") else sign for sign in search)
    return " ".join(printable.split())[:LONGEST_SEARCH].rstrip() or None
