"""A member's past jobs that have pictures, one at a time, by keyset: page a million costs what page one does."""

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
from bot.domain.remix import KEEP_AS_IT_IS
from db.tables import jobs, pictures


class HistoryScope(NamedTuple):
    """A member in a community; outside communities (0) it is all that they have had anywhere."""

    guild_id: int
    member_id: int


def _with_pictures(*, everywhere: bool) -> Select[Any]:
    theirs = select(jobs.c.id, jobs.c.prompt, jobs.c.action, jobs.c.parent_id).where(
        jobs.c.member_id == bindparam("the_member"),
        jobs.c.finished_at.is_not(None),
        jobs.c.deleted_at.is_(None),
        exists().where(pictures.c.job_id == jobs.c.id),
    )
    return theirs if everywhere else theirs.where(jobs.c.guild_id == bindparam("the_guild"))


def _from_there(*, everywhere: bool, older: bool) -> Select[Any]:
    theirs = _with_pictures(everywhere=everywhere)
    if older:
        return theirs.where(jobs.c.id < bindparam("the_id")).order_by(jobs.c.id.desc())
    return theirs.where(jobs.c.id > bindparam("the_id")).order_by(jobs.c.id)


def _searched(statement: Select[Any], *, older: bool) -> Select[Any]:
    """Return the same with a search: through so many jobs at most, lest somebody with very many holds up the rest."""
    near = statement.limit(_SEARCHED_THROUGH).subquery("near")
    matching = func.lower(_words(near)).like(bindparam("pattern"), escape="\\")
    return select(near.c.id).where(matching).order_by(near.c.id.desc() if older else near.c.id)


def _read(statement: Select[Any], *, older: bool) -> Select[Any]:
    """Return the ids with the words that they are found by, for a search that the database cannot do."""
    near = statement.limit(bindparam("most")).subquery("near")
    return select(near.c.id, _words(near).label("words")).order_by(near.c.id.desc() if older else near.c.id)


def _words(near: Subquery) -> ColumnElement[str]:
    """Return what a job is found by: its prompt, and those of the jobs before it that its picture has come through.

    Those are looked up when the search comes to a job that has any, and not kept with it: so what was made of another's
    picture is not found by that one's words once it is deleted, and a search through jobs without any costs no more.
    """
    own = case((near.c.prompt == KEEP_AS_IT_IS, ""), else_=near.c.prompt)
    # A search has no line breaks, so nothing is found across two prompts.
    return case((_new(near.c), near.c.prompt), else_=own + "\n" + func.coalesce(_words_before(near), ""))


def _words_before(near: Subquery) -> ColumnElement[str]:
    parent, earlier = jobs.alias("parent"), jobs.alias("earlier")
    seen = [(each, _seen(each.c)) for each in (parent, earlier)]
    first, then = (select(each.c.prompt, each.c.action, each.c.parent_id, shown.label("seen")) for each, shown in seen)
    chain = (
        first.add_columns(literal(1).label("step"))
        .where(parent.c.id == near.c.parent_id)
        .correlate(near)
        .cte("chain", recursive=True, nesting=True)
    )
    on = then.add_columns((chain.c.step + 1).label("step")).join_from(chain, earlier, earlier.c.id == chain.c.parent_id)
    chain = chain.union_all(on.where(~_new(chain.c), chain.c.step < LONGEST_CHAIN))
    return select(func.aggregate_strings(chain.c.prompt, "\n")).where(chain.c.seen).scalar_subquery()


def _new(columns: Any) -> ColumnElement[bool]:
    """Return whether a job's picture is none of an earlier one: drawn from nothing, or with one to go by alone."""
    return or_(columns.parent_id.is_(None), columns.action == Action.REFERENCE)


def _seen(columns: Any) -> ColumnElement[bool]:
    """Return whether the words of a job are a member's, and whoever looks back can see them: as on its card."""
    visible = and_(columns.deleted_at.is_(None), ~columns.private)
    return and_(columns.prompt != KEEP_AS_IT_IS, or_(columns.member_id == bindparam("the_member"), visible))


_SEARCHED_THROUGH: Final = 20_000
# Built once: building a statement anew costs several times what running it does.
_WAYS: Final = tuple(product((False, True), repeat=2))
_PLAIN: Final = {
    (everywhere, older): _from_there(everywhere=everywhere, older=older).limit(bindparam("most"))
    for everywhere, older in _WAYS
}
_SEARCHED: Final = {
    (everywhere, older): _searched(_from_there(everywhere=everywhere, older=older), older=older).limit(
        bindparam("most")
    )
    for everywhere, older in _WAYS
}
_READ: Final = {
    (everywhere, older): _read(_from_there(everywhere=everywhere, older=older), older=older)
    for everywhere, older in _WAYS
}
# Greater than every id: ids are hexadecimal digits.
_AFTER_ALL: Final = "g"


class HistoryRepository:
    """Looks through one member's jobs within one transaction; `search` is part of a prompt, in whatever case.

    A job is found by the prompts that its picture has come through as well: see `_words`.
    """

    def __init__(self, connection: Connection, whose: HistoryScope, search: str | None = None) -> None:
        self._connection = connection
        self._whose = whose
        self._search = search

    def latest(self) -> str | None:
        """Return the id of the latest job."""
        return self.older(_AFTER_ALL)

    def older(self, job_id: str) -> str | None:
        """Return the id of the job before this one, whosever this one is."""
        return self._next(job_id, older=True)

    def newer(self, job_id: str) -> str | None:
        """Return the id of the job after this one, whosever this one is."""
        return self._next(job_id, older=False)

    def _next(self, job_id: str, *, older: bool) -> str | None:
        parameters: dict[str, Any] = {"the_member": self._whose.member_id, "the_id": job_id, "most": 1}
        way = self._whose.guild_id == 0, older
        if self._whose.guild_id:
            parameters["the_guild"] = self._whose.guild_id
        if self._search is None:
            statement = _PLAIN[way]
        elif self._search.isascii():
            statement = _SEARCHED[way]
            parameters["pattern"] = _pattern(self._search)
        else:
            return self._read_through(_READ[way], parameters, self._search)
        found: str | None = self._connection.execute(statement, parameters).scalar()
        return found

    def _read_through(self, statement: Select[Any], parameters: dict[str, Any], search: str) -> str | None:
        """Return the first id with the search in its words; databases may know the case of ASCII alone.

        One statement, whose rows come as they are read: a new one for every few rows would begin anew each time.
        """
        wanted = search.casefold()
        parameters["most"] = _SEARCHED_THROUGH
        streamed = {"stream_results": True}
        with self._connection.execute(statement, parameters, execution_options=streamed) as rows:
            return next((row.id for row in rows if wanted in row.words.casefold()), None)


def _pattern(search: str) -> str:
    """Return what LIKE is to look for."""
    return f"%{''.join(_literal(sign) for sign in search)}%"


def _literal(sign: str) -> str:
    return f"\\{sign}" if sign in "\\%_" else sign.lower()
