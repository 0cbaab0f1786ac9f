"""Index of the prompts on PostgreSQL, for the searches of `/history`.

`build` creates it while the bot runs, and PostgreSQL maintains it: no migration knows it. It holds the sequences of
three characters of each delivered job's prompt, made by built-in functions that compare bytes. So it needs no
extension, and no locale changes what it finds.
"""

from typing import Final

import structlog
from sqlalchemy import Connection, text

from db.database import Database
from db.locks import BUILDING_PROMPT_INDEX

_log = structlog.get_logger(__name__)

# Another definition needs another name.
INDEX: Final = "ix_jobs_prompt_sequences"

# Cutting at each third character, from the first, the second and the third one, gives every sequence. The line break
# that separates them is in no searched text.
_SEQUENCES: Final = " || ".join(
    rf"""string_to_array(regexp_replace(substr(search_text COLLATE "C", {start}), '(...)', E'\\1\n', 'g'), E'\n')"""
    for start in (1, 2, 3)
)
# Before its delivery a job changes often, and each change would write all its sequences again.
_IS_INDEXED: Final = "delivered_at IS NOT NULL AND search_text IS NOT NULL"
_CREATE: Final = f"CREATE INDEX CONCURRENTLY {INDEX} ON jobs USING gin (({_SEQUENCES})) WHERE {_IS_INDEXED}"
_DROP: Final = f"DROP INDEX CONCURRENTLY IF EXISTS {INDEX}"
_LOCK: Final = text("SELECT pg_try_advisory_lock(:key)")
# In other encodings a character is not what it is in Python. Only the table's owner may index it.
_CAN_MAINTAIN: Final = text("""
    SELECT current_setting('server_encoding') = 'UTF8' AND pg_has_role(relowner, 'USAGE')
        AND has_schema_privilege(relnamespace, 'CREATE')
    FROM pg_class WHERE oid = to_regclass('jobs')
""")
# A build that was killed leaves an index that is not valid.
_IS_VALID: Final = text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)")
# New entries wait in a list, which each search reads.
_MERGE: Final = text("SELECT gin_clean_pending_list(to_regclass(:name))")
# `MATERIALIZED` hides the limit from the planner. It would otherwise expect to find enough soon by reading all jobs.
_MATCHES: Final = text(f"""
    WITH indexed AS MATERIALIZED (
        SELECT id FROM jobs
        WHERE {_IS_INDEXED} AND ({_SEQUENCES}) @> CAST(:sequences AS text[]) AND strpos(search_text, :wanted) > 0
    )
    SELECT id FROM indexed
    UNION ALL SELECT id FROM jobs WHERE delivered_at IS NULL AND strpos(search_text, :wanted) > 0
    LIMIT :most
""")  # noqa: S608 - of the constants above


async def build(database: Database) -> None:
    """Create the index, or merge the new entries into it.

    Its creation blocks no writer. One process does it; the others search by the scan until it is finished.
    """
    if not await database.read(_can_maintain):
        return
    if await database.read(is_usable):
        await database.write(_merge)
    else:
        await database.autocommit(_create)


def is_usable(connection: Connection) -> bool:
    """Return whether the index exists and is complete."""
    return bool(connection.execute(_IS_VALID, {"name": INDEX}).scalar())


def find_matches(connection: Connection, sequences: list[str], wanted: str, most: int) -> list[str]:
    """Return the ids of up to `most` jobs with a text in their prompt.

    They are of all members. `sequences` are some of the text's: they narrow the search, and the prompts are compared
    with the text.
    """
    parameters = {"sequences": sequences, "wanted": wanted, "most": most}
    return list(connection.execute(_MATCHES, parameters).scalars())


def _can_maintain(connection: Connection) -> bool:
    return bool(connection.execute(_CAN_MAINTAIN).scalar_one())


def _merge(connection: Connection) -> None:
    connection.execute(_MERGE, {"name": INDEX})


def _create(connection: Connection) -> None:
    """Create the index unless another process is doing so."""
    # It ends with the connection, so a killed process does not keep it.
    if not connection.execute(_LOCK, {"key": BUILDING_PROMPT_INDEX}).scalar_one() or is_usable(connection):
        return
    connection.exec_driver_sql(_DROP)
    connection.exec_driver_sql(_CREATE)
    _log.info("search_index.built")
