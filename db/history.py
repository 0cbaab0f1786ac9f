"""A member's past jobs with images, paged by key.

Keyset paging makes page one million as cheap as page one.
"""

from itertools import product
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Subquery,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal,
    or_,
    select,
)

from bot.domain.jobs import LONGEST_CHAIN, Action
from bot.domain.searches import normalize_text
from db.tables import jobs, pictures

_MAX_SEARCHED: Final = 20_000


class HistoryScope(NamedTuple):
    """A member in a guild; outside guilds (0), all of their jobs anywhere."""

    guild_id: int
    member_id: int


def _with_pictures(*, everywhere: bool) -> Select[Any]:
    owned = select(jobs.c.id, jobs.c.search_text, jobs.c.action, jobs.c.parent_id).where(
        jobs.c.member_id == bindparam("the_member"),
        jobs.c.finished_at.is_not(None),
        jobs.c.deleted_at.is_(None),
        exists().where(pictures.c.job_id == jobs.c.id),
    )
    return owned if everywhere else owned.where(jobs.c.guild_id == bindparam("the_guild"))


def _neighbours(*, everywhere: bool, older: bool) -> Select[Any]:
    owned = _with_pictures(everywhere=everywhere)
    if older:
        return owned.where(jobs.c.id < bindparam("the_id")).order_by(jobs.c.id.desc())
    return owned.where(jobs.c.id > bindparam("the_id")).order_by(jobs.c.id)


def _searched(statement: Select[Any], *, older: bool, position: Any, most: int = _MAX_SEARCHED) -> Select[Any]:
    """Return the statement with a search.

    It reads at most `most` jobs, so that a member with very many does not delay the others. `position` is
    the dialect's function for the place of one text in another: unlike LIKE, it needs no escapes.
    """
    near = statement.limit(most).subquery("near")
    matching = position(_searchable_text(near), bindparam("wanted")) > 0
    return select(near.c.id).where(matching).order_by(near.c.id.desc() if older else near.c.id)


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


def _is_new_image(columns: Any) -> ColumnElement[bool]:
    """Return whether a job's image is new, at most guided by a reference."""
    return or_(columns.parent_id.is_(None), columns.action == Action.REFERENCE)


def _is_searchable(columns: Any) -> ColumnElement[bool]:
    """Return whether a job's prompt is searchable by the member.

    It must be a member's text that is not deleted, and the searching member's own or not private.
    """
    visible = or_(columns.member_id == bindparam("the_member"), ~columns.private)
    return and_(columns.search_text.is_not(None), columns.deleted_at.is_(None), visible)


# Built once: building a statement costs several times as much as running it.
_VARIANTS: Final = tuple(product((False, True), repeat=2))
_PLAIN: Final = {
    (everywhere, older): _neighbours(everywhere=everywhere, older=older).limit(bindparam("most"))
    for everywhere, older in _VARIANTS
}
_POSITIONS: Final = {"sqlite": func.instr, "postgresql": func.strpos}
_SEARCHED: Final = {
    (dialect, everywhere, older): _searched(
        _neighbours(everywhere=everywhere, older=older), older=older, position=position
    ).limit(bindparam("most"))
    for dialect, position in _POSITIONS.items()
    for everywhere, older in _VARIANTS
}
# Greater than every id: ids are hexadecimal digits.
_ABOVE_ALL_IDS: Final = "g"


class HistoryRepository:
    """One member's past jobs within one transaction.

    `search` is part of a prompt, compared as `normalize_text` says. The prompts of earlier versions of an image count
    too: see `_searchable_text`.
    """

    def __init__(self, connection: Connection, scope: HistoryScope, search: str | None = None) -> None:
        self._connection = connection
        self._scope = scope
        self._search = None if search is None else normalize_text(search)

    def latest(self) -> str | None:
        """Return the id of the latest job."""
        return self.older(_ABOVE_ALL_IDS)

    def older(self, job_id: str) -> str | None:
        """Return the id of the member's next older job; `job_id` may be anyone's."""
        return self._next(job_id, older=True)

    def newer(self, job_id: str) -> str | None:
        """Return the id of the member's next newer job; `job_id` may be anyone's."""
        return self._next(job_id, older=False)

    def _next(self, job_id: str, *, older: bool) -> str | None:
        parameters: dict[str, Any] = {"the_member": self._scope.member_id, "the_id": job_id, "most": 1}
        variant = self._scope.guild_id == 0, older
        if self._scope.guild_id:
            parameters["the_guild"] = self._scope.guild_id
        if self._search is None:
            statement = _PLAIN[variant]
        else:
            statement = _SEARCHED[(self._connection.dialect.name, *variant)]
            parameters["wanted"] = self._search
        found: str | None = self._connection.execute(statement, parameters).scalar()
        return found
