"""Index of the prompts, for the searches of `/history`.

It is a cache that `SearchIndex.extend` builds and continues: no migration creates it, no backup contains it, and a
search without it reads the jobs themselves. SQLite's is here, PostgreSQL's in `db/postgresql_index.py`.
"""

from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

from sqlalchemy import Connection, TextClause, text
from sqlalchemy.exc import OperationalError

from db import postgresql_index
from db.database import Database

SHORTEST_INDEXED: Final = 3
"""The index holds sequences of three characters, so it finds no shorter text."""
MOST_HITS: Final = 1_000
"""With more hits than this, reading a member's jobs is faster."""

_AT_ONCE: Final = 100
_MOST_NEW: Final = 1_000
_PAGES_PER_STEP: Final = 100
# FTS5 documents fewer changes as the end of a merge.
_LEAST_CHANGES: Final = 2
# Each further sequence of a long text narrows the hits less than it costs. Hits are compared with their prompt.
_MOST_SEQUENCES: Final = 16

# Without positions it is half as large. The text itself stays in the jobs alone: `content=''`.
_CREATE: Final = (
    """
    CREATE VIRTUAL TABLE prompt_index
    USING fts5(words, content='', columnsize=0, detail=none, tokenize='trigram case_sensitive 1')
    """,
    """
    CREATE TABLE prompt_index_state (
        last_row INTEGER NOT NULL, last_id VARCHAR(32), erasures INTEGER NOT NULL, compacted INTEGER NOT NULL
    )
    """,
    "INSERT INTO prompt_index_state VALUES (0, NULL, 0, 0)",
    # An index without its content needs the erased words to find its entries.
    """
    CREATE TRIGGER prompt_index_erasure AFTER UPDATE OF search_text ON jobs
    WHEN old.search_text IS NOT NULL AND old.search_text IS NOT new.search_text
        AND old.rowid <= (SELECT last_row FROM prompt_index_state)
    BEGIN
        INSERT INTO prompt_index (prompt_index, rowid, words) VALUES ('delete', old.rowid, old.search_text);
        INSERT INTO prompt_index (rowid, words) SELECT old.rowid, new.search_text WHERE new.search_text IS NOT NULL;
        UPDATE prompt_index_state SET erasures = erasures + 1;
    END
    """,
)
_DROP: Final = (
    "DROP TABLE IF EXISTS prompt_index",
    "DROP TRIGGER IF EXISTS prompt_index_erasure",
    "DROP TABLE IF EXISTS prompt_index_state",
)
_EXISTING: Final = text(
    "SELECT count(*) FROM sqlite_master WHERE name IN ('prompt_index', 'prompt_index_erasure', 'prompt_index_state')"
)
_STATE: Final = text("SELECT last_row, last_id, erasures, compacted FROM prompt_index_state")
# VACUUM may renumber the jobs. No job's row is ever deleted, so each keeps its place even then.
_LAST: Final = text("SELECT id FROM jobs WHERE rowid = :last_row")
_HIGHEST: Final = text("SELECT coalesce(max(rowid), 0) FROM jobs")
_NEXT: Final = text("SELECT rowid, id, search_text FROM jobs WHERE rowid > :last_row ORDER BY rowid LIMIT :most")
_ADD: Final = text("INSERT INTO prompt_index (rowid, words) VALUES (:row, :words)")
_MOVE: Final = text("UPDATE prompt_index_state SET last_row = :last_row, last_id = :last_id")
_MERGE: Final = text("INSERT INTO prompt_index (prompt_index, rank) VALUES ('merge', :pages)")
_CHANGES: Final = text("SELECT total_changes()")
_COMPACTED: Final = text("UPDATE prompt_index_state SET compacted = :erasures")
_MATCHES: Final = text("SELECT rowid FROM prompt_index WHERE prompt_index MATCH :sequences LIMIT :most")
_CONFIRMED: Final = "SELECT id FROM jobs WHERE {rows} AND instr(search_text, :wanted) > 0"
_LATER: Final = text(_CONFIRMED.format(rows="rowid > :last_row"))
_INDEXED: Final = text(_CONFIRMED.format(rows="rowid IN (SELECT value FROM json_each(:rows))"))


class _State(NamedTuple):
    """The last indexed job, and the numbers of erased prompts."""

    last_row: int
    last_id: str | None
    erasures: int
    compacted: int


class SearchIndex:
    """Upkeep of the index."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def extend(self) -> None:
        """Index the new jobs, in short transactions.

        An index that does not fit its database is rebuilt. Without FTS5 there is none. PostgreSQL indexes new jobs by
        itself.
        """
        if self._database.dialect != "sqlite":
            await postgresql_index.build(self._database)
            return
        if not await self._database.read(_is_usable) and not await self._database.write(_create):
            return
        # Looking for jobs is a read: usually there are none, and a write would wait for the disk.
        while await self._database.read(_has_new_jobs):
            await self._database.write(_extend)

    async def compact(self) -> None:
        """Overwrite the entries of erased prompts, in short transactions.

        The index marks an entry as deleted, and drops it when it merges all its parts. PostgreSQL's VACUUM does so.
        """
        if self._database.dialect != "sqlite" or not await self._database.read(_is_usable):
            return
        state = await self._database.read(_read_state)
        if state.erasures == state.compacted:
            return
        # A negative number begins a merge of all parts, and positive ones continue it.
        pages = -_PAGES_PER_STEP
        while await self._database.write(partial(_merge, pages=pages)):
            pages = _PAGES_PER_STEP
        await self._database.write(_executing(_COMPACTED, {"erasures": state.erasures}))


def find_prompts(connection: Connection, wanted: str) -> list[str] | None:
    """Return the ids of jobs with a text in their prompt, of all members.

    Jobs that are not in the index yet are read. None if the index is not usable, or not faster: the text is short, or
    there are many hits or new jobs.
    """
    if len(wanted) < SHORTEST_INDEXED:
        return None
    is_sqlite = connection.dialect.name == "sqlite"
    found = _find_on_sqlite(connection, wanted) if is_sqlite else _find_on_postgresql(connection, wanted)
    return None if found is None or len(found) > MOST_HITS else found


def _find_on_sqlite(connection: Connection, wanted: str) -> list[str] | None:
    if not _is_usable(connection):
        return None
    state = _read_state(connection)
    if connection.execute(_HIGHEST).scalar_one() - state.last_row > _MOST_NEW:
        return None
    query = " AND ".join('"' + each.replace('"', '""') + '"' for each in _sequences(wanted))
    rows = connection.execute(_MATCHES, {"sequences": query, "most": MOST_HITS + 1}).scalars().all()
    if len(rows) > MOST_HITS:
        return None
    found = list(connection.execute(_LATER, {"last_row": state.last_row, "wanted": wanted}).scalars())
    if rows:
        confirmed = connection.execute(_INDEXED, {"rows": f"[{','.join(map(str, rows))}]", "wanted": wanted})
        found += confirmed.scalars()
    return found


def _find_on_postgresql(connection: Connection, wanted: str) -> list[str] | None:
    if not postgresql_index.is_usable(connection):
        return None
    return postgresql_index.find_matches(connection, _sequences(wanted), wanted, MOST_HITS + 1)


def _sequences(wanted: str) -> list[str]:
    """Return the sequences of a text, or enough of them."""
    all_sequences = list(dict.fromkeys(wanted[at : at + 3] for at in range(len(wanted) - 2)))
    step = -(-len(all_sequences) // _MOST_SEQUENCES)
    return all_sequences[::step]


def _is_usable(connection: Connection) -> bool:
    """Return whether the index exists and its numbers are the jobs'."""
    if connection.execute(_EXISTING).scalar_one() != len(_DROP):
        return False
    state = _read_state(connection)
    return connection.execute(_LAST, {"last_row": state.last_row}).scalar() == state.last_id


def _read_state(connection: Connection) -> _State:
    return _State(*connection.execute(_STATE).one())


def _create(connection: Connection) -> bool:
    """Create an empty index; return whether this SQLite can have one."""
    try:
        with connection.begin_nested():
            for statement in (*_DROP, *_CREATE):
                connection.exec_driver_sql(statement)
    except OperationalError as error:
        if "no such module" in str(error) or "no such tokenizer" in str(error):
            return False
        raise
    return True


def _has_new_jobs(connection: Connection) -> bool:
    parameters = {"last_row": _read_state(connection).last_row, "most": 1}
    return connection.execute(_NEXT, parameters).first() is not None


def _extend(connection: Connection) -> None:
    parameters = {"last_row": _read_state(connection).last_row, "most": _AT_ONCE}
    rows = connection.execute(_NEXT, parameters).all()
    worded = [{"row": row.rowid, "words": row.search_text} for row in rows if row.search_text is not None]
    if worded:
        connection.execute(_ADD, worded)
    if rows:
        connection.execute(_MOVE, {"last_row": rows[-1].rowid, "last_id": rows[-1].id})


def _merge(connection: Connection, *, pages: int) -> bool:
    """Merge for some pages; return whether there is more to merge."""
    before = connection.execute(_CHANGES).scalar_one()
    connection.execute(_MERGE, {"pages": pages})
    return bool(connection.execute(_CHANGES).scalar_one() - before >= _LEAST_CHANGES)


def _executing(statement: TextClause, parameters: dict[str, int]) -> Callable[[Connection], None]:
    def write(connection: Connection) -> None:
        connection.execute(statement, parameters)

    return write
