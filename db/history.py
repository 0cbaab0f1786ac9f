"""A member's past jobs with images, paged by key.

Keyset paging makes page one million as cheap as page one.
"""

from bisect import bisect_left, bisect_right
from functools import cache
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    String,
    Subquery,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    type_coerce,
)

from bot.domain.jobs import LONGEST_CHAIN, Action
from bot.domain.searches import normalize_text
from db.search_index import find_prompts
from db.tables import jobs, pictures

_MAX_SEARCHED: Final = 20_000
_POSITIONS: Final = {"sqlite": func.instr, "postgresql": func.strpos}
# On PostgreSQL, a scan of fewer jobs is faster than an index of all members' words.
_FEW_JOBS: Final = 1_000


class HistoryScope(NamedTuple):
    """A member in a guild; outside guilds (0), all of their jobs anywhere.

    `favourites` leaves out all other jobs.
    """

    guild_id: int
    member_id: int
    favourites: bool = False


class Place(NamedTuple):
    """A job's place in a history of `total` jobs.

    `newer` ones come before it. The job itself may be missing there.
    """

    total: int
    newer: int
    is_listed: bool

    @property
    def position(self) -> int:
        """The job's position, from 1 for the latest; 0 if it is missing."""
        return self.newer + 1 if self.is_listed else 0


def _with_pictures(*, everywhere: bool, favourites: bool, by_id: bool = False) -> Select[Any]:
    """Return the query of a member's jobs.

    `by_id` is for PostgreSQL and few jobs, looked up by their ids.
    """
    # It would take an index with the member, and read all jobs.
    member = type_coerce(jobs.c.member_id + 0, jobs.c.member_id.type) if by_id else jobs.c.member_id
    owned = select(jobs.c.id, jobs.c.search_text, jobs.c.action, jobs.c.parent_id).where(
        member == bindparam("the_member"),
        jobs.c.finished_at.is_not(None),
        jobs.c.deleted_at.is_(None),
        exists().where(pictures.c.job_id == jobs.c.id),
    )
    guild: ColumnElement[int] = jobs.c.guild_id
    if favourites:
        owned = owned.where(jobs.c.favourite_at.is_not(None))
        # SQLite would take an index with the guild, and read all jobs of the member.
        guild = type_coerce(guild + 0, guild.type)
    return owned if everywhere else owned.where(guild == bindparam("the_guild"))


def _neighbours(*, everywhere: bool, older: bool, favourites: bool) -> Select[Any]:
    owned = _with_pictures(everywhere=everywhere, favourites=favourites)
    if older:
        return owned.where(jobs.c.id < bindparam("the_id")).order_by(jobs.c.id.desc())
    return owned.where(jobs.c.id > bindparam("the_id")).order_by(jobs.c.id)


def _searched(statement: Select[Any], *, older: bool, position: Any, most: int) -> Select[Any]:
    """Return the statement with a search.

    It reads at most `most` jobs, so that a member with very many does not delay the others. `position` is
    the dialect's function for the place of one text in another: unlike LIKE, it needs no escapes.
    """
    near = statement.limit(most).subquery("near")
    matching = position(_searchable_text(near), bindparam("wanted")) > 0
    return select(near.c.id).where(matching).order_by(near.c.id.desc() if older else near.c.id)


# Built once, at the first use: building takes several times as long as running, and all variants 7 MB.
@cache
def _counted(*, everywhere: bool, favourites: bool) -> Select[int, int, int]:
    """Return the query of a history's size and of a job's position.

    For each job it reads one entry of two indexes.
    """
    owned = _with_pictures(everywhere=everywhere, favourites=favourites).with_only_columns(jobs.c.id).subquery()
    return _sums(owned.c.id)


@cache
def _counted_matches(*, dialect: str, everywhere: bool, favourites: bool) -> Select[int, int, int]:
    """Return the query of a search's size and of a job's position."""
    owned = _with_pictures(everywhere=everywhere, favourites=favourites)
    near = owned.order_by(jobs.c.id.desc()).limit(_MAX_SEARCHED).subquery("near")
    matching = _POSITIONS[dialect](_searchable_text(near), bindparam("wanted")) > 0
    return _sums(near.c.id).where(matching)


def _sums(job_id: ColumnElement[str]) -> Select[int, int, int]:
    wanted = bindparam("the_id", type_=String)
    return select(func.count(), func.count().filter(job_id > wanted), func.count().filter(job_id == wanted))


def _searchable_text(near: Subquery) -> ColumnElement[str]:
    """Return a job's searchable text: its prompt and its ancestors' prompts.

    An ancestor counts if its image was processed or edited into this one. Ancestors are looked up during the
    search and not stored with the job: once an ancestor is deleted, its prompt no longer matches. A search through
    jobs without ancestors costs no more.
    """
    own = func.coalesce(near.c.search_text, "")
    # A search has no line breaks, so it never matches across two prompts.
    return case((_is_new_image(near.c), own), else_=own + "\n" + func.coalesce(_ancestor_text(near), ""))


def _ancestor_text(near: Subquery) -> ColumnElement[str]:
    parent, earlier = jobs.alias("parent"), jobs.alias("earlier")
    seen = [(each, _is_searchable(each.c)) for each in (parent, earlier)]
    first, then = (
        select(each.c.search_text, each.c.action, each.c.parent_id, shown.label("seen")) for each, shown in seen
    )
    chain = (
        first.add_columns(literal(1).label("step"))
        .where(parent.c.id == near.c.parent_id)
        .correlate(near)
        .cte("chain", recursive=True, nesting=True)
    )
    on = then.add_columns((chain.c.step + 1).label("step")).join_from(chain, earlier, earlier.c.id == chain.c.parent_id)
    chain = chain.union_all(on.where(~_is_new_image(chain.c), chain.c.step < LONGEST_CHAIN))
    return select(func.aggregate_strings(chain.c.search_text, "\n")).where(chain.c.seen).scalar_subquery()


@cache
def _inherited(*, everywhere: bool, favourites: bool, by_id: bool) -> Select[Any]:
    """Return the query of the jobs with a hit in their searchable text.

    It follows `_searchable_text` the other way: from a prompt down to the images made from its image.
    """
    child = jobs.alias("child")
    hits = jobs.c.id.in_(bindparam("hits", expanding=True))
    found = select(jobs.c.id, literal(0).label("step")).where(hits, _is_searchable(jobs.c)).cte("found", recursive=True)
    made = select(child.c.id, (found.c.step + 1).label("step")).join_from(found, child, child.c.parent_id == found.c.id)
    found = found.union(made.where(~_is_new_image(child.c), found.c.step < LONGEST_CHAIN))
    owned = _with_pictures(everywhere=everywhere, favourites=favourites, by_id=by_id).subquery()
    return select(owned.c.id).where(owned.c.id.in_(select(found.c.id))).order_by(owned.c.id)


def _is_new_image(columns: Any) -> ColumnElement[bool]:
    """Return whether a job's image is new, at most guided by a reference."""
    return or_(columns.parent_id.is_(None), columns.action == Action.REFERENCE)


def _is_searchable(columns: Any) -> ColumnElement[bool]:
    """Return whether a job's prompt is searchable by the member.

    It must be a member's text that is not deleted, and the searching member's own or not private.
    """
    visible = or_(columns.member_id == bindparam("the_member"), ~columns.private)
    return and_(columns.search_text.is_not(None), columns.deleted_at.is_(None), visible)


@cache
def _page(*, everywhere: bool, favourites: bool, older: bool) -> Select[Any]:
    """Return the query of the next jobs on one side."""
    return _neighbours(everywhere=everywhere, older=older, favourites=favourites).limit(bindparam("most"))


@cache
def _searched_page(
    *, dialect: str, everywhere: bool, favourites: bool, older: bool, most: int = _MAX_SEARCHED
) -> Select[Any]:
    """Return the query of the next jobs with a hit on one side."""
    owned = _neighbours(everywhere=everywhere, older=older, favourites=favourites)
    return _searched(owned, older=older, position=_POSITIONS[dialect], most=most).limit(bindparam("most"))


_MANY: Final = (
    select(literal(1))
    .where(jobs.c.member_id == bindparam("the_member"), jobs.c.finished_at.is_not(None), jobs.c.deleted_at.is_(None))
    .offset(bindparam("few"))
    .limit(1)
)
# Greater than every id: ids are hexadecimal digits.
_ABOVE_ALL_IDS: Final = "g"


class HistoryRepository:
    """One member's past jobs within one transaction.

    `search` is part of a prompt, compared as `normalize_text` says. The prompts of earlier versions of an image count
    too: see `_searchable_text`. An index finds a rare text, and a scan of the latest jobs a frequent one.
    """

    def __init__(self, connection: Connection, scope: HistoryScope, search: str | None = None) -> None:
        self._connection = connection
        self._scope = scope
        self._search = None if search is None else normalize_text(search)
        self._indexed: list[str] | None = None if self._search is None else self._find_indexed(self._search)

    def latest(self) -> str | None:
        """Return the id of the latest job."""
        return self.older(_ABOVE_ALL_IDS)

    def list_latest(self, most: int) -> list[str]:
        """Return the ids of the latest jobs."""
        return self.list_older(_ABOVE_ALL_IDS, most)

    def older(self, job_id: str) -> str | None:
        """Return the id of the member's next older job; `job_id` may be anyone's."""
        return next(iter(self.list_older(job_id, 1)), None)

    def newer(self, job_id: str) -> str | None:
        """Return the id of the member's next newer job; `job_id` may be anyone's."""
        return next(iter(self.list_newer(job_id, 1)), None)

    def list_older(self, job_id: str, most: int) -> list[str]:
        """Return the ids of the next older jobs, the latest first."""
        return self._list(job_id, most, older=True)

    def list_newer(self, job_id: str, most: int) -> list[str]:
        """Return the ids of the next newer jobs, the earliest first."""
        return self._list(job_id, most, older=False)

    def list_from(self, job_id: str, most: int) -> list[str]:
        """Return the ids of a job and of the next older ones."""
        # All ids have one length, so none lies between an id and its continuation.
        return self.list_older(job_id + _ABOVE_ALL_IDS, most)

    def locate(self, job_id: str) -> Place:
        """Return a job's place."""
        if self._indexed is not None:
            after = bisect_right(self._indexed, job_id)
            is_listed = after > 0 and self._indexed[after - 1] == job_id
            return Place(total=len(self._indexed), newer=len(self._indexed) - after, is_listed=is_listed)
        parameters = self._parameters() | {"the_id": job_id}
        if self._search is None:
            statement = _counted(**self._variant)
        else:
            statement = _counted_matches(dialect=self._connection.dialect.name, **self._variant)
        total, newer, same = self._connection.execute(statement, parameters).one()
        return Place(total=total, newer=newer, is_listed=bool(same))

    def contains(self, job_id: str) -> bool:
        """Return whether a job is in the history."""
        return job_id in self.list_from(job_id, 1)

    @property
    def _variant(self) -> dict[str, bool]:
        return {"everywhere": self._scope.guild_id == 0, "favourites": self._scope.favourites}

    def _parameters(self) -> dict[str, Any]:
        parameters: dict[str, Any] = {"the_member": self._scope.member_id}
        if self._scope.guild_id:
            parameters["the_guild"] = self._scope.guild_id
        if self._search is not None:
            parameters["wanted"] = self._search
        return parameters

    def _find_indexed(self, search: str) -> list[str] | None:
        """Return all matches, earliest first; None without the index."""
        if self._connection.dialect.name == "postgresql" and not self._has_many_jobs():
            return None
        hits = find_prompts(self._connection, search)
        if not hits:
            return hits
        parameters = self._parameters() | {"hits": hits}
        statement = _inherited(**self._variant, by_id=self._connection.dialect.name == "postgresql")
        return list(self._connection.execute(statement, parameters).scalars())

    def _has_many_jobs(self) -> bool:
        parameters = {"the_member": self._scope.member_id, "few": _FEW_JOBS}
        return self._connection.execute(_MANY, parameters).first() is not None

    def _list(self, job_id: str, most: int, *, older: bool) -> list[str]:
        if self._indexed is not None:
            if older:
                return self._indexed[: bisect_left(self._indexed, job_id)][::-1][:most]
            return self._indexed[bisect_right(self._indexed, job_id) :][:most]
        parameters = self._parameters() | {"the_id": job_id, "most": most}
        if self._search is None:
            statement = _page(**self._variant, older=older)
        else:
            statement = _searched_page(dialect=self._connection.dialect.name, **self._variant, older=older)
        return list(self._connection.execute(statement, parameters).scalars())
