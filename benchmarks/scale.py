"""Each query in a new database and in one with a million jobs.

Both databases alternate, so that the load of the machine affects both alike.
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from benchmarks import history_dataset
from benchmarks.databases import Maker, open_database
from benchmarks.harness import Harness
from benchmarks.measurements import Figure
from bot.domain.jobs import TOKEN_LIFE, Job
from bot.services.history import Direction, Selection
from db.attempts import AttemptRepository
from db.audit import audit
from db.cards import CardRepository
from db.database import Database
from db.incremental_audit import CheckpointRepository, audit_since
from db.jobs import JobRepository
from db.pictures import ResultImageRepository
from db.queue import QueueRepository

AIM: Final = 1.2

_FILES_AT_ONCE: Final = 100
_PICTURES_AT_ONCE: Final = 500
_RETENTION: Final = timedelta(days=30)
_ACCOUNT: Final = 7
_INCREMENTAL_AIM: Final = 0.25
_HOLDS: Final = 5
"""A hold is mostly one wait for the disk, which differs by more than what is looked for."""

Do = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Jobs and accounts of both databases, and repetitions of each query."""

    jobs: int = 1_000_000
    accounts: int = 100_000
    few_jobs: int = 1_000
    few_accounts: int = 100
    rounds: int = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class _Query:
    """`do` is measured; `before` and `after` are not."""

    name: str
    do: Do
    before: Do | None = None
    after: Do | None = None


async def measure_scale(maker: Maker, sizes: Sizes) -> list[Figure]:
    """Measure on databases of one kind."""
    few, many = await maker.make("few"), await maker.make("many")
    await history_dataset.fill(few, count=sizes.few_jobs, members=sizes.few_accounts)
    began = time.perf_counter()
    await history_dataset.fill(many, count=sizes.jobs, members=sizes.accounts)
    filled = time.perf_counter() - began
    async with open_database(few) as new, open_database(many) as old:
        figures = await _compare(new, old, sizes.rounds)
        figures += await _measure_audit(new, old)
    return [*figures, Figure(name=f"writing {sizes.jobs:,} jobs, for this benchmark", taken=filled, unit="s")]


async def _compare(new: Database, old: Database, rounds: int) -> list[Figure]:
    desks = (Harness(new), Harness(old))
    taken: dict[str, tuple[list[float], list[float]]] = {}
    try:
        both = [_queries(harness) for harness in desks]
        for turn in range(rounds):
            for queries in zip(*both, strict=True):
                for side in (0, 1) if turn % 2 else (1, 0):
                    query = queries[side]
                    taken.setdefault(query.name, ([], []))[side].append(await _timed(query))
    finally:
        for harness in desks:
            await harness.close()
    return [
        Figure(name=name, taken=statistics.median(many), base=statistics.median(few), aim=AIM)
        for name, (few, many) in taken.items()
    ]


async def _timed(query: _Query) -> float:
    if query.before is not None:
        await query.before()
    start = time.perf_counter()
    await query.do()
    taken = 1000 * (time.perf_counter() - start)
    if query.after is not None:
        await query.after()
    return taken


class _JobLife:
    """A job advanced by the queries in turn."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self.job: Job | None = None

    async def hold(self) -> None:
        self.job = await self.harness.hold()

    async def abandon(self) -> None:
        await self.harness.generation.abandon(self._there)

    async def acknowledged(self) -> None:
        await self.hold()
        await self.harness.generation.mark_acknowledged(self._there.id, 1)

    async def claim(self) -> None:
        self.job = await self.harness.claim()

    async def finish(self) -> None:
        self.job = await self.harness.finish_claimed(self._there)

    async def look(self) -> None:
        await self.harness.snapshots.get(self._there.id)

    @property
    def _there(self) -> Job:
        assert self.job is not None
        return self.job


def _queries(harness: Harness) -> tuple[_Query, ...]:
    """Return the product's queries in a working order."""
    life = _JobLife(harness)
    account_of = history_dataset.account_of(_ACCOUNT)
    page = _Page(harness, account_of)
    return (
        *[_Query(name="hold", do=life.hold, after=life.abandon)] * _HOLDS,
        _Query(name="snapshot in line", do=life.look, before=life.acknowledged),
        _Query(name="claim", do=life.claim),
        _Query(name="from claimed to delivered", do=life.finish),
        _Query(name="snapshot of a done job", do=life.look),
        _Query(name="history, latest overview", do=page.latest),
        _Query(name="history, an older page", do=page.older),
        _Query(name="history, a search without a hit", do=page.search),
        _Query(name="status", do=_status(harness)),
        _Query(name="balance", do=lambda: harness.credits.balance(*account_of, ())),
        _Query(name="lease renewed, jobs taken over", do=harness.keep_lease),
        _Query(name="sweep of unfinished jobs", do=harness.worker_store.list_owned),
        _Query(name="late answers asked for", do=lambda: harness.reconciliations.claim_due(20)),
        _Query(name="webhook's job found", do=lambda: harness.job_store.find_by_webhook("0" * 64)),
        _Query(name="tokens erased", do=_write(harness, _erase_tokens)),
        _Query(name="old pictures removed", do=_write(harness, _remove_pictures)),
        _Query(name="files asked about", do=_read(harness, _kept)),
    )


class _Page:
    """Paging through the history of a member with past jobs."""

    def __init__(self, harness: Harness, account_of: tuple[int, int]) -> None:
        self._desk = harness
        self._whose = account_of
        self._selection = Selection(guild_id=account_of[0], member_id=account_of[1])

    async def latest(self) -> str:
        overview = await self._desk.history.open(*self._whose)
        assert overview is not None
        return overview.entries[0].job.id

    async def older(self) -> None:
        job_id = f"{10**6:032x}"
        await self._desk.history.turn(self._selection, job_id, Direction.OLDER)

    async def search(self) -> None:
        assert await self._desk.history.open(*self._whose, "no such words") is None


def _status(harness: Harness) -> Do:
    def read(connection: Connection) -> None:
        jobs = JobRepository(connection)
        jobs.count_live()
        jobs.recent_durations("reve-2.0", 50)
        QueueRepository(connection).count_active_by_guild()
        AttemptRepository(connection).count_active_by_provider()

    return _read(harness, read)


def _read(harness: Harness, function: Callable[[Connection], object]) -> Do:
    return lambda: harness.database.read(function)


def _write(harness: Harness, function: Callable[[Connection], object]) -> Do:
    return lambda: harness.database.write(function)


def _erase_tokens(connection: Connection) -> None:
    CardRepository(connection).erase_tokens(datetime.now(UTC) - TOKEN_LIFE)


def _remove_pictures(connection: Connection) -> None:
    now = datetime.now(UTC)
    ResultImageRepository(connection).remove_stored_before(now - 2 * _RETENTION, now, _PICTURES_AT_ONCE)


def _kept(connection: Connection) -> None:
    ResultImageRepository(connection).list_kept([f"{number:064x}" for number in range(_FILES_AT_ONCE)])


async def _measure_audit(new: Database, old: Database) -> list[Figure]:
    """Measure the nightly audit, and a hold during it."""
    harness = Harness(old)
    figures = []
    try:
        for name, database in (("new", new), ("old", old)):
            start = time.perf_counter()
            assert await database.read(audit) == []
            figures.append(Figure(name=f"the audit, {name} studio", taken=time.perf_counter() - start, unit="s"))
        figures.append(await _measure_incremental_audit(harness, old, full=figures[-1].taken))
        proving = asyncio.create_task(old.read(audit))
        holds = []
        while not proving.done():
            start = time.perf_counter()
            held = await harness.hold()
            holds.append(1000 * (time.perf_counter() - start))
            await harness.finish(held)
        await proving
    finally:
        await harness.close()
    return [
        *figures,
        Figure(name="a hold during the audit, median", taken=statistics.median(holds)),
        Figure(name="a hold during the audit, longest", taken=max(holds)),
    ]


async def _measure_incremental_audit(harness: Harness, database: Database, *, full: float) -> Figure:
    """Measure the audit of some new jobs after a checkpoint."""
    now = datetime.now(UTC)
    checkpoint = (await database.read(lambda connection: audit_since(connection, now))).checkpoint
    assert checkpoint is not None
    await database.write(lambda connection: CheckpointRepository(connection).save(checkpoint))
    for _ in range(_HOLDS):
        await harness.finish(await harness.hold())
    start = time.perf_counter()
    audited = await database.read(lambda connection: audit_since(connection, now))
    taken = time.perf_counter() - start
    assert (audited.problems, audited.is_full) == ([], False)
    return Figure(name="the audit of what changed, old studio", taken=taken, base=full, unit="s", aim=_INCREMENTAL_AIM)
