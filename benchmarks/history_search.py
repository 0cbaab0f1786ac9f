"""A member's search with and without the index of prompts."""

import random
import statistics
import time
from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, bindparam, select, update

from benchmarks import history_dataset
from benchmarks.databases import Maker, open_database
from benchmarks.measurements import Figure
from bot.domain.jobs import Action
from db.database import Database
from db.history import HistoryRepository, HistoryScope
from db.search_index import SearchIndex
from db.tables import jobs

AIM: Final = 0.1

_ROUNDS: Final = 60
_JOBS_PER_ACCOUNT: Final = 100
_LETTERS: Final = "aaaeeeiioouubcdfghlmnprrsstt"
_WORDS: Final = 2_000
_WORDS_PER_PROMPT: Final = 18
# Of each five jobs, the second is made from the first one, and the third from the second one.
_FAMILY: Final = 5
_MADE_OF_PREVIOUS: Final = (1, 2)


async def measure_search(maker: Maker, count: int) -> list[Figure]:
    """Measure for a member with `count` jobs."""
    url = await maker.make("searched")
    await history_dataset.fill(url, count=count, members=count // _JOBS_PER_ACCOUNT)
    guild_id, member_id = history_dataset.account_of(0)
    prompts = _prompts(count)
    rare = {"search without a hit": "no such words", "search with a hit": f"job {count // 2}."}
    texts = rare | {"search for a frequent word": prompts[0].split()[0]}
    async with open_database(url) as database:
        await database.write(_giving_to(guild_id, member_id, prompts))
        if maker.kind == "PostgreSQL":  # autovacuum would do so
            await database.autocommit(lambda connection: connection.exec_driver_sql("VACUUM ANALYZE").close())
        scope = HistoryScope(guild_id, member_id)
        scans = {name: await _timed(database, scope, text) for name, text in texts.items()}
        start = time.perf_counter()
        await SearchIndex(database).extend()
        built = time.perf_counter() - start
        found = {name: await _timed(database, scope, text) for name, text in texts.items()}
    return [
        *(
            Figure(name=f"{name}, by index", taken=found[name], base=scans[name], aim=AIM if name in rare else None)
            for name in texts
        ),
        Figure(name=f"building the index of {count:,} jobs", taken=built, unit="s"),
    ]


def _prompts(count: int) -> list[str]:
    """Return prompts of about 120 characters, with some words in most of them."""
    source = random.Random(1)  # noqa: S311 - the same words in each run
    words = ["".join(source.choices(_LETTERS, k=source.randint(3, 9))) for _ in range(_WORDS)]
    weights = [1 / place for place in range(1, _WORDS + 1)]
    # A frequent word first, for the search.
    return [
        " ".join([words[0], *source.choices(words, weights, k=_WORDS_PER_PROMPT), f"job {number}."])
        for number in range(count)
    ]


def _giving_to(guild_id: int, member_id: int, prompts: list[str]) -> Callable[[Connection], None]:
    """Return the transaction to give a member all jobs, with these prompts."""

    def write(connection: Connection) -> None:
        ids = list(connection.execute(select(jobs.c.id).order_by(jobs.c.id)).scalars())
        rows = [
            {
                "the_id": ids[number],
                "search_text": prompt,
                "action": Action.EDIT if (is_made := number % _FAMILY in _MADE_OF_PREVIOUS) else None,
                "parent_id": ids[number - 1] if is_made else None,
            }
            for number, prompt in enumerate(prompts)
        ]
        connection.execute(update(jobs).values({"guild_id": guild_id, "member_id": member_id}))
        connection.execute(update(jobs).where(jobs.c.id == bindparam("the_id")), rows)

    return write


async def _timed(database: Database, scope: HistoryScope, text: str) -> float:
    """Return the median of a search in milliseconds."""

    def read(connection: Connection) -> list[str]:
        return HistoryRepository(connection, scope, text).list_latest(9)

    taken = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        await database.search(read)
        taken.append(1000 * (time.perf_counter() - start))
    return statistics.median(taken)
