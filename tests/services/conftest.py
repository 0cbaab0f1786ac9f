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
from bot.engine.books import Books
from bot.engine.breaker import Breakers
from bot.engine.engine import Engine
from bot.engine.health import HealthBoard
from bot.engine.journal import Journal
from bot.engine.lease import Lease
from bot.engine.limits import Limits
from bot.engine.observer import FoundCard
from bot.engine.steps import Steps
from bot.images.download import PictureDownloader
from bot.images.keeper import PictureKeeper
from bot.images.store import PictureStore
from bot.images.workers import PictureWorkers
from bot.services.access import AccessService
from bot.services.credits import CreditService
from bot.services.details import DetailService
from bot.services.drafts import DraftService
from bot.services.generation import GenerationService
from bot.services.remix import RemixService
from bot.services.snapshots import SnapshotService
from bot.services.status import StatusService
from db.audit import audit
from db.database import Database
from tests.support.clock import ManualClock
from tests.support.factories import COMMUNITY, MEMBER, an_id


class Nobody:
    """A `JobObserver` that shows nothing."""

    def changed(self, job_id: str) -> None:
        """Hear of a change."""

    async def find_card(self, job: Job) -> FoundCard | None:
        """Not know."""


@dataclass(kw_only=True)
class Desk:
    """The services, and what stands behind them."""

    database: Database
    clock: ManualClock
    books: Books
    journal: Journal
    health: HealthBoard
    access: AccessService
    generation: GenerationService
    credits: CreditService
    snapshots: SnapshotService
    status: StatusService
    drafts: DraftService
    remix: RemixService
    details: DetailService
    store: PictureStore

    async def account(self, member: int = MEMBER) -> Account:
        """Return a member's account as it stands."""
        return await self.database.read(
            lambda connection: self.books.available(connection, COMMUNITY, member, self.clock.now())
        )

    async def audit(self) -> list[str]:
        """Return what does not balance."""
        return await self.database.read(audit)


Open = Callable[..., Desk]


@pytest.fixture
async def open_desk(database: Database, clock: ManualClock, tmp_path: Path) -> AsyncIterator[Open]:
    """Return what builds the services as an operator has set them; the books must balance at the end."""
    store = PictureStore(tmp_path)
    keeper = PictureKeeper(
        downloader=PictureDownloader(verify=httpx.create_ssl_context(verify=False, trust_env=False)),
        store=store,
        workers=PictureWorkers(),
    )

    def build(
        *,
        allowance: int = 200,
        budget: int = 100_000,
        admitted: frozenset[int] | str | None = "*",
        outside: bool = False,
        providers: tuple[str, ...] = ("skillboss", "reve2img"),
        **limits: Any,
    ) -> Desk:
        books = Books(allowance=allowance, budget=budget, new_id=an_id)
        set_limits = Limits(**limits)
        lease = Lease(worker_id=an_id(), seconds=15.0, alone=True, clock=clock)
        journal = Journal(
            database=database, books=books, clock=clock, limits=set_limits, lease=lease, providers=providers
        )
        health = HealthBoard(providers)
        randomness = random.Random(0)  # noqa: S311 - jitter, the same in every run
        steps = Steps(
            journal=journal,
            providers={},
            keeper=keeper,
            observer=Nobody(),
            clock=clock,
            limits=set_limits,
            health=health,
            breakers=Breakers(providers),
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
        snapshots = SnapshotService(database=database, books=books, clock=clock)
        return Desk(
            database=database,
            clock=clock,
            books=books,
            journal=journal,
            health=health,
            access=access,
            generation=GenerationService(
                database=database,
                journal=journal,
                engine=engine,
                books=books,
                access=access,
                clock=clock,
                limits=set_limits,
                providers=providers,
                new_id=an_id,
            ),
            credits=CreditService(database=database, books=books, access=access, clock=clock),
            snapshots=snapshots,
            status=StatusService(database=database, snapshots=snapshots, health=health),
            drafts=DraftService(
                database=database, books=books, access=access, clock=clock, providers=providers, new_id=an_id
            ),
            remix=RemixService(database=database, keeper=keeper, clock=clock, providers=providers),
            details=DetailService(database=database),
            store=store,
        )

    yield build
    assert await database.read(audit) == []
    await keeper.close()


@pytest.fixture
def desk(open_desk: Open) -> Desk:
    """Return the services with the ordinary settings."""
    return open_desk()
