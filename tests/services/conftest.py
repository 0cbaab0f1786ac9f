"""Fixtures: the services on a real database.

Tests look at the rows that the services write.
"""

import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest

from bot.container import Container
from bot.domain.attachments import SERVED
from bot.domain.credits import Account
from bot.domain.jobs import Job
from bot.engine.claimer import no_callback_url
from bot.engine.config import EngineConfig
from bot.engine.health import HealthRegistry
from bot.engine.input_store import InputStore
from bot.engine.job_store import JobStore
from bot.engine.ledger import Ledger
from bot.engine.observer import CardLookup
from bot.images.download import ImageDownloader
from bot.images.image_service import ImageService
from bot.images.store import ImageStore
from bot.images.thread_pool import ImageThreadPool
from bot.services.access import AccessService
from bot.services.allowances import AllowanceService
from bot.services.confirmations import ConfirmationService
from bot.services.credits import CreditService
from bot.services.deletion_register import DeletionRegister
from bot.services.details import DetailService
from bot.services.duels import DuelService
from bot.services.history import HistoryService
from bot.services.job_snapshots import JobSnapshotService
from bot.services.jobs import JobService
from bot.services.remix import RemixService
from bot.services.request_gate import RequestGate
from bot.services.status import StatusService
from bot.settings import Settings
from db.audit import audit
from db.database import Database
from tests.support.clock import ManualClock
from tests.support.factories import GUILD, MEMBER, make_id


class Nobody:
    """A `JobObserver` without cards."""

    def on_job_changed(self, job_id: str) -> None:
        """Ignore the change."""

    async def find_card(self, job: Job) -> CardLookup | None:
        """Return no card."""


@dataclass(kw_only=True)
class ServiceHarness:
    """The services and their dependencies."""

    database: Database
    clock: ManualClock
    ledger: Ledger
    job_store: JobStore
    input_store: InputStore
    health: HealthRegistry
    access: AccessService
    allowances: AllowanceService
    gate: RequestGate
    jobs: JobService
    credits: CreditService
    snapshots: JobSnapshotService
    status: StatusService
    confirmations: ConfirmationService
    remix: RemixService
    details: DetailService
    history: HistoryService
    duels: DuelService
    store: ImageStore

    async def account(self, member: int = MEMBER) -> Account:
        """Return a member's current account."""
        return await self.database.read(
            lambda connection: self.ledger.available(connection, GUILD, member, self.clock.now())
        )

    async def audit(self) -> list[str]:
        """Return the audit's findings."""
        return await self.database.read(audit)


Open = Callable[..., ServiceHarness]


@pytest.fixture
async def open_services(database: Database, clock: ManualClock, tmp_path: Path) -> AsyncIterator[Open]:
    """Return a factory of services by settings; audits the ledger at the end."""
    http = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(503)))
    store = ImageStore(tmp_path)
    images = ImageService(
        downloader=ImageDownloader(verify=httpx.create_ssl_context(verify=False, trust_env=False)),
        store=store,
        workers=ImageThreadPool(),
    )

    def build(
        *,
        on: Database = database,
        at: ManualClock = clock,
        allowance: int = 200,
        budget: int = 100_000,
        admitted: frozenset[int] | Literal["*"] | None = "*",
        outside: bool = False,
        providers: tuple[str, ...] = ("skillboss", "reve2img"),
        **config: Any,
    ) -> ServiceHarness:
        communities = tuple(admitted) if isinstance(admitted, frozenset) else admitted
        container = Container(
            Settings(
                default_allowance=allowance,
                monthly_budget=budget,
                communities=communities,
                user_install=outside,
            ),
            database=on,
            http=http,
            clock=at,
            new_id=make_id,
            randomness=random.Random(0),  # noqa: S311 - jitter, the same in every run
        )
        container.provider_names = providers
        container.engine_config = EngineConfig(**config)
        container.is_alone = True
        container.observer = Nobody()
        container.input_policy = SERVED
        container.new_callback_url = no_callback_url
        container.image_service = images
        container.deletion_register = DeletionRegister(tmp_path / "deletions.txt", "")
        return ServiceHarness(
            database=on,
            clock=at,
            ledger=container.ledger,
            job_store=container.job_store,
            input_store=container.input_store,
            health=container.health,
            access=container.access,
            allowances=container.allowances,
            gate=container.request_gate,
            jobs=container.jobs,
            credits=container.credits,
            snapshots=container.snapshots,
            status=container.status,
            confirmations=container.confirmations,
            remix=container.remix,
            details=container.details,
            history=container.history,
            duels=container.duels,
            store=store,
        )

    yield build
    assert await database.read(audit) == []
    await images.close()
    await http.aclose()


@pytest.fixture
def services(open_services: Open) -> ServiceHarness:
    """Return the services with default settings."""
    return open_services()
