"""A member's own finished jobs with their images.

An overview lists several, a page shows one.
"""

import asyncio
import unicodedata
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, TypeVar

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from bot.domain.errors import JobDeletedError, NotAllowedError, SearchGoneError, SearchRunningError
from bot.domain.images import ResultImage
from bot.domain.jobs import Job
from bot.domain.lazy_text import LazyText
from bot.domain.searches import SEARCH_LIFETIME, Search
from bot.engine.clock import Clock
from bot.services.details import Link, read_lineage
from bot.services.jobs import Actor, check_visible
from bot.services.member_limits import MAX_STORED, FreeAction, MemberLimits
from bot.services.sharing.availability import is_shareable
from db.database import Database
from db.history import HistoryRepository, HistoryScope
from db.jobs import JobRepository
from db.pictures import ResultImageRepository
from db.searches import SearchRepository
from db.takedowns import TakedownRepository

LONGEST_SEARCH: Final = 100
JOBS_PER_OVERVIEW: Final = 9
"""Discord shows nine pictures as three rows of three."""
MOST_SEARCHES: Final = 2
"""Searches of one member at a time: one that runs and one that waits."""

_log = structlog.get_logger(__name__)

_Read = TypeVar("_Read")


class Direction(StrEnum):
    """The direction of a page turn."""

    NEWER = "newer"
    OLDER = "older"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The jobs to page through.

    They are a member's in one guild, or all of them outside guilds (guild 0); only `favourites`, and only matches of a
    `search`, if asked for.
    """

    guild_id: int
    member_id: int
    favourites: bool = False
    search: Search | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One job with its kept images.

    `removed` counts the images past their retention, `taken_down` those of takedowns. `position` counts from 1 for the
    latest of `total` jobs; it is 0 if the job is not among them, such as a former favourite. `newer` and `older` say
    whether there are jobs on either side. All pages of a `search` match its query, and all pages of `favourites` are
    such. `chain` holds the earlier jobs that this one was made from. `is_shareable`: its server has a showcase for its
    pictures.
    """

    job: Job
    pictures: tuple[ResultImage, ...]
    removed: int
    position: int
    total: int
    newer: bool
    older: bool
    search: Search | None = None
    favourites: bool = False
    chain: tuple[Link, ...] = ()
    is_shareable: bool = False
    taken_down: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A job on an overview, with its kept images and the number of others."""

    job: Job
    pictures: tuple[ResultImage, ...]
    removed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Several jobs, the latest first.

    `first` is the position of the first one, from 1, among `total`. `turns` is False if no button can lead on.
    """

    entries: tuple[Entry, ...]
    first: int
    total: int
    search: Search | None = None
    favourites: bool = False
    turns: bool = True

    @property
    def last(self) -> int:
        """The position of the last entry."""
        return self.first + len(self.entries) - 1


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

    async def open(self, guild_id: int, member_id: int, query: str | None = None) -> Overview | None:
        """Return the overview of the latest jobs, or of the latest matches.

        None if there are none. A query is part of a prompt. The search is stored for `SEARCH_LIFETIME`, so that the
        buttons can refer to it by id.

        Raises:
            TooManyRequestsError: the member searched very often within a minute.
            SearchRunningError: the member has `MOST_SEARCHES` searches running and waiting.
        """
        wanted = _normalized(query)
        search = None
        if wanted is not None:
            search = Search(id=self._new_id(), member_id=member_id, query=wanted, created_at=self._clock.now())
        selection = Selection(guild_id=guild_id, member_id=member_id, search=search)

        def read(connection: Connection) -> Overview | None:
            history = _history(connection, selection)
            return _overview(connection, history, history.list_latest(JOBS_PER_OVERVIEW), selection)

        overview = await self._read(selection, read)
        # Searching may take a while, so it is a read: the writer stays free. A search without a hit has no buttons.
        if search is not None and overview is not None:
            try:
                await self._database.write(lambda connection: SearchRepository(connection).add(search, most=MAX_STORED))
            except SQLAlchemyError as error:
                # A full disk, for instance: the pictures can be shown, only the buttons would lead nowhere.
                _log.error("search.not_stored", error=type(error).__name__)
                return replace(overview, turns=False)
        return overview

    async def get_search(self, search_id: str, member_id: int) -> Search:
        """Return a member's search.

        Raises:
            SearchGoneError: it is no longer stored, or another member's.
        """
        search = await self._database.read(lambda connection: SearchRepository(connection).get(search_id))
        if search.member_id != member_id or search.created_at + SEARCH_LIFETIME < self._clock.now():
            raise SearchGoneError
        return search

    async def browse(self, selection: Selection, job_id: str, direction: Direction | None = None) -> Overview | None:
        """Return an overview near a job: with it, or the next in a direction.

        `job_id` is then the first or last job of an overview. Without such jobs it is the latest overview; None without
        any. Raises as `open`.
        """

        def read(connection: Connection) -> Overview | None:
            history = _history(connection, selection)
            match direction:
                case Direction.OLDER:
                    ids = history.list_older(job_id, JOBS_PER_OVERVIEW)
                case Direction.NEWER:
                    ids = history.list_newer(job_id, JOBS_PER_OVERVIEW)[::-1]
                    ids = ids if len(ids) == JOBS_PER_OVERVIEW else []
                case None:
                    place = history.locate(job_id)
                    at = min(place.newer, place.total - 1)
                    before = history.list_newer(job_id, place.newer - at // JOBS_PER_OVERVIEW * JOBS_PER_OVERVIEW)
                    ids = history.list_from([job_id, *before][-1], JOBS_PER_OVERVIEW)
            return _overview(connection, history, ids or history.list_latest(JOBS_PER_OVERVIEW), selection)

        return await self._read(selection, read)

    async def get(self, selection: Selection, job_id: str) -> Page:
        """Return a job's page. Its neighbours are those of the selection.

        Raises as `open`.

        Raises:
            JobNotFoundError: there is no such job.
            JobDeletedError: the job was deleted.
            NotAllowedError: the job is another member's, or of another server.
        """

        def read(connection: Connection) -> Page:
            if not _history(connection, replace(selection, favourites=False, search=None)).contains(job_id):
                check_visible(JobRepository(connection).get(job_id), Actor(member_id=selection.member_id))
                raise NotAllowedError(LazyText("its member"))
            return _page(connection, _history(connection, selection), job_id, selection)

        return await self._read(selection, read)

    async def turn(self, selection: Selection, job_id: str, direction: Direction) -> Page | None:
        """Return the page next to a job's, else the latest; None without any.

        Raises as `open`.
        """

        def read(connection: Connection) -> Page | None:
            history = _history(connection, selection)
            found = history.newer(job_id) if direction is Direction.NEWER else history.older(job_id)
            found = found or history.latest()
            return None if found is None else _page(connection, history, found, selection)

        return await self._read(selection, read)

    async def mark_favourite(self, job_id: str, member_id: int, *, favourite: bool) -> None:
        """Mark or unmark a member's own job as a favourite. Idempotent.

        Raises:
            JobNotFoundError: there is no such job.
            JobDeletedError: the job was deleted.
            NotAllowedError: the job is another member's.
        """
        await self._set_favourite(job_id, member_id, lambda _: favourite)

    async def toggle_favourite(self, job_id: str, member_id: int) -> bool:
        """Mark or unmark a job, and return whether it is a favourite now.

        Raises as `mark_favourite`.
        """
        return await self._set_favourite(job_id, member_id, lambda job: job.favourite_at is None)

    async def _set_favourite(self, job_id: str, member_id: int, choose: Callable[[Job], bool]) -> bool:
        now = self._clock.now()

        def write(connection: Connection) -> bool:
            jobs = JobRepository(connection)
            job = jobs.get(job_id)
            if job.place.member_id != member_id:
                raise NotAllowedError(LazyText("its member"))
            if job.deleted_at is not None:
                raise JobDeletedError
            favourite = choose(job)
            jobs.set_favourite(job_id, now if favourite else None)
            return favourite

        return await self._database.write(write)

    async def _read(self, selection: Selection, read: Callable[[Connection], _Read]) -> _Read:
        """Read at once, or as a search in the member's turn."""
        if selection.search is None:
            return await self._database.read(read)
        async with self._search_turn(selection.member_id):
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


def _history(connection: Connection, selection: Selection) -> HistoryRepository:
    scope = HistoryScope(selection.guild_id, selection.member_id, selection.favourites)
    return HistoryRepository(connection, scope, None if selection.search is None else selection.search.query)


def _overview(
    connection: Connection, history: HistoryRepository, ids: Sequence[str], selection: Selection
) -> Overview | None:
    if not ids:
        return None
    images = ResultImageRepository(connection).list_for_all(ids)
    place = history.locate(ids[0])
    return Overview(
        entries=tuple(
            Entry(job=job, pictures=tuple(images[job.id][0]), removed=images[job.id][1])
            for job in JobRepository(connection).list_by_id(ids)
        ),
        first=place.newer + 1,
        total=place.total,
        search=selection.search,
        favourites=selection.favourites,
    )


def _page(connection: Connection, history: HistoryRepository, job_id: str, selection: Selection) -> Page:
    images = ResultImageRepository(connection)
    job = JobRepository(connection).get(job_id)
    place = history.locate(job_id)
    pictures = images.list_for(job_id)
    removed = images.count_removed(job_id)
    taken_down = len(TakedownRepository(connection).taken_of(job_id)) if removed else 0
    return Page(
        job=job,
        pictures=pictures,
        removed=max(0, removed - taken_down),
        taken_down=taken_down,
        position=place.position,
        total=place.total,
        newer=place.newer > 0,
        older=place.newer + place.is_listed < place.total,
        search=selection.search,
        favourites=selection.favourites,
        chain=read_lineage(connection, job),
        is_shareable=bool(pictures) and is_shareable(connection, job),
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
