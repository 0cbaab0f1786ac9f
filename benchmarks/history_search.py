"""A member's search with and without the index of prompts."""

import statistics
import time
from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, update

from benchmarks import history_dataset
from benchmarks.databases import open_database
from benchmarks.measurements import Figure
from db.database import Database
from db.history import HistoryRepository, HistoryScope
from db.search_index import SearchIndex
from db.tables import jobs

AIM: Final = 0.1

_JOBS_PER_ACCOUNT: Final = 100
_SEARCHES: Final = {"search without a hit": "no such words", "search with a hit": "4d2a"}
"""The second is a part of few ids."""


async def measure_search(url: str, count: int, rounds: int) -> list[Figure]:
    """Measure on SQLite, for a member with `count` jobs."""
    await history_dataset.fill(url, count=count, members=count // _JOBS_PER_ACCOUNT)
    guild_id, member_id = history_dataset.account_of(0)
    async with open_database(url) as database:
        await database.write(_giving_to(guild_id, member_id))
        scope = HistoryScope(guild_id, member_id)
        scans = {name: await _timed(database, scope, text, rounds) for name, text in _SEARCHES.items()}
        start = time.perf_counter()
        await SearchIndex(database).extend()
        built = time.perf_counter() - start
        found = {name: await _timed(database, scope, text, rounds) for name, text in _SEARCHES.items()}
    return [
        *(Figure(name=f"{name}, by index", taken=found[name], base=scans[name], aim=AIM) for name in _SEARCHES),
        Figure(name=f"building the index of {count:,} jobs", taken=built, unit="s"),
    ]


def _giving_to(guild_id: int, member_id: int) -> Callable[[Connection], None]:
    """Return the transaction to give a member all jobs and other words."""

    def write(connection: Connection) -> None:
        values = {"guild_id": guild_id, "member_id": member_id, "search_text": jobs.c.search_text + " " + jobs.c.id}
        connection.execute(update(jobs).values(values))

    return write


async def _timed(database: Database, scope: HistoryScope, text: str, rounds: int) -> float:
    """Return the median of a search in milliseconds."""

    def read(connection: Connection) -> list[str]:
        return HistoryRepository(connection, scope, text).list_latest(9)

    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        await database.search(read)
        taken.append(1000 * (time.perf_counter() - start))
    return statistics.median(taken)
