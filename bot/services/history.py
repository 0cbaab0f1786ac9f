"""A member's own finished jobs with their images, one page per job."""

import asyncio
import unicodedata
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from bot.domain.errors import SearchGoneError, SearchRunningError
from bot.domain.images import ResultImage
from bot.domain.jobs import Job
from bot.domain.searches import SEARCH_LIFETIME, Search
from bot.engine.clock import Clock
from bot.services.details import Link, read_lineage
from bot.services.member_limits import MAX_STORED, FreeAction, MemberLimits
from db.database import Database
from db.history import HistoryRepository, HistoryScope
from db.jobs import JobRepository
from db.pictures import ResultImageRepository
from db.searches import SearchRepository

LONGEST_SEARCH: Final = 100
MOST_SEARCHES: Final = 2
"""Searches of one member at a time: one that runs and one that waits."""

_log = structlog.get_logger(__name__)


class Direction(StrEnum):
    """The direction of a page turn."""

    NEWER = "newer"
    OLDER = "older"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One job with its kept images.

    `removed` counts the images past their retention. `newer` and `older` say whether there are jobs on either side. All
    pages of a `search` match its query. `chain` holds the earlier jobs that this one was made from.
    """

    job: Job
    pictures: tuple[ResultImage, ...]
    removed: int
    newer: bool
    older: bool
    search: Search | None = None
    chain: tuple[Link, ...] = ()


class HistoryService:
    """Read access to past jobs.

    Members see only their own: those of one guild, or all of them outside guilds (guild 0).
    """

    def __init__(self, *, database: Database, clock: Clock, new_id: Callable[[], str], limits: MemberLimits) -> None:
        self._database = database
        self._clock = clock
        self._new_id = new_id
        self._limits = limits
        self._turns: dict[int, asyncio.Lock] = {}
        self._searching: dict[int, int] = {}

    async def open(self, guild_id: int, member_id: int, query: str | None = None) -> Page | None:
        """Return the latest page; with a query, the latest match.

        None if there is no page. A query is part of a prompt. The search is stored for `SEARCH_LIFETIME`, so that the
        page's buttons can refer to it by id.

        Raises:
            TooManyRequestsError: the member searched very often within a minute.
            SearchRunningError: the member has `MOST_SEARCHES` searches running and waiting.
        """
        wanted = _normalized(query)
        search = None
        if wanted is not None:
            search = Search(id=self._new_id(), member_id=member_id, query=wanted, created_at=self._clock.now())

        def read(connection: Connection) -> Page | None:
            history = _history(connection, guild_id, member_id, search)
            return _page(connection, history, history.latest(), search)

        if search is None:
            return await self._database.read(read)
        async with self._search_turn(member_id):
            page = await self._database.search(read)
        # Searching may take a while, so it is a read: the writer stays free. A search without a page has no buttons.
        if page is not None:
            try:
                await self._database.write(lambda connection: SearchRepository(connection).add(search, most=MAX_STORED))
            except SQLAlchemyError as error:
                # A full disk, for instance: the page can be shown, only its buttons would lead nowhere.
                _log.error("search.not_stored", error=type(error).__name__)
                return replace(page, newer=False, older=False)
        return page

    async def get_search(self, search_id: str, member_id: int) -> Search:
        """Return a member's search.

        Raises:
            SearchGoneError: it is no longer stored, or another member's.
        """
        search = await self._database.read(lambda connection: SearchRepository(connection).get(search_id))
        if search.member_id != member_id or search.created_at + SEARCH_LIFETIME < self._clock.now():
            raise SearchGoneError
        return search

    async def turn(
        self, guild_id: int, member_id: int, job_id: str, direction: Direction, search: Search | None = None
    ) -> Page | None:
        """Return the page next to a job's, else the latest; None without any.

        Raises as `open`.
        """

        def read(connection: Connection) -> Page | None:
            history = _history(connection, guild_id, member_id, search)
            found = history.newer(job_id) if direction is Direction.NEWER else history.older(job_id)
            return _page(connection, history, found or history.latest(), search)

        if search is None:
            return await self._database.read(read)
        async with self._search_turn(member_id):
            return await self._database.search(read)

    @asynccontextmanager
    async def _search_turn(self, member_id: int) -> AsyncIterator[None]:
        """Run a member's searches one after another, and refuse most."""
        self._limits.count(FreeAction.SEARCH, member_id)
        if self._searching.get(member_id, 0) >= MOST_SEARCHES:
            raise SearchRunningError
        self._searching[member_id] = self._searching.get(member_id, 0) + 1
        try:
            async with self._turns.setdefault(member_id, asyncio.Lock()):
                yield
        finally:
            self._searching[member_id] -= 1
            if not self._searching[member_id]:
                del self._searching[member_id], self._turns[member_id]


def _history(connection: Connection, guild_id: int, member_id: int, search: Search | None) -> HistoryRepository:
    return HistoryRepository(connection, HistoryScope(guild_id, member_id), None if search is None else search.query)


def _page(connection: Connection, history: HistoryRepository, job_id: str | None, search: Search | None) -> Page | None:
    if job_id is None:
        return None
    images = ResultImageRepository(connection)
    job = JobRepository(connection).get(job_id)
    return Page(
        job=job,
        pictures=images.list_for(job_id),
        removed=images.count_removed(job_id),
        newer=history.newer(job_id) is not None,
        older=history.older(job_id) is not None,
        search=search,
        chain=read_lineage(connection, job),
    )


def _normalized(query: str | None) -> str | None:
    """Return a query on one line, or None if nothing is left.

    It has at most `LONGEST_SEARCH` characters. Control characters and lone surrogates become spaces: no stored prompt
    contains them.
    """
    if query is None:
        return None
    printable = "".join(" " if unicodedata.category(character) in ("Cc", "Cs") else character for character in query)
    return " ".join(printable.split())[:LONGEST_SEARCH].rstrip() or None
