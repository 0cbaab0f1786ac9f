"""Random jobs of two processes at once keep the ledger and its limits."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable
from typing import TypeVar

import pytest
from sqlalchemy import Connection

from bot.domain.allowances import AllowanceEntry, PeriodKind
from bot.domain.credits import month_of
from bot.domain.errors import AtelierError
from bot.domain.jobs import InteractionContext, Job, Snapshot, State
from bot.providers.base import Finished, Pending
from db.accounts import AccountKey
from db.allowances import AllowanceRepository
from db.attempts import AttemptRepository
from db.budgets import BudgetRepository
from db.database import Database
from db.guilds import GuildRepository
from db.jobs import JobRepository
from tests.services.conftest import Open, ServiceHarness
from tests.support.clock import ManualClock
from tests.support.factories import GUILD, MEMBER, make_attempt, make_context, make_image, make_request

BUDGET, GUILD_BUDGET, MOST_WAITING = 900, 500, 2
UNLIMITED, WEEKLY = 501, 502
T = TypeVar("T")


class Chaos:
    """Requests and steps of jobs by two processes, in a random order."""

    def __init__(self, processes: tuple[ServiceHarness, ServiceHarness], seed: int) -> None:
        self.processes = processes
        self.random = random.Random(seed)  # noqa: S311 - the same in every run
        self.places: list[InteractionContext] = []
        self.told: Counter[str] = Counter()

    async def run(self) -> None:
        """Ask for a job; end it in one process, or in both at once."""
        process = self.random.choice(self.processes)
        process.clock.advance(self.random.choice([0, 0, 0.1, 1800]))
        images = self.random.randint(1, 3)
        made = await self._try(process.jobs.create(self._place(), make_request(images=images)))
        if made is None:
            return
        await self._try(process.jobs.mark_acknowledged(made.job.id, 5))
        if self.random.random() < 0.3:
            await self._try(self._end(process, made))
            return
        job = await self._try(process.database.write(lambda connection: _claim(connection, made.job)))
        if job is not None and (job := await self._try(_accept(process, job))) is not None:
            enders = self.random.choice([self.processes, (process,)])
            await asyncio.gather(*(self._finish(each, job) for each in enders))

    async def _end(self, process: ServiceHarness, made: Snapshot) -> None:
        if self.random.random() < 0.5:
            await process.job_store.mark_cancelled(made.job)

    async def _finish(self, process: ServiceHarness, job: Job) -> None:
        if self.random.random() < 0.2:
            await self._try(process.job_store.mark_lost(job))
            return
        urls = tuple(f"https://x/{position}" for position in range(job.request.images))
        stored = await self._try(process.job_store.mark_storing(job, Finished(image_urls=urls)))
        if stored is not None:
            number = self.random.randint(1, len(urls))
            await self._try(process.job_store.mark_done(stored, [make_image(job, each) for each in range(number)]))

    def _place(self) -> InteractionContext:
        """Return a place; some interactions come to both processes."""
        if self.places and self.random.random() < 0.2:
            return self.random.choice(self.places[-5:])
        place = make_context(
            guild_id=self.random.choice([0, GUILD, GUILD, GUILD + 1]),
            member_id=MEMBER + self.random.randrange(5),
            roles=self.random.choice([(), (UNLIMITED,), (WEEKLY,)]),
        )
        self.places.append(place)
        return place

    async def _try(self, work: Awaitable[T]) -> T | None:
        """Wait for work; a refusal of the studio is no fault."""
        try:
            result = await work
        except AtelierError as error:
            self.told[type(error).__name__] += 1
            return None
        self.told["done"] += 1
        return result


async def _accept(process: ServiceHarness, job: Job) -> Job:
    return await process.job_store.mark_accepted(job, Pending(handle=f"h-{job.id}", running=False))


def _claim(connection: Connection, job: Job) -> Job:
    claimed = JobRepository(connection).advance(
        job, State.SUBMITTING, fence=1, provider="skillboss", submitted_at=job.created_at
    )
    AttemptRepository(connection).add_all([make_attempt(job, images=job.request.images)])
    return claimed


def _set_up(connection: Connection) -> None:
    allowances = AllowanceRepository(connection)
    allowances.set(GUILD, AllowanceEntry(amount=None, role_id=UNLIMITED))
    allowances.set(GUILD, AllowanceEntry(amount=120, period=PeriodKind.WEEK, role_id=WEEKLY))
    GuildRepository(connection).change_settings(GUILD, {"monthly_budget": GUILD_BUDGET})


@pytest.mark.parametrize("seed", range(2))
async def test_jobs_of_two_processes_at_once_keep_the_limits(
    database: Database, other: Database, open_services: Open, seed: int
) -> None:
    """The fixture of the services audits the ledger at the end."""
    if database.dialect == "sqlite":
        pytest.skip("one process")
    clocks = ManualClock(), ManualClock()
    one, two = (
        open_services(on=each, at=clock, allowance=60, budget=BUDGET, outside=True, waiting_per_member=MOST_WAITING)
        for each, clock in zip((database, other), clocks, strict=True)
    )
    await database.write(_set_up)
    chaos = Chaos((one, two), seed)
    for _ in range(2):
        await asyncio.gather(*(chaos.run() for _ in range(60)))
        for clock in clocks:
            clock.advance(86_400)
    assert {"done", "DuplicateInteractionError", "InsufficientCreditsError", "StaleJobError"} <= chaos.told.keys()

    def read(connection: Connection) -> tuple[int, int, dict[AccountKey, int]]:
        month = month_of(clocks[0].now())
        used, of_guild = BudgetRepository(connection).used(month), BudgetRepository(connection, GUILD).used(month)
        keys = {(place.guild_id, place.member_id) for place in chaos.places}
        return used, of_guild, JobRepository(connection).count_waiting(keys)

    used, of_guild, waiting = await database.read(read)
    assert used <= BUDGET
    assert of_guild <= GUILD_BUDGET
    assert max(waiting.values()) <= MOST_WAITING
