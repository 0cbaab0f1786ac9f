"""The services over a real database, with an engine that was not started: what they write is what is looked at."""

import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.domain.credits import Account
from bot.domain.jobs import Job
from bot.engine.circuit_breaker import CircuitBreakers
from bot.engine.config import EngineConfig
from bot.engine.engine import Engine
from bot.engine.executor import JobExecutor
from bot.engine.health import HealthRegistry
from bot.engine.job_store import JobStore
from bot.engine.lease import Lease
from bot.engine.ledger import Ledger
from bot.engine.observer import CardLookup
from bot.images.download import ImageDownloader
from bot.images.image_service import ImageService
from bot.images.store import ImageStore
from bot.images.thread_pool import ImageThreadPool
from bot.services.access import AccessService
from bot.services.confirmations import ConfirmationService
from bot.services.credits import CreditService
from bot.services.details import DetailService
from bot.services.job_snapshots import JobSnapshotService
from bot.services.jobs import JobService
from bot.services.remix import RemixService
from bot.services.status import StatusService
from db.audit import audit
from db.database import Database
from tests.support.clock import ManualClock
from tests.support.factories import GUILD, MEMBER, make_id


class Nobody:
    """A `JobObserver` that shows nothing."""

    def changed(self, job_id: str) -> None:
        """Hear of a change."""

    async def find_card(self, job: Job) -> CardLookup | None:
        """Not know."""


@dataclass(kw_only=True)
class ServiceHarness:
    """The services, and what stands behind them."""

    database: Database
    clock: ManualClock
    books: Ledger
    journal: JobStore
    health: HealthRegistry
    access: AccessService
    generation: JobService
    credits: CreditService
    snapshots: JobSnapshotService
    status: StatusService
    drafts: ConfirmationService
    remix: RemixService
    details: DetailService
    store: ImageStore

    async def account(self, member: int = MEMBER) -> Account:
        """Return a member's account as it stands."""
        return await self.database.read(
            lambda connection: self.books.available(connection, GUILD, member, self.clock.now())
        )

    async def audit(self) -> list[str]:
        """Return what does not balance."""
        return await self.database.read(audit)


Open = Callable[..., ServiceHarness]


@pytest.fixture
async def open_desk(database: Database, clock: ManualClock, tmp_path: Path) -> AsyncIterator[Open]:
    """Return what builds the services as an operator has set them; the books must balance at the end."""
    store = ImageStore(tmp_path)
    keeper = ImageService(
        downloader=ImageDownloader(verify=httpx.create_ssl_context(verify=False, trust_env=False)),
        store=store,
        workers=ImageThreadPool(),
    )

    def build(
        *,
        allowance: int = 200,
        budget: int = 100_000,
        admitted: frozenset[int] | str | None = "*",
        outside: bool = False,
        providers: tuple[str, ...] = ("skillboss", "reve2img"),
        **limits: Any,
    ) -> ServiceHarness:
        books = Ledger(allowance=allowance, budget=budget, new_id=make_id)
        set_limits = EngineConfig(**limits)
        lease = Lease(worker_id=make_id(), seconds=15.0, alone=True, clock=clock)
        journal = JobStore(
            database=database, books=books, clock=clock, limits=set_limits, lease=lease, providers=providers
        )
        health = HealthRegistry(providers)
        randomness = random.Random(0)  # noqa: S311 - jitter, the same in every run
        steps = JobExecutor(
            journal=journal,
            providers={},
            keeper=keeper,
            observer=Nobody(),
            clock=clock,
            limits=set_limits,
            health=health,
            breakers=CircuitBreakers(providers),
            randomness=randomness,
        )
        engine = Engine(
            journal=journal,
            steps=steps,
            observer=Nobody(),
            clock=clock,
            limits=set_limits,
            lease=lease,
            randomness=randomness,
        )
        access = AccessService(database=database, admitted=admitted, now=clock.now, outside=outside)
        snapshots = JobSnapshotService(database=database, books=books, clock=clock)
        return ServiceHarness(
            database=database,
            clock=clock,
            books=books,
            journal=journal,
            health=health,
            access=access,
            generation=JobService(
                database=database,
                journal=journal,
                engine=engine,
                books=books,
                access=access,
                clock=clock,
                limits=set_limits,
                providers=providers,
                new_id=make_id,
            ),
            credits=CreditService(database=database, books=books, access=access, clock=clock),
            snapshots=snapshots,
            status=StatusService(database=database, snapshots=snapshots, health=health),
            drafts=ConfirmationService(
                database=database, books=books, access=access, clock=clock, providers=providers, new_id=make_id
            ),
            remix=RemixService(database=database, keeper=keeper, clock=clock, providers=providers),
            details=DetailService(database=database),
            store=store,
        )

    yield build
    assert await database.read(audit) == []
    await keeper.close()


@pytest.fixture
def desk(open_desk: Open) -> ServiceHarness:
    """Return the services with the ordinary settings."""
    return open_desk()
