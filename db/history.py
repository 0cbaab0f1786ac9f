"""A member's past jobs that have pictures, one at a time, by keyset: page a million costs what page one does."""

from itertools import product
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Select, bindparam, exists, func, select

from db.tables import jobs, pictures


class Whose(NamedTuple):
    """A member in a community; outside communities (0) it is all that they have had anywhere."""

    community_id: int
    member_id: int


def _with_pictures(*, everywhere: bool) -> Select[Any]:
    theirs = select(jobs.c.id, jobs.c.prompt).where(
        jobs.c.member_id == bindparam("the_member"),
        jobs.c.finished_at.is_not(None),
        jobs.c.deleted_at.is_(None),
        exists().where(pictures.c.job_id == jobs.c.id),
    )
    return theirs if everywhere else theirs.where(jobs.c.community_id == bindparam("the_community"))


def _from_there(*, everywhere: bool, older: bool) -> Select[Any]:
    theirs = _with_pictures(everywhere=everywhere)
    if older:
        return theirs.where(jobs.c.id < bindparam("the_id")).order_by(jobs.c.id.desc())
    return theirs.where(jobs.c.id > bindparam("the_id")).order_by(jobs.c.id)


def _searched(statement: Select[Any], *, older: bool) -> Select[Any]:
    """Return the same with a search: through so many jobs at most, lest somebody with very many holds up the rest."""
    near = statement.limit(_SEARCHED_THROUGH).subquery()
    matching = func.lower(near.c.prompt).like(bindparam("pattern"), escape="\\")
    return select(near.c.id, near.c.prompt).where(matching).order_by(near.c.id.desc() if older else near.c.id)


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
# Greater than every id: ids are hexadecimal digits.
_AFTER_ALL: Final = "g"


class HistoryRepository:
    """Looks through one member's jobs within one transaction; `search` is part of a prompt, in whatever case."""

    def __init__(self, connection: Connection, whose: Whose, search: str | None = None) -> None:
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
        way = self._whose.community_id == 0, older
        if self._whose.community_id:
            parameters["the_community"] = self._whose.community_id
        if self._search is None:
            statement = _PLAIN[way]
        elif self._search.isascii():
            statement = _SEARCHED[way]
            parameters["pattern"] = _pattern(self._search)
        else:
            return self._read_through(_PLAIN[way], parameters, self._search)
        found: str | None = self._connection.execute(statement, parameters).scalar()
        return found

    def _read_through(self, statement: Select[Any], parameters: dict[str, Any], search: str) -> str | None:
        """Return the first id with the search in its prompt; databases may know the case of ASCII alone.

        One statement, whose rows come as they are read: a new one for every few rows would begin anew each time.
        """
        wanted = search.casefold()
        parameters["most"] = _SEARCHED_THROUGH
        streamed = {"stream_results": True}
        with self._connection.execute(statement, parameters, execution_options=streamed) as rows:
            return next((row.id for row in rows if wanted in row.prompt.casefold()), None)


def _pattern(search: str) -> str:
    """Return what LIKE is to look for."""
    return f"%{''.join(_literal(sign) for sign in search)}%"


def _literal(sign: str) -> str:
    return f"\\{sign}" if sign in "\\%_" else sign.lower()
